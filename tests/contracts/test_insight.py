"""Figures in both engines: counted from what the store holds, kept, and asked of LINE in time."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from typing import Any

import msgspec
import pytest

from adapters.storage.database import reading
from adapters.storage.insight_reader import ChannelReader, InsightReader
from adapters.storage.provisioning import RouteCache
from adapters.storage.tallies import TallyReader
from adapters.storage.transaction import StoreTransaction
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.tickets import Ticket, unstamped, used
from gateway.domain.insight import (
    Clicks,
    Day,
    Own,
    OwnDay,
    Sent,
    Tally,
    Told,
    added,
    asked_from,
    begin_of,
    day_of,
)
from gateway.domain.line.quota import Quota
from gateway.domain.links import Link
from gateway.domain.values import EVERYBODY, SECOND, Scope, micros
from gateway.main.insight import roll
from gateway.ports.insight import Ask, ChannelState, Note, SupportCall
from gateway.usecases.insight import BACK_DAYS, LATE_SECONDS, Rolling, rolling
from tests.support.figures import (
    all_sent,
    keep_click,
    keep_event,
    keep_friend,
    keep_points,
    keep_push,
    keep_send,
    keep_ticket,
    stood,
)
from tests.support.line import SHOP
from tests.support.stores import Engine, on_a_loop, statements_of

MIDNIGHT = micros(datetime(2026, 11, 21, 15, tzinfo=UTC))
"""In Tokyo the 22nd begins."""

TODAY = day_of(MIDNIGHT)
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
HERS = Scope(frozenset({"acme"}))
OTHERS = Scope(frozenset({"other"}))

SECOND_SHOP = msgspec.structs.replace(SHOP, id="acme-two", channel_id="1234567891")


def done(engine: Engine, work: Callable[[StoreTransaction], Any]) -> Any:
    """``work`` in a transaction of its own."""
    with closing(engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of(engine.name), RouteCache())
        result = work(tx)
        tx.flush()
        connection.commit()
    return result


def asked(engine: Engine, query: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a reader answers."""
    with closing(engine.database().reader()) as connection, reading(connection):
        return query(connection, *given, **named)


def tallied(engine: Engine, begin: int, end: int, since: int = 0) -> dict[tuple[str, int], Own]:
    """The figures of each channel and day in a stretch of time."""
    reader = TallyReader(engine.database().dialect)
    tallies: list[Tally] = asked(engine, reader.tallies, begin, end, since)
    return {key: day.own for key, day in added(tallies).items()}


# --- counting ---


def test_each_thing_counts_on_its_day(engine: Engine) -> None:
    """By the platform's time of an event, ours of what went out; each for its channel."""

    def keep(tx: StoreTransaction) -> None:
        keep_event(tx, "acme-shop", "follow", MIDNIGHT - SECOND, MIDNIGHT + SECOND)
        keep_event(tx, "acme-shop", "message", MIDNIGHT)
        keep_event(tx, "acme-shop", "message", MIDNIGHT + SECOND)
        keep_event(tx, "acme-shop", "unfollow", MIDNIGHT + 2 * SECOND)
        keep_event(tx, "acme-shop", "beacon", MIDNIGHT + 3 * SECOND)
        keep_event(tx, "acme-two", "message", MIDNIGHT)
        keep_send(tx, "acme-shop", "line.reply", MIDNIGHT)
        keep_send(tx, "acme-shop", "line.push", MIDNIGHT - MINUTE, MIDNIGHT)
        keep_send(tx, "acme-shop", "line.multicast", MIDNIGHT, to=7)
        keep_send(tx, "acme-shop", "line.profile", MIDNIGHT)
        keep_ticket(tx, "acme-shop", MIDNIGHT, used_at=MIDNIGHT + MINUTE)
        keep_ticket(tx, "acme-shop", MIDNIGHT - MINUTE, used_at=MIDNIGHT)
        keep_ticket(tx, "acme-shop", MIDNIGHT, state="lost")
        keep_points(tx, "acme-shop", MIDNIGHT, ("qr", 2), ("bonus", 1), ("undo", -2))

    done(engine, keep)
    all_sent(engine)
    found = tallied(engine, MIDNIGHT - HOUR, MIDNIGHT + HOUR)
    assert found["acme-shop", TODAY] == Own(
        follows=0,
        blocks=1,
        messages=2,
        replies=1,
        pushes=8,
        coupons_issued=1,
        coupons_used=2,
        points=1,
        visits=1,
        last_at=MIDNIGHT + 3 * SECOND,
    )
    yesterday = Own(follows=1, coupons_issued=1, last_at=MIDNIGHT + SECOND)
    assert found["acme-shop", TODAY - 1] == yesterday
    assert found["acme-two", TODAY] == Own(messages=1, last_at=MIDNIGHT)


