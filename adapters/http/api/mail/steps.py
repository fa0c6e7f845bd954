"""What is done with mail campaigns: tried out, let go, halted, and sent once more."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, Body, Endpoint, Query
from adapters.http.api.mail.base import TAG, Mail, Values, list_of
from adapters.http.api.mail.campaigns import (
    COMPOSED,
    PLAN,
    campaign_of,
    content_checked,
    content_of,
)
from adapters.http.api.mail.plans import CampaignView, ResentView, campaign_view, resent_view
from gateway.domain.access import MANAGERS
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Checked
from gateway.errors import Refusal
from gateway.ports import Answer, Fact, Transaction
from gateway.usecases.mail import campaigns as desk
from gateway.usecases.mail import drafts
from gateway.usecases.mail.sending import message
from gateway.usecases.mail.trials import MOST, MOST_A_DAY, Trial, try_out

_Step = Callable[[Transaction, desk.Wish], tuple[Campaign, Sequence[Fact]]]

_MAY_SEND = (Refusal.LAW_UNCONFIRMED, Refusal.MAIL_UNCHECKED, Refusal.MAIL_UNALIGNED)

_LAW = (
    *PLAN,
    *_MAY_SEND,
    Refusal.DISPLAY_ITEM_MISSING,
    Refusal.CONTENT_GONE,
    Refusal.HEADER_INVALID,
    Refusal.VALUE_UNWRITABLE,
    Refusal.VALUE_TOO_LONG,
    Refusal.TOO_MANY_PREVIEWS,
)


class TrialBody(Body, frozen=True):
    """Where a message is sent to be looked at."""

    addresses: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=400)]],
        Meta(min_length=1, max_length=MOST),
    ]
    values: Values = msgspec.field(default_factory=dict)


class TrialView(msgspec.Struct, frozen=True):
    """To how many addresses a message is on its way."""

    addresses: int


class ResendBody(Body, frozen=True):
    """What the new draft is called."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class DoubtBody(Body, frozen=True):
    """What becomes of mails of which nobody knows whether they went."""

    to: Annotated[
        Literal["send", "drop"],
        Meta(description="`send`: once more, so that some may get it twice; `drop`: they failed."),
    ]


class DoubtView(msgspec.Struct, frozen=True):
    """How many mails in doubt were settled by this call."""

    settled: Annotated[int, Meta(description="Call again, with a new key, until it is 0.")]


