"""One connection of incoming mail, on aiosmtpd.

aiosmtpd reads commands and keeps their order. What strangers could wear it out with is done here:
addresses are matched by one pattern, messages are taken in pieces, and lines that end otherwise
than RFC 5321 says end the session.
"""

import asyncio
import re
import time
from collections import defaultdict
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from adapters.smtp.receiving.door import PROVIDER, Door, Mail
from adapters.smtp.receiving.incoming import Incoming
from gateway.errors import Permanent, Refusal, Refused, Transient

_PIECE = 1 << 20
_PATH = re.compile(
    # RFC 5321, 4.1.2: a path, perhaps with the route that nobody uses any more, and parameters.
    r"(?:FROM|TO):[ ]?<(?:@[^<>\s:]{1,255}:)?"
    r'((?:"(?:[^"\\]|\\.){0,64}"|[^<>"\s]){0,320})>'
    r"((?:[ ]+[A-Za-z0-9-]{1,40}(?:=[^\s=]{1,100})?){0,10})[ ]*",
    re.IGNORECASE,
)


class _Hooks:
    """What aiosmtpd calls: its ``EHLO``, and errors."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def handle_EHLO(  # noqa: N802 - aiosmtpd names it
        self, server: SMTP, session: Any, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """What we offer (RFC 1869): commands may come in groups (RFC 2920)."""
        session.host_name = hostname
        return [*responses[:-1], "250 PIPELINING"]

    async def handle_exception(self, error: Exception) -> str:
        """Answer what went wrong with us. aiosmtpd itself would quote it."""
        self._door.log.error("mail session failed", error=type(error).__name__, exc_info=error)
        return "451 4.3.0 a fault of ours"


class Session(SMTP):
    """One connection."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._limits = door.limits
        self.command_size_limits = defaultdict(lambda: 512)  # aiosmtpd's own is one for all
        super().__init__(
            _Hooks(door),
            data_size_limit=self._limits.message_bytes,
            hostname=door.hostname,
            ident="ESMTP",
            timeout=2 * self._limits.session_seconds,  # ours, below, comes first
            loop=loop,
        )
        self._commands = 0
        self._has_cr = False
        self._in_data = False
        self._heard_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._ends_at = 0.0
        self.is_busy = False
        """Whether a message is taken in, or was and is not answered yet."""

    # --- limits ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or say that there is no room."""
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._door.enter(self, peer):
            assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - of a socket
            transport.write(b"421 4.7.0 too many connections\r\n")
            transport.close()
            return
        self._heard_at = self.loop.time()
        self._ends_at = self._heard_at + self._limits.session_seconds
        self._look_at_time()
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._door.leave(self)
        if self._watch is None:
            return  # it was never let in
        self._watch.cancel()
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """Nothing more comes: what was not finished was not delivered."""
        return super().eof_received() if self._watch is not None else None

    def data_received(self, data: bytes) -> None:
        """Look at what comes before aiosmtpd does."""
        if self._watch is None:
            return
        self._heard_at = self.loop.time()
        if self._in_data or self._is_sound(data):
            super().data_received(data)

    def end(self, told: str) -> None:
        """Say why, and end it."""
        transport = self.transport
        if isinstance(transport, asyncio.WriteTransport) and not transport.is_closing():
            transport.write(told.encode() + b"\r\n")
            transport.close()
            # Who does not read what was said is not waited for.
            self.loop.call_later(1, transport.abort)

    def _refuse(self, reason: Refusal, told: str) -> None:
        self._door.count("session", reason)
        self.end(told)

    def _is_sound(self, data: bytes) -> bool:
        """Whether bytes of commands keep to the rules; else the session has ended."""
        seen = b"\r" + data if self._has_cr else data
        self._has_cr = seen.endswith(b"\r")
        pairs = seen.count(b"\r\n")
        bare = seen.count(b"\n") + seen.count(b"\r") - self._has_cr - 2 * pairs
        self._commands += pairs
        if bare:
            self._refuse(Refusal.BARE_NEWLINE, "521 5.5.2 lines end with CR LF")
            return False
        if self._commands > self._limits.commands:
            self._refuse(Refusal.TOO_MANY_COMMANDS, "421 4.7.0 too many commands")
            return False
        return True

    def _look_at_time(self) -> None:
        now = self.loop.time()
        silent_until = self._heard_at + self._limits.silent_seconds
        if now >= self._ends_at or (now >= silent_until and not self.is_busy):
            self._refuse(Refusal.TOO_SILENT, "421 4.4.2 timeout")
            return
        at = self._ends_at if self.is_busy else min(silent_until, self._ends_at)
        self._watch = self.loop.call_later(max(0.05, at - now), self._look_at_time)

    # --- commands ---

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd names it
        """Whom a message is from."""
        if await self.check_helo_needed():
            return
        assert self.envelope is not None  # noqa: S101 - made with the connection
        if self.envelope.mail_from is not None:
            await self.push("503 5.5.1 there is a sender")
            return
        path = _PATH.fullmatch(arg or "")
        if path is None or (arg or "")[:5].upper() != "FROM:":
            await self.push("501 5.5.4 MAIL FROM:<address>")
            return
        for parameter in path[2].upper().split():
            name, _, value = parameter.partition("=")
            if name == "SIZE" and value.isdecimal():
                if len(value) > 18 or int(value) > self._limits.message_bytes:
                    self._door.count("mail", Refusal.BODY_TOO_LARGE)
                    await self.push("552 5.3.4 too large")
                    return
            elif parameter not in ("BODY=7BIT", "BODY=8BITMIME"):
                await self.push("555 5.5.4 unknown parameter")
                return
        self.envelope.mail_from = path[1]
        await self.push("250 2.1.0 sender taken")

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd names it
        """Whom it is for."""
        if await self.check_helo_needed():
            return
        assert self.envelope is not None  # noqa: S101 - made with the connection
        if self.envelope.mail_from is None:
            await self.push("503 5.5.1 MAIL comes first")
            return
        path = _PATH.fullmatch(arg or "")
        if path is None or (arg or "")[:3].upper() != "TO:" or not path[1]:
            await self.push("501 5.5.4 RCPT TO:<address>")
            return
        if path[2]:
            await self.push("555 5.5.4 unknown parameter")
            return
        if len(self.envelope.rcpt_tos) >= self._limits.recipients:
            self._door.count("rcpt", Refusal.TOO_MANY_RECIPIENTS)
            await self.push("452 4.5.3 too many recipients")  # RFC 5321, 4.5.3.1.10
            return
        await self.push(await self._expected(path[1], self.envelope))

    async def _expected(self, recipient: str, envelope: Envelope) -> str:
        try:
            await self._door.desk.expect(recipient, self._door.clock())
        except Refused as error:
            self._door.count("rcpt", error.reason)
            return "550 5.1.1 no such mailbox"
        except (Transient, Permanent) as error:
            self._door.log.error("mail put off", reason=error.reason)
            return "451 4.3.0 later, please"
        envelope.rcpt_tos.append(recipient)
        return "250 2.1.5 recipient taken"

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd names it
        """The message itself, to its end; then what became of it."""
        if await self.check_helo_needed():
            return
        assert self.envelope is not None  # noqa: S101 - made with the connection
        if arg:
            await self.push("501 5.5.4 DATA takes nothing")
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 RCPT comes first")
            return
        self._in_data = True
        begun = time.monotonic()
        incoming = Incoming(self._limits.message_bytes)
        held = 0
        try:
            await self.push("354 end with CR LF . CR LF")
            while True:
                piece = await self._reader.read(_PIECE)
                if not piece:
                    raise ConnectionResetError
                if incoming.feed(piece):
                    break
                held = self._hold(incoming, held)
            self._in_data = False
            self._has_cr = False
            # All that there was has been read, so what is left goes back to the front.
            if incoming.rest and self._is_sound(incoming.rest):
                self._reader.feed_data(incoming.rest)
            self.is_busy = True
            told = await self._answer(incoming)
        finally:
            self._door.held -= held
            self._in_data = False
            self.is_busy = False
        self.envelope = self._create_envelope()
        self._door.observer.webhook(PROVIDER, "mail", int(told[:3]), time.monotonic() - begun)
        if incoming.fault is Refusal.BARE_NEWLINE:
            self.end(told)  # whatever follows may be what somebody wanted to smuggle in
        else:
            await self.push(told)

    def _hold(self, incoming: Incoming, held: int) -> int:
        """Account for the memory that a message takes; returns how much that is."""
        door = self._door
        door.held += incoming.held - held
        if door.held > self._limits.held_bytes and incoming.held:
            door.held -= incoming.held
            incoming.drop(Refusal.TOO_MANY_CONNECTIONS)
        return incoming.held

    async def _answer(self, incoming: Incoming) -> str:
        assert self.envelope is not None  # noqa: S101 - made with the connection
        door = self._door
        if incoming.fault is not None:
            door.count("mail", incoming.fault)
            return _TOLD[incoming.fault]
        mail = Mail(
            self.envelope.mail_from or "",
            tuple(dict.fromkeys(self.envelope.rcpt_tos)),
            incoming.message(),
            door.clock(),
            door.sessions.get(self, ""),
        )
        try:
            async with door.places:
                await door.desk.take(mail)
        except Refused as error:
            door.count("mail", error.reason)
            is_too_soon = error.reason is Refusal.TOO_SOON  # whoever delivers it comes again
            return "451 4.7.1 later, please" if is_too_soon else f"554 5.6.0 {error.reason}"
        except (Transient, Permanent) as error:
            door.log.error("mail put off", reason=error.reason)
            return "451 4.3.0 later, please"
        return "250 2.0.0 kept"

    async def smtp_VRFY(self, arg: str) -> None:  # noqa: N802 - aiosmtpd names it
        """Nobody is told who is here (RFC 5321, 7.3)."""
        await self.push("252 2.5.2 send a mail and see")

    async def _not_offered(self, arg: Any) -> None:
        await self.push("502 5.5.1 not offered")

    smtp_AUTH = smtp_STARTTLS = smtp_EXPN = smtp_HELP = _not_offered  # noqa: N815 - aiosmtpd


_TOLD = {
    Refusal.BODY_TOO_LARGE: "552 5.3.4 too large",
    Refusal.LINE_TOO_LONG: "500 5.5.2 a line is too long",
    Refusal.BARE_NEWLINE: "550 5.5.2 lines end with CR LF",
    Refusal.TOO_MANY_CONNECTIONS: "452 4.3.1 no room now",
}
"""What is said of a message that was not looked at."""
