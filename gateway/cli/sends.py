"""``stop-sends`` and ``outbox``: what goes out by itself, and what did not."""

import argparse
import json

import msgspec

from gateway import main as wiring
from gateway.cli.base import DONE, Commands, id_of, load_with_store, now
from gateway.config import Config
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Scope, moment
from gateway.errors import Misconfigured


def add_to(commands: Commands) -> None:
    """Add the commands."""
    stopped = commands.add(
        "stop-sends",
        _stop,
        "halt pushes, mail campaigns and trials within a second; replies and confirmations go on",
    )
    stopped.add_argument("--advertiser", metavar="ID", help="only this one's; default: all")
    instead = stopped.add_mutually_exclusive_group()
    instead.add_argument("--resume", action="store_true", help="let them go on")
    instead.add_argument("--show", action="store_true", help="only list whose are halted")
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
    whose = given.advertiser
    if given.show:
        return _show(settings, whose)
    changed = wiring.stop_sends(settings, whose, resume=given.resume)
    if not given.resume:
        print(f"{whose or 'all'}: sends are halted; {_how_to_resume(whose)}")
        return DONE
    left = wiring.list_halts(settings)
    if whose and None in left:
        said = "its own halt is over" if changed else "had no halt of its own"
        print(f"{whose}: {said}, and all sends stay halted; {_how_to_resume(None)}")
        return DONE
    print(f"{whose or 'all'}: " + ("sends go on" if changed else "sends were not halted"))
    for halted in () if whose else left:
        print(f"{halted}: sends stay halted; {_how_to_resume(halted)}")
    return DONE


def _show(settings: Config, whose: str | None) -> int:
    if whose and whose not in wiring.provisioned(settings)[1][Advertiser.table]:
        raise Misconfigured([f"there is no advertiser {whose!r}"])
    halts = wiring.list_halts(settings)
    found = [halted for halted in halts if whose is None or halted in (whose, None)]
    for halted in found:
        since = moment(halts[halted]).astimezone(settings.timezone)
        how = _how_to_resume(halted)
        print(f"{halted or 'all'}: sends are halted since {since:%Y-%m-%d %H:%M:%S}; {how}")
    if not found:
        print(f"{whose or 'all'}: sends are not halted")
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
