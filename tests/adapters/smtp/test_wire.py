"""Every letter that goes on the wire gets exactly one answer, and never a wrong one."""

import asyncio
from collections.abc import Sequence

import aiosmtplib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.smtp.delivery.answers import MOST_LINE, MOST_LINES, Replies, Reply, answered, cleaned
from adapters.smtp.delivery.envelopes import fault_of, stuffed
from adapters.smtp.delivery.opening import Unopened, open_session
from adapters.smtp.delivery.settings import Seconds
from adapters.smtp.simulator import Habits, Rule, Sink
from gateway.domain.mail.answers import MOST_TEXT
from tests.adapters.smtp.relay_world import Letters, Scripted, config, letter, sent
from tests.adapters.smtp.wire_owner import Owning
from tests.support.stores import PATIENCE, on_a_loop

GREETING = b"220 mx\r\n"
EHLO = b"250-mx\r\n250 PIPELINING\r\n"
PLAIN = b"250 mx\r\n"
OPENED = b"250 m\r\n250 r\r\n354 go\r\n"

# --- replies ---


@given(st.lists(st.integers(1, 40), max_size=30))
def test_replies_are_the_same_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    """A reply cut anywhere, byte by byte too, is read as if it had come whole."""
    said = b"220 hello\r\n250-mx\r\n250-SIZE 5\r\n250 8BITMIME\r\n550 5.1.1 no\n354\r\n"
    replies, found = Replies(), []
    for cut in cuts:
        found += replies.feed(said[:cut])
        said = said[cut:]
    found += replies.feed(said)
    assert [reply.code for reply in found] == [220, 250, 550, 354]
    assert found[1].text == b"mx\nSIZE 5\n8BITMIME"
    assert (replies.fault, replies.is_unfinished) == ("", False)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"hello\r\n", "no_reply_code"),
        (b"199 no\r\n", "no_reply_code"),
        (b"250?ok\r\n", "no_reply_code"),
        (b"250-a\r\n251 b\r\n", "codes_differ"),
        (b"250 " + b"x" * MOST_LINE + b"\r\n", "line_too_long"),
        (b"2" * (MOST_LINE + 1), "line_too_long"),
        (b"250-x\r\n" * (MOST_LINES + 1), "reply_too_long"),
    ],
)
def test_what_is_no_reply_is_named(said: bytes, fault: str) -> None:
    """Nothing is read behind it, and what came before it counts."""
    replies = Replies()
    assert replies.feed(b"250 before\r\n" + said) == [Reply(250, b"before")]
    assert replies.fault == fault
    assert replies.feed(b"250 after\r\n") == []


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(said: bytes) -> None:
    """The reader ends in replies or in a fault, and keeps little."""
    replies = Replies()
    for reply in replies.feed(said):
        answer = answered("end", reply)
        assert answer.text.isprintable() or not answer.text.isascii()


def test_a_reply_becomes_an_answer_by_its_code() -> None:
    """552 is temporary to RCPT alone, and an enhanced code counts where its class agrees."""
    assert answered("rcpt", Reply(552, b"5.5.3 too many")).outcome == "temporary"
    assert answered("end", Reply(552, b"5.3.4 too big")).outcome == "permanent"
    assert answered("end", Reply(354, b"go")).outcome == "unknown"
    assert answered("rcpt", Reply(550, b"5.1.1 <a@b>: unknown")).enhanced == "5.1.1"
    assert answered("rcpt", Reply(450, b"5.1.1 odd")).enhanced == ""
    assert answered("rcpt", Reply(550, b"5.1.1.2 odd")).enhanced == ""


def test_a_replys_text_is_fit_for_a_log() -> None:
    """Control characters and broken characters go, and it is cut."""
    assert cleaned(b"a\x1b[31m\nb\x00\xff") == "a [31m b \N{REPLACEMENT CHARACTER}"
    assert len(cleaned(b"x" * 5_000)) == MOST_TEXT


