"""What the commands share: exit codes, kinds of arguments, the configuration, complaints."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway import config
from gateway import main as wiring
from gateway.config import Config
from gateway.domain.line.channel import Channel
from gateway.domain.provisioning import Plan

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; failed; wrong usage, configuration or input; ended by Ctrl-C, as shells count
it."""

Command = Callable[[argparse.Namespace], int]
"""Does what its arguments say; returns the exit code."""


class Commands:
    """The commands of the parser, or those of a group."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        self, name: str, command: Command, text: str, *, configured: bool = True
    ) -> argparse.ArgumentParser:
        """Add a command; returns its parser, for arguments of its own."""
        added = self._parsers.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        if configured:
            added.add_argument(
                "--config", type=Path, default=Path("config.toml"), help="default: ./config.toml"
            )
        return added

    def group(self, name: str, text: str) -> "Commands":
        """Add a group: ``gateway NAME COMMAND``."""
        return Commands(self._parsers.add_parser(name, help=text, description=text))


def positive(text: str, below: int = 10**9) -> int:
    """A whole number from 1 on."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) < below:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {below - 1}")
    return int(text)


def id_of(text: str) -> int:
    """One of our ids."""
    return positive(text, 2**63)


def now() -> int:
    """This instant, in microseconds."""
    return time.time_ns() // 1000


def load(given: argparse.Namespace) -> Config:
    """The configuration that the command was given."""
    return config.load(given.config, os.environ)


def load_with_store(given: argparse.Namespace) -> Config:
    """The same, of a store that is there and of this release."""
    settings = load(given)
    wiring.check_schema(settings)
    return settings


def tell_notes(given: argparse.Namespace, settings: Config, plan: Plan) -> None:
    """Print what whoever checks or applies ``plan`` should know, though nothing of it is wrong."""
    for note in plan.notes:
        print(note)
    if settings.line is None and any(isinstance(entity, Channel) for entity in plan.wanted):
        print(
            f"{given.config}: has no [line], without which no channel is answered; add the section "
            "and restart the daemon"
        )


def complain(problems: Sequence[str], code: int) -> int:
    """A line on standard error for each; returns ``code``."""
    for problem in problems:
        print(f"gateway: {problem}", file=sys.stderr)
    return code
