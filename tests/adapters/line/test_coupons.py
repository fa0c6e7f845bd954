"""LINE's own coupons are brought in line with what is provisioned, also where answers are lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from adapters.line.coupons import CouponSync
from adapters.line.official import Official
from adapters.line.tokens import Tokens
from adapters.storage.store import SqlStore
from gateway.domain.coupons.coupon import Coupon, Lottery
from gateway.domain.line.channel import Channel
from gateway.domain.values import SECOND
from gateway.errors import Permanent, Transient, Trouble
from gateway.usecases.coupon_platform import LEASE_SECONDS
from tests.adapters.line.sending_world import Hand, ours
from tests.adapters.line.simulator.world import World, in_world
from tests.support.coupons import SALON, coupon
from tests.support.line import NOON
from tests.support.stores import (
    PATIENT,
    Engine,
    engine,
    on_a_loop,
    postgres_schema,
    sqlite,
    sqlite_template,
)

__all__ = ["engine", "postgres_schema", "sqlite", "sqlite_template"]

_replace = msgspec.structs.replace

HOUR = 3600 * SECOND


@dataclass
class Platform:
    """LINE's coupons in memory, with an error before or after what is asked."""

    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: Exception | None = None
    after: Exception | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def running(self) -> list[str]:
        """The titles of those that are open."""
        return [each["title"] for each in self.held.values() if each["status"] == "RUNNING"]

    def _do(self, name: str, change: Callable[[], Any] = lambda: None) -> Any:
        self.asked.append(name)
        if self.before:
            raise self.before
        done = change()
        if self.after:
            raise self.after
        return done

    async def create_coupon(self, channel: Channel, coupon: Mapping[str, Any]) -> str:
        """See :class:`gateway.ports.line_platform.CouponApi`."""

        def change() -> str:
            made = f"01{len(self.held)}"
            self.held[made] = {**coupon, "couponId": made, "status": "RUNNING"}
            return made

        return str(self._do("create", change))

    async def coupons(
        self, channel: Channel, status: Sequence[str] = ()
    ) -> Sequence[Mapping[str, Any]]:
        """See above."""
        return [
            {"couponId": each["couponId"], "title": each["title"]}
            for each in self.held.values()
            if each["status"] in status
        ]

    async def coupon(self, channel: Channel, coupon: str) -> Mapping[str, Any]:
        """See above."""
        return self.held[coupon]

    async def close_coupon(self, channel: Channel, coupon: str) -> None:
        """See above."""

        def change() -> None:
            if self.held[coupon]["status"] == "CLOSED":
                raise Permanent(Trouble.PLATFORM_GONE)
            self.held[coupon]["status"] = "CLOSED"

        self._do("close", change)


class Silent:
    """A log that nobody reads."""

    def info(self, event: str, /, **fields: object) -> None:
        """Nothing."""

    warning = error = info


@dataclass
class Sync:
    """A daemon's work on the platform, at a time that a test sets."""

    store: SqlStore
    platform: Platform
    now: int = NOON

    async def run(self) -> None:
        """Until nothing is left to be done now."""
        work = CouponSync(store=self.store, api=self.platform, clock=lambda: self.now, log=Silent())
        while await work.once():
            pass


def own(**changed: Any) -> Coupon:
    """A coupon of LINE's."""
    return coupon(kind="line", **changed)


def states(engine: Engine) -> list[tuple[str, str]]:
    """What the store holds: coupon and state."""
    return engine.rows("SELECT coupon, state FROM coupon_platform ORDER BY coupon")


@on_a_loop
async def test_a_coupon_is_made_once(engine: Engine) -> None:
    """Looking again changes nothing; coupons of ours, old ones and other shops' are none of it."""
    old, theirs = own(id="old", ends=NOON - 1), own(id="theirs", advertiser="other")
    engine.provision(SALON, own(), coupon(id="ours"), old, theirs)
    async with engine.store(limits=PATIENT) as store:
        sync = Sync(store, Platform())
        await sync.run()
        sync.now += HOUR
        await sync.run()
    assert sync.platform.running == ["秋の10%OFF"]
    assert sync.platform.asked == ["create"]
    assert states(engine) == [("autumn", "running")]


@on_a_loop
async def test_a_changed_coupon_is_closed_and_made_anew(engine: Engine) -> None:
    """There is no way to change one; what only we look at (tags) is no change."""
    engine.provision(SALON, own())
    async with engine.store(limits=PATIENT) as store:
        sync = Sync(store, Platform())
        await sync.run()
        engine.provision(own(tags=("autumn",)))
        await sync.run()
        assert sync.platform.asked == ["create"]
        engine.provision(own(title="冬の10%OFF"))
        await sync.run()
    assert sync.platform.running == ["冬の10%OFF"]
    assert sync.platform.asked == ["create", "close", "create"]


@on_a_loop
async def test_a_removed_coupon_is_closed(engine: Engine) -> None:
    """And comes back anew where it is provisioned again."""
    engine.provision(SALON, own())
    async with engine.store(limits=PATIENT) as store:
        sync = Sync(store, Platform())
        await sync.run()
        engine.provision(removed=[own()])
        await sync.run()
        assert (sync.platform.running, states(engine)) == ([], [("autumn", "closed")])
        engine.provision(own())
        await sync.run()
    assert len(sync.platform.running) == 1


