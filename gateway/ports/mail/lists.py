"""Mail lists in the store: recipients, consents, suppressions, sign-ups, imports, counts."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.mail.importing.imports import Import, Outcome
from gateway.domain.mail.lists import Contract
from gateway.domain.mail.recipients import Consent, Recipient, Suppression
from gateway.domain.values import Scope
from gateway.ports.mail.campaigns import Bounce
from gateway.ports.mail.traces import Response, Sent


class Signup(msgspec.Struct, frozen=True):
    """A sign-up that waits for its confirmation; the fields are the columns, in order."""

    id: int
    advertiser: str
    list: str
    address: str
    hash: bytes
    network: str
    how: str
    attributes: str
    evidence: str
    notice: str
    at: int
    state: str = "waiting"
    """``waiting``, ``confirmed``, or ``dropped``."""


class Recipients(Protocol):
    """Who is on a list. Each write keeps :class:`Sizes` exact, in the same transaction."""

    def find(self, scope: Scope, list_: str, hashes: Sequence[bytes]) -> dict[bytes, Recipient]:
        """Recipients of a list, locked, by their hashes."""

    def get(self, scope: Scope, recipients: Sequence[int]) -> dict[int, Recipient]:
        """Recipients by id, locked; those that are gone are left out."""

    def everywhere(self, scope: Scope, advertiser: str, hash_: bytes) -> Sequence[Recipient]:
        """One address on all lists of an advertiser, locked."""

    def save(self, scope: Scope, recipients: Sequence[Recipient], now: int) -> None:
        """Keep recipients, new or changed; of one that is there the list, the hash and the contract
        stay.
        """

    def delete(self, scope: Scope, recipients: Sequence[int], now: int) -> int:
        """Take recipients and their tags out; consents and suppressions stay. How many went."""

    def page(self, scope: Scope, list_: str, after: int, limit: int) -> Sequence[Recipient]:
        """Recipients of a list by id, beyond ``after``."""


class Tags(Protocol):
    """Tags of recipients."""

    def of(self, scope: Scope, recipients: Sequence[int]) -> Mapping[int, frozenset[str]]:
        """The tags of recipients; those without any are left out."""

    def add(self, scope: Scope, recipients: Sequence[Recipient], tags: Sequence[str]) -> None:
        """Tag recipients; a tag that is there stays."""

    def remove(self, scope: Scope, recipients: Sequence[int], tags: Sequence[str]) -> None:
        """Untag recipients."""


class Suppressions(Protocol):
    """Who must not be mailed. Each write keeps :class:`Sizes` exact, in the same transaction."""

    def of(
        self, scope: Scope, advertiser: str, hashes: Sequence[bytes]
    ) -> Mapping[bytes, Sequence[Suppression]]:
        """What suppresses addresses, whatever list and topic; those without any are left out."""

    def add(self, scope: Scope, suppressions: Sequence[Suppression]) -> int:
        """Suppress; of two about the same list and topic the one that ends later stands. How many
        are new, or last longer now.
        """

    def lift(self, scope: Scope, suppression: Suppression, now: int) -> bool:
        """End one, since the person consented anew; whether there was one."""

    def forget(self, scope: Scope, now: int, limit: int) -> int:
        """Delete some of those that have ended; their addresses count again, from that instant on.
        How many went.
        """


class Consents(Protocol):
    """Why somebody may be mailed, and what is left of it at a contract's end."""

    def add(self, scope: Scope, consents: Sequence[Consent]) -> None:
        """Keep consents."""

    def of(self, scope: Scope, recipient: int) -> Sequence[Consent]:
        """Those of a recipient, also of one who was deleted; the oldest first."""

    def of_hash(self, scope: Scope, advertiser: str, hash_: bytes) -> Sequence[Consent]:
        """Those of an address, on all lists of an advertiser."""

    def sent(self, scope: Scope, campaign: int, after: int, limit: int) -> int:
        """Note when a campaign's mail went, in the consents of its recipients beyond ``after``, at
        most ``limit`` of them; returns the last recipient looked at, 0 at the end.
        """

    def seal(self, scope: Scope, advertiser: str, now: int, limit: int) -> int:
        """At a contract's end: turn at most ``limit`` consents into sealed proofs, and delete what
        they, the recipients and all about them say, single mails, and what campaigns say. To be
        called until it returns 0: how many rows it did this time. Suppressions stay: they name
        nobody.
        """

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete consents and proofs whose last mail (else the consent itself) was before an
        instant, and whose recipient is gone. How many went.
        """


Countable = Literal["hash", "network", "form"]
"""What sign-ups are counted by: whose they are, where they come from, or the list whose form it
was.
"""


class Signups(Protocol):
    """Sign-ups on their way."""

    def add(self, scope: Scope, signup: Signup) -> None:
        """Keep one."""

    def find(self, scope: Scope, signup: int) -> Signup | None:
        """One, locked."""

    def settle(self, scope: Scope, signup: int, state: str) -> None:
        """Say what became of one; its address goes when it is dropped."""

    def count(self, scope: Scope, by: Countable, of: bytes | str, since: int) -> int:
        """How many there were since an instant, of all advertisers whatever the scope: nobody is
        flooded by many lists at once.
        """

    def drop(self, scope: Scope, advertiser: str, hash_: bytes) -> int:
        """Drop all of an address that an advertiser's lists hold, whatever became of them, with
        what they say: at the wish of the person. How many.
        """

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete those that were asked for before an instant."""


