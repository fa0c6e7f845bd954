"""Shop cards: a scan gives points once, and to friends alone."""

import unicodedata
from collections.abc import Sequence
from hmac import compare_digest

import msgspec

from gateway.domain.cards import Code, Grant, ShopCard, day_of
from gateway.domain.cards.messages import card_message
from gateway.domain.line.channel import Channel, Message
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, Counted, Draw, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.cards import Scan
from gateway.usecases.card_codes import page_of
from gateway.usecases.card_points import IDS_A_SCAN, Scanned, give, shop, stand_of

WRONG_PINS = 5
"""After so many wrong PINs in a day nobody gets points by the printed code on that phone."""

WRONG_PINS_OF_ALL = 50
"""After so many of all phones together nobody gets any that day: a PIN cannot be searched for."""

_MOST_PIN = 40


def refused(advertiser: str, refusal: Refusal) -> Counted:
    """The fact that a scan of an advertiser's card gave nothing."""
    return Counted(advertiser, "card_refusals_total", (refusal,))


# --- scans ---


class Scanning(msgspec.Struct, frozen=True):
    """A code whose signature was found right, and who the platform says scanned it."""

    code: Code
    user: str
    pin: str
    at: int
    seed: Seed
    """With :data:`IDS_A_SCAN` ids."""


def scan(tx: Transaction, scanning: Scanning) -> tuple[Scanned, Sequence[Fact]]:
    """Give the points of a code, or say why not; what is refused leaves the code unspent.

    Raises:
        Refused: the card is not provisioned any more, or the code is not one that gives points.
    """
    code, at = scanning.code, scanning.at
    if code.kind == "view":
        raise Refused(Refusal.NOT_FOUND, "this code only shows a card")
    draw = scanning.seed.draw()
    root, channel = shop(tx, EVERYBODY, code.card)
    friend = tx.line.friend(EVERYBODY, channel.id, scanning.user)
    is_screen = code.kind == "screen"
    spent = tx.card_codes.scan(EVERYBODY, code.nonce) if is_screen else None
    if spent is not None:
        return _again(tx, root, friend, spent, scanning.user)
    refusal = _expired(code, at) if is_screen else _printed(tx, root, scanning)
    if refusal is not None:
        return _refused(tx, root, refusal, friend)
    record = Scan(
        nonce=code.nonce if is_screen else draw.token(),
        advertiser=root.advertiser,
        channel=channel.id,
        user=scanning.user,
        card=root.id,
        how="qr" if is_screen else "printed",
        points=code.points if is_screen else 1,
        at=at,
        state="given",
        first_id=scanning.seed.first_id,
    )
    if friend is None or not friend.can_receive:
        return _wait(tx, root, record)
    result = give(tx, channel, root, friend, _grant(record, at), draw)
    if isinstance(result, Refusal):
        return _refused(tx, root, result, friend)
    _spend(tx, record)
    return result


def _grant(record: Scan, at: int) -> Grant:
    return Grant(record.points, record.how, record.nonce, at)


def _spend(tx: Transaction, record: Scan) -> None:
    tx.card_codes.spend(EVERYBODY, record)
    if record.how == "printed":
        of = (record.advertiser, record.card, "", day_of(record.at))
        tx.card_codes.count(EVERYBODY, of, printed=record.points)


def _expired(code: Code, at: int) -> Refusal | None:
    return Refusal.CODE_EXPIRED if code.expires_at <= at else None


def _printed(tx: Transaction, root: ShopCard, scanning: Scanning) -> Refusal | None:
    """Why a printed code gives nothing now; a wrong PIN is kept."""
    if not root.printed:
        return Refusal.CODE_EXPIRED
    day = day_of(scanning.at)
    of_all = (root.advertiser, root.id, "", day)
    of_one = (root.advertiser, root.id, scanning.user, day)
    together = tx.card_codes.count(EVERYBODY, of_all)
    if (
        together.wrong >= WRONG_PINS_OF_ALL
        or tx.card_codes.count(EVERYBODY, of_one).wrong >= WRONG_PINS
    ):
        return Refusal.PIN_LOCKED
    if not _is_pin(root, scanning.pin):
        tx.card_codes.count(EVERYBODY, of_all, wrong=1)
        tx.card_codes.count(EVERYBODY, of_one, wrong=1)
        return Refusal.PIN_WRONG
    return Refusal.PRINTED_LIMIT if together.printed >= root.printed_a_day else None


def _is_pin(root: ShopCard, given: str) -> bool:
    if not root.pin_secret or len(given) > _MOST_PIN:
        return False
    # Japanese keyboards write digits in full width, too.
    typed = unicodedata.normalize("NFKC", given).strip()
    return compare_digest(typed.encode(errors="replace"), root.pin_secret.encode())


def _again(
    tx: Transaction, root: ShopCard, friend: Friend | None, spent: Scan, user: str
) -> tuple[Scanned, Sequence[Fact]]:
    """A code that was spent before; whoever spent it is shown their card."""
    if spent.user != user:
        return _refused(tx, root, Refusal.CODE_USED, None)
    if spent.state == "pending":
        return Scanned(pending=True), [refused(root.advertiser, Refusal.NOT_FRIEND)]
    return _refused(tx, root, Refusal.CODE_USED, friend)


