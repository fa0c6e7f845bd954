"""The statements of the outbox, compiled once."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    extract,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect

from adapters.storage.database import Bulk, among, prepare, prepare_bulk
from adapters.storage.quota import QuotaStatements
from adapters.storage.retention import Progress
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.line import line_events
from adapters.storage.schema.provisioning import advertisers
from adapters.storage.schema.sending import send_stops
from gateway.domain.values import SECOND, ids_within
from gateway.ports.outbox import HALTED, Claimed, Ended

# Spelt as the partial indexes spell it: SQLite takes those only where it finds their own words.
OPEN = text("outbox.state IN ('waiting', 'leased')")
FAILED = text("outbox.state IN ('dead', 'unknown')")
LOOKED_AT = outbox.c.parked == literal_column("0")
WAITING = outbox.c.state == literal_column("'waiting'")
LEASED = outbox.c.state == literal_column("'leased'")

_ONE_WEBHOOK: ColumnElement[int] = literal_column(str(ids_within(SECOND // 10)))

_SETTLED = (
    "state",
    "due_at",
    "leased_until",
    "attempts",
    "unclear",
    "tried_at",
    "last_error",
    "ended_at",
    "result",
)
_PUSHES: list[ColumnElement[str]] = [literal_column(f"'{kind}'") for kind in HALTED]
_PARKED_PUSH: ColumnElement[int] = literal_column("1")
_PARKED_OTHER: ColumnElement[int] = literal_column("2")

_REWRITTEN = ("kind", "payload", "stream", "give_up_at")
_KEY = {"key": "idempotency_key"}
_CLAIMED = [outbox.c[_KEY.get(field, field)] for field in Claimed.__struct_fields__]
_ENDED = [outbox.c[_KEY.get(field, field)] for field in Ended.__struct_fields__]


class OutboxStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.insert = _prepare_insert(dialect)
        within = and_(
            outbox.c.order_at >= bindparam("begin"), outbox.c.order_at < bindparam("before")
        )
        self.cancel = prepare(dialect, _taken_back(within))
        by_key = among(dialect, outbox.c.idempotency_key, "keys")
        self.withdraw = prepare(dialect, _taken_back(by_key))
        self.there = prepare(dialect, select(outbox.c.idempotency_key).where(by_key))
        self.cancel_kind = prepare(
            dialect, _taken_back(within, outbox.c.kind == bindparam("only_kind"))
        )
        self.recall = prepare(dialect, _recalled(dialect))
        self.clear = prepare(
            dialect,
            update(outbox)
            .where(outbox.c.stream == bindparam("of_stream"), outbox.c.payload != "")
            .values(payload=""),
        )
        self.settle = _prepare_update(dialect, outbox, _SETTLED)
        self.rewrite = _prepare_update(dialect, outbox, _REWRITTEN)
        self.held = prepare(
            dialect,
            select(outbox.c.id, outbox.c.state, outbox.c.attempts, outbox.c.stream)
            .where(among(dialect, outbox.c.id, "ids"))
            .order_by(outbox.c.id)
            .with_for_update(),
        )
        self.failed = prepare(
            dialect,
            select(outbox.c.advertiser, *_ENDED)
            .where(outbox.c.id == bindparam("effect"), FAILED)
            .with_for_update(),
        )
        again = (
            update(outbox)
            .where(outbox.c.id == bindparam("effect"), FAILED)
            .values(
                state="waiting",
                parked=0,
                due_at=bindparam("now"),
                give_up_at=bindparam("until"),
                payload=bindparam("new_payload"),
                attempts=0,
                unclear=0,
                tried_at=null(),
                ended_at=null(),
            )
        )
        self.resend = prepare(dialect, again)
        # Leases are measured by the clock that all processes share, where there are several.
        self.clock = None
        if dialect.name != "sqlite":
            seconds = extract("epoch", func.clock_timestamp())
            self.clock = prepare(dialect, select(cast(seconds * SECOND, BigInteger)))
        self._claiming(dialect)
        self._parking(dialect)
        self._retention(dialect)
        self.insert_stops = prepare_bulk(dialect, send_stops, update=["since", "by"])
        self.delete_stop = prepare(
            dialect, delete(send_stops).where(send_stops.c.advertiser == bindparam("whose"))
        )
        self.stops = prepare(dialect, select(send_stops.c.advertiser))
        self.advertiser = prepare(
            dialect, select(advertisers.c.id).where(advertisers.c.id == bindparam("whose"))
        )

    @cached_property
    def quotas(self) -> QuotaStatements:
        """Those of quotas."""
        return QuotaStatements(self._dialect)

    def _claiming(self, dialect: Dialect) -> None:
        halted = and_(
            among(dialect, outbox.c.kind, "halted"),
            or_(
                among(dialect, outbox.c.advertiser, "whose"),
                bindparam("all_halted", type_=BigInteger) == 1,
            ),
        )
        due = _due(dialect)
        self.due = prepare(dialect, due)
        self.due_but_halted = prepare(dialect, due.where(not_(halted)))
        some = (
            select(outbox.c.id)
            .where(OPEN, LOOKED_AT, WAITING, outbox.c.due_at <= bindparam("now"), halted)
            .order_by(outbox.c.due_at)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True)
        )
        self.put_off = prepare(
            dialect,
            update(outbox)
            .where(outbox.c.id.in_(some))
            .values(due_at=bindparam("put_off_until"), last_error=literal_column("'halted'")),
        )
        self.lease = prepare(
            dialect,
            update(outbox)
            .where(among(dialect, outbox.c.id, "ids"))
            .values(
                state="leased",
                due_at=bindparam("until"),  # so that one index finds what is due, leased or not
                leased_until=bindparam("until"),
                attempts=outbox.c.attempts + 1,
                unclear=outbox.c.unclear + case((LEASED, 1), else_=0),
                tried_at=func.coalesce(outbox.c.tried_at, bindparam("now")),
            ),
        )
        self.claimed = prepare(
            dialect,
            select(*_CLAIMED)
            .where(among(dialect, outbox.c.id, "ids"))
            .order_by(outbox.c.order_at, outbox.c.id),
        )

    def _parking(self, dialect: Dialect) -> None:
        # Locked, so that none of them ends while what is behind them is parked: whoever ends one
        # frees what was parked by then. Where one is being ended just now, nothing is parked.
        self.ahead = prepare(
            dialect,
            select(outbox.c.id, outbox.c.stream, outbox.c.kind, outbox.c.state)
            .where(among(dialect, outbox.c.id, "ids"), OPEN)
            .with_for_update(read=True, skip_locked=True),
        )
        self.park = prepare(
            dialect,
            update(outbox)
            .where(among(dialect, outbox.c.id, "ids"))
            .values(parked=case((outbox.c.kind.in_(_PUSHES), _PARKED_PUSH), else_=_PARKED_OTHER)),
        )
        # Whatever may go is the first of its stream, or the first of it that is no push.
        firsts = union_all(
            _firsts(dialect, "ended", _PARKED_PUSH), _firsts(dialect, "eased", _PARKED_OTHER)
        )
        self.free = prepare(dialect, update(outbox).where(outbox.c.id.in_(firsts)).values(parked=0))

    def _retention(self, dialect: Dialect) -> None:
        old = (
            select(outbox.c.id)
            .where(outbox.c.id < bindparam("before"), outbox.c.ended_at.is_not(None))
            .order_by(outbox.c.id)
            .limit(bindparam("most"))
        )
        self.forget = prepare(dialect, delete(outbox).where(outbox.c.id.in_(old)))
        self.between = prepare(
            dialect,
            select(outbox.c.id)
            .where(outbox.c.id >= bindparam("begin"), outbox.c.id < bindparam("before"))
            .order_by(outbox.c.id)
            .limit(bindparam("most")),
        )
        self.blank = prepare(
            dialect,
            update(outbox)
            .where(among(dialect, outbox.c.id, "ids"), outbox.c.ended_at.is_not(None))
            .values(payload=""),
        )
        self.progress = Progress(dialect)


def _prepare_insert(dialect: Dialect) -> Bulk:
    """An insert of effects in which a row whose key is there already changes nothing, and yet
    counts: repeating an effect is no conflict.
    """
    names = [column.name for column in outbox.c]
    statement: Any
    if dialect.name == "sqlite":
        statement = sqlite_insert(outbox)
    else:
        arrays = [bindparam(column.name, type_=ARRAY(column.type)) for column in outbox.c]
        given = func.unnest(*arrays).table_valued(*names).render_derived("given")
        statement = postgresql_insert(outbox).from_select(names, select(*given.c))
    statement = statement.on_conflict_do_update(
        index_elements=["idempotency_key"], set_={"idempotency_key": outbox.c.idempotency_key}
    )
    return Bulk(prepare(dialect, statement).sql)


def _prepare_update(dialect: Dialect, table: Table, columns: Sequence[str]) -> Bulk:
    """An update of many rows by id; a row of values is ``columns`` in their order, then the id."""
    names = [*columns, "id"]
    if dialect.name == "sqlite":
        statement = (
            update(table)
            .where(table.c.id == bindparam("the_id"))
            .ordered_values(
                *((table.c[c], bindparam(f"new_{c}", type_=table.c[c].type)) for c in columns)
            )
        )
        return Bulk(prepare(dialect, statement).sql)
    arrays = [bindparam(f"new_{name}", type_=ARRAY(table.c[name].type)) for name in names]
    given = func.unnest(*arrays).table_valued(*names).render_derived("given")
    statement = (
        update(table)
        .where(table.c.id == given.c.id)
        .ordered_values(*((table.c[name], given.c[name]) for name in columns))
    )
    return Bulk(prepare(dialect, statement).sql)


def _taken_back(*those: ColumnElement[bool]) -> Any:
    """Of a stream ``those`` that wait, and of which nothing can be on its way yet."""
    return delete(outbox).where(
        OPEN,
        WAITING,
        outbox.c.stream == bindparam("of_stream"),
        outbox.c.tried_at.is_(None),
        *those,
    )


def _recalled(dialect: Dialect) -> Any:
    """What was asked for with the event of a message: their ids are of one webhook, and so close
    together that few others lie between them.
    """
    event = (
        select(line_events.c.id)
        .where(
            line_events.c.friend == bindparam("whose"),
            line_events.c.message_id == bindparam("message"),
            line_events.c.kind != literal_column("'unsend'"),
        )
        .order_by(line_events.c.id.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    found = func.instr if dialect.name == "sqlite" else func.strpos
    return (
        update(outbox)
        .where(
            outbox.c.id > event - _ONE_WEBHOOK,
            outbox.c.id < event + _ONE_WEBHOOK,
            outbox.c.kind == bindparam("only_kind"),
            outbox.c.ended_at.is_(None),
            found(outbox.c.payload, bindparam("named", type_=Text)) > 0,
        )
        .values(payload="")
    )


def _due(dialect: Dialect) -> Select[Any]:
    """What is due and was not parked: its id, its kind, its stream, and what of its stream comes
    first, if anything does.

    A push may wait for the morning, for quota, or until sends are resumed; what answers somebody
    does not wait for such.
    """
    first = outbox.alias("first")
    may_be_overtaken = and_(
        first.c.state == literal_column("'waiting'"),
        first.c.kind.in_(_PUSHES),
        outbox.c.kind.not_in(_PUSHES),
    )

    def earlier(parked: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Any:
        # One seek for each: most of a long stream is parked, and none of that is read.
        return (
            select(first.c.id)
            .where(
                text("first.state IN ('waiting', 'leased')"),
                first.c.stream == outbox.c.stream,
                first.c.parked == parked,
                tuple_(first.c.order_at, first.c.id) < tuple_(outbox.c.order_at, outbox.c.id),
                *conditions,
            )
            # Ordered for the planner alone, which might else read the table for just one row.
            .order_by(first.c.order_at, first.c.id)
            .limit(literal_column("1"))
            .scalar_subquery()
        )

    behind = case(
        (outbox.c.stream == literal_column("''"), null()),
        else_=func.coalesce(
            # Nought, said so that an engine does not take the index of what is due for it.
            earlier(outbox.c.parked, not_(may_be_overtaken)),
            earlier(_PARKED_OTHER),
            earlier(_PARKED_PUSH, outbox.c.kind.in_(_PUSHES)),
        ),
    )
    store_now = bindparam("store_now", type_=BigInteger)
    now = bindparam("now", type_=BigInteger)
    return (
        select(outbox.c.id, outbox.c.kind, outbox.c.stream, behind)
        .where(
            OPEN,
            LOOKED_AT,
            outbox.c.due_at <= bindparam("latest"),
            outbox.c.due_at <= case((LEASED, store_now), else_=now),
            among(dialect, outbox.c.kind, "kinds"),
        )
        .order_by(outbox.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=outbox)
    )


def _firsts(dialect: Dialect, streams: str, parked: ColumnElement[int]) -> Select[Any]:
    """The first that is parked so of each of the streams given as a parameter."""
    given: Any
    if dialect.name == "sqlite":
        given = func.json_each(bindparam(streams)).table_valued("value", name=streams)
    else:
        texts = func.unnest(bindparam(streams, type_=ARRAY(Text)))
        given = texts.table_valued("value", name=streams).render_derived()
    one = outbox.alias("one")
    first = (
        select(one.c.id)
        .where(
            text("one.state IN ('waiting', 'leased')"),
            one.c.stream == given.c.value,
            one.c.parked == parked,
        )
        .order_by(one.c.order_at, one.c.id)
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return select(first).select_from(given)
