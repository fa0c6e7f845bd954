"""Webhooks sent on to a second tool: asked for in the transaction that keeps their events."""

from collections.abc import Sequence

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.events import Event
from gateway.domain.line.forwarding import GIVE_UP_SECONDS, KIND, stream_of
from gateway.domain.values import EVERYBODY, SECOND, Draw
from gateway.ports import Transaction

PING_SECONDS = 60
"""One ping of the console goes on in so long. All pings of a channel are the same signed bytes: the
tool, which gets them, could repeat them for ever, and a tool that is ourselves would.
"""


def send_on(
    tx: Transaction,
    channel: Channel,
    payload: str,
    events: Sequence[Event],
    received_at: int,
    draw: Draw,
) -> None:
    """Ask for a webhook to be sent on; ``payload`` is what
    :func:`gateway.domain.line.forwarding.written` made of it. Takes one id.

    Whoever calls this has seen that the webhook tells something new, or that it has no ``events``:
    such a ping of the console tells nothing. What the platform repeats is not sent on again, and
    what holds a message that was taken back already is not sent on at all.
    """
    id_ = draw.id()
    if any(tx.line.is_unsent(EVERYBODY, channel.id, event) for event in events):
        return
    once = id_ if events else f"ping/{received_at // (PING_SECONDS * SECOND)}"
    user = next((who for event in events if (who := event.place or event.user)), "")
    tx.outbox.add(
        EVERYBODY,
        Effect(
            id=id_,
            advertiser=channel.advertiser,
            kind=KIND,
            key=f"{KIND}/{channel.id}/{once}",
            payload=payload,
            due_at=received_at,
            stream=stream_of(channel.id, user),
            order_at=received_at,
            give_up_at=received_at + GIVE_UP_SECONDS * SECOND,
            origin="forward",
        ),
    )


def unsent(tx: Transaction, friend: int, message_id: str) -> None:
    """Take a message back, of a friend with that number: what holds it and was not sent on yet
    will not be, with whatever else it holds, since a part of it would not be what was signed.
    """
    tx.outbox.recall(EVERYBODY, KIND, friend, message_id)
