"""The simulated mail world, for ``demo``, and what the store says, to be held against it."""

import base64
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from adapters.smtp.simulator import Deed, Habits, Letter, MailWorld, Rule, Temper
from adapters.smtp.simulator.dns import NameServer
from adapters.storage.database import Connection, reading
from adapters.storage.mail.campaigns.reader import CampaignReader
from adapters.storage.mail.reader import MailReader
from gateway.config import Config
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.recipients import Source
from gateway.domain.mail.tokens import Keys
from gateway.domain.values import EVERYBODY
from gateway.main.store import beside, database_of, execute
from gateway.ports.mail.campaigns import Bounce, Send
from gateway.usecases.mail.lists import mail_keys

__all__ = [
    "Deed",
    "Habits",
    "HeldMail",
    "Letter",
    "MailWorld",
    "NameServer",
    "Rule",
    "Temper",
    "list_mail",
    "signing_key",
]

_BITS = 2048
_PAGE = 1_000


def signing_key() -> tuple[str, str]:
    """A new key that mail is signed with (PEM), and the TXT record by which it is known."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode(), f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


@dataclass(frozen=True)
class HeldMail:
    """What the store says."""

    campaigns: list[Campaign]
    sends: list[tuple[Send, str]]
    """All mails, with their addresses."""
    bounces: list[Bounce]
    """All that came back, and all that was refused."""
    figures: Mapping[int, Mapping[str, int]]
    """By campaign."""
    stopped: frozenset[tuple[str, bytes, Source]]
    """Who is not mailed any more: list, keyed hash, and by what."""
    keys: Keys
    """What tells whom the tags of mails name."""


def list_mail(config: Config) -> HeldMail:
    """All of it, beside the daemon.

    Raises:
        Transient: the store is away.
    """
    keys: Keys = execute(config, mail_keys, secrets.token_bytes(32))
    dialect = database_of(config).dialect
    campaigns, mail = CampaignReader(dialect), MailReader(dialect)
    with beside(config) as connection:
        with reading(connection):
            stops = mail.suppressed_since(connection, 0)
        known = list(_campaigns(campaigns, connection))
        sends = [send for each in known for send in _sends(campaigns, connection, each.id)]
        bounces = list(_bounces(campaigns, connection))
        with reading(connection):
            figures = {each.id: campaigns.figures(connection, EVERYBODY, each.id) for each in known}
    stopped = frozenset((each.list, each.hash, each.source) for each in stops)
    return HeldMail(known, sends, bounces, figures, stopped, keys)


def _campaigns(reader: CampaignReader, connection: Connection) -> Iterator[Campaign]:
    after = 0
    while True:
        with reading(connection):
            page = reader.page(connection, EVERYBODY, list_=None, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _sends(
    reader: CampaignReader, connection: Connection, campaign: int
) -> Iterator[tuple[Send, str]]:
    after = 0
    while True:
        with reading(connection):
            page = reader.sends(
                connection, EVERYBODY, campaign, state=None, after=after, limit=_PAGE
            )
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0].recipient


def _bounces(reader: CampaignReader, connection: Connection) -> Iterator[Bounce]:
    after = 0
    while True:
        with reading(connection):
            page = reader.bounces(connection, EVERYBODY, campaign=None, after=after, limit=_PAGE)
        yield from (bounce for bounce, _ in page)
        if len(page) < _PAGE:
            return
        after = page[-1][0].id
