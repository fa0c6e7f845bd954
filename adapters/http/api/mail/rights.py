"""Stops that staff enter, and what recipients may ask for: disclosure and deletion (rule R104)."""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import AdvertiserId, Body, Endpoint, Query
from adapters.http.api.mail.base import LIST, TAG, Address, Mail, RecipientId, list_of
from adapters.http.api.mail.disclosure import DisclosureView, disclosure_view
from adapters.http.api.mail.recipients import StopView, stop_view
from gateway.domain.access import MANAGERS, STAFF
from gateway.domain.effects import NEVER
from gateway.domain.mail.lists import MailList
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.usecases.mail import rights as mail_rights
from gateway.usecases.mail.rights import Erase, Erased, disclose, erase
from gateway.usecases.mail.stops import Stop, Stopped, end_of_day, stop


class StopBody(Body, frozen=True):
    """Who wants no more mail: by `address`, or by their `recipient` id."""

    address: Address | None = None
    recipient: RecipientId | None = None
    topic: Annotated[
        str, Meta(max_length=100, description="One of the list's topics; empty: everything.")
    ] = ""
    until: Annotated[
        dt.date | None,
        Meta(description="The last day of it, of Asia/Tokyo; null or absent: for good."),
    ] = None


class StoppedView(msgspec.Struct, frozen=True):
    """A stop that holds now."""

    is_new: Annotated[bool, Meta(description="Whether it was not so before.")]
    stops: list[StopView]


class PersonBody(Body, frozen=True):
    """Somebody, on all mail lists of an advertiser."""

    advertiser: AdvertiserId
    address: Address


class ErasedView(msgspec.Struct, frozen=True):
    """What was deleted."""

    recipients: int
    signups: int


def endpoints(mail: Mail) -> list[Endpoint]:
    """The calls of the API for what people want."""

    async def stopped(ask: Ask[Query, StopBody]) -> Answer:
        mail_list, body = list_of(ask, mail.held), ask.body
        if (body.address is None) == (body.recipient is None):
            raise Refused(Refusal.NOT_IN_ONE, "give one of address and recipient")
        if body.topic and body.topic not in mail_list.topics:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "topic: the list has no such topic")
        wish = Stop(
            source="staff",
            now=ask.now,
            seed=ask.seed(1),
            keys=await mail.keys.get(),
            scope=ask.scope,
            recipient=await _recipient(ask, mail, mail_list) if body.recipient else 0,
            address=body.address or "",
            list=mail_list.id,
            topic=body.topic,
            until=end_of_day(body.until, ask.now) if body.until else NEVER,
            actor=ask.access.actor,
        )
        made: list[Stopped] = []

        def show(reply: Stopped) -> StoppedView:
            made[:] = [reply]
            return StoppedView(reply.is_new, [stop_view(ask, each) for each in reply.suppressions])

        answer = await ask.write(stop, wish, show)
        for reply in made:  # none where this is a repeat: it was noted the first time
            mail.recall.note(reply.suppressions)
        return answer

    async def disclosed(ask: Ask[Query, PersonBody]) -> DisclosureView:
        ask.require(ask.body.advertiser)
        wish = mail_rights.Ask(
            ask.scope,
            ask.body.advertiser,
            ask.body.address,
            await mail.keys.get(),
            ask.access.actor,
            ask.now,
        )
        # Not kept for repeats: that would be a copy of what the person may have deleted.
        return disclosure_view(ask, mail, await ask.wiring.store.run(disclose, wish))

    async def erased(ask: Ask[Query, PersonBody]) -> Answer:
        ask.require(ask.body.advertiser)
        wish = Erase(
            ask.scope,
            ask.body.advertiser,
            ask.body.address,
            await mail.keys.get(),
            ask.access.actor,
            ask.now,
            ask.seed(1),
        )
        made: list[Erased] = []

        def show(reply: Erased) -> ErasedView:
            made[:] = [reply]
            return ErasedView(reply.recipients, reply.signups)

        answer = await ask.write(erase, wish, show)
        for reply in made:
            mail.recall.note(reply.suppressions)
        return answer

    return [
        Endpoint(
            method="POST",
            path="/mail-lists/{id}/stops",
            summary="Enter a stop",
            tag=TAG,
            handler=stopped,
            roles=STAFF,
            body=StopBody,
            answer=StoppedView,
            segments={"id": LIST},
            refusals=(
                Refusal.ADDRESS_INVALID,
                Refusal.UNKNOWN_REFERENCE,
                Refusal.NOT_IN_ONE,
                Refusal.ABSURD_VALUE,
            ),
            description="Whoever says stop gets no more mail, not even of the campaign that is "
            "being sent. Only they themselves can end it, by signing up anew.",
        ),
        Endpoint(
            method="POST",
            path="/mail-disclosures",
            summary="Read all that is kept of a person",
            tag=TAG,
            handler=disclosed,
            roles=MANAGERS,
            body=PersonBody,
            answer=DisclosureView,
            refusals=(Refusal.OUT_OF_SCOPE, Refusal.NOT_FOUND, Refusal.ADDRESS_INVALID),
            description="At the person's own wish. It is audited, changes nothing, and is answered "
            "anew under the same Idempotency-Key.",
        ),
        Endpoint(
            method="POST",
            path="/mail-erasures",
            summary="Delete a person from all mail lists",
            tag=TAG,
            handler=erased,
            roles=MANAGERS,
            body=PersonBody,
            answer=ErasedView,
            refusals=(Refusal.OUT_OF_SCOPE, Refusal.NOT_FOUND, Refusal.ADDRESS_INVALID),
            description="A keyed hash stays, so that no import brings them back, and the record "
            "of their consents, which names nobody.",
        ),
    ]


async def _recipient(ask: Ask[Query, StopBody], mail: Mail, mail_list: MailList) -> int:
    id_ = int(ask.body.recipient or 0)
    found = await ask.read(mail.lists.recipients, ask.scope, mail_list.id, after=id_ - 1, limit=1)
    if not found or found[0].id != id_:
        raise Refused(Refusal.NOT_FOUND, "nobody of that id is on the list")
    return id_