# --- letters ---


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a", b"a."]), max_size=8))
def test_a_stuffed_message_ends_where_its_dot_stands(lines: list[bytes]) -> None:
    """Read as RFC 5321 4.5.2 says, it gives the message back, and holds no end within."""
    message = b"".join(line + b"\r\n" for line in lines) or b"\r\n"
    wire = stuffed(message) + b".\r\n"
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3
    read = [line[line.startswith(b".") :] for line in wire.split(b"\r\n")[:-2]]
    assert b"".join(line + b"\r\n" for line in read) == message


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"sender": ""}, ""),
        ({"recipient": '"a..b"@docomo.ne.jp'}, ""),
        ({"sender": "a@b.jp>\r\nRCPT TO:<c@d.jp"}, "sender_unfit"),
        ({"recipient": "a@b.jp\n"}, "recipient_unfit"),
        ({"recipient": "a@b.jp SIZE=1"}, "recipient_unfit"),
        ({"recipient": "<a@b.jp>"}, "recipient_unfit"),
        ({"recipient": "あ@b.jp"}, "recipient_unfit"),
        ({"recipient": "postmaster"}, "recipient_unfit"),
        ({"recipient": ""}, "recipient_unfit"),
        ({"message": b"a: b\r\n\r\nx\n.\nMAIL FROM:<>\r\n"}, "bare_line_break"),
        ({"message": b"a: b\r\n\r\nx\r.\r\n"}, "bare_line_break"),
        ({"message": b"a: b\r\n\r\nx\0\r\n"}, "nul_byte"),
    ],
)
def test_what_must_not_go_on_the_wire_is_named(fields: dict[str, object], fault: str) -> None:
    """Line breaks in addresses, and half ones in messages (SMTP smuggling), among others."""
    assert fault_of(letter(1, **fields)) == fault  # type: ignore[arg-type]  # fields of one call


@on_a_loop
async def test_a_letter_unfit_for_the_wire_costs_no_word() -> None:
    """It fails for good with its reason, and the next one goes."""
    async with Sink() as sink:
        bad = letter(1, recipient="a@b.jp>\r\nRSET\r\n<")
        post = await sent(Letters([bad, letter(2)]), sink.port)
        assert post.answers[0][1].text == "recipient_unfit"
        assert post.outcomes == {1: "permanent", 2: "accepted"}
        assert not [said for said in sink.said if "a@b.jp" in said]


# --- conversations ---


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("bytewise", [True, False])
@on_a_loop
async def test_letters_arrive_as_they_were(pipelining: bool, bytewise: bool) -> None:
    """In order, dots and all, whether the server groups commands and however slowly it talks."""
    texts = [b"a: b\r\n\r\n.\r\n..\r\nx\r\n", b".\r\n", b"a: b\r\n\r\n" + b"x" * 900 + b"\r\n"]
    letters = [letter(n, message=texts[n % 3]) for n in range(9)]
    async with Sink(Habits(pipelining=pipelining, bytewise=bytewise)) as sink:
        post = await sent(Letters(letters), sink.port)
        assert set(post.outcomes.values()) == {"accepted"}
        assert [ref for ref, _ in post.answers] == list(range(9))
        for envelope in letters:
            assert [kept.raw for kept in sink.mailbox.of(envelope.recipient)] == [envelope.message]
        assert sink.connections == 1
        assert sum("RSET" in said for said in sink.said) == 0


