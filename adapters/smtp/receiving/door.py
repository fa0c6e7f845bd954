"""What the sessions of incoming mail share: limits, who takes the mail, and who is inside."""

import asyncio
from collections import Counter
from typing import Any, Protocol

import msgspec

from gateway.errors import Refusal
from gateway.ports import Clock, Observer
from gateway.ports.process import Log

PROVIDER = "smtp"
"""The label of its metrics."""


class Limits(msgspec.Struct, frozen=True):
    """What one who delivers may take."""

    connections: int = 200
    connections_of_one: int = 100
    """Of one address: a mail server of our own is one."""
    message_bytes: int = 10 << 20
    recipients: int = 20
    commands: int = 5_000
    """In one session."""
    silent_seconds: float = 60
    session_seconds: float = 900
    held_bytes: int = 64 << 20
    """Of all messages on their way in, together."""
    at_once: int = 8
    """Messages that are looked at."""


class Mail(msgspec.Struct, frozen=True):
    """A mail as it was delivered."""

    sender: str
    """Of the envelope; empty: nobody, as with bounces."""
    recipients: tuple[str, ...]
    raw: bytes
    """Its first megabytes, see :mod:`adapters.smtp.receiving.incoming`."""
    received_at: int
    peer: str = ""
    """The address of who delivered it."""


class Desk(Protocol):
    """Who takes the mail."""

    async def expect(self, recipient: str, now: int) -> None:
        """Look whether there is such a recipient.

        Raises:
            Refused: there is none.
            Transient: it cannot be known now.
        """

    async def take(self, mail: Mail) -> None:
        """Do what a mail is for; when this returns, that is durable.

        Raises:
            Refused: it is not what its recipients are for; or there were too many of its kind
                (TOO_SOON), and it may come again.
            Transient: not now.
        """


class Door:
    """What one listener knows of its sessions."""

    def __init__(
        self,
        desk: Desk,
        *,
        hostname: str,
        observer: Observer,
        clock: Clock,
        log: Log,
        limits: Limits,
    ) -> None:
        self.desk = desk
        self.hostname = hostname
        self.observer = observer
        self.clock = clock
        self.log = log
        self.limits = limits
        self.sessions: dict[Any, str] = {}
        """Those that are open, and whose they are."""
        self.held = 0
        """Bytes of the messages on their way."""
        self.places = asyncio.Semaphore(limits.at_once)
        self._peers: Counter[str] = Counter()

    def enter(self, session: object, peer: str) -> bool:
        """Take a session in; whether there is room for it."""
        of_one = self._peers[peer]
        if len(self.sessions) >= self.limits.connections or (
            of_one >= self.limits.connections_of_one
        ):
            self.count("connect", Refusal.TOO_MANY_CONNECTIONS)
            return False
        self.sessions[session] = peer
        self._peers[peer] += 1
        return True

    def leave(self, session: object) -> None:
        """A session has ended, or was never taken in."""
        peer = self.sessions.pop(session, None)
        if peer is not None:
            self._peers[peer] -= 1
            self._peers += Counter()  # forgets those that have none

    def count(self, route: str, reason: Refusal) -> None:
        """Count a refusal."""
        self.observer.refused(PROVIDER, route, reason)
