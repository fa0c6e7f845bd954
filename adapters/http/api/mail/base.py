"""What the calls of mail share: what is behind them, and how addresses are shown."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.audience import Held
from gateway.domain.mail.addresses import masked_address
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.consent import read_moment
from gateway.domain.mail.importing.csvfile import Layout
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Content
from gateway.errors import Refusal, Refused
from gateway.ports.mail.campaigns import CampaignReading
from gateway.ports.mail.lists import MailReading
from gateway.ports.mail.pages import MailKeys, Recalls
from gateway.usecases.views import written

TAG = "mail"

Halted = Annotated[
    bool, Meta(description="Whether `gateway stop-sends` holds the advertiser's mails just now.")
]

LIST: Mapping[str, Any] = {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"}
"""The schema of a path parameter that is a list's id."""

ListId = Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}$", description="A mail list's id.")]

Address = Annotated[
    str, Meta(min_length=1, max_length=400, description="A mail address, as people write it.")
]

ConsentMoment = Annotated[
    str,
    Meta(
        pattern="^[0-9]{4}[-/.年]",
        max_length=40,
        description="When they agreed: a time with its offset from UTC (RFC 3339), or a day of "
        "Asia/Tokyo.",
        examples=["2026-11-01", "2026-11-01T09:00:00+09:00"],
    ),
]

RecipientId = Annotated[str, Meta(pattern="^[0-9]{1,18}$", description="A recipient's id.")]

Values = Annotated[
    dict[
        Annotated[str, Meta(max_length=40)],
        Annotated[str, Meta(max_length=500)],
    ],
    Meta(max_length=100, description="Attributes of the list, by name."),
]


class Staging(Protocol):
    """Where files of imports lie until all of their lines are taken in."""

    async def keep(self, imported: int, advertiser: str, pieces: AsyncIterator[bytes]) -> str:
        """Write a file of an advertiser's down; its SHA-256.

        Raises:
            Refused: the body is refused while it comes; nothing is kept.
            Transient: there are too many files already, of all or of this one.
        """

    async def examine(self, imported: int, mail_list: MailList) -> Layout:
        """What a file that was kept is.

        Raises:
            Refused: FILE_INVALID, with what to mend.
        """

    def drop(self, imported: int) -> None:
        """Take a file away."""


class Previewed(msgspec.Struct, frozen=True):
    """A message as one recipient would get it."""

    subject: str
    text: str
    html: str | None
    size: Annotated[int, Meta(description="Bytes of the whole mail.")]


Composing = Callable[[Content, MailList, Mapping[str, str]], Awaitable[Previewed]]
"""Composes a content of a list for a recipient with these attributes, with links that lead
nowhere. It refuses as sending would."""


class Mail(msgspec.Struct, frozen=True):
    """What is behind the calls of mail."""

    held: Held
    lists: MailReading
    campaigns: CampaignReading
    keys: MailKeys
    recall: Recalls
    changed: Callable[[Campaign], object]
    """Told of campaigns that a person paused or cancelled, before they are answered."""
    staging: Staging
    compose: Composing
    halted: Callable[[Any, str], bool]
    """Whether an advertiser's mails are halted now, for whoever reads beside the writer."""


def list_of(ask: Ask[Any, Any], held: Held, id_: str | None = None) -> MailList:
    """The list of an id, else of the one in the path.

    Raises:
        Refused: there is none of that id in the scope.
    """
    mail_list = held(MailList).get(ask.parameters["id"] if id_ is None else id_)
    if not isinstance(mail_list, MailList) or not ask.scope.covers(mail_list.advertiser):
        raise Refused(Refusal.NOT_FOUND, "there is no such list")
    return mail_list


def is_masked(ask: Ask[Any, Any], mail_list: MailList | None) -> bool:
    """Whether addresses of a list are masked for who asks: under the contract that forbids export
    (rule R83), and for viewers. Of a list that is gone nobody knows the contract any more.
    """
    return mail_list is None or not mail_list.may_export or not ask.access.sees_callers


def shown_address(address: str, *, masked: bool) -> str:
    """An address as it is shown."""
    return masked_address(address) if masked else address


def shown_attributes(attributes: Mapping[str, str], *, masked: bool) -> dict[str, str]:
    """A recipient's attributes as they are shown: masked, of each the first character."""
    if not masked:
        return dict(attributes)
    return {name: f"{value[:1]}***" for name, value in attributes.items()}


def consent_instant(text: str) -> int:
    """The instant of a :data:`ConsentMoment`, read as in files and commands.

    Raises:
        Refused: it is none.
    """
    at = read_moment(text)
    if at is None:
        detail = "consent_at: write it like 2026-11-01, or 2026-11-01T09:00:00+09:00"
        raise Refused(Refusal.CONSENT_INVALID, detail)
    return at


def instant(ask: Ask[Any, Any], at: int) -> str | None:
    """An instant as it is shown; ``None`` where it did not come yet."""
    return written(at, ask.wiring.zone) if at else None
