"""A relay gets as many connections as it takes, and is left alone when it is down."""

import asyncio
import random

import pytest
from structlog.testing import capture_logs

from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.delivery.relay import Relay
from adapters.smtp.delivery.settings import RelayConfig, Seconds
from adapters.smtp.simulator import Habits, Rule, Sink
from gateway.domain.mail.answers import Answer
from gateway.main.mail.sending import Relays
from tests.adapters.smtp.relay_world import (
    PATIENT,
    Letters,
    Scripted,
    config,
    letter,
    relaying,
    sent,
)
from tests.support.stores import PATIENCE, eventually, on_a_loop


class Post(Letters):
    """A sender, as far as relays ask for its posts."""

    def post(self) -> "Post":
        return self


# --- connections ---


@on_a_loop
async def test_many_letters_open_many_connections_and_few_do_not() -> None:
    """As many as are allowed while there is more to take, and never more."""
    async with Sink(Habits(delay=0.002)) as sink:
        post = await sent(Letters([letter(n) for n in range(200)]), sink.port, connections=5)
        assert set(post.outcomes.values()) == {"accepted"}
        assert len(sink.mailbox.of("r7@example.jp")) == 1
        assert sink.mailbox.total == 200
        assert sink.connections == 5


@on_a_loop
async def test_a_connection_carries_so_many_letters() -> None:
    """Then it is closed with QUIT, and another one goes on."""
    async with Sink() as sink:
        letters = Letters([letter(n) for n in range(7)])
        await sent(letters, sink.port, messages_per_connection=3)
        assert sink.mailbox.total == 7
        assert sink.connections == 3
        assert list(sink.said).count("QUIT") >= 2


@on_a_loop
async def test_an_idle_connection_is_used_again_and_then_closed() -> None:
    """Letters that come soon find it open; when none come it goes."""
    seconds = Seconds(PATIENCE, PATIENCE, PATIENCE, PATIENCE, PATIENCE, 0.3)
    async with Sink() as sink:
        post = Letters([letter(1)])
        async with relaying(post, config(sink.port, seconds=seconds)) as relay:
            await post.settled(1)
            post.add(letter(2))
            await post.settled(2)
            assert sink.connections == 1
            await eventually(lambda: relay.connections == 0)
            assert sink.said[-1] == "QUIT"
            post.add(letter(3))
            await post.settled(3)
            assert sink.connections == 2


@on_a_loop
async def test_what_is_taken_is_taken_right_before_it_is_written() -> None:
    """While no connection stands nothing is taken, so that a stop is still seen."""
    async with Scripted([b"421 not now\r\n"], times=3) as server:
        post = Letters([letter(1)])
        async with relaying(post, config(server.port)) as relay:
            await eventually(lambda: relay.failures >= 3)
            assert post.taken == []
            post.left.clear()
    assert post.answers == []


# --- failure ---


@on_a_loop
async def test_a_relay_that_is_down_is_asked_ever_more_rarely() -> None:
    """The pauses double up to the longest, each spread by the dice; then everything goes."""
    async with Sink() as sink:
        port = sink.port
    heard: list[Answer] = []
    over: list[int] = []
    post = Letters([letter(1)])
    settings = config(port, pause_least=0.01, pause_most=0.08)
    relay = Relay(
        settings, post, rng=random.Random(3), troubled=heard.append, recovered=over.append
    )
    begin = asyncio.get_running_loop().time()
    running = asyncio.create_task(relay.run())
    await eventually(lambda: len(heard) >= 6)
    lasted = asyncio.get_running_loop().time() - begin
    assert lasted >= 0.5 * (0.01 + 0.02 + 0.04 + 0.08 + 0.08)
    assert {(answer.outcome, answer.stage, answer.text) for answer in heard} == {
        ("unsent", "connect", "refused")
    }
    assert over == []
    back = Sink()
    back.port = port
    async with back:
        await post.settled(1)
        assert post.outcomes == {1: "accepted"}
        assert relay.failures == 0
        assert over == [len(heard)]
        post.add(letter(2))
        await post.settled(2)
        assert len(over) == 1
        await relay.drain(PATIENCE)
        await running


@on_a_loop
async def test_the_log_says_when_a_relay_is_away_and_when_it_is_back() -> None:
    """With a word for what is wrong where there was no reply to give a code."""
    async with Sink() as sink:
        port = sink.port
    post = Post([letter(1)])
    with capture_logs() as logs:
        relays = Relays([config(port)], post)  # type: ignore[arg-type]  # it asks for posts alone
        relays.start()
        await eventually(lambda: logs)
        back = Sink()
        back.port = port
        async with back:
            await post.settled(1)
            await relays.stop()
    away = {"relay": "r", "stage": "connect", "reason": "refused", "log_level": "warning"}
    assert logs[0] == {"event": "a relay does not take mail", **away}
    assert (logs[-1]["event"], logs[-1]["relay"]) == ("a relay takes mail again", "r")
    assert logs[-1]["failures"] == len(logs) - 1


@on_a_loop
async def test_a_relay_that_takes_nothing_is_backed_off_from() -> None:
    """One that greets and then drops every letter is not hammered with the whole queue."""
    rules = (Rule("mail", cut="before"),)
    async with Sink(Habits(rules=rules)) as sink:
        post = Letters([letter(n) for n in range(50)])
        long = config(sink.port, pause_least=PATIENCE, pause_most=PATIENCE)
        async with relaying(post, long) as relay:
            await post.settled(1)
            await eventually(lambda: relay.failures == 1 and not relay.connections)
            assert len(post.answers) == 1
            post.left.clear()


