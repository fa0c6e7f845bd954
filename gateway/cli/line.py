"""``line``: the official accounts."""

import argparse
import asyncio
import json
import sys

import msgspec

from gateway import main as wiring
from gateway.cli.base import DONE, FAILED, Commands, load_with_store
from gateway.domain.line.onboarding import AGAIN


def add_to(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("line", "LINE official accounts")
    checked = group.add("check", _check, "walk an account's set-up, and say what to do about it")
    checked.add_argument("channel", metavar="CHANNEL", help="its id in the provisioning file")
    checked.add_argument("--fix", action="store_true", help="set its webhook URL where it differs")
    checked.add_argument("--json", action="store_true", help="one JSON object a line")
    listed = group.add(
        "followers", _followers, "take up friends from before the gateway, as LINE lists them"
    )
    listed.add_argument("channel", metavar="CHANNEL", help="its id in the provisioning file")


def _check(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    checks = asyncio.run(wiring.check_channel(settings, given.channel, fix=given.fix))
    for check in checks:
        if given.json:
            print(json.dumps(msgspec.to_builtins(check), ensure_ascii=False))
        else:
            print("\n".join(check.lines()))
    if not given.json and any(check.state == "unknown" for check in checks):
        print(AGAIN)  # once: nearly all is unknown where the platform lets nobody in
    return FAILED if any(check.state in ("failed", "unknown") for check in checks) else DONE


def _followers(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    found = (0, 0)

    def progress(listed: int, new: int) -> None:
        nonlocal found
        found = (listed, new)
        if sys.stderr.isatty():
            print(f"\r{listed} listed", end="", file=sys.stderr, flush=True)

    asyncio.run(wiring.take_followers(settings, given.channel, progress))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{given.channel}: {found[0]} friends listed, {found[1]} of them taken up")
    return DONE