@pytest.mark.parametrize("arrived", [False, True])
def test_a_lost_answer_makes_no_second_coupon(sqlite: Engine, arrived: bool) -> None:
    """Whether the request arrived is found on the platform's list, once the lease is over."""

    @on_a_loop
    async def lived_through() -> None:
        sqlite.provision(SALON, own())
        lost = Transient(Trouble.PLATFORM_DOWN)
        platform = Platform(after=lost) if arrived else Platform(before=lost)
        # Another one with the same title that somebody made by hand.
        platform.held["hand"] = {"couponId": "hand", "title": own().title, "status": "RUNNING"}
        async with sqlite.store(limits=PATIENT) as store:
            sync = Sync(store, platform)
            await sync.run()
            assert states(sqlite) == [("autumn", "creating")]
            platform.before = platform.after = None
            await sync.run()
            assert platform.asked == ["create"]  # whoever died may be at it still
            sync.now += LEASE_SECONDS * SECOND
            await sync.run()
        assert len(platform.running) == 2
        assert states(sqlite) == [("autumn", "running")]

    lived_through()


@on_a_loop
async def test_two_coupons_alike_are_not_mistaken_for_each_other(sqlite: Engine) -> None:
    """One that is known to be another's is not taken for the lost one."""
    sqlite.provision(SALON, own(id="a"))
    async with sqlite.store(limits=PATIENT) as store:
        sync = Sync(store, Platform())
        await sync.run()
        sqlite.provision(own(id="b"))
        sync.platform.before = Transient(Trouble.PLATFORM_BUSY)
        await sync.run()
        sync.platform.before = None
        sync.now += LEASE_SECONDS * SECOND
        await sync.run()
    assert len(sync.platform.running) == 2


@on_a_loop
async def test_what_was_made_unheard_and_is_unwanted_is_closed(sqlite: Engine) -> None:
    """A coupon that was removed while nobody knew whether it was made does not stay behind."""
    sqlite.provision(SALON, own())
    async with sqlite.store(limits=PATIENT) as store:
        sync = Sync(store, Platform(after=Transient(Trouble.PLATFORM_DOWN)))
        await sync.run()
        sync.platform.after = None
        sqlite.provision(removed=[own()])
        sync.now += LEASE_SECONDS * SECOND
        await sync.run()
    assert (sync.platform.running, states(sqlite)) == ([], [("autumn", "closed")])


@on_a_loop
async def test_a_refusal_is_kept_and_rests(sqlite: Engine) -> None:
    """The platform's reason is shown; it is asked again after a change, or after an hour."""
    sqlite.provision(SALON, own())
    async with sqlite.store(limits=PATIENT) as store:
        sync = Sync(store, Platform(before=Permanent(Trouble.PLATFORM_REFUSED, "no such image")))
        await sync.run()
        await sync.run()
        assert sync.platform.asked == ["create"]
        assert sqlite.rows("SELECT state, error FROM coupon_platform") == [
            ("failed", "no such image")
        ]
        sync.platform.before = None
        sqlite.provision(own(description="二人で"))
        await sync.run()
    assert states(sqlite) == [("autumn", "running")]


@on_a_loop
async def test_one_that_is_closed_already_is_closed(sqlite: Engine) -> None:
    """Somebody closed it in LINE's manager: that is what was wanted."""
    sqlite.provision(SALON, own())
    async with sqlite.store(limits=PATIENT) as store:
        sync = Sync(store, Platform())
        await sync.run()
        sync.platform.held["010"]["status"] = "CLOSED"
        sqlite.provision(removed=[own()])
        await sync.run()
    assert states(sqlite) == [("autumn", "closed")]


@on_a_loop
async def test_without_its_channel_nothing_is_asked(sqlite: Engine) -> None:
    """A channel that was removed has no credentials any more; the store says why."""
    sqlite.provision(SALON, own())
    async with sqlite.store(limits=PATIENT) as store:
        sync = Sync(store, Platform())
        await sync.run()
        sqlite.provision(removed=[SALON])
        await sync.run()
    assert sync.platform.asked == ["create"]
    assert sqlite.rows("SELECT state, error FROM coupon_platform") == [
        ("closed", "the channel was removed")
    ]


@in_world()
async def test_the_simulated_platform_takes_what_we_ask_for(world: World, sqlite: Engine) -> None:
    """Through the official package, each reward and condition; an answer lost makes no second."""
    shop = _replace(ours(world), id=SALON.id)
    percent = {"type": "discount", "priceInfo": {"type": "percentage", "percentage": 10}}
    explicit = {"type": "explicit", "originalPrice": 1000, "priceAfterDiscount": 800}
    back = {"type": "cashBack", "priceInfo": {"type": "fixed", "fixedAmount": 100}}
    wanted = [
        own(id="plain", usage="お一人様", description="説明", image_url="https://i.example/a.png"),
        own(id="lots", title="抽選", lottery=Lottery(25), total=40, uses_per_ticket=0),
        own(id="ours", title="福引", lottery=Lottery(25), total=40, campaign="spring"),
        own(id="percent", title="割引", reward=percent, visibility="PUBLIC"),
        own(id="explicit", title="値下げ", reward={"type": "discount", "priceInfo": explicit}),
        own(id="back", title="還元", reward=back),
    ]
    sqlite.provision(shop, *wanted)
    world.platform.faults.lose_answers(1, path="/v2/bot/coupon")
    url = world.platform.url
    tokens = Tokens(world.session, url, Hand())
    api = Official(tokens=tokens, api_url=url, data_api_url=url)
    now = [NOON]
    async with sqlite.store(limits=PATIENT) as store:
        sync = CouponSync(store=store, api=api, clock=lambda: now[0], log=Silent())
        while await sync.once():
            pass
        now[0] += LEASE_SECONDS * SECOND
        while await sync.once():
            pass
        titles = [made.asked["title"] for made in world.channel.coupons.values()]
        assert sorted(titles) == sorted(each.title for each in wanted)
        assert {state for _, state in states(sqlite)} == {"running"}
        sqlite.provision(removed=wanted)
        while await sync.once():
            pass
    api.close()
    assert {made.status for made in world.channel.coupons.values()} == {"CLOSED"}
