"""Pushes on both engines: who gets them, once, whatever comes between."""

import json
from contextlib import closing

import msgspec
import pytest

from adapters.storage.database import reading
from adapters.storage.pushes import PushReader
from gateway.domain.access import Access
from gateway.domain.audience import Segment, Tagged
from gateway.domain.links import Link
from gateway.domain.pushes import (
    AHEAD,
    MULTICAST,
    PROGRESS,
    SINGLY,
    Demographic,
    Named,
    OfSegment,
    Push,
)
from gateway.domain.values import EVERYBODY, SECOND, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Transaction
from gateway.ports.outbox import Outcome
from gateway.usecases import narrowcasts, push_sending, pushes
from tests.support.audience import (
    DAY,
    HOUR,
    NIGHTLY,
    NOON,
    SHOP,
    Desk,
    accepted,
    friend,
    text,
    user_of,
    users_of,
)
from tests.support.stores import Engine, dialect_of

VIPS = Segment("vips", "acme", SHOP.id, Tagged("vip"))
MENU = Link("menu", "acme", "https://shop.example.jp/menu")
WOMEN = Demographic({"type": "gender", "oneOf": ["female"]})


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A shop with a segment, a link and room in its quota."""
    engine.provision(SHOP, VIPS, MENU)
    desk = Desk(engine)
    desk.allow(100_000)
    return desk


def many(desk: Desk, count: int) -> None:
    """So many friends."""
    desk.befriend(*(friend(ordinal) for ordinal in range(1, count + 1)))


def hand_out(desk: Desk, push: Push, batches: int, now: int = NOON) -> None:
    """Advance until so many batches are in the outbox."""
    while desk.push(push).handed < batches:
        assert desk.advance(now)


def reserved(desk: Desk) -> tuple[int, int]:
    """What of the month is promised, and what is spent."""
    ((promised, spent),) = desk.engine.rows("SELECT reserved, spent FROM line_quotas")
    return promised, spent


def test_a_push_reaches_each_friend_of_its_segment_once(desk: Desk) -> None:
    """Who blocked the shop or stopped pushes is left out, and the figures say so."""
    many(desk, 12)
    desk.tag(range(1, 11), "vip")
    desk.block(3)
    push = desk.create(OfSegment("vips"), silent=True, unit="autumn_1")
    desk.advance()
    desk.stop(4)
    desk.work()
    assert sorted(desk.received) == [user_of(n) for n in (1, 2, 5, 6, 7, 8, 9, 10)]
    (sent,) = desk.accepted
    assert sent.kind == "line.multicast"
    assert sent.origin == f"push:{push.id}"
    payload = json.loads(sent.payload)
    assert payload["messages"] == [text("セール")]
    assert payload["notificationDisabled"] is True
    assert payload["customAggregationUnits"] == ["autumn_1"]
    done = desk.push(push)
    assert (done.state, done.recipients, done.sent, done.stopped) == ("done", 9, 8, 1)
    assert done.due_at is None
    assert reserved(desk) == (0, 8)


def test_ten_thousand_friends_are_twenty_requests(desk: Desk) -> None:
    """The work is by batches: no unit and no effect for a single recipient."""
    many(desk, 10_000)
    push = desk.create()
    steps = 0
    while desk.push(push).state != "done":
        steps += 1
        desk.advance(NOON + steps * SECOND)
        desk.carry_out(NOON + steps * SECOND)
    assert len(desk.accepted) == 10_000 // MULTICAST
    assert all(len(users_of(each)) == MULTICAST for each in desk.accepted)
    assert len(set(desk.received)) == len(desk.received) == 10_000
    assert steps < 40


def test_a_personal_push_is_sent_one_by_one_with_codes_of_their_own(desk: Desk) -> None:
    """A friend's name and a link make a request for each, and each link its own code."""
    many(desk, SINGLY + 20)
    push = desk.create(messages=(text("{name}様 {link:menu}"),))
    desk.work()
    assert {each.kind for each in desk.accepted} == {"line.push"}
    assert sorted(desk.received) == [user_of(n) for n in range(1, SINGLY + 21)]
    told = {json.loads(each.payload)["messages"][0]["text"] for each in desk.accepted}
    assert len(told) == SINGLY + 20
    codes = desk.engine.rows("SELECT friend, origin FROM link_codes")
    assert sorted(codes) == [(n, push.origin) for n in range(1, SINGLY + 21)]


