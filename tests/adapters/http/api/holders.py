"""Holders of a card of ``acme`` for tests of the API."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from adapters.storage.card_reader import CardReader
from gateway.domain.values import EVERYBODY
from gateway.usecases.cards import scan
from tests.adapters.http.api.world import World
from tests.support.cards import CAFE, COFFEE, Coming, befriend, code, printed, scanning, seed, user
from tests.support.stores import dialect_of

_friends = count(5_000)


@dataclass(frozen=True)
class Holder:
    """A friend with a card and a point on it."""

    friend: str
    entry: str
    """The line of the ledger that the point stands in."""


def given_card(world: World, **changed: Any) -> None:
    """A card that is provisioned."""
    world.engine.provision(CAFE, COFFEE, printed(**changed))


def given_holder(world: World, **changed: Any) -> Holder:
    """A new friend of the shop who got a point just now."""
    given_card(world, **changed)
    who = next(_friends)
    friend = world.run(befriend, Coming(user(who), world.now, seed(16)))
    scanned = world.run(scan, scanning(code(at=world.now), who, world.now))
    assert scanned.points
    with_ledger = CardReader(dialect_of("sqlite")).history
    entry = world._await(
        world.store.read(with_ledger, EVERYBODY, "acme-card", friend.id, after=None, limit=1)
    )[0]
    return Holder(str(friend.id), str(entry.id))
