"""Incoming mail from a stranger's side: what is taken, when it is answered, what it may cost."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.receiving.door import Limits, Mail
from adapters.smtp.receiving.inbound import Inbound
from adapters.smtp.receiving.incoming import KEPT, LINE, Incoming
from gateway.errors import Refusal, Refused, Transient, Trouble
from tests.support.browser import Counting
from tests.support.stores import PATIENCE, eventually, on_a_loop


@dataclass
class Desk:
    """Takes all that is for ``somebody@``; ``fault`` is what it raises instead."""

    taken: list[Mail] = field(default_factory=list)
    fault: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def expect(self, recipient: str, now: int) -> None:
        if not recipient.startswith("somebody@"):
            raise Refused(Refusal.MAILBOX_UNKNOWN)

    async def take(self, mail: Mail) -> None:
        await self.gate.wait()
        if self.fault:
            raise self.fault
        self.taken.append(mail)


class Talk:
    """A client that writes what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def hear(self) -> str:
        """One reply, with all its lines; empty where the connection has ended."""
        told = ""
        async with asyncio.timeout(PATIENCE):
            while line := await self.reader.readline():
                told += line.decode()
                if line[3:4] == b" ":
                    break
        return told.strip()

    async def say(self, what: bytes) -> str:
        """Write, and hear the reply."""
        self.writer.write(what)
        await self.writer.drain()
        return await self.hear()

    async def begin(self, sender: str = "a@b.example", to: str = "somebody@in.example") -> None:
        """Everything up to the message."""
        await self.say(b"EHLO client\r\n")
        assert (await self.say(f"MAIL FROM:<{sender}>\r\n".encode())).startswith("250")
        assert (await self.say(f"RCPT TO:<{to}>\r\n".encode())).startswith("250")
        assert (await self.say(b"DATA\r\n")).startswith("354")


