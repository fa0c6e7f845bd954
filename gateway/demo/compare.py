"""What the simulated platform and its friends saw, beside what the store says of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway import main as wiring
from gateway.config import Config
from gateway.demo.cast import Shop
from gateway.demo.phones import Truth, Whose, parts_of
from gateway.demo.screen import masked_user
from gateway.demo.summary import Figure
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.line.friends import Friend
from gateway.domain.line.sending import retry_key
from gateway.main.platform import Accepted, Platform

_SENDS = ("line.reply", "line.push", "line.multicast", "line.narrowcast", "line.broadcast")

_decode = msgspec.json.decode


@dataclass(frozen=True)
class Held:
    """What the store says of shops, read once all is settled."""

    sends: list[wiring.Send]
    friends: list[Friend]
    tickets: list[Ticket]
    cards: dict[Whose, tuple[int, int]]
    """Number and points of the card that a friend holds."""
    answered: Counter[str]
    """Surveys that were answered, by shop."""


def read(config: Config) -> Held:
    """All of it, beside the daemon."""
    friends = list(wiring.list_friends(config))
    whose = {friend.id: (friend.channel, friend.user) for friend in friends}
    answered: Counter[str] = Counter()
    for record in wiring.list_surveys(config):
        answered[record.survey.channel] += record.answered
    held = [holding.card for holding in wiring.list_holdings(config)]
    return Held(
        [send for send in wiring.list_sends(config) if send.kind in _SENDS],
        friends,
        list(wiring.list_tickets(config)),
        {whose[card.friend]: (card.number, card.points) for card in held},
        answered,
    )


@dataclass
class Compared:
    """What came of the comparison."""

    faults: list[str] = field(default_factory=list)
    maybe: list[str] = field(default_factory=list)
    """What nobody on our side can know: whether it arrived, the platform tells."""
    figures: list[Figure] = field(default_factory=list)
    messages: Counter[str] = field(default_factory=Counter)
    """What friends received, by shop."""


def compare(platform: Platform, shops: Sequence[Shop], truth: Truth, held: Held) -> Compared:
    """Compare friend by friend, in order."""
    return _Comparison(platform, shops, truth, held).made()


class _Comparison:
    def __init__(
        self, platform: Platform, shops: Sequence[Shop], truth: Truth, held: Held
    ) -> None:
        self._platform = platform
        self._shops = shops
        self._account = {shop.id: shop.account for shop in shops}
        self._truth = truth
        self._held = held
        self._arrived: dict[Whose, list[Any]] = defaultdict(list)
        """What friends must have received if the store is right."""
        self._unseen: set[str] = set()
        """Coupons in what never arrived."""
        self._to_blocked = 0
        self._out = Compared()

    def made(self) -> Compared:
        """All comparisons."""
        self._webhooks()
        self._friends()
        self._sends()
        self._messages()
        self._coupons()
        self._cards()
        self._surveys()
        return self._out

    def _differ(self, who: str, what: str, did: object, has: object) -> None:
        if did != has:
            self._out.faults.append(f"{who}: {what}: the platform says {did}, the store {has}")

    def _figure(self, name: str, did: int, has: int) -> None:
        self._out.figures.append(Figure(name, did, has))

    # --- events, and who is a friend ---

    def _webhooks(self) -> None:
        told = {id_ for post in self._platform.posts for id_ in post.event_ids}
        taken = {
            id_ for post in self._platform.posts if post.acknowledged for id_ in post.event_ids
        }
        self._out.faults += [f"{id_}: the webhook was never taken" for id_ in sorted(told - taken)]

    def _friends(self) -> None:
        did = {
            (shop.id, friend.user_id): "friend" if friend.following else "blocked"
            for shop in self._shops
            for friend in shop.account.friends.values()
            if friend.followed_at
        }
        has = {(friend.channel, friend.user): friend.state for friend in self._held.friends}
        for whose in sorted(did.keys() | has.keys()):
            self._differ(_name(whose), "state", did.get(whose), has.get(whose))
        for name, state in (("friends", "friend"), ("blocks", "blocked")):
            self._figure(name, _count(did, state), _count(has, state))

    # --- what was sent ---

    def _sends(self) -> None:
        """Match each send of the store with what the platform accepted."""
        accepted = self._platform.accepted
        places = {request.request_id: place for place, request in enumerate(accepted)}
        tokens = {
            request.reply_token: place
            for place, request in enumerate(accepted)
            if request.reply_token
        }
        keys = {
            request.retry_key: place for place, request in enumerate(accepted) if request.retry_key
        }
        sent: dict[int, wiring.Send] = {}
        ended = lambda send: (send.ended_at or 0, send.id)  # noqa: E731 - said once, for once
        for send in sorted(self._held.sends, key=ended):
            result = _decode(send.result) if send.result else {}
            place = places.get(result.get("request", ""))
            if place is None:
                token = _decode(send.payload).get("token")
                place = tokens.get(token, keys.get(retry_key(send.key)))
            self._settle(send, place, sent)
