"""``serve``, ``demo``, ``check`` and ``migrate``: the daemon, and what it needs to start."""

import argparse
import os
from pathlib import Path
from typing import NoReturn

from gateway import logs, provisioning
from gateway import main as wiring
from gateway.cli.base import DONE, Commands, load, positive, tell_notes
from gateway.config import Config
from gateway.domain.provisioning import Held, Plan
from gateway.errors import Misconfigured, Transient


def add_to(commands: Commands) -> None:
    """Add the commands."""
    commands.add("serve", _serve, "run until SIGTERM, then drain")
    played = commands.add(
        "demo", _demo, "run the daemon with simulated platforms", configured=False
    )
    played.add_argument("--seconds", type=positive, help="end by itself; default: at Ctrl-C")
    checked = commands.add(
        "check", _check, "show every error of configuration and provisioning files"
    )
    checked.add_argument("files", nargs="*", type=Path, metavar="FILE")
    commands.add("migrate", _migrate, "bring the store's schema to this release")


def _serve(given: argparse.Namespace) -> NoReturn:
    settings = load(given)
    logs.configure(
        level=settings.log.level,
        output=settings.log.format,
        numbers=settings.log.numbers,
        secrets=_secrets(settings),
        timezone=settings.timezone,
    )
    wiring.serve(settings)
    # All is closed. Python would now wait for every thread, and one in the hands of a database
    # that hangs never ends.
    os._exit(DONE)


def _secrets(settings: Config) -> list[str]:
    found = [settings.storage.password]
    if settings.twilio is not None:
        found += [settings.twilio.auth_token, settings.twilio.auth_token_previous]
    return [secret for secret in found if secret]


def _demo(given: argparse.Namespace) -> int:
    from gateway.demo import demo  # noqa: PLC0415 - the daemon does without its platforms

    return demo(given.seconds)


def _check(given: argparse.Namespace) -> int:
    problems: list[str] = []
    plan = Plan()
    settings = None
    try:
        settings = load(given)
    except Misconfigured as error:
        problems += error.problems
    try:
        plan = provisioning.read(given.files, _held(settings))
    except Misconfigured as error:
        problems += error.problems
    if settings is None or problems:
        raise Misconfigured(problems)
    tell_notes(given, settings, plan)
    print("fine: " + ", ".join(str(file) for file in (given.config, *given.files)))
    return DONE


def _held(settings: Config | None) -> Held:
    """What files may refer to; nothing where there is no store yet."""
    if settings is not None:
        try:
            wiring.check_schema(settings)
            return wiring.provisioned(settings)[1]
        except (Misconfigured, Transient):
            pass
    return {}


def _migrate(given: argparse.Namespace) -> int:
    before, after = wiring.migrate(load(given))
    print(f"schema {after}" + ("" if before != after else ": nothing to do"))
    return DONE
