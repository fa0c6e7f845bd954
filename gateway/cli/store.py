"""``backup``, ``restore`` and ``resend-spool``: the store and what waits for it."""

import argparse
import sys
from pathlib import Path

from gateway import main as wiring
from gateway.cli.base import DONE, Commands, complain, load


def add_to(commands: Commands) -> None:
    """Add the commands."""
    saved = commands.add(
        "backup", _backup, "write the whole store to a new file; the daemon may run on"
    )
    saved.add_argument("destination", type=Path, metavar="DEST")
    restored = commands.add(
        "restore", _restore, "put a backup in the store's place; the daemon is stopped"
    )
    restored.add_argument("source", type=Path, metavar="SRC")
    commands.add("resend-spool", _resend_spool, "try the events of spool.dead again")


def _backup(given: argparse.Namespace) -> int:
    settings = load(given)

    def progress(left: int, total: int) -> None:
        if sys.stderr.isatty() and total:
            end = "\n" if not left else ""
            print(f"\r{100 * (total - left) // total} %", end=end, file=sys.stderr, flush=True)

    wiring.backup(settings, given.destination, progress)
    print(f"{given.destination}: {given.destination.stat().st_size} bytes")
    if waiting := wiring.spooled_events(settings):
        complain([f"{waiting} events wait in the spool and are not in the backup"], DONE)
    return DONE


def _restore(given: argparse.Namespace) -> int:
    former = wiring.restore(load(given), given.source)
    print(f"restored {given.source}" + (f"; the former store is {former}" if former else ""))
    return DONE


def _resend_spool(given: argparse.Namespace) -> int:
    count = wiring.resend_spool(load(given))
    print(f"{count} events are handed to the daemon")
    return DONE
