"""One connection as the server sees it (RFC 5321)."""

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import Callable
from typing import Protocol

from adapters.smtp.simulator.habits import Fate, Habits, Rule

_PATH = re.compile(rb"(MAIL FROM|RCPT TO):[ ]?<([^<>\r\n]*)>(.*)", re.IGNORECASE | re.DOTALL)
_MOST_COMMAND = 4_096
_READ = 64 * 1024


class Gone(Exception):
    """The connection is over."""


class Taker(Protocol):
    """Who takes letters."""

    async def __call__(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Keep a letter."""


class Session:
    """Speaks with one client; ``said`` gets each command line, and the final dot."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        habits: Habits,
        fate: Fate,
        *,
        take: Taker,
        said: Callable[[str], object],
        context: ssl.SSLContext | None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._habits = habits
        self._fate = fate
        self._take = take
        self._said = said
        self._context = context
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._is_secure = habits.implicit_tls
        self._is_known = not habits.logins
        self._sender: str | None = None
        self._recipients: list[str] = []

    async def run(self) -> None:
        """Speak until the client leaves, or a rule cuts the connection."""
        try:
            await self._strike(self._fate.strikes("connect"))
            rule = self._fate.strikes("greeting")
            if await self._strike(rule):
                await self._flush()
                return
            await self._answer(f"220 {self._habits.name} ESMTP")
            while True:
                await self._obey(await self._line())
        except (Gone, OSError, TimeoutError, EOFError):
            self._writer.transport.abort()

    # --- commands ---

    async def _obey(self, line: bytes) -> None:
        self._said(line.decode("ascii", "replace"))
        verb = line.split(b" ", 1)[0].split(b":", 1)[0].upper()
        if verb in (b"EHLO", b"HELO"):
            await self._hello(verb)
        elif verb == b"STARTTLS" and self._offers_tls:
            await self._secure()
        elif verb == b"AUTH":
            await self._authenticate(line)
        elif verb == b"MAIL":
            await self._mail(line)
        elif verb == b"RCPT":
            await self._rcpt(line)
        elif verb == b"DATA":
            await self._data()
        elif verb == b"RSET":
            self._reset()
            await self._answer("250 2.0.0 Ok")
        elif verb == b"NOOP":
            await self._answer("250 2.0.0 Ok")
        elif verb == b"QUIT":
            await self._answer("221 2.0.0 Bye")
            await self._flush()
            raise Gone
        else:
            await self._answer("502 5.5.2 Command not recognized")

    @property
    def _offers_tls(self) -> bool:
        return self._habits.starttls and not self._is_secure

    async def _hello(self, verb: bytes) -> None:
        self._reset()
        if await self._strike(self._fate.strikes("ehlo")):
            return
        if verb == b"HELO":
            await self._answer(f"250 {self._habits.name}")
            return
        if not self._habits.esmtp:
            await self._answer("502 5.5.2 Command not recognized")
            return
        words = [self._habits.name, f"SIZE {self._habits.size}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        words += ["PIPELINING"] if self._habits.pipelining else []
        words += ["STARTTLS"] if self._offers_tls else []
        words += ["AUTH PLAIN LOGIN"] if self._habits.logins else []
        await self._answer("\n".join(f"250 {word}" for word in words))

    async def _secure(self) -> None:
        await self._answer("220 2.0.0 Ready to start TLS")
        self._out.append(self._habits.behind_starttls)
        await self._flush()
        # What came in clear text behind STARTTLS is no part of the secured session (RFC 3207 4.2).
        self._buffer.clear()
        assert self._context is not None  # noqa: S101 - the sink makes one where it is offered
        await self._writer.start_tls(self._context)
        self._is_secure = True
        self._reset()

    async def _authenticate(self, line: bytes) -> None:
        _, kind, *first = line.split(b" ")
        if kind.upper() == b"PLAIN":
            token = first[0] if first else await self._challenge("334 ")
            parts = _decoded(token).split("\0")
            login = (parts[1], parts[2]) if len(parts) == 3 else ("", "")
        else:
            user = _decoded(await self._challenge("334 VXNlcm5hbWU6"))
            login = (user, _decoded(await self._challenge("334 UGFzc3dvcmQ6")))
        self._is_known = login in self._habits.logins
        await self._answer(
            "235 2.7.0 Authentication successful" if self._is_known else "535 5.7.8 Not accepted"
        )

    async def _challenge(self, reply: str) -> bytes:
        await self._answer(reply)
        return await self._line()

    async def _mail(self, line: bytes) -> None:
        if await self._strike(self._fate.strikes("mail")):
            return
        found = _PATH.fullmatch(line)
        if not self._is_known:
            await self._answer("530 5.7.0 Authentication required")
        elif self._sender is not None:
            await self._answer("503 5.5.1 Nested MAIL command")
        elif found is None:
            await self._answer("501 5.1.7 Bad sender address syntax")
        elif (size := re.search(rb"SIZE=(\d+)", found[3])) and int(size[1]) > self._habits.size:
            await self._answer("552 5.3.4 Message size exceeds fixed limit")
        else:
            self._sender = found[2].decode("ascii", "replace")
            await self._answer("250 2.1.0 Ok")

    async def _rcpt(self, line: bytes) -> None:
        found = _PATH.fullmatch(line)
        if self._sender is None:
            await self._answer("503 5.5.1 Need MAIL command")
        elif found is None or not found[2]:
            await self._answer("501 5.1.3 Bad recipient address syntax")
        else:
            recipient = found[2].decode("ascii", "replace")
            if not await self._strike(self._fate.strikes("rcpt", recipient), recipient):
                self._recipients.append(recipient)
                await self._answer("250 2.1.5 Ok")

    async def _data(self) -> None:
        if not self._recipients:
            code = "554 5.5.1 No valid recipients" if self._sender is not None else None
            await self._answer(code or "503 5.5.1 Need RCPT command")
            return
        recipient = self._recipients[0]
        if await self._strike(self._fate.strikes("data", recipient), recipient):
            return
        await self._answer("354 End data with <CR><LF>.<CR><LF>")
        await self._flush()
        raw = await self._body(self._fate.strikes("body", recipient), recipient)
        self._said(".")
        await self._settle(raw, recipient)

    async def _settle(self, raw: bytes, recipient: str) -> None:
        sender, recipients = self._sender or "", list(self._recipients)
        self._reset()
        rule = self._fate.strikes("end", recipient)
        if len(raw) > self._habits.size:
            await self._answer("552 5.3.4 Message too big")
            return
        if rule is not None and (rule.cut == "before" or (rule.reply and rule.reply[0] != "2")):
            await self._strike(rule, recipient)
            return
        await self._take(sender, recipients, raw)
        if not await self._strike(rule, recipient):
            await self._answer("250 2.0.0 Ok: queued")

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []

    # --- rules ---

    async def _strike(self, rule: Rule | None, recipient: str = "") -> bool:
        """Do what a rule says; whether it has said all there is to say."""
        if rule is None:
            return False
        if rule.cut == "silence":
            await self._flush()
            while await self._reader.read(_READ):
                pass
            raise Gone
        if rule.cut:
            await self._flush()
            raise Gone
        await self._answer(rule.reply.replace("{recipient}", recipient))
        if rule.reply.startswith("421"):
            await self._flush()
            raise Gone
        return True

    # --- bytes ---

    async def _answer(self, reply: str) -> None:
        """Say something; of several lines all but the last get their sign of more to come."""
        *more, last = reply.split("\n")
        text = "".join(f"{line[:3]}-{line[4:]}\r\n" for line in more) + f"{last}\r\n"
        self._out.append(text.encode())

    async def _flush(self) -> None:
        """Replies wait while more of the client's commands lie here (RFC 2920 3.2)."""
        if not self._out:
            return
        if self._habits.delay:
            await asyncio.sleep(self._habits.delay)
        said, self._out = b"".join(self._out), []
        pieces = [said[at : at + 1] for at in range(len(said))] if self._habits.bytewise else [said]
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0)

    async def _more(self) -> None:
        await self._flush()
        async with asyncio.timeout(self._habits.silence_seconds):
            data = await self._reader.read(_READ)
        if not data:
            raise Gone
        self._buffer += data

    async def _line(self) -> bytes:
        """One command; CRLF alone ends it."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _MOST_COMMAND:
                raise Gone
            await self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def _body(self, rule: Rule | None, recipient: str) -> bytes:
        """A message up to the dot that stands alone between two CRLF; nothing else ends it."""
        seen = 0
        while True:
            if self._buffer.startswith(b".\r\n"):
                del self._buffer[:3]
                return b""
            end = self._buffer.find(b"\r\n.\r\n", max(0, seen - 4))
            if rule is not None and (self._buffer or rule.cut == "silence"):
                await self._strike(rule, recipient)
                await self._flush()
                raise Gone
            if end >= 0:
                raw = bytes(self._buffer[: end + 2])
                del self._buffer[: end + 5]
                return raw[raw.startswith(b".") :].replace(b"\r\n.", b"\r\n")
            seen = len(self._buffer)
            if seen > 2 * self._habits.size + _READ:
                raise Gone
            await self._more()


def _decoded(token: bytes) -> str:
    try:
        return base64.b64decode(token, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return ""
