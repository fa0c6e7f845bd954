"""Friends with whom staff talk, for tests."""

from itertools import count
from typing import Any

import msgspec

from adapters.storage.store import SqlStore
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, Seed
from gateway.ports import Transaction
from tests.support.line import NOON, SHOP, USER

_ids = count(1)

CLERK, OTHER_CLERK = "token:1", "token:2"


def seed(ids: int = 1) -> Seed:
    """Ids that no other wish of a test has."""
    return Seed(next(_ids) * 1_000 + 7_000_000_000, ids, b"0123456789abcdef")


def friend(number: int = 1, **changed: Any) -> Friend:
    """A friend of the shop's who has written."""
    made = Friend(
        channel=SHOP.id,
        user=USER[:-6] + f"{number:06}",
        id=number,
        advertiser="acme",
        first_at=NOON,
        followed_at=NOON,
        last_at=NOON,
        name="花子",
    )
    return msgspec.structs.replace(made, **changed)


async def keep(store: SqlStore, *friends: Friend) -> None:
    """Put friends into a store."""

    def work(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        for each in friends:
            tx.line.save(EVERYBODY, each)
        return None, ()

    await store.run(work, None)


async def held(store: SqlStore, number: int = 1) -> Friend:
    """A friend as the store has them."""

    def work(tx: Transaction, id_: int) -> tuple[Friend | None, tuple[()]]:
        return tx.line.friend_by_id(EVERYBODY, id_), ()

    found = await store.run(work, number)
    assert found is not None
    return found
