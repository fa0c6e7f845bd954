"""What the simulated platform and its friends know of shops, beside what the store says."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import main as wiring
from gateway.config import Config
from gateway.demo import sends
from gateway.demo.cast import Shop
from gateway.demo.phones import Truth, Whose, parts_of
from gateway.demo.screen import name_of
from gateway.demo.sends import Messages
from gateway.demo.staff import Pushed
from gateway.demo.summary import Figure
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.line.friends import Friend
from gateway.main.platform import Platform
from gateway.usecases.coupons import PIN


@dataclass(frozen=True)
class Held:
    """What the store says, read once all is settled."""

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
    cards = [holding.card for holding in wiring.list_holdings(config)]
    return Held(
        [send for send in wiring.list_sends(config) if send.kind in sends.KINDS],
        friends,
        list(wiring.list_tickets(config)),
        {whose[card.friend]: (card.number, card.points) for card in cards},
        answered,
    )


class Comparison:
    """Both sides, friend by friend."""

    def __init__(
        self,
        platform: Platform,
        shops: Sequence[Shop],
        truth: Truth,
        held: Held,
        pushed: Pushed,
    ) -> None:
        self._platform = platform
        self._shops = shops
        self._truth = truth
        self._held = held
        self._pushed = pushed
        self._names = {shop.account.id: shop.id for shop in shops}
        # Whoever watches may play others, of whom the platform knows nothing.
        self._known = {(shop.id, user) for shop in shops for user in shop.account.friends}
        self.figures: list[Figure] = []
        self.messages: Messages = sends.compare(platform, shops, held.sends, pushed.origins)
        self.faults = [*self._webhooks(), *self._friends(), *self.messages.faults]
        self.faults += [*self._pushes(), *self._coupons(), *self._cards(), *self._surveys()]

    def _webhooks(self) -> Iterator[str]:
        posts = self._platform.posts
        taken = {id_ for post in posts if post.acknowledged for id_ in post.event_ids}
        told = {id_: post.channel for post in posts for id_ in post.event_ids}
        for id_ in told.keys() - taken:
            yield f"{self._names[told[id_]]}: the webhook of event {id_} was never taken"

    def _friends(self) -> Iterator[str]:
        did = {
            (shop.id, friend.user_id): "friend" if friend.following else "blocked"
            for shop in self._shops
            for friend in shop.account.friends.values()
            if friend.followed_at
        }
        has = {
            whose: friend.state
            for friend in self._held.friends
            if (whose := (friend.channel, friend.user)) in self._known
        }
        for name, state in (("friends", "friend"), ("blocks", "blocked")):
            self._figure(name, _count(did, state), _count(has, state))
        yield from _differences("state", did, has)

    def _pushes(self) -> Iterator[str]:
        messages, pushed = self.messages, self._pushed
        self._figure("messages", messages.received.total(), messages.sent.total())
        self._figure("to blocked", messages.undelivered, messages.in_vain)
        self._figure("pushed", messages.pushed, pushed.sent)
        self._figure("clicks", self._truth.clicks, pushed.clicks)
        if pushed.unfinished:
            yield f"{pushed.unfinished} pushes did not come to an end"
        if messages.undelivered != messages.in_vain:
            yield f"to blocked: {messages.undelivered}, and {messages.in_vain} by the store"
        if messages.pushed != pushed.sent:
            yield f"pushed: to {messages.pushed} friends, to {pushed.sent} by the store"
        if self._truth.clicks != pushed.clicks:
            yield f"clicks: {self._truth.clicks}, the store has {pushed.clicks}"

    def _coupons(self) -> Iterator[str]:
        """Coupons whose address somebody has seen, and those that were stamped."""
        seen = self._truth.won | {
            token
            for inbox in self._platform.received.values()
            for received in inbox
            for token in _coupons_in(received.message)
        }
        unseen = set(_coupons_in(self.messages.lost)) - seen
        stamped = self._truth.stamped
        others = {f.id for f in self._held.friends if (f.channel, f.user) not in self._known}
        held = {
            ticket.token: ticket
            for ticket in self._held.tickets
            if ticket.state in ("issued", "used")
            and (ticket.friend not in others or ticket.token in seen)
        }
        # Friends have theirs stamped by PIN; staff's devices are of whoever watches.
        used = {
            token
            for token, ticket in held.items()
            if ticket.state == "used" and (ticket.used_by == PIN or token in stamped)
        }
        self._figure("coupons", len(seen), len(held.keys() - unseen))
        self._figure("stamped", len(stamped), len(used))
        for token in seen - held.keys():
            yield f"coupon {token[:4]}…: a friend has it, the store does not"
        for token in held.keys() - seen - unseen:
            yield f"coupon {held[token].id}: the store handed it out, nobody has it"
        for token in used ^ stamped:
            yield f"coupon {token[:4]}…: stamped on one side alone"

    def _cards(self) -> Iterator[str]:
        did = self._truth.cards
        has = {whose: card for whose, card in self._held.cards.items() if whose in self._known}
        self._figure("points", _points(did), _points(has))
        yield from _differences("card and points", did, has)

    def _surveys(self) -> Iterator[str]:
        did, has = self._truth.answered, self._held.answered
        self._figure("surveys", did.total(), has.total())
        for shop in sorted(did | has):
            if did[shop] != has[shop]:
                yield f"{shop}: {did[shop]} surveys answered, the store has {has[shop]}"

    def _figure(self, name: str, did: int, has: int) -> None:
        self.figures.append(Figure(name, did, has))


def _differences(
    what: str, did: Mapping[Whose, object], has: Mapping[Whose, object]
) -> Iterator[str]:
    for whose in sorted(did.keys() | has.keys()):
        one, other = did.get(whose), has.get(whose)
        if one != other:
            yield f"{name_of(*whose)}: {what}: friends say {one}, the store {other}"


def _count(states: Mapping[Whose, str], state: str) -> int:
    return sum(each == state for each in states.values())


def _points(cards: Mapping[Whose, tuple[int, int]]) -> int:
    return sum(points for _, points in cards.values())


def _coupons_in(message: Any) -> Iterator[str]:
    """The tokens of coupons whose addresses are anywhere in a message."""
    if isinstance(message, dict | list):
        for each in message.values() if isinstance(message, dict) else message:
            yield from _coupons_in(each)
    elif isinstance(message, str) and message.startswith("https://"):
        what, token = parts_of(message)
        if what == "c":
            yield token
