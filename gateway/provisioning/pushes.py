"""``[[step_series]]``: messages that a friend gets days after they came."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway.domain.audience import TAG
from gateway.domain.line.channel import Channel
from gateway.domain.links import Link, named_in
from gateway.domain.pushes import Step, StepSeries
from gateway.provisioning.audience import CHANNEL_KEY, of_channel, tag_of, tags_of
from gateway.provisioning.base import ADVERTISER_KEY, REMOVED, Entry, Everything, Table, id_of
from gateway.provisioning.line import messages
from gateway.tomlfile import Key, Wrong, anything, line, whole

_MOST_STEPS = 50
_MOST_STOPS = 10
_OURS = {"coupon": "coupon", "card": "shop_card"}
"""Objects of ours in messages, and the tables that they stand in; surveys look for themselves."""


def _trigger(value: str, _: Path) -> str:
    if value != "follow" and not (value.startswith("tag:") and TAG.fullmatch(value[4:])):
        raise Wrong("is no trigger", 'write "follow", or "tag:" and a tag')
    return value


def _time(value: str, _: Path) -> int:
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value)
    if not found:
        raise Wrong("is no time of day", 'write it like "19:00"')
    return int(found[1]) * 60 + int(found[2])


def _steps(value: list[dict[str, Any]], _: Path) -> tuple[Step, ...]:
    if not 1 <= len(value) <= _MOST_STEPS:
        raise Wrong("is too short or too long", f"write 1 to {_MOST_STEPS} steps")
    if any(len(step) < len(STEP) for step in value):
        return ()  # told already
    steps = tuple(Step(**step) for step in value)
    for ordinal, (one, other) in enumerate(pairwise(steps), 2):
        if _moment(other) <= _moment(one):
            raise Wrong(
                f"step {ordinal} is not after the one before it",
                "write them in order; of one day's steps the first may be without a time",
            )
    return steps


def _moment(step: Step) -> tuple[int, int]:
    return step.day, -1 if step.time is None else step.time


STEP: tuple[Key, ...] = (
    Key("day", int, whole(0, 365), "Days after it began.", example=3, required=True),
    Key(
        "time",
        str,
        _time,
        "The time of day; without one that at which it began (day 0: at once).",
        example="19:00",
    ),
    Key("messages", list, messages, "1 to 5 message objects.", example=[], required=True),
)
"""The keys of ``[[step_series.steps]]``."""

STEP_SERIES: tuple[Key, ...] = (
    Key("id", str, id_of, "Its name.", example="welcome", required=True),
    ADVERTISER_KEY,
    CHANNEL_KEY,
    Key("trigger", str, _trigger, "follow, or tag: and a tag.", "follow"),
    Key("steps", list, _steps, "What is sent, in order.", example=[], required=True, keys=STEP),
    Key("stop_on", list, tags_of(_MOST_STOPS), "Tags that end it.", [], each=tag_of),
    Key("again", bool, anything, "Whether it begins anew for who comes back.", False),
    REMOVED,
)
"""The keys of ``[[step_series]]``."""


def _check(everything: Everything) -> Iterator[str]:
    for name, entry in everything[StepSeries.table].items():
        yield from _named(name, entry, everything)
        if not entry.place:
            continue
        yield from of_channel(entry, everything)
        trigger = entry.values.get("trigger", "")
        if trigger.removeprefix("tag:") in entry.values.get("stop_on", ()):
            wrong = Wrong("is in stop_on, too", "take it out of one of the two")
            yield line(f"{entry.place}: trigger", trigger, wrong)


def _named(series: str, entry: Entry, everything: Everything) -> Iterator[str]:
    """What messages name that will not be there, or is somebody else's."""
    steps: Sequence[Step] = entry.values.get("steps", ())
    found = {(Link.table, name) for step in steps for name in named_in(step.messages)}
    for message in (message for step in steps for message in step.messages):
        kind = message["type"]
        if kind in _OURS and kind in message:
            found.add((_OURS[kind], message[kind]))
    for table, name in sorted(found):
        named = everything[table].get(name)
        if named is None:
            wrong = Wrong(f"names no {table}", "describe it in a file, or name another")
        elif named.values.get("advertiser") != entry.values.get("advertiser"):
            wrong = Wrong(f"is another advertiser's {table}", "name one of the same")
        elif named.values.get("channel") not in ("", None, entry.values.get("channel")):
            wrong = Wrong(f"is another channel's {table}", "name one of the same")
        else:
            continue
        yield line(f"{entry.place or f'step_series {series}'}: steps", name, wrong)


TABLE = Table(
    StepSeries,
    STEP_SERIES,
    lambda values: StepSeries(**values),
    refers=(("advertiser", "advertiser"), ("channel", Channel.table)),
    check=_check,
)
