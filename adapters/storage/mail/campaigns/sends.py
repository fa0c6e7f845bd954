"""The mails of campaigns in the store: handed out, settled, and put aside."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Text,
    and_,
    bindparam,
    case,
    exists,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.mail.campaigns.figures import FiguresInTransaction
from adapters.storage.mail.campaigns.rows import About, Abouts
from adapters.storage.mail.given import MOST, Additions, Rows, prepare_indexed, prepare_update
from adapters.storage.schema.campaigns import AMISS, ATTEMPTING, mail_sends
from adapters.storage.schema.mail import mail_recipients, mail_suppressions
from gateway.domain.mail.campaigns import IN_DOUBT, Campaign, Letter, Result, SendState
from gateway.domain.values import Scope

OPEN: tuple[SendState, ...] = ("queued", "attempting", "deferred", "held")
"""Mails that are not over."""

_IN_HAND = frozenset(("attempting", "held"))
"""What a result can be of."""

_MOST_LOOKED_AT = 2 * MOST
"""Mails that one transaction looks at to hand some out, those that it puts aside among them."""

_SETTLED = ("state", "due_at", "attempts", "first_at", "at", "code", "class", "text")
_NONE: Any = literal_column("''")


class SendStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sends = mail_sends.c
        self.additions = Additions(dialect, mail_sends)
        self.due = prepare(dialect, _due())
        named: Any = bindparam("named")
        those = and_(sends.campaign == named, among(dialect, sends.recipient, "ids"))
        now: Any = bindparam("now", type_=BigInteger)
        self.attempt = prepare(
            dialect,
            update(mail_sends)
            .where(those)
            .values(
                state=literal_column("'attempting'"),
                due_at=null(),
                owner=bindparam("new_owner"),
                at=now,
            ),
        )
        self.move = prepare(
            dialect,
            update(mail_sends)
            .where(those)
            .values(
                state=bindparam("new_state"), due_at=bindparam("due", type_=BigInteger), at=now
            ),
        )
        self.drop = prepare(
            dialect,
            update(mail_sends)
            .where(those)
            .values(
                {
                    "state": literal_column("'failed'"),
                    "class": literal_column(f"'{IN_DOUBT}'"),
                    "at": now,
                }
            ),
        )
        # What is in doubt may have been tried: it counts.
        self.hold = prepare(
            dialect,
            update(mail_sends)
            .where(those)
            .values(
                state=literal_column("'held'"),
                attempts=sends.attempts + literal_column("1"),
                first_at=case(
                    (sends.first_at == literal_column("0"), sends.at), else_=sends.first_at
                ),
                at=now,
            ),
        )
        self.pairs = Rows(dialect, {"campaign": BigInteger(), "recipient": BigInteger()})
        given = self.pairs.table.c
        self.held = prepare(
            dialect,
            select(
                sends.campaign,
                sends.recipient,
                sends.state,
                sends.attempts,
                sends.first_at,
                sends.owner,
                sends["class"],
            )
            .select_from(self.pairs.table)
            .join(
                mail_sends,
                and_(sends.campaign == given.campaign, sends.recipient == given.recipient),
            )
            .order_by(sends.campaign, sends.recipient)
            .with_for_update(of=mail_sends),
        )
        self.settle = prepare_update(dialect, mail_sends, _SETTLED, ("campaign", "recipient"))
        most: Any = bindparam("most")
        self.lost = prepare(
            dialect,
            select(sends.campaign, sends.recipient)
            .where(ATTEMPTING, among(dialect, sends.owner, "owners"))
            .limit(most)
            .with_for_update(skip_locked=True),
        )
        waiting = (
            select(sends.recipient, sends.state)
            .where(sends.campaign == named, sends.due_at.is_not(None))
            .order_by(sends.lane, sends.due_at, sends.recipient)
            .limit(most)
            .with_for_update()
        )
        self.waiting = prepare_indexed(dialect, waiting, mail_sends, "mail_sends_due")
        in_doubt = (
            select(sends.recipient)
            .where(sends.campaign == named, AMISS, sends.state == literal_column("'held'"))
            .order_by(sends.recipient)
            .limit(most)
            .with_for_update()
        )
        self.in_doubt = prepare_indexed(dialect, in_doubt, mail_sends, "mail_sends_amiss")


def _due() -> Any:
    """What is due in a lane, the longest due first: with the recipient, if there still is one, and
    whether they may get it.
    """
    sends, to, stop = mail_sends.c, mail_recipients.c, mail_suppressions.c
    now: Any = bindparam("now", type_=BigInteger)
    is_suppressed = exists(
        select(literal_column("1")).where(
            stop.advertiser == to.advertiser,
            stop.hash == to.hash,
            or_(stop.list == _NONE, stop.list == to.list),
            or_(stop.topic == _NONE, stop.topic == bindparam("about", type_=Text)),
            stop.until > now,
        )
    )
    return (
        select(
            sends.recipient,
            sends.attempts,
            sends.first_at,
            sends.state,
            to.address,
            to.hash,
            to.attributes,
            and_(to.state == literal_column("'active'"), ~is_suppressed),
        )
        .select_from(mail_sends)
        .outerjoin(mail_recipients, to.id == sends.recipient)
        .where(
            sends.campaign == bindparam("named"),
            sends.lane == bindparam("of_lane"),
            sends.due_at.is_not(None),
            sends.due_at <= now,
        )
        .order_by(sends.due_at, sends.recipient)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=mail_sends)
    )


class SendsInTransaction:
    """See :class:`gateway.ports.mail.campaigns.Sends`. Written at once; their counts wait in the
    figures.
    """

    def __init__(
        self,
        connection: Connection,
        statements: SendStatements,
        abouts: Abouts,
        figures: FiguresInTransaction,
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._abouts = abouts
        self._figures = figures
        self._looked_at = 0
        self.writes = 0

    def fix(self, scope: Scope, campaign: Campaign, due: Sequence[tuple[int, str, int]]) -> None:
        if not due:
            return
        self.writes += 1
        rows = [
            (campaign.id, recipient, lane, "queued", due_at, 0, 0, 0, 0, 0, "", "")
            for recipient, lane, due_at in due
        ]
        new = self._sql.additions.write(self._connection, rows)
        self._figures.add(scope, campaign.id, {"queued": new})

    def claim(
        self, scope: Scope, campaign: int, lane: str, now: int, limit: int, owner: int
    ) -> list[Letter]:
        about = self._abouts.of(scope, campaign)
        if about is None:
            return []
        letters: list[Letter] = []
        left = min(max(limit, MOST), _MOST_LOOKED_AT - self._looked_at)
        most = min(limit, left)
        while len(letters) < limit and most > 0:
            wanted = limit - len(letters)
            count, some = self._look(about, campaign, lane, now, most, wanted, owner)
            self._looked_at += count
            letters += some
            if count < most:
                break
            # Of those that are put aside there may be many, and each look costs as much as a row.
            left -= count
            most = min(2 * most, left)
        return letters

    def _look(
        self, about: About, campaign: int, lane: str, now: int, most: int, wanted: int, owner: int
    ) -> tuple[int, list[Letter]]:
        """How many are due, at most so many, and as many letters among them as are wanted."""
        rows = self._connection.rows(
            self._sql.due, named=campaign, of_lane=lane, now=now, most=most, about=about.topic
        )
        letters: list[Letter] = []
        aside: list[tuple[int, str]] = []
        states = Counter[str]()
        for recipient, attempts, first_at, state, address, hash_, attributes, may in rows:
            if not may:
                aside.append((recipient, state))
            elif len(letters) < wanted:
                states[state] += 1
                letters.append(
                    Letter(
                        campaign,
                        recipient,
                        address,
                        bytes(hash_),
                        lane,
                        attributes,
                        attempts,
                        first_at,
                    )
                )
        self._move(campaign, aside, "suppressed", now)
        if letters:
            self.writes += 1
            ids = [letter.recipient for letter in letters]
            self._connection.run(
                self._sql.attempt, named=campaign, ids=ids, new_owner=owner, now=now
            )
            for state, count in states.items():
                self._figures.moved(campaign, state, "attempting", count)
        return len(rows), letters

    def settle(
        self, scope: Scope, results: Sequence[Result], owner: int | None = None
    ) -> Set[tuple[int, int]]:
        if not results:
            return frozenset()
        self.writes += 1
        given = {(result.campaign, result.recipient): result for result in results}
        pairs = sorted(given)
        held: dict[tuple[int, int], _Was] = {}
        for at in range(0, len(pairs), MOST):
            part = self._sql.pairs.given(pairs[at : at + MOST])
            for campaign, recipient, *rest in self._connection.rows(self._sql.held, **part):
                held[campaign, recipient] = _Was(*rest)
        changed: set[tuple[int, int]] = set()
        rows = []
        for key in pairs:
            result = given[key]
            was = held.get(key)
            if was is None or not was.takes(result.state, owner):
                continue
            rows.append(_settled(result, was.attempts, was.first_at))
            changed.add(key)
            self._figures.moved(key[0], was.state, result.state)
        if rows:
            self._connection.write([(self._sql.settle, rows)])
        return changed

    def doubt(self, scope: Scope, owners: Sequence[int], now: int, limit: int) -> Mapping[str, int]:
        if not owners:
            return {}
        found: dict[int, list[int]] = {}
        rows = self._connection.rows(self._sql.lost, owners=list(owners), most=limit)
        for campaign, recipient in rows:
            found.setdefault(campaign, []).append(recipient)
        whose = Counter[str]()
        for campaign, ids in sorted(found.items()):
            self.writes += 1
            self._connection.run(self._sql.hold, named=campaign, ids=sorted(ids), now=now)
            self._figures.moved(campaign, "attempting", "held", len(ids))
            about = self._abouts.of(scope, campaign)
            if about is not None:
                whose[about.advertiser] += len(ids)
        return dict(whose)

    def release(self, scope: Scope, campaign: int, to: SendState, now: int, limit: int) -> int:
        if not self._abouts.covers(scope, campaign):
            return 0
        rows = self._connection.rows(self._sql.in_doubt, named=campaign, most=limit)
        ids = [recipient for (recipient,) in rows]
        if to != "failed":
            self._move(campaign, [(recipient, "held") for recipient in ids], to, now)
        elif ids:
            self.writes += 1
            self._connection.run(self._sql.drop, named=campaign, ids=ids, now=now)
            self._figures.moved(campaign, "held", to, len(ids))
        return len(ids)

    def cancel(self, scope: Scope, campaign: int, now: int, limit: int) -> int:
        """See :class:`gateway.ports.mail.campaigns.SendLookups`."""
        if not self._abouts.covers(scope, campaign):
            return 0
        rows = self._connection.rows(self._sql.waiting, named=campaign, most=limit)
        self._move(campaign, [(recipient, state) for recipient, state in rows], "canceled", now)
        return len(rows)

    def open(self, scope: Scope, campaign: int) -> Mapping[SendState, int]:
        figures = self._figures.of(scope, campaign)
        return {state: figures[state] for state in OPEN if figures.get(state)}

    def _move(
        self, campaign: int, those: Sequence[tuple[int, str]], to: SendState, now: int
    ) -> None:
        """Put mails, locked and with their states, into another state."""
        if not those:
            return
        self.writes += 1
        self._connection.run(
            self._sql.move,
            named=campaign,
            ids=sorted(recipient for recipient, _ in those),
            new_state=to,
            due=now if to == "queued" else None,
            now=now,
        )
        for state, count in Counter(state for _, state in those).items():
            self._figures.moved(campaign, state, to, count)


class _Was(msgspec.Struct, frozen=True):
    """What the store holds of a mail whose result comes in."""

    state: str
    attempts: int
    first_at: int
    owner: int
    bounce_class: str

    def takes(self, state: SendState, owner: int | None) -> bool:
        """Whether a result of a process (``None``: whoever's) changes it."""
        if state == "sent":
            # It is true of one that is to be tried again, too: else it would go twice.
            is_dropped = self.state == "failed" and self.bounce_class == IN_DOUBT
            return is_dropped or self.state in OPEN
        # Of what another process attempts, or held in doubt, that one will say what came of it.
        return self.state in _IN_HAND and owner in (None, self.owner)


def _settled(result: Result, attempts: int, first_at: int) -> tuple[Any, ...]:
    """The columns of :data:`_SETTLED`, and the key."""
    return (
        result.state,
        result.due_at,
        attempts + result.tried,
        first_at or (result.at if result.tried else 0),
        result.at,
        result.code,
        result.bounce_class,
        result.text,
        result.campaign,
        result.recipient,
    )
