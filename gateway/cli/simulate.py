"""``simulate``: plays a platform against the running daemon."""

import argparse
import asyncio
import json
import re

from gateway import main as wiring
from gateway.cli.base import DONE, FAILED, Commands, complain, load, load_with_store, positive

_NOT_THERE = (
    ": restart the daemon if [line] was added to config.toml since it started; otherwise see "
    "whether it runs on this configuration, and whether --target leads to it"
)


def add_to(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("simulate", "play a platform")
    call = group.add("call", _call, "play a carrier's call against the running daemon")
    call.add_argument("--to", required=True, metavar="NUMBER", help="the tracked number")
    call.add_argument("--from", dest="caller", default="+819012345678", metavar="NUMBER")
    call.add_argument("--scenario", choices=wiring.SCENARIOS, default="answered")
    call.add_argument("--ring", type=positive, default=6, metavar="SECONDS")
    call.add_argument("--talk", type=positive, default=42, metavar="SECONDS")
    call.add_argument(
        "--speed", type=float, default=0.0, help="1 is real time; default: 0, at once"
    )
    call.add_argument("--target", metavar="URL", help="default: the configured public listener")
    line = group.add("line", _line, "post a friend's webhook of LINE to the running daemon")
    line.add_argument("channel", metavar="CHANNEL", help="its id in the provisioning file")
    what = line.add_mutually_exclusive_group(required=True)
    what.add_argument("--say", metavar="TEXT", help="write a message")
    what.add_argument("--follow", action="store_true", help="become a friend")
    what.add_argument("--postback", metavar="DATA", help="press a button")
    line.add_argument("--from", dest="user", type=_user, default="U" + "0" * 32, metavar="USERID")
    line.add_argument("--target", metavar="URL", help="default: the configured public listener")


def _user(text: str) -> str:
    """The platform's id of a user; groups and rooms, which have other ones, are not played."""
    if not re.fullmatch("U[0-9a-f]{32}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no user id: write U and 32 of 0-9, a-f")
    return text


def _call(given: argparse.Namespace) -> int:
    settings = load(given)
    played = asyncio.run(
        wiring.simulate_call(
            settings,
            wiring.Script(given.scenario, given.to, given.caller, given.ring, given.talk),
            target=given.target,
            speed=given.speed,
        )
    )
    if problem := wiring.trouble_of(played):
        return complain([problem], FAILED)
    print(
        f"{played.sid}  {given.to}  {played.result}  "
        f"ring {played.ring_seconds or 0} s  talk {played.talk_seconds} s"
    )
    return DONE


def _line(given: argparse.Namespace) -> int:
    from gateway.main.platform import simulate_line  # noqa: PLC0415 - the daemon does without

    settings = load_with_store(given)
    channel = wiring.find_channel(settings, given.channel)
    event, trouble = simulate_line(
        settings,
        channel,
        given.user,
        say=given.say,
        postback=given.postback,
        target=given.target,
    )
    if trouble:
        hint = _NOT_THERE if trouble.endswith("404") else ""
        return complain([f"the webhook of {channel.id} was {trouble}{hint}"], FAILED)
    reply = wiring.find_reply(settings, channel.id, event)
    print(f"{event}  {channel.id}  200  {reply.origin if reply else 'no answer'}")
    for message in json.loads(reply.payload)["messages"] if reply else ():
        print(json.dumps(message, ensure_ascii=False))
    return DONE
