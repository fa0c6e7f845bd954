"""What the store says of shops, for commands that run beside the daemon."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import TypeVar

from adapters.storage.card_reader import CardReader
from adapters.storage.coupon_reader import CouponReader
from adapters.storage.database import Connection, reading
from adapters.storage.line_reader import LineReader, Send
from adapters.storage.outbox import Failed, OutboxReader
from adapters.storage.survey_reader import SurveyReader
from gateway.config import Config
from gateway.domain.cards import ShopCard
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Misconfigured, Refused
from gateway.main.store import beside, database_of, execute, provisioned
from gateway.ports.cards import Holding
from gateway.ports.surveys import SurveyRecord
from gateway.usecases import outbox

__all__ = [
    "Send",
    "find_channel",
    "find_reply",
    "list_failed",
    "list_friends",
    "list_holdings",
    "list_sends",
    "list_surveys",
    "list_tickets",
    "open_sends",
    "resend",
]

R = TypeVar("R")

_PAGE = 1000


def find_channel(config: Config, id_: str) -> Channel:
    """The channel of this id.

    Raises:
        Misconfigured: there is none.
        Transient: the store is away.
    """
    _, held = provisioned(config)
    channel = held[Channel.table].get(id_)
    if not isinstance(channel, Channel):
        raise Misconfigured([f"{id_}: no such channel; `gateway apply` makes one"])
    return channel


# --- the outbox ---


def find_reply(config: Config, channel: str, event: str) -> Send | None:
    """What a channel answers to an event, if anything."""
    with beside(config) as connection, reading(connection):
        reader = LineReader(database_of(config).dialect)
        return reader.send(connection, f"line.reply/{channel}/{event}")


def open_sends(config: Config) -> int:
    """How much to LINE has not ended: it waits, or is on its way."""
    with beside(config) as connection, reading(connection):
        return LineReader(database_of(config).dialect).open(connection)


def list_sends(config: Config) -> Iterator[Send]:
    """All that was to be sent to LINE, oldest first, and what became of it."""
    with beside(config) as connection:
        page = LineReader(database_of(config).dialect).sends
        yield from _every(connection, page, attrgetter("id"))


def list_failed(config: Config, scope: Scope) -> Iterator[Failed]:
    """What was not done, or of which nobody knows, oldest first."""
    with beside(config) as connection:
        page = partial(OutboxReader(database_of(config).dialect).failed, scope=scope)
        yield from _every(connection, page, attrgetter("id"))


def resend(config: Config, effect: int, now: int) -> None:
    """Let what is dead or unknown begin anew; running daemons take it up within a second.

    Raises:
        Misconfigured: nothing of that id is dead or unknown, or it cannot be sent any more.
        Transient: the store is away.
    """
    wish = outbox.Resend(EVERYBODY, effect, now)
    try:
        # It asks a reply's channel whether a push may take its place.
        execute(config, outbox.resend, wish, settings=True)
    except Refused as refused:
        raise Misconfigured([f"{effect}: {refused.detail}"]) from None


# --- friends, and what they have ---


def list_friends(config: Config) -> Iterator[Friend]:
    """Everybody whom a channel ever heard of."""
    with beside(config) as connection:
        page = LineReader(database_of(config).dialect).friends
        yield from _every(connection, page, attrgetter("id"))


def list_tickets(config: Config) -> Iterator[Ticket]:
    """All that was handed out of coupons, oldest first."""
    with beside(config) as connection:
        page = partial(CouponReader(database_of(config).dialect).tickets, scope=EVERYBODY)
        yield from _every(connection, page, attrgetter("id"))


def list_holdings(config: Config) -> Iterator[Holding]:
    """Each friend's latest card of each kind."""
    _, held = provisioned(config)
    with beside(config) as connection:
        holders = CardReader(database_of(config).dialect).holders
        for card in held[ShopCard.table]:
            page = partial(holders, scope=EVERYBODY, root=card)
            yield from _every(connection, page, attrgetter("card.friend"))


def list_surveys(config: Config) -> list[SurveyRecord]:
    """Every survey with its figures."""
    with beside(config) as connection, reading(connection):
        return SurveyReader(database_of(config).dialect).surveys(
            connection, EVERYBODY, after="", limit=_PAGE
        )


def _every(
    connection: Connection, page: Callable[..., list[R]], key: Callable[[R], int]
) -> Iterator[R]:
    """All rows, read in pages so that no snapshot is held for long."""
    after = -1
    while True:
        with reading(connection):
            found = page(connection, after=after, limit=_PAGE)
        yield from found
        if len(found) < _PAGE:
            return
        after = key(found[-1])