def test_a_stretch_has_what_was_kept_in_it(engine: Engine) -> None:
    """The ends meet: nothing is in two stretches, and nothing in none."""

    def keep(tx: StoreTransaction) -> None:
        for minute in range(-60, 60, 7):
            keep_event(tx, "acme-shop", "message", MIDNIGHT + minute * MINUTE)
            keep_ticket(tx, "acme-shop", MIDNIGHT, used_at=MIDNIGHT + minute * MINUTE)

    done(engine, keep)
    begins = range(MIDNIGHT - HOUR, MIDNIGHT + HOUR, 13 * MINUTE)
    pieces = [tallied(engine, begin, begin + 13 * MINUTE) for begin in begins]
    days = [own for piece in pieces for own in piece.values()]
    assert sum(own.messages for own in days) == len(range(-60, 60, 7))
    assert sum(own.coupons_used for own in days) == len(range(-60, 60, 7))
    assert tallied(engine, MIDNIGHT - HOUR, MIDNIGHT, MIDNIGHT) == {}


def test_a_click_comes_with_what_may_tell_its_channel(engine: Engine) -> None:
    """The friend's channel, the link, and what it was sent with."""

    def keep(tx: StoreTransaction) -> int:
        friend = keep_friend(tx, "acme-two", followed_at=1)
        keep_click(tx, MIDNIGHT)
        keep_click(tx, MIDNIGHT + SECOND)
        keep_click(tx, MIDNIGHT, friend=friend.id, origin="step:day-3")
        keep_click(tx, MIDNIGHT + DAY)
        return keep_push(tx, "acme-two", MIDNIGHT)

    push = done(engine, keep)
    reader = TallyReader(engine.database().dialect)
    found = asked(engine, reader.clicks, MIDNIGHT, MIDNIGHT + HOUR)
    assert sorted(found, key=lambda click: click.channel) == [
        Clicks("", "acme", TODAY, "sale", "", 2),
        Clicks("acme-two", "acme", TODAY, "sale", "step:day-3", 1),
    ]
    assert asked(engine, reader.pushes, [push, 5]) == {push: "acme-two"}


def test_friends_of_a_day_are_those_that_the_rule_says(engine: Engine) -> None:
    """Whatever the order of follow, block, words and the day's end: the same as row by row."""
    moments = list(product(range(4), range(4), (0, 1, 3), range(4)))

    def keep(tx: StoreTransaction) -> None:
        for came, went, first, heard in moments:
            times = {"followed_at": came, "unfollowed_at": went, "heard_at": heard}
            times["first_at"] = first
            keep_friend(tx, "acme-shop", **times)
        keep_friend(tx, "acme-shop", followed_at=1, is_group=True)
        keep_friend(tx, "acme-two", followed_at=1)

    done(engine, keep)
    reader = TallyReader(engine.database().dialect)
    for by in range(5):
        states = [stood(*each[:3], by, each[3]) for each in moments]
        found = asked(engine, reader.standing, "acme-shop", by)
        assert found == (states.count("friend"), states.count("blocked"))
    assert asked(engine, reader.standing, "nobody", 1) == (0, 0)


# --- the roll-up ---


