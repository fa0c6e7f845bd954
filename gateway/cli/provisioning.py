"""``apply``: provisioning files into the store."""

import argparse
from collections import Counter
from pathlib import Path

import msgspec

from gateway import main as wiring
from gateway import provisioning
from gateway.cli.base import DONE, FAILED, Commands, complain, load_with_store, tell_notes
from gateway.errors import Transient, Trouble
from gateway.usecases.provisioning import Changes, difference

_TRIES = 5


def add_to(commands: Commands) -> None:
    """Add the command."""
    applied = commands.add(
        "apply", _apply, "write provisioning files into the store, in one transaction"
    )
    applied.add_argument("files", nargs="+", type=Path, metavar="FILE")
    applied.add_argument("--dry-run", action="store_true", help="only show what would change")


def _apply(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    for _ in range(_TRIES):
        version, held = wiring.provisioned(settings)
        plan = provisioning.read(given.files, held)
        changes = difference(version, held, plan)
        if not given.dry_run and changes.changes:
            try:
                wiring.apply(settings, changes)
            except Transient as error:
                if error.reason is not Trouble.STORE_CONFLICT:
                    raise
                continue  # another applied meanwhile: what changes is found anew
        tell_notes(given, settings, plan)
        _show(changes, "would be " if given.dry_run else "")
        return DONE
    return complain(["others apply at the same time: try again"], FAILED)


def _show(changes: Changes, would: str) -> None:
    counts = Counter(change.kind for change in changes.changes)
    for change in changes.changes:
        print(f"{change.name}: {would}{change.kind}")
        if change.kind == "changed":
            for field, (old, new) in change.values.items():
                print(f"    {field}: {_written(old)} → {_written(new)}")
    kinds = ", ".join(f"{counts[kind]} {would}{kind}" for kind in ("added", "changed", "removed"))
    print(f"{kinds}, {changes.unchanged} unchanged")


def _written(value: object) -> str:
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    # Rules, hours and the like: their parts on one line.
    return msgspec.json.encode(value).decode() if isinstance(value, tuple | dict) else str(value)
