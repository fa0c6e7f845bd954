"""What waits behind another of its stream is out of the way of claims, and is never forgotten."""

import json
import random
import threading
from contextlib import closing
from typing import Any

import pytest

from adapters.storage.database import reading
from adapters.storage.outbox import OutboxReader
from gateway.domain.effects import NEVER, Effect
from gateway.domain.values import EVERYBODY, SECOND
from gateway.ports.outbox import HALTED, Claimed, Outcome, Rewritten
from tests.contracts.test_outbox import KINDS, NOW, add, claim, effect, keys, settle, transaction
from tests.support.stores import Engine, statements_of

LOOKED_AT = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'leased') AND parked = 0"


def until_quiet(engine: Engine) -> list[Claimed]:
    """All that can be claimed, as a worker comes again while it is told to."""
    got: list[Claimed] = []
    is_behind = True
    while is_behind:
        with transaction(engine) as tx:
            got += tx.outbox.claim(EVERYBODY, NOW, KINDS, 20, 600)
            is_behind = tx.outbox.is_behind
    return got


@pytest.mark.parametrize("streams", [1, 40])
def test_what_is_blocked_is_looked_at_once(engine: Engine, streams: int) -> None:
    """However much waits, later claims look at nothing but the heads and what is new."""
    blocked = [
        effect(f"{n}", stream=f"s{n % streams}", order_at=n + 1, due_at=NOW - 1) for n in range(400)
    ]
    later = [effect(f"head {n}", stream=f"s{n}", due_at=NOW + SECOND) for n in range(streams)]
    add(engine, *later, *blocked)
    assert until_quiet(engine) == []
    assert engine.rows(LOOKED_AT) == [(streams,)]
    add(engine, effect("new", kind="line.reply", stream="s0", order_at=9_999))
    assert keys(claim(engine)) == ["new"]


def test_more_than_a_claim_parks_is_told(engine: Engine) -> None:
    """The worker comes again at once, and what may go is not left for long behind it."""
    add(engine, effect("head", stream="s", due_at=NOW + 1))
    add(engine, *(effect(f"{n}", stream="s", order_at=1, due_at=NOW - 1) for n in range(50)))
    add(engine, effect("free"))
    with transaction(engine) as tx:
        assert list(tx.outbox.claim(EVERYBODY, NOW, KINDS, 4, 15)) == []
        assert tx.outbox.is_behind
    assert keys(until_quiet(engine)) == ["free"]


def test_a_stream_whose_head_left_it_goes_on(engine: Engine) -> None:
    """Taken back, or moved to another stream: what was parked behind it is handed out."""
    add(engine, effect("a", stream="s", order_at=1, due_at=NOW + 1))
    add(engine, *(effect(key, stream="s", order_at=2) for key in "bc"))
    assert claim(engine) == []
    with transaction(engine) as tx:
        assert tx.outbox.cancel(EVERYBODY, "s", begin=1, before=2) == 1
    (moved,) = claim(engine)
    assert claim(engine) == []
    with transaction(engine) as tx:
        tx.outbox.rewrite(EVERYBODY, [Rewritten(moved.id, "line.push", "{}", "s/late", NEVER)])
    assert keys(claim(engine)) == ["c"]
    add(engine, effect("d", stream="s/late", order_at=3))
    assert claim(engine) == []
    settle(engine, (moved, Outcome("done")))
    assert keys(claim(engine)) == ["d"]