async def rolled(engine: Engine, now: int) -> list[Day]:
    """The days of the shop after they were counted at ``now``."""
    reader = TallyReader(engine.database().dialect)
    async with engine.store() as store:
        await roll(store, reader, lambda: now)
        return await store.read(
            InsightReader(engine.database().dialect).days,
            HERS,
            "acme-shop",
            since=0,
            until=TODAY + 9,
            limit=1000,
        )


@on_a_loop
async def test_days_are_counted_again_until_they_are_over_for_a_day(engine: Engine) -> None:
    """What is told late still counts; then a day stays as it is."""
    engine.provision(SHOP)

    async def told_at(now: int) -> dict[int, Day]:
        done(engine, lambda tx: keep_event(tx, "acme-shop", "message", MIDNIGHT + HOUR, now))
        return {day.day: day for day in await rolled(engine, now + MINUTE)}

    days = await told_at(MIDNIGHT + HOUR)
    assert list(days) == [TODAY - 1, TODAY]
    assert (days[TODAY].own.messages, days[TODAY].own_at) == (1, MIDNIGHT + HOUR + MINUTE)

    over = MIDNIGHT + DAY + LATE_SECONDS * SECOND
    days = await told_at(over - HOUR)
    assert days[TODAY].own.messages == 2
    assert days[TODAY - 1].own_at == over - HOUR + MINUTE  # once more, to close it

    days = await told_at(over + HOUR)
    assert (days[TODAY].own.messages, days[TODAY - 1].own_at) == (3, over - HOUR + MINUTE)
    days = await told_at(over + 2 * HOUR)
    assert (days[TODAY].own.messages, days[TODAY].own_at) == (3, over + HOUR + MINUTE)


@on_a_loop
async def test_days_of_an_outage_are_counted_afterwards(engine: Engine) -> None:
    """All of them, as far back as a month and a little."""
    engine.provision(SHOP)
    await rolled(engine, MIDNIGHT - 9 * DAY)
    done(engine, lambda tx: keep_event(tx, "acme-shop", "message", MIDNIGHT - 4 * DAY))
    days = {day.day: day.own.messages for day in await rolled(engine, MIDNIGHT + HOUR)}
    assert list(days) == list(range(TODAY - 10, TODAY + 1))
    assert [day for day, messages in days.items() if messages] == [TODAY - 4]

    def plan(tx: StoreTransaction) -> Rolling:
        return rolling(tx, MIDNIGHT + 100 * DAY)[0]

    assert done(engine, plan).first == TODAY + 100 - BACK_DAYS


@on_a_loop
async def test_what_was_taken_back_is_not_counted_any_more(engine: Engine) -> None:
    """A figure that falls to nothing is written down as nothing."""
    engine.provision(SHOP)
    done(engine, lambda tx: keep_ticket(tx, "acme-shop", MIDNIGHT, used_at=MIDNIGHT + MINUTE))
    assert (await rolled(engine, MIDNIGHT + HOUR))[-1].own.coupons_used == 1
    done(engine, lambda tx: tx.coupons.save(EVERYBODY, only(unstamped(ticket(engine, tx)))))
    assert (await rolled(engine, MIDNIGHT + 2 * HOUR))[-1].own.coupons_used == 0


def ticket(engine: Engine, tx: StoreTransaction) -> Ticket:
    """The only ticket that there is."""
    ((id_,),) = engine.rows("SELECT id FROM coupon_tickets")
    return only(tx.coupons.ticket(EVERYBODY, id_))


def only(found: Ticket | None) -> Ticket:
    assert found is not None
    return found


