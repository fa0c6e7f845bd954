"""Webhooks sent on to a second tool: asked for in the transaction that keeps their events."""

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.forwarding import GIVE_UP_SECONDS, KIND, stream_of
from gateway.domain.values import EVERYBODY, SECOND, Draw
from gateway.ports import Transaction


def send_on(tx: Transaction, channel: Channel, payload: str, received_at: int, draw: Draw) -> None:
    """Ask for a webhook to be sent on; ``payload`` is what
    :func:`gateway.domain.line.forwarding.written` made of it. Takes one id.

    Whoever calls this has seen that the webhook tells something new: what the platform repeats is
    not sent on again.
    """
    id_ = draw.id()
    tx.outbox.add(
        EVERYBODY,
        Effect(
            id=id_,
            advertiser=channel.advertiser,
            kind=KIND,
            key=f"{KIND}/{channel.id}/{id_}",
            payload=payload,
            due_at=received_at,
            stream=stream_of(channel.id),
            order_at=received_at,
            give_up_at=received_at + GIVE_UP_SECONDS * SECOND,
            origin="forward",
        ),
    )