class Imports(Protocol):
    """Files of recipients on their way in."""

    def add(self, scope: Scope, imported: Import) -> None:
        """Keep a new one."""

    def find(self, scope: Scope, imported: int) -> Import | None:
        """One, locked."""

    def save(
        self, scope: Scope, imported: Import, lines: Sequence[tuple[int, Outcome, str]]
    ) -> None:
        """Keep how far it is, and what became of lines that were not simply added."""

    def running(self, scope: Scope) -> Sequence[Import]:
        """Those that are not over."""

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete imports and their reports made before an instant."""


class Sizes(Protocol):
    """How many addresses an advertiser may mail under a contract: an address on two of its lists
    counts once.
    """

    def lock(self, scope: Scope, advertisers: Collection[str]) -> None:
        """Lock the sizes of advertisers, in an order that all processes share: before any of their
        recipients. Of whom nothing was ever kept, nothing is locked.
        """

    def now(self, scope: Scope, advertiser: str, contract: Contract) -> int:
        """How many at this moment."""

    def maximum(self, scope: Scope, advertiser: str, contract: Contract, month: str) -> int:
        """The most there were at any moment of a month of Asia/Tokyo (``2026-11``), exactly: one
        that begins with what there was at the end of the one before (rule R68).
        """


class Traces(Protocol):
    """Of recipients by their ids, also of those that were deleted; the latest campaign first."""

    def sends(
        self, scope: Scope, advertiser: str, recipients: Sequence[int], limit: int
    ) -> Sequence[Sent]:
        """Their mails."""

    def responses(
        self, scope: Scope, advertiser: str, recipients: Sequence[int], limit: int
    ) -> Sequence[Response]:
        """What they did with them."""

    def bounces(
        self, scope: Scope, advertiser: str, recipients: Sequence[int], limit: int
    ) -> Sequence[Bounce]:
        """What came back of them."""

    def signups(self, scope: Scope, advertiser: str, hash_: bytes, limit: int) -> Sequence[Signup]:
        """Sign-ups of an address, whatever became of them, the latest first."""


class MailRoom(Protocol):
    """Mail lists as a room of a transaction."""

    @property
    def recipients(self) -> Recipients:
        """Who is on them."""

    @property
    def tags(self) -> Tags:
        """Their tags."""

    @property
    def suppressions(self) -> Suppressions:
        """Who must not be mailed."""

    @property
    def consents(self) -> Consents:
        """Why one may be mailed."""

    @property
    def entrance(self) -> "Entrance":
        """Sign-ups and imports."""

    @property
    def sizes(self) -> Sizes:
        """How many there are."""

    @property
    def traces(self) -> Traces:
        """What else is kept of one of them."""


class Entrance(Protocol):
    """How recipients come in."""

    @property
    def signups(self) -> Signups:
        """By themselves."""

    @property
    def imports(self) -> Imports:
        """By files."""


class MailReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def recipients(
        self, connection: Any, scope: Scope, list_: str, *, after: int, limit: int
    ) -> Sequence[Recipient]:
        """Recipients of a list by id."""

    def imports(
        self, connection: Any, scope: Scope, list_: str, *, after: int, limit: int
    ) -> Sequence[Import]:
        """Imports of a list by id."""

    def lines(
        self, connection: Any, scope: Scope, imported: int, *, after: int, limit: int
    ) -> Sequence[tuple[int, Outcome, str]]:
        """The report of an import, by line."""

    def sizes(
        self, connection: Any, scope: Scope, month: str
    ) -> Mapping[tuple[str, Contract], tuple[int, int]]:
        """Addresses now and the month's maximum, by advertiser and contract."""

    def suppressed_since(self, connection: Any, after: int) -> Sequence[Suppression]:
        """Suppressions with ids beyond ``after``, by id: what running sends look at."""