class Model:
    """What may be handed out, said by a look at everything."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine = engine
        self.dice = random.Random(seed)
        self.held: list[Claimed] = []
        self.number = 0

    def add(self) -> None:
        made: list[Effect] = []
        for _ in range(self.dice.randint(1, 6)):
            self.number += 1
            made.append(
                effect(
                    f"{self.number}",
                    kind=self.dice.choice(KINDS),
                    stream=self.dice.choice(["", "s", "t", "u"]),
                    order_at=self.dice.randint(0, 9),
                    due_at=NOW + self.dice.choice([-1, -1, -1, 5]),
                )
            )
        add(self.engine, *made)

    def settle(self) -> None:
        self.dice.shuffle(self.held)
        count = self.dice.randint(0, len(self.held))
        some, self.held = self.held[:count], self.held[count:]
        outcomes = [
            Outcome("done"),
            Outcome("dead"),
            Outcome("waiting", NOW - 1),
            Outcome("waiting", NOW + 9, tried=False),
        ]
        settle(self.engine, *((one, self.dice.choice(outcomes)) for one in some))

    def cancel(self) -> None:
        with transaction(self.engine) as tx:
            tx.outbox.cancel(EVERYBODY, self.dice.choice("stu"), before=self.dice.randint(0, 9))

    def rewrite(self) -> None:
        if self.held:
            one = self.dice.choice(self.held)
            with transaction(self.engine) as tx:
                new = Rewritten(one.id, "line.push", "{}", f"{one.stream}/late", NEVER)
                tx.outbox.rewrite(EVERYBODY, [new])

    def claim(self) -> None:
        expected = self.free()
        got = until_quiet(self.engine)
        assert {one.id for one in got} == expected
        self.held += got

    def free(self) -> set[int]:
        columns = "id, stream, kind, state, order_at, due_at"
        rows = self.engine.rows(
            f"SELECT {columns} FROM outbox WHERE state IN ('waiting', 'leased')"
        )
        return {
            row[0] for row in rows if row[3] == "waiting" and row[5] <= NOW and _goes(row, rows)
        }


def _goes(row: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> bool:
    for other in rows:
        is_earlier = (other[4], other[0]) < (row[4], row[0])
        is_overtaken = other[3] == "waiting" and other[2] in HALTED and row[2] not in HALTED
        if row[1] and other[1] == row[1] and is_earlier and not is_overtaken:
            return False
    return True


@pytest.mark.parametrize("seed", range(6))
def test_claims_hand_out_what_a_look_at_everything_would(engine: Engine, seed: int) -> None:
    """Over any order of asking, settling, taking back and moving, nothing is lost or overtaken."""
    model = Model(engine, seed)
    steps = [model.add, model.settle, model.settle, model.claim, model.claim]
    steps += [model.cancel, model.rewrite]
    for _ in range(50):
        model.dice.choice(steps)()
    model.claim()


@pytest.mark.postgres
def test_what_ends_while_another_process_parks_frees_it(postgresql: Engine) -> None:
    """Whoever comes first: nothing is parked behind what has ended."""
    add(postgresql, effect("a", stream="s", order_at=1), effect("b", stream="s", order_at=2))
    (first,) = claim(postgresql, lease=600)
    done = (first, Outcome("done"))
    with transaction(postgresql) as settling:  # it ends the first, and is not committed
        settling.outbox.settle(EVERYBODY, NOW, [done])
        assert claim(postgresql) == []
    (second,) = claim(postgresql, lease=600)
    assert second.key == "b"
    add(postgresql, effect("c", stream="s", order_at=3))
    ended = threading.Thread(target=settle, args=(postgresql, (second, Outcome("done"))))
    with transaction(postgresql) as parking:  # it parks the next, and is not committed
        assert parking.outbox.claim(EVERYBODY, NOW, KINDS, 9, 15) == []
        ended.start()
        ended.join(0.1)
    ended.join()
    assert keys(claim(postgresql)) == ["c"]


def _plan(engine: Engine, prepared: Any, **given: Any) -> str:
    """What the engine says that it does."""
    values = prepared.values(given)
    with closing(engine.raw()) as raw:
        if engine.name == "sqlite":
            said = raw.execute(f"EXPLAIN QUERY PLAN {prepared.sql}", values).fetchall()
        else:
            raw.execute("SET enable_seqscan = off")
            raw.execute("SET enable_bitmapscan = off")
            said = raw.execute(f"EXPLAIN {prepared.sql}", values).fetchall()
    return " ".join(str(row) for row in said)


def test_claims_and_figures_read_indexes_that_hold_only_what_they_need(engine: Engine) -> None:
    """What waits is found, ordered and counted without a look at the rest."""
    kinds: Any = json.dumps(KINDS) if engine.name == "sqlite" else list(KINDS)
    sql = statements_of(engine.name).outbox
    given = {"now": NOW, "store_now": NOW, "latest": NOW, "kinds": kinds, "most": 9}
    plan = _plan(engine, sql.due, **given)
    assert "outbox_due" in plan
    assert plan.count("outbox_open_stream") == 3
    assert "TEMP B-TREE" not in plan
    reader = OutboxReader(engine.database().dialect)
    plan = _plan(engine, reader._waiting, of_kind="line.push", most=9)
    assert "outbox_waiting" in plan
    assert "TEMP B-TREE" not in plan


def test_what_waits_is_counted_so_far_and_no_further(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest of each kind is told exactly, parked or not, behind however many others."""
    monkeypatch.setattr("adapters.storage.outbox.COUNTED", 20)
    add(engine, effect("head", stream="s", due_at=NOW + 9))
    add(engine, *(effect(f"{n}", stream="s", order_at=1, due_at=NOW - n) for n in range(50)))
    add(engine, effect("reply", kind="line.reply", due_at=NOW + 3))
    assert until_quiet(engine) == []
    reader = OutboxReader(engine.database().dialect)
    connection = engine.database().reader()
    with reading(connection):
        found = reader.waiting(connection)
    connection.close()
    assert found == {"line.push": (20, NOW - 49), "line.reply": (1, NOW + 3)}