def test_a_multicast_has_one_code_for_all(desk: Desk) -> None:
    """All batches of a push lead by the same short address."""
    many(desk, MULTICAST + 1)
    desk.create(messages=(text("{link:menu}"),))
    desk.work()
    assert len(desk.accepted) == 2
    assert len({json.loads(each.payload)["messages"][0]["text"] for each in desk.accepted}) == 1
    assert len(desk.engine.rows("SELECT code FROM link_codes WHERE friend = 0")) == 1


def test_cancel_works_up_to_the_last_batch(desk: Desk) -> None:
    """What is out stays out, what waits in the outbox is taken back, the rest is not asked for."""
    many(desk, MULTICAST * (AHEAD + 2))
    push = desk.create()
    hand_out(desk, push, AHEAD)
    assert desk.push(push).handed == AHEAD
    (first,) = desk.claim(NOON)  # on its way to the platform
    cancelled = desk.cancel(push)
    assert (cancelled.state, cancelled.taken_back) == ("cancelled", MULTICAST * (AHEAD - 1))
    assert cancelled.due_at is not None
    assert desk.cancel(push).taken_back == cancelled.taken_back
    desk.settle(NOON, (first, accepted(first, NOON)))
    end = desk.work(NOON + 61 * SECOND)
    assert len(desk.received) == len(set(desk.received)) == MULTICAST
    over = desk.push(push)
    assert (over.state, over.sent, over.closed) == ("cancelled", MULTICAST, AHEAD)
    assert over.due_at is None
    assert not desk.advance(end + DAY)
    assert reserved(desk) == (0, MULTICAST)


def test_cancel_takes_back_pushes_one_by_one(desk: Desk) -> None:
    """Of a personal push those that no worker has taken are withdrawn, friend by friend."""
    many(desk, SINGLY)
    push = desk.create(messages=(text("{name}様"),))
    hand_out(desk, push, 1)
    taken = desk.claim(NOON, 30)
    cancelled = desk.cancel(push)
    assert cancelled.taken_back == SINGLY - 30
    desk.settle(NOON, *((each, accepted(each, NOON)) for each in taken))
    desk.work(NOON + SECOND)
    assert (desk.push(push).sent, len(desk.received)) == (30, 30)
    assert desk.push(push).due_at is None
    assert reserved(desk) == (0, 30)


def test_a_scheduled_push_is_cancelled_before_anybody_gets_it(desk: Desk) -> None:
    """It never begins; what is over cannot be cancelled any more."""
    many(desk, 3)
    push = desk.create(at=NOON + HOUR)
    assert not desk.advance(NOON + HOUR - 1)
    assert desk.cancel(push).state == "cancelled"
    assert not desk.advance(NOON + 2 * HOUR)
    other = desk.create()
    desk.work()
    with pytest.raises(Refused) as caught:
        desk.cancel(other)
    assert caught.value.reason is Refusal.PUSH_OVER
    with pytest.raises(Refused) as caught:
        desk.run(
            pushes.cancel,
            pushes.Cancel(Scope(frozenset({"other"})), _access(), other.id, NOON),
        )
    assert caught.value.reason is Refusal.NOT_FOUND


def test_a_unit_that_is_lost_between_batches_is_run_again(desk: Desk) -> None:
    """A transaction that was rolled back after handing a batch out leaves nobody out or twice."""
    many(desk, MULTICAST * 3)
    push = desk.create()
    now, lost = NOON, 0
    while desk.push(push).state != "done":
        with pytest.raises(_Lost):
            desk.run(_advance_and_die, push_sending.Advance(now, desk.seed(now)))
        lost += 1
        desk.advance(now)
        desk.carry_out(now)
        now += SECOND
    assert lost > 5
    assert len(desk.received) == len(set(desk.received)) == MULTICAST * 3


