"""The simulated server speaks SMTP by its standard; the standard library is the client."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

import pytest

from adapters.smtp.simulator import (
    Habits,
    Keep,
    Mailbox,
    Rule,
    Sink,
    docomo,
    greylisting,
    kddi,
    yahoo_japan,
)
from tests.support.stores import PATIENCE, on_a_loop

T = TypeVar("T")
MESSAGE = b"Message-ID:\r\n <1@example.jp>\r\nSubject: x\r\n\r\n.\r\n..a\r\n"


async def told(sink: Sink, talk: Callable[[smtplib.SMTP], T]) -> T:
    """Talk to a sink in a thread, with the standard library's client."""

    def run() -> T:
        client = smtplib.SMTP("127.0.0.1", sink.port, timeout=PATIENCE)
        try:
            return talk(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


async def raw(sink: Sink, *said: bytes) -> bytes:
    """Say lines at once, hang up for writing, and give back all that was answered."""

    def run() -> bytes:
        with socket.create_connection(("127.0.0.1", sink.port), PATIENCE) as wire:
            heard = b""
            with contextlib.suppress(OSError):  # it may be cut at any time
                wire.sendall(b"".join(said))
                wire.shutdown(socket.SHUT_WR)
                while data := wire.recv(65_536):
                    heard += data
            return heard

    return await asyncio.to_thread(run)


def code_to(address: str) -> Callable[[smtplib.SMTP], int]:
    """The code that a letter to ``address`` ends with."""

    def talk(client: smtplib.SMTP) -> int:
        try:
            client.sendmail("s@example.jp", [address], MESSAGE)
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[address][0]
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
        return 250

    return talk


@on_a_loop
async def test_a_letter_is_kept_as_it_was_sent() -> None:
    """Dots are unstuffed; sender, Message-ID, size and text can be compared."""
    async with Sink(clock=lambda: 7) as sink:
        assert await told(sink, code_to("R@example.jp")) == 250
        (kept,) = sink.mailbox.of("r@example.jp")
        assert (kept.sender, kept.message_id, kept.raw) == (
            "s@example.jp",
            "<1@example.jp>",
            MESSAGE,
        )
        assert (kept.received_at, kept.size) == (7, len(MESSAGE))


@on_a_loop
async def test_what_is_offered_can_be_chosen() -> None:
    """SIZE, PIPELINING, STARTTLS and AUTH, or no EHLO at all."""

    def extensions(client: smtplib.SMTP) -> set[str]:
        client.ehlo_or_helo_if_needed()
        return set(client.esmtp_features)

    usual = {"size", "8bitmime", "enhancedstatuscodes"}
    offers = {
        Habits(): usual | {"pipelining"},
        Habits(pipelining=False, starttls=True): usual | {"starttls"},
        Habits(logins=(("a", "b"),)): usual | {"pipelining", "auth"},
        Habits(esmtp=False): set(),
    }
    for habits, offered in offers.items():
        async with Sink(habits) as sink:
            assert await told(sink, extensions) == offered


@on_a_loop
async def test_tls_is_spoken_with_a_certificate_of_its_own() -> None:
    """STARTTLS, with a name that can be checked, and AUTH behind it."""
    async with Sink(Habits(starttls=True, logins=(("gw", "pw"),))) as sink:

        def talk(client: smtplib.SMTP) -> tuple[bool, int]:
            trusting = ssl.create_default_context(cadata=sink.certificate.decode())
            client.starttls(context=trusting)
            client.ehlo()
            again = client.has_extn("starttls")
            client.login("gw", "pw")
            return again, code_to("r@example.jp")(client)

        assert await told(sink, talk) == (False, 250)
        assert await told(sink, code_to("r@example.jp")) == 530


@on_a_loop
async def test_only_a_dot_between_two_crlf_ends_a_message() -> None:
    """Bare line breaks end nothing, so a smuggled command is text (and shows as such)."""
    smuggled = b"a: b\r\n\r\nx\n.\nMAIL FROM:<evil@example.jp>\r\n.\rMAIL\r\n"
    async with Sink() as sink:
        heard = await raw(
            sink,
            b"HELO c\r\nMAIL FROM:<s@example.jp>\r\nRCPT TO:<r@example.jp>\r\nDATA\r\n",
            smuggled.replace(b"\r\n.", b"\r\n.."),
            b".\r\nQUIT\r\n",
        )
        assert heard.count(b"\r\n250 2.0.0 Ok: queued") == 1
        assert sink.mailbox.total == 1
        assert sink.mailbox.of("r@example.jp")[0].raw == smuggled


@on_a_loop
async def test_commands_out_of_order_are_refused() -> None:
    """RCPT before MAIL, DATA before RCPT, MAIL twice, and what is no command."""
    async with Sink() as sink:
        heard = await raw(
            sink,
            b"RCPT TO:<r@example.jp>\r\nDATA\r\nMAIL FROM:<a@example.jp>\r\nDATA\r\n",
            b"MAIL FROM:<a@example.jp>\r\nRSET\r\nMAIL FROM:a\r\nNONSENSE\r\nQUIT\r\n",
        )
        codes = [int(line[:3]) for line in heard.splitlines()]
        assert codes == [220, 503, 503, 250, 554, 503, 250, 501, 502, 221]


@pytest.mark.parametrize("cut", ["connect", "greeting", "ehlo", "mail", "rcpt", "data", "body"])
@on_a_loop
async def test_a_connection_can_be_cut_before_a_letter_is_kept(cut: str) -> None:
    """At each step; the client sees it, and nothing is in the mailbox."""
    rule = Rule(cut, cut="before")  # type: ignore[arg-type]  # each is a step
    async with Sink(Habits(rules=(rule,))) as sink:
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
            await told(sink, code_to("r@example.jp"))
        assert sink.mailbox.total == 0


@pytest.mark.parametrize(("cut", "copies"), [("before", 0), ("after", 1)])
@on_a_loop
async def test_an_answer_can_be_lost(cut: str, copies: int) -> None:
    """After the dot, with and without having kept the letter."""
    rule = Rule("end", cut=cut)  # type: ignore[arg-type]  # each is a cut
    async with Sink(Habits(rules=(rule,))) as sink:
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
            await told(sink, code_to("r@example.jp"))
        assert sink.mailbox.count("r@example.jp") == copies


@on_a_loop
async def test_luck_hangs_on_the_address() -> None:
    """A share of addresses is refused, always the same ones; another seed strikes others."""
    rules = (Rule("rcpt", "550 5.1.1 no", share=0.3),)
    addresses = [f"r{n}@example.jp" for n in range(40)]
    fates: list[list[int]] = []
    for seed in (1, 1, 2):
        async with Sink(Habits(rules=rules), seed=seed) as sink:
            fates.append([await told(sink, code_to(address)) for address in addresses])
            again = [await told(sink, code_to(address)) for address in addresses[:5]]
            assert again == fates[-1][:5]
    assert fates[0] == fates[1] != fates[2]
    assert 3 <= fates[0].count(550) <= 22


@on_a_loop
async def test_the_greylist_puts_each_address_off_once() -> None:
    """The second try is taken."""
    async with Sink(Habits(rules=greylisting())) as sink:
        codes = [await told(sink, code_to(f"{who}@example.jp")) for who in "aabba"]
        assert codes == [450, 250, 450, 250, 250]


@on_a_loop
async def test_carriers_of_japan_speak_as_they_do() -> None:
    """The same words at RCPT and after the message; the deferral of yahoo.co.jp."""

    def words(address: str) -> Callable[[smtplib.SMTP], tuple[int, bytes]]:
        def talk(client: smtplib.SMTP) -> tuple[int, bytes]:
            client.ehlo()
            client.mail("s@example.jp")
            reply = client.rcpt(address)
            return reply if reply[0] != 250 else client.data(MESSAGE)

        return talk

    rules = (*docomo(1, 0), *kddi(0, 1))
    async with Sink(Habits(rules=rules)) as sink:
        assert await told(sink, words("a@docomo.ne.jp")) == (550, b"Unknown user a@docomo.ne.jp")
        assert await told(sink, words("a@au.com")) == (550, b": User unknown")
        assert (await told(sink, words("a@example.jp")))[0] == 250
    async with Sink(Habits(rules=yahoo_japan(1))) as sink:
        assert await told(sink, lambda client: (client.ehlo(), client.mail("s@e.jp"))[1][0]) == 421
        assert await told(sink, code_to("a@yahoo.co.jp")) == 250


@on_a_loop
async def test_a_silent_client_is_sent_away() -> None:
    """And one that sends no line ends, or a message without end, does not fill the memory."""
    async with Sink(Habits(silence_seconds=0.05, size=100)) as sink:
        assert (await raw(sink))[:3] == b"220"
        assert await raw(sink, b"x" * 100_000)
        opening = b"MAIL FROM:<a@e.jp>\r\nRCPT TO:<b@e.jp>\r\nDATA\r\n"
        assert b"354" in await raw(sink, opening)
        await raw(sink, opening, b"x" * 1_000_000)
        assert sink.mailbox.total == 0
        assert b"552 5.3.4" in await raw(sink, opening, b"x" * 200, b"\r\n.\r\n")


@pytest.mark.parametrize("keep", ["raw", "digest", "count"])
def test_a_mailbox_keeps_as_much_as_it_is_told(keep: Keep) -> None:
    """Counts are right in any case; texts and digests are there where they are kept."""
    mailbox = Mailbox(keep)
    for number in range(5):
        letter = mailbox.add("s@e.jp", "R@e.jp", MESSAGE, number)
        assert letter.raw == MESSAGE
    assert (mailbox.total, mailbox.count("r@E.jp"), mailbox.count("x@e.jp")) == (5, 5, 0)
    kept = mailbox.of("r@e.jp")
    assert len(kept) == (0 if keep == "count" else 5)
    assert [letter.raw for letter in kept] == (
        [MESSAGE] * 5 if keep == "raw" else [b""] * len(kept)
    )
    assert len({letter.digest for letter in mailbox}) == (0 if keep == "count" else 1)