def _wait(tx: Transaction, root: ShopCard, record: Scan) -> tuple[Scanned, Sequence[Fact]]:
    """Keep the points of somebody who is no friend yet, once a day."""
    facts: list[Fact] = [refused(root.advertiser, Refusal.NOT_FRIEND)]
    for earlier in tx.card_codes.pending(EVERYBODY, record.channel, record.user):
        if earlier.card == record.card and day_of(earlier.at) == day_of(record.at):
            return Scanned(pending=True), facts
    _spend(tx, msgspec.structs.replace(record, state="pending"))
    return Scanned(pending=True), facts


def _refused(
    tx: Transaction, root: ShopCard, refusal: Refusal, friend: Friend | None
) -> tuple[Scanned, Sequence[Fact]]:
    stand = stand_of(tx, root, friend) if friend else None
    return Scanned(refusal=refusal, stand=stand), [refused(root.advertiser, refusal)]


# --- scanners who become friends ---


def befriended(
    tx: Transaction, channel: Channel, friend: Friend, draw: Draw, now: int
) -> list[Fact]:
    """Give what was scanned before the friendship, the same day; nobody is shown it."""
    return _befriended(tx, channel, friend, draw, now, is_shown=False)[1]


def _befriended(
    tx: Transaction, channel: Channel, friend: Friend, draw: Draw, now: int, *, is_shown: bool
) -> tuple[Scanned, list[Fact]]:
    scanned, facts = Scanned(pending=True), list[Fact]()
    for record in tx.card_codes.pending(EVERYBODY, channel.id, friend.user):
        root = tx.entities.find(EVERYBODY, ShopCard, record.card)
        if root is None or day_of(record.at) != day_of(now):
            tx.card_codes.settle(EVERYBODY, record.nonce, "lapsed")
            continue
        # Its ids were set aside when it was scanned: a follow has few of its own.
        own = Seed(record.first_id, IDS_A_SCAN, draw.token().encode()).draw()
        grant = _grant(record, now)
        result = give(tx, channel, root, friend, grant, own, is_shown=is_shown)
        if isinstance(result, Refusal):
            tx.card_codes.settle(EVERYBODY, record.nonce, "lapsed")
            scanned, more = _refused(tx, root, result, friend)
        else:
            tx.card_codes.settle(EVERYBODY, record.nonce, "given")
            scanned, more = result
        facts += more
    return scanned, facts


class Befriending(msgspec.Struct, frozen=True):
    """The platform's word, asked for, that a scanner is a friend of a channel."""

    channel: str
    user: str
    name: str
    picture_url: str
    language: str
    at: int
    seed: Seed
    """With one id."""


def confirm(tx: Transaction, befriending: Befriending) -> tuple[Scanned, Sequence[Fact]]:
    """Take somebody for a friend whose follow came before we listened, and give what waits."""
    channel = tx.entities.find(EVERYBODY, Channel, befriending.channel)
    if channel is None:
        raise Refused(Refusal.NOT_FOUND)
    at, draw = befriending.at, befriending.seed.draw()
    friend = tx.line.friend(EVERYBODY, channel.id, befriending.user) or Friend(
        channel=channel.id,
        user=befriending.user,
        id=draw.id(),
        advertiser=channel.advertiser,
        first_at=at,
    )
    if not friend.can_receive:
        friend = msgspec.structs.replace(
            friend,
            followed_at=at,
            name=befriending.name,
            picture_url=befriending.picture_url,
            language=befriending.language,
        )
        tx.line.save(EVERYBODY, friend)
    return _befriended(tx, channel, friend, draw, at, is_shown=True)


# --- for messages ---


def offer(
    tx: Transaction, channel: Channel, friend: Friend, card_id: str, draw: Draw, now: int
) -> tuple[list[Message], list[Fact]]:
    """What takes the place of ``{type = "card"}``: how the friend's card stands, with its page."""
    root = tx.entities.find(EVERYBODY, ShopCard, card_id)
    if root is None or root.channel != channel.id or friend.is_group:
        return [], []
    stand = stand_of(tx, root, friend)
    url = page_of(tx, root, friend, draw)
    held = stand.card if stand and stand.card.state != "expired" else None
    design = tx.entities.find(EVERYBODY, ShopCard, held.card) if held else root
    return [card_message(design or root, held, url, friend.language)], []


def points(tx: Transaction, channel: Channel, user: str) -> str:
    """What ``{points}`` says to a user: the points on their card of the channel's first one."""
    friend = tx.line.friend(EVERYBODY, channel.id, user)
    if friend is None:
        return "0"
    for root in tx.entities.all(EVERYBODY, ShopCard):
        if root.channel == channel.id and (stand := stand_of(tx, root, friend)):
            return str(0 if stand.card.state == "expired" else stand.card.points)
    return "0"
