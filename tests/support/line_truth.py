"""What the simulated platform knows of events and messages, compared with what the store says."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from adapters.line.simulator import Accepted, Channel, Friend
from gateway.domain.line.sending import retry_key
from gateway.domain.values import SECOND
from gateway.usecases.line import TOKEN_SECONDS
from tests.support.daemon import Daemon
from tests.support.line_daemon import ANSWERED, WatchedPlatform

_SETTLED_SECONDS = 5
"""An answer is settled a moment after it came; one that came this long before a kill was."""

_KEPT = ("done", "unknown")
"""What the store may say of a message that the platform took."""


@dataclass(frozen=True)
class Kill:
    """An end of the daemon, by the platform's time (microseconds)."""

    at: int
    ready_at: int
    """When its successor was ready. What the killed one had sent, the platform read by then."""


@dataclass(frozen=True)
class Row:
    """An effect of the outbox."""

    key: str
    kind: str
    state: str
    error: str | None
    tried_at: int | None
    ended_at: int | None
    origin: str


class Truth:
    """Both sides, once nothing is under way any more.

    ``kills`` are all ends of the daemon; ``shops`` are the platform's accounts by our ids of
    channels.
    """

    def __init__(
        self,
        daemon: Daemon,
        platform: WatchedPlatform,
        shops: Mapping[str, Channel],
        kills: Sequence[Kill],
    ) -> None:
        self._daemon = daemon
        self._platform = platform
        self._shop_of = {account.id: shop for shop, account in shops.items()}
        self._kills = kills

    # --- the platform's side ---

    @cached_property
    def told(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every event that was posted, by channel and id."""
        return {
            (self._shop_of[post.channel], event["webhookEventId"]): event
            for post in self._platform.posts
            for event in json.loads(post.body)["events"]
        }

    @cached_property
    def acknowledged(self) -> set[tuple[str, str]]:
        """The events that were answered with 2xx at least once."""
        return {
            (self._shop_of[post.channel], event)
            for post in self._platform.posts
            if post.acknowledged
            for event in post.event_ids
        }

    @cached_property
    def to_answer(self) -> set[tuple[str, str]]:
        """The acknowledged events that ask for a reply, apart from those whose friend left later:
        what was not sent to them by then is taken back.
        """
        left: defaultdict[tuple[str, str], int] = defaultdict(int)
        for (shop, _), event in self.told.items():
            if event["type"] == "unfollow":
                who = (shop, event["source"]["userId"])
                left[who] = max(left[who], event["timestamp"])
        return {
            (shop, id_)
            for shop, id_ in self.acknowledged
            if (event := self.told[shop, id_])["type"] in ANSWERED
            and event["timestamp"] > left[shop, event["source"]["userId"]]
        }

    # --- the store's side ---

    @cached_property
    def outbox(self) -> dict[str, Row]:
        """Everything that was to be done, by its key."""
        rows = self._daemon.rows(
            "SELECT idempotency_key, kind, state, last_error, tried_at, ended_at, origin"
            " FROM outbox"
        )
        return {row[0]: Row(*row) for row in rows}

    def states(self, kind: str) -> Counter[str]:
        """How the effects of a kind ended."""
        return Counter(row.state for row in self.outbox.values() if row.kind == kind)

    # --- the two beside each other: each yields what is wrong ---

    def wrong_events(self) -> Iterator[str]:
        """An acknowledged event that is not kept, once and as it came; one that was never sent."""
        rows = self._daemon.rows("SELECT channel, event, body FROM line_events")
        kept = {(channel, event): json.loads(body) for channel, event, body in rows}
        if len(kept) < len(rows):
            yield "an event is there twice"
        for key in self.acknowledged:
            if key not in kept:
                yield f"{key}: acknowledged, and lost"
        for key, body in kept.items():
            if key not in self.told:
                yield f"{key}: never sent"
            elif _lasting(body) != _lasting(self.told[key]):
                yield f"{key}: changed"

    def wrong_replies(self) -> Iterator[str]:
        """A reply that is missing, double, or not what the store says of it."""
        taken: defaultdict[str, list[Accepted]] = defaultdict(list)
        for accepted in self._platform.accepted:
            if accepted.kind == "reply":
                taken[str(accepted.reply_token)].append(accepted)
        for shop, id_ in sorted(self.to_answer):
            if f"line.reply/{shop}/{id_}" not in self.outbox:
                yield f"{id_}: was to be answered, and nothing says so"
        expected = set()
        for (shop, id_), event in self.told.items():
            row = self.outbox.get(f"line.reply/{shop}/{id_}")
            token = event.get("replyToken")
            if row is None or token is None:
                continue
            expected.add(token)
            yield from self._wrong_reply(shop, id_, row, len(taken[token]))
        for token in taken.keys() - expected:
            if taken[token]:
                yield f"a reply to no event: {taken[token][0].request_id}"

    def _wrong_reply(self, shop: str, id_: str, row: Row, count: int) -> Iterator[str]:
        """``count`` is how often the platform took it."""
        token = self.told[shop, id_]["replyToken"]
        if count > 1:
            yield f"{id_}: answered {count} times"
        if row.state not in (_KEPT if count else ("dead", "unknown")):
            yield f"{id_}: taken {count} times, and the store says {row.state}"
        if row.state == "unknown" and not self._was_ambiguous(token, row):
            yield f"{id_}: the store says unknown, and it was told: {self._told(token)}"
        if row.state == "dead":
            yield from self._wrong_death(shop, id_, row)

    def _wrong_death(self, shop: str, id_: str, row: Row) -> Iterator[str]:
        """A reply may be given up once its token's time is over, and for no other reason."""
        received = self._daemon.rows(
            f"SELECT received_at FROM line_events WHERE channel = '{shop}' AND event = '{id_}'"
        )[0][0]
        seconds = ((row.ended_at or 0) - received) / SECOND
        if row.error not in ("expired", "token") or seconds < TOKEN_SECONDS:
            yield f"{id_}: given up after {seconds:.0f} s: {row.error}"

    def _was_ambiguous(self, token: str, row: Row) -> bool:
        """Whether one of its attempts had no clear answer, or one that died with a process."""
        attempts = self._platform.attempts[token]
        if any(attempt.is_ambiguous for attempt in attempts):
            return True
        if not attempts:  # the process died before it asked
            return any((row.tried_at or 0) <= k.at <= (row.ended_at or 0) for k in self._kills)
        before = _SETTLED_SECONDS * SECOND
        return any(k.at - before <= a.at <= k.ready_at for a in attempts for k in self._kills)

    def _told(self, token: str) -> list[int | None]:
        return [attempt.status for attempt in self._platform.attempts[token]]

    def wrong_pushes(self, asked: Mapping[str, Sequence[Friend]]) -> Iterator[str]:
        """A push that is not as it was asked for, a request of it that was not taken once under
        its one retry key, or a friend who did not get it once. ``asked`` are friends who follow
        all along, by the beginning of the text, which no other push has.
        """
        rows = self._daemon.rows(
            "SELECT id, messages, state, recipients - blocked, sent FROM pushes"
        )
        if len(rows) != len(asked):
            yield f"{len(asked)} pushes were asked for, and {len(rows)} are there"
        for id_, messages, state, wanted, sent in rows:
            if (state, sent) != ("done", wanted):
                yield f"{messages}: {state}, sent to {sent} of {wanted}"
            taken = self._taken_of(id_)
            if len(taken) != sent or len(set(taken)) != sent:
                yield f"{messages}: went to {len(taken)} users, {len(set(taken))} different ones"
        keys = Counter(a.retry_key for a in self._platform.accepted if a.kind != "reply")
        left = {f"{id_}" for (id_,) in self._daemon.rows(_LEFT)}
        for row in self._rows_of(""):
            # Who blocks the channel after a push was handed out, and before it goes, gets none.
            is_late = row.error == "blocked" and row.key.rpartition("/")[2] in left
            if (count := keys.pop(retry_key(row.key), 0)) != (not is_late):
                yield f"{row.key}: taken {count} times under its retry key, and {row.state}"
        yield from (f"a push that nobody asked for: {stranger}" for stranger in keys)
        for text, friends in asked.items():
            for friend in friends:
                got = sum(text in received.message["text"] for received in friend.inbox)
                if got != 1:
                    yield f"{text}: a friend got it {got} times"

    def _rows_of(self, origin: str) -> list[Row]:
        """The requests of a push, or of all pushes."""
        return [
            row
            for row in self.outbox.values()
            if row.origin.startswith("push:") and origin in ("", row.origin)
        ]

    def _taken_of(self, push: int) -> list[str]:
        """The users for whom the platform took a push, one by one."""
        keys = {retry_key(row.key) for row in self._rows_of(f"push:{push}")}
        taken = [a for a in self._platform.accepted if a.retry_key in keys]
        return [user for accepted in taken for user in accepted.to]

    def wrong_list(self) -> Iterator[str]:
        """`gateway outbox list` shows what is dead or unknown with its reason, and nothing else."""
        listed = self._daemon.cli("outbox", "list", "--json")
        shown = Counter(
            (line["kind"], line["state"], line["last_error"])
            for line in map(json.loads, listed.stdout.splitlines())
        )
        held = Counter(
            (row.kind, row.state, row.error)
            for row in self.outbox.values()
            if row.state in ("dead", "unknown")
        )
        if listed.returncode != 0 or shown != held:
            yield f"listed: {shown}; held: {held}; {listed.stderr}"
        for kind, state, error in held:
            if not error:
                yield f"{kind}: {state} without a reason"


_LEFT = "SELECT id FROM line_friends WHERE unfollowed_at > 0"


def _lasting(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what differs from one delivery of it to the next."""
    return {name: value for name, value in event.items() if name != "deliveryContext"}
