"""Series of steps on both engines: begun once, sent when due, ended by what friends do."""

import json

import msgspec
import pytest

from gateway.domain.links import Link
from gateway.domain.pushes import Step, StepSeries
from gateway.domain.values import EVERYBODY
from gateway.usecases import audience
from tests.support.audience import DAY, HOUR, NIGHTLY, NOON, SHOP, Desk, friend, text, user_of
from tests.support.stores import Engine

EVENING = 19 * 60
WELCOME = StepSeries(
    "welcome",
    "acme",
    SHOP.id,
    "follow",
    (
        Step(0, (text("ようこそ"),)),
        Step(3, (text("三日目 {link:menu}"),), EVENING),
        Step(7, (text("{name}様"),), EVENING),
    ),
    stop_on=("bought",),
)
MENU = Link("menu", "acme", "https://shop.example.jp/menu")
TAGGED = StepSeries("care", "acme", SHOP.id, "tag:care", (Step(1, (text("ケア"),)),), again=True)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A shop with two series."""
    engine.provision(SHOP, WELCOME, TAGGED, MENU)
    return Desk(engine)


def follow(desk: Desk, *friends: int, at: int = NOON) -> None:
    """Friends come."""
    desk.follow(*map(friend, friends), at=at)


def send(desk: Desk, now: int) -> list[tuple[str, list[str], str]]:
    """What goes out at ``now``: kind, users and text."""
    before = len(desk.accepted)
    while desk.step(now):
        pass
    while desk.carry_out(now):
        pass
    return [(each.kind, *_told(json.loads(each.payload))) for each in desk.accepted[before:]]


def _told(payload: dict[str, object]) -> tuple[list[str], str]:
    to, messages = payload["to"], payload["messages"]
    assert isinstance(messages, list)
    return (to if isinstance(to, list) else [str(to)]), messages[0]["text"]


def runs(desk: Desk) -> list[tuple[object, ...]]:
    """Every run: series, friend, state, sent, skipped, next step."""
    return desk.engine.rows(
        "SELECT series, friend, state, sent, skipped, next_step FROM step_runs"
        " ORDER BY series, friend"
    )


def test_steps_are_sent_on_their_days(desk: Desk) -> None:
    """At once, on the third evening with a link, and on the seventh with the friend's name."""
    follow(desk, 1, 2)
    users = [user_of(1), user_of(2)]
    assert send(desk, NOON) == [("line.multicast", users, "ようこそ")]
    assert send(desk, NOON + 3 * DAY + 7 * HOUR - 1) == []
    ((kind, to, words),) = send(desk, NOON + 3 * DAY + 7 * HOUR)
    assert (kind, to) == ("line.multicast", users)
    assert words.startswith("三日目 https://gw.example.jp/r/")
    later = send(desk, NOON + 7 * DAY + 7 * HOUR)
    assert sorted(later) == [
        ("line.push", [user_of(1)], "{name}様"),
        ("line.push", [user_of(2)], "{name}様"),
    ]
    assert runs(desk) == [("welcome", 1, "done", 3, 0, 3), ("welcome", 2, "done", 3, 0, 3)]
    assert send(desk, NOON + 30 * DAY) == []


def test_a_step_comes_in_the_friend_s_own_stream(desk: Desk) -> None:
    """What is sent to one friend alone does not overtake what they were answered."""
    follow(desk, 1)
    desk.step(NOON + 10 * DAY)
    ((stream, origin),) = desk.engine.rows("SELECT stream, origin FROM outbox")
    assert (stream, origin) == (f"line/{SHOP.id}/{user_of(1)}", "step:welcome:3")


def test_after_an_outage_only_the_latest_step_is_sent(desk: Desk) -> None:
    """What was missed is skipped and counted, not sent all at once."""
    follow(desk, 1)
    assert send(desk, NOON + 3 * DAY + 8 * HOUR)[0][2].startswith("三日目")
    assert runs(desk) == [("welcome", 1, "running", 1, 1, 2)]


def test_who_comes_back_does_not_get_it_again(desk: Desk) -> None:
    """A second follow begins nothing, whether the series is under way or over."""
    follow(desk, 1)
    send(desk, NOON)
    follow(desk, 1, at=NOON + HOUR)
    assert send(desk, NOON + HOUR) == []
    send(desk, NOON + 7 * DAY + 7 * HOUR)
    follow(desk, 1, at=NOON + 30 * DAY)
    assert send(desk, NOON + 30 * DAY) == []


