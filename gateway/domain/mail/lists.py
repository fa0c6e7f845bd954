"""A mail list as it is provisioned: whose it is, who sends, and what the law wants shown."""

from typing import ClassVar, Literal

import msgspec

Contract = Literal["postpaid", "prepaid"]
"""``postpaid`` (W): recipients are never exported, and views mask their addresses (rule R83)."""


class Dkim(msgspec.Struct, frozen=True):
    """What a list's mail is signed with (RFC 6376)."""

    domain: str
    selector: str
    key: str
    """A private key of RSA, PEM."""

    def __repr__(self) -> str:
        # What changed is shown to whoever applies, and this is a secret.
        return f"Dkim({self.domain!r}, {self.selector!r}, key=•••)"


class MailList(msgspec.Struct, frozen=True):
    """One list of recipients, and how it mails them."""

    table: ClassVar[str] = "mail_list"

    id: str
    advertiser: str
    sender: str
    """The From address: ``news@acme.example``."""
    sender_display: str
    """The name before it, or nothing."""
    sender_name: str
    """Who is responsible, as the law wants it shown (特定電子メール法, Art. 4)."""
    sender_address: str
    """Their postal address."""
    contact: str
    """Where complaints go: an address or a URL."""
    bounce_domain: str
    dkim: Dkim | None = None
    reply_to: str = ""
    contract: Contract = "postpaid"
    attributes: tuple[str, ...] = ()
    """What may be known of a recipient beside the address."""
    topics: tuple[str, ...] = ()
    """What one may stop singly."""
    notice: str = ""
    """What who signs up is shown: what for, who sends, how to stop."""
    notice_version: str = "1"
    """Kept with each consent; a changed notice gets a new one."""
    signup: bool = False
    """Whether the form at ``/s/{id}`` is open."""
    empty_mail: bool = False
    """Whether an empty mail to ``{id}@`` the domain of incoming mail signs up."""
    quiet: str = ""
    """Hours in which nothing is sent, such as ``21:00-08:00``, on Asia/Tokyo's clocks."""
    pause_percent: int = 10
    """A campaign of which more than this share bounced is paused."""
    click_tracking: bool = True
    open_tracking: bool = False

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser

    @property
    def may_export(self) -> bool:
        """Whether the contractor may see and take out addresses (rule R83)."""
        return self.contract != "postpaid"
