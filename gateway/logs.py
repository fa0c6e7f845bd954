"""Structured logs: one JSON object a line on standard error, without numbers and without secrets.

Code logs with ``structlog.get_logger(__name__)``; libraries log with :mod:`logging`. Both come out
here, after the same processors. Nothing is set up before :func:`configure` is called.
"""

import logging
import re
import select
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal
from urllib.parse import quote

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.domain.values import masked

Level = Literal["debug", "info", "warning", "error", "critical"]


def configure(
    *,
    level: Level = "info",
    output: Literal["json", "console"] = "json",
    numbers: Literal["masked", "plain"] = "masked",
    secrets: Iterable[str] = (),
    timezone: tzinfo = UTC,
) -> None:
    """Send all logs of the process to standard error; calling it again replaces the settings.

    ``secrets`` are values that never come out, wherever they stand (those under four characters
    cannot be told from other text and are left). Tracebacks, which never show local variables,
    come out at ``level="debug"`` only; else an error is one line of type, message and place.
    A log line that cannot be written is dropped: logging neither fails nor delays a call. Of
    lines that say the same for the same reason, 60 a minute come out; a later one tells how many
    did not.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderers: list[Processor] = [_as_json]
    if output == "console":
        console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
        renderers = [_unfolded, console]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _Flood(),
            _Errors(with_traceback=level == "debug"),
            _Mask(numbers=numbers == "masked", secrets=secrets),
            _Stamp(timezone),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_Output,
        # Uncached, so that configuring again reaches the loggers that modules hold.
        cache_logger_on_first_use=False,
    )
    logging.root.handlers[:] = [_Library()]
    logging.root.setLevel(threshold)
    logging.captureWarnings(capture=True)
    # What Alembic says of itself at each start is of no use to an operator.
    logging.getLogger("alembic").setLevel(max(threshold, logging.WARNING))
    # The edge counts requests itself; one line for each would cost more than answering it.
    logging.getLogger("aiohttp.access").disabled = True


class _Output:
    """Where finished lines go: whatever ``sys.stderr`` is at that moment."""

    _lock = threading.Lock()

    def __init__(self, name: str = "gateway") -> None:
        self.name = name

    def write(self, line: str) -> None:
        line += "\n"
        try:
            with self._lock:
                for start in range(0, len(line), _PIECE):
                    if _is_stuck():
                        return
                    sys.stderr.write(line[start : start + _PIECE])
                    sys.stderr.flush()
        except (OSError, ValueError):
            pass  # a full disk or a closed stream: the call goes on without its line

    debug = info = warning = error = critical = write


_PIECE = select.PIPE_BUF // 4
"""Characters, of up to four bytes: what a pipe that takes anything takes without waiting."""


def _is_stuck() -> bool:
    """Whether whoever reads standard error has stopped: waiting for him would hold up the calls."""
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return False  # a stream of Python's own
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return not poll.poll(0)


class _Flood:
    """Lets through so many lines of a kind a minute: strangers, too, can make us write lines."""

    _MOST = 60
    _SECONDS = 60.0

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._dropped: Counter[tuple[str, ...]] = Counter()

    def __call__(self, logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:
        now = time.monotonic()
        if now - self._began >= self._SECONDS:
            self._began = now
            self._counts.clear()
        kind = (logger.name, method, str(entry.get("event")), str(entry.get("reason", "")))
        self._counts[kind] += 1
        if self._counts[kind] > self._MOST:
            self._dropped[kind] += 1
            raise structlog.DropEvent
        if dropped := self._dropped.pop(kind, 0):
            entry["dropped"] = dropped
        return entry


class _Library(logging.Handler):
    """Takes what libraries log into the same processors."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit are the library's mistake
            message = str(record.msg)
        step = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        structlog.get_logger(record.name).log(step, message, exc_info=record.exc_info)


# --- errors ---

_MOST_CAUSES = 4


