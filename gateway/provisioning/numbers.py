"""``[[tracked_number]]``: where the calls of a number go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.domain.routing import TrackedNumber
from gateway.provisioning.base import ADVERTISER_KEY, REMOVED, Everything, Table
from gateway.tomlfile import Key, Wrong, anything, line, one_of, printable, whole

_MOST_TARGETS = 10  # a carrier's Dial takes no more


def _number(value: str, _: Path) -> str:
    # The daemon reads no such file, and is spared the memory of the numbering plans.
    import phonenumbers  # noqa: PLC0415 - see above

    try:
        # What has no country code is read as a number of Japan, to offer the form it should have.
        number = phonenumbers.parse(value, "JP")
        possible = phonenumbers.is_possible_number(number)
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise Wrong("is not a telephone number", 'write it like "+81312345678"')
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if form != value:
        raise Wrong("is not in the form of E.164", f'write "{form}"')
    return value


def _targets(value: list[str], _: Path) -> tuple[str, ...]:
    if not 1 <= len(value) <= _MOST_TARGETS:
        raise Wrong("is too short or too long", f"write 1 to {_MOST_TARGETS} numbers")
    if len(set(value)) < len(value):
        raise Wrong("has a number twice", "keep one of the two")
    return tuple(value)


def _strategy(value: str, folder: Path) -> str:
    if value == "round-robin":
        raise Wrong("comes with a later release", "write parallel or sequential")
    return str(one_of("parallel", "sequential")(value, folder))


def _caller_id(value: str, folder: Path) -> str:
    if value in ("caller", "number"):
        return value
    if not value.startswith("+"):
        raise Wrong("is not a choice", 'write "caller", "number" or a number like "+81312345678"')
    return _number(value, folder)


def _record(value: bool, _: Path) -> bool:
    if value:
        raise Wrong("recording comes with a later release", "write false, or take it out")
    return value


OUTCOME: tuple[Key, ...] = (
    Key(
        "min_talk_seconds",
        int,
        whole(0, 14_400),
        "A call with so much talk is accepted by itself.",
        example=30,
    ),
)
"""The keys of ``[tracked_number.outcome]``."""

TRACKED_NUMBER: tuple[Key, ...] = (
    Key("number", str, _number, "The number issued.", example="+815031000001", required=True),
    ADVERTISER_KEY,
    Key(
        "medium",
        str,
        printable(80),
        "Where it is printed.",
        example="flyer-2026-11",
        required=True,
    ),
    Key(
        "forward_to",
        list,
        _targets,
        "The 1 to 10 numbers that ring.",
        example=["+81312345678"],
        required=True,
        each=_number,
    ),
    Key("strategy", str, _strategy, "parallel: all at once; sequential: in turn.", "parallel"),
    Key("ring_seconds", int, whole(5, 600), "How long a number rings.", 25),
    Key(
        "time_limit_seconds",
        int,
        whole(1, 14_400),
        "When the carrier ends the conversation.",
        14_400,
    ),
    Key(
        "caller_id",
        str,
        _caller_id,
        "What the target sees: caller, number (the tracked one), or a number of the account.",
        "caller",
    ),
    Key("record", bool, _record, "Whether conversations are recorded.", False),
    Key("outcome", dict, anything, "How calls are judged.", {}, keys=OUTCOME),
    REMOVED,
)
"""The keys of ``[[tracked_number]]``."""


def _build(values: dict[str, Any]) -> TrackedNumber:
    outcome = values.pop("outcome")
    return TrackedNumber(**values, **outcome)


def _loops(everything: Everything) -> Iterator[str]:
    """Tracked numbers that forward to tracked numbers: a call would come back to us for ever."""
    numbers = everything[TrackedNumber.table]
    for number, entry in numbers.items():
        for target in entry.values.get("forward_to", ()):
            if target not in numbers:
                continue
            if entry.place:
                wrong = Wrong("is a tracked number, which makes a loop", "name a telephone instead")
                yield line(f"{entry.place}: forward_to", target, wrong)
            elif numbers[target].place:
                wrong = Wrong(f"{number} forwards to it, which makes a loop", "change that first")
                yield line(f"{numbers[target].place}: number", target, wrong)


TABLE = Table(TrackedNumber, TRACKED_NUMBER, _build, check=_loops)
