"""Whatever fails, and whoever dies: what friends received is what the store says."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import hypothesis
from hypothesis import strategies as st

from gateway.domain.line.sending import retry_key
from gateway.domain.values import EVERYBODY
from gateway.ports import Transaction
from tests.adapters.line.sending_world import Office, office, texts_of
from tests.adapters.line.simulator.world import World, a_world
from tests.support.stores import sqlite_engine

Fault = Literal["none", "500", "500 handled", "503", "cut", "lost", "429"]
Death = Literal["none", "before", "after"]

FAULTS = st.lists(
    st.sampled_from(["none", "500", "500 handled", "503", "cut", "lost", "429"]), max_size=12
)
EFFECTS = st.lists(
    st.tuples(st.sampled_from(["reply", "push"]), st.sampled_from(["none", "before", "after"])),
    min_size=1,
    max_size=8,
)


def switch(world: World, faults: list[Fault]) -> None:
    """One fault for each of the next requests."""
    switches = world.platform.faults
    for fault in faults:
        if fault == "500 handled":
            switches.fail(1, 500, handled=True)
        elif fault == "cut":
            switches.cut_before(1)
        elif fault == "lost":
            switches.lose_answers(1)
        elif fault != "none":
            switches.fail(1, int(fault))


async def left_by_the_dead(o: Office, effects: list[tuple[Any, str, Death]]) -> None:
    """Workers that claimed these died: some before they sent, some after."""
    for effect, token, death in effects:
        if death == "after" and effect.kind == "line.push":
            body = {"to": o.world.hana.user_id, "messages": texts_of(effect.key)}
            await o.world.post("/v2/bot/message/push", body, key=retry_key(effect.key))
        elif death == "after":
            body = {"replyToken": token, "messages": texts_of(effect.key)}
            await o.world.post("/v2/bot/message/reply", body)
    await o.store.run(_died_with, [effect for effect, _, death in effects if death != "none"])


def _died_with(tx: Transaction, effects: list[Any]) -> tuple[None, tuple[()]]:
    for effect in effects:
        tx.outbox.add(EVERYBODY, effect)
    tx.outbox.flush()  # type: ignore[attr-defined]  # the store's own transaction has it
    tx.outbox._new.clear()  # type: ignore[attr-defined]  # what is flushed is not added again
    if effects:
        tx.outbox.claim(EVERYBODY, effects[0].due_at, ("line.push", "line.reply"), 99, 0)
    return None, ()


async def play(
    template: Path, folder: Path, faults: list[Fault], wanted: list[tuple[str, Death]]
) -> None:
    async with a_world() as world, office(world, sqlite_engine(template, folder)) as o:
        made = []
        for number, (kind, death) in enumerate(wanted):
            token = await o.token()
            at = world.clock() + number
            effect = (
                o.reply(f"{number}", token, order_at=at)
                if kind == "reply"
                else o.push(f"{number}", order_at=at)
            )
            made.append((effect, token, death))
        await left_by_the_dead(o, made)
        switch(world, faults)
        await o.ask(*(effect for effect, _, death in made if death == "none"))
        await o.finish()
        check(o, wanted)


def check(o: Office, wanted: list[tuple[str, Death]]) -> None:
    received = Counter(o.received)
    rows = {
        key: (state, unclear)
        for key, state, unclear in o.engine.rows(
            "SELECT idempotency_key, state, unclear FROM outbox"
        )
    }
    assert len(rows) == len(wanted)
    for key, (state, unclear) in rows.items():
        kind, _ = wanted[int(key)]
        assert received[key] <= 1, "a message arrived twice"
        if state == "done":
            assert received[key] == 1, "the store says sent, and nothing arrived"
        elif state == "unknown":
            assert unclear, "nothing was unclear"
            assert kind == "reply", "the retry key tells what came of a push"
        else:
            assert state == "dead"
            assert received[key] == 0, "the store says dead, and it arrived"
            assert kind == "reply", "a push waits until the platform is well"
    replies = [int(key) for key in o.received if wanted[int(key)][0] == "reply"]
    alive = [number for number in replies if wanted[number][1] == "none"]
    assert alive == sorted(alive), "replies overtook each other"
    spent = o.engine.rows("SELECT coalesce(sum(spent), 0) FROM line_quotas")[0][0]
    assert spent == sum(kind == "push" for kind, _ in wanted)
    ended = Counter(
        (wanted[int(key)][0], {"done": "sent", "dead": "expired"}.get(state, state))
        for key, (state, _) in rows.items()
    )
    assert o.counted == dict(ended)


@hypothesis.settings(max_examples=30)
@hypothesis.given(faults=FAULTS, wanted=EFFECTS)
def test_what_friends_received_is_what_the_store_says(
    sqlite_template: Path, faults: list[Fault], wanted: list[tuple[str, Death]]
) -> None:
    """Pushes arrive exactly once; replies at most once, in order; what nobody knows is listed."""
    first = next((number for number, (kind, _) in enumerate(wanted) if kind == "reply"), -1)
    # Of a friend's replies the first alone can have been in a dead worker's hands.
    wanted = [
        (kind, death if kind == "push" or number == first else "none")
        for number, (kind, death) in enumerate(wanted)
    ]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(sqlite_template, Path(folder), faults, wanted))
