"""What our figures are counted from: read beside the writer, a bounded stretch at a time."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, ColumnElement, bindparam, case, cast, func, select
from sqlalchemy import literal_column as literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.schema.audience import link_clicks, pushes
from adapters.storage.schema.cards import card_points, cards
from adapters.storage.schema.coupons import coupon_tickets, coupon_uses
from adapters.storage.schema.effects import outbox
from adapters.storage.schema.line import line_events, line_friends
from gateway.domain.insight import Clicks, Flow, Tally
from gateway.domain.values import SECOND, first_id

_TOKYO = literal(str(9 * 3600 * SECOND), BigInteger)
_DAY = literal(str(86_400 * SECOND), BigInteger)
_ONE: ColumnElement[int] = literal("1")
_NONE: ColumnElement[int] = literal("0")

_EVENTS: dict[str, Flow] = {"follow": "follows", "unfollow": "blocks", "message": "messages"}
_SENDS: dict[str, Flow] = {
    "line.reply": "replies",
    "line.push": "pushes",
    "line.multicast": "pushes",
}


class TallyReader:
    """See :class:`gateway.ports.insight.TallyReading`.

    Ids are in the order of time, so a stretch of ids is a stretch of rows.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        events, tickets, uses = line_events.c, coupon_tickets.c, coupon_uses.c
        day = _day(events.at)
        self._events = prepare(
            dialect,
            select(
                events.channel,
                events.advertiser,
                day,
                events.kind,
                func.count(),
                func.max(events.received_at),
            )
            .where(*_kept(events.id), events.at >= bindparam("since"))
            .group_by(events.channel, events.advertiser, day, events.kind),
        )
        self._sends = self._prepare_sends(dialect)
        at = card_points.c.at
        is_visit = card_points.c.how.in_((literal("'qr'"), literal("'printed'")))
        self._points = prepare(
            dialect,
            select(
                cards.c.channel,
                cards.c.advertiser,
                _day(at),
                func.sum(card_points.c.points),
                func.sum(case((is_visit, _ONE), else_=_NONE)),
            )
            .join(cards, cards.c.id == card_points.c.card_id)
            .where(*_kept(card_points.c.id), at >= bindparam("since"))
            .group_by(cards.c.channel, cards.c.advertiser, _day(at)),
        )
        self._issued = prepare(
            dialect,
            select(tickets.channel, tickets.advertiser, _day(tickets.issued_at), func.count())
            .where(
                *_kept(tickets.id),
                tickets.issued_at >= bindparam("since"),
                tickets.state != literal("'lost'"),
            )
            .group_by(tickets.channel, tickets.advertiser, _day(tickets.issued_at)),
        )
        self._used = prepare(
            dialect,
            select(uses.channel, uses.advertiser, _day(uses.at), func.count())
            .where(uses.at >= bindparam("begin"), uses.at < bindparam("end"))
            .group_by(uses.channel, uses.advertiser, _day(uses.at)),
        )
        self._clicks = self._prepare_clicks(dialect)
        self._pushes = prepare(
            dialect,
            select(pushes.c.id, pushes.c.channel).where(among(dialect, pushes.c.id, "ids")),
        )
        self._standing = self._prepare_standing(dialect)

    def _prepare_sends(self, dialect: Dialect) -> Any:
        channel, recipients = _payload(dialect)
        day = _day(outbox.c.ended_at)
        return prepare(
            dialect,
            select(channel, outbox.c.advertiser, day, outbox.c.kind, func.sum(recipients))
            .where(
                *_kept(outbox.c.id),
                outbox.c.kind.in_([literal(f"'{kind}'") for kind in _SENDS]),
                outbox.c.state == literal("'done'"),
                outbox.c.ended_at >= bindparam("since"),
                outbox.c.payload != literal("''"),  # where it was cleared, it was counted long ago
            )
            .group_by(channel, outbox.c.advertiser, day, outbox.c.kind),
        )

    def _prepare_clicks(self, dialect: Dialect) -> Any:
        clicks = link_clicks.c
        channel = func.coalesce(line_friends.c.channel, literal("''"))
        groups = (channel, clicks.advertiser, _day(clicks.at), clicks.link, clicks.origin)
        return prepare(
            dialect,
            select(*groups, func.count())
            .select_from(link_clicks)
            .outerjoin(line_friends, line_friends.c.id == clicks.friend)
            .where(*_kept(clicks.id))
            .group_by(*groups),
        )

    def _prepare_standing(self, dialect: Dialect) -> Any:
        """What each friend was to the channel before an instant: ``friend``, ``blocked`` or empty.

        Only the latest follow and unfollow are known, 0 where there was none. Where both came
        later, the order of the two tells what was before, of whoever was known then. Of whom no
        follow tells, they came when we first heard of them; of whom no follow tells since an
        unfollow, when we last did.
        """
        friend = line_friends.c
        by: Any = bindparam("by", type_=BigInteger)
        went, heard, first = friend.unfollowed_at, friend.heard_at, friend.first_at
        told = case(
            (friend.followed_at > _NONE, friend.followed_at),
            ((first > _NONE) & (first < heard), first),
            else_=heard,
        )
        came = case(((told <= went) & (heard > went), heard), else_=told)
        blocked: ColumnElement[str] = literal("'blocked'")
        friendly: ColumnElement[str] = literal("'friend'")
        nothing: ColumnElement[str] = literal("''")
        was = case(
            ((came < by) & (went < by) & (went > _NONE) & (went >= came), blocked),
            ((came < by) & (came > _NONE), friendly),
            (came < by, nothing),
            ((went < by) & (went > _NONE), blocked),
            (went < by, nothing),
            (friend.first_at >= by, nothing),
            (went < came, friendly),
            else_=blocked,
        )
        return prepare(
            dialect,
            select(was, func.count())
            .where(friend.channel == bindparam("of_channel"), friend.is_group.is_(False))
            .group_by(literal("1")),
        )

    def tallies(self, connection: Connection, begin: int, end: int, since: int) -> list[Tally]:
        given = {"first": first_id(begin), "last": first_id(end), "since": since}
        found: list[Tally] = []
        for *where, kind, count, received_at in connection.rows(self._events, **given):
            found.append(_tally(where, "last_at", received_at))
            if kind in _EVENTS:
                found.append(_tally(where, _EVENTS[kind], count))
        sends = connection.rows(self._sends, **given)
        found += [_tally(where, _SENDS[kind], count) for *where, kind, count in sends]
        for *where, points, visits in connection.rows(self._points, **given):
            found += [_tally(where, "points", points), _tally(where, "visits", visits)]
        issued = connection.rows(self._issued, **given)
        found += [_tally(where, "coupons_issued", count) for *where, count in issued]
        used = connection.rows(self._used, begin=max(begin, since), end=end)
        found += [_tally(where, "coupons_used", count) for *where, count in used]
        return found

    def clicks(self, connection: Connection, begin: int, end: int) -> list[Clicks]:
        rows = connection.rows(self._clicks, first=first_id(begin), last=first_id(end))
        return [Clicks(*row) for row in rows]

    def pushes(self, connection: Connection, ids: Sequence[int]) -> dict[int, str]:
        return dict(connection.rows(self._pushes, ids=list(ids))) if ids else {}

    def standing(self, connection: Connection, channel: str, by: int) -> tuple[int, int]:
        counts = dict(connection.rows(self._standing, of_channel=channel, by=by))
        return counts.get("friend", 0), counts.get("blocked", 0)


def _tally(where: list[Any], figure: Flow | Literal["last_at"], amount: Any) -> Tally:
    """PostgreSQL's sums are no plain integers."""
    channel, advertiser, day = where
    return Tally(channel, advertiser, day, figure, int(amount))


def _day(at: ColumnElement[int]) -> ColumnElement[int]:
    """The day of Asia/Tokyo; Japan has had no summer time since 1951."""
    return (at + _TOKYO) // _DAY


def _kept(id_: ColumnElement[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return id_ >= bindparam("first"), id_ < bindparam("last")


def _payload(dialect: Dialect) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The channel that an effect's payload names, and how many it goes to."""
    is_many = outbox.c.kind == literal("'line.multicast'")
    if dialect.name == "sqlite":
        channel: Any = func.json_extract(outbox.c.payload, literal("'$.channel'"))
        many: Any = func.json_array_length(outbox.c.payload, literal("'$.to'"))
    else:
        payload: Any = cast(outbox.c.payload, JSONB)
        channel = payload.op("->>")(literal("'channel'"))
        many = func.jsonb_array_length(payload.op("->", return_type=JSON)(literal("'to'")))
    return channel, case((is_many, many), else_=_ONE)
