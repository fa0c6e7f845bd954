"""How many addresses an advertiser may mail under each contract, kept with each write, and the
month's maximum.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.mail.given import Hashes, in_parts
from adapters.storage.schema.mail import (
    mail_months,
    mail_recipients,
    mail_sizes,
    mail_suppressions,
)
from gateway.domain.hours import month_of
from gateway.domain.mail.lists import Contract
from gateway.domain.mail.recipients import Recipient, Suppression
from gateway.domain.values import EVERYBODY, Scope

COUNTED = ("active", "paused")
"""Whoever is removed is not counted."""

CONTRACTS: tuple[Contract, ...] = ("postpaid", "prepaid")
"""In the order in which their rows are locked."""


class SizeStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.hashes = Hashes(dialect)
        whose: Any = bindparam("whose")
        months = mail_months.c
        self.lock = prepare(
            dialect,
            select(mail_sizes)
            .where(among(dialect, mail_sizes.c.advertiser, "those"))
            .order_by(mail_sizes.c.advertiser, mail_sizes.c.contract)
            .with_for_update(),
        )
        under: Any = bindparam("under")
        self.now = prepare(
            dialect,
            select(mail_sizes.c.sendable).where(
                mail_sizes.c.advertiser == whose, mail_sizes.c.contract == under
            ),
        )
        self.latest = prepare(
            dialect,
            select(months.month, months.began_with, months.maximum)
            .where(months.advertiser == whose, months.contract == under)
            .order_by(months.month.desc())
            .limit(literal_column("1")),
        )
        self.month = prepare(
            dialect,
            select(months.month, months.began_with, months.maximum)
            .where(
                months.advertiser == whose,
                months.contract == under,
                months.month >= bindparam("of_month"),
            )
            .order_by(months.month)
            .limit(literal_column("1")),
        )
        self.insert = prepare_bulk(dialect, mail_sizes)
        self.keep = prepare_bulk(dialect, mail_sizes, update=["sendable"])
        self.keep_months = prepare_bulk(dialect, mail_months, update=["maximum"])
        recipient, stop = mail_recipients.c, mail_suppressions.c
        self.recipients = prepare(
            dialect,
            select(
                recipient.id, recipient.list, recipient.hash, recipient.state, recipient.contract
            ).where(recipient.advertiser == whose, self.hashes.among(recipient.hash)),
        )
        self.stops = prepare(
            dialect,
            select(stop.list, stop.hash).where(
                stop.advertiser == whose,
                self.hashes.among(stop.hash),
                stop.topic == literal_column("''"),
            ),
        )


class Sendable:
    """What the store holds of some addresses of one advertiser, and how many of them count.

    An address counts once under a contract, where a recipient of any of its lists is active or
    paused and not suppressed there wholly. A suppression until a day counts for as long as it is
    kept, which is until then.
    """

    def __init__(
        self,
        recipients: Sequence[tuple[int, str, bytes, str, Contract]],
        stops: Sequence[tuple[str, bytes]],
    ) -> None:
        self._recipients = {
            id_: (list_, hash_, state, contract)
            for id_, list_, hash_, state, contract in recipients
        }
        self._ids = {(list_, hash_): id_ for id_, list_, hash_, *_ in recipients}
        self._stops = set(stops)
        self._before = self._count()

    def _count(self) -> dict[Contract, int]:
        """How many of the addresses may be mailed under each contract."""
        found: defaultdict[Contract, set[bytes]] = defaultdict(set)
        for list_, hash_, state, contract in self._recipients.values():
            if (
                state in COUNTED
                and ("", hash_) not in self._stops
                and (list_, hash_) not in self._stops
            ):
                found[contract].add(hash_)
        return {contract: len(hashes) for contract, hashes in found.items()}

    def more(self) -> dict[Contract, int]:
        """How many more there are than before anything was changed here; contracts of which there
        are as many are left out.
        """
        after = self._count()
        by = {name: after.get(name, 0) - self._before.get(name, 0) for name in CONTRACTS}
        return {name: count for name, count in by.items() if count}

    def put(self, recipient: Recipient) -> bool:
        """One is new or changed; ``False`` where another is the same address there."""
        id_, place = recipient.id, (recipient.list, recipient.hash)
        if self._ids.setdefault(place, id_) != id_:
            return False
        # Of one that is there the contract stays.
        contract = self._recipients[id_][-1] if id_ in self._recipients else recipient.contract
        self._recipients[id_] = (*place, recipient.state, contract)
        return True

    def take(self, id_: int) -> None:
        """A recipient is gone."""
        self._recipients.pop(id_, None)

    def suppress(self, suppression: Suppression) -> None:
        """One is kept."""
        if not suppression.topic:
            self._stops.add((suppression.list, suppression.hash))

    def lift(self, suppression: Suppression) -> None:
        """One is ended."""
        if not suppression.topic:
            self._stops.discard((suppression.list, suppression.hash))


class _Size:
    """An advertiser's size under a contract, its row locked."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.month: str | None = None
        """The latest that is kept; ``None``: it was not read."""
        self.months: dict[str, tuple[int, int]] = {}
        self.changed: set[str] = set()

    def keep(self, latest: Sequence[tuple[str, int, int]]) -> None:
        """Take in the latest month, if there is one."""
        self.month = latest[0][0] if latest else ""
        self.months = {month: (began, maximum) for month, began, maximum in latest}

    def change(self, by: int, now: int) -> None:
        # A clock behind another's does not change a month that is over.
        month = max(month_of(now), self.month or "")
        began, maximum = self.months.get(month, (self.size, self.size))
        self.size += by
        self.month = month
        self.months[month] = (began, max(maximum, self.size))
        self.changed.add(month)


