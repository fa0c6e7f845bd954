"""Coupons: what was handed out, what became of it, and the stamp of staff."""

from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, AdvertiserId, Endpoint, Listing, Page, Query
from gateway.domain.access import MANAGERS, STAFF
from gateway.domain.coupons.platform import Held
from gateway.domain.coupons.platform import State as PlatformState
from gateway.domain.coupons.tickets import State, Ticket
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.coupons import CouponReading, CouponRecord
from gateway.usecases.coupons import (
    Correction,
    StaffStamp,
    count_refusal,
    stamp_by_staff,
    undo,
    void,
)
from gateway.usecases.views import Instant, written

_TAG = "coupons"

_STATES: tuple[State, ...] = get_args(State)

_STAMP_REFUSALS = (
    Refusal.COUPON_USED,
    Refusal.COUPON_EXPIRED,
    Refusal.COUPON_VOID,
    Refusal.COUPON_STAMPED_OTHERWISE,
)


class CouponQuery(Listing, frozen=True):
    """Which coupons are listed."""

    advertiser: AdvertiserId | None = None


class TicketQuery(Listing, frozen=True):
    """Which tickets are listed."""

    state: State | None = None


class PlatformView(msgspec.Struct, frozen=True):
    """LINE's own coupon on one channel."""

    channel: str
    state: PlatformState
    coupon_id: Annotated[str | None, Meta(description="LINE's id of it.")]
    error: Annotated[str | None, Meta(description="Why LINE refused it.")]


class CouponView(msgspec.Struct, frozen=True):
    """A coupon with its figures."""

    id: str
    advertiser: str
    kind: Annotated[str, Meta(description="`own`, or `line`: LINE's own.")]
    title: str
    starts: Instant
    ends: Instant
    per_friend: int
    total: int | None
    campaign: str | None
    probability: Annotated[int | None, Meta(description="Of a lottery: per cent that win.")]
    tickets: Annotated[
        dict[str, int],
        Meta(
            description="How many are in which state; `lost` are blanks, `sent` are LINE's own, "
            "of whose use nobody tells."
        ),
    ]
    uses: Annotated[int, Meta(description="Stamps that were not undone.")]
    platform: list[PlatformView]


class TicketView(msgspec.Struct, frozen=True):
    """What one friend holds of a coupon."""

    id: str
    coupon: str
    advertiser: str
    channel: str
    friend: str
    code: Annotated[str, Meta(description="What stands on its page.", examples=["7Q2-M0K-XA9"])]
    state: State
    issued_at: Instant
    expires_at: Instant
    luck: Annotated[
        int | None,
        Meta(description="What was drawn, 0 to 99; it won if below the coupon's probability."),
    ]
    uses: int
    used_at: Instant | None
    used_by: Annotated[str | None, Meta(description="`pin`, or the API's token that stamped it.")]


