"""Webhooks sent on to a second tool: asked for in the transaction that keeps their events."""

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
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
    received_at: int,
    draw: Draw,
    *,
    is_ping: bool = False,
) -> None:
    """Ask for a webhook to be sent on; ``payload`` is what
    :func:`gateway.domain.line.forwarding.written` made of it. Takes one id.

    Whoever calls this has seen that the webhook tells something new, or that it is a ping, which
    tells nothing: what the platform repeats is not sent on again.
    """
    id_ = draw.id()
    once = f"ping/{received_at // (PING_SECONDS * SECOND)}" if is_ping else id_
    tx.outbox.add(
        EVERYBODY,
        Effect(
            id=id_,
            advertiser=channel.advertiser,
            kind=KIND,
            key=f"{KIND}/{channel.id}/{once}",
            payload=payload,
            due_at=received_at,
            stream=stream_of(channel.id),
            order_at=received_at,
            give_up_at=received_at + GIVE_UP_SECONDS * SECOND,
            origin="forward",
        ),
    )