def test_each_stamp_of_a_ticket_counts_on_its_own_day(engine: Engine) -> None:
    """Of one that works several times; an undo takes the last one away, and it may come again."""
    many = Coupon("autumn", "acme", "Autumn", 0, 10**16, uses_per_ticket=0)
    yesterday, today = ("acme-shop", TODAY - 1), ("acme-shop", TODAY)

    def used_by_day() -> tuple[int, ...]:
        found = tallied(engine, MIDNIGHT - HOUR, MIDNIGHT + HOUR)
        return tuple(found.get(day, Own()).coupons_used for day in (yesterday, today))

    def stamp(tx: StoreTransaction, *at: int) -> None:
        for instant in at:
            tx.coupons.save(EVERYBODY, used(ticket(engine, tx), many, "pin", instant))

    def mend(tx: StoreTransaction) -> None:
        tx.coupons.save(EVERYBODY, only(unstamped(ticket(engine, tx))))
        stamp(tx, MIDNIGHT - MINUTE)

    done(engine, lambda tx: keep_ticket(tx, "acme-shop", MIDNIGHT - DAY))
    done(engine, lambda tx: stamp(tx, MIDNIGHT - 2 * SECOND, MIDNIGHT - SECOND))
    assert used_by_day() == (2, 0)
    done(engine, lambda tx: stamp(tx, MIDNIGHT, MIDNIGHT + MINUTE))
    assert used_by_day() == (2, 2)
    done(engine, lambda tx: tx.coupons.save(EVERYBODY, only(unstamped(ticket(engine, tx)))))
    assert used_by_day() == (2, 1)
    done(engine, mend)
    assert used_by_day() == (3, 0)
    assert engine.rows("SELECT number FROM coupon_uses ORDER BY number") == [(1,), (2,), (3,)]


@on_a_loop
async def test_friends_and_clicks_find_their_channel(engine: Engine) -> None:
    """Of links that several channels may use, by the push they came with."""
    engine.provision(SHOP, SECOND_SHOP, Link("sale", "acme", "https://a.example/"))

    def keep(tx: StoreTransaction) -> None:
        keep_friend(tx, "acme-shop", followed_at=MIDNIGHT - DAY)
        keep_friend(tx, "acme-shop", followed_at=MIDNIGHT + MINUTE)
        keep_friend(tx, "acme-shop", followed_at=1, unfollowed_at=MIDNIGHT + MINUTE)
        push = keep_push(tx, "acme-shop", MIDNIGHT)
        keep_click(tx, MIDNIGHT, origin=f"push:{push}")
        keep_click(tx, MIDNIGHT, origin="step:1")

    done(engine, keep)
    days = {day.day: day.own for day in await rolled(engine, MIDNIGHT + HOUR)}
    assert (days[TODAY - 1].friends, days[TODAY].friends, days[TODAY].blocked) == (2, 2, 1)
    assert (days[TODAY].clicks, days[TODAY - 1].clicks) == (1, 0)


@on_a_loop
async def test_without_channels_nothing_is_counted(engine: Engine) -> None:
    """The daemon of a firm without LINE reads and writes nothing."""
    assert await rolled(engine, MIDNIGHT) == []
    assert engine.sizes()["insight_days"] == 0


# --- what LINE is asked for ---


def claimed(engine: Engine, now: int, limit: int = 10) -> list[Ask]:
    """What is due."""
    return list(
        done(engine, lambda tx: tx.platform_figures.claim(EVERYBODY, now, now + HOUR, limit))
    )


def test_line_is_asked_in_time_and_by_one(engine: Engine) -> None:
    """From the next morning on; whoever claims it has it for a while."""
    ask = Ask("acme-shop", "acme", TODAY)
    message = Ask("acme-shop", "acme", TODAY, "request:r1")
    done(engine, lambda tx: tx.platform_figures.expect(EVERYBODY, [ask, message]))
    morning = asked_from(TODAY)
    assert claimed(engine, morning - 1) == []
    assert claimed(engine, morning) == [ask, message]
    assert claimed(engine, morning + HOUR - 1) == []
    assert claimed(engine, morning + HOUR) == [ask, message]


def test_what_is_asked_already_stays_as_it_is(engine: Engine) -> None:
    """Expecting it again neither asks again nor forgets what was told."""
    ask = Ask("acme-shop", "acme", TODAY)
    told = Told("ready", 120, None, 0, "ready", {"api_push": 30})
    done(engine, lambda tx: tx.platform_figures.expect(EVERYBODY, [ask]))
    done(engine, lambda tx: tx.platform_figures.keep_day(EVERYBODY, ask, told, None))
    done(engine, lambda tx: tx.platform_figures.expect(EVERYBODY, [ask]))
    assert claimed(engine, asked_from(TODAY) + DAY) == []
    assert day_row(engine).platform == told


