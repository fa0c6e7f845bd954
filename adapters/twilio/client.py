"""What is asked of the platform: its own list of calls, by a process that does nothing else.

The official package takes 12 MB to import, and a page of a thousand calls is two megabytes of JSON
and many objects. In a thread of the daemon that would hold up the webhooks, and stay in its memory.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from datetime import date

import msgspec

from gateway.domain.calls.reconciliation import Listed
from gateway.errors import Permanent, Transient, Trouble

_LONGEST_LINE = 2**20
"""Of a thousand calls, each of which takes a quarter of a kilobyte."""

_LONGEST_SILENCE = 360.0
"""Seconds from one line to the next: a page is asked for four times, half a minute each, and there
are three pauses of a minute at most. The rest is for a slow machine.
"""

_PROCESS = (sys.executable, "-P", "-m", "adapters.twilio.package")


class Question(msgspec.Struct, frozen=True):
    """What the process is told: the one line of its standard input, which stays open."""

    account_sid: str
    auth_token: str
    api_url: str
    day: str
    """YYYY-MM-DD, in UTC."""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of what the process says: some calls, that these were all, or what went wrong."""

    calls: list[Listed] = []
    is_all: bool = False
    trouble: Trouble | None = None
    detail: str = ""
    is_final: bool = False
    """Of a trouble: whether to ask again is of no use."""


_decode = msgspec.json.Decoder(Told).decode


class CallList:
    """The calls of an account, as the platform lists them."""

    def __init__(self, account_sid: str, auth_token: str, api_url: str) -> None:
        self._account_sid = account_sid
        self._auth_token = str(auth_token)  # a configured one is of a class that nobody encodes
        self._api_url = api_url.rstrip("/")

    async def began_on(self, day: date) -> AsyncGenerator[list[Listed], None]:
        """What began on ``day`` (UTC), the newest first, a thousand at a time.

        Raises:
            Transient: the platform is away or busy, or what it says is no list, again and again;
                or the process that asks it has ended, is silent, or says what is no line.
            Permanent: it refuses.
        """
        process = await asyncio.create_subprocess_exec(
            *_PROCESS,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            # what the environment says to the daemon (secrets among it) does not concern it
            env={k: value for k, value in os.environ.items() if not k.startswith("GATEWAY_")},
            start_new_session=True,  # Ctrl-C in a terminal is for the daemon alone
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes, which types cannot say
        assert process.stdout is not None  # noqa: S101 - see above
        question = Question(self._account_sid, self._auth_token, self._api_url, day.isoformat())
        try:
            process.stdin.write(msgspec.json.encode(question) + b"\n")
            while not (told := await _heard(process.stdout)).is_all:
                if told.trouble is not None:
                    raise (Permanent if told.is_final else Transient)(told.trouble, told.detail)
                yield told.calls
        finally:
            if process.returncode is None:
                process.kill()
            process.stdin.close()
            await process.wait()


async def _heard(said: asyncio.StreamReader) -> Told:
    """The next line of the process."""
    try:
        async with asyncio.timeout(_LONGEST_SILENCE):
            line = await said.readline()
        if line:
            return _decode(line)
        fault = "has ended"
    except TimeoutError:
        fault = "is silent"
    except ValueError as error:  # a line that is too long, or none of ours
        fault = f"says what is not understood: {type(error).__name__}"
    raise Transient(Trouble.PLATFORM_DOWN, f"the process that asks the carrier {fault}")