def test_who_leaves_gets_nothing_more(desk: Desk) -> None:
    """A block ends what is on its way, and so it does where nobody told of it in time."""
    follow(desk, 1, 2)
    with desk.transaction() as tx:
        audience.left(tx, SHOP, friend(1), NOON)
    desk.block(2)
    assert send(desk, NOON) == []
    assert [run[2] for run in runs(desk)] == ["blocked", "blocked"]


def test_who_stops_gets_nothing_more_until_they_start(desk: Desk) -> None:
    """A stop ends series and begins none; the words of a button do it."""
    follow(desk, 1)
    known = friend(1)
    with desk.transaction() as tx:
        audience.said(tx, known, "gw/stop", NOON)
        audience.said(tx, known, "何時まで", NOON)
        audience.tag(tx, known, ["care"], NOON)
        assert tx.pushes.stops.has_stopped(EVERYBODY, 1)
    assert runs(desk) == [("welcome", 1, "stopped", 0, 0, 0)]
    with desk.transaction() as tx:
        audience.said(tx, known, "gw/start", NOON)
        audience.tag(tx, known, ["care"], NOON)
        assert not tx.pushes.stops.has_stopped(EVERYBODY, 1)
    assert send(desk, NOON + 2 * DAY) == []
    with desk.transaction() as tx:
        audience.untag(tx, known, ["care"])
        audience.tag(tx, known, ["care"], NOON + 3 * DAY)
    assert len(send(desk, NOON + 4 * DAY)) == 1


def test_a_tag_begins_a_series_and_ends_another(desk: Desk) -> None:
    """A tag of stop_on ends it, and whoever has it already does not begin."""
    follow(desk, 1, 2)
    with desk.transaction() as tx:
        audience.tag(tx, friend(1), ["bought", "care"], NOON)
    assert send(desk, NOON) == [("line.multicast", [user_of(2)], "ようこそ")]
    assert ("welcome", 1, "tagged", 0, 0, 0) in runs(desk)
    assert send(desk, NOON + DAY) == [("line.multicast", [user_of(1)], "ケア")]
    desk.tag([3], "bought")
    follow(desk, 3)
    assert ("welcome", 3) not in {run[:2] for run in runs(desk)}


def test_a_series_may_begin_again(desk: Desk) -> None:
    """With again it begins anew for who is tagged anew, and its steps are sent once more."""
    desk.befriend(friend(1))
    for round_ in range(2):
        at = NOON + 10 * round_ * DAY
        with desk.transaction() as tx:
            audience.tag(tx, friend(1), ["care"], at)
        assert len(send(desk, at + DAY)) == 1
        with desk.transaction() as tx:
            audience.untag(tx, friend(1), ["care"])
    assert desk.engine.rows("SELECT round, sent FROM step_runs") == [(2, 1)]


def test_a_step_waits_for_the_end_of_quiet_hours(engine: Engine) -> None:
    """What falls into the night is sent in the morning."""
    engine.provision(NIGHTLY, WELCOME, MENU)
    desk = Desk(engine)
    late = NOON + 10 * HOUR
    follow(desk, 1, at=late)
    assert send(desk, late) == []
    assert send(desk, NOON + 21 * HOUR - 1) == []
    assert len(send(desk, NOON + 21 * HOUR)) == 1


def test_a_series_that_went_ends(desk: Desk) -> None:
    """So does one whose link was taken away."""
    follow(desk, 1)
    send(desk, NOON)
    with desk.transaction() as tx:
        audience.tag(tx, friend(1), ["care"], NOON)
    desk.engine.provision(removed=(TAGGED, MENU))
    assert send(desk, NOON + 10 * DAY) != []  # the last step has no link
    assert {run[2] for run in runs(desk)} == {"done", "removed"}
    follow(desk, 2)
    shorter = msgspec.structs.replace(WELCOME, steps=WELCOME.steps[1:2])
    desk.engine.provision(shorter)
    assert send(desk, NOON + 4 * DAY) == []
    assert ("welcome", 2, "removed", 0, 0, 0) in runs(desk)


def test_many_friends_get_a_step_in_few_requests(desk: Desk) -> None:
    """1,200 friends are three multicasts, each friend once."""
    follow(desk, *range(1, 1201))
    assert [len(to) for _, to, _ in send(desk, NOON)] == [500, 500, 200]
    assert len(set(desk.received)) == len(desk.received) == 1200


def test_groups_are_not_pushed_anything(desk: Desk) -> None:
    """A group that the shop joins begins no series and gets no tags."""
    group = friend(1, is_group=True)
    desk.befriend(group)
    with desk.transaction() as tx:
        audience.befriended(tx, SHOP, group, NOON, desk.seed().draw(), NOON)
        assert audience.tag(tx, group, ["care"], NOON) == []
    assert runs(desk) == []