@dataclass
class House:
    """A listener that is up."""

    inbound: Inbound
    desk: Desk
    observer: Counting

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[Talk]:
        """A connection that was greeted, or refused."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.inbound.port)
        with closing(writer):
            talk = Talk(reader, writer)
            yield talk

    @property
    def reasons(self) -> list[str]:
        """What was refused, in order."""
        return [reason for _, _, reason in self.observer.refusals]


@asynccontextmanager
async def house(limits: Limits | None = None) -> AsyncIterator[House]:
    """A server of incoming mail."""
    desk, observer = Desk(), Counting()
    inbound = Inbound(
        ("127.0.0.1", 0),
        desk,
        hostname="in.example",
        observer=observer,
        clock=lambda: 7,
        log=structlog.get_logger("test"),
        limits=limits or Limits(),
    )
    await inbound.start()
    try:
        yield House(inbound, desk, observer)
    finally:
        await inbound.stop(1)


@on_a_loop
async def test_a_port_that_is_taken_is_named() -> None:
    """With what to look at, and without numbers of errors."""
    async with house() as at:
        port = at.inbound.port
        other = Inbound(
            ("127.0.0.1", port),
            at.desk,
            hostname="in.example",
            observer=at.observer,
            clock=lambda: 7,
            log=structlog.get_logger("test"),
        )
        with pytest.raises(OSError, match="cannot listen") as caught:
            await other.start()
    said = f"cannot listen on 127.0.0.1:{port}: Address already in use; see listen in "
    assert str(caught.value) == f"{said}[smtp_in]"


@on_a_loop
async def test_a_mail_is_taken_as_it_came() -> None:
    """With its envelope, its dots taken back, and the next one over the same connection."""
    async with house() as at, at.talk() as talk:
        assert (await talk.hear()).startswith("220 in.example")
        hello = await talk.say(b"EHLO client\r\n")
        assert "PIPELINING" in hello
        assert "SIZE 10485760" in hello
        assert "AUTH" not in hello
        assert "STARTTLS" not in hello
        await talk.begin("")
        assert (await talk.say(b"Subject: x\r\n\r\n..a\r\n.b\r\n.\r\n")) == "250 2.0.0 kept"
        await talk.begin("a@b.example")
        assert (await talk.say(b".\r\n")).startswith("250")
        assert (await talk.say(b"QUIT\r\n")).startswith("221")
    first, second = at.desk.taken
    raw = b"Subject: x\r\n\r\n.a\r\nb\r\n"
    assert first == Mail("", ("somebody@in.example",), raw, 7, "127.0.0.1")
    assert (second.sender, second.raw) == ("a@b.example", b"")


@on_a_loop
async def test_commands_may_come_in_a_group() -> None:
    """Also behind the message (RFC 2920), which ends where its dot is."""
    async with house() as at, at.talk() as talk:
        await talk.hear()
        await talk.begin()
        group = (
            b"one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@in.example>\r\n"
            b"RCPT TO:<somebody@in.example>\r\nDATA\r\n"
        )
        assert (await talk.say(group)).startswith("250 2.0.0")
        codes = [(await talk.hear())[:3] for _ in range(4)]
        assert codes == ["250", "550", "250", "354"]
        assert (await talk.say(b"two\r\n.\r\nQUIT\r\n")).startswith("250")
        assert (await talk.hear()).startswith("221")
    assert [mail.raw for mail in at.desk.taken] == [b"one\r\n", b"two\r\n"]


@on_a_loop
async def test_250_comes_after_the_desk_took_it() -> None:
    """Not before: until then whoever delivers keeps it."""
    async with house() as at, at.talk() as talk:
        at.desk.gate.clear()
        await talk.hear()
        await talk.begin()
        answer = asyncio.ensure_future(talk.say(b"x\r\n.\r\n"))
        await eventually(lambda: at.inbound.sessions != 0)
        done, _ = await asyncio.wait([answer], timeout=0.1)
        assert not done
        assert at.desk.taken == []
        at.desk.gate.set()
        assert (await answer).startswith("250")


@on_a_loop
async def test_what_cannot_be_kept_now_is_put_off() -> None:
    """451 while the store is away, 554 for good where it is not what it should be."""
    async with house() as at, at.talk() as talk:
        await talk.hear()
        for fault, code in (
            (Transient(Trouble.STORE_DOWN), "451 4.3.0"),
            (Refused(Refusal.NOT_A_REPORT), "554 5.6.0"),
            (Refused(Refusal.TOO_SOON), "451 4.7.1"),
            (RuntimeError("a@b.example"), "451 4.3.0"),
        ):
            at.desk.fault = fault
            await talk.begin()
            told = await talk.say(b"x\r\n.\r\n")
            assert told.startswith(code)
            assert "b.example" not in told
    assert at.reasons == ["not_a_report", "too_soon"]


@on_a_loop
async def test_an_unknown_recipient_is_refused_at_once() -> None:
    """With 550 at RCPT; without any other there is no DATA."""
    async with house() as at, at.talk() as talk:
        await talk.hear()
        await talk.say(b"HELO client\r\n")
        assert (await talk.say(b"RCPT TO:<somebody@in.example>\r\n")).startswith("503")
        await talk.say(b"MAIL FROM:<a@b.example>\r\n")
        assert (await talk.say(b"RCPT TO:<x@in.example>\r\n")).startswith("550 5.1.1")
        assert (await talk.say(b"DATA\r\n")).startswith("503")
    assert at.observer.refusals == [("smtp", "rcpt", "mailbox_unknown")]


@on_a_loop
async def test_strange_commands_are_refused() -> None:
    """No account, no list, nothing unknown, no broken address; and the session goes on."""
    async with house() as at, at.talk() as talk:
        await talk.hear()
        await talk.say(b"EHLO client\r\n")
        for said, code in (
            (b"AUTH PLAIN AGEAYg==\r\n", "502"),
            (b"STARTTLS\r\n", "502"),
            (b"EXPN list\r\n", "502"),
            (b"VRFY somebody\r\n", "252"),
            (b"MAIL FROM:a@b.example\r\n", "501"),
            (b"MAIL FROM:<a@b.example> AUTH=<>\r\n", "555"),
            (b"MAIL FROM:<a@b.example> SIZE=10485761\r\n", "552"),
            (b"MAIL FROM:<a@b.example> SIZE=" + b"9" * 40 + b"\r\n", "552"),
            (b"MAIL FROM:<" + b"(" * 400 + b">\r\n", "501"),
            (b"MAIL FROM:<a@b.example>\xff\r\n", "500"),
            (b"X" * 5_000 + b"\r\n", "500"),
            (b'MAIL FROM:<"a b"@b.example> BODY=8BITMIME\r\n', "250"),
            (b"MAIL FROM:<>\r\n", "503"),
            (b"RCPT TO:<>\r\n", "501"),
            (b"RCPT TO:<@r.example:somebody@in.example>\r\n", "250"),
            (b"RSET\r\n", "250"),
            (b"DATA\r\n", "503"),
        ):
            assert (await talk.say(said))[:3] == code, said
    assert at.reasons == ["body_too_large"] * 2


@on_a_loop
async def test_nothing_is_smuggled_in() -> None:
    """A dot between other line ends than CR LF ends no message, and what follows is no command."""
    for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"):
        async with house() as at, at.talk() as talk:
            await talk.hear()
            await talk.begin()
            inside = b"MAIL FROM:<x@evil.example>\r\nRCPT TO:<somebody@in.example>\r\nDATA\r\n"
            told = await talk.say(b"one" + end + inside + b"two\r\n.\r\nRSET\r\n")
            assert told.startswith("550 5.5.2"), end
            assert await talk.hear() == "", end  # nor is anything read that follows
            assert at.desk.taken == []
            assert at.reasons == ["bare_newline"]


@on_a_loop
async def test_commands_end_with_cr_lf_too() -> None:
    """Else the session ends: a mail server says it so."""
    for said in (b"EHLO client\n", b"EHLO a\rb\r\n", b"EHLO client\r\nMAIL FROM:<>\nRSET\r\n"):
        async with house() as at, at.talk() as talk:
            await talk.hear()
            assert (await talk.say(said)).startswith("521 5.5.2")
            assert await talk.hear() == ""
            assert at.reasons == ["bare_newline"]


@on_a_loop
async def test_what_is_too_large_is_read_and_not_kept() -> None:
    """Up to its end, in bounded memory; the session goes on."""
    async with house(Limits(message_bytes=100_000)) as at, at.talk() as talk:
        await talk.hear()
        await talk.begin()
        for _ in range(50):
            talk.writer.write(b"0123456789abcdef" * 60 * 16)
            await talk.writer.drain()
        assert (await talk.say(b"\r\n.\r\n")).startswith("5")
        await talk.begin()
        assert (await talk.say(b"x" * (LINE - 2) + b"\r\n" + b"y\r\n.\r\n")).startswith("250")
        await talk.begin()
        assert (await talk.say(b"x" * LINE + b"\r\ny\r\n.\r\n")).startswith("500 5.5.2")
        await talk.begin()
        assert (await talk.say(b"x\r\n" * 40_000 + b".\r\n")).startswith("552 5.3.4")
    assert len(at.desk.taken) == 1
    assert at.reasons[1:] == ["line_too_long", "body_too_large"]


@on_a_loop
async def test_memory_is_bounded_over_all_sessions() -> None:
    """Beyond it a message is put off, not kept."""
    async with house(Limits(held_bytes=50_000)) as at, at.talk() as talk, at.talk() as other:
        await talk.hear()
        await other.hear()
        await talk.begin()
        await other.begin()
        for each in (talk, other):
            each.writer.write(b"0123456789abcd\r\n" * 2_500)
            await each.writer.drain()
        told = sorted([await talk.say(b".\r\n"), await other.say(b".\r\n")])
        assert [answer[:3] for answer in told] in (["250", "452"], ["250", "250"])
        await talk.begin()
        assert (await talk.say(b"x\r\n.\r\n")).startswith("250")


@on_a_loop
async def test_r084_connections_are_counted_by_whose_they_are() -> None:
    """One more than may be is told so, and the next one has its place when another goes."""
    async with house(Limits(connections_of_one=2)) as at:
        async with at.talk() as one, at.talk() as two, at.talk() as three:
            assert (await one.hear())[:3] == "220"
            assert (await two.hear())[:3] == "220"
            assert (await three.hear()).startswith("421 4.7.0")
            assert await three.hear() == ""
        await eventually(lambda: at.inbound.sessions == 0)
        async with at.talk() as four:
            assert (await four.hear())[:3] == "220"
    assert at.reasons == ["too_many_connections"]


@on_a_loop
async def test_the_silent_and_the_slow_are_let_go() -> None:
    """Who says nothing, and who says a byte now and then, in a command and in a message."""
    limits = Limits(silent_seconds=0.2, session_seconds=1.0)
    async with house(limits) as at:
        async with at.talk() as silent:
            await silent.hear()
            assert (await silent.hear()).startswith("421 4.4.2")
            assert await silent.hear() == ""
        async with at.talk() as slow:
            await slow.hear()
            await slow.begin()
            heard = asyncio.ensure_future(slow.hear())
            while not heard.done():
                slow.writer.write(b"x")
                await asyncio.sleep(0.05)
            assert (await heard).startswith("421 4.4.2")
        await eventually(lambda: at.inbound.sessions == 0)
    assert at.reasons == ["too_silent", "too_silent"]
    assert at.desk.taken == []


@on_a_loop
async def test_who_is_waiting_for_us_is_not_silent() -> None:
    """While a mail is taken in the client has nothing to say."""
    async with house(Limits(silent_seconds=0.1)) as at, at.talk() as talk:
        at.desk.gate.clear()
        await talk.hear()
        await talk.begin()
        answer = asyncio.ensure_future(talk.say(b"x\r\n.\r\n"))
        await asyncio.wait([answer], timeout=0.5)
        assert not answer.done()
        at.desk.gate.set()
        assert (await answer).startswith("250")


@on_a_loop
async def test_commands_and_recipients_are_counted() -> None:
    """Too many recipients are for another message, too many commands for another session."""
    async with house(Limits(recipients=2, commands=10)) as at, at.talk() as talk:
        await talk.hear()
        await talk.say(b"EHLO client\r\n")
        await talk.say(b"MAIL FROM:<>\r\n")
        codes = [await talk.say(b"RCPT TO:<somebody@in.example>\r\n") for _ in range(3)]
        assert [code[:3] for code in codes] == ["250", "250", "452"]
        told = [await talk.say(b"NOOP\r\n") for _ in range(6)]
        assert told[-1].startswith("421 4.7.0")
        assert await talk.hear() == ""
    assert at.reasons == ["too_many_recipients", "too_many_commands"]


@on_a_loop
async def test_a_mail_cut_off_was_never_delivered() -> None:
    """A connection that goes before the dot leaves nothing behind."""
    async with house() as at:
        async with at.talk() as talk:
            await talk.hear()
            await talk.begin()
            talk.writer.write(b"half\r\n.\r")
            await talk.writer.drain()
        await eventually(lambda: at.inbound.sessions == 0)
        assert at.desk.taken == []


@on_a_loop
async def test_a_stop_answers_what_was_taken() -> None:
    """Whoever idles is told; what is being taken gets its answer."""
    async with house() as at, at.talk() as idle, at.talk() as talk:
        at.desk.gate.clear()
        await idle.hear()
        await talk.hear()
        await talk.begin()
        answer = asyncio.ensure_future(talk.say(b"x\r\n.\r\n"))
        await asyncio.wait([answer], timeout=0.1)
        stopping = asyncio.ensure_future(at.inbound.stop(PATIENCE))
        assert (await idle.hear()).startswith("421 4.3.2")
        at.desk.gate.set()
        assert (await answer).startswith("250")
        await stopping


@on_a_loop
async def test_the_loop_goes_on_beside_a_dense_message() -> None:
    """Ten megabytes of line ends alone are taken in pieces, other work in between."""
    async with house() as at, at.talk() as talk:
        await talk.hear()
        await talk.begin()
        longest, last = 0.0, time.perf_counter()

        async def beat() -> None:
            nonlocal longest, last
            while True:
                await asyncio.sleep(0)
                longest, last = max(longest, time.perf_counter() - last), time.perf_counter()

        beating = asyncio.ensure_future(beat())
        dense = b"\r\n" * 32_768
        begun = time.perf_counter()
        for _ in range(150):
            talk.writer.write(dense)
            await talk.writer.drain()
        assert (await talk.say(b".\r\n")).startswith("250")
        whole = time.perf_counter() - begun
        beating.cancel()
        assert len(at.desk.taken[0].raw) == KEPT
        assert longest < whole / 2 or longest < 0.02


# --- one message, in any pieces ---

_BITS = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r\n", b".", b"..", b"a", b"\n", b"\r", b"x" * 999, b"y" * 1000, b"\r\n.\r\n"]
    ),
    max_size=14,
).map(b"".join)


@given(_BITS, st.binary(max_size=8), st.lists(st.integers(1, 1200), min_size=1, max_size=6))
def test_a_message_ends_where_its_dot_is(bits: bytes, rest: bytes, steps: list[int]) -> None:
    """However it is cut into pieces; it is refused for the reasons that a look at all of it has."""
    raw = bits + b"\r\n.\r\n" + rest
    incoming, at, turn = Incoming(3_000, line=1_000), 0, 0
    while not incoming.feed(raw[at : at + steps[turn % len(steps)]]):
        at += steps[turn % len(steps)]
        turn += 1
    at += steps[turn % len(steps)]
    end = (b"\r\n" + raw).find(b"\r\n.\r\n")
    whole = raw[:end]
    assert incoming.rest + raw[at:] == raw[end + 3 :]
    lines = whole.split(b"\r\n")
    reasons = {
        Refusal.BARE_NEWLINE: bool(re.search(rb"(?<!\r)\n|\r(?!\n)", whole)),
        Refusal.LINE_TOO_LONG: any(len(line) + 2 > 1001 for line in lines),
        Refusal.BODY_TOO_LARGE: len(whole) > 3_000,
    }
    if incoming.fault is not None:
        assert reasons[incoming.fault]
    else:
        assert not any(reasons.values())
        assert incoming.message() == b"\r\n".join(line.removeprefix(b".") for line in lines)
