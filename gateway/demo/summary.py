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


def verdict(maybe: Sequence[str], faults: Sequence[str]) -> None:
    """Print what nobody on our side can know, what went wrong, and whether all is equal."""
    _some("maybe", maybe)
    _some("WRONG", faults)
    print("NOT equal" if faults else "equal, call by call, friend by friend and mail by mail")
    if faults:
        print(
            "What you did yourself with what friends have counts as a difference: stamps by PIN,\n"
            "points, answers to surveys, clicks, what you took back; and so do calls of your own."
        )


def _some(what: str, lines: Sequence[str]) -> None:
    for line in lines[:_MOST_SHOWN]:
        print(f"{what}: {line}")
    if len(lines) > _MOST_SHOWN:
        print(f"{what}: and {len(lines) - _MOST_SHOWN} more")
