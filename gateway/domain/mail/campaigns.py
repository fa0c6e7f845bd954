"""Campaigns: from a draft to the last bounce, as a table of states."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.domain.values import SECOND
from gateway.errors import InvalidTransition

State = Literal["draft", "scheduled", "fixing", "sending", "paused", "closing", "done", "canceled"]
"""``fixing``: its recipients are written down; ``closing``: all was tried, bounces come in."""

Event = Literal[
    "schedule", "unschedule", "begin", "fixed", "pause", "resume", "empty", "cancel", "settle"
]

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    "draft": {"schedule": "scheduled", "cancel": "canceled"},
    "scheduled": {"unschedule": "draft", "begin": "fixing", "cancel": "canceled"},
    "fixing": {"fixed": "sending", "pause": "paused", "cancel": "canceled"},
    "sending": {"pause": "paused", "empty": "closing", "cancel": "canceled"},
    "paused": {"resume": "fixing", "cancel": "canceled"},
    "closing": {"settle": "done"},
    "done": {},
    "canceled": {},
}
"""What follows what; :func:`moved` refuses all else. Whoever resumes goes on fixing first: where
all recipients are fixed already, only those who were paused meanwhile are let go."""

_SAID: Mapping[Event, str] = {
    "schedule": "be scheduled",
    "unschedule": "be unscheduled",
    "pause": "be paused",
    "resume": "be resumed",
    "cancel": "be cancelled",
}
"""What a person wishes of a campaign, in a sentence."""

GIVE_UP_SECONDS = 24 * 3600
SETTLE_SECONDS = 4 * 24 * 3600
"""Bounces come up to three days late: only then a sent mail counts as delivered."""

SendState = Literal[
    "queued", "attempting", "sent", "deferred", "failed", "suppressed", "canceled", "held"
]
"""What became of one recipient's mail. ``held``: in doubt, since its process died or its
connection broke after the last byte; a person or the campaign's policy decides."""

Doubt = Literal["hold", "send", "drop"]
"""What is done with a mail in doubt: kept for a person, sent again, or counted as failed."""

IN_DOUBT = "in_doubt"
"""The class of a mail that was counted as failed although it may have gone: it is never sent again,
and what tells that it went is believed."""


def is_missed(state: str, bounce_class: str) -> bool:
    """Whether a mail did not reach its recipient: it failed, bounced, or was cancelled before it
    went. What may have gone is not sent again, whoever counted it as failed.
    """
    if state == "failed":
        return bounce_class != IN_DOUBT
    return state == "canceled" or (state == "sent" and bounce_class != "")


def may_be_missed(campaign: "Campaign", figures: Mapping[str, int]) -> int:
    """How many recipients a campaign did not reach, by its figures. Who was struck out since, or
    deleted, is among them.
    """
    names = ["canceled"]
    if campaign.state == "canceled":
        names += ["queued", "deferred"]  # they are taken back a piece at a time
    names += [name for name in figures if name.startswith(("failed:", "bounced:"))]
    return sum(figures.get(name, 0) for name in names)


CampaignResult = Literal[
    "done",
    "canceled",
    "paused_for_bounces",
    "paused_for_unwritable",
    "paused_for_fault",
    "paused_for_check",
]
"""How a campaign ended, or why it was paused by itself. Also a metric label."""


class Condition(msgspec.Struct, frozen=True):
    """One thing that must hold of a recipient."""

    field: str
    """``tag``, or an attribute."""
    op: Literal["is", "is_not", "contains", "below", "above", "has", "has_not"]
    """``has`` and ``has_not`` need no value; of a tag they ask for the one named ``value``."""
    value: str = ""


class Audience(msgspec.Struct, frozen=True):
    """Who of a list gets a campaign: all of it, as far as these hold."""

    segment: str = ""
    """The id of a ``[[mail_segment]]``."""
    conditions: tuple[Condition, ...] = ()
    """All of them must hold."""
    failed_of: int = 0
    """Only those whom this campaign did not reach; see :func:`is_missed`."""


class Campaign(msgspec.Struct, frozen=True):
    """One message to many; the fields are the columns of the store, in order."""

    id: int
    advertiser: str
    list: str
    name: str
    topic: str
    audience: str
    """JSON of :class:`Audience`."""
    created_at: int
    created_by: str
    at: int
    """When it is to begin; 0: as soon as it is scheduled."""
    state: State = "draft"
    due_at: int | None = None
    parts: int = 1
    """In how many parts of about the same size it goes out."""
    part_seconds: int = 0
    """How long after the one before a part begins."""
    give_up_seconds: int = GIVE_UP_SECONDS
    """How long one recipient's mail is tried, from its first attempt."""
    doubt: Doubt = "hold"
    pause_percent: int = 10
    expected: int = 0
    """How many recipients of the list were looked at, before any of them was left out."""
    fixed: int = 0
    """How many of them it goes to."""
    fixed_to: int = 0
    """The last recipient that was looked at: while they are fixed, and once more when the mails
    that went are noted with the consents; :data:`ALL` behind the last one. Below zero: all are
    fixed, and while no more go those that went were noted so far."""
    started_at: int = 0
    ended_at: int = 0
    """When the last recipient's mail was tried."""
    settled_at: int = 0
    """When its bounces were taken as complete."""
    reason: str = ""
    """Why it was paused or canceled, in a word."""

    @property
    def is_open(self) -> bool:
        """Whether anything can still go out."""
        return self.state in ("scheduled", "fixing", "sending", "paused")

    @property
    def can_pause(self) -> bool:
        """Whether it goes on, so that it can be paused."""
        return "pause" in TRANSITIONS[self.state]

    @property
    def is_fixed(self) -> bool:
        """Whether all its recipients are written down."""
        return self.fixed_to == ALL or self.fixed_to < 0

    @property
    def settles_at(self) -> int:
        """When its bounces will count as complete (microseconds)."""
        return self.ended_at + SETTLE_SECONDS * SECOND

    @property
    def whom(self) -> Audience:
        """Who gets it."""
        return _audience.decode(self.audience)

    def due_of(self, hash_: bytes) -> int:
        """When the part is due that a recipient belongs to.

        The keyed hash of an address is as good as chance: the parts are of about the same size,
        whatever the order in which recipients came, and a recipient's part never changes.
        """
        part = int.from_bytes(hash_[:8]) % self.parts
        return self.started_at + part * self.part_seconds * SECOND


ALL = 2**63 - 1
"""Behind the last recipient: no id is so large."""

_audience = msgspec.json.Decoder(Audience)


def encode_audience(audience: Audience) -> str:
    """``audience`` as the store keeps it."""
    return msgspec.json.encode(audience).decode()


def moved(state: State, event: Event) -> State:
    """The state after an event.

    Raises:
        InvalidTransition: the event cannot happen in this state.
    """
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise InvalidTransition(f"a campaign that is {state} cannot {_SAID.get(event, event)}")
    return after


class Letter(msgspec.Struct, frozen=True):
    """One recipient's mail, handed out to be sent."""

    campaign: int
    recipient: int
    address: str
    hash: bytes
    lane: str
    attributes: str
    attempts: int
    first_at: int
    """0: this is its first attempt."""


class Result(msgspec.Struct, frozen=True):
    """What came of a letter."""

    campaign: int
    recipient: int
    state: SendState
    at: int
    due_at: int | None = None
    """When it is tried again, where it is deferred."""
    tried: bool = True
    """Whether a server was asked about it at all."""
    code: int = 0
    bounce_class: str = ""
    text: str = ""