@on_a_loop
async def test_the_next_letter_opens_with_the_dot_of_the_one_before() -> None:
    """One round trip a letter: MAIL, RCPT and DATA stand in the write that ends a message."""
    turns = [GREETING, EHLO, OPENED, b"250 1\r\n" + OPENED, b"250 2\r\n", b"221 bye\r\n"]
    async with Scripted(turns) as server:
        post = await sent(Letters([letter(1), letter(2)]), server.port)
    assert post.outcomes == {1: "accepted", 2: "accepted"}
    first = letter(1).message + b".\r\nMAIL FROM:<b+2@bounce.example.jp>\r\n"
    assert server.heard[2] == first + b"RCPT TO:<r2@example.jp>\r\nDATA\r\n"


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("mail", "451 4.3.0 later", times=1), ("temporary", "mail")),
        (Rule("mail", "550 5.7.1 no", times=1), ("permanent", "mail")),
        (Rule("rcpt", "450 4.2.1 later", recipient="r1@*"), ("temporary", "rcpt")),
        (Rule("rcpt", "550 5.1.1 no\n550 5.1.1 such", recipient="r1@*"), ("permanent", "rcpt")),
        (Rule("rcpt", "552 too many", recipient="r1@*"), ("temporary", "rcpt")),
        (Rule("data", "451 later", recipient="r1@*"), ("temporary", "data")),
        (Rule("data", "554 no", recipient="r1@*"), ("permanent", "data")),
        (Rule("end", "452 4.3.1 later", recipient="r1@*"), ("temporary", "end")),
        (Rule("end", "550 Unknown user", recipient="r1@*"), ("permanent", "end")),
    ],
)
@on_a_loop
async def test_a_refused_letter_leaves_the_others_alone(
    pipelining: bool, rule: Rule, expected: tuple[str, str]
) -> None:
    """Whatever the step, one letter has its answer, and the rest arrives on the same connection."""
    async with Sink(Habits(pipelining=pipelining, rules=(rule,))) as sink:
        post = await sent(Letters([letter(n) for n in (1, 2, 3)]), sink.port)
        assert post.stages == {1: expected, 2: ("accepted", "end"), 3: ("accepted", "end")}
        assert sink.connections == 1
        assert [sink.mailbox.count(f"r{n}@example.jp") for n in (1, 2, 3)] == [0, 1, 1]


@on_a_loop
async def test_a_354_without_recipients_gets_a_lone_dot() -> None:
    """RFC 2920 3.1: the message of a refused letter is not sent to nobody."""
    refused = b"250 m\r\n550 5.1.1 no\r\n354 go\r\n"
    turns = [GREETING, EHLO, refused, b"554 none\r\n" + OPENED, b"250 ok\r\n", b"221 bye\r\n"]
    async with Scripted(turns) as server:
        post = await sent(Letters([letter(1), letter(2)]), server.port)
    assert post.stages == {1: ("permanent", "rcpt"), 2: ("accepted", "end")}
    assert server.heard[2].startswith(b".\r\nMAIL FROM:<b+2")


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("rule", "expected", "copies"),
    [
        (Rule("mail", cut="before", times=1), "unsent", 0),
        (Rule("rcpt", cut="before", recipient="r1@*"), "unsent", 0),
        (Rule("data", cut="before", recipient="r1@*"), "unsent", 0),
        (Rule("end", cut="before", recipient="r1@*"), "unknown", 0),
        (Rule("end", cut="after", recipient="r1@*"), "unknown", 1),
        (Rule("end", "421 4.3.2 going down", recipient="r1@*"), "temporary", 0),
        (Rule("mail", "421 4.3.2 going down", times=1), "temporary", 0),
        (Rule("rcpt", "421 4.3.2 going down", recipient="r1@*"), "temporary", 0),
    ],
)
@on_a_loop
async def test_a_connection_cut_at_any_step_leaves_no_doubt_unnamed(
    pipelining: bool, rule: Rule, expected: str, copies: int
) -> None:
    """Before the dot a letter is unsent, after it unknown; what went with it is unsent."""
    async with Sink(Habits(pipelining=pipelining, rules=(rule,))) as sink:
        post = await sent(Letters([letter(n) for n in (1, 2, 3)]), sink.port)
        assert post.outcomes[1] == expected
        assert set(post.outcomes.values()) <= {expected, "unsent", "accepted"}
        assert post.outcomes[3] == "accepted"
        assert len(post.answers) == 3
        assert sink.mailbox.count("r1@example.jp") == copies
        was_kept = post.outcomes[2] == "accepted"
        assert sink.mailbox.count("r2@example.jp") == was_kept