def day_row(engine: Engine) -> Day:
    """The shop's day."""
    reader = InsightReader(engine.database().dialect)
    span = {"since": TODAY, "until": TODAY + 1, "limit": 9}
    (found,) = asked(engine, reader.days, HERS, "acme-shop", **span)
    return found  # type: ignore[no-any-return]  # the helper hands on whatever a reader gives


def test_ours_and_line_s_do_not_overwrite_each_other(engine: Engine) -> None:
    """Whichever of the two comes first, and again."""
    ask = Ask("acme-shop", "acme", TODAY)
    told = Told("ready", 120, 100, None, "unready")
    own = OwnDay("acme-shop", "acme", TODAY, Own(*range(1, 14)))
    done(engine, lambda tx: tx.insight.keep_own(EVERYBODY, [own], MIDNIGHT))
    assert claimed(engine, asked_from(TODAY)) == [ask]  # a day that was counted is asked for, too
    done(engine, lambda tx: tx.platform_figures.keep_day(EVERYBODY, ask, told, MIDNIGHT + DAY))
    done(engine, lambda tx: tx.insight.keep_own(EVERYBODY, [own], MIDNIGHT + HOUR))
    found = day_row(engine)
    assert (found.own, found.own_at, found.platform) == (own.own, MIDNIGHT + HOUR, told)
    assert claimed(engine, MIDNIGHT + DAY) == [ask]


def test_a_message_s_figures_are_read_as_they_were_kept(engine: Engine) -> None:
    """Null stays null; the day at which it was first expected stays, too."""
    ask = Ask("acme-shop", "acme", TODAY, "unit:sale:2026-11")
    done(engine, lambda tx: tx.platform_figures.expect(EVERYBODY, [ask]))
    later = msgspec.structs.replace(ask, day=TODAY + 3)
    done(engine, lambda tx: tx.platform_figures.expect(EVERYBODY, [later]))
    sent = Sent("acme-shop", ask.ref, "acme", TODAY, MIDNIGHT, None, 40, None)
    done(engine, lambda tx: tx.platform_figures.keep_sent(EVERYBODY, sent, None))
    reader = InsightReader(engine.database().dialect)
    span = {"since": TODAY, "until": TODAY + 1}
    assert asked(engine, reader.sent, HERS, "acme-shop", **span) == [sent]
    assert asked(engine, reader.sent, OTHERS, "acme-shop", **span) == []
    assert claimed(engine, asked_from(TODAY) + DAY) == []


def test_pushes_that_line_counts_apart_are_found(engine: Engine) -> None:
    """Those with a unit or a request of their own, that began since then."""

    def keep(tx: StoreTransaction) -> None:
        keep_push(tx, "acme-shop", MIDNIGHT - 2 * DAY, unit="old")
        keep_push(tx, "acme-shop", MIDNIGHT, unit="sale")
        keep_push(tx, "acme-shop", MIDNIGHT, request="r1")
        keep_push(tx, "acme-shop", MIDNIGHT)

    done(engine, keep)
    found = done(engine, lambda tx: tx.insight.campaigns(EVERYBODY, MIDNIGHT - DAY))
    assert [(each.unit, each.request) for each in found] == [("sale", ""), ("", "r1")]
    assert done(engine, lambda tx: tx.insight.campaigns(OTHERS, 0)) == []


# --- reports and channels ---


