"""LINE's figures are asked for when it can tell, and kept as it tells them: null is never 0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.line.insight import InsightSync
from adapters.storage.insight_reader import InsightReader
from adapters.storage.store import SqlStore
from gateway.domain.insight import Sent, Told, asked_from, begin_of, day_of
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports import Transaction
from gateway.usecases.insight import ASKED_BACK_DAYS, FOLLOWED_DAYS
from tests.adapters.line.sending_world import ours
from tests.adapters.line.simulator.world import HELLO, World, in_world
from tests.adapters.line.test_official import official
from tests.support.figures import keep_push
from tests.support.line import NOON, SHOP
from tests.support.stores import (
    Engine,
    engine,
    eventually,
    on_a_loop,
    postgres_schema,
    sqlite,
    sqlite_template,
)

__all__ = ["engine", "postgres_schema", "sqlite", "sqlite_template"]

HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
YESTERDAY = day_of(NOON) - 1


@dataclass
class Line:
    """LINE's figures as a test says them, with an error in their place."""

    friends_say: dict[str, Any] = field(default_factory=lambda: {"status": "ready"})
    deliveries_say: dict[str, Any] = field(default_factory=lambda: {"status": "ready"})
    event_says: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None
    failing: str = ""
    """A day of which it never tells."""
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def _say(self, answer: Mapping[str, Any], *asked: str) -> Mapping[str, Any]:
        self.asked.append(asked)
        if self.error:
            raise self.error
        if self.failing in asked:
            raise Transient(Trouble.PLATFORM_DOWN, "500")
        return answer

    async def friends(self, channel: Channel, day: str) -> Mapping[str, Any]:
        return self._say(self.friends_say, "friends", day)

    async def deliveries(self, channel: Channel, day: str) -> Mapping[str, Any]:
        return self._say(self.deliveries_say, "deliveries", day)

    async def message_event(self, channel: Channel, request: str) -> Mapping[str, Any]:
        return self._say(self.event_says, "request", request)

    async def unit_events(
        self, channel: Channel, unit: str, since: str, until: str
    ) -> Mapping[str, Any]:
        return self._say(self.event_says, "unit", unit, since, until)


@dataclass
class Office:
    """A store, and whoever asks LINE for figures."""

    store: SqlStore
    sync: InsightSync
    reader: InsightReader
    lines: list[str]
    now: int = NOON

    async def day(self, day: int = YESTERDAY, channel: str = SHOP.id) -> Told:
        """What is kept of a day."""
        span = {"since": day, "until": day + 1, "limit": 1}
        days = await self.store.read(self.reader.days, EVERYBODY, channel, **span)
        return days[0].platform

    async def sent(self, channel: str = SHOP.id) -> list[Sent]:
        """What is kept of messages."""
        span = {"since": 0, "until": YESTERDAY + 99}
        return list(await self.store.read(self.reader.sent, EVERYBODY, channel, **span))

    def warning(self, event: str, /, **fields: object) -> None:
        self.lines.append(f"{event}: {fields['channel']} {fields['reason']} {fields['asks']}")

    info = error = warning


def office(store: SqlStore, engine: Engine, api: Any, clock: Callable[[], int] | None) -> Office:
    reader = InsightReader(engine.database().dialect)
    made: Office
    own = clock or (lambda: made.now)
    lines: list[str] = []
    made = Office(store, InsightSync(store=store, api=api, clock=own, log=None), reader, lines)  # type: ignore[arg-type]  # it logs itself, below
    made.sync = InsightSync(store=store, api=api, clock=own, log=made)
    return made


