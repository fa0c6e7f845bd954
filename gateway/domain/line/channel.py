"""A LINE official account as it is provisioned: whose it is, and how it answers."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import msgspec

from gateway.domain.hours import Hours

Message = dict[str, Any]
"""A message object of the platform, or one of ours (``coupon``, ``card``, ``survey``)."""

ALWAYS = "always"


class Rule(msgspec.Struct, frozen=True):
    """What a friend says, and what is answered."""

    keyword: str
    match: Literal["exact", "contains", "regex", "postback"] = "exact"
    """``postback``: the keyword is the data of a button."""
    messages: tuple[Message, ...] = ()
    hours: str = ALWAYS
    """The table of hours in which the rule holds; with ``!`` in front, outside of them."""
    tags: tuple[str, ...] = ()
    """What the friend is tagged with."""
    staff: Literal["none", "call", "end"] = "none"
    """``call`` hands the conversation to people, ``end`` gives it back."""


class Uniform(msgspec.Struct, frozen=True):
    """What is answered where no rule holds."""

    messages: tuple[Message, ...]
    hours: str = ALWAYS


class Forward(msgspec.Struct, frozen=True):
    """A second tool on the same channel that gets every webhook as it came."""

    url: str
    """https, public."""
    approved_by: str
    """Who of the contractor approved it."""
    approved_at: int
    answers: bool = False
    """Whether that tool is the one that answers; we are silent then."""


class Channel(msgspec.Struct, frozen=True):
    """One LINE official account."""

    table: ClassVar[str] = "line_channel"

    id: str
    advertiser: str
    channel_id: str
    channel_secret: str
    channel_secret_previous: str = ""
    bot_user_id: str = ""
    name: str = ""
    """What friends know the shop by: ``{shop}``."""
    login_channel_id: str = ""
    liff_id: str = ""
    groups: bool = False
    """Whether groups and rooms are answered, too."""
    greeting: tuple[Message, ...] = ()
    greeting_again: tuple[Message, ...] = ()
    """For friends who come back after a block; empty: as for new ones."""
    reply: tuple[Rule, ...] = ()
    uniform: tuple[Uniform, ...] = ()
    hours: tuple[Hours, ...] = ()
    staff_minutes: int = 30
    """After so long a silence a conversation goes back from staff to the rules."""
    push_instead: bool = False
    """Whether a reply that came too late for its token may spend the shop's paid quota."""
    push_cap: int = 0
    """How many of those a month."""
    quiet: str = ""
    """Hours in which nothing is pushed, such as ``21:00-09:00``."""
    staff_secret: str = ""
    """The shop's PIN, with which staff stamp coupons and cards."""
    forward: Forward | None = None
    industry: str = ""
    """The shop's trade, which LINE's guideline may restrict."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser

    @property
    def shop(self) -> str:
        """The shop's name for people."""
        return self.name or self.id

    @property
    def answers(self) -> bool:
        """Whether we are the one who answers."""
        return self.forward is None or not self.forward.answers

    def messages(self) -> Iterator[Message]:
        """Every message that it may send by itself."""
        for messages in (
            self.greeting,
            self.greeting_again,
            *(rule.messages for rule in self.reply),
            *(uniform.messages for uniform in self.uniform),
        ):
            yield from messages
