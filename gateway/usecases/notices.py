"""One message that the clock has us send to one friend."""

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Message
from gateway.domain.line.friends import Friend, stream_of


def notice_to(
    friend: Friend,
    message: Message,
    *,
    id_: int,
    advertiser: str,
    origin: str,
    mark: str,
    now: int,
    give_up_at: int,
) -> Effect:
    """The push of ``message``; ``mark`` tells it apart from the others of its ``origin``."""
    said = {"channel": friend.channel, "to": friend.user, "messages": [message]}
    return Effect(
        id=id_,
        advertiser=advertiser,
        kind="line.push",
        key=f"line.push/{origin}/{mark}",
        payload=msgspec.json.encode(said).decode(),
        due_at=now,
        stream=stream_of(friend.channel, friend.user),
        order_at=now,
        give_up_at=give_up_at,
        origin=origin,
    )