def in_office(test: Callable[[Office, Line], Any]) -> Callable[[Engine], None]:
    """A test with the shop provisioned, and LINE as it says."""

    @on_a_loop
    async def run(engine: Engine) -> None:
        engine.provision(SHOP)
        async with engine.store() as store:
            await eventually(lambda: store.entity(Channel, SHOP.id))
            line = Line()
            await test(office(store, engine, line, None), line)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def kept_push(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
    """A push that LINE counts apart."""
    keep_push(tx, SHOP.id, NOON - 2 * DAY, request="r1")
    return None, ()


@in_office
async def test_the_days_of_a_month_are_asked_about_once(office: Office, line: Line) -> None:
    """Each day when LINE can tell of it; then not again."""
    await office.sync.expect()
    assert await office.sync.once() == ASKED_BACK_DAYS
    days = {day for kind, day in line.asked if kind == "friends"}
    assert (len(days), max(days), min(days)) == (ASKED_BACK_DAYS, "20261102", "20261003")
    await office.sync.expect()
    assert await office.sync.once() == 0
    office.now = asked_from(YESTERDAY + 1)
    await office.sync.expect()
    assert await office.sync.once() == 1


@in_office
async def test_what_line_does_not_tell_is_null(office: Office, line: Line) -> None:
    """A figure that is missing is not 0, and neither is a kind of delivery."""
    line.friends_say = {"status": "ready", "followers": 120, "blocks": None, "new": 1}
    line.deliveries_say = {"status": "ready", "apiPush": 30, "apiReply": 0, "sms": 9}
    await office.sync.expect()
    await office.sync.once()
    told = Told("ready", 120, None, None, "ready", {"api_push": 30, "api_reply": 0})
    assert await office.day() == told


@in_office
async def test_a_day_that_line_still_counts_is_asked_for_hourly(office: Office, line: Line) -> None:
    """Until both figures are ready; what it never had is final, too."""
    line.deliveries_say = {"status": "unready"}
    await office.sync.expect()
    await office.sync.once()
    assert (await office.day()).delivery_state == "unready"
    line.deliveries_say = {"status": "out_of_service"}
    office.now += HOUR - 1
    assert await office.sync.once() == 0
    office.now += 1
    assert await office.sync.once() == ASKED_BACK_DAYS
    assert (await office.day()).delivery_state == "out_of_service"
    office.now += DAY
    assert await office.sync.once() == 0


@in_office
async def test_a_word_that_is_new_means_not_yet(office: Office, line: Line) -> None:
    """LINE adds words without notice."""
    line.friends_say = {"status": "counting_anew"}
    await office.sync.expect()
    await office.sync.once()
    assert (await office.day()).state == "unready"


@in_office
async def test_where_line_is_away_it_is_asked_again(office: Office, line: Line) -> None:
    """In an hour; a channel is asked once meanwhile, and told of in one line."""
    line.error = Transient(Trouble.PLATFORM_DOWN, "503")
    await office.sync.expect()
    assert await office.sync.once() == ASKED_BACK_DAYS
    assert len(line.asked) == 1
    assert office.lines == [f"no figures of LINE: {SHOP.id} platform_down {ASKED_BACK_DAYS}"]
    line.error = None
    assert await office.sync.once() == 0
    office.now += HOUR
    assert await office.sync.once() == ASKED_BACK_DAYS
    assert (await office.day()).state == "ready"


@in_office
async def test_a_day_that_always_fails_keeps_no_other_from_its_turn(
    office: Office, line: Line
) -> None:
    """The next hour it comes last; messages are asked for at once, as they are told by another
    call.
    """
    await office.store.run(kept_push, None)
    line.failing = "20261102"
    await office.sync.expect()
    await office.sync.once()
    assert ("request", "r1") in line.asked
    office.now += HOUR
    await office.sync.once()
    days = {day for kind, day in line.asked if kind == "deliveries"}
    assert len(days) == ASKED_BACK_DAYS - 1
    assert line.failing not in days


@in_office
async def test_a_refusal_is_kept_and_tried_daily_for_a_month(office: Office, line: Line) -> None:
    """Credentials may be put right; what is too long ago is given up."""
    line.error = Permanent(Trouble.PLATFORM_REFUSED, "403")
    await office.sync.expect()
    await office.sync.once()
    assert (await office.day()).state == "refused"
    assert office.lines == [f"no figures of LINE: {SHOP.id} platform_refused {ASKED_BACK_DAYS}"]
    office.now += HOUR
    assert await office.sync.once() == 0
    office.now += DAY
    assert 0 < await office.sync.once() <= ASKED_BACK_DAYS
    office.now = begin_of(YESTERDAY + FOLLOWED_DAYS + 1)
    await office.sync.once()
    office.now += 2 * DAY
    assert await office.sync.once() == 0


@in_office
async def test_messages_are_followed_for_a_month(office: Office, line: Line) -> None:
    """Once a day, each by its own name; units by the month."""

    def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        keep_push(tx, SHOP.id, NOON - 2 * DAY, request="r1")
        for at in (NOON - 4 * DAY, NOON - 2 * DAY, NOON - HOUR):
            keep_push(tx, SHOP.id, at, unit="sale")
        return None, ()

    await office.store.run(keep, None)
    line.event_says = {"overview": {"delivered": 300, "uniqueImpression": 140, "uniqueClick": None}}
    await office.sync.expect()
    await office.sync.once()
    messages = [asked for asked in line.asked if asked[0] in ("request", "unit")]
    assert sorted(messages) == [
        ("request", "r1"),
        ("unit", "sale", "20261001", "20261031"),
        ("unit", "sale", "20261101", "20261102"),
    ]
    sent = {each.ref: each for each in await office.sent()}
    assert set(sent) == {"request:r1", "unit:sale:2026-10", "unit:sale:2026-11"}
    found = sent["request:r1"]
    assert (found.delivered, found.impressions, found.clicks) == (300, 140, None)
    assert found.read_at == NOON

    line.event_says = {"overview": {"uniqueClick": 25}}
    office.now += DAY
    await office.sync.once()
    clicks = {each.ref: each.clicks for each in await office.sent()}
    assert clicks == dict.fromkeys(sent, 25)
    office.now = NOON + (FOLLOWED_DAYS + 2) * DAY
    await office.sync.once()
    office.now += 2 * DAY
    assert await office.sync.once() == 0


@in_office
async def test_a_channel_that_was_taken_away_is_not_asked_about(office: Office, line: Line) -> None:
    """Without its credentials nothing can be asked; nothing is tried again and again."""
    await office.sync.expect()

    def forget(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        tx.provisioning.write(EVERYBODY, (), (SHOP,))
        return None, ()

    await office.store.run(forget, None)
    await eventually(lambda: office.store.entity(Channel, SHOP.id) is None)
    assert await office.sync.once() == 0
    office.now += DAY
    assert await office.sync.once() == 0
    assert line.asked == []


def test_the_platform_s_own_figures_arrive(sqlite: Engine) -> None:
    """Through the official package: friends, deliveries, and what a unit was looked at."""

    @in_world()
    async def run(world: World) -> None:
        channel = ours(world)
        sqlite.provision(channel)
        friends = await world.crowd(39)
        sent_on = day_of(world.clock.now)
        for friend in friends:
            await world.post(
                "/v2/bot/message/push",
                {
                    "to": friend.user_id,
                    "messages": [HELLO],
                    "customAggregationUnits": ["sale"],
                },
            )
        async with sqlite.store() as store, official(world) as platform:
            await eventually(lambda: store.entity(Channel, channel.id))

            def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
                keep_push(tx, channel.id, world.clock.now, unit="sale")
                return None, ()

            await store.run(keep, None)
            world.clock.now = asked_from(sent_on) + HOUR
            asking = office(store, sqlite, platform, world.clock)
            await asking.sync.expect()
            await asking.sync.once()
            assert asking.lines == []
            told = await asking.day(sent_on, channel.id)
            assert (told.state, told.followers, told.blocks) == ("ready", 40, 0)
            assert told.deliveries == {"api_push": 39}
            (unit,) = await asking.sent(channel.id)
            assert unit.day == sent_on
            assert unit.impressions is not None
            assert 20 <= unit.impressions <= 39

    run()
