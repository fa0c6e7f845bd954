"""Whether a list may send: what was found of its domains, and what a person confirmed of it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.domain.mail.lists import MailList
from gateway.domain.mail.recipients import Recipient
from gateway.domain.values import Scope


class Confirmation(msgspec.Struct, frozen=True):
    """Somebody's word that the law is kept (rule R130); the fields are the columns, in order."""

    list: str
    advertiser: str
    at: int
    actor: str


class MailCheck(msgspec.Struct, frozen=True):
    """What `gateway mail check` found of a list; the fields are the columns, in order."""

    list: str
    advertiser: str
    at: int
    aligned: bool
    """Whether From, DKIM and SPF agree on whose mail it is."""
    findings: str
    """JSON: a list of what was found, for people."""
    overridden_by: str = ""
    """Who wants to send all the same."""
    overridden_at: int = 0
    about: bytes = b""
    """A digest of the settings that were looked at: of others it says nothing."""


class Standing(Protocol):
    """What a list's sends wait for, and what they leave behind."""

    def confirmation(self, scope: Scope, list_: str) -> Confirmation | None:
        """The confirmation of a list."""

    def confirm(self, scope: Scope, confirmation: Confirmation) -> None:
        """Keep one; a later one takes the place of the one before."""

    def check(self, scope: Scope, list_: str) -> MailCheck | None:
        """The last check of a list."""

    def keep(self, scope: Scope, check: MailCheck) -> None:
        """Keep a check, new or overridden, in the place of the last one."""

    def tried(self, scope: Scope, mail_list: MailList, day: str, more: int, most: int) -> bool:
        """Count addresses that trials of a list go to on a day, unless they are more than ``most``
        then; whether they were counted.
        """

    def paused(self, scope: Scope, list_: str, before: int, limit: int) -> Sequence[Recipient]:
        """Recipients of a list that are paused, struck last before an instant, locked; at most
        ``limit``.
        """
