"""Shop cards: codes for the counter, who holds what, points by hand."""

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http import qr
from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, AdvertiserId, Body, Endpoint, Listing, Page, Query
from gateway.domain.access import MANAGERS, STAFF
from gateway.domain.cards import Card, Entry, How, ShopCard, State
from gateway.domain.effects import NEVER
from gateway.domain.line.channel import Channel
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.cards import CardReading, CardRecord, Holding
from gateway.usecases.card_codes import Issue, Issued, Print, issue, print_code
from gateway.usecases.card_desk import ByHand, Undoing, give_by_hand, take_back
from gateway.usecases.card_points import IDS_A_SCAN, MOST_AT_ONCE, Scanned
from gateway.usecases.views import Instant, written

_TAG = "cards"


class CardQuery(Listing, frozen=True):
    """Which cards are listed."""

    advertiser: AdvertiserId | None = None


class ShopCardView(msgspec.Struct, frozen=True):
    """A shop card (ショップカード) with its figures."""

    id: str
    advertiser: str
    channel: str
    title: str
    points: Annotated[int, Meta(description="How many fill it.")]
    next: Annotated[str, Meta(description="What is handed on after it: `same`, or an id.")]
    printed: Annotated[bool, Meta(description="Whether a printed code gives points, too.")]
    holders: Annotated[int, Meta(description="Friends who have, or had, one.")]
    active: int
    full: int
    expired: int
    points_given: Annotated[int, Meta(description="Less those that were taken back.")]
    owed: Annotated[
        int,
        Meta(description="Rewards whose coupon is not handed out yet, mostly for want of any."),
    ]


class HolderView(msgspec.Struct, frozen=True):
    """What one friend holds."""

    id: str
    card: Annotated[str, Meta(description="The card that the shop's codes are of.")]
    kind: Annotated[str, Meta(description="That card, or the one that was handed on after it.")]
    channel: str
    friend: str
    name: Annotated[
        str | None, Meta(description="Of the friend; null where unknown, and for `viewer`.")
    ]
    number: Annotated[int, Meta(description="The friend's first one is 1.")]
    state: State
    points: int
    started_at: Instant
    last_at: Instant
    expires_at: Instant | None


class EntryView(msgspec.Struct, frozen=True):
    """A line of the ledger; a card's points are the sum of its lines."""

    id: str
    holding: Annotated[str, Meta(description="The id of the card that it is on.")]
    points: int
    at: Instant
    how: How


class CodeBody(Body, frozen=True):
    """What the code is to be."""

    counter: Annotated[
        str, Meta(pattern="^[A-Za-z0-9_-]{0,20}$", description="Which counter shows it.")
    ] = ""
    points: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)] = 1
    seconds: Annotated[int, Meta(ge=10, le=300, description="How long it is good for.")] = 60


class CodeView(msgspec.Struct, frozen=True):
    """A code to be scanned."""

    title: Annotated[str, Meta(description="Of the card.")]
    shop: Annotated[str, Meta(description="What the shop calls itself.")]
    token: str
    url: Annotated[str, Meta(description="What the QR code says.")]
    svg: Annotated[str, Meta(description="The QR code as a `data:` address of an image.")]
    expires_at: Annotated[Instant | None, Meta(description="null: never.")]


class PointsBody(Body, frozen=True):
    """Points that are given by hand."""

    points: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)]
    reason: Annotated[str, Meta(max_length=200, description="For the audit.")] = ""


class PrizeView(msgspec.Struct, frozen=True):
    """A reward that was earned."""

    at: Annotated[int, Meta(description="The point that earned it.")]
    text: str
    url: Annotated[str | None, Meta(description="The page of its coupon.")]
    owed: Annotated[
        bool,
        Meta(description="Whether there is no coupon to be had now: it comes with later points."),
    ]


class PointsView(msgspec.Struct, frozen=True):
    """A card after points came on it, or went."""

    holding: str
    title: str
    state: State
    points: int
    size: Annotated[int, Meta(description="How many points fill it.")]
    prizes: list[PrizeView]


