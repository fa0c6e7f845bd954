"""Coupons in the store: tickets are found one by one and locked, and written together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Literal, Protocol

import msgspec
from sqlalchemy import bindparam, delete, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect

from adapters.storage.database import Bulk, Connection, Prepared, among, prepare, prepare_bulk
from adapters.storage.schema.coupons import coupon_counts, coupon_tickets, coupon_uses
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.tickets import Ticket, counts, tokens_of
from gateway.domain.values import Scope

_astuple = msgspec.structs.astuple
_CHANGING = ("state", "remind_at", "uses", "used_at", "used_by", "wrong", "locked_until")

ISSUED = coupon_tickets.c.state == literal_column("'issued'")
"""As the partial index has it: with a parameter in its place the index would not be used."""


class CouponStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        tickets = coupon_tickets
        self.by_tokens = prepare(
            dialect,
            select(tickets)
            .where(among(dialect, tickets.c.token, "tokens"))
            .order_by(tickets.c.token)
            .with_for_update(),
        )
        self.by_id = prepare(
            dialect, select(tickets).where(tickets.c.id == bindparam("ticket")).with_for_update()
        )
        self.between = prepare(
            dialect,
            select(tickets)
            .where(tickets.c.token.between(bindparam("first"), bindparam("last")))
            .limit(2)
            .with_for_update(),
        )
        self.of_friend = prepare(
            dialect,
            select(tickets)
            .where(
                tickets.c.friend == bindparam("whose"),
                or_(
                    tickets.c.coupon == bindparam("of_coupon"),
                    tickets.c.campaign == bindparam("of_campaign"),
                ),
            )
            .order_by(tickets.c.id),
        )
        self.due: dict[str, Prepared] = {
            what: prepare(
                dialect,
                select(tickets)
                .where(*conditions)
                .order_by(column)
                .limit(bindparam("most"))
                # What is being stamped at this moment is looked at the next time.
                .with_for_update(skip_locked=True),
            )
            for what, column, conditions in (
                ("expiry", tickets.c.expires_at, (ISSUED, tickets.c.expires_at < bindparam("now"))),
                (
                    "reminder",
                    tickets.c.remind_at,
                    (
                        tickets.c.remind_at > literal_column("0"),
                        tickets.c.remind_at <= bindparam("now"),
                    ),
                ),
            )
        }
        self.insert_tickets = prepare_bulk(dialect, tickets)
        self.upsert_tickets = prepare_bulk(dialect, tickets, update=_CHANGING)
        self.insert_uses = prepare_bulk(dialect, coupon_uses)
        self.delete_use = prepare(
            dialect,
            delete(coupon_uses).where(
                coupon_uses.c.ticket == bindparam("of_ticket"),
                coupon_uses.c.number == bindparam("of_number"),
            ),
        )
        of_coupon = coupon_counts.c.coupon == bindparam("of_coupon")
        self.count = prepare(dialect, select(coupon_counts.c.issued).where(of_coupon))
        self.lock_count = prepare(
            dialect, select(coupon_counts.c.issued).where(of_coupon).with_for_update()
        )
        self.add_to_count = prepare(
            dialect,
            update(coupon_counts)
            .where(of_coupon)
            .values(issued=coupon_counts.c.issued + bindparam("more")),
        )
        insert: Any = sqlite_insert if dialect.name == "sqlite" else postgresql_insert
        self.begin_count = prepare(
            dialect,
            insert(coupon_counts)
            .values(
                coupon=bindparam("new_coupon"),
                advertiser=bindparam("whose"),
                issued=literal_column("0"),
            )
            .on_conflict_do_nothing(),
        )


class _Keyed(Protocol):
    """An argument that names a ticket by its token or code."""

    @property
    def key(self) -> str:
        """The token or the code."""


class CouponsInTransaction:
    """See :class:`gateway.ports.coupons.Coupons`. Tickets wait until :meth:`flush`."""

    def __init__(self, connection: Connection, statements: CouponStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._locked: dict[int, Ticket] = {}
        self._by_token: dict[str, int] = {}
        self._new: set[int] = set()
        self._changed: set[int] = set()
        self._stamped: dict[tuple[int, int], Ticket] = {}
        self._unstamped: set[tuple[int, int]] = set()
        self._counted: dict[str, int] = {}
        self._more: Counter[tuple[str, str]] = Counter()
        self.writes = 0

    def load(self, stamps: Sequence[_Keyed]) -> None:
        """Lock and load the tickets of ``stamps``, in an order that all processes share."""
        spans = [tokens_of(stamp.key) for stamp in stamps]
        tokens = sorted({first for first, last in filter(None, spans) if first == last})
        if tokens:
            self._take(self._connection.rows(self._sql.by_tokens, tokens=tokens))

    def ticket(self, scope: Scope, key: str | int) -> Ticket | None:
        found = self._by_id(key) if isinstance(key, int) else self._by_key(key)
        return found if found is not None and scope.covers(found.advertiser) else None

    def _by_id(self, id_: int) -> Ticket | None:
        if id_ not in self._locked:
            self._take(self._connection.rows(self._sql.by_id, ticket=id_))
        return self._locked.get(id_)

    def _by_key(self, key: str) -> Ticket | None:
        span = tokens_of(key)
        if span is None:
            return None
        first, last = span
        if first == last and first in self._by_token:
            return self._locked[self._by_token[first]]
        rows = self._connection.rows(self._sql.between, first=first, last=last)
        found = self._take(rows)
        return found[0] if len(found) == 1 else None

    def of_friend(self, scope: Scope, friend: int, coupon: Coupon) -> Sequence[Ticket]:
        rows = self._connection.rows(
            self._sql.of_friend,
            whose=friend,
            of_coupon=coupon.id,
            of_campaign=coupon.campaign or None,  # no name is no campaign
        )
        held = {row[0]: Ticket(*row) for row in rows}
        # What this transaction has changed already; nothing is locked here, so nothing is taken.
        held |= {
            id_: ticket
            for id_, ticket in self._locked.items()
            if id_ in held or (id_ in self._new and _is_of(ticket, friend, coupon))
        }
        return [held[id_] for id_ in sorted(held) if scope.covers(held[id_].advertiser)]

    def issued(self, scope: Scope, coupon: Coupon) -> int:
        if coupon.id not in self._counted:
            rows = self._connection.rows(self._sql.lock_count, of_coupon=coupon.id)
            if not rows:
                self._begin_count(coupon.id, coupon.advertiser)
                rows = self._connection.rows(self._sql.lock_count, of_coupon=coupon.id)
            self._counted[coupon.id] = rows[0][0]
        return self._counted[coupon.id] + self._more[coupon.id, coupon.advertiser]

    def _begin_count(self, coupon: str, advertiser: str) -> None:
        self.writes += 1
        self._connection.run(self._sql.begin_count, new_coupon=coupon, whose=advertiser)

    def save(self, scope: Scope, ticket: Ticket) -> None:
        known = self._locked.get(ticket.id)
        if known == ticket:
            return
        self.writes += 1
        (self._new if known is None or ticket.id in self._new else self._changed).add(ticket.id)
        change = counts(ticket) - (known is not None and counts(known))
        if change:
            self._more[ticket.coupon, ticket.advertiser] += change
        self._note_uses(ticket, known.uses if known else 0)
        self._locked[ticket.id] = ticket
        self._by_token[ticket.token] = ticket.id

    def _note_uses(self, ticket: Ticket, before: int) -> None:
        """What stamps a ticket has more, or less, than ``before``."""
        for number in range(before + 1, ticket.uses + 1):
            self._stamped[ticket.id, number] = ticket
        for number in range(ticket.uses + 1, before + 1):
            if self._stamped.pop((ticket.id, number), None) is None:
                self._unstamped.add((ticket.id, number))

    def due(
        self, scope: Scope, what: Literal["expiry", "reminder"], now: int, limit: int
    ) -> Sequence[Ticket]:
        rows = self._connection.rows(self._sql.due[what], now=now, most=limit)
        return [
            ticket
            for ticket in self._take(rows)
            if scope.covers(ticket.advertiser) and ticket.id not in self._changed
        ]

    def flush(self) -> None:
        """Write everything that units saved."""
        writes: list[tuple[Bulk, list[tuple[Any, ...]]]] = []
        for bulk, ids in (
            (self._sql.insert_tickets, self._new),
            (self._sql.upsert_tickets, self._changed),
        ):
            if ids:
                writes.append((bulk, [_astuple(self._locked[id_]) for id_ in sorted(ids)]))
        for id_, number in sorted(self._unstamped):
            self._connection.run(self._sql.delete_use, of_ticket=id_, of_number=number)
        if self._stamped:
            uses = [
                (id_, number, ticket.advertiser, ticket.channel, ticket.used_at)
                for (id_, number), ticket in sorted(self._stamped.items(), key=itemgetter(0))
            ]
            writes.append((self._sql.insert_uses, uses))
        if writes:
            self._connection.write(writes)
        for (coupon, advertiser), more in sorted(self._more.items()):
            if more and not self._add(coupon, more):
                self._begin_count(coupon, advertiser)
                self._add(coupon, more)

    def _add(self, coupon: str, more: int) -> bool:
        return bool(self._connection.run(self._sql.add_to_count, of_coupon=coupon, more=more))

    def _take(self, rows: Iterable[tuple[Any, ...]]) -> list[Ticket]:
        found = []
        for row in rows:
            ticket = self._locked.setdefault(row[0], Ticket(*row))
            self._by_token[ticket.token] = ticket.id
            found.append(ticket)
        return found


def _is_of(ticket: Ticket, friend: int, coupon: Coupon) -> bool:
    if ticket.friend != friend:
        return False
    return ticket.coupon == coupon.id or bool(ticket.campaign == coupon.campaign != "")
