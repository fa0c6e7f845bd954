"""Shop cards: the codes that are shown, printed and sent, and the key they are signed with."""

from collections.abc import Sequence

import msgspec

from gateway.domain.cards import Code, ShopCard, signed
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Draw, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.usecases.card_points import shop

KEY = "cards"
"""The key that codes are signed with."""


def signing_key(tx: Transaction, fresh: bytes) -> tuple[bytes, Sequence[Fact]]:
    """The key of the codes; ``fresh`` becomes it where there is none yet."""
    return tx.signing.key(EVERYBODY, KEY, fresh), ()


class Issue(msgspec.Struct, frozen=True):
    """A code that the counter's screen is to show."""

    scope: Scope
    card: str
    counter: str
    points: int
    seconds: int
    at: int
    seed: Seed


class Issued(msgspec.Struct, frozen=True):
    """A code, and where it leads."""

    token: str
    url: str
    expires_at: int


def issue(tx: Transaction, asked: Issue) -> tuple[Issued, Sequence[Fact]]:
    """A new code of the counter's screen.

    Raises:
        Refused: there is no such card.
    """
    root, channel = shop(tx, asked.scope, asked.card)
    expires_at = asked.at + asked.seconds * SECOND
    draw = asked.seed.draw()
    code = Code("screen", root.id, asked.counter, asked.points, expires_at, draw.token())
    token = signed(code, _key(tx, draw))
    return Issued(token, address(tx.public_url, channel, token), expires_at), ()


class Print(msgspec.Struct, frozen=True):
    """The code of a card that is to be printed."""

    scope: Scope
    card: str
    seed: Seed


def print_code(tx: Transaction, asked: Print) -> tuple[Issued, Sequence[Fact]]:
    """The printed code of a card: the same each time.

    Raises:
        Refused: there is no such card, or it has no printed code.
    """
    root, channel = shop(tx, asked.scope, asked.card)
    if not root.printed:
        raise Refused(Refusal.NOT_FOUND, "the card has no printed code")
    token = signed(Code("printed", root.id), _key(tx, asked.seed.draw()))
    return Issued(token, address(tx.public_url, channel, token), 0), ()


def address(public_url: str, channel: Channel, token: str) -> str:
    """Where a code leads: into LINE where the channel has a LIFF app."""
    base = f"https://liff.line.me/{channel.liff_id}" if channel.liff_id else public_url
    return f"{base}/p/{token}"


def _key(tx: Transaction, draw: Draw) -> bytes:
    return tx.signing.key(EVERYBODY, KEY, (draw.token() + draw.token()).encode())


def page_of(tx: Transaction, root: ShopCard, friend: Friend, draw: Draw) -> str:
    """The address of the page that shows a friend's card, and gives nothing."""
    token = signed(Code("view", root.id, nonce=str(friend.id)), _key(tx, draw))
    return f"{tx.public_url}/p/{token}"
