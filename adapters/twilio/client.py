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

_LONGEST_LINE = 2**24


class Question(msgspec.Struct, frozen=True):
    """What the process is told, on its standard input."""

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
            Transient: the platform is away or busy, or what it says is no list, again and again.
            Permanent: it refuses.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "adapters.twilio.package"),
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
            process.stdin.write(msgspec.json.encode(question))
            process.stdin.close()
            async for line in process.stdout:
                told = _decode(line)
                if told.trouble is not None:
                    raise (Permanent if told.is_final else Transient)(told.trouble, told.detail)
                if told.is_all:
                    return
                yield told.calls
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        raise Transient(Trouble.PLATFORM_DOWN, "the process that asks the carrier has ended")