@on_a_loop
async def test_a_broken_post_ends_the_run() -> None:
    """Where nothing can be settled, nothing more is sent, and the error is raised."""

    class Broken(Letters):
        def settle(self, envelope: Envelope, answer: Answer) -> None:
            super().settle(envelope, answer)
            raise RuntimeError("no store")

    async with Sink() as sink:
        post = Broken([letter(n) for n in range(20)])
        relay = Relay(config(sink.port), post, rng=random.Random(1))
        with pytest.raises(RuntimeError, match="no store"):
            async with asyncio.timeout(PATIENCE):
                await relay.run()
        assert [ref for ref, _ in post.answers] == post.taken
        assert len(post.taken) <= 3


# --- stopping ---


@on_a_loop
async def test_draining_lets_letters_on_the_wire_be_answered() -> None:
    """Nothing more is taken, and what was has its real answer."""
    async with Sink(Habits(delay=0.05)) as sink:
        post = Letters([letter(n) for n in range(500)])
        async with relaying(post, config(sink.port, connections=3)):
            await post.settled(1)
        assert 1 <= len(post.taken) < 500
        assert sorted(post.taken) == sorted(ref for ref, _ in post.answers)
        assert set(post.outcomes.values()) == {"accepted"}
        assert sink.mailbox.total == len(post.taken)


@on_a_loop
async def test_a_run_that_is_cut_off_settles_what_it_took() -> None:
    """Cancelled amid letters, each of them is unknown or unsent."""
    rules = (Rule("end", cut="silence"),)
    async with Sink(Habits(rules=rules)) as sink:
        post = Letters([letter(n) for n in range(9)])
        relay = Relay(config(sink.port, connections=2), post, rng=random.Random(1))
        running = asyncio.create_task(relay.run())
        await eventually(lambda: sink.mailbox.total == 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert sorted(post.taken) == sorted(ref for ref, _ in post.answers)
        assert sorted(post.outcomes.values()) == ["unknown"] * 2 + ["unsent"] * 2


@on_a_loop
async def test_draining_does_not_wait_for_ever() -> None:
    """A silent server's letter is unknown once the time to drain is over."""
    rules = (Rule("end", cut="silence"),)
    async with Sink(Habits(rules=rules)) as sink:
        post = Letters([letter(1)])
        relay = Relay(config(sink.port), post, rng=random.Random(1))
        running = asyncio.create_task(relay.run())
        await eventually(lambda: sink.mailbox.total == 1)
        await relay.drain(0.05)
        await running
        assert post.outcomes == {1: "unknown"}


# --- what a relay offers ---


@on_a_loop
async def test_an_old_server_is_greeted_with_helo() -> None:
    """Where EHLO is not known; then nothing is grouped, and no SIZE is told."""
    async with Sink(Habits(esmtp=False)) as sink:
        post = await sent(Letters([letter(1)]), sink.port)
        assert post.outcomes == {1: "accepted"}
        assert "HELO localhost" in sink.said
        assert "MAIL FROM:<b+1@bounce.example.jp>" in sink.said


@on_a_loop
async def test_a_letter_over_the_size_is_not_offered() -> None:
    """It fails for good at once; the next one tells its size."""
    async with Sink(Habits(size=1_000)) as sink:
        big = letter(1, message=b"a: b\r\n\r\n" + b"x" * 1_000 + b"\r\n")
        post = await sent(Letters([big, letter(2)]), sink.port)
        assert post.outcomes == {1: "permanent", 2: "accepted"}
        assert (post.answers[0][1].code, post.answers[0][1].enhanced) == (552, "5.3.4")
        mails = [said for said in sink.said if said.startswith("MAIL")]
        assert mails == [f"MAIL FROM:<b+2@bounce.example.jp> SIZE={len(letter(2).message)}"]


@on_a_loop
async def test_eight_bits_go_where_they_are_taken() -> None:
    """BODY=8BITMIME is told of such letters alone, and an old server is spared them."""
    eight = letter(1, message="a: b\r\n\r\nあ\r\n".encode())
    async with Sink() as sink:
        await sent(Letters([eight, letter(2)]), sink.port)
        assert ["BODY=8BITMIME" in said for said in sink.said if said[:4] == "MAIL"] == [
            True,
            False,
        ]
    async with Sink(Habits(esmtp=False)) as sink:
        post = await sent(Letters([eight]), sink.port)
        assert (post.outcomes, post.answers[0][1].text) == ({1: "permanent"}, "eight_bit")


# --- names, and slow words ---


@pytest.mark.parametrize("helo", ["", "gw.example.jp\r\nMAIL FROM:<>", "あ.jp", "a b"])
def test_a_name_that_is_none_is_no_configuration(helo: str) -> None:
    """What we call ourselves cannot hold a second command."""
    with pytest.raises(ValueError, match="helo"):
        RelayConfig("r", "h", helo=helo)


@on_a_loop
async def test_slow_words_do_not_hurt_many_letters() -> None:
    """With 10 ms before each reply, pipelined letters still take one turn each."""
    async with Sink(Habits(delay=0.01, bytewise=True)) as sink:
        post = await sent(
            Letters([letter(n) for n in range(60)]), sink.port, connections=10, seconds=PATIENT
        )
        assert set(post.outcomes.values()) == {"accepted"}
        assert sink.mailbox.total == 60
