"""Coupons as the API and their pages read them: never on the writer's connection."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, among, prepare
from adapters.storage.entity_reader import EntityReader
from adapters.storage.schema.coupons import coupon_platform, coupon_tickets
from adapters.storage.schema.line import line_friends
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.platform import Held
from gateway.domain.coupons.tickets import State, Ticket, is_token, tokens_of
from gateway.domain.values import Scope
from gateway.ports.coupons import CouponRecord


class CouponReader:
    """See :class:`gateway.ports.coupons.CouponReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._coupons = EntityReader(dialect, Coupon)
        tickets, held = coupon_tickets, coupon_platform
        self._figures = prepare(
            dialect,
            select(tickets.c.coupon, tickets.c.state, func.count(), func.sum(tickets.c.uses))
            .where(among(dialect, tickets.c.coupon, "coupons"))
            .group_by(tickets.c.coupon, tickets.c.state),
        )
        self._held = prepare(
            dialect,
            select(held)
            .where(among(dialect, held.c.coupon, "coupons"))
            .order_by(held.c.coupon, held.c.channel),
        )
        self._ticket = prepare(dialect, select(tickets).where(tickets.c.token == bindparam("key")))
        self._friend = prepare(
            dialect,
            select(line_friends.c.advertiser).where(line_friends.c.id == bindparam("friend")),
        )
        self._listings: dict[tuple[bool, bool, bool, bool], Prepared] = {}

    def coupons(
        self, connection: Connection, scope: Scope, *, after: str, limit: int
    ) -> list[CouponRecord]:
        found = self._coupons.page(connection, scope, after=after, limit=limit)
        return self._records(connection, found)

    def coupon(self, connection: Connection, scope: Scope, id_: str) -> CouponRecord | None:
        found = self._coupons.one(connection, scope, id_)
        return next(iter(self._records(connection, found)), None)

    def tickets(
        self,
        connection: Connection,
        scope: Scope,
        *,
        coupon: str | None = None,
        friend: int | None = None,
        state: State | None = None,
        after: int,
        limit: int,
    ) -> list[Ticket]:
        whose = None if scope.advertisers is None else sorted(scope.advertisers)
        given = {"of_coupon": coupon, "of_friend": friend, "in_state": state, "whose": whose}
        listing = self._listing(*(value is not None for value in given.values()))
        wanted = {name: value for name, value in given.items() if value is not None}
        rows = connection.rows(listing, after=after, most=limit, **wanted)
        return [Ticket(*row) for row in rows]

    def ticket(self, connection: Connection, scope: Scope, token: str) -> Ticket | None:
        span = tokens_of(token) if is_token(token) else None
        rows = connection.rows(self._ticket, key=span[0]) if span else []
        found = Ticket(*rows[0]) if rows else None
        return found if found is not None and scope.covers(found.advertiser) else None

    def has_friend(self, connection: Connection, scope: Scope, friend: int) -> bool:
        rows = connection.rows(self._friend, friend=friend)
        return bool(rows) and scope.covers(rows[0][0])

    def _listing(self, coupon: bool, friend: bool, state: bool, whose: bool) -> Prepared:
        """The page of tickets with these filters, compiled when it is first asked for."""
        key = (coupon, friend, state, whose)
        if key not in self._listings:
            tickets = coupon_tickets
            page: Select[Any] = (
                select(tickets)
                .where(tickets.c.id > bindparam("after"))
                .order_by(tickets.c.id)
                .limit(bindparam("most"))
            )
            if coupon:
                page = page.where(tickets.c.coupon == bindparam("of_coupon"))
            if friend:
                page = page.where(tickets.c.friend == bindparam("of_friend"))
            if state:
                page = page.where(tickets.c.state == bindparam("in_state"))
            if whose:
                page = page.where(self._whose(tickets.c.advertiser))
            self._listings[key] = prepare(self._dialect, page)
        return self._listings[key]

    def _whose(self, column: Any) -> Any:
        return among(self._dialect, column, "whose")

    def _records(self, connection: Connection, coupons: Sequence[Coupon]) -> list[CouponRecord]:
        if not coupons:
            return []
        ids = [coupon.id for coupon in coupons]
        counted: defaultdict[str, dict[State, int]] = defaultdict(dict)
        uses: defaultdict[str, int] = defaultdict(int)
        for coupon, state, count, used in connection.rows(self._figures, coupons=ids):
            counted[coupon][state] = count
            uses[coupon] += int(used or 0)
        held: defaultdict[str, list[Held]] = defaultdict(list)
        for row in connection.rows(self._held, coupons=ids):
            held[row[0]].append(Held(*row))
        return [
            CouponRecord(coupon, counted[coupon.id], uses[coupon.id], held[coupon.id])
            for coupon in coupons
        ]