def endpoints(reader: CouponReading) -> list[Endpoint]:
    """The calls of the API that tell of coupons."""

    async def listed(ask: Ask[CouponQuery, None]) -> Page[CouponView]:
        scope = ask.narrowed(ask.query.advertiser)
        after = ask.after(str)
        found = await ask.read(
            reader.coupons, scope, after=str(after[0]) if after else "", limit=ask.query.limit + 1
        )
        return ask.page(found, lambda record: (record.coupon.id,), lambda r: _coupon(ask, r))

    async def shown(ask: Ask[Query, None]) -> CouponView:
        return _coupon(ask, await _record(ask, reader))

    async def tickets(ask: Ask[TicketQuery, None]) -> Page[TicketView]:
        record = await _record(ask, reader)
        return await _tickets(ask, reader, coupon=record.coupon.id)

    async def of_friend(ask: Ask[TicketQuery, None]) -> Page[TicketView]:
        friend = ask.id()
        if not await ask.read(reader.has_friend, ask.scope, friend):
            raise Refused(Refusal.NOT_FOUND)
        return await _tickets(ask, reader, friend=friend)

    async def stamped(ask: Ask[Query, None]) -> Answer:
        asked = StaffStamp(ask.scope, ask.parameters["token"], ask.access.actor, ask.now)
        try:
            return await ask.write(stamp_by_staff, asked, lambda ticket: _ticket(ask, ticket))
        except Refused as refused:
            if refused.reason in _STAMP_REFUSALS:
                await ask.wiring.store.run(count_refusal, asked)
            raise

    async def undone(ask: Ask[Query, None]) -> Answer:
        return await ask.write(undo, _correction(ask), lambda ticket: _ticket(ask, ticket))

    async def voided(ask: Ask[Query, None]) -> Answer:
        return await ask.write(void, _correction(ask), lambda ticket: _ticket(ask, ticket))

    return [
        Endpoint(
            method="GET",
            path="/coupons",
            summary="List coupons",
            tag=_TAG,
            handler=listed,
            query=CouponQuery,
            answer=Page[CouponView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="By id. What a coupon is stands in the provisioning files.",
        ),
        Endpoint(
            method="GET",
            path="/coupons/{id}",
            summary="Read a coupon",
            tag=_TAG,
            handler=shown,
            answer=CouponView,
        ),
        Endpoint(
            method="GET",
            path="/coupons/{id}/tickets",
            summary="List a coupon's tickets",
            tag=_TAG,
            handler=tickets,
            query=TicketQuery,
            answer=Page[TicketView],
            description="Oldest first; blanks of a lottery among them.",
        ),
        Endpoint(
            method="GET",
            path="/friends/{id}/coupons",
            summary="List a friend's tickets",
            tag=_TAG,
            handler=of_friend,
            query=TicketQuery,
            answer=Page[TicketView],
            segments={"id": ID},
        ),
        Endpoint(
            method="POST",
            path="/coupons/tickets/{token}/stamp",
            summary="Stamp a ticket",
            tag=_TAG,
            handler=stamped,
            roles=STAFF,
            answer=TicketView,
            refusals=_STAMP_REFUSALS,
            description="`token` is the last part of the address in the ticket's QR code, or the "
            "code that stands above it. A ticket is stamped once, however many ask at once.",
        ),
        Endpoint(
            method="POST",
            path="/coupons/tickets/{id}/undo",
            summary="Take a stamp back",
            tag=_TAG,
            handler=undone,
            roles=MANAGERS,
            answer=TicketView,
            segments={"id": ID},
            refusals=(Refusal.COUPON_NOT_STAMPED,),
            description="The ticket can be used again, until its end. The audit keeps who did it.",
        ),
        Endpoint(
            method="POST",
            path="/coupons/tickets/{id}/void",
            summary="Take a ticket back",
            tag=_TAG,
            handler=voided,
            roles=MANAGERS,
            answer=TicketView,
            segments={"id": ID},
            refusals=(Refusal.COUPON_VOID,),
            description="It does not count against the coupon's limits any more. The audit keeps "
            "who did it.",
        ),
    ]


def _correction(ask: Ask[Any, Any]) -> Correction:
    return Correction(ask.scope, ask.id(), ask.access.actor, ask.now)


async def _record(ask: Ask[Any, Any], reader: CouponReading) -> CouponRecord:
    record = await ask.read(reader.coupon, ask.scope, ask.parameters["id"])
    if record is None:
        raise Refused(Refusal.NOT_FOUND)
    return record


async def _tickets(
    ask: Ask[TicketQuery, None], reader: CouponReading, **whose: Any
) -> Page[TicketView]:
    after = ask.after(int)
    found = await ask.read(
        reader.tickets,
        ask.scope,
        **whose,
        state=ask.query.state,
        after=after[0] if after else -1,
        limit=ask.query.limit + 1,
    )
    return ask.page(found, lambda ticket: (ticket.id,), lambda ticket: _ticket(ask, ticket))


def _coupon(ask: Ask[Any, Any], record: CouponRecord) -> CouponView:
    coupon, zone = record.coupon, ask.wiring.zone
    return CouponView(
        id=coupon.id,
        advertiser=coupon.advertiser,
        kind=coupon.kind,
        title=coupon.title,
        starts=written(coupon.starts, zone),
        ends=written(coupon.ends, zone),
        per_friend=coupon.per_friend,
        total=coupon.total,
        campaign=coupon.campaign or None,
        probability=coupon.lottery.probability if coupon.lottery else None,
        tickets={state: record.tickets.get(state, 0) for state in _STATES},
        uses=record.uses,
        platform=[_platform(held) for held in record.platform],
    )


def _platform(held: Held) -> PlatformView:
    return PlatformView(held.channel, held.state, held.platform_id or None, held.error or None)


def _ticket(ask: Ask[Any, Any], ticket: Ticket) -> TicketView:
    zone = ask.wiring.zone
    return TicketView(
        id=str(ticket.id),
        coupon=ticket.coupon,
        advertiser=ticket.advertiser,
        channel=ticket.channel,
        friend=str(ticket.friend),
        code=ticket.code,
        state=ticket.state,
        issued_at=written(ticket.issued_at, zone),
        expires_at=written(ticket.expires_at, zone),
        luck=ticket.luck,
        uses=ticket.uses,
        used_at=written(ticket.used_at, zone) if ticket.used_at else None,
        used_by=ticket.used_by or None,
    )