class _Errors:
    """Replaces ``exc_info`` by type, message and causes, and the place where it was raised."""

    def __init__(self, *, with_traceback: bool) -> None:
        self._with_traceback = with_traceback

    def __call__(self, logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:
        found = entry.pop("exc_info", None)
        if isinstance(found, tuple):
            found = found[1]
        elif found and not isinstance(found, BaseException):
            found = sys.exc_info()[1]
        if not found:
            return entry
        entry["exception"] = " <- ".join(_told(error) for error in _with_causes(found))
        place = found.__traceback__
        if place is not None:
            while place.tb_next is not None:
                place = place.tb_next
            entry["raised_at"] = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
        if self._with_traceback:
            entry["traceback"] = "".join(traceback.format_exception(found))
        return entry


def _with_causes(error: BaseException) -> Iterable[BaseException]:
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _told(error: BaseException) -> str:
    """Type and message on one line; of a group, each error in it."""
    told = f"{type(error).__name__}: {' '.join(_readable(error).split())}".removesuffix(": ")
    if isinstance(error, BaseExceptionGroup):
        told += f" [{'; '.join(_told(one) for one in error.exceptions)}]"
    return told


# --- what must not be read ---

# E.164 with the separators people write, and with its plus as a form encodes it; no upper limit
# of digits, so that nothing of a longer run is left over.
_INTERNATIONAL = r"(?:\+|%2[Bb])[1-9](?:[-. ()]{0,2}[0-9]){7,}"
# Japan's domestic form, where nothing beside it makes it part of another figure or an id.
_DOMESTIC = r"(?<![\w.%-])0[1-9](?:-?[0-9]){8,9}(?![\w.-])"
_NUMBER = re.compile(f"{_INTERNATIONAL}|{_DOMESTIC}")

_NUMBER_KEYS = frozenset(
    {"caller", "caller_id", "called", "from", "to", "forward_to", "forwarded_from"}
    | {"number", "numbers", "phone", "target", "targets"}
)
"""Keys whose runs of five and more digits are telephone numbers, however they are written."""
_DIGITS = re.compile(r"\+?[0-9](?:[-. ()]{0,2}[0-9]){4,}")
_FIVE_DIGITS = 10_000

_HIDDEN = "•••"
_SHORTEST_SECRET = 4
_DEEPEST = 8


class _Mask:
    """Hides secrets and telephone numbers wherever they stand, and leaves only plain values."""

    def __init__(self, *, numbers: bool, secrets: Iterable[str]) -> None:
        self._numbers = numbers
        forms = {
            form
            for secret in secrets
            if len(secret) >= _SHORTEST_SECRET
            for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])
        }
        # The longest first: a secret may be the beginning of another.
        pattern = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
        self._secrets = re.compile(pattern) if forms else None

    def __call__(self, logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:
        return self._mapping(entry, 0)

    def _mapping(self, entries: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        return {
            self._text(_readable(key)): self._value(value, depth, is_number=key in _NUMBER_KEYS)
            for key, value in entries.items()
        }

    def _value(self, value: Any, depth: int, *, is_number: bool = False) -> Any:
        if isinstance(value, str):
            return self._text(value, is_number=is_number)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int) and value.bit_length() < 64:
            if not is_number or value < _FIVE_DIGITS:
                return value
        elif depth < _DEEPEST:
            if isinstance(value, Mapping):
                return self._mapping(value, depth + 1)
            if isinstance(value, list | tuple | set | frozenset):
                return [self._value(item, depth + 1, is_number=is_number) for item in value]
        return self._text(_readable(value), is_number=is_number)

    def _text(self, text: str, *, is_number: bool = False) -> str:
        if not text.isascii():  # a lone surrogate, as a badly encoded name has, is no UTF-8
            text = text.encode(errors="backslashreplace").decode()
        if self._secrets is not None:
            text = self._secrets.sub(_HIDDEN, text)
        if self._numbers:
            pattern = _DIGITS if is_number else _NUMBER
            text = pattern.sub(_masked_match, text)
        return text


def _masked_match(found: re.Match[str]) -> str:
    return masked(found[0])


def _readable(value: object) -> str:
    """``value`` as text, whatever it is: a log line must not fail for what it shows."""
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode(errors="backslashreplace")
        return str(value)
    except Exception:  # noqa: BLE001 - a value's own __str__ may raise anything
        return f"<{type(value).__name__}>"


# --- the finished line ---


class _Stamp:
    """Puts when, how grave, who and what before the rest."""

    def __init__(self, timezone: tzinfo) -> None:
        self._timezone = timezone

    def __call__(self, logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:
        return {
            "timestamp": datetime.now(self._timezone).isoformat(timespec="milliseconds"),
            "level": method,
            "logger": logger.name,
            "event": entry.pop("event", ""),
            **entry,
        }


_encoder = msgspec.json.Encoder()


def _as_json(logger: WrappedLogger, method: str, entry: EventDict) -> str:
    return _encoder.encode(entry).decode()


def _unfolded(logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:
    """The traceback where the console shows an exception: below its line."""
    if "traceback" in entry:
        entry["exception"] = entry.pop("traceback")
    return entry
