"""What a mail that came back says of one recipient."""

from typing import Literal

import msgspec

BounceClass = Literal[
    "user_unknown",
    "host_unknown",
    "moved",
    "mailbox_full",
    "too_big",
    "filtered",
    "suspended",
    "spam",
    "policy",
    "blocked",
    "throttled",
    "expired",
    "system",
    "complaint",
    "not_a_bounce",
    "other",
]
"""Why a mail did not arrive; ``complaint`` and ``not_a_bounce`` (vacation notes, reports of a
delivery) are no failures. Also a metric label.
"""

HARD: frozenset[BounceClass] = frozenset({"user_unknown", "host_unknown", "moved"})
"""The address is no good and will not get better; but see :attr:`Reading.hard`."""

COUNTS: frozenset[BounceClass] = HARD | {"mailbox_full", "suspended", "filtered"}
"""A final failure of these is a strike against the address (R75)."""

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded", ""]
"""RFC 3464, 2.3.3; empty where the mail is no report on a delivery."""


class Reading(msgspec.Struct, frozen=True):
    """What a report says of one recipient."""

    address: str
    """The recipient as the report names it, the original one where it names both; the domain in
    lower case; empty where the report hides or does not tell it.
    """
    bounce_class: BounceClass
    hard: bool = False
    """A hard class, failed for good: a delayed mail or a code 4 is never hard."""
    status: str = ""
    """RFC 3463: ``5.1.1``, or empty."""
    reply: int = 0
    """The SMTP reply code, or 0."""
    action: Action = "failed"
    text: str = ""
    """The words it was read from, at most 500 characters on one line. It may hold addresses."""
    feedback_type: str = ""
    """Of a complaint (RFC 5965, 3.1): ``abuse``, ``fraud``, ``opt-out`` …"""

    @property
    def strikes(self) -> bool:
        """Whether it is a strike against the address (R75), if the mail was ours."""
        return self.action == "failed" and self.bounce_class in COUNTS


class Original(msgspec.Struct, frozen=True):
    """What the report returned of the mail it is about; anybody can forge it."""

    message_id: str = ""
    """Without its angle brackets."""
    return_path: str = ""
    """The envelope's sender, which holds our tag."""
    to: str = ""
    """The first address of its ``To``."""
    list_unsubscribe: str = ""


class Report(msgspec.Struct, frozen=True):
    """A mail that came back, as far as it could be read."""

    readings: tuple[Reading, ...] = ()
    """One a recipient, in the report's order; empty: it is no report of any kind."""
    original: Original = Original()
