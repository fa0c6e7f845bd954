"""Series of steps: begun by what friends do, ended by it, and sent when they are due."""

from collections.abc import Sequence

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend, stream_of
from gateway.domain.pushes import (
    Message,
    RunState,
    StepRun,
    StepSeries,
    advanced,
    after_quiet,
    begun,
    latest_due,
    over,
)
from gateway.domain.values import EVERYBODY, SECOND, Draw, Seed
from gateway.ports import Fact, Transaction
from gateway.ports.pushes import Recipient, StepDue
from gateway.usecases.links import linked, missing
from gateway.usecases.personal import is_personal

AT_ONCE = 500
"""Friends whose steps one unit sends, at most; it needs as many ids."""

_LATEST = 24 * 3600 * SECOND
"""A step that could not be sent for so long makes no sense any more; the channel's quiet hours may
be in it.
"""

_encode = msgspec.json.encode
_replace = msgspec.structs.replace


def begin(tx: Transaction, friend: Friend, trigger: str, at: int) -> None:
    """Begin the series that ``trigger`` begins, where they have not begun for this friend.

    Not for who stopped pushes, and not where the friend has a tag that ends the series.
    """
    found = [
        series
        for series in tx.entities.all(EVERYBODY, StepSeries)
        if series.trigger == trigger and series.channel == friend.channel
    ]
    if not found or tx.pushes.stops.has_stopped(EVERYBODY, friend.id):
        return
    tags = tx.audience.tags(EVERYBODY, friend.id)
    runs = []
    for series in found:
        if not tags.isdisjoint(series.stop_on):
            continue
        before = tx.pushes.steps.find(EVERYBODY, series.id, friend.id)
        if (run := begun(series, friend.id, at, before)) is not None:
            runs.append(run)
    tx.pushes.steps.save(EVERYBODY, runs)


def end(tx: Transaction, friend: int, state: RunState, now: int, tag: str | None = None) -> None:
    """End what is on its way to a friend: all of it, or the series that ``tag`` ends."""
    ended = []
    for run in tx.pushes.steps.running(EVERYBODY, friend):
        series = tx.entities.find(EVERYBODY, StepSeries, run.series)
        if tag is None or (series is not None and tag in series.stop_on):
            ended.append(over(run, state, now))
    tx.pushes.steps.save(EVERYBODY, ended)


class Sending(msgspec.Struct, frozen=True):
    """The wish to send what is due."""

    now: int
    seed: Seed
    """With :data:`AT_ONCE` ids."""


def send(tx: Transaction, job: Sending) -> tuple[int, tuple[Fact, ...]]:
    """Send the steps that are due, at most :data:`AT_ONCE`; returns how many were looked at."""
    due = tx.pushes.steps.due(EVERYBODY, job.now, AT_ONCE)
    unit = _Unit(tx, job.now, job.seed.draw())
    for each in due:
        unit.take(each)
    unit.finish()
    return len(due), ()


class _Unit:
    """One run of :func:`send`: who gets the same is gathered, and gets one multicast."""

    def __init__(self, tx: Transaction, now: int, draw: Draw) -> None:
        self._tx = tx
        self._now = now
        self._draw = draw
        self._runs: list[StepRun] = []
        self._together: dict[tuple[str, int], list[Recipient]] = {}

    def take(self, due: StepDue) -> None:
        """Take one run a step on, or end it."""
        run, to, now = due.run, due.to, self._now
        series = self._tx.entities.find(EVERYBODY, StepSeries, run.series)
        channel = self._tx.entities.find(EVERYBODY, Channel, run.channel)
        if series is None or channel is None or run.next_step >= len(series.steps):
            self._runs.append(over(run, "removed", now))
        elif to.has_stopped:
            self._runs.append(over(run, "stopped", now))
        elif not to.can_receive:
            self._runs.append(over(run, "blocked", now))
        elif (later := after_quiet(channel.quiet, now)) > now:
            self._runs.append(_replace(run, due_at=later))
        else:
            self._step(series, run, to)

    def _step(self, series: StepSeries, run: StepRun, to: Recipient) -> None:
        step = latest_due(series, run, self._now)
        messages = series.steps[step].messages
        if missing(self._tx, EVERYBODY, series.channel, messages):
            self._runs.append(over(run, "removed", self._now))
            return
        if is_personal(messages):
            said = linked(
                self._tx, messages, _origin(series, step), (run.friend,), self._draw, self._now
            )
            # The friend's own stream: a step does not overtake what they were answered before.
            stream = stream_of(series.channel, to.user)
            self._send(series, step, "line.push", to.user, said[run.friend], stream)
        else:
            self._together.setdefault((series.id, step), []).append(to)
        self._runs.append(advanced(series, run, step, self._now))

    def finish(self) -> None:
        """Ask for the multicasts, and keep the runs."""
        for (name, step), to in self._together.items():
            series = self._tx.entities.find(EVERYBODY, StepSeries, name)
            assert series is not None  # noqa: S101 - it was there when they were gathered
            messages = series.steps[step].messages
            said = linked(self._tx, messages, _origin(series, step), (0,), self._draw, self._now)
            users = [each.user for each in to]
            self._send(series, step, "line.multicast", users, said[0], f"step/{name}")
        self._tx.pushes.steps.save(EVERYBODY, self._runs)

    def _send(
        self,
        series: StepSeries,
        step: int,
        kind: str,
        to: str | list[str],
        messages: Sequence[Message],
        stream: str,
    ) -> None:
        id_ = self._draw.id()
        payload = {"channel": series.channel, "to": to, "messages": messages}
        effect = Effect(
            id=id_,
            advertiser=series.advertiser,
            kind=kind,
            # The run goes on in the same transaction, so that no other effect is for this step.
            key=f"step/{id_}",
            payload=_encode(payload).decode(),
            due_at=self._now,
            stream=stream,
            order_at=self._now,
            give_up_at=self._now + _LATEST,
            origin=_origin(series, step),
        )
        self._tx.outbox.add(EVERYBODY, effect)


def _origin(series: StepSeries, step: int) -> str:
    return f"step:{series.id}:{step + 1}"
