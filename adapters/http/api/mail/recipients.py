"""Recipients of mail lists: shown, added with their consent, changed, taken off, taken out."""

import csv
from io import StringIO
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api import cursor
from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, Body, Endpoint, Listing, Page, Query
from adapters.http.api.mail.base import (
    LIST,
    TAG,
    Address,
    ConsentMoment,
    Mail,
    Values,
    consent_instant,
    is_masked,
    list_of,
    shown_address,
    shown_attributes,
)
from adapters.http.api.openapi import ROOT
from adapters.http.problem import NO_STORE
from gateway.domain.access import MANAGERS, STAFF
from gateway.domain.effects import NEVER
from gateway.domain.mail.addresses import without_addresses
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.profiles import MOST_TAGS, TAG_RULE, attributes_of
from gateway.domain.mail.recipients import Consent, How, Recipient, Source, State, Suppression
from gateway.errors import Refusal
from gateway.ports import Answer, Lane
from gateway.usecases.mail.lists import Add, Added, Change, Remove, add, change, remove
from gateway.usecases.mail.views import About, Export, Known, export, known
from gateway.usecases.views import Instant, written

_CSV = "text/csv; charset=utf-8"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet begins to reckon."""

Tag = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description=f"{TAG_RULE[:1].upper()}{TAG_RULE[1:]}. Capitals are taken as small letters, "
        "full width as half width.",
        examples=["vip", "新商品"],
    ),
]
Tags = Annotated[list[Tag], Meta(max_length=MOST_TAGS)]


class ConsentBody(Body, frozen=True):
    """When and how somebody consented, what shows it, and which notice they saw."""

    at: ConsentMoment
    how: Annotated[str, Meta(min_length=1, max_length=500, examples=["店頭の申込書"])]
    evidence: Annotated[str, Meta(min_length=1, max_length=500)]
    notice: Annotated[str, Meta(min_length=1, max_length=500, description="Its version.")]


class RecipientBody(Body, frozen=True):
    """Somebody who consented."""

    address: Address
    consent: ConsentBody
    attributes: Values = msgspec.field(default_factory=dict)
    tags: Tags = msgspec.field(default_factory=list)


class ChangeBody(Body, frozen=True):
    """What is to be known of a recipient from now on."""

    attributes: Annotated[
        Values, Meta(description="Those that change; one that is given empty goes.")
    ] = msgspec.field(default_factory=dict)
    tags: Tags = msgspec.field(default_factory=list)
    untags: Tags = msgspec.field(default_factory=list)


class RecipientView(msgspec.Struct, frozen=True):
    """Somebody on a list."""

    id: str
    list: str
    address: Annotated[
        str, Meta(description="Masked (`t***@e***.jp`) where the contract or the role asks for it.")
    ]
    state: State
    attributes: Annotated[dict[str, str], Meta(description="Masked (`山***`) where addresses are.")]
    strikes: Annotated[int, Meta(description="Campaigns in a row that failed; three remove.")]
    added_at: Instant


class ConsentView(msgspec.Struct, frozen=True):
    """A consent on record."""

    at: Instant
    how: How
    evidence: str
    notice: str
    recorded_at: Instant
    last_sent_at: Instant | None


class StopView(msgspec.Struct, frozen=True):
    """What somebody stopped."""

    list: Annotated[str | None, Meta(description="Null: all lists of the advertiser.")]
    topic: Annotated[str | None, Meta(description="Null: everything.")]
    at: Instant
    until: Annotated[Instant | None, Meta(description="Null: for good.")]
    source: Source


class RecipientDetail(msgspec.Struct, frozen=True):
    """A recipient, with why they may be mailed, and why not."""

    recipient: RecipientView
    tags: list[str]
    consents: list[ConsentView]
    stops: list[StopView]


class AddedView(msgspec.Struct, frozen=True):
    """What became of somebody who was added. It does not repeat the address: answers are kept for
    a day for whoever repeats a write.
    """

    id: str
    list: str
    outcome: Literal["added", "updated", "unchanged"]


def endpoints(mail: Mail) -> list[Endpoint]:
    """The calls of the API that tell of recipients."""

    async def listed(ask: Ask[Listing, None]) -> Page[RecipientView]:
        mail_list = list_of(ask, mail.held)
        after = ask.after(int)
        found = await ask.read(
            mail.lists.recipients,
            ask.scope,
            mail_list.id,
            after=int(after[0]) if after else 0,
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda each: (each.id,), lambda each: _shown(ask, mail_list, each))

    async def shown(ask: Ask[Query, None]) -> RecipientDetail:
        mail_list = list_of(ask, mail.held)
        asked = About(ask.scope, mail_list.id, ask.id("recipient"))
        return _detail(ask, mail_list, await ask.wiring.store.run(known, asked))

    async def added(ask: Ask[Query, RecipientBody]) -> Answer:
        body, said = ask.body, ask.body.consent
        wish = Add(
            scope=ask.scope,
            list=list_of(ask, mail.held).id,
            address=body.address,
            consent=Stated(consent_instant(said.at), said.how, said.evidence, said.notice),
            actor=ask.access.actor,
            now=ask.now,
            seed=ask.seed(2),
            keys=await mail.keys.get(),
            attributes=body.attributes,
            tags=tuple(body.tags),
            corrects=ask.access.role != "operator",
        )
        return await ask.write(add, wish, _added)

    async def changed(ask: Ask[Query, ChangeBody]) -> Answer:
        wish = Change(
            scope=ask.scope,
            access=ask.access,
            list=list_of(ask, mail.held).id,
            recipient=ask.id("recipient"),
            now=ask.now,
            attributes=ask.body.attributes,
            tags=tuple(ask.body.tags),
            untags=tuple(ask.body.untags),
        )
        return await ask.write(change, wish)

    async def removed(ask: Ask[Query, None]) -> Answer:
        mail_list = list_of(ask, mail.held)
        wish = Remove(ask.scope, mail_list.id, ask.id("recipient"), ask.access.actor, ask.now)
        return await ask.write(remove, wish)

    async def exported(ask: Ask[Listing, None]) -> Answer:
        mail_list = list_of(ask, mail.held)
        after = ask.after(int)
        limit = ask.query.limit
        wish = Export(
            scope=ask.scope,
            list=mail_list.id,
            actor=ask.access.actor,
            now=ask.now,
            after=int(after[0]) if after else 0,
            limit=limit + 1,
        )
        found = await ask.wiring.store.run(export, wish, Lane.BACKGROUND)
        rows = found.rows[:limit]
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{mail_list.id}.csv"'}
        if len(found.rows) > limit:
            key = cursor.written(ask.endpoint.path, (rows[-1][0].id,))
            link = f"{ROOT}/mail-lists/{mail_list.id}/recipients.csv?limit={limit}&cursor={key}"
            headers["Link"] = f'<{link}>; rel="next"'
        # Excel takes a table without the mark for Shift_JIS.
        text = ("" if after else "\ufeff" + _head(mail_list)) + _rows(mail_list, rows)
        return Answer(text.encode(), 200, _CSV, headers)

    return [
        Endpoint(
            method="GET",
            path="/mail-lists/{id}/recipients",
            summary="List a mail list's recipients",
            tag=TAG,
            handler=listed,
            query=Listing,
            answer=Page[RecipientView],
            segments={"id": LIST},
            description="In the order in which they came.",
        ),
        Endpoint(
            method="POST",
            path="/mail-lists/{id}/recipients",
            summary="Put somebody on a mail list",
            tag=TAG,
            handler=added,
            roles=MANAGERS,
            body=RecipientBody,
            answer=AddedView,
            status=201,
            segments={"id": LIST},
            refusals=(
                Refusal.ADDRESS_INVALID,
                Refusal.CONSENT_MISSING,
                Refusal.CONSENT_INVALID,
                Refusal.RECIPIENT_STOPPED,
            ),
            description="Not without their consent (rules R73, R102). Who stopped the list cannot "
            "be put on it by anybody but themselves. Of who is there already the operator changes "
            "neither attributes nor tags (rule R104).",
        ),
        Endpoint(
            method="GET",
            path="/mail-lists/{id}/recipients.csv",
            summary="Take recipients out",
            tag=TAG,
            handler=exported,
            roles=MANAGERS,
            query=Listing,
            answer=bytes,
            media_type="text/csv",
            segments={"id": LIST},
            refusals=(Refusal.EXPORT_FORBIDDEN,),
            description="A page as a table; its header line is on the first page alone, and the "
            "header `Link` names the next one. Refused under the postpaid contract (rule R83), and "
            "audited under the other.",
        ),
        Endpoint(
            method="GET",
            path="/mail-lists/{id}/recipients/{recipient}",
            summary="Read a recipient with their consents and stops",
            tag=TAG,
            handler=shown,
            roles=STAFF,
            answer=RecipientDetail,
            segments={"id": LIST, "recipient": ID},
        ),
        Endpoint(
            method="PATCH",
            path="/mail-lists/{id}/recipients/{recipient}",
            summary="Change a recipient's attributes and tags",
            tag=TAG,
            handler=changed,
            roles=frozenset({"manager"}),
            body=ChangeBody,
            status=204,
            segments={"id": LIST, "recipient": ID},
            description="Not for the operator, who may add, delete and stop, and corrects nobody "
            "(rule R104).",
        ),
        Endpoint(
            method="DELETE",
            path="/mail-lists/{id}/recipients/{recipient}",
            summary="Take a recipient off a mail list",
            tag=TAG,
            handler=removed,
            roles=MANAGERS,
            status=204,
            segments={"id": LIST, "recipient": ID},
            description="What they stopped stays stopped, and their consents stay on record. At a "
            "recipient's own wish: `POST /mail-erasures`.",
        ),
    ]


def stop_view(ask: Ask[Any, Any], stop: Suppression) -> StopView:
    """A stop as it is shown."""
    zone = ask.wiring.zone
    return StopView(
        list=stop.list or None,
        topic=stop.topic or None,
        at=written(stop.at, zone),
        until=None if stop.until == NEVER else written(stop.until, zone),
        source=stop.source,
    )


def _added(reply: Added) -> AddedView:
    return AddedView(str(reply.recipient.id), reply.recipient.list, reply.outcome)


def _shown(ask: Ask[Any, Any], mail_list: MailList, recipient: Recipient) -> RecipientView:
    masked = is_masked(ask, mail_list)
    return RecipientView(
        id=str(recipient.id),
        list=recipient.list,
        address=shown_address(recipient.address, masked=masked),
        state=recipient.state,
        attributes=shown_attributes(attributes_of(recipient.attributes), masked=masked),
        strikes=recipient.strikes,
        added_at=written(recipient.added_at, ask.wiring.zone),
    )


def _detail(ask: Ask[Any, Any], mail_list: MailList, found: Known) -> RecipientDetail:
    return RecipientDetail(
        _shown(ask, mail_list, found.recipient),
        list(found.tags),
        [consent_view(ask, each, masked=is_masked(ask, mail_list)) for each in found.consents],
        [stop_view(ask, each) for each in found.stops],
    )


def consent_view(ask: Ask[Any, Any], said: Consent, *, masked: bool) -> ConsentView:
    """A consent as it is shown; where it is masked, without addresses in its evidence."""
    zone = ask.wiring.zone
    return ConsentView(
        at=written(said.at, zone),
        how=said.how,
        evidence=without_addresses(said.evidence) if masked else said.evidence,
        notice=said.notice,
        recorded_at=written(said.recorded_at, zone),
        last_sent_at=written(said.last_sent_at, zone) if said.last_sent_at else None,
    )


def _head(mail_list: MailList) -> str:
    return _lines([["address", "tags", *mail_list.attributes]])


def _rows(mail_list: MailList, rows: Any) -> str:
    return _lines(
        [
            [recipient.address, " ".join(tags)]
            + [attributes_of(recipient.attributes).get(name, "") for name in mail_list.attributes]
            for recipient, tags in rows
        ]
    )


def _lines(rows: list[list[str]]) -> str:
    """Rows as RFC 4180 has them."""
    text = StringIO()
    csv.writer(text).writerows([[_guarded(cell) for cell in row] for row in rows])
    return text.getvalue()


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
