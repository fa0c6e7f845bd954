import fcntl
import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway import logs

TOKEN = "9f86d081884c7d659a2feaa0c55ad015"
ODD_TOKEN = "it's/\\a+token"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The process's logging is as it was after each test."""
    root, access = logging.root, logging.getLogger("aiohttp.access")
    handlers, level, disabled = root.handlers[:], root.level, access.disabled
    yield
    root.handlers[:], access.disabled = handlers, disabled
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


class Captured:
    """What was written to standard error since the test began."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Captured:
    return Captured(capsys)


log = structlog.get_logger("adapters.example")


def test_a_line_is_one_json_object_with_time_level_and_name(stderr: Captured) -> None:
    """Time with the offset of the configured zone, level, logger and event come first."""
    logs.configure(timezone=ZoneInfo("Asia/Tokyo"))
    with structlog.contextvars.bound_contextvars(request="r-1"):
        log.warning("store_away", units=3, ok=True, ratio=0.5, none=None)
    (line,) = stderr.lines()
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
    when = datetime.fromisoformat(line.pop("timestamp"))
    assert when.utcoffset() == timedelta(hours=9)
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)
    assert line == {
        "level": "warning",
        "logger": "adapters.example",
        "event": "store_away",
        "request": "r-1",
        "units": 3,
        "ok": True,
        "ratio": 0.5,
        "none": None,
    }


def test_the_level_holds_for_own_and_foreign_logs(stderr: Captured) -> None:
    """What lies below the configured level is not written, whoever logs it."""
    logs.configure(level="warning")
    log.info("quiet")
    logging.getLogger("alembic").info("quiet")
    log.error("loud")
    logging.getLogger("alembic").error("loud")
    assert [line["logger"] for line in stderr.lines()] == ["adapters.example", "alembic"]


@pytest.mark.parametrize(
    "text",
    [
        "+815031000001",
        "+81312345678",
        "+819012345678",
        "tel:+81-90-1234-5678",
        "+81 3 1234 5678",
        "From=%2B815031000001&To=x",
        "sip:+815031000001@example.jp",
        "call 090-1234-5678 now",
        "09012345678",
        "0312345678",
        "+81503100000199999999",
    ],
)
def test_telephone_numbers_are_masked_in_any_text(text: str, stderr: Captured) -> None:
    """Wherever a number stands, and however it is written, its middle does not come out."""
    logs.configure()
    log.info(text, plain=text, nested={"deep": [{"er": (text,)}], text: 1}, raw=text.encode())
    logging.getLogger("aiohttp.server").error("peer said %s", text)
    out = stderr.text()
    digits = "".join(c for c in text.removeprefix("From=%2B") if c.isdigit())
    for kept in (text, digits, digits[4:-2]):
        assert kept not in out
    assert out.count("***") == 6


@pytest.mark.parametrize("key", ["caller", "number", "target", "to", "from", "forward_to"])
def test_keys_that_hold_numbers_are_masked_in_every_form(key: str, stderr: Captured) -> None:
    """Under such a key a short or domestic number, or an int, is one too; words are kept."""
    logs.configure()
    for value in ("117117", "03-1234-5678", 81312345678, ["0312345678"], "+815031000001"):
        log.info("x", **{key: value})
    log.info("x", **{key: "anonymous"})
    values = [line[key] for line in stderr.lines()]
    assert values == ["***", "03-12***78", "81312***78", ["03123***78"], "+8150***01", "anonymous"]


def test_ids_times_and_figures_are_left_alone(stderr: Captured) -> None:
    """What only looks like a number to a careless eye can still be searched for."""
    logs.configure()
    told = {
        "id": 281474976710656,
        "sid": "CA0123456789abcdef0123456789012345",
        "at": "2026-11-21T10:00:00.123456+09:00",
        "version": "1.0123456789",
        "address": "127.0.0.1:8080",
        "seconds": 0.0123456789,
    }
    log.info("kept", **told)
    (line,) = stderr.lines()
    assert {key: line[key] for key in told} == told


def test_numbers_come_out_plain_where_configured(stderr: Captured) -> None:
    """An operator who may read numbers says so in the configuration; secrets stay hidden."""
    logs.configure(numbers="plain", secrets=[TOKEN])
    log.info("x", caller="+819012345678", note=f"from 09012345678 {TOKEN}")
    (line,) = stderr.lines()
    assert line["caller"] == "+819012345678"
    assert line["note"] == "from 09012345678 •••"


@pytest.mark.parametrize("secret", [TOKEN, ODD_TOKEN, "+815031000001secret"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_secrets_are_hidden_wherever_they_stand(
    secret: str, level: logs.Level, stderr: Captured
) -> None:
    """Neither texts, keys, nested values, exceptions, tracebacks nor foreign logs show a secret."""
    logs.configure(level=level, secrets=[secret, "", "abc"])
    log.info(f"got {secret}", token=secret, nested=[{"a": {secret: f"x{secret}y"}}])
    log.info("as sent", body=quote(secret, safe=""), shown=repr(secret), raw=secret.encode())
    try:
        raise ValueError(f"bad token {secret!r}") from KeyError(secret)
    except ValueError:
        log.exception("failed")
        logging.getLogger("asyncio").exception("Task failed: %r", secret)
    assert len(stderr.lines()) == 4
    for told in _texts(stderr.lines()):
        for form in (secret, quote(secret, safe=""), repr(secret)[1:-1]):
            assert form not in told


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, held in value.items():
            yield key
            yield from _texts(held)
    elif isinstance(value, list):
        for held in value:
            yield from _texts(held)


def fail() -> None:
    caller_of_this_frame = "+819012345678"
    try:
        raise OSError("disk\nfull")
    except OSError as error:
        raise RuntimeError(f"no call for {caller_of_this_frame}") from error


def test_an_exception_is_one_line_with_its_cause_and_place(stderr: Captured) -> None:
    """Type, message and causes without line breaks, and where it was raised; no traceback."""
    logs.configure()
    try:
        fail()
    except RuntimeError as error:
        log.error("own", exc_info=error)
        log.exception("own")
        logging.getLogger("aiohttp.server").exception("foreign")
    for line in stderr.lines():
        assert line["exception"] == "RuntimeError: no call for +8190***78 <- OSError: disk full"
        assert line["raised_at"].rpartition(":")[0] == __file__
        assert "traceback" not in line
        assert "exc_info" not in line
    assert [line["event"] for line in stderr.lines()] == ["own", "own", "foreign"]


def test_a_group_of_exceptions_tells_each(stderr: Captured) -> None:
    """What failed in a task group is told by name, not as a number of sub-exceptions."""
    logs.configure()
    log.error("x", exc_info=ExceptionGroup("tasks", [ValueError("one"), KeyError("two")]))
    (line,) = stderr.lines()
    assert line["exception"].endswith("[ValueError: one; KeyError: 'two']")


def test_a_traceback_comes_out_at_debug_only_and_without_locals(stderr: Captured) -> None:
    """It shows the lines of the code, and values neither of variables nor of messages."""
    logs.configure(level="debug")
    try:
        fail()
    except RuntimeError:
        log.exception("x")
    (line,) = stderr.lines()
    assert "Traceback (most recent call last)" in line["traceback"]
    assert "in fail" in line["traceback"]
    assert "no call for +8190***78" in line["traceback"]


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.binary()
        | st.datetimes()
        # Surrogates, too: a badly encoded name holds them.
        | st.text(st.characters(exclude_categories=()))
        | st.builds(Hostile),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_value_makes_one_valid_line(value: object) -> None:
    """No value makes logging fail, or break out of its line."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(secrets=[TOKEN])
        log.info("x", value=value, number=value)
        assert stream.getvalue().count("\n") == 1
        assert json.loads(stream.getvalue())["event"] == "x"


