"""The command line: reads arguments, prints, and leaves the work to :mod:`gateway.main`."""

import argparse
import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn, TypeAlias
from zoneinfo import ZoneInfo

from gateway import __version__, config, logs, provisioning
from gateway import main as wiring
from gateway.config import Config
from gateway.demo import demo
from gateway.domain.values import EVERYBODY, Scope, masked, micros, moment
from gateway.errors import GatewayError, Misconfigured, Transient, Trouble
from gateway.ports import CallRecord
from gateway.usecases.calls import describe
from gateway.usecases.provisioning import Changes, difference

DONE, FAILED, WRONG = 0, 1, 2
"""Exit codes: done; failed; wrong usage, configuration or input."""

_APPLY_TRIES = 5

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = _parser().parse_args(arguments)
    try:
        code: int = given.command(given)
    except Misconfigured as error:
        return _complain(error.problems, WRONG)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (GatewayError, OSError, sqlite3.Error) as error:
        return _complain([str(error)], FAILED)
    except subprocess.CalledProcessError as error:
        return _complain([f"{error.cmd[0]} failed, see above"], FAILED)
    except KeyboardInterrupt:
        return FAILED
    return code


def _complain(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        print(f"gateway: {problem}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway", description="Telephony and messaging for the advertisers of a firm."
    )
    parser.add_argument("--version", action="version", version=f"tsunagi {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str,
        command: Callable[[argparse.Namespace], int],
        text: str,
        *,
        among: _Commands = commands,
    ) -> argparse.ArgumentParser:
        added = among.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        added.add_argument(
            "--config", type=Path, default=Path("config.toml"), help="default: ./config.toml"
        )
        return added

    add("serve", _serve, "run until SIGTERM, then drain")
    played = commands.add_parser("demo", help="the daemon with a simulated carrier")
    played.set_defaults(command=_demo)
    played.add_argument("--seconds", type=_positive, help="end by itself; default: at Ctrl-C")
    checked = add("check", _check, "show every error of configuration and provisioning files")
    checked.add_argument("files", nargs="*", type=Path, metavar="FILE")
    add("migrate", _migrate, "bring the store's schema to this release")
    applied = add("apply", _apply, "write provisioning files into the store, in one transaction")
    applied.add_argument("files", nargs="+", type=Path, metavar="FILE")
    applied.add_argument("--dry-run", action="store_true", help="only show what would change")
    _add_calls(add, commands)
    _add_simulate(add, commands)
    saved = add("backup", _backup, "write the whole store to a new file; the daemon may run on")
    saved.add_argument("destination", type=Path, metavar="DEST")
    restored = add("restore", _restore, "put a backup in the store's place; the daemon is stopped")
    restored.add_argument("source", type=Path, metavar="SRC")
    add("resend-spool", _resend_spool, "try the events of spool.dead again")
    return parser


def _add_calls(add: Callable[..., argparse.ArgumentParser], commands: _Commands) -> None:
    group = commands.add_parser("calls", help="calls in the store")
    listed = add(
        "list",
        _calls_list,
        "every call, oldest first",
        among=group.add_subparsers(required=True, metavar="COMMAND"),
    )
    listed.add_argument("--advertiser", action="append", metavar="ID", help="only of this one")
    listed.add_argument("--since", metavar="TIME", help="date or time, 2026-11-21T09:00+09:00")
    listed.add_argument("--limit", type=_positive, metavar="N", help="at most N calls")
    listed.add_argument("--json", action="store_true", help="one JSON object a line, in full")


def _add_simulate(add: Callable[..., argparse.ArgumentParser], commands: _Commands) -> None:
    group = commands.add_parser("simulate", help="play a platform")
    call = add(
        "call",
        _simulate_call,
        "play a carrier's call against the running daemon",
        among=group.add_subparsers(required=True, metavar="COMMAND"),
    )
    call.add_argument("--to", required=True, metavar="NUMBER", help="the tracked number")
    call.add_argument("--from", dest="caller", default="+819012345678", metavar="NUMBER")
    call.add_argument("--scenario", choices=wiring.SCENARIOS, default="answered")
    call.add_argument("--ring", type=_positive, default=6, metavar="SECONDS")
    call.add_argument("--talk", type=_positive, default=42, metavar="SECONDS")
    call.add_argument(
        "--speed", type=float, default=0.0, help="1 is real time; default: 0, at once"
    )
    call.add_argument("--target", metavar="URL", help="default: the configured public listener")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


# --- the commands ---


def _serve(given: argparse.Namespace) -> NoReturn:
    settings = _load(given)
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


def _demo(given: argparse.Namespace) -> int:
    return demo(given.seconds)


def _check(given: argparse.Namespace) -> int:
    problems: list[str] = []
    settings = None
    try:
        settings = _load(given)
    except Misconfigured as error:
        problems += error.problems
    try:
        held = _held(settings)
        provisioning.read(given.files, held[1], held[2])
    except Misconfigured as error:
        problems += error.problems
    if problems:
        raise Misconfigured(problems)
    print("fine: " + ", ".join(str(file) for file in (given.config, *given.files)))
    return DONE


def _held(settings: Config | None) -> wiring.Provisioned:
    """What files may refer to; nothing where there is no store yet."""
    if settings is not None:
        try:
            wiring.check_schema(settings)
            return wiring.provisioned(settings)
        except (Misconfigured, Transient):
            pass
    return 0, {}, {}


def _migrate(given: argparse.Namespace) -> int:
    before, after = wiring.migrate(_load(given))
    print(f"schema {after}" + ("" if before != after else ": nothing to do"))
    return DONE


def _apply(given: argparse.Namespace) -> int:
    settings = _load(given)
    wiring.check_schema(settings)
    for _ in range(_APPLY_TRIES):
        version, advertisers, numbers = wiring.provisioned(settings)
        plan = provisioning.read(given.files, advertisers, numbers)
        changes = difference(version, advertisers, numbers, plan)
        if given.dry_run or not changes.changes:
            _show(changes, "would be " if given.dry_run else "")
            return DONE
        try:
            wiring.apply(settings, changes)
        except Transient as error:
            if error.reason is not Trouble.STORE_CONFLICT:
                raise
            continue  # another applied meanwhile: what changes is found anew
        _show(changes, "")
        return DONE
    return _complain(["others apply at the same time: try again"], FAILED)


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
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _calls_list(given: argparse.Namespace) -> int:
    settings = _load(given)
    wiring.check_schema(settings)
    scope = Scope(frozenset(given.advertiser)) if given.advertiser else EVERYBODY
    since = _instant(given.since, settings.timezone) if given.since else 0
    records = wiring.list_calls(settings, scope, since=since, limit=given.limit)
    if not given.json:
        print(f"{'received':19}  {'number':14}  {'caller':12}  state       result     ring  talk")
    for record in records:
        if given.json:
            print(json.dumps(describe(record, settings.timezone), ensure_ascii=False))
        else:
            print(_row(record, settings.timezone))
    return DONE


def _row(record: CallRecord, zone: ZoneInfo) -> str:
    call = record.call
    received = moment(call.received_at).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    ring, talk = ("–" if s is None else f"{s} s" for s in (call.ring_seconds, call.talk_seconds))
    return (
        f"{received}  {call.number:14}  {masked(call.caller):12}  {call.state:10}  "
        f"{call.result or '–':9}  {ring:>5}  {talk:>5}"
    )


def _instant(text: str, zone: ZoneInfo) -> int:
    try:
        moment_ = datetime.fromisoformat(text)
    except ValueError:
        raise Misconfigured([f"--since {text}: write 2026-11-21 or 2026-11-21T09:00"]) from None
    since = micros(moment_ if moment_.tzinfo else moment_.replace(tzinfo=zone))
    return min(since, time.time_ns() // 1000)  # the future has no ids to begin from


def _simulate_call(given: argparse.Namespace) -> int:
    settings = _load(given)
    played = asyncio.run(
        wiring.simulate_call(
            settings,
            wiring.Script(given.scenario, given.to, given.caller, given.ring, given.talk),
            target=given.target,
            speed=given.speed,
        )
    )
    if problem := wiring.trouble_of(played):
        return _complain([problem], FAILED)
    print(
        f"{played.sid}  {given.to}  {played.result}  "
        f"ring {played.ring_seconds or 0} s  talk {played.talk_seconds} s"
    )
    return DONE


def _backup(given: argparse.Namespace) -> int:
    settings = _load(given)

    def progress(left: int, total: int) -> None:
        if sys.stderr.isatty() and total:
            end = "\n" if not left else ""
            print(f"\r{100 * (total - left) // total} %", end=end, file=sys.stderr, flush=True)

    wiring.backup(settings, given.destination, progress)
    print(f"{given.destination}: {given.destination.stat().st_size} bytes")
    if waiting := wiring.spooled_events(settings):
        _complain([f"{waiting} events wait in the spool and are not in the backup"], DONE)
    return DONE


def _restore(given: argparse.Namespace) -> int:
    former = wiring.restore(_load(given), given.source)
    print(f"restored {given.source}" + (f"; the former store is {former}" if former else ""))
    return DONE


def _resend_spool(given: argparse.Namespace) -> int:
    count = wiring.resend_spool(_load(given))
    print(f"{count} events are handed to the daemon")
    return DONE


def _load(given: argparse.Namespace) -> Config:
    return config.load(given.config, os.environ)


def _secrets(settings: Config) -> list[str]:
    found = [settings.storage.password]
    if settings.twilio is not None:
        found += [settings.twilio.auth_token, settings.twilio.auth_token_previous]
    return [secret for secret in found if secret]
