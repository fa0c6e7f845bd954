"""Stores with shop cards, and what is read back from them, for tests."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from adapters.storage.card_reader import CardReader
from adapters.storage.store import SqlStore
from gateway.domain.access import Access
from gateway.domain.cards import ShopCard
from gateway.domain.values import EVERYBODY, Counted, Scope
from gateway.ports.cards import Holding
from gateway.usecases.card_points import Scanned
from gateway.usecases.cards import scan
from tests.support.cards import CAFE, COFFEE, NOON, befriend, coming
from tests.support.stores import PATIENT, Engine, Recorder, dialect_of

STAFF = Access(1, "staff", "till", ("acme",), NOON)
ACME = Scope(frozenset({"acme"}))
OTHER = Scope(frozenset({"other"}))


def opened(engine: Engine, *cards: ShopCard, observer: Recorder | None = None) -> SqlStore:
    """A store with a shop and its cards, yet to be opened."""
    engine.provision(CAFE, COFFEE, *cards)
    return engine.store(observer, limits=PATIENT, public_url="https://gw.example.jp")


async def befriended(store: SqlStore, *numbers: int) -> list[int]:
    """The ids of those who are friends now."""
    friends = [await store.run(befriend, coming(number)) for number in numbers or (1,)]
    return [friend.id for friend in friends]


async def all_of(store: SqlStore, coming_: Sequence[Any]) -> list[Scanned]:
    """Scans that come at once."""
    return await asyncio.gather(*(store.run(scan, each) for each in coming_))


def reader(engine: Engine) -> CardReader:
    return CardReader(dialect_of(engine.name))


async def holders(store: SqlStore, engine: Engine) -> list[Holding]:
    """Each friend's latest card."""
    return await store.read(reader(engine).holders, EVERYBODY, "acme-card", after=None, limit=1_000)


def counted(observer: Recorder, metric: str) -> Counter[str]:
    """What was counted of a metric, by its label."""
    counts: Counter[str] = Counter()
    for fact in observer.facts:
        if isinstance(fact, Counted) and fact.metric == metric:
            counts[fact.labels[0]] += fact.amount
    return counts


def is_right(engine: Engine) -> bool:
    """Whether each card's points are the sum of its ledger."""
    return not engine.rows(
        "SELECT cards.id FROM cards WHERE points <>"
        " (SELECT coalesce(sum(p.points), 0) FROM card_points p WHERE p.card_id = cards.id)"
    )
