"""LINE on loopback, to test and demonstrate against: its API, its webhooks and its friends.

It is the other side of the wire, so it shares no code with the gateway's own client, webhook or
message checks: a mistake of ours does not cancel itself out.
"""

from adapters.line.simulator.channel import Accepted, Channel, Received
from adapters.line.simulator.crowd import Crowd, Habits
from adapters.line.simulator.friends import Content, Friend, Group, Person
from adapters.line.simulator.liff import LoginChannel
from adapters.line.simulator.platform import Asked, Platform
from adapters.line.simulator.webhooks import Delivery, Post, Telling, signature

__all__ = [
    "Accepted",
    "Asked",
    "Channel",
    "Content",
    "Crowd",
    "Delivery",
    "Friend",
    "Group",
    "Habits",
    "LoginChannel",
    "Person",
    "Platform",
    "Post",
    "Received",
    "Telling",
    "signature",
]