def test_a_month_has_its_days_findings_and_calls(engine: Engine) -> None:
    """Of this channel and month alone, for those whose channel it is."""
    month = (begin_of(TODAY) - 21 * DAY, begin_of(TODAY) + 9 * DAY)
    calls = [
        SupportCall(n, "acme", "acme-shop", at, "Sato", 10, "menu", "", "token:1")
        for n, at in enumerate((month[0] - 1, month[0], month[1] - 1, month[1]), 1)
    ]
    note = Note("acme-shop", "2026-11", "acme", "Friends grew.", MIDNIGHT, "token:1")

    def keep(tx: StoreTransaction) -> None:
        for day in (TODAY - 22, TODAY - 21, TODAY + 8, TODAY + 9):
            own = OwnDay("acme-shop", "acme", day, Own(follows=1))
            tx.insight.keep_own(EVERYBODY, [own], MIDNIGHT)
        for call in calls:
            tx.reports.log(EVERYBODY, call)
        tx.reports.write(EVERYBODY, msgspec.structs.replace(note, text="first"))
        tx.reports.write(EVERYBODY, note)

    done(engine, keep)
    reader = InsightReader(engine.database().dialect)
    found = asked(engine, reader.month, HERS, "acme-shop", "2026-11")
    assert [day.day for day in found.days] == [TODAY - 21, TODAY + 8]
    assert (found.note, found.calls, found.sent) == (note, calls[1:3], [])
    other = asked(engine, reader.month, OTHERS, "acme-shop", "2026-11")
    assert (other.days, other.note, other.calls) == ([], None, [])
    pages = [asked(engine, reader.calls, HERS, "acme-shop", after=n, limit=2) for n in (0, 2)]
    assert pages == [calls[:2], calls[2:]]


def test_channels_are_listed_with_their_state(engine: Engine) -> None:
    """The latest day's friends, the latest word of all days, and this month's quota."""
    engine.provision(SHOP, SECOND_SHOP)
    quota = Quota("acme-shop", "2026-11", "acme", "limited", 200, 12, MIDNIGHT)

    def keep(tx: StoreTransaction) -> None:
        for day, friends, last_at in ((TODAY - 1, 5, MIDNIGHT - HOUR), (TODAY, 6, 0)):
            own = OwnDay("acme-shop", "acme", day, Own(friends=friends, last_at=last_at))
            tx.insight.keep_own(EVERYBODY, [own], MIDNIGHT)
        tx.platform_figures.expect(EVERYBODY, [Ask("acme-shop", "acme", TODAY + 1)])
        tx.outbox.quotas.save(EVERYBODY, quota)

    done(engine, keep)
    reader = ChannelReader(engine.database().dialect)
    given = {"month": "2026-11", "after": "", "limit": 9}
    found = asked(engine, reader.channels, HERS, **given)
    own = Own(friends=6, last_at=MIDNIGHT - HOUR)
    assert found == [
        ChannelState(SHOP, quota, own, MIDNIGHT),
        ChannelState(SECOND_SHOP, None, Own(), 0),
    ]
    behind = given | {"after": "acme-shop"}
    assert [each.channel.id for each in asked(engine, reader.channels, HERS, **behind)] == [
        "acme-two"
    ]
    assert asked(engine, reader.channels, OTHERS, **given) == []
    assert asked(engine, reader.channel, HERS, "acme-shop") == SHOP
    assert asked(engine, reader.channel, OTHERS, "acme-shop") is None
    assert asked(engine, reader.channel, HERS, "nothing") is None


@pytest.mark.parametrize(
    ("scans", "found"),
    [((), (0, 0)), (("pending",), (1, 0)), (("given", "pending", "given"), (3, 2))],
)
def test_who_logged_in_is_counted(
    engine: Engine, scans: tuple[str, ...], found: tuple[int, int]
) -> None:
    """A scan that was given its points is a friend's; users are counted once."""
    with closing(engine.raw()) as connection:
        for number, state in enumerate(scans):
            for again in range(2):
                connection.execute(
                    "INSERT INTO card_scans VALUES "
                    f"('n{number}-{again}', 'acme', 'acme-shop', 'U{number}', 'card', 'qr', 1,"
                    f" {MIDNIGHT}, '{state}', 1)"
                )
    reader = ChannelReader(engine.database().dialect)
    assert asked(engine, reader.logins, HERS, "acme-shop", MIDNIGHT) == found
    assert asked(engine, reader.logins, HERS, "acme-shop", MIDNIGHT + 1) == (0, 0)
    assert asked(engine, reader.logins, HERS, "other", MIDNIGHT) == (0, 0)
