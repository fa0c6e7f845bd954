"""Coupons in the store: tickets, and what LINE holds of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.platform import Held
from gateway.domain.coupons.tickets import State, Ticket
from gateway.domain.values import Scope


class Coupons(Protocol):
    """Tickets. What is found is locked until the end of the transaction."""

    def ticket(self, scope: Scope, key: str | int) -> Ticket | None:
        """The ticket with this id, token or code; ``None`` where there is none, or several."""

    def of_friend(self, scope: Scope, friend: int, coupon: Coupon) -> Sequence[Ticket]:
        """What a friend has of ``coupon`` and of others of its campaign, oldest first; the friend
        must be locked.
        """

    def issued(self, scope: Scope, coupon: Coupon) -> int:
        """How many tickets of ``coupon`` count against its total."""

    def save(self, scope: Scope, ticket: Ticket) -> None:
        """Keep a ticket, new or changed."""

    def due(
        self, scope: Scope, what: Literal["expiry", "reminder"], now: int, limit: int
    ) -> Sequence[Ticket]:
        """Tickets that have ended, or whose friends are to be reminded."""


class CouponPlatform(Protocol):
    """What LINE holds of its own coupons, a row for each channel."""

    def all(self, scope: Scope) -> Sequence[Held]:
        """All of them, locked until the end of the transaction."""

    def find(self, scope: Scope, coupon: str, channel: str) -> Held | None:
        """The one of a channel, as it is now."""

    def save(self, scope: Scope, held: Held) -> None:
        """Keep one, new or changed. Where another process makes the same one at the same time, the
        transaction runs again.
        """


class CouponRecord(msgspec.Struct, frozen=True):
    """A coupon with its figures."""

    coupon: Coupon
    tickets: Mapping[State, int]
    """How many are in each state."""
    uses: int
    """Stamps; more than tickets used where a ticket may be used again."""
    platform: Sequence[Held]


class CouponReading(Protocol):
    """Coupons, read beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands
    in.
    """

    def coupons(
        self, connection: Any, scope: Scope, *, after: str, limit: int
    ) -> Sequence[CouponRecord]:
        """Coupons by id."""

    def coupon(self, connection: Any, scope: Scope, id_: str) -> CouponRecord | None:
        """One of them."""

    def tickets(
        self,
        connection: Any,
        scope: Scope,
        *,
        coupon: str | None = None,
        friend: int | None = None,
        state: State | None = None,
        after: int,
        limit: int,
    ) -> Sequence[Ticket]:
        """Tickets of a coupon or of a friend, oldest first."""

    def ticket(self, connection: Any, scope: Scope, token: str) -> Ticket | None:
        """The one with this whole token."""

    def has_friend(self, connection: Any, scope: Scope, friend: int) -> bool:
        """Whether there is such a friend."""
