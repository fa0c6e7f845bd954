"""The mails of campaigns on both engines: each goes once, and the figures are a recount."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.mail.campaigns import IN_DOUBT, SendState
from gateway.domain.values import EVERYBODY, Scope
from tests.support.mail_rooms import (
    DAY,
    FIRST,
    NOON,
    OWNER,
    Rooms,
    campaign,
    recipient,
    result,
    rooms,
    suppression,
)
from tests.support.stores import Engine, statements_of

__all__ = ["rooms"]

OTHERS = Scope(frozenset({"other"}))
OURS = Scope(frozenset({"acme"}))


def people(rooms: Rooms, count: int, **changed: Any) -> list[int]:
    """So many recipients of the list; their ids."""
    many = [recipient(n, **changed) for n in range(count)]
    rooms.recipients(*many)
    return [one.id for one in many]


def test_a_letter_says_whom_it_goes_to(rooms: Rooms) -> None:
    """Address, attributes, and how often it was tried."""
    rooms.recipients(recipient(1, attributes='{"name":"花子"}'))
    rooms.begin(campaign(), [recipient(1).id])
    with rooms.tx() as tx:
        claim = tx.campaigns.sends.claim
        assert claim(OTHERS, FIRST, "other", NOON, 9, OWNER) == []
        (letter,) = claim(OURS, FIRST, "other", NOON, 9, OWNER)
    one = recipient(1)
    assert (letter.recipient, letter.address, letter.hash) == (one.id, one.address, one.hash)
    assert (letter.lane, letter.attributes) == ("other", '{"name":"花子"}')
    assert (letter.attempts, letter.first_at) == (0, 0)
    later = NOON + DAY
    rooms.settle(result(one.id, "deferred", due_at=later, code=451, text="later"))
    assert rooms.claim() == []
    with rooms.tx() as tx:
        (letter,) = tx.campaigns.sends.claim(OURS, FIRST, "other", later, 9, OWNER)
    assert (letter.attempts, letter.first_at) == (1, NOON)


def test_the_longest_due_of_a_lane_go_first(rooms: Rooms) -> None:
    """As many as are asked for; what is due later, or in another lane, waits."""
    ids = people(rooms, 6)
    rooms.begin(campaign(), ids[:2], due_at=NOON)
    with rooms.tx() as tx:
        rooms.fix(tx, campaign(), ids[2:4], due_at=NOON - 1)
        rooms.fix(tx, campaign(), ids[4:5], due_at=NOON + 1)
        rooms.fix(tx, campaign(), ids[5:], lane="gmail")
    assert rooms.claim(limit=3) == [ids[2], ids[3], ids[0]]
    assert rooms.claim(limit=3) == [ids[1]]
    assert rooms.claim() == []
    assert rooms.figures() == {"attempting": 4, "queued": 2}


def test_writing_recipients_down_again_changes_nothing(rooms: Rooms) -> None:
    """A unit that runs again, or overlaps, counts nobody twice."""
    ids = people(rooms, 700)
    rooms.begin(campaign(), ids[:600])
    rooms.claim(limit=10)
    with rooms.tx() as tx:
        rooms.fix(tx, campaign(), ids)
        rooms.fix(tx, campaign(), [])
    assert rooms.figures() == {"attempting": 10, "queued": 690}


@pytest.mark.parametrize(
    ("stop", "goes"),
    [
        (suppression(1), False),
        (suppression(1, "news"), False),
        (suppression(1, "shop"), True),
        (suppression(1, topic="sales"), False),
        (suppression(1, "news", "sales"), False),
        (suppression(1, topic="staff"), True),
        (suppression(1, until=NOON + 1), False),
        (suppression(1, until=NOON), True),
        (suppression(2), True),
        (suppression(1, advertiser="other"), True),
    ],
)
def test_r102_who_stopped_is_put_aside(rooms: Rooms, stop: Any, goes: bool) -> None:
    """Of this list or all, this topic or all, as long as it lasts; of this advertiser alone."""
    rooms.recipients(recipient(1))
    rooms.begin(campaign(topic="sales"), [recipient(1).id])
    rooms.suppress(stop)
    assert bool(rooms.claim()) == goes
    state = "attempting" if goes else "suppressed"
    assert rooms.states() == {recipient(1).id: state}
    assert rooms.figures() == {state: 1}


def test_who_is_put_aside_takes_nobodys_place(rooms: Rooms) -> None:
    """Paused, removed and deleted recipients are no letters; the limit is filled with others."""
    ids = people(rooms, 8)
    rooms.begin(campaign(), ids)
    rooms.recipients(recipient(0, state="paused"), recipient(1, state="removed"))
    rooms.suppress(suppression(2))
    with rooms.tx() as tx:
        tx.mail.recipients.delete(EVERYBODY, [ids[3]], NOON)
    assert rooms.claim(limit=3) == ids[4:7]
    assert rooms.figures() == {"suppressed": 4, "attempting": 3, "queued": 1}


def test_a_claim_looks_at_no_more_than_a_unit_may(rooms: Rooms) -> None:
    """Where nobody is left to be mailed, many thousands are put aside in parts."""
    ids = people(rooms, 1300)
    rooms.begin(campaign(), ids)
    rooms.suppress(*(suppression(n) for n in range(1300)))
    assert rooms.claim(limit=100) == []
    assert rooms.figures() == {"suppressed": 500, "queued": 800}


def pairs(*recipients: int) -> set[tuple[int, int]]:
    """The mails of the first campaign to them."""
    return {(FIRST, id_) for id_ in recipients}


def test_a_result_is_kept_once(rooms: Rooms) -> None:
    """What is over is not changed by a late one, and a stranger is none."""
    ids = people(rooms, 2)
    rooms.begin(campaign(), ids)
    rooms.claim()
    failed = result(ids[1], "failed", code=550, bounce_class="user_unknown", text="no such user")
    assert rooms.settle(result(ids[0], code=250), failed, result(99)) == pairs(*ids)
    assert rooms.settle(result(ids[0], "failed"), result(ids[1])) == pairs()
    with rooms.tx() as tx:
        sent, failure = (tx.campaigns.lookups.one(OURS, FIRST, id_) for id_ in ids)
        assert tx.campaigns.lookups.one(OTHERS, FIRST, ids[0]) is None
        assert tx.campaigns.lookups.one(OURS, FIRST, 99) is None
    assert sent is not None
    assert failure is not None
    assert (sent.state, sent.attempts, sent.first_at, sent.code) == ("sent", 1, NOON, 250)
    assert (failure.state, failure.code, failure.bounce_class) == ("failed", 550, "user_unknown")
    assert (failure.text, failure.owner, failure.due_at) == ("no such user", OWNER, None)
    assert rooms.figures() == {"sent": 1, "failed": 1}
    assert rooms.settle() == pairs()


def test_what_was_not_tried_goes_back(rooms: Rooms) -> None:
    """It is queued as if it had never been handed out."""
    ids = people(rooms, 1)
    rooms.begin(campaign(), ids)
    rooms.claim()
    assert rooms.settle(result(ids[0], "queued", due_at=NOON, tried=False)) == pairs(ids[0])
    with rooms.tx() as tx:
        (letter,) = tx.campaigns.sends.claim(OURS, FIRST, "other", NOON, 9, OWNER)
    assert (letter.attempts, letter.first_at) == (0, 0)
    assert rooms.figures() == {"attempting": 1}


def test_what_another_process_attempts_by_now_is_not_put_back(rooms: Rooms) -> None:
    """A sender that woke up late only adds that a mail went: else two would have it."""
    ids = people(rooms, 2)
    rooms.begin(campaign(), ids)
    rooms.claim()
    with rooms.tx() as tx:
        sends = tx.campaigns.sends
        late = result(ids[0], "queued", due_at=NOON, tried=False)
        assert sends.settle(EVERYBODY, [late], OWNER + 1) == pairs()
        assert sends.settle(EVERYBODY, [result(ids[1])], OWNER + 1) == pairs(ids[1])
        assert sends.settle(EVERYBODY, [late], OWNER) == pairs(ids[0])
    assert rooms.figures() == {"queued": 1, "sent": 1}


def test_what_another_process_holds_in_doubt_is_not_put_back(rooms: Rooms) -> None:
    """A sender that woke up late does not decide what another one is in doubt about."""
    ids = people(rooms, 2)
    rooms.begin(campaign(), ids)
    rooms.claim()
    rooms.settle(*(result(id_, "held") for id_ in ids))
    with rooms.tx() as tx:
        sends = tx.campaigns.sends
        late = [
            result(ids[0], "queued", due_at=NOON, tried=False),
            result(ids[1], "failed", code=550),
        ]
        assert sends.settle(EVERYBODY, late, OWNER + 1) == pairs()
        assert sends.settle(EVERYBODY, [result(ids[1])], OWNER + 1) == pairs(ids[1])
        assert sends.settle(EVERYBODY, late, OWNER) == pairs(ids[0])
    assert rooms.figures() == {"queued": 1, "sent": 1}


def test_what_was_dropped_in_doubt_is_told_apart(rooms: Rooms) -> None:
    """It may have gone: it is never sent again, and takes that it went, and nothing else."""
    ids = people(rooms, 3)
    rooms.begin(campaign(), ids)
    rooms.claim()
    rooms.settle(result(ids[0], "failed", code=550, bounce_class="user_unknown"))
    rooms.settle(*(result(id_, "held") for id_ in ids[1:]))
    with rooms.tx() as tx:
        sends, lookups = tx.campaigns.sends, tx.campaigns.lookups
        assert sends.release(OURS, FIRST, "failed", NOON + 5, 9) == 2
        dropped = lookups.one(OURS, FIRST, ids[1])
        assert dropped is not None
        assert (dropped.state, dropped.bounce_class, dropped.due_at, dropped.at) == (
            "failed",
            IN_DOUBT,
            None,
            NOON + 5,
        )
        assert lookups.missed(OURS, FIRST, 0, 9) == ([ids[0]], ids[2])
        assert sends.settle(EVERYBODY, [result(ids[1], "queued", due_at=NOON)], OWNER) == pairs()
        for owner in (OWNER + 1, None):
            results = [result(ids[0]), result(ids[1])]
            changed = pairs() if owner is None else pairs(ids[1])
            assert sends.settle(EVERYBODY, results, owner) == changed
        went = lookups.one(OURS, FIRST, ids[1])
        assert went is not None
        assert (went.state, went.bounce_class) == ("sent", "")
        assert tx.campaigns.bounces.mark(OURS, FIRST, ids[1], "mailbox_full")
    assert rooms.figures() == {"sent": 1, "failed": 2}


def test_what_is_in_doubt_takes_its_true_result(rooms: Rooms) -> None:
    """Held by another process, and then the first one tells; that it went counts always."""
    ids = people(rooms, 4)
    rooms.begin(campaign(), ids)
    rooms.claim()
    with rooms.tx() as tx:
        sends = tx.campaigns.sends
        assert sends.doubt(EVERYBODY, [], NOON, 9) == sends.doubt(EVERYBODY, [1], NOON, 9) == {}
        assert sends.doubt(EVERYBODY, [OWNER, 1], NOON, 3) == {"acme": 3}
        assert sends.doubt(EVERYBODY, [OWNER], NOON, 3) == {"acme": 1}
        assert sends.open(OURS, FIRST) == {"held": 4}
        assert sends.open(OTHERS, FIRST) == {}
        assert sends.release(OTHERS, FIRST, "queued", NOON, 9) == 0
        held = tx.campaigns.lookups.one(EVERYBODY, FIRST, ids[0])
    assert held is not None
    assert (held.state, held.attempts, held.first_at) == ("held", 1, NOON)
    assert rooms.settle(result(ids[0]), result(ids[1], "failed")) == pairs(*ids[:2])
    with rooms.tx() as tx:
        assert tx.campaigns.sends.release(OURS, FIRST, "queued", NOON + 5, 1) == 1
        assert tx.campaigns.sends.release(OURS, FIRST, "failed", NOON + 5, 9) == 1
        assert tx.campaigns.sends.release(OURS, FIRST, "failed", NOON + 5, 9) == 0
    assert rooms.claim(now=NOON + 4) == []
    assert rooms.settle(result(ids[2], "failed"), result(ids[3], "failed")) == pairs()
    assert rooms.settle(result(ids[2])) == pairs(ids[2])
    assert rooms.claim(now=NOON + 5) == []
    assert rooms.figures() == {"sent": 2, "failed": 2}


def test_what_waits_is_taken_back(rooms: Rooms) -> None:
    """Queued and deferred mails are canceled, in parts; what is on the wire is not."""
    ids = people(rooms, 6)
    rooms.begin(campaign(), ids)
    rooms.claim(limit=2)
    rooms.settle(result(ids[0], "deferred", due_at=NOON + 5))
    with rooms.tx() as tx:
        lookups = tx.campaigns.lookups
        assert lookups.cancel(OTHERS, FIRST, NOON, 3) == 0
        assert [lookups.cancel(OURS, FIRST, NOON, 3) for _ in range(3)] == [3, 2, 0]
    assert rooms.figures() == {"canceled": 5, "attempting": 1}
    assert rooms.claim(now=NOON + DAY) == []


def test_those_whom_a_campaign_did_not_reach_are_found_by_id(rooms: Rooms) -> None:
    """For a campaign to them again; a piece at a time, whose end is told."""
    ids = people(rooms, 8)
    rooms.begin(campaign(), ids)
    rooms.claim(limit=7)
    states: list[SendState] = ["failed", "sent", "sent", "failed", "deferred", "held", "suppressed"]
    rooms.settle(*(result(ids[n], state, due_at=None) for n, state in enumerate(states)))
    with rooms.tx() as tx:
        assert tx.campaigns.bounces.mark(OURS, FIRST, ids[1], "mailbox_full")
        lookups = tx.campaigns.lookups
        assert lookups.missed(OURS, FIRST, 0, 9) == ([ids[0], ids[1], ids[3]], ids[7])
        assert lookups.cancel(OURS, FIRST, NOON, 9) == 1
        assert lookups.missed(OURS, FIRST, 0, 9) == ([ids[0], ids[1], ids[3], ids[7]], ids[7])
        assert lookups.missed(OURS, FIRST, ids[0], 1) == ([ids[1]], ids[1])
        assert lookups.missed(OURS, FIRST, ids[7], 9) == ([], 0)
        assert lookups.missed(OTHERS, FIRST, 0, 9) == ([], 0)


def test_old_mails_are_forgotten_and_figures_stay(rooms: Rooms) -> None:
    """Of campaigns that are over and began long ago, in parts."""
    ids = people(rooms, 5)
    rooms.begin(campaign(state="done", settled_at=NOON), ids)
    rooms.begin(campaign(1, state="done", started_at=NOON + DAY, settled_at=NOON + DAY), ids)
    rooms.begin(campaign(2), ids)
    rooms.begin(campaign(3, state="canceled"), ids)  # some of it is still on the wire
    with rooms.tx() as tx:
        assert tx.campaigns.figures.responded(EVERYBODY, FIRST, ids[0], "open", NOON)
        forget = tx.campaigns.lookups.forget
        assert [forget(EVERYBODY, NOON + 1, 3) for _ in range(3)] == [3, 2, 0]
    assert rooms.engine.sizes()["mail_responses"] == 0
    assert rooms.figures() == {"queued": 5}
    assert [len(rooms.states(FIRST + n)) for n in range(4)] == [0, 5, 5, 5]


_serial = count(1)
_WHICH = st.lists(st.integers(0, 5), min_size=1, max_size=4)
_RESULTS = st.sampled_from(["sent", "failed", "deferred", "held", "queued"])
_STEPS = st.one_of(
    st.tuples(st.just("fix"), _WHICH),
    st.tuples(st.just("claim"), st.integers(1, 6)),
    st.tuples(st.just("settle"), st.lists(st.tuples(st.integers(0, 5), _RESULTS), max_size=5)),
    st.tuples(st.just("doubt"), st.integers(1, 3)),
    st.tuples(st.just("release"), st.sampled_from(["queued", "failed"]), st.integers(1, 3)),
    st.tuples(st.just("cancel"), st.integers(1, 3)),
    st.tuples(st.just("mark"), st.integers(0, 5)),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, max_size=25), suppressed=st.sets(st.integers(0, 5), max_size=2))
def test_the_figures_are_a_recount(
    rooms: Rooms, steps: list[tuple[Any, ...]], suppressed: set[int]
) -> None:
    """Whatever comes of the mails in whatever order; and none of them is sent twice."""
    ordinal = next(_serial)
    list_, named = f"l{ordinal}", FIRST + ordinal
    ids = [recipient(n, list_, id=FIRST + ordinal * 10 + n).id for n in range(6)]
    rooms.recipients(*(recipient(n, list_, id=id_) for n, id_ in enumerate(ids)))
    rooms.suppress(*(suppression(n, list_) for n in suppressed))
    this = campaign(ordinal, list=list_)
    rooms.begin(this, [])
    sent: Counter[int] = Counter()
    for number, step in enumerate(steps):
        now = NOON + number
        with rooms.tx() as tx:
            sends, lookups = tx.campaigns.sends, tx.campaigns.lookups
            match step:
                case ("fix", which):
                    rooms.fix(tx, this, [ids[n] for n in which], due_at=now)
                case ("claim", limit):
                    sends.claim(EVERYBODY, named, "other", now, limit, OWNER)
                case ("settle", results):
                    before = rooms_states(tx, named)
                    dropped = {id_ for id_ in ids if rooms_class(tx, named, id_) == IN_DOUBT}
                    given = {ids[n]: state for n, state in results}
                    waits = {"queued", "deferred"}
                    changed = sends.settle(
                        EVERYBODY,
                        [
                            result(i, s, named, at=now, due_at=now if s in waits else None)
                            for i, s in given.items()
                        ],
                    )
                    takes = {"attempting", "held"}
                    taken = [
                        id_
                        for id_, state in given.items()
                        if before.get(id_) in (takes | waits if state == "sent" else takes)
                        or (state == "sent" and id_ in dropped)
                    ]
                    assert changed == {(named, id_) for id_ in taken}
                    sent.update(id_ for id_ in taken if given[id_] == "sent")
                case ("doubt", limit):
                    sends.doubt(EVERYBODY, [OWNER], now, limit)
                case ("release", to, limit):
                    sends.release(EVERYBODY, named, to, now, limit)
                case ("cancel", limit):
                    lookups.cancel(EVERYBODY, named, now, limit)
                case ("mark", n):
                    tx.campaigns.bounces.mark(EVERYBODY, named, ids[n], "filtered")
            figures = {k: v for k, v in tx.campaigns.figures.of(EVERYBODY, named).items() if v}
            assert figures == Counter(rooms_states(tx, named).values())
    with rooms.tx() as tx:  # nothing of it stays behind for the next example
        while tx.campaigns.sends.doubt(EVERYBODY, [OWNER], NOON, 9):
            pass
    assert not sent or max(sent.values()) == 1


def rooms_class(tx: Any, named: int, id_: int) -> str:
    """The class of a campaign's mail, as the transaction sees it."""
    send = tx.campaigns.lookups.one(EVERYBODY, named, id_)
    return send.bounce_class if send else ""


