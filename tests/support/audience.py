"""Friends, tags, pushes and links for tests, and a worker for what the outbox holds."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import msgspec

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.access import Access
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.pushes import Audience, Everyone, Push
from gateway.domain.values import EVERYBODY, SECOND, Ids, Seed
from gateway.ports import Fact, Transaction
from gateway.ports.audience import TagOf
from gateway.ports.outbox import Claimed, Outcome
from gateway.ports.quota import Spent
from gateway.usecases import audience, push_sending, pushes, quota, steps
from tests.support.stores import Engine, statements_of

NOON = 1_793_674_800 * SECOND
"""2026-11-03T12:00:00+09:00."""

HOUR = 3600 * SECOND
DAY = 24 * HOUR

PUBLIC = "https://gw.example.jp"

SHOP = Channel(
    id="acme-shop",
    advertiser="acme",
    channel_id="1234567890",
    channel_secret="8c570fa6dd201bb328f1c1eac23a96d8",
    name="Acme",
    login_channel_id="2000000000",
    liff_id="2000000000-abcdefgh",
)
NIGHTLY = msgspec.structs.replace(SHOP, quiet="21:00-09:00")
"""The same, which pushes nothing in the night."""

MANAGER = Access(7, "manager", "test", ("acme",), NOON)

_serial = count(1)


def text(words: str) -> dict[str, Any]:
    """A text message object."""
    return {"type": "text", "text": words}


def user_of(ordinal: int) -> str:
    """The userId of a friend."""
    return f"U{ordinal:032x}"


def friend(ordinal: int, **given: Any) -> Friend:
    """A friend of the shop, whose id is ``ordinal``."""
    known: dict[str, Any] = {
        "channel": SHOP.id,
        "user": user_of(ordinal),
        "id": ordinal,
        "advertiser": SHOP.advertiser,
        "first_at": NOON - 30 * DAY,
        "followed_at": NOON - 30 * DAY,
        "last_at": NOON - 5 * DAY,
        "name": f"友だち{ordinal}",
    }
    return Friend(**known | given)


class Following(msgspec.Struct, frozen=True):
    """Somebody becomes a friend."""

    friend: Friend
    seed: Seed


def follow(tx: Transaction, following: Following) -> tuple[None, list[Fact]]:
    """Keep a friend, and do what follows of that."""
    known = following.friend
    tx.line.friend(EVERYBODY, known.channel, known.user)
    tx.line.save(EVERYBODY, known)
    at = known.followed_at
    return None, audience.befriended(tx, SHOP, known, at, following.seed.draw(), at)


@dataclass
class Desk:
    """A store with a shop in it; each of its actions is a transaction of its own."""

    engine: Engine
    accepted: list[Claimed] = field(default_factory=list)
    """What the platform took, in order."""
    ids: Ids = field(default_factory=lambda: Ids(3))

    def seed(self, now: int = NOON, ids: int = 512) -> Seed:
        """A seed that no other unit has."""
        return Seed(self.ids.block(now, ids), ids, b"a secret of tests" + next(_serial).to_bytes(8))

    @contextmanager
    def transaction(self) -> Iterator[StoreTransaction]:
        """A transaction, committed at the end."""
        with closing(self.engine.database().writer()) as connection:
            tx = StoreTransaction(connection, statements_of(self.engine.name), RouteCache(), PUBLIC)
            try:
                yield tx
                tx.flush()
                connection.commit()
            finally:
                connection.rollback()

    def run(self, use_case: Callable[[Any, Any], Any], argument: Any) -> Any:
        """What a use-case answers, and the facts."""
        with self.transaction() as tx:
            return use_case(tx, argument)

    def befriend(self, *friends: Friend) -> None:
        """Keep friends."""
        with self.transaction() as tx:
            for each in friends:
                tx.line.friend(EVERYBODY, each.channel, each.user)
                tx.line.save(EVERYBODY, each)

    def follow(self, *friends: Friend, at: int = NOON) -> None:
        """Some become friends, together."""
        with self.transaction() as tx:
            for each in friends:
                known = msgspec.structs.replace(each, followed_at=at)
                follow(tx, Following(known, self.seed(at)))

    def tag(self, friends: Iterable[int], *tags: str, at: int = NOON) -> None:
        """Give tags, without what follows of them."""
        with self.transaction() as tx:
            for id_ in friends:
                for name in tags:
                    tx.audience.tag(EVERYBODY, TagOf(id_, name, "acme", SHOP.id, at, "test"))

    def stop(self, *friends: int) -> None:
        """Friends who want no pushes."""
        with self.transaction() as tx:
            for id_ in friends:
                tx.pushes.stops.stop(EVERYBODY, id_, "acme", SHOP.id, NOON, "test")

    def block(self, *friends: int) -> None:
        """Friends who block the shop."""
        with self.transaction() as tx:
            for id_ in friends:
                known = tx.line.friend_by_id(EVERYBODY, id_)
                assert known is not None
                tx.line.save(EVERYBODY, msgspec.structs.replace(known, unfollowed_at=NOON))

    def allow(self, limit: int | None, used: int = 0, now: int = NOON) -> None:
        """What the platform says of the month; ``None`` is no limit."""
        kind: Literal["none", "limited"] = "none" if limit is None else "limited"
        reading = quota.Reading(SHOP.id, "acme", kind, limit or 0, used, now)
        self.run(quota.keep, reading)

    def create(
        self,
        whom: Audience | None = None,
        messages: Sequence[dict[str, Any]] = (text("セール"),),
        **given: Any,
    ) -> Push:
        """Set up a push."""
        given.setdefault("now", NOON)
        new = pushes.NewPush(
            scope=EVERYBODY,
            access=MANAGER,
            channel=SHOP.id,
            audience=whom or Everyone(),
            messages=tuple(messages),
            seed=self.seed(given["now"], 1),
            **given,
        )
        created: Push = self.run(pushes.create, new)[0]
        return created

    def cancel(self, push: Push, now: int = NOON) -> Push:
        """Cancel a push."""
        cancelled: Push = self.run(pushes.cancel, pushes.Cancel(EVERYBODY, MANAGER, push.id, now))[
            0
        ]
        return cancelled

    def push(self, push: Push) -> Push:
        """A push as it stands."""
        with self.transaction() as tx:
            found = tx.pushes.find(EVERYBODY, push.id)
        assert found is not None
        return found

    def advance(self, now: int = NOON) -> bool:
        """Take one step of the push that is due."""
        return bool(self.run(push_sending.advance, push_sending.Advance(now, self.seed(now)))[0])

    def work(self, now: int = NOON) -> int:
        """Advance, and carry out what comes of it, until nothing is left; returns when."""
        for _ in range(200):
            if not self.advance(now) | bool(self.carry_out(now)):
                return now
            now += SECOND
        raise AssertionError("it does not come to an end")

    def step(self, now: int) -> int:
        """Send the steps that are due."""
        return int(self.run(steps.send, steps.Sending(now, self.seed(now)))[0])

    def claim(self, now: int = NOON, limit: int = 500) -> Sequence[Claimed]:
        """Take effects out of the outbox as a worker does."""
        with self.transaction() as tx:
            kinds = ("line.push", "line.multicast", "line.narrowcast")
            claimed: Sequence[Claimed] = tx.outbox.claim(EVERYBODY, now, kinds, limit, 15)
        return claimed

    def settle(self, now: int, *outcomes: tuple[Claimed, Outcome]) -> None:
        """Say what came of them."""
        with self.transaction() as tx:
            standing = tx.outbox.settle(EVERYBODY, now, outcomes)
            spent = [outcome.spent for outcome in standing if outcome.spent is not None]
            tx.outbox.quotas.spend(EVERYBODY, spent)
        self.accepted += [claimed for claimed, outcome in outcomes if outcome.state == "done"]

    def carry_out(self, now: int = NOON) -> int:
        """Let the platform take all that is due; returns how many requests."""
        claimed = self.claim(now)
        self.settle(now, *((each, accepted(each, now)) for each in claimed))
        return len(claimed)

    @property
    def received(self) -> list[str]:
        """The users who got something, as often as they got it."""
        return [user for claimed in self.accepted for user in users_of(claimed)]

    def states(self, push: Push) -> dict[int, str]:
        """The recipients of a push with their states."""
        rows = self.engine.rows(
            f"SELECT friend, state FROM push_recipients WHERE push = {push.id} ORDER BY friend"
        )
        return dict(rows)


def accepted(claimed: Claimed, now: int) -> Outcome:
    """The platform took it."""
    payload = json.loads(claimed.payload)
    number = payload.get("recipients") or len(users_of(claimed))
    spent = Spent(payload["channel"], claimed.advertiser, number, now, payload.get("reserved", ""))
    return Outcome("done", result='{"request":"r-1"}', spent=spent)


def users_of(claimed: Claimed) -> list[str]:
    """Whom an effect is for."""
    to = json.loads(claimed.payload).get("to", [])
    return [to] if isinstance(to, str) else list(to)