@on_a_loop
async def test_a_message_cut_in_its_middle_is_unsent() -> None:
    """Of a large message the dot was not on the wire yet."""
    large = b"a: b\r\n\r\n" + (b"x" * 76 + b"\r\n") * 100_000
    async with Scripted([GREETING, EHLO, OPENED, None]) as server:
        post = await sent(Letters([letter(1, message=large)]), server.port)
    assert post.stages == {1: ("unsent", "data")}


@on_a_loop
async def test_a_refusal_amid_a_message_is_its_answer() -> None:
    """Some servers do not wait for the dot; what follows on that connection is unsafe."""
    large = b"a: b\r\n\r\n" + (b"x" * 76 + b"\r\n") * 100_000
    refusal = b"552 5.3.4 too big\r\n"
    async with Scripted([GREETING, EHLO, OPENED, refusal]) as server:
        post = await sent(Letters([letter(1, message=large)]), server.port)
    assert post.answers[0][1].outcome in ("permanent", "unsent")  # a reset may overtake it


@on_a_loop
async def test_a_large_message_reaches_a_slow_server() -> None:
    """2 MB go through whole, a part at a time."""
    large = b"a: b\r\n\r\n" + (b"." + b"x" * 75 + b"\r\n") * 27_000
    async with Sink(Habits(delay=0.001)) as sink:
        post = await sent(Letters([letter(1, message=large), letter(2)]), sink.port)
        assert post.outcomes == {1: "accepted", 2: "accepted"}
        assert sink.mailbox.of("r1@example.jp")[0].raw == large


@pytest.mark.parametrize(
    ("turns", "stages"),
    [
        ([GREETING, EHLO, b"250 m\r\n250 r\r\n250 d\r\n"], ("unsent", "data")),
        ([GREETING, EHLO, OPENED + b"250 early\r\n"], ("unsent", "data")),
        ([GREETING, EHLO, OPENED + b"25"], ("unsent", "data")),
        ([GREETING, EHLO, b"354 m\r\n"], ("unsent", "mail")),
        ([GREETING, EHLO, b"250 m\r\n\xff\xfe\r\n"], ("unsent", "rcpt")),
        ([GREETING, EHLO, OPENED, b"354 again\r\n"], ("unknown", "end")),
        ([GREETING, EHLO, OPENED, b"nonsense\r\n"], ("unknown", "end")),
        ([GREETING, EHLO, OPENED, b"250 ok\r\nnonsense\r\n"], ("accepted", "end")),
        ([GREETING, PLAIN, b"250 m\r\n", b"250 r\r\n", b"250 d\r\n"], ("unsent", "data")),
    ],
)
@on_a_loop
async def test_a_server_out_of_turn_loses_the_connection(
    turns: Sequence[bytes], stages: tuple[str, str]
) -> None:
    """Its words could be taken for answers to something else."""
    async with Scripted(turns) as server:
        post = await sent(Letters([letter(1)]), server.port)
    assert post.stages == {1: stages}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("mail", cut="silence", times=1), ("unsent", "mail")),
        (Rule("rcpt", cut="silence", recipient="r1@*"), ("unsent", "rcpt")),
        (Rule("data", cut="silence", recipient="r1@*"), ("unsent", "data")),
        (Rule("end", cut="silence", recipient="r1@*"), ("unknown", "end")),
    ],
)
@on_a_loop
async def test_a_silent_server_is_left(rule: Rule, expected: tuple[str, str]) -> None:
    """After its time the connection is cut, and the letter is as doubtful as if it had dropped."""
    short = Seconds(PATIENCE, PATIENCE, 0.2, 0.2, 0.2, PATIENCE)
    async with Sink(Habits(rules=(rule,))) as sink:
        post = await sent(Letters([letter(1)]), sink.port, seconds=short)
        assert post.stages == {1: expected}
        assert post.answers[0][1].text == "timeout"


