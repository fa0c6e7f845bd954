"""``stop-sends`` and ``outbox``: what goes out by itself, and what did not."""

import argparse
import json

import msgspec

from gateway import main as wiring
from gateway.cli.base import DONE, Commands, id_of, load_with_store, now
from gateway.domain.values import EVERYBODY, Scope, moment


def add_to(commands: Commands) -> None:
    """Add the commands."""
    stopped = commands.add(
        "stop-sends",
        _stop,
        "halt pushes and mail campaigns within a second; replies and single mails go on",
    )
    stopped.add_argument("--advertiser", metavar="ID", help="only this one's; default: all")
    stopped.add_argument("--resume", action="store_true", help="let them go on")
    group = commands.group("outbox", "what was to be sent")
    failed = group.add("list", _list, "what was not sent, or of which nobody knows, oldest first")
    failed.add_argument("--advertiser", action="append", metavar="ID", help="only of this one")
    failed.add_argument("--json", action="store_true", help="one JSON object a line")
    again = group.add(
        "resend", _resend, "send it after all; what is older than a day may arrive twice"
    )
    again.add_argument("id", type=id_of, metavar="ID", help="of `gateway outbox list`")


def _stop(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    changed = wiring.stop_sends(settings, given.advertiser, resume=given.resume)
    whose = given.advertiser or "all"
    if given.resume:
        print(f"{whose}: " + ("sends go on" if changed else "sends were not halted"))
        for halted in () if given.advertiser else wiring.list_halted(settings):
            print(f"{halted}: sends stay halted; {_how_to_resume(halted)}")
    else:
        print(f"{whose}: sends are halted; {_how_to_resume(given.advertiser)}")
    return DONE


def _how_to_resume(advertiser: str | None) -> str:
    whose = f"--advertiser {advertiser} " if advertiser else ""
    return f"`gateway stop-sends {whose}--resume` lets them go on"


def _list(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    scope = Scope(frozenset(given.advertiser)) if given.advertiser else EVERYBODY
    if not given.json:
        print(f"{'id':19}  {'ended':19}  {'state':7}  {'kind':15}  reason, advertiser")
    for failed in wiring.list_failed(settings, scope):
        ended = moment(failed.ended_at or 0).astimezone(settings.timezone)
        if given.json:
            # Its stream names a user, and is nobody's business here.
            view = msgspec.structs.asdict(failed) | {"ended_at": ended.isoformat()}
            del view["stream"], view["tried_at"], view["result"]
            print(json.dumps(view, ensure_ascii=False))
        else:
            print(
                f"{failed.id:<19}  {ended:%Y-%m-%d %H:%M:%S}  {failed.state:7}  "
                f"{failed.kind:15}  {failed.last_error or '–'}, {failed.advertiser}"
            )
    return DONE


def _resend(given: argparse.Namespace) -> int:
    wiring.resend(load_with_store(given), given.id, now())
    print(f"{given.id}: it is tried again")
    return DONE
