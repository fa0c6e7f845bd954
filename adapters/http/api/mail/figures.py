"""What became of a campaign's mails: figures, each mail, and the log of what came back."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, AdvertiserId, Endpoint, Listing, Order, Page, Query
from adapters.http.api.mail.base import TAG, Mail, instant, is_masked, shown_address
from adapters.http.api.mail.campaigns import campaign_of
from adapters.http.api.mail.plans import CampaignId
from gateway.domain.mail.campaigns import SendState
from gateway.domain.mail.lists import MailList
from gateway.errors import Refusal
from gateway.ports.mail.campaigns import Bounce, Send
from gateway.usecases.views import Instant, written


class SendQuery(Listing, frozen=True):
    """Which mails are listed."""

    state: SendState | None = None


class BounceQuery(Listing, frozen=True):
    """Which of the log is listed."""

    advertiser: AdvertiserId | None = None
    campaign: CampaignId | None = None
    order: Order = "asc"


class FiguresView(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a campaign. `queued` to `held` add up to its recipients."""

    queued: int
    attempting: int
    sent: Annotated[int, Meta(description="A server took them.")]
    deferred: Annotated[int, Meta(description="A server asked for another time.")]
    failed: int
    suppressed: Annotated[int, Meta(description="They stopped, or are paused or gone.")]
    canceled: int
    held: Annotated[int, Meta(description="Nobody knows whether they went.")]
    delivered: Annotated[
        int, Meta(description="Sent, less what bounced; final once the campaign is settled.")
    ]
    bounced: Annotated[int, Meta(description="Of those that were sent.")]
    bounced_by_class: dict[str, int]
    failed_by_class: dict[str, int]
    tries: int
    complaints: int
    stops: Annotated[int, Meta(description="People who stopped because of it.")]
    clicks: int
    clickers: Annotated[int, Meta(description="People who followed a link.")]
    opens_unreliable: Annotated[
        int,
        Meta(
            description="Pictures that were fetched. Programs fetch them unasked, and many people "
            "never do: it tells next to nothing of who read it."
        ),
    ]
    openers_unreliable: int


class SendView(msgspec.Struct, frozen=True):
    """What became of one recipient's mail."""

    recipient: str
    address: Annotated[str, Meta(description="Masked where the contract asks; empty: deleted.")]
    state: SendState
    attempts: int
    first_at: Instant | None
    at: Instant | None
    due_at: Annotated[Instant | None, Meta(description="When it is tried next.")]
    code: Annotated[int, Meta(description="Of the server's last answer; 0: none.")]
    bounce_class: str
    text: Annotated[str, Meta(description="What the server said, addresses masked likewise.")]


class BounceView(msgspec.Struct, frozen=True):
    """Something that came back about a mail."""

    id: str
    list: str
    campaign: Annotated[str | None, Meta(description="Null: a sign-up's confirmation.")]
    recipient: str
    address: str
    at: Instant
    source: Literal["smtp", "report", "text", "complaint"]
    bounce_class: str
    action: str
    code: int
    status: str
    text: str


def endpoints(mail: Mail) -> list[Endpoint]:
    """The calls of the API that tell what became of mails."""

    def masks(ask: Ask[Any, Any], list_: str) -> bool:
        found = mail.held(MailList).get(list_)
        return is_masked(ask, found if isinstance(found, MailList) else None)

    async def figures(ask: Ask[Query, None]) -> FiguresView:
        campaign = await campaign_of(ask, mail)
        return _figures(await ask.read(mail.campaigns.figures, ask.scope, campaign.id))

    async def sends(ask: Ask[SendQuery, None]) -> Page[SendView]:
        campaign, after = await campaign_of(ask, mail), ask.after(int)
        masked = masks(ask, campaign.list)
        found = await ask.read(
            mail.campaigns.sends,
            ask.scope,
            campaign.id,
            state=ask.query.state,
            after=int(after[0]) if after else 0,
            limit=ask.query.limit + 1,
        )
        return ask.page(
            found,
            lambda row: (row[0].recipient,),
            lambda row: _send(ask, row[0], row[1], masked=masked),
        )

    async def bounces(ask: Ask[BounceQuery, None]) -> Page[BounceView]:
        query, after = ask.query, ask.after(int)
        found = await ask.read(
            mail.campaigns.bounces,
            ask.narrowed(query.advertiser),
            campaign=int(query.campaign) if query.campaign else None,
            after=int(after[0]) if after else 0,
            limit=query.limit + 1,
            newest_first=query.order == "desc",
        )
        return ask.page(
            found,
            lambda row: (row[0].id,),
            lambda row: _bounce(ask, row[0], row[1], masked=masks(ask, row[0].list)),
        )

    return [
        Endpoint(
            method="GET",
            path="/mail-campaigns/{id}/figures",
            summary="Read a mail campaign's figures",
            tag=TAG,
            handler=figures,
            answer=FiguresView,
            segments={"id": ID},
        ),
        Endpoint(
            method="GET",
            path="/mail-campaigns/{id}/sends",
            summary="List what became of each mail",
            tag=TAG,
            handler=sends,
            query=SendQuery,
            answer=Page[SendView],
            segments={"id": ID},
        ),
        Endpoint(
            method="GET",
            path="/mail-bounces",
            summary="List what came back",
            description="Oldest first, or newest first with `order=desc`.",
            tag=TAG,
            handler=bounces,
            query=BounceQuery,
            answer=Page[BounceView],
            refusals=(Refusal.OUT_OF_SCOPE,),
        ),
    ]


def _figures(counts: Mapping[str, int]) -> FiguresView:
    bounced = _by_class(counts, "bounced:")
    total = sum(bounced.values())

    def count(name: str) -> int:
        return counts.get(name, 0)

    return FiguresView(
        queued=count("queued"),
        attempting=count("attempting"),
        sent=count("sent"),
        deferred=count("deferred"),
        failed=count("failed"),
        suppressed=count("suppressed"),
        canceled=count("canceled"),
        held=count("held"),
        delivered=max(0, count("sent") - total),
        bounced=total,
        bounced_by_class=bounced,
        failed_by_class=_by_class(counts, "failed:"),
        tries=count("tries"),
        complaints=count("complaint"),
        stops=count("stop"),
        clicks=count("click"),
        clickers=count("clickers"),
        opens_unreliable=count("open"),
        openers_unreliable=count("openers"),
    )


def _by_class(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {
        name.removeprefix(prefix): amount
        for name, amount in sorted(counts.items())
        if name.startswith(prefix) and amount
    }


def _send(ask: Ask[Any, Any], send: Send, address: str, *, masked: bool) -> SendView:
    return SendView(
        recipient=str(send.recipient),
        address=shown_address(address, masked=masked),
        state=send.state,
        attempts=send.attempts,
        first_at=instant(ask, send.first_at),
        at=instant(ask, send.at),
        due_at=instant(ask, send.due_at or 0),
        code=send.code,
        bounce_class=send.bounce_class,
        text=send.text,
    )


def _bounce(ask: Ask[Any, Any], bounce: Bounce, address: str, *, masked: bool) -> BounceView:
    return BounceView(
        id=str(bounce.id),
        list=bounce.list,
        campaign=str(bounce.campaign) if bounce.campaign else None,
        recipient=str(bounce.recipient),
        address=shown_address(address, masked=masked),
        at=written(bounce.at, ask.wiring.zone),
        source=bounce.source,
        bounce_class=bounce.bounce_class,
        action=bounce.action,
        code=bounce.code,
        status=bounce.status,
        text=bounce.text,
    )
