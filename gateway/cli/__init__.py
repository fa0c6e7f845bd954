"""The command line: reads arguments, prints, and leaves the work to :mod:`gateway.main`.

A module for each group of commands; what it adds to the parser stands at its top.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence

from gateway import __version__
from gateway.cli import calls, daemon, line, mail, provisioning, sends, simulate, store, tokens
from gateway.cli.base import DONE, FAILED, INTERRUPTED, WRONG, Commands, complain
from gateway.errors import GatewayError, Misconfigured

__all__ = ["DONE", "FAILED", "WRONG", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = _parser().parse_args(arguments)
    try:
        code: int = given.command(given)
    except Misconfigured as error:
        return complain(error.problems, WRONG)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        # Without its number, of which nobody knows what it means.
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return complain([named], FAILED)
    except (GatewayError, sqlite3.Error) as error:
        return complain([str(error)], FAILED)
    except subprocess.CalledProcessError as error:
        return complain([f"{error.cmd[0]} failed, see above"], FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway", description="Telephony and messaging for the advertisers of a firm."
    )
    parser.add_argument("--version", action="version", version=f"tsunagi {__version__}")
    commands = Commands(parser)
    for module in (daemon, provisioning, calls, tokens, line, mail, sends, simulate, store):
        module.add_to(commands)
    return parser
