"""Sends webhooks on to a second tool, byte for byte, so that it can live on the same channel.

Whoever provisions a channel chooses the address, so it is a stranger's: the connection is made to
hosts of the internet only, and that is looked at where the socket is made, of the very address that
it connects to. A name that stands for another address a moment later (DNS rebinding) gains nothing.
"""

import contextlib
import socket
import ssl
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver

from adapters.line.answers import asking, read_answer
from gateway import __version__
from gateway.domain.line.channel import Channel
from gateway.domain.line.forwarding import (
    Payload,
    Result,
    is_public,
    is_public_url,
    next_attempt,
    read,
    verdict,
)
from gateway.domain.values import SECOND, Counted
from gateway.ports import Clock, Store
from gateway.ports.outbox import Claimed, Outcome
from gateway.ports.process import Log

TIMEOUT_SECONDS = 10.0
UNDER_WAY = 64
"""So many webhooks are sent on at once: tools that do not answer must not take the places of the
other effects that a process carries out.
"""

UNDER_WAY_OF_ONE = 8
"""So many of one channel, so that its tool does not take the places of the others' either."""

_LONGEST_TURN = int(TIMEOUT_SECONDS) * SECOND
_LONGEST_WAIT = 900 * SECOND

METRIC = "line_forwards_total"

_TIMEOUT = aiohttp.ClientTimeout(TIMEOUT_SECONDS, sock_connect=5.0)
_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",  # as the platform writes it
    "User-Agent": f"Tsunagi/{__version__}",
}


class PrivateAddress(OSError):
    """A name stands for an address that is none of the internet's."""


@dataclass
class _Turns:
    """Whose turn it is of a channel's webhooks. Those that find no place come again one by one, as
    places become free: all of them at once, each second, would keep the store busy.
    """

    under_way: int = 0
    took: int = SECOND
    """How long the last attempt took (microseconds)."""
    next_at: int = 0
    """When the last of those comes that were put back."""

    def put_back(self, now: int) -> int:
        """When one that finds no place is to come again."""
        self.next_at = max(now, self.next_at) + max(self.took // UNDER_WAY_OF_ONE, 1)
        if self.next_at > now + _LONGEST_WAIT:
            self.next_at = now + SECOND
        return self.next_at


class Forwarder:
    """Carries out ``line.forward``; use it with ``async with``.

    ``allowed`` are further pairs of address and port, ``resolver`` finds addresses and ``trust`` is
    what certificates are checked against: for tests and the demo, whose tool is on loopback.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        log: Log,
        allowed: Collection[tuple[str, int]] = (),
        resolver: AbstractResolver | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._allowed = frozenset(allowed)
        self._resolver = resolver
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None
        self._under_way = 0
        self._turns: defaultdict[str, _Turns] = defaultdict(_Turns)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,  # connections are kept; a tool that moved is found at once
            socket_factory=self._socket,
            ssl=True if self._trust is None else self._trust,
            limit=UNDER_WAY,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def _socket(self, found: Any) -> socket.socket:
        """The socket for an address that a name was found to stand for.

        Raises:
            PrivateAddress: it is not to be connected to.
        """
        family, kind, protocol, _, address = found
        if not (is_public(address[0]) or address[:2] in self._allowed):
            raise PrivateAddress("not an address of the internet")
        return socket.socket(family, kind, protocol)

    async def deliver(self, effect: Claimed) -> Outcome:
        """Send one webhook on. The tool's own fault is told to nobody but whoever looks at the
        effects that are dead, and at the figures.
        """
        if not effect.payload:
            return self._ended(effect, "withdrawn", "taken_back", tried=False)
        payload = read(effect.payload)
        channel = self._store.entity(Channel, payload.channel)
        if channel is None or channel.forward is None or channel.forward.url != payload.url:
            return self._ended(effect, "withdrawn", "not_approved_any_more")
        if self._clock() >= effect.give_up_at:
            return self._ended(effect, "expired", "given_up", tried=False)
        turns = self._turns[channel.id]
        if self._under_way >= UNDER_WAY or turns.under_way >= UNDER_WAY_OF_ONE:
            return Outcome("waiting", turns.put_back(self._clock()), tried=False)
        began_at = self._clock()
        self._under_way += 1
        turns.under_way += 1
        try:
            result, error = await self._post(payload)
        finally:
            self._under_way -= 1
            turns.under_way -= 1
            turns.took = min(max(self._clock() - began_at, 0), _LONGEST_TURN)
        if result == "retried":
            due_at = next_attempt(effect.attempts, self._clock())
            if due_at >= effect.give_up_at:
                return self._ended(effect, "expired", error)
            return Outcome("waiting", due_at, error=error, facts=(_count(effect, result),))
        return self._ended(effect, result, error)

    async def _post(self, payload: Payload) -> tuple[Result, str]:
        """Send ``payload``; returns what came of it, and what was wrong."""
        assert self._session is not None  # noqa: S101 - it is used with async with
        if not is_public_url(payload.url):  # it was, where it was set up
            return "refused", "address"
        try:
            async with asking(
                self._session,
                "POST",
                payload.url,
                headers={**_HEADERS, "x-line-signature": payload.signature},
                data=payload.raw,
                timeout=_TIMEOUT,
            ) as response:
                # Read so that its connection can be used again; the status came, and is all that
                # counts. A TimeoutError is an OSError.
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    await read_answer(response)
                error = "" if response.status < 300 else f"http_{response.status}"
                return verdict(response.status), error
        except aiohttp.ClientSSLError:
            return "retried", "certificate"
        except aiohttp.ClientConnectorError as trouble:
            is_private = isinstance(trouble.os_error, PrivateAddress)
            return "retried", "private_address" if is_private else "unreachable"
        except TimeoutError:
            return "retried", "timeout"
        except (aiohttp.ClientError, OSError):
            return "retried", "connection"

    def _ended(self, effect: Claimed, result: Result, error: str, *, tried: bool = True) -> Outcome:
        if result != "sent":
            self._log.warning(
                "a webhook was not sent on", effect=effect.id, result=result, error=error
            )
        return Outcome(
            "done" if result == "sent" else "dead",
            tried=tried,
            error=error,
            facts=(_count(effect, result),),
        )


def _count(effect: Claimed, result: Result) -> Counted:
    return Counted(effect.advertiser, METRIC, (result,))