class _Lost(Exception):
    """The process died before its commit."""


def _advance_and_die(tx: Transaction, job: push_sending.Advance) -> None:
    push_sending.advance(tx, job)
    raise _Lost


def test_refused_and_unknown_batches_are_told_apart(desk: Desk) -> None:
    """What the platform refused and what nobody knows is counted, and its quota given back."""
    many(desk, MULTICAST * 2 + 1)
    push = desk.create()
    hand_out(desk, push, 3)
    for state in ("dead", "unknown", "done"):
        (claimed,) = desk.claim(NOON)
        outcome = accepted(claimed, NOON) if state == "done" else Outcome(state)
        desk.settle(NOON, (claimed, outcome))
    desk.work(NOON + SECOND)
    over = desk.push(push)
    assert (over.state, over.sent, over.refused, over.unknown) == ("done", 1, 500, 500)
    assert set(desk.states(push).values()) == {"sent", "refused", "unknown"}
    assert reserved(desk) == (0, 1)


def test_quota_is_known_before(desk: Desk) -> None:
    """What does not fit is refused at once, or halted where it grew too large until its time."""
    many(desk, 10)
    desk.allow(8)
    with pytest.raises(Refused) as caught:
        desk.create(expected=10)
    assert caught.value.reason is Refusal.QUOTA_TOO_SMALL
    push = desk.create(expected=8)
    desk.work()
    halted = desk.push(push)
    assert (halted.state, halted.reason, desk.received) == ("halted", "quota", [])
    some = desk.create(expected=10, partial=True)
    desk.work()
    over = desk.push(some)
    assert (over.state, over.sent, over.over_quota) == ("done", 8, 2)
    assert reserved(desk) == (0, 8)


def test_a_push_waits_for_the_platform_to_say_what_there_is(engine: Engine) -> None:
    """Of an unknown month nothing is promised; after an hour without a word it is halted."""
    engine.provision(SHOP)
    desk = Desk(engine)
    many(desk, 2)
    one, other = desk.create(), desk.create(at=NOON + 30 * DAY)
    while desk.advance(NOON):
        pass
    assert desk.push(one).state == "preparing"
    desk.allow(None)
    desk.work(NOON + 60 * SECOND)
    assert desk.push(one).state == "done"
    later = NOON + 30 * DAY
    while desk.advance(later):
        pass
    while desk.advance(later + HOUR):
        pass
    assert (desk.push(other).state, desk.push(other).reason) == ("halted", "quota")


def test_nothing_is_handed_out_in_quiet_hours(engine: Engine) -> None:
    """What is set up for the night is moved to the morning, and a push that runs into it waits."""
    engine.provision(NIGHTLY)
    desk = Desk(engine)
    desk.allow(None)
    desk.allow(None, now=NOON + DAY)
    many(desk, 1)
    nine = NOON + 9 * HOUR  # 21:00
    assert desk.create(at=nine).at == NOON + 21 * HOUR
    assert desk.create(at=nine - SECOND).at == nine - SECOND
    assert desk.create(at=NOON + 21 * HOUR).at == NOON + 21 * HOUR
    push = desk.create(at=nine - SECOND)
    assert desk.advance(nine + HOUR)
    assert desk.advance(nine + HOUR)
    assert not desk.advance(nine + HOUR)
    assert desk.push(push).due_at == NOON + 21 * HOUR
    assert desk.work(NOON + 21 * HOUR)
    assert len(desk.received) == 4


