"""Messages: what friends received of the simulated platform, and what the store says was sent."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway import main as wiring
from gateway.demo.cast import Shop
from gateway.demo.phones import Whose
from gateway.demo.screen import name_of
from gateway.domain.line.sending import retry_key
from gateway.main.platform import Accepted, Account, Platform

Message = dict[str, Any]

KINDS = ("line.reply", "line.push", "line.multicast", "line.narrowcast", "line.broadcast")
"""Effects that send messages."""


class _Sent(msgspec.Struct):
    """What was to be sent, as the outbox keeps it."""

    channel: str
    messages: list[Message] = []
    user: str = ""
    to: str | list[str] = ""
    token: str = ""


class _Told(msgspec.Struct):
    """What the platform answered."""

    request: str = ""


@dataclass
class Messages:
    """What came of the comparison."""

    faults: list[str] = field(default_factory=list)
    maybe: list[str] = field(default_factory=list)
    """Of what the gateway cannot know whether it arrived; and whether it did."""
    received: Counter[str] = field(default_factory=Counter)
    """Messages by shop, as friends got them."""
    sent: Counter[str] = field(default_factory=Counter)
    """The same as the store has it."""
    undelivered: int = 0
    """Messages that the platform took for friends who had blocked the shop, as it says itself."""
    in_vain: int = 0
    """The same as it follows of the store and of who had blocked when."""
    pushed: int = 0
    """Recipients of the shops' pushes that the platform accepted."""
    lost: list[Message] = field(default_factory=list)
    """Those, and what was never accepted: nobody saw them."""


def compare(
    platform: Platform,
    shops: Sequence[Shop],
    sends: Sequence[wiring.Send],
    pushes: Collection[str],
) -> Messages:
    """Compare friend by friend, in order; ``pushes`` are the origins of those that count as pushed.

    Of each friend's stream the order is the store's; between streams, as a reply and a push
    are, the platform's.
    """
    out = Messages()
    accounts = {shop.id: shop.account for shop in shops}
    names = {shop.account.id: shop.id for shop in shops}
    expected: defaultdict[Whose, list[tuple[int, list[Message]]]] = defaultdict(list)
    last: dict[str, int] = {}
    left = dict(enumerate(platform.accepted))
    for send, place in _matched(platform.accepted, sends):
        sent = msgspec.json.decode(send.payload, type=_Sent)
        request = left.pop(place, None) if place is not None else None
        out.faults += _faults(send, sent, request)
        if send.state == "unknown":
            out.maybe.append(f"{_called(send)}: it {'arrived' if request else 'did not arrive'}")
        if request is None or place is None:
            out.lost += sent.messages
            continue
        if send.stream and last.get(send.stream, -1) > place:
            out.faults.append(f"{_called(send)}: it went out before the one before it")
        last[send.stream] = place
        if send.origin in pushes:
            out.pushed += len(request.to)
        for user in request.to:
            if _followed(accounts[sent.channel], user, request.at):
                expected[sent.channel, user].append((place, sent.messages))
            else:
                out.in_vain += len(sent.messages)
                out.lost += sent.messages
    for request in left.values():
        out.faults.append(
            f"{names[request.channel]}: the platform accepted a {request.kind} "
            f"({request.request_id}) that the store knows nothing of"
        )
    _compare_inboxes(platform, names, expected, out)
    for request in platform.accepted:
        out.undelivered += (len(request.to) - request.delivered) * len(request.messages)
    return out


def _matched(
    accepted: Sequence[Accepted], sends: Sequence[wiring.Send]
) -> Iterator[tuple[wiring.Send, int | None]]:
    """Each send in the order in which they ended, with the place of what the platform accepted.

    The platform's own id of the request tells. Where its answer was lost, the reply token or the
    retry key does, which are good for one request alone.
    """
    by_id = {request.request_id: place for place, request in enumerate(accepted)}
    by_key = {
        key: place
        for place, request in enumerate(accepted)
        if (key := request.reply_token or request.retry_key)
    }
    for send in sorted(sends, key=lambda send: (send.ended_at or 0, send.id)):
        told = msgspec.json.decode(send.result, type=_Told) if send.result else _Told()
        place = by_id.get(told.request)
        if place is None and send.state != "done":
            sent = msgspec.json.decode(send.payload, type=_Sent)
            place = by_key.get(sent.token or retry_key(send.key))
        yield send, place


def _faults(send: wiring.Send, sent: _Sent, request: Accepted | None) -> Iterator[str]:
    """How a send and the request that it became differ."""
    if send.state in ("waiting", "leased"):
        yield f"{_called(send)}: it is still {send.state}"
    elif send.state == "done" and request is None:
        yield f"{_called(send)}: the store says sent, and the platform did not get it"
    elif send.state == "dead" and request is not None:
        yield f"{_called(send)}: the platform accepted it, and the store says dead"
    if request is None:
        return
    to = (sent.user,) if sent.user else (sent.to,) if isinstance(sent.to, str) else tuple(sent.to)
    if to != request.to:
        yield f"{_called(send)}: the platform got it for others than the store says"
    if sent.messages != list(request.messages):
        yield f"{_called(send)}: the platform got other messages than the store says"


def _called(send: wiring.Send) -> str:
    """A send, for people; nobody's id is in it."""
    return f"{send.kind.removeprefix('line.')} {send.id} ({send.origin or send.stream[:12]})"


def _followed(account: Account, user: str, at: int) -> bool:
    """Whether a friend followed at an instant of the platform."""
    followed = False
    for changed_at, who, is_friend in account.friendships:
        if who == user and changed_at <= at:
            followed = is_friend
    return followed


def _compare_inboxes(
    platform: Platform,
    names: dict[str, str],
    expected: dict[Whose, list[tuple[int, list[Message]]]],
    out: Messages,
) -> None:
    """What each friend received, message by message."""
    got = {
        (names[account], user): [received.message for received in inbox]
        for (account, user), inbox in platform.received.items()
        if inbox
    }
    for whose in sorted(got.keys() | expected.keys()):
        should = [
            message
            for _, messages in sorted(expected.get(whose, ()), key=lambda one: one[0])
            for message in messages
        ]
        did = got.get(whose, [])
        out.received[whose[0]] += len(did)
        out.sent[whose[0]] += len(should)
        if did != should:
            where = next((n for n, (a, b) in enumerate(zip(did, should)) if a != b), None)  # noqa: B905 - one may be longer
            told = f"at message {where + 1}" if where is not None else "in number"
            out.faults.append(
                f"{name_of(*whose)}: {len(did)} messages received, {len(should)} sent by the "
                f"store; they differ {told}"
            )
