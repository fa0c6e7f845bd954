"""Recipients, why they may be mailed, and why they may not."""

from typing import Literal

import msgspec

from gateway.domain.mail.lists import Contract

State = Literal["active", "paused", "removed"]
"""``paused``: a hard bounce is being settled; ``removed``: struck three times (rule R75)."""

How = Literal["import", "form", "empty_mail", "api"]
"""How a consent came to us."""

Source = Literal["one_click", "page", "mail", "staff", "complaint", "strikes", "deletion"]
"""What suppressed somebody."""


class Recipient(msgspec.Struct, frozen=True):
    """One address on one list; the fields are the columns of the store, in order."""

    id: int
    advertiser: str
    list: str
    address: str
    """Normalised; on the wire it may need quotes, see :mod:`gateway.domain.mail.addresses`."""
    hash: bytes
    """Its keyed hash, the same for every list."""
    lane: str
    """Whose pace its domain keeps, see :mod:`gateway.domain.mail.lanes`."""
    attributes: str
    """JSON: an object of texts."""
    state: State = "active"
    strikes: int = 0
    struck_by: int = 0
    struck_at: int = 0
    added_at: int = 0
    contract: Contract = "postpaid"
    """Under which they count (rule R68): the list's, when they came."""


class Consent(msgspec.Struct, frozen=True):
    """Somebody's word that they may be mailed; the fields are the columns, in order."""

    id: int
    advertiser: str
    list: str
    recipient: int
    hash: bytes
    at: int
    """When it was given, not when we heard of it."""
    how: How
    evidence: str
    """What shows it: the form's address, the receipt's number, the mail's Message-ID."""
    notice: str
    """The version of the notice that was shown."""
    recorded_at: int
    last_sent_at: int = 0


class Suppression(msgspec.Struct, frozen=True):
    """Who must not be mailed; the fields are the columns, in order. It names nobody."""

    advertiser: str
    list: str
    """Empty: every list of the advertiser."""
    hash: bytes
    topic: str
    """Empty: everything."""
    id: int
    at: int
    until: int
    source: Source

    def covers(self, list_: str, topic: str, now: int) -> bool:
        """Whether it forbids a mail of a list about a topic at an instant."""
        return self.list in ("", list_) and self.topic in ("", topic) and (now < self.until)