def test_named_friends_of_the_channel_alone_get_it(desk: Desk) -> None:
    """Each of them once; a stranger among them is refused."""
    many(desk, 5)
    desk.befriend(friend(9, channel="other-shop"))
    desk.create(Named((4, 2, 2)))
    desk.work()
    assert sorted(desk.received) == [user_of(2), user_of(4)]
    with pytest.raises(Refused) as caught:
        desk.create(Named((1, 9)))
    assert caught.value.reason is Refusal.UNKNOWN_REFERENCE


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"whom": OfSegment("nobody")}, Refusal.UNKNOWN_REFERENCE),
        ({"messages": (text("{link:nowhere}"),)}, Refusal.UNKNOWN_REFERENCE),
        ({"messages": ({"type": "coupon", "coupon": "none"},)}, Refusal.UNKNOWN_REFERENCE),
        ({"messages": (text("x" * 5001),)}, Refusal.MESSAGE_INVALID),
        ({"messages": ()}, Refusal.MESSAGE_INVALID),
        ({"at": NOON - HOUR}, Refusal.INVALID_FIELD),
        ({"at": NOON + 400 * DAY}, Refusal.INVALID_FIELD),
        ({"whom": WOMEN, "unit": "a"}, Refusal.NOT_IN_ONE),
        ({"whom": WOMEN, "messages": (text("{name}様"),)}, Refusal.NOT_IN_ONE),
    ],
)
def test_what_cannot_be_sent_is_refused_when_it_is_set_up(
    desk: Desk, wrong: dict[str, object], reason: Refusal
) -> None:
    """Each mistake has its reason, and nothing is kept."""
    with pytest.raises(Refused) as caught:
        desk.create(**wrong)  # type: ignore[arg-type]
    assert caught.value.reason is reason
    assert desk.engine.sizes()["pushes"] == 0


def test_a_segment_or_channel_that_went_fails_the_push(desk: Desk) -> None:
    """Nobody gets a push whose segment is not there any more."""
    many(desk, 2)
    push = desk.create(OfSegment("vips"), at=NOON + HOUR)
    linked = desk.create(messages=(text("{link:menu}"),), at=NOON + HOUR)
    desk.engine.provision(removed=(VIPS, MENU))
    desk.work(NOON + HOUR)
    assert (desk.push(push).state, desk.push(push).reason) == ("failed", "segment")
    assert (desk.push(linked).state, desk.push(linked).reason) == ("failed", "link")
    other = desk.create(at=NOON + 2 * HOUR)
    desk.engine.provision(removed=(SHOP,))
    desk.work(NOON + 2 * HOUR)
    assert (desk.push(other).state, desk.push(other).reason) == ("failed", "channel")
    assert desk.received == []


def test_a_channel_uses_a_thousand_aggregation_units_a_month(desk: Desk) -> None:
    """One more name is refused, a known one is not."""
    many(desk, 1)
    month = "2026-11"
    with closing(desk.engine.raw()) as raw:
        for ordinal in range(1, 1000):
            raw.execute(
                "INSERT INTO aggregation_units (channel, month, unit, advertiser)"
                f" VALUES ('{SHOP.id}', '{month}', 'u{ordinal}', 'acme')"
            )
    desk.create(unit="last")
    desk.create(unit="u7")
    with pytest.raises(Refused) as caught:
        desk.create(unit="one_more")
    assert caught.value.reason is Refusal.TOO_MANY_UNITS
    desk.create(unit="one_more", at=NOON + 30 * DAY)


# --- narrowcasts ---


def test_a_narrowcast_is_one_request_whose_progress_ends_it(desk: Desk) -> None:
    """The platform chooses; what it says of success and failure are the figures."""
    many(desk, 3)
    push = desk.create(WOMEN, expected=3)
    desk.work()
    (sent,) = desk.accepted
    payload = json.loads(sent.payload)
    assert sent.kind == "line.narrowcast"
    assert payload["filter"] == {"demographic": WOMEN.filter}
    assert payload["limit"] == {"max": 3}
    open_ = desk.push(push)
    assert (open_.state, open_.request) == ("sending", "r-1")
    reader = PushReader(dialect_of(desk.engine.name))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        assert [p.id for p in reader.narrowcasts(connection, NOON - DAY)] == [push.id]
    told = narrowcasts.Progress(push.id, "sending", 0, 0, NOON)
    desk.run(narrowcasts.keep, told)
    assert desk.push(push).state == "sending"
    told = msgspec.structs.replace(told, phase="succeeded", success=2, failure=1)
    _, facts = desk.run(narrowcasts.keep, told)
    over = desk.push(push)
    assert (over.state, over.sent, over.refused, over.due_at) == ("done", 2, 1, None)
    assert len(facts) == 1
    assert desk.run(narrowcasts.keep, told)[1] == ()