MESSAGE_END = b"<%d@example.jp>\r\nSubject: x\r\n\r\nhello\r\n.\r\n"

LINES = st.sampled_from(
    [
        *(b"250 ok\r\n", b"354 go\r\n", b"450 4.2.0 l\r\n", b"550 5.1.1 n\r\n", b"421 b\r\n"),
        *(b"250-a\r\n250 b\r\n", b"junk\r\n", b"25", b"503 seq\r\n", b""),
    ]
)


@settings(max_examples=120, deadline=None)
@given(
    st.booleans(),
    st.lists(st.lists(LINES, max_size=4).map(b"".join) | st.none(), max_size=8),
)
def test_whatever_a_server_says_each_letter_has_one_answer(
    pipelining: bool, turns: list[bytes | None]
) -> None:
    """In the order of taking; and none is unsent whose dot the server has answered with 250."""

    async def talk() -> tuple[Letters, list[bytes]]:
        script = [GREETING, EHLO if pipelining else PLAIN, *turns]
        post = Letters([letter(n) for n in range(4)])
        # The server says nothing after its script, and a connection more takes what is left.
        quick = Seconds(PATIENCE, PATIENCE, 0.05, 0.05, 0.05, PATIENCE)
        async with Scripted(script) as server, Sink() as sink:
            scripted = Letters(post.left)
            await _until_gone(scripted, server.port, quick)
            rest = Letters(scripted.left)
            await sent(rest, sink.port)
            assert set(rest.outcomes.values()) <= {"accepted"}
        return scripted, server.heard

    post, heard = asyncio.run(talk())
    assert [ref for ref, _ in post.answers] == post.taken
    whole = b"".join(heard)
    for ref, answer in post.answers:
        if answer.outcome == "unsent":
            assert MESSAGE_END % ref not in whole
        if answer.outcome == "accepted":
            assert MESSAGE_END % ref in whole


async def _until_gone(post: Letters, port: int, seconds: Seconds) -> None:
    """Let one connection run its course."""
    owner = Owning(post)
    try:
        wire, features = await open_session(config(port, seconds=seconds), owner, None)
    except Unopened:
        return
    wire.begin(features)
    async with asyncio.timeout(PATIENCE):
        await owner.gone.wait()


# --- an oracle ---


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (Rule("rcpt", "550 5.1.1 no", recipient="r1@*"),),
        (Rule("end", "451 4.3.0 later", recipient="r1@*"),),
        (Rule("mail", "450 4.7.1 later", times=1),),
    ],
)
@on_a_loop
async def test_another_client_is_told_the_same(rules: tuple[Rule, ...]) -> None:
    """aiosmtplib gets the same code for each letter, and the same letters arrive."""
    letters = [letter(n, message=b"a: b\r\n\r\n.\r\n..x\r\n") for n in (1, 2)]
    codes: dict[int, int] = {}
    async with Sink(Habits(rules=rules)) as theirs:
        client = aiosmtplib.SMTP(
            hostname="127.0.0.1", port=theirs.port, use_tls=False, start_tls=False
        )
        async with client:
            for envelope in letters:
                try:
                    await client.sendmail(envelope.sender, [envelope.recipient], envelope.message)
                    codes[envelope.ref] = 250
                except aiosmtplib.SMTPRecipientsRefused as error:
                    codes[envelope.ref] = error.recipients[0].code
                except aiosmtplib.SMTPResponseException as error:
                    codes[envelope.ref] = error.code
    async with Sink(Habits(rules=rules)) as ours:
        post = await sent(Letters(letters), ours.port)
    assert {ref: answer.code for ref, answer in post.answers} == codes
    assert [kept.raw for kept in ours.mailbox] == [kept.raw for kept in theirs.mailbox]
