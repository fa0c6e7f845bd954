"""Mails made to break a reader: each gives a report, in bounded time and memory."""

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.smtp.reading import mails_in, read
from adapters.smtp.reading.mime import DEPTH, FIELDS, PARTS, SIZE, TEXT, characters, take_apart
from gateway.domain.mail.returns.bounces import HARD
from tests.adapters.smtp.reading.manners import MANNERS, REPLIES, report

HEAD = b"From: MAILER-DAEMON@x.example\r\nSubject: failure notice\r\n"
WORDS = [
    *(b"user ", b"mailbox ", b"address not ", b"too many ", b"sender ", b"your ip ", b"message "),
    *(
        b"5.1.1 ",
        b"550 ",
        b"<<< 550 \n",
        b">>> DATA\n",
        b"<a@b.example> ",
        b"a@",
        b"<",
        b"&#",
        b"(",
    ),
    *(b"=?utf-8?B?", b'{"notificationType":[[', b"exceeds a ", b"----", b"\0", b"\x1b$B", b"a."),
]


def nested(depth: int) -> bytes:
    """Parts within parts."""
    return HEAD + b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (each, each)
        for each in range(depth)
    )


def repeated(word: bytes) -> bytes:
    """A report of one word, in lines that are long and in one that is longer."""
    few, many = word * (8_000 // len(word)), word * 100_000
    return HEAD + b"\r\n<a@b.example>:\r\n" + few + b"\r\n" + many


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "10,000 nested parts": lambda: nested(10_000) + b"x\r\n" + b"--b9999--\r\n" * 10_000,
    "10,000 parts": lambda: (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000
    ),
    "30 MB of base64": lambda: (
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + (b"QUJD" * 18 + b"\r\n") * 400_000
    ),
    "30 MB on one line": lambda: HEAD + b"\r\n" + b"a" * 30_000_000,
    "a header without an end": lambda: b"".join(b"X-%d: y\r\n" % each for each in range(500_000)),
    "one field without an end": lambda: b"Subject: a\r\n" + b" b\r\n" * 1_000_000,
    "a report on everybody": lambda: (
        HEAD
        + b"Content-Type: message/delivery-status\r\n\r\n"
        + b"".join(
            b"Final-Recipient: rfc822;a%d@b.example\r\nAction: failed\r\n"
            b"Diagnostic-Code: smtp; 550 %d user recipient mailbox address\r\n\r\n" % (each, each)
            for each in range(20_000)
        )
    ),
    "complaints of everybody": lambda: (
        HEAD
        + b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n"
        + b"".join(b"Original-Rcpt-To: a%d@b.example\r\n" % each for each in range(50_000))
    ),
    "HTML of nothing but brackets": lambda: (
        HEAD + b"Content-Type: text/html\r\n\r\n" + b"<" * 2_000_000
    ),
    **{f"{word!r} again and again": partial(repeated, word) for word in WORDS},
}


def taken(raw: bytes) -> float:
    """Processor seconds for reading ``raw``, the least of three."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        read(raw)
        times.append(time.thread_time() - start)
    return min(times)


@pytest.fixture(scope="module")
def plain_second() -> float:
    """What a hundred plain bounces take here: the measure of the machine."""
    raw = report("a@there.example", "550 5.1.1 user unknown", "RCPT TO").encode()
    read(raw)
    start = time.thread_time()
    for _ in range(100):
        read(raw)
    return time.thread_time() - start


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_costs_no_more_than_a_few_thousand_plain_ones(
    name: str, plain_second: float
) -> None:
    """Time is bounded whatever the mail's size and shape, in relation to the machine."""
    assert taken(HOSTILE[name]()) < 40 * plain_second


@pytest.mark.parametrize("name", ["30 MB of base64", "30 MB on one line", "10,000 nested parts"])
def test_memory_is_bounded(name: str) -> None:
    """A mail of any size is read in some multiples of what is looked at."""
    raw = HOSTILE[name]()
    tracemalloc.start()
    try:
        read(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * SIZE


@pytest.mark.parametrize("name", HOSTILE)
def test_what_comes_out_of_a_hostile_mail_is_bounded(name: str) -> None:
    """Recipients, and the characters kept of each."""
    got = read(HOSTILE[name]()).readings
    assert len(got) <= 100
    assert all(len(each.text) <= 500 and len(each.address) <= 330 for each in got)


def test_parts_and_depth_have_an_end() -> None:
    """Beyond them a mail is not taken apart."""
    fields, parts = take_apart(HOSTILE["10,000 parts"]())
    assert len(parts) <= PARTS
    assert len(fields) <= FIELDS
    assert len(take_apart(nested(10_000))[1]) <= DEPTH + 2
    assert all(len(part.text) <= TEXT for part in take_apart(HOSTILE["30 MB of base64"]())[1])


@given(st.binary(max_size=2_000))
def test_random_bytes_are_read(raw: bytes) -> None:
    """No bytes make an exception."""
    read(raw)
    assert b"".join(mails_in(raw)) or not raw


SEEDS = [
    manner("a@there.example", replies[0].format(to="a@there.example"), "RCPT TO").encode()
    for manner in MANNERS
    for replies in REPLIES.values()
]
PIECES = [
    *WORDS,
    *(
        b"\r\n",
        b"\n\n",
        b"--x/mx.example",
        b"--x/mx.example--",
        b"Content-Type: message/rfc822\n\n",
    ),
    *(b"Content-Transfer-Encoding: base64\n", b"charset=utf-16", b"Final-Recipient: ", b"\xff\xfe"),
]


@settings(max_examples=300)
@given(
    seed=st.sampled_from(SEEDS),
    cuts=st.lists(
        st.tuples(st.integers(0, 3_000), st.integers(0, 60), st.sampled_from(PIECES)), max_size=8
    ),
)
def test_mails_cut_and_mixed_are_read(seed: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    """Pieces lost and put in anywhere give a report with classes and bounds that hold."""
    for at, length, piece in cuts:
        seed = seed[:at] + piece + seed[at + length :]
    for each in read(seed).readings:
        assert not each.hard or each.bounce_class in HARD
        assert not each.hard or each.action == "failed"
        assert "\n" not in each.text
        assert each.text.isprintable()


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_are_characters_of_some_set(data: bytes, charset: str) -> None:
    """A character set that nobody knows, or that does not fit, is passed over."""
    assert isinstance(characters(data, charset), str)
