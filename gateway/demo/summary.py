"""What is seen at the end of the demonstration."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_MOST_SHOWN = 20


class Figure(NamedTuple):
    """One line of a table: what a platform did, and what the store holds of it."""

    name: str
    did: int
    has: int


def table(platform: str, figures: Sequence[Figure]) -> None:
    """Print figures side by side."""
    print(f"\n{'':12}{platform:>8}  store")
    for name, did, has in figures:
        print(f"{name:12}{did:8}  {has:5}{'' if did == has else '  ≠'}")


def webhooks(of: str, count: int, twice: int, whose: Mapping[str, int]) -> None:
    """Print how many came, and of whom."""
    shares = (f"{name} {share} {of}" for name, share in sorted(whose.items()))
    print(", ".join((f"{count} webhooks, {twice} of them twice", *shares)))


def verdict(faults: Sequence[str]) -> None:
    """Print what went wrong, if anything."""
    for fault in faults[:_MOST_SHOWN]:
        print(f"WRONG: {fault}")
    if len(faults) > _MOST_SHOWN:
        print(f"WRONG: and {len(faults) - _MOST_SHOWN} more")
    print("NOT equal" if faults else "equal, call by call and friend by friend")
