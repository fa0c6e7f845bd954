"""Campaigns in the store: their recipients' mails, contents, figures, and what came back."""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.mail.campaigns import Campaign, Letter, Result, SendState
from gateway.domain.values import Scope
from gateway.ports.mail.standing import Standing


class Bounce(msgspec.Struct, frozen=True):
    """Something that came back about a mail; the fields are the columns, in order."""

    id: int
    advertiser: str
    list: str
    campaign: int
    recipient: int
    at: int
    source: Literal["smtp", "report", "text", "complaint"]
    bounce_class: str
    action: str
    code: int
    status: str
    text: str


class Send(msgspec.Struct, frozen=True):
    """What became of one recipient's mail; the fields are the columns, in order."""

    campaign: int
    recipient: int
    lane: str
    state: SendState
    due_at: int | None
    attempts: int
    owner: int
    first_at: int
    at: int
    code: int
    bounce_class: str
    text: str


class CampaignRows(Protocol):
    """Campaigns."""

    def add(self, scope: Scope, campaign: Campaign, content: bytes, links: Sequence[str]) -> None:
        """Keep a new one, what it says, and where its links lead to."""

    def find(self, scope: Scope, campaign: int, *, lock: bool = True) -> Campaign | None:
        """One, locked unless it is only read."""

    def due(self, scope: Scope, now: int) -> Campaign | None:
        """The one whose next step has been due the longest, locked; none that another process
        works on.
        """

    def save(self, scope: Scope, campaign: Campaign) -> None:
        """Keep one that changed."""

    def rewrite(
        self, scope: Scope, campaign: Campaign, content: bytes, links: Sequence[str]
    ) -> None:
        """Keep what a draft says now."""

    def content(self, scope: Scope, campaign: int) -> tuple[bytes, Sequence[str]] | None:
        """What one says, and where its links lead to."""


class Sends(Protocol):
    """The mails of a campaign, a row for each recipient. Each write keeps the campaign's figures,
    in the same transaction.
    """

    def fix(self, scope: Scope, campaign: Campaign, due: Sequence[tuple[int, str, int]]) -> None:
        """Write recipients down: their ids, lanes, and when their mail is due."""

    def claim(
        self, scope: Scope, campaign: int, lane: str, now: int, limit: int, owner: int
    ) -> Sequence[Letter]:
        """Hand out what is due in a lane as ``attempting``, the longest due first, at most
        ``limit``; recipients who are suppressed, paused or gone by now are put aside as
        ``suppressed`` instead, and do not count towards the limit's letters. Where there are many
        of those there may be fewer letters, or none, and yet more be due: the figures tell.
        """

    def settle(
        self, scope: Scope, results: Sequence[Result], owner: int | None = None
    ) -> Set[tuple[int, int]]:
        """Keep what came of letters; one that was taken as in doubt meanwhile gets its true result.
        What another process than ``owner`` attempts, or attempted last, takes none but ``sent``:
        that a mail went counts for one that waits again, too, and for one that was dropped in
        doubt. What is over is not changed. Of which mails something was changed: campaigns and
        recipients.
        """

    def doubt(self, scope: Scope, owners: Sequence[int], now: int, limit: int) -> Mapping[str, int]:
        """Hold what processes attempted that are no more, at most ``limit``; how many of each
        advertiser. Campaigns are not locked for it: whoever settles locks them before their mails.
        """

    def release(self, scope: Scope, campaign: int, to: SendState, now: int, limit: int) -> int:
        """Put at most ``limit`` mails that are in doubt into another state: ``queued`` again, or
        ``failed`` (its class is :data:`~gateway.domain.mail.campaigns.IN_DOUBT` then). How many.
        """

    def open(self, scope: Scope, campaign: int) -> Mapping[SendState, int]:
        """How many mails are not over, by state; exact, and cheap (of the figures)."""


class Waiting(Protocol):
    """What waits to be sent, of many campaigns at a time."""

    def due(self, scope: Scope, lanes: Sequence[tuple[int, str]], now: int) -> Set[tuple[int, str]]:
        """Those lanes of campaigns of which a mail is due; cheap, however many wait."""


