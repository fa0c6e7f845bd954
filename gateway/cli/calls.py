"""``calls``: what was called."""

import argparse
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from gateway import main as wiring
from gateway.cli.base import DONE, Commands, load_with_store, now, positive
from gateway.domain.values import EVERYBODY, Scope, masked, micros, moment
from gateway.errors import Misconfigured
from gateway.ports import CallRecord
from gateway.usecases.views import describe


def add_to(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("calls", "calls in the store")
    listed = group.add("list", _list, "every call, oldest first")
    listed.add_argument("--advertiser", action="append", metavar="ID", help="only of this one")
    listed.add_argument("--since", metavar="TIME", help="date or time, 2026-11-21T09:00+09:00")
    listed.add_argument("--limit", type=positive, metavar="N", help="at most N calls")
    listed.add_argument("--json", action="store_true", help="one JSON object a line, in full")


def _list(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    scope = Scope(frozenset(given.advertiser)) if given.advertiser else EVERYBODY
    since = _instant(given.since, settings.timezone) if given.since else 0
    records = wiring.list_calls(settings, scope, since=since, limit=given.limit)
    if not given.json:
        print(f"{'received':19}  {'number':14}  {'caller':12}  state       result     ring  talk")
    for record in records:
        if given.json:
            view = msgspec.to_builtins(describe(record, settings.timezone))
            print(json.dumps(view, ensure_ascii=False))
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
    return min(since, now())  # the future has no ids to begin from
