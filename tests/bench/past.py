"""A store with a past: millions of calls, written straight into its tables and kept between runs.

Going through the daemon would take an hour; this takes minutes. The rows are what five webhooks
a call leave. Keys are kept of all calls, where the retention leaves those of 45 days: more than
the random index has to bear. Raw parameters are kept of the last 90 days, as it leaves them.
"""

import shutil
import sqlite3
import time
from pathlib import Path

from gateway.domain.values import SECOND, first_id
from tests.bench import servers, traffic

_CHUNK = 250_000
_DAY = 86_400 * SECOND
_SPAN, _RAW = 600 * _DAY, 90 * _DAY
_RINGS, _TALKS = 6 * SECOND, 42 * SECOND

_EVENTS = (  # kind, leg's own, seq, status, seconds after the beginning; in the order of their key
    ("call.completed", 0, 0, "completed", 48),
    ("leg.completed", 1, 2, "completed", 48),
    ("leg.in-progress", 1, 1, "in-progress", 6),
    ("leg.initiated", 1, 0, "initiated", 0),
    ("voice", 0, 0, "", None),
)


def past(folder: Path, calls: int, numbers: int) -> float | None:
    """Make ``folder`` a store with so many calls; returns the seconds it took, ``None`` where it
    was there already.
    """
    if folder.exists():
        servers.prepare(folder, numbers)
        _tidy(folder / "gateway.db")
        return None
    began = time.perf_counter()
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    servers.prepare(beside, numbers)
    _fill(beside / "gateway.db", calls, numbers)
    beside.rename(folder)
    return time.perf_counter() - began


def _fill(path: Path, calls: int, numbers: int) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    # Whatever fails here is made anew.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        database.execute(f"PRAGMA {pragma}")
    now = time.time_ns() // 1000
    begin, step = now - _SPAN, _SPAN // calls
    database.execute(
        "CREATE TEMP TABLE past (id INTEGER PRIMARY KEY, sid TEXT, leg TEXT, ordinal INTEGER,"
        " caller TEXT, at INTEGER)"
    )
    database.execute(
        "CREATE TEMP TABLE kinds (kind TEXT, of_leg INTEGER, seq INTEGER, status TEXT,"
        " after INTEGER)"
    )
    database.executemany("INSERT INTO kinds VALUES (?, ?, ?, ?, ?)", _EVENTS)
    body = traffic.body_of_voice()
    given = {"body": body, "sid": "CA" + traffic.CALL, "raw_since": now - _RAW, "numbers": numbers}
    given |= {"rings": _RINGS, "ends": _RINGS + _TALKS, "second": SECOND}
    for first in range(0, calls, _CHUNK):
        last = min(calls, first + _CHUNK)
        database.execute("BEGIN")
        database.execute("DELETE FROM past")
        database.execute(
            _PAST,
            given
            | {"first": first, "last": last, "begin": begin, "step": step}
            | {"zero": first_id(begin), "begin_ms": begin // 1000},
        )
        for statement in (_CALLS, _CALL_EVENTS, _PAYLOADS):
            database.execute(statement, given)
        database.execute("COMMIT")
    # Sorted, so that what is random in its order of arrival is written in one pass.
    database.execute(
        "INSERT INTO provider_keys (provider, key, id)"
        " SELECT provider, sid, id FROM calls ORDER BY provider, sid"
    )
    database.execute(
        "INSERT INTO callers (advertiser, caller, first_call)"
        " SELECT advertiser, caller, min(id) FROM calls GROUP BY 1, 2 ORDER BY 1, 2"
    )
    database.close()


_PAST = """\
INSERT INTO past
WITH RECURSIVE nth (i) AS (
    SELECT :first UNION ALL SELECT i + 1 FROM nth WHERE i + 1 < :last
), times (at) AS (SELECT :begin + i * :step FROM nth)
SELECT
    :zero + ((at / 1000 - :begin_ms) << 22),
    'CA' || lower(hex(randomblob(16))),
    'CA' || lower(hex(randomblob(16))),
    abs(random()) % :numbers,
    '+8190' || printf('%08d', abs(random()) % 100000000),
    at
FROM times
"""

_CALLS = f"""\
INSERT INTO calls (
    id, provider, sid, number, caller, advertiser, medium, received_at, targets, sequential,
    ring_limit, time_limit, min_talk, state, result, closed_by, answered_at, ended_at,
    ring_seconds, talk_seconds, outcome, outcome_reason, settled_at, due_at
)
SELECT
    id, 'twilio', sid, '+8150' || printf('%08d', ordinal), caller,
    'advertiser-' || (ordinal / {servers.NUMBERS_EACH}), 'flyer-1', at, 1, 0,
    25, 14400, 30, 'ended', 'answered', 'status', at + :rings, at + :ends,
    :rings / :second, (:ends - :rings) / :second, 'accepted', 'min_talk_seconds', at + :ends, NULL
FROM past ORDER BY id
"""

_CALL_EVENTS = """\
INSERT INTO call_events (
    call_id, kind, leg, seq, received_at, status, provider_at, duration, bridged, detail, reply
)
SELECT
    id, kind, iif(of_leg, leg, ''), seq, at + ifnull(after, 0) * :second, status,
    at + after * :second, iif(status = 'completed', 42, NULL), NULL,
    iif(of_leg, '+813' || printf('%08d', ordinal), ''),
    iif(kind = 'voice', '{"type":"dial","targets":["+813' || printf('%08d', ordinal)
        || '"],"sequential":false,"ring_seconds":25,"caller_id":null,"time_limit":14400}',
        '{"type":"ok"}')
FROM past CROSS JOIN kinds
"""

_PAYLOADS = """\
INSERT INTO call_payloads (call_id, kind, leg, seq, body)
SELECT id, kind, iif(of_leg, leg, ''), seq, replace(:body, :sid, sid)
FROM past CROSS JOIN kinds WHERE at >= :raw_since
"""


def _tidy(path: Path) -> None:
    """Forget the calls that a former run began and did not end: the sweep would close them while
    we measure. Then look through the random index, as a store in use has it in memory.
    """
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -1000000")
    begun = "SELECT id FROM calls WHERE due_at IS NOT NULL"
    database.execute("BEGIN")
    database.execute(f"DELETE FROM call_events WHERE call_id IN ({begun})")
    database.execute(f"DELETE FROM call_payloads WHERE call_id IN ({begun})")
    database.execute(
        "DELETE FROM provider_keys WHERE (provider, key) IN"
        " (SELECT provider, sid FROM calls WHERE due_at IS NOT NULL ORDER BY provider, sid)"
    )
    database.execute("DELETE FROM calls WHERE due_at IS NOT NULL")
    database.execute("COMMIT")
    database.execute("SELECT count(*) FROM provider_keys").fetchone()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