class SizesInTransaction:
    """See :class:`gateway.ports.mail.lists.Sizes`. Writes wait until :meth:`flush`.

    Whoever changes recipients or suppressions takes an advertiser's locks first (:meth:`sendable`),
    so that of two at once the second sees what the first one did.
    """

    def __init__(self, connection: Connection, statements: SizeStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._held: dict[tuple[str, Contract], _Size] = {}
        self.writes = 0

    def now(self, scope: Scope, advertiser: str, contract: Contract) -> int:
        if not scope.covers(advertiser):
            return 0
        if held := self._held.get((advertiser, contract)):
            return held.size
        rows = self._connection.rows(self._sql.now, whose=advertiser, under=contract)
        return int(rows[0][0]) if rows else 0

    def maximum(self, scope: Scope, advertiser: str, contract: Contract, month: str) -> int:
        if not scope.covers(advertiser):
            return 0
        self.flush()
        rows = self._connection.rows(
            self._sql.month, whose=advertiser, under=contract, of_month=month
        )
        return of_month(rows, month, self.now(scope, advertiser, contract))

    def sendable(self, advertiser: str, hashes: Sequence[bytes]) -> Sendable:
        """What is kept of addresses, with the advertiser's sizes locked."""
        self._hold(advertiser)
        about = sorted(set(hashes))
        recipients = in_parts(
            self._connection, self._sql.recipients, self._sql.hashes, about, whose=advertiser
        )
        stops = in_parts(
            self._connection, self._sql.stops, self._sql.hashes, about, whose=advertiser
        )
        return Sendable(
            [(id_, list_, bytes(hash_), *rest) for id_, list_, hash_, *rest in recipients],
            [(list_, bytes(hash_)) for list_, hash_ in stops],
        )

    def change(self, advertiser: str, by: Mapping[Contract, int], now: int) -> None:
        """There are so many more of an advertiser whose locks are held."""
        for contract, count in by.items():
            self.writes += 1
            held = self._held[advertiser, contract]
            if held.month is None:
                latest: Any = self._connection.rows(
                    self._sql.latest, whose=advertiser, under=contract
                )
                held.keep(latest)
            held.change(count, now)

    def lock(self, scope: Scope, advertisers: Collection[str]) -> None:
        new = {each for each in advertisers if (each, CONTRACTS[0]) not in self._held}
        more = sorted(filter(scope.covers, new))
        if not more:
            return
        found: defaultdict[str, dict[Contract, int]] = defaultdict(dict)
        for advertiser, contract, size in self._connection.rows(self._sql.lock, those=more):
            found[advertiser][contract] = size
        for advertiser, sizes in found.items():
            for contract in CONTRACTS:
                self._held[advertiser, contract] = _Size(sizes.get(contract, 0))

    def _hold(self, advertiser: str) -> None:
        self.lock(EVERYBODY, (advertiser,))
        if (advertiser, CONTRACTS[0]) in self._held:
            return
        # Where another process was faster, this raises ``Taken``, and all is run again.
        self.writes += 1
        new = [(advertiser, contract, 0) for contract in CONTRACTS]
        self._connection.write([(self._sql.insert, new)])
        for contract in CONTRACTS:
            self._held[advertiser, contract] = _Size(0)

    def flush(self) -> None:
        """Write what changed."""
        changed = {key: held for key, held in sorted(self._held.items()) if held.changed}
        if not changed:
            return
        months = [
            (*key, month, *held.months[month])
            for key, held in changed.items()
            for month in sorted(held.changed)
        ]
        sizes = [(*key, held.size) for key, held in changed.items()]
        self._connection.write([(self._sql.keep, sizes), (self._sql.keep_months, months)])
        for held in changed.values():
            held.changed.clear()


def of_month(rows: Sequence[tuple[Any, ...]], month: str, size: int) -> int:
    """A month's maximum, of the first row of that month or a later one: its month, with how many
    it began, its maximum. Where there is none, nothing has changed since: there are ``size``.
    """
    if not rows:
        return size
    first, began, maximum = rows[0]
    return int(maximum if first == month else began)
