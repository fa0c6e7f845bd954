"""Tables of call tracking."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from adapters.storage.schema.base import Id, Instant, metadata

provider_keys = Table(
    "provider_keys",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The columns are the fields of gateway.domain.calls.Call, in their order.
calls = Table(
    "calls",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False),
    Column("sid", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("caller", Text),
    Column("advertiser", Text, nullable=False),
    Column("medium", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("targets", Integer, nullable=False),
    Column("sequential", Boolean, nullable=False),
    Column("ring_limit", Integer, nullable=False),
    Column("time_limit", Integer, nullable=False),
    Column("min_talk", Integer),
    Column("state", Text, nullable=False),
    Column("result", Text),
    Column("closed_by", Text),
    Column("answered_at", Instant),
    Column("ended_at", Instant),
    Column("ring_seconds", Integer),
    Column("talk_seconds", Integer),
    Column("outcome", Text, nullable=False),
    Column("outcome_reason", Text),
    Column("settled_at", Instant),
    Column("due_at", Instant),
)
# Partial: it holds the calls in progress, and stays small however many have passed.
Index(
    "calls_due",
    calls.c.due_at,
    sqlite_where=calls.c.due_at.is_not(None),
    postgresql_where=calls.c.due_at.is_not(None),
)

call_events = Table(
    "call_events",
    metadata,
    Column("call_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("leg", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("provider_at", Instant),
    Column("duration", Integer),
    Column("bridged", Boolean),
    Column("detail", Text, nullable=False),
    Column("reply", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Apart from the events, so that what a carrier sent can go after its days without a change to
# any call, and so that loading a call does not read it. With rowids, unlike the events: without
# them SQLite puts rows of a kilobyte, as a body may be, on pages of overflow.
call_payloads = Table(
    "call_payloads",
    metadata,
    Column("call_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("leg", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)

unknown_calls = Table(
    "unknown_calls",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False),
    Column("sid", Text, nullable=False),
)

callers = Table(
    "callers",
    metadata,
    Column("advertiser", Text, primary_key=True),
    Column("caller", Text, primary_key=True),
    Column("first_call", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

WITHOUT_ADVERTISER = {
    "provider_keys": "found by the carrier's key, before the advertiser is known",
    "call_events": "belongs to a call by call_id",
    "call_payloads": "belongs to a call by call_id",
    "unknown_calls": "events whose call, and so whose advertiser, is not known yet",
}