def test_a_value_that_holds_itself_ends(stderr: Captured) -> None:
    """A structure without end is cut, not followed."""
    logs.configure()
    endless: list[object] = []
    endless.append(endless)
    log.info("x", value=endless)
    assert len(stderr.lines()) == 1


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under the log, or a closed stream, does not reach the code that logs."""
    monkeypatch.setattr(sys, "stderr", Broken())
    logs.configure()
    log.error("x")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    log.error("x")
    logging.getLogger("aiohttp").error("x")


def test_a_reader_that_stops_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the pipe is full lines are dropped whole, and no call waits for them."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 16_384)
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure()
        for n in range(200):
            log.warning("refused", n=n, detail="x" * 500)
        monkeypatch.undo()
        os.set_blocking(reading, False)
        *lines, torn = pipe.read().decode().split("\n")
    assert torn == ""
    assert [json.loads(line)["n"] for line in lines] == list(range(len(lines)))
    assert 0 < len(lines) < 200


def test_foreign_logs_with_wrong_arguments_or_levels_come_out(stderr: Captured) -> None:
    """A library's mistake is written as far as it can be; requests have no line of their own."""
    logs.configure(level="debug")
    logging.getLogger("lib").error("%d of %d", *["x"])
    logging.getLogger("lib").log(25, "between")
    logging.getLogger("lib").log(70, "beyond")
    logging.getLogger("aiohttp.access").info("GET / 200")
    assert [(line["level"], line["event"]) for line in stderr.lines()] == [
        ("error", "%d of %d"),
        ("info", "between"),
        ("critical", "beyond"),
    ]


def test_the_console_shows_the_same_for_people(stderr: Captured) -> None:
    """Readable lines, masked as well, with the exception below."""
    logs.configure(output="console", level="debug", secrets=[TOKEN])
    try:
        fail()
    except RuntimeError:
        log.exception("call_failed", caller="+819012345678", token=TOKEN)
    out = stderr.text()
    assert "call_failed" in out
    assert "+8190***78" in out
    assert "•••" in out
    assert "\nTraceback (most recent call last)" in out
    assert TOKEN not in out
    assert "+819012345678" not in out


def test_configuring_again_reaches_loggers_that_were_used(stderr: Captured) -> None:
    """Modules hold their loggers from import on; the last settings hold for them, too."""
    logs.configure(level="error")
    log.info("one")
    logs.configure(level="info")
    log.info("two")
    logging.getLogger("lib").info("three")
    assert [line["event"] for line in stderr.lines()] == ["two", "three"]


def test_a_flood_of_one_kind_is_cut_and_counted(
    stderr: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers fill no disk: of lines alike some come out, and the next minute tells the rest."""
    now = [0.0]
    monkeypatch.setattr("gateway.logs.time.monotonic", lambda: now[0])
    logs.configure()
    for request in range(1_000):
        log.warning("webhook refused", reason="signature_wrong", request=str(request))
    log.warning("webhook refused", reason="not_a_form")
    before = len(stderr.lines())
    assert before < 100
    now[0] += 60
    log.warning("webhook refused", reason="signature_wrong")
    *_, last = stderr.lines()
    assert last["dropped"] == 1_000 - (before - 1)
    assert stderr.lines()[-2]["reason"] == "not_a_form"