def test_a_narrowcast_of_which_the_platform_says_nothing_is_unknown(desk: Desk) -> None:
    """After two weeks nobody can be asked any more."""
    many(desk, 2)
    push = desk.create(WOMEN, expected=2)
    end = desk.work()
    desk.advance(end + PROGRESS + DAY)
    assert (desk.push(push).state, desk.push(push).unknown) == ("done", 2)


def test_a_narrowcast_is_cancelled_until_the_platform_has_it(desk: Desk) -> None:
    """In the outbox it is taken back; afterwards it is too late."""
    many(desk, 2)
    push = desk.create(WOMEN, expected=2)
    hand_out(desk, push, 1)
    assert desk.cancel(push).taken_back == 2
    assert reserved(desk) == (0, 0)
    other = desk.create(WOMEN, expected=2)
    desk.work()
    with pytest.raises(Refused) as caught:
        desk.cancel(other)
    assert caught.value.reason is Refusal.PUSH_OVER


def test_nobody_who_stopped_is_reached_by_a_narrowcast(desk: Desk) -> None:
    """The platform does not know who stopped: with one of them it is refused, or fails."""
    many(desk, 2)
    push = desk.create(WOMEN, expected=2)
    desk.stop(1)
    desk.work()
    assert (desk.push(push).state, desk.push(push).reason) == ("failed", "stops")
    assert desk.accepted == []
    with pytest.raises(Refused) as caught:
        desk.create(WOMEN, expected=2)
    assert caught.value.reason is Refusal.STOPS_PRESENT


@pytest.mark.parametrize(("state", "ended"), [("dead", "platform"), ("unknown", "unknown")])
def test_a_narrowcast_that_the_platform_refused_fails(desk: Desk, state: str, ended: str) -> None:
    """Its quota is given back."""
    many(desk, 2)
    push = desk.create(WOMEN, expected=2)
    hand_out(desk, push, 1)
    (claimed,) = desk.claim()
    desk.settle(NOON, (claimed, Outcome(state)))  # type: ignore[arg-type]
    desk.work(NOON + SECOND)
    assert (desk.push(push).state, desk.push(push).reason) == ("failed", ended)
    assert reserved(desk) == (0, 0)


# --- reading ---


def test_readers_show_pushes_within_the_scope(desk: Desk) -> None:
    """Pages go by id; another advertiser sees none of it."""
    many(desk, 1)
    made = [desk.create(at=NOON + HOUR) for _ in range(3)]
    reader, other = PushReader(dialect_of(desk.engine.name)), Scope(frozenset({"other"}))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        page = reader.page(connection, EVERYBODY, channel=None, after=0, limit=2)
        assert page == made[:2]
        page = reader.page(connection, EVERYBODY, channel=SHOP.id, after=made[1].id, limit=2)
        assert page == made[2:]
        assert reader.page(connection, other, channel=None, after=0, limit=9) == []
        assert reader.one(connection, EVERYBODY, made[0].id) == made[0]
        assert reader.one(connection, other, made[0].id) is None
        assert reader.is_due(connection, NOON) == (False, False)
        assert reader.is_due(connection, NOON + HOUR) == (True, False)


def test_recipients_are_forgotten_a_batch_at_a_time(desk: Desk) -> None:
    """What is older than its retention goes, and the figures of the push stay."""
    many(desk, MULTICAST + 1)
    push = desk.create()
    desk.work()
    assert desk.run(push_sending.forget, push_sending.Forget(NOON))[0] == 0
    gone = [desk.run(push_sending.forget, push_sending.Forget(NOON + DAY))[0] for _ in range(3)]
    assert gone == [MULTICAST, 1, 0]
    assert desk.push(push).sent == MULTICAST + 1


def _access() -> Access:
    return Access(8, "manager", "test", ("other",), NOON)