class SendLookups(Protocol):
    """One recipient's mails, those that were missed, and those that are still to come."""

    def one(self, scope: Scope, campaign: int, recipient: int) -> Send | None:
        """One recipient's mail, locked."""

    def missed(
        self, scope: Scope, campaign: int, after: int, limit: int
    ) -> tuple[Sequence[int], int]:
        """Some of the recipients whom a campaign did not reach
        (:func:`~gateway.domain.mail.campaigns.is_missed`), by id, beyond ``after``, at most
        ``limit``; and the last recipient that was looked at, 0 at the end.
        """

    def cancel(self, scope: Scope, campaign: int, now: int, limit: int) -> int:
        """Take back at most ``limit`` mails that wait; how many."""

    def unfinished(self, scope: Scope, advertiser: str) -> Campaign | None:
        """A campaign of an advertiser that has mails to send, or to note with the consents; the
        oldest.
        """

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete mails of campaigns that are settled and began before an instant; figures stay. How
        many.
        """


class Figures(Protocol):
    """Counts of a campaign."""

    def add(self, scope: Scope, campaign: int, amounts: Mapping[str, int]) -> None:
        """Count."""

    def of(self, scope: Scope, campaign: int) -> Mapping[str, int]:
        """All counts of a campaign."""

    def responded(self, scope: Scope, campaign: int, recipient: int, what: str, at: int) -> bool:
        """Note what a recipient did, or what came of their mail: ``open``, ``click``, ``stop``,
        ``complaint`` or ``delayed``; whether that is the first time.
        """


class Bounces(Protocol):
    """What came back."""

    def add(self, scope: Scope, bounces: Sequence[Bounce]) -> None:
        """Keep some in the log."""

    def mark(self, scope: Scope, campaign: int, recipient: int, bounce_class: str) -> bool:
        """Note on a sent mail that it bounced; whether it had not bounced before."""

    def last(
        self, scope: Scope, list_: str, recipients: Sequence[int]
    ) -> Mapping[int, Sequence[Send]]:
        """Of recipients of a list their last mails that went or failed, some of each, the latest
        campaign first: what strikes in a row are counted of. Only the list's last campaigns are
        looked at.
        """

    def reset(self, scope: Scope, campaign: Campaign, limit: int) -> int:
        """Clear the strikes of recipients whose mail of a settled campaign arrived, where they
        were struck before it; how many.
        """

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete the log from before an instant."""


class SenderBeats(Protocol):
    """Which processes send."""

    def beat(self, scope: Scope, owner: int, now: int) -> None:
        """Say that a process lives."""

    def silent(self, scope: Scope, looker: int, now: int, patience: int) -> Sequence[int]:
        """Others that attempt something, of whom ``looker`` has heard nothing new for at least
        ``patience`` (microseconds), by its own ``now`` alone: clocks of two machines are never
        compared. What it hears now is noted for its next look; with no patience all others are
        silent. One of whom it heard nothing new for a day is dropped, with what that one heard.
        """


class CampaignRoom(CampaignRows, Protocol):
    """Campaigns as a room of a transaction."""

    @property
    def sends(self) -> Sends:
        """Their mails."""

    @property
    def waiting(self) -> Waiting:
        """What waits of many of them."""

    @property
    def lookups(self) -> SendLookups:
        """Single mails."""

    @property
    def figures(self) -> Figures:
        """Their counts."""

    @property
    def bounces(self) -> Bounces:
        """What came back."""

    @property
    def beats(self) -> SenderBeats:
        """Who sends."""

    @property
    def standing(self) -> Standing:
        """What sends wait for."""


class CampaignReading(Protocol):
    """The same beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def page(
        self,
        connection: Any,
        scope: Scope,
        *,
        list_: str | None,
        after: int,
        limit: int,
        newest_first: bool = False,
    ) -> Sequence[Campaign]:
        """Campaigns of one list or of all, by id, behind ``after``; 0: from the beginning."""

    def figures(self, connection: Any, scope: Scope, campaign: int) -> Mapping[str, int]:
        """The counts of a campaign."""

    def sends(
        self,
        connection: Any,
        scope: Scope,
        campaign: int,
        *,
        state: SendState | None,
        after: int,
        limit: int,
    ) -> Sequence[tuple[Send, str]]:
        """Mails of a campaign by recipient, with their addresses (empty: deleted)."""

    def bounces(
        self,
        connection: Any,
        scope: Scope,
        *,
        campaign: int | None,
        after: int,
        limit: int,
        newest_first: bool = False,
    ) -> Sequence[tuple[Bounce, str]]:
        """The bounce log by id, behind ``after`` (0: from the beginning), with the recipients'
        addresses.
        """

    def active(self, connection: Any) -> Sequence[Campaign]:
        """Campaigns that are being sent, or were until a moment ago: what senders watch."""

    def due(self, connection: Any, now: int) -> bool:
        """Whether any campaign's next step is due."""
