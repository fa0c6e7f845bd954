"""Tickets of a shop of ``acme`` for tests of the API."""

from itertools import count
from typing import Any

from gateway.domain.coupons.tickets import Ticket
from gateway.domain.values import EVERYBODY
from gateway.usecases.coupons import PinStamp, stamp_by_pin
from tests.adapters.http.api.world import World
from tests.support.coupons import DAY, PIN, SALON, ask, asking, coupon, token_in

_friends = count(1)


def given_ticket(world: World, *, stamped: bool = False, **changed: Any) -> Ticket:
    """A ticket that a new friend of the shop got just now."""
    made = coupon(starts=world.now - DAY, ends=world.now + 30 * DAY, **changed)
    world.engine.provision(SALON, made)
    wish = asking(made.id, next(_friends), at=world.now)
    token = token_in(world.run(ask, wish))
    if stamped:
        assert world.run(stamp_by_pin, PinStamp(token, PIN, world.now)) is None
    return read(world, token)


def read(world: World, key: str | int) -> Ticket:
    """A ticket as it is now."""
    found = world.run(lambda tx, wanted: (tx.coupons.ticket(EVERYBODY, wanted), ()), key)
    assert found is not None
    return found