def endpoints(reader: CardReading) -> list[Endpoint]:
    """The calls of the API that tell of shop cards."""

    async def listed(ask: Ask[CardQuery, None]) -> Page[ShopCardView]:
        scope = ask.narrowed(ask.query.advertiser)
        after = ask.after(str)
        found = await ask.read(
            reader.cards, scope, after=str(after[0]) if after else "", limit=ask.query.limit + 1
        )
        return ask.page(found, lambda record: (record.card.id,), _card)

    async def held(ask: Ask[Listing, None]) -> Page[HolderView]:
        record = await _record(ask, reader)
        after = ask.after(int)
        found = await ask.read(
            reader.holders,
            ask.scope,
            record.card.id,
            after=after and after[0],
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda each: (each.card.friend,), lambda each: _holder(ask, each))

    async def of_friend(ask: Ask[Listing, None]) -> Page[HolderView]:
        friend, before = ask.id(), ask.after(int)
        if not await ask.read(reader.has_friend, ask.scope, friend):
            raise Refused(Refusal.NOT_FOUND)
        found = await ask.read(
            reader.of_friend,
            ask.scope,
            friend,
            before=before and before[0],
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda card: (card.id,), lambda c: _holder(ask, Holding(c, "")))

    async def history(ask: Ask[Listing, None]) -> Page[EntryView]:
        record = await _record(ask, reader)
        friend, after = ask.id("friend"), ask.after(int)
        if not await ask.read(reader.has_friend, ask.scope, friend):
            raise Refused(Refusal.NOT_FOUND)
        found = await ask.read(
            reader.history,
            ask.scope,
            record.card.id,
            friend,
            after=after and after[0],
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda entry: (entry.id,), lambda entry: _entry(ask, entry))

    async def coded(ask: Ask[Query, CodeBody]) -> Answer:
        body = ask.body
        asked = Issue(
            scope=ask.scope,
            card=ask.parameters["id"],
            counter=body.counter,
            points=body.points,
            seconds=body.seconds,
            at=ask.now,
            seed=ask.seed(),
        )
        return await _drawn(ask, await ask.write(issue, asked, lambda issued: issued))

    async def printed(ask: Ask[Query, None]) -> CodeView:
        asked = Print(ask.scope, ask.parameters["id"], ask.seed())
        return await _code(ask, await ask.wiring.store.run(print_code, asked))

    async def given(ask: Ask[Query, PointsBody]) -> Answer:
        asked = ByHand(
            scope=ask.scope,
            card=ask.parameters["id"],
            friend=ask.id("friend"),
            points=ask.body.points,
            reason=ask.body.reason,
            by=ask.access,
            at=ask.now,
            seed=ask.seed(IDS_A_SCAN),
        )
        return await ask.write(give_by_hand, asked, _points)

    async def undone(ask: Ask[Query, None]) -> Answer:
        asked = Undoing(
            scope=ask.scope,
            card=ask.parameters["id"],
            friend=ask.id("friend"),
            entry=ask.id("entry"),
            by=ask.access,
            at=ask.now,
            seed=ask.seed(1),
        )
        return await ask.write(take_back, asked, _points)

    return [
        Endpoint(
            method="GET",
            path="/cards",
            summary="List shop cards",
            tag=_TAG,
            handler=listed,
            query=CardQuery,
            answer=Page[ShopCardView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="By id. What a card is stands in the provisioning files.",
        ),
        Endpoint(
            method="GET",
            path="/cards/{id}/holders",
            summary="List a card's holders",
            tag=_TAG,
            handler=held,
            query=Listing,
            answer=Page[HolderView],
            description="Each friend's latest card, the friends in the order in which they came.",
        ),
        Endpoint(
            method="GET",
            path="/friends/{id}/cards",
            summary="List a friend's cards",
            tag=_TAG,
            handler=of_friend,
            query=Listing,
            answer=Page[HolderView],
            segments={"id": ID},
            description="All that the friend has or had, the newest first.",
        ),
        Endpoint(
            method="GET",
            path="/cards/{id}/holders/{friend}/points",
            summary="List a friend's points",
            tag=_TAG,
            handler=history,
            query=Listing,
            answer=Page[EntryView],
            segments={"friend": ID},
            description="The ledger, oldest first. A card's points are the sum of its lines.",
        ),
        Endpoint(
            method="POST",
            path="/cards/{id}/codes",
            summary="Make a code for the counter's screen",
            tag=_TAG,
            handler=coded,
            roles=STAFF,
            body=CodeBody,
            answer=CodeView,
            status=201,
            description="Signed, good for seconds, and for one scan. Make a new one for each "
            "customer, or every few seconds.",
        ),
        Endpoint(
            method="GET",
            path="/cards/{id}/printed",
            summary="Read the code to be printed",
            tag=_TAG,
            handler=printed,
            roles=MANAGERS,
            answer=CodeView,
            description="Weaker than a screen: whoever has a picture of it has the code. So it "
            "takes the shop's PIN, typed by staff on the customer's phone, gives a friend points "
            "once a day, and all together no more than its daily limit.",
        ),
        Endpoint(
            method="POST",
            path="/cards/{id}/holders/{friend}/points",
            summary="Give points by hand",
            tag=_TAG,
            handler=given,
            roles=STAFF,
            body=PointsBody,
            answer=PointsView,
            segments={"friend": ID},
            refusals=(Refusal.CARD_FULL,),
            description="No limit of visits holds. The audit keeps who did it.",
        ),
        Endpoint(
            method="POST",
            path="/cards/{id}/holders/{friend}/points/{entry}/undo",
            summary="Take points back",
            tag=_TAG,
            handler=undone,
            roles=MANAGERS,
            answer=PointsView,
            segments={"friend": ID, "entry": ID},
            refusals=(Refusal.ALREADY_UNDONE, Refusal.CARD_EXPIRED, Refusal.CARD_FULL),
            description="A line of the card that the friend holds now, once. Rewards that were "
            "earned stay. The friend may scan again. The audit keeps who did it.",
        ),
    ]


async def _record(ask: Ask[Any, Any], reader: CardReading) -> CardRecord:
    record = await ask.read(reader.card, ask.scope, ask.parameters["id"])
    if record is None:
        raise Refused(Refusal.NOT_FOUND)
    return record


async def _drawn(ask: Ask[Any, Any], written_: Answer) -> Answer:
    """The answer with its picture, which is not made in the store's thread."""
    issued = msgspec.json.decode(written_.body, type=Issued)
    return ask.answer(msgspec.json.encode(await _code(ask, issued)))


async def _code(ask: Ask[Any, Any], issued: Issued) -> CodeView:
    svg = await asyncio.to_thread(qr.data_uri, issued.url)
    expires_at = written(issued.expires_at, ask.wiring.zone) if issued.expires_at else None
    card = ask.wiring.store.entity(ShopCard, ask.parameters["id"])
    channel = ask.wiring.store.entity(Channel, card.channel) if card else None
    return CodeView(
        title=card.title if card else "",
        shop=channel.shop if channel else "",
        token=issued.token,
        url=issued.url,
        svg=svg,
        expires_at=expires_at,
    )


def _card(record: CardRecord) -> ShopCardView:
    card, figures = record.card, record.figures
    return ShopCardView(
        id=card.id,
        advertiser=card.advertiser,
        channel=card.channel,
        title=card.title,
        points=card.points,
        next=card.next,
        printed=card.printed,
        holders=figures.holders,
        active=figures.active,
        full=figures.full,
        expired=figures.expired,
        points_given=figures.points,
        owed=figures.owed,
    )


def _holder(ask: Ask[Any, Any], holding: Holding) -> HolderView:
    card, zone = holding.card, ask.wiring.zone
    return HolderView(
        id=str(card.id),
        card=card.root,
        kind=card.card,
        channel=card.channel,
        friend=str(card.friend),
        name=(holding.name or None) if ask.access.sees_callers else None,
        number=card.number,
        state=_state(card, ask.now),
        points=card.points,
        started_at=written(card.started_at, zone),
        last_at=written(card.last_at, zone),
        expires_at=None if card.expires_at == NEVER else written(card.expires_at, zone),
    )


def _state(card: Card, now: int) -> State:
    """As a visit would find it, before the clean-up has."""
    return "expired" if card.state == "active" and card.expires_at <= now else card.state


def _entry(ask: Ask[Any, Any], entry: Entry) -> EntryView:
    at = written(entry.at, ask.wiring.zone)
    return EntryView(str(entry.id), str(entry.card_id), entry.points, at, entry.how)


def _points(scanned: Scanned) -> PointsView:
    stand = scanned.stand
    assert stand is not None  # noqa: S101 - points by hand are on a card
    prizes = [
        PrizeView(prize.at, prize.text, prize.url or None, prize.is_owed)
        for prize in scanned.prizes
    ]
    card = stand.card
    return PointsView(str(card.id), stand.title, card.state, card.points, stand.size, prizes)
