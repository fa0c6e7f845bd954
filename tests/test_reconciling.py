"""Which calls are held against the carrier's list, and which days of it are asked for."""

from collections.abc import AsyncGenerator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from structlog.testing import capture_logs

from gateway import config
from gateway.domain.calls import Event
from gateway.domain.calls.reconciliation import Listed
from gateway.domain.values import SECOND, Ids, micros, moment
from gateway.errors import Transient, Trouble
from gateway.main import reconciling
from gateway.main.parts import Deps
from gateway.usecases.calls import record
from metrics.observer import Metrics
from tests.support.calls import NUMBER, answered_call, incoming
from tests.support.stores import Engine, on_a_loop, sqlite_engine, sqlite_template

__all__ = ["sqlite_template"]

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = micros(datetime(2026, 11, 18, 8, 30, tzinfo=TOKYO))
"""In UTC, still the day before."""
YESTERDAY = micros(datetime(2026, 11, 17, tzinfo=TOKYO))
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_CONFIG = """\
public_url = "https://gw.example.jp"
[storage]
url = "sqlite:///gateway.db"
[twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "c0ffee"
reconcile_seconds = 1
[retention]
calls_days = {days}
"""


class Carrier:
    """A carrier that lists calls of half a minute that nobody answered, or is away."""

    def __init__(self, calls: Sequence[tuple[str, int]], *, is_away: bool = False) -> None:
        self._calls = [
            Listed(sid, "", "inbound", NUMBER, "no-answer", at, at + MINUTE // 2, 0)
            for sid, at in calls
        ]
        self._is_away = is_away
        self.days: list[date] = []

    async def began_on(self, day: date) -> AsyncGenerator[list[Listed], None]:
        self.days.append(day)
        if self._is_away:
            raise Transient(Trouble.PLATFORM_DOWN, "nobody there")
        yield [call for call in self._calls if moment(call.started_at).date() == day]


@pytest.fixture
def engine(sqlite_template: Path, tmp_path: Path) -> Engine:
    """An empty store with its numbers."""
    return sqlite_engine(sqlite_template, tmp_path)


async def compared(
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    folder: Path,
    carrier: Carrier,
    held: Sequence[Event] = (),
    days: int = 1826,
) -> list[dict[str, Any]]:
    """What one comparison logs, of a store that ``held`` made."""
    (folder / "config.toml").write_text(_CONFIG.format(days=days))
    monkeypatch.setattr(reconciling, "CallList", lambda *_: carrier)
    database = engine.database()
    async with engine.store(database=database) as store:
        for event in held:
            await store.run(record, incoming(event))
        deps = Deps(
            config=config.load(folder / "config.toml", {}),
            database=database,
            store=store,
            ids=Ids(1),
            clock=lambda: NOW,
            log=structlog.get_logger("test"),
        )
        part = reconciling.reconciling(deps, Metrics("1", deps.clock))
        with capture_logs() as logs:
            await part.chores["reconciliation"]()
    return [dict(line) for line in logs]


@on_a_loop
async def test_yesterday_and_today_are_those_of_the_configured_zone(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """From midnight in Japan on, to five minutes ago; both sides are asked for by days of UTC."""
    theirs = Carrier(
        [
            ("CA-before", YESTERDAY - SECOND),
            ("CA-first", YESTERDAY),
            ("CA-last", NOW - 6 * MINUTE),
            ("CA-just-now", NOW - 5 * MINUTE),
        ]
    )
    ours = [
        event
        for sid, at in {
            "CB-before": YESTERDAY - SECOND,
            "CB-first": YESTERDAY,
            "CB-last": NOW - 6 * MINUTE,
            "CB-just-now": NOW - 5 * MINUTE,
        }.items()
        for event in answered_call(sid, at, talk=10)
    ]
    (line,) = await compared(monkeypatch, engine, tmp_path, theirs, ours)
    assert line == {
        "event": "calls differ from the carrier's list",
        "log_level": "warning",
        "missing_here": 2,
        "missing_there": 2,
        "different": 0,
        "sids": [
            "missing_here CA-last",
            "missing_here CA-first",
            "missing_there CB-last",
            "missing_there CB-first",
        ],
    }
    assert [str(day) for day in theirs.days] == ["2026-11-17", "2026-11-16"]


@on_a_loop
async def test_calls_on_both_sides_of_a_page_are_found(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """The store is read page by page to its end."""
    monkeypatch.setattr(reconciling, "_PAGE", 2)
    calls = {f"CA{place}": NOW - HOUR + place * SECOND for place in range(5)}
    ours = [event for sid, at in calls.items() for event in answered_call(sid, at)]
    (line,) = await compared(monkeypatch, engine, tmp_path, Carrier([*calls.items()]), ours)
    assert (line["missing_here"], line["missing_there"], line["different"]) == (0, 0, 5)


@on_a_loop
async def test_calls_that_may_be_deleted_by_now_are_not_missed(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """Where calls are kept for a day, only the last 23 hours are compared."""
    old, young = ("CA-old", NOW - 23 * HOUR - SECOND), ("CA-young", NOW - 23 * HOUR)
    (line,) = await compared(monkeypatch, engine, tmp_path, Carrier([old, young]), days=1)
    assert line["sids"] == ["missing_here CA-young"]


@on_a_loop
async def test_no_more_than_ten_calls_are_named(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """The count tells how many there are."""
    calls = [(f"CA{place}", NOW - HOUR) for place in range(12)]
    (line,) = await compared(monkeypatch, engine, tmp_path, Carrier(calls))
    assert (line["missing_here"], len(line["sids"])) == (12, 10)


@on_a_loop
async def test_a_carrier_that_is_away_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """The next comparison may find it again; nothing fails."""
    (line,) = await compared(monkeypatch, engine, tmp_path, Carrier([], is_away=True))
    assert line == {
        "event": "calls were not compared with the carrier's list",
        "log_level": "warning",
        "reason": "platform_down",
        "detail": "nobody there",
    }
