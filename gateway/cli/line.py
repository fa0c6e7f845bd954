"""``line``: the official accounts."""

import argparse
import asyncio
import json

import msgspec

from gateway import main as wiring
from gateway.cli.base import DONE, FAILED, Commands, load_with_store


def add_to(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("line", "LINE official accounts")
    checked = group.add("check", _check, "walk an account's set-up, and say what to do about it")
    checked.add_argument("channel", metavar="CHANNEL", help="its id in the provisioning file")
    checked.add_argument("--fix", action="store_true", help="set its webhook URL where it differs")
    checked.add_argument("--json", action="store_true", help="one JSON object a line")


def _check(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    checks = asyncio.run(wiring.check_channel(settings, given.channel, fix=given.fix))
    for check in checks:
        if given.json:
            print(json.dumps(msgspec.to_builtins(check), ensure_ascii=False))
        else:
            print("\n".join(check.lines()))
    return FAILED if any(check.state in ("failed", "unknown") for check in checks) else DONE
