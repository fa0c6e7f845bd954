"""The carrier of the demonstration, and what it did beside what the store holds."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Iterator

from gateway import main as wiring
from gateway.config import Config
from gateway.demo.screen import Screen
from gateway.demo.summary import Figure
from gateway.domain.calls import legs_of
from gateway.domain.values import EVERYBODY, known_caller
from gateway.ports import CallRecord

_RATE = 4.0  # calls a second
_SPEED = 60.0  # a minute of talk passes in a second
_NUMBERS = tuple(f"+81503100000{n}" for n in (1, 2, 3, 4))


async def play(
    config: Config, listing: wiring.CallListing, screen: Screen, end: asyncio.Event
) -> list[wiring.Played]:
    """Let the carrier call until ``end``, and come to the end of what it began; it lists all of
    that in ``listing``.
    """
    scripts = wiring.random_scripts(_NUMBERS, secrets.randbelow(1_000_000))
    async with wiring.carrier(
        config,
        speed=_SPEED,
        duplicates=0.1,
        disorder=0.1,
        on_event=screen.call,
        calls=listing.calls,
    ) as carrier:
        return await carrier.run(scripts, rate=_RATE, until=end)


def settled(config: Config, expected: int, patience: float) -> list[CallRecord]:
    """The store's calls, once all that came are settled, or after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while True:
        records = list(wiring.list_calls(config, EVERYBODY, since=0, limit=None))
        done = sum(record.call.settled_at is not None for record in records)
        if done >= expected or time.monotonic() > deadline:
            return records
        time.sleep(0.2)


def compared(played: list[wiring.Played], records: list[CallRecord]) -> Iterator[str]:
    """Every difference between the carrier's truth and the store's."""
    held = {record.call.sid: record for record in records}
    for truth in played:
        record = held.pop(truth.sid, None)
        if problem := wiring.trouble_of(truth):
            yield problem
        if record is None:
            yield f"{truth.sid}: the store does not have it"
            continue
        legs = {leg.sid: (leg.state, leg.talk) for leg in legs_of(record.events)}
        call = record.call
        for what, did, has in (
            ("result", truth.result, call.result),
            ("ring seconds", truth.ring_seconds, call.ring_seconds),
            ("talk seconds", truth.talk_seconds, call.talk_seconds),
            ("caller", known_caller(truth.caller), call.caller),
            ("legs", {leg.sid: (leg.state, leg.talk_seconds) for leg in truth.legs}, legs),
            ("settled", True, call.settled_at is not None),
        ):
            if did != has:
                yield f"{truth.sid}: {what}: the carrier says {did}, the store {has}"
    for sid in held:
        yield f"{sid}: the store has it, the carrier never made it"


def figures(played: list[wiring.Played], records: list[CallRecord]) -> list[Figure]:
    """What the carrier did, and the store holds, in all."""
    did = Counter(str(truth.result) for truth in played)
    has = Counter(str(record.call.result) for record in records)
    return [
        Figure("calls", len(played), len(records)),
        *(Figure(name, did[name], has[name]) for name in sorted(did | has)),
        Figure(
            "ring s",
            sum(truth.ring_seconds or 0 for truth in played),
            sum(record.call.ring_seconds or 0 for record in records),
        ),
        Figure(
            "talk s",
            sum(truth.talk_seconds for truth in played),
            sum(record.call.talk_seconds or 0 for record in records),
        ),
    ]
