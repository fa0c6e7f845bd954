"""A push reaches whom it is for, each once, whatever comes between."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import pushes as domain
from gateway.domain.audience import Segment, Tagged
from gateway.domain.pushes import OVER, OfSegment, Push
from gateway.domain.values import SECOND
from gateway.errors import Refused
from gateway.ports import Transaction
from gateway.ports.outbox import Claimed, Outcome
from gateway.usecases import push_sending
from tests.support.audience import NOON, SHOP, Desk, accepted, friend, text, users_of
from tests.support.stores import sqlite_engine

VIPS = Segment("vips", "acme", SHOP.id, Tagged("vip"))
TABLES = ("pushes", "push_recipients", "push_stops", "friend_tags", "line_friends", "outbox")


@pytest.fixture(scope="module")
def desk(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A shop with a segment."""
    engine = sqlite_engine(sqlite_template, tmp_path_factory.mktemp("pushes"))
    engine.provision(SHOP, VIPS)
    return Desk(engine)


@pytest.fixture(scope="module", autouse=True)
def _small_batches() -> Iterator[None]:
    """Few friends make many batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain, "MULTICAST", 3)
        patch.setattr(domain, "SINGLY", 2)
        patch.setattr(push_sending, "PAGE", 4)
        yield


class _Died(Exception):
    """The process ended before its commit."""


def _advance_and_die(tx: Transaction, job: push_sending.Advance) -> None:
    push_sending.advance(tx, job)
    raise _Died


class Story:
    """A push, what happens to it, and what the platform saw."""

    def __init__(self, desk: Desk, members: set[int], *, singly: bool, at_once: int) -> None:
        with closing(desk.engine.raw()) as raw:
            for table in (*TABLES, "line_quotas", "audit"):
                raw.execute(f"DELETE FROM {table}")
        desk.accepted.clear()
        desk.befriend(*(friend(n) for n in range(1, 16)))
        desk.tag(members, "vip")
        desk.allow(None)
        self.desk = desk
        self.now = NOON
        self.members = members
        self.at_once = at_once
        self.unwilling: set[int] = set()
        self.too_late: set[int] = set()
        """Who stopped or blocked after their batch was handed out."""
        self.by_key: dict[str, list[str]] = {}
        self.taken: list[Claimed] = []
        words = "{name}様" if singly else "セール"
        self.push = desk.create(OfSegment("vips"), messages=(text(words),))

    @property
    def state(self) -> Push:
        """The push as it stands."""
        return self.desk.push(self.push)

    def advance(self) -> None:
        """One step."""
        self.desk.advance(self.now)
        self.now += SECOND

    def die(self) -> None:
        """One step that is lost."""
        with pytest.raises(_Died):
            self.desk.run(
                _advance_and_die, push_sending.Advance(self.now, self.desk.seed(self.now))
            )

    def take(self) -> None:
        """A worker takes something out of the outbox."""
        self.now += 20 * SECOND  # leases of workers that died have run out
        self.taken += self.desk.claim(self.now, self.at_once)

    def send(self, *, heard: bool) -> None:
        """A worker asks the platform, which honours the key; its answer may be lost."""
        for claimed in self.taken:
            self.by_key.setdefault(claimed.key, users_of(claimed))
            if heard:
                self.desk.settle(self.now, (claimed, accepted(claimed, self.now)))
        self.taken.clear()

    def refuse(self) -> None:
        """The platform refuses what it did not take before."""
        for claimed in self.taken:
            if claimed.key not in self.by_key:
                self.desk.settle(self.now, (claimed, Outcome("dead", error="refused")))
        self.taken.clear()

    def leave(self, friend_id: int, *, by_blocking: bool) -> None:
        """A friend stops pushes, or blocks the shop."""
        if friend_id in self.unwilling:
            return
        (self.desk.block if by_blocking else self.desk.stop)(friend_id)
        self.unwilling.add(friend_id)
        if self.desk.states(self.push).get(friend_id, "fixed") != "fixed":
            self.too_late.add(friend_id)

    def cancel(self) -> None:
        """A person cancels."""
        try:
            self.desk.cancel(self.push, self.now)
        except Refused:
            assert self.state.state in OVER

    def end(self) -> None:
        """Everything comes to its end."""
        for _ in range(100):
            self.advance()
            self.take()
            self.send(heard=True)
            if self.state.due_at is None:
                return
        raise AssertionError(self.state)

    def check(self) -> None:
        """Whom it reached is whom it was for, once each; the figures say the same."""
        received = [int(user[1:], 16) for users in self.by_key.values() for user in users]
        assert max(Counter(received).values(), default=1) == 1
        assert all(len(users) <= domain.MULTICAST for users in self.by_key.values())
        assert set(received) <= self.members - (self.unwilling - self.too_late)
        push, states = self.state, self.desk.states(self.push)
        if push.prepared_to == "*":  # recipients were fixed
            assert set(states) <= self.members
        counts = Counter(states.values())
        assert push.sent == counts["sent"] == len(received)
        assert push.refused == counts["refused"]
        assert push.taken_back == counts["taken_back"]
        assert push.stopped + push.blocked == counts["stopped"] + counts["blocked"]
        assert counts["handed"] == 0
        assert push.recipients == len(states)
        if push.state == "done":
            assert counts["fixed"] == 0
            reached = {friend_id for friend_id, state in states.items() if state == "sent"}
            assert reached == set(received)
        ((promised,),) = self.desk.engine.rows("SELECT reserved FROM line_quotas")
        assert promised == 0


def actions() -> st.SearchStrategy[list[tuple[str, int]]]:
    """What may happen, with a number of a friend."""
    names = ("advance",) * 5 + (
        "die",
        "take",
        "take",
        "send",
        "lose",
        "refuse",
        "stop",
        "block",
        "cancel",
        "cancel",
    )
    return st.lists(st.tuples(st.sampled_from(names), st.integers(1, 15)), max_size=40)


@settings(max_examples=60)
@given(
    members=st.sets(st.integers(1, 15), max_size=15),
    singly=st.booleans(),
    at_once=st.integers(1, 8),
    happenings=actions(),
)
def test_each_recipient_gets_a_push_at_most_once_and_the_figures_are_true(
    desk: Desk,
    members: set[int],
    singly: bool,
    at_once: int,
    happenings: list[tuple[str, int]],
) -> None:
    """Over lost transactions, lost answers, refusals, stops, blocks and cancels in any order."""
    story = Story(desk, members, singly=singly, at_once=at_once)
    for name, friend_id in happenings:
        if name in ("stop", "block"):
            story.leave(friend_id, by_blocking=name == "block")
        elif name in ("send", "lose"):
            story.send(heard=name == "send")
        else:
            {
                "advance": story.advance,
                "die": story.die,
                "take": story.take,
                "refuse": story.refuse,
                "cancel": story.cancel,
            }[name]()
    story.end()
    story.check()


@settings(max_examples=30)
@given(
    members=st.sets(st.integers(1, 15), min_size=1, max_size=15),
    gone=st.sets(st.integers(1, 15), max_size=5),
    singly=st.booleans(),
)
def test_a_push_without_trouble_reaches_all_who_want_it(
    desk: Desk, members: set[int], gone: set[int], singly: bool
) -> None:
    """The recipients are the segment without those who stopped or blocked."""
    story = Story(desk, members, singly=singly, at_once=5)
    for friend_id in gone:
        story.leave(friend_id, by_blocking=friend_id % 2 == 0)
    story.end()
    story.check()
    received = {int(user[1:], 16) for users in story.by_key.values() for user in users}
    assert received == members - gone
    assert story.state.state == "done"
