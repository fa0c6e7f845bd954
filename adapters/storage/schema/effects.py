"""Tables of the work that is done beside the requests: effects to deliver, and clean-up."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
)

from adapters.storage.schema.base import Id, Instant, metadata

retention = Table(
    "retention",
    metadata,
    Column("what", Text, primary_key=True),
    Column("done_until", BigInteger, nullable=False),
)

# What is to be sent, and what was: an effect stays as the record of what went out.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("advertiser", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting | leased | done | dead | unknown
    Column("due_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    # Effects of one stream go out one by one, in the order of their instants.
    Column("stream", Text, nullable=False, server_default=""),
    Column("order_at", Instant, nullable=False, server_default="0"),
    Column("give_up_at", Instant, nullable=False, server_default="9223372036854775807"),
    Column("tried_at", Instant),  # when it was first handed out: after that it may be out
    Column("ended_at", Instant),
    Column("origin", Text, nullable=False, server_default=""),  # what asked for it: a rule, a push
    Column("result", Text, nullable=False, server_default=""),  # JSON of what the platform said
    # Attempts of which nobody knows what came: it may be out.
    Column("unclear", Integer, nullable=False, server_default="0"),
    # 1 (a push) or 2 (anything else): it was found behind another of its stream, and is not looked
    # at again before that one is out of the way.
    Column("parked", Integer, nullable=False, server_default="0"),
    UniqueConstraint("idempotency_key", name="outbox_once"),
)
_open = outbox.c.state.in_(("waiting", "leased"))
# Partial: they hold what is on its way, and stay small however much went out.
_looked_at = _open & (outbox.c.parked == 0)
Index("outbox_due", outbox.c.due_at, sqlite_where=_looked_at, postgresql_where=_looked_at)
Index(
    "outbox_open_stream",
    outbox.c.stream,
    outbox.c.parked,
    outbox.c.order_at,
    outbox.c.id,
    sqlite_where=_open,
    postgresql_where=_open,
)
_waiting = outbox.c.state == "waiting"
Index(
    "outbox_waiting",
    outbox.c.kind,
    outbox.c.due_at,
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)
Index("outbox_stream", outbox.c.stream, outbox.c.id)
_failed = outbox.c.state.in_(("dead", "unknown"))
Index("outbox_failed", outbox.c.id, sqlite_where=_failed, postgresql_where=_failed)
# Single mails with an address in them: what goes at a contract's end is found by it. Spelt the same
# where it is asked for: SQLite takes a partial index only then.
MAIL_TOLD = and_(
    outbox.c.kind.in_([literal_column("'mail.single'"), literal_column("'mail.test'")]),
    outbox.c.payload != literal_column("''"),
)
Index("outbox_mail", outbox.c.advertiser, sqlite_where=MAIL_TOLD, postgresql_where=MAIL_TOLD)

WITHOUT_ADVERTISER = {
    "retention": "how far the clean-up came, for all",
}