def rooms_states(tx: Any, named: int) -> dict[int, str]:
    """The states of a campaign's mails, as the transaction sees them."""
    states: dict[int, str] = {}
    for ordinal in range(6):
        id_ = FIRST + (named - FIRST) * 10 + ordinal
        if send := tx.campaigns.lookups.one(EVERYBODY, named, id_):
            states[id_] = send.state
    return states


# --- several processes ---


@pytest.fixture
def both(postgresql: Engine) -> Iterator[tuple[Rooms, Rooms]]:
    """Two processes on one PostgreSQL."""
    one, other = Rooms(postgresql), Rooms(postgresql)
    yield one, other
    one.connection.close()
    other.connection.close()


def test_two_processes_claim_at_once_and_wait_for_nobody(both: tuple[Rooms, Rooms]) -> None:
    """Before the first one has committed the second has others; none is handed out twice."""
    one, other = both
    ids = people(one, 10)
    one.begin(campaign(), ids)
    with one.tx() as tx:
        first = tx.campaigns.sends.claim(EVERYBODY, FIRST, "other", NOON, 6, 1)
        second = other.claim(limit=6)
    assert [letter.recipient for letter in first] == ids[:6]
    assert second == ids[6:]
    assert one.claim() == other.claim() == []
    assert one.figures() == {"attempting": 10}


