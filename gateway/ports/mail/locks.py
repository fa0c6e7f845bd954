"""What units of mail lock, said before they run."""

from typing import ClassVar, Protocol

import msgspec


class MailLocks(msgspec.Struct, frozen=True):
    """What a unit locks. What all units of a transaction lock is locked before the first of them
    runs, campaigns first and then advertisers' sizes, each in their order: so two processes wait
    for each other, and neither for ever. What lies below them (recipients, mails) is locked by
    whoever holds these.
    """

    campaigns: tuple[int, ...] = ()
    struck: tuple[int, ...] = ()
    """Campaigns whose advertisers' sizes are locked, too."""
    ids: tuple[int, ...] = ()
    """Recipients, sign-ups and imports, whose advertisers' sizes are locked."""
    lists: tuple[str, ...] = ()
    """Lists, of which the same holds."""
    advertisers: tuple[str, ...] = ()
    """The same, by name."""


class Locking(msgspec.Struct, frozen=True):
    """What a unit is about that says by ``locks`` what it locks."""

    room: ClassVar[str] = "mail_locks"


class _Campaign(Protocol):
    @property
    def campaign(self) -> int: ...


class _List(Protocol):
    @property
    def list(self) -> str: ...


class _Advertiser(Protocol):
    @property
    def advertiser(self) -> str: ...


class OfCampaign(Locking, frozen=True):
    """The wish of a unit that locks the campaign it names."""

    @property
    def locks(self: _Campaign) -> MailLocks:
        """That campaign."""
        return MailLocks(campaigns=(self.campaign,))


class OfList(Locking, frozen=True):
    """The wish of a unit that changes recipients of the list it names."""

    @property
    def locks(self: _List) -> MailLocks:
        """The sizes of the list's advertiser."""
        return MailLocks(lists=(self.list,))


class OfAdvertiser(Locking, frozen=True):
    """The wish of a unit that changes recipients of the advertiser it names."""

    @property
    def locks(self: _Advertiser) -> MailLocks:
        """The advertiser's sizes."""
        return MailLocks(advertisers=(self.advertiser,))
