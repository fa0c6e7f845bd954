"""One connection to a relay: who speaks when, and whose answer is whose.

Where the server offers PIPELINING (RFC 2920), MAIL, RCPT and DATA go in one write, and the next
letter's go with the final dot of the one before: one round trip a letter. Every reply is read and
matched with what was written; a server that speaks out of turn loses the connection, because from
then on its replies could be taken for answers to something else.
"""

import asyncio
from collections import deque
from typing import cast

from adapters.smtp.delivery.answers import Replies, Reply, answered
from adapters.smtp.delivery.envelopes import stuffed
from adapters.smtp.delivery.flights import STAGES, Awaited, Features, Flight, Owner
from adapters.smtp.delivery.settings import Seconds
from gateway.domain.mail.answers import Answer, Outcome

SLICE = 128 * 1024
"""Bytes of a large message that are handed to the system at a time."""

_MOST_HEARD = 8
"""Replies that may wait to be read while the session is opened."""

_QUIT_SECONDS = 5.0
"""To wait for the answer to QUIT; nothing depends on it."""


class Ended(Exception):
    """The connection ended while something was awaited of it; its text names the reason."""


class Wire(asyncio.Protocol):
    """One connection; ``letters`` is how many it may carry.

    It opens in words (:meth:`hear`, :meth:`ask`), and from :meth:`begin` on takes letters of its
    owner by itself.
    """

    def __init__(self, owner: Owner, seconds: Seconds, letters: int) -> None:
        self._owner = owner
        self._seconds = seconds
        self._left = letters
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._replies = Replies()
        self._heard: deque[Reply] = deque()
        self._listener: asyncio.Future[None] | None = None
        self._awaited: deque[tuple[Awaited, Flight | None]] = deque()
        self._flights: deque[Flight] = deque()
        self._features: Features | None = None
        self._ending: Answer | None = None
        self._until = float("inf")
        self._watch: asyncio.TimerHandle | None = None
        self._needs_reset = False
        self._is_leaving = False
        self._is_paused = False
        self._is_gone = False
        self.has_served = False
        """Whether a letter was decided on, be it accepted or refused."""
        self._leaving: tuple[Flight, memoryview] | None = None
        """A large message of which a part is still to be written."""

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Read replies."""
        if self._ending:
            return
        found = self._replies.feed(data)
        if self._features is None:
            self._heard.extend(found)
            if len(self._heard) > _MOST_HEARD:
                self._end("out_of_turn")
            if self._listener is not None and found and not self._listener.done():
                self._listener.set_result(None)
        else:
            for place, reply in enumerate(found, 1):
                is_last = place == len(found) and not self._replies.is_unfinished
                self._read(reply, is_last=is_last)
                if self._ending:
                    return
            if found:
                self._set_time()
        if self._replies.fault:
            self._end(self._replies.fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; called twice where TLS failed or the opening was
        given up, which not every loop tells.
        """
        self._end("connection_lost")
        if self._watch is not None:
            self._watch.cancel()
        if self._ending is not None and not self._is_gone:
            self._is_gone = True
            self._owner.closed(self, self._ending)

    def pause_writing(self) -> None:
        """The server reads too slowly."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It has read enough."""
        self._is_paused = False
        if self._leaving is not None and not self._ending:
            self._pump()

    # --- opening, in words ---

    @property
    def ending(self) -> Answer | None:
        """Why it ended, once it has."""
        return self._ending

    @property
    def transport(self) -> asyncio.Transport:
        """What it writes to; replaced where TLS begins.

        Raises:
            Ended: it is gone, or never stood.
        """
        if self._transport is None or self._ending:
            raise Ended(self._ending.text if self._ending else "not_connected")
        return self._transport

    async def hear(self, seconds: float) -> Reply:
        """The next reply.

        Raises:
            Ended: none came in time (``timeout``), or the connection went away.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._heard:
                    if self._ending:
                        raise Ended(self._ending.text)
                    self._listener = self._loop.create_future()
                    await self._listener
        except TimeoutError as error:
            raise Ended("timeout") from error
        return self._heard.popleft()

    async def ask(self, line: bytes) -> Reply:
        """Write a command line, and hear its reply.

        Raises:
            Ended: as of :meth:`hear`, or the server had spoken out of turn.
        """
        if self._heard:
            raise Ended("out_of_turn")
        self.transport.write(line + b"\r\n")
        return await self.hear(self._seconds.command)

    def secured(self, transport: asyncio.Transport) -> None:
        """TLS has begun."""
        self._transport = transport

    def forget(self) -> None:
        """Drop what was received and not yet read: what came in clear text behind the word that
        TLS may begin, anybody on the way may have put there (RFC 3207 4.2, 6).
        """
        self._heard.clear()
        self._replies.clear()

    # --- letters ---

    def begin(self, features: Features) -> None:
        """The session is open: take letters from now on."""
        if self._ending:
            return
        if self._heard or self._replies.is_unfinished:
            self._end("out_of_turn")
            return
        self._features = features
        self._look()
        self.go_on()

    @property
    def features(self) -> Features:
        """What the server offers."""
        return self._features or Features()

    def go_on(self) -> None:
        """Nothing is on the wire: take a letter, or rest."""
        if self._ending or self._is_leaving or self._awaited or self._leaving is not None:
            return
        if self._needs_reset and not self.features.pipelining:
            self._needs_reset = False
            self._write(b"RSET\r\n", (Awaited.RSET, None))
            return
        opening = self._opening()
        if self._ending:
            return
        if opening:
            self._until = self._loop.time() + self._seconds.command
            self.transport.write(opening)
        elif self._left <= 0:
            self.leave()
        else:
            self._until = self._loop.time() + self._seconds.idle
            self._owner.rest(self)

    def leave(self) -> None:
        """Take nothing more; QUIT once what is on the wire has its answers."""
        self._left = 0
        if self._ending or self._is_leaving or self._awaited or self._leaving is not None:
            return
        self._is_leaving = True
        self._write(b"QUIT\r\n", (Awaited.QUIT, None))

    def abort(self, reason: str = "aborted") -> None:
        """End at once; letters on the wire are settled as unknown or unsent."""
        self._end(reason)

    def _opening(self) -> bytes:
        """The first commands of the next letter; empty where there is none."""
        envelope = self._owner.take(self) if self._left > 0 else None
        if envelope is None:
            return b""
        if self._ending:
            self._owner.settle(envelope, Answer("unsent", "mail", text=self._ending.text))
            return b""
        self._left -= 1
        flight = Flight(envelope)
        self._flights.append(flight)
        features = self.features
        size = f" SIZE={len(envelope.message)}" if features.size is not None else ""
        if features.eight_bit and not envelope.message.isascii():
            size += " BODY=8BITMIME"
        mail = f"MAIL FROM:<{envelope.sender}>{size}\r\n"
        if not features.pipelining:
            self._awaited.append((Awaited.MAIL, flight))
            return mail.encode("ascii")
        reset = ""
        if self._needs_reset:
            self._needs_reset = False
            self._awaited.append((Awaited.RSET, None))
            reset = "RSET\r\n"
        self._awaited += ((Awaited.MAIL, flight), (Awaited.RCPT, flight), (Awaited.DATA, flight))
        return f"{reset}{mail}RCPT TO:<{envelope.recipient}>\r\nDATA\r\n".encode("ascii")

    def _read(self, reply: Reply, *, is_last: bool) -> None:
        """Match one reply with what it answers."""
        if not self._awaited:
            self._read_early(reply)
            return
        what, flight = self._awaited.popleft()
        if reply.code == 421 and what is not Awaited.QUIT:
            if flight is not None and not flight.is_settled:
                self._settle(flight, answered(STAGES[what], reply))
            self._end("closing", reply)
        elif flight is None:
            if what is Awaited.QUIT:
                self._end("quit")
            elif reply.code >= 300:
                self._end("reset_refused", reply)
        elif what is Awaited.END:
            if not flight.is_settled:
                self._settle(flight, answered("end", reply))
            if 300 <= reply.code < 400:
                self._end("out_of_turn", reply)
        else:
            self._read_step(what, flight, reply, is_last=is_last)
        if not self._awaited and self._leaving is None:
            self.go_on()

    def _read_early(self, reply: Reply) -> None:
        """A reply that nothing was asked for: a goodbye, or a refusal amid a message (some servers
        do not wait for the dot).
        """
        if self._leaving is not None and reply.code >= 400:
            self._settle(self._leaving[0], answered("data", reply))
        self._end("closing" if reply.code == 421 else "out_of_turn", reply)

    def _read_step(self, what: Awaited, flight: Flight, reply: Reply, *, is_last: bool) -> None:
        """The answer to MAIL, RCPT or DATA."""
        code = reply.code
        is_good = code == 354 if what is Awaited.DATA else 200 <= code < 300
        if not is_good and code < 400:
            self._end("out_of_turn", reply)
            return
        if not is_good:
            # Whatever part of the transaction stands must not become part of the next one.
            self._needs_reset = self._needs_reset or what is not Awaited.MAIL
            if not flight.is_settled:
                self._settle(flight, answered(STAGES[what], reply))
            return
        if what is Awaited.DATA:
            if is_last:
                self._write_message(flight)
            else:
                self._end("out_of_turn", reply)
            return
        flight.stage = Awaited.RCPT if what is Awaited.MAIL else Awaited.DATA
        if not self.features.pipelining:
            following = b"DATA\r\n"
            if what is Awaited.MAIL:
                following = f"RCPT TO:<{flight.envelope.recipient}>\r\n".encode("ascii")
            self._write(following, (flight.stage, flight))

    def _write_message(self, flight: Flight) -> None:
        """The server waits for the message: send it, and begin the next letter behind it."""
        if flight.is_settled:  # RFC 2920 3.1: all recipients failed, yet 354 came
            self._needs_reset = False
            self._write_dot(flight, b".\r\n")
            return
        message = stuffed(flight.envelope.message)
        if len(message) <= SLICE:
            self._write_dot(flight, message + b".\r\n")
            return
        self._leaving = flight, memoryview(message)
        self._pump()

    def _pump(self) -> None:
        """Write a large message as fast as the server reads it."""
        self._until = self._loop.time() + self._seconds.data
        while self._leaving is not None and not self._is_paused and not self._ending:
            flight, rest = self._leaving
            if len(rest) > SLICE:
                self._leaving = flight, rest[SLICE:]
                self.transport.write(rest[:SLICE])
                continue
            self._leaving = None
            self._write_dot(flight, b"%b.\r\n" % bytes(rest))
            self._set_time()

    def _write_dot(self, flight: Flight, end: bytes) -> None:
        self._awaited.append((Awaited.END, flight))
        if self.features.pipelining:
            end += self._opening()
        if not self._ending:
            flight.is_dotted, flight.stage = True, Awaited.END
            self.transport.write(end)

    def _write(self, line: bytes, awaited: tuple[Awaited, Flight | None]) -> None:
        self._awaited.append(awaited)
        self._set_time()
        self.transport.write(line)

    def _settle(self, flight: Flight, answer: Answer) -> None:
        flight.is_settled = True
        self._flights.remove(flight)
        self.has_served = self.has_served or answer.code != 421
        self._owner.settle(flight.envelope, answer)

    # --- time and end ---

    def _set_time(self) -> None:
        """When the reply that is waited for must be there."""
        if self._awaited:
            seconds = self._seconds
            what = self._awaited[0][0]
            allowed = seconds.command
            if what is Awaited.END:
                allowed = seconds.end
            elif what is Awaited.DATA:
                allowed = seconds.data
            elif what is Awaited.QUIT:
                allowed = min(allowed, _QUIT_SECONDS)
            self._until = self._loop.time() + allowed

    def _look(self) -> None:
        """Look whether time is over; cheaper than a timer for each reply."""
        if self._ending:
            return
        if self._loop.time() >= self._until:
            if self._awaited or self._leaving is not None:
                self._end("timeout")
                return
            self.leave()
        seconds = self._seconds
        least = min(seconds.command, seconds.data, seconds.end, seconds.idle, 4.0)
        self._watch = self._loop.call_later(least / 4, self._look)

    def _end(self, reason: str, reply: Reply | None = None) -> None:
        """No more words: settle what is on the wire, and cut the connection."""
        if self._ending:
            return
        stage = STAGES[self._awaited[0][0]] if self._awaited else "mail"
        self._ending = Answer("unsent", stage, text=reason)
        if reply is not None:
            self._ending = answered(stage, reply, "unsent")
        self._leaving = None
        self._awaited.clear()
        while self._flights:
            flight = self._flights.popleft()
            if not flight.is_settled:
                flight.is_settled = True
                outcome: Outcome = "unknown" if flight.is_dotted else "unsent"
                answer = Answer(outcome, STAGES[flight.stage], text=reason)
                self._owner.settle(flight.envelope, answer)
        if self._listener is not None and not self._listener.done():
            self._listener.set_result(None)
        if self._transport is not None:
            self._transport.abort()