def test_what_a_process_gave_back_is_not_lost(both: tuple[Rooms, Rooms]) -> None:
    """A claim that was rolled back leaves its letters to the next."""
    one, other = both
    ids = people(one, 4)
    one.begin(campaign(), ids)
    with pytest.raises(ZeroDivisionError):
        claim_and_die(one)
    assert other.claim() == ids
    assert one.figures() == {"attempting": 4}


def claim_and_die(rooms: Rooms) -> None:
    """The process ended before its commit."""
    with rooms.tx() as tx:
        assert tx.campaigns.sends.claim(EVERYBODY, FIRST, "other", NOON, 6, 1)
        raise ZeroDivisionError


# --- what the engines read ---


def plan(engine: Engine, name: str, given: dict[str, Any]) -> str:
    """How an engine runs a statement of sends."""
    prepared = getattr(statements_of(engine.name).campaigns.sends, name)
    explain = "EXPLAIN QUERY PLAN " if engine.name == "sqlite" else "EXPLAIN "
    with closing(engine.raw()) as raw:
        rows = raw.execute(explain + prepared.sql, prepared.values(given)).fetchall()
    return "\n".join(str(row) for row in rows)


def test_of_a_long_queue_only_what_is_due_is_read(rooms: Rooms) -> None:
    """An index leads to it in its order: no claim and no cancel looks through the whole."""
    engine = rooms.engine
    rooms.begin(campaign(), [])
    row = "'other', 'queued', {due}, 0, 0, 0, 0, 0, '', ''"
    if engine.name == "sqlite":
        series = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
            " SELECT {campaign}, i, {row} FROM n"
        )
    else:
        series = "SELECT {campaign}, i, {row} FROM generate_series(1, 50000) AS n(i)"
    with closing(engine.raw()) as raw:
        values = series.format(campaign=FIRST, row=row.format(due=f"{NOON} + i"))
        raw.execute(f"INSERT INTO mail_sends {values}")
        if engine.name == "postgres":
            raw.execute("ANALYZE mail_sends")
    half = NOON + 25_000  # so many are due: to sort a few would be no fault
    due = {"named": FIRST, "of_lane": "other", "now": half, "most": 200, "about": ""}
    told = plan(engine, "due", due)
    assert "mail_sends_due" in told
    assert "Sort" not in told
    assert "TEMP B-TREE" not in told
    assert "mail_sends_due" in plan(engine, "waiting", {"named": FIRST, "most": 200})
    held = plan(engine, "in_doubt", {"named": FIRST, "most": 200})
    assert "mail_sends_amiss" in held
