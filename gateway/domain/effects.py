"""Effects: what is to be done to the world once the transaction that asked for it is committed."""

from typing import Literal

import msgspec

NEVER = 2**63 - 1
"""An instant that does not come."""

Kind = Literal[
    "line.reply",
    "line.push",
    "line.multicast",
    "line.narrowcast",
    "line.broadcast",
    "line.profile",
    "line.content",
    "line.forward",
    "mail.single",
    "mail.test",
]
"""What is done; each kind has one handler."""

State = Literal["waiting", "leased", "done", "dead", "unknown"]
"""``dead``: it will not happen, ``unknown``: nobody can tell whether it did."""


class Effect(msgspec.Struct, frozen=True):
    """One thing to do, once, however often it is tried."""

    id: int
    advertiser: str
    kind: str
    key: str
    """The same for the same thing: a second effect under it is none. Where the platform honours
    a retry key, it is made of this one."""
    payload: str
    """JSON; what is sent is fixed before the first attempt."""
    due_at: int
    stream: str = ""
    """Effects of one stream happen one after the other; without one an effect stands alone."""
    order_at: int = 0
    """Their order in it (an instant; then the id)."""
    give_up_at: int = NEVER
    """When trying makes no sense any more."""
    origin: str = ""
    """What asked for it, for people and figures: ``greeting``, ``rule``, ``push:…``."""