def endpoints(mail: Mail) -> list[Endpoint]:
    """The calls of the API by which campaigns go on."""

    async def tried(ask: Ask[Query, TrialBody]) -> Answer:
        campaign = await campaign_of(ask, mail)
        mail_list = list_of(ask, mail.held, campaign.list)
        # What cannot be made is refused while somebody listens: afterwards it is only logged.
        await mail.compose(await content_of(ask, campaign), mail_list, ask.body.values)
        wish = Trial(
            scope=ask.scope,
            actor=ask.access.actor,
            campaign=campaign.id,
            addresses=tuple(ask.body.addresses),
            values=ask.body.values,
            now=ask.now,
            seed=ask.seed(MOST),
            keys=await mail.keys.get(),
        )
        return await ask.write(try_out, wish, TrialView)

    async def resent(ask: Ask[Query, ResendBody]) -> Answer:
        campaign = await campaign_of(ask, mail)
        found = await checked(ask, campaign)
        wish = drafts.Again(
            ask.scope, ask.access.actor, campaign.id, ask.body.name, ask.now, ask.seed(1), found
        )
        return await ask.write(drafts.again, wish, lambda made: resent_view(ask, made))

    async def settled(ask: Ask[Query, DoubtBody]) -> Answer:
        wish = desk.Decision(ask.scope, ask.access.actor, ask.id(), ask.body.to, ask.now)
        return await ask.write(desk.decide, wish, DoubtView)

    async def checked(
        ask: Ask[Any, Any], campaign: Campaign, *, is_composed: bool = False
    ) -> Checked | None:
        """What is wrong with a campaign's message.

        ``is_composed``: once nothing is, a mail is made of it, which finds what its style hides,
        and what is too large.
        """
        mail_list = mail.held(MailList).get(campaign.list)
        said = await ask.wiring.store.run(message, campaign.id)
        if said is None or not isinstance(mail_list, MailList):
            return None
        found = await content_checked(said.content, mail_list)
        if is_composed and not found.problems:
            await mail.compose(said.content, mail_list, dict.fromkeys(mail_list.attributes, "x"))
        return found

    def step(use_case: _Step) -> Callable[[Ask[Query, None]], Awaitable[Answer]]:
        async def stepped(ask: Ask[Query, None]) -> Answer:
            wish = desk.Wish(ask.scope, ask.access.actor, ask.id(), ask.now)
            if use_case is desk.schedule:
                campaign = await campaign_of(ask, mail)
                is_draft = campaign.state == "draft"
                found = await checked(ask, campaign, is_composed=True) if is_draft else None
                wish = msgspec.structs.replace(wish, checked=found)
            after: list[Campaign] = []

            def show(campaign: Campaign) -> CampaignView:
                after[:] = [campaign]
                return campaign_view(ask, campaign)

            answer = await ask.write(use_case, wish, show)
            for campaign in after:
                mail.changed(campaign)
            return answer

        return stepped

    return [
        Endpoint(
            method="POST",
            path="/mail-campaigns/{id}/trial",
            summary="Send a campaign's message to a few addresses",
            tag=TAG,
            handler=tried,
            roles=MANAGERS,
            body=TrialBody,
            answer=TrialView,
            status=202,
            segments={"id": ID},
            refusals=(
                Refusal.ADDRESS_INVALID,
                Refusal.RECIPIENT_STOPPED,
                Refusal.CONTENT_GONE,
                Refusal.SENDS_HALTED,
                Refusal.TOO_MANY_TRIALS,
                *COMPOSED,
            ),
            description=f"It counts in no figure. To at most {MOST_A_DAY} addresses a day and "
            "list, by Tokyo's clocks; not while sends are halted.",
        ),
        _stepping("schedule", "Let a draft begin, at its time or now", step(desk.schedule), _LAW),
        _stepping("unschedule", "Make a draft of it again", step(desk.unschedule)),
        _stepping("cancel", "Cancel a mail campaign", step(desk.cancel)),
        _stepping("pause", "Pause a mail campaign", step(desk.pause)),
        _stepping("resume", "Let a paused mail campaign go on", step(desk.resume), _MAY_SEND),
        Endpoint(
            method="POST",
            path="/mail-campaigns/{id}/doubts",
            summary="Settle mails of which nobody knows whether they went",
            tag=TAG,
            handler=settled,
            roles=MANAGERS,
            body=DoubtBody,
            answer=DoubtView,
            segments={"id": ID},
            refusals=(Refusal.CAMPAIGN_STATE,),
            description="Which they are: `GET /mail-campaigns/{id}/sends?state=held`.",
        ),
        Endpoint(
            method="POST",
            path="/mail-campaigns/{id}/resend",
            summary="Draft the same for those whom it did not reach",
            tag=TAG,
            handler=resent,
            roles=MANAGERS,
            body=ResendBody,
            answer=ResentView,
            status=201,
            segments={"id": ID},
            refusals=(*PLAN, Refusal.CAMPAIGN_STATE, Refusal.CONTENT_GONE),
            description="Those are whose mail failed, came back, or was cancelled with the "
            "campaign, so that a mistaken `cancel` can be made good; nobody who may have it "
            "already, and nobody who stopped. Whom it had not come to write down yet "
            "(`recipients`) is not among them.",
        ),
    ]


def _stepping(
    verb: str, summary: str, handler: Callable[..., Any], refusals: tuple[Refusal, ...] = ()
) -> Endpoint:
    return Endpoint(
        method="POST",
        path=f"/mail-campaigns/{{id}}/{verb}",
        summary=summary,
        tag=TAG,
        handler=handler,
        roles=MANAGERS,
        answer=CampaignView,
        segments={"id": ID},
        refusals=(Refusal.CAMPAIGN_STATE, *refusals),
    )
