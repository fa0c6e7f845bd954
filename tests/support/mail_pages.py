"""The pages of mail, served for tests; and the keys and the recall that they ask."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from adapters.http.pages.base import Pages
from adapters.http.pages.mail_links import MailLinkPages
from adapters.http.pages.signups import SignupPages
from adapters.http.pages.stops import StopPages
from adapters.storage.mail.pages import MailPageReader
from adapters.storage.store import SqlStore
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.recipients import Suppression
from gateway.domain.mail.tokens import Keys
from gateway.domain.values import EVERYBODY, Seed
from gateway.errors import Transient, Trouble
from gateway.ports import Route
from tests.support.browser import Site, site
from tests.support.mail_lists import KEYS, NEWS, NOON, PUBLIC, MailDesk
from tests.support.stores import Engine, dialect_of

__all__ = ["CAMPAIGN", "LINKS", "Held", "Noted", "away", "campaign", "opened_at"]

CAMPAIGN = 7_000
LINKS = ("https://shop.example.jp/sale?a=1&b=2", "https://shop.example.jp/events")


class Held:
    """The keys, as if the store had told them."""

    async def get(self) -> Keys:
        return KEYS


@dataclass
class Noted:
    """A recall that keeps what it is told."""

    suppressions: list[Suppression] = field(default_factory=list)

    def note(self, suppressions: Sequence[Suppression]) -> None:
        self.suppressions += suppressions


async def away(*_: object, **__: object) -> None:
    """A store's ``run``, where the store is away."""
    raise Transient(Trouble.STORE_DOWN)


def campaign(desk: MailDesk, id_: int = CAMPAIGN) -> Campaign:
    """A campaign of the list NEWS with two links."""
    made = Campaign(
        id=id_,
        advertiser="acme",
        list=NEWS.id,
        name="Sale",
        topic="",
        audience="{}",
        created_at=NOON,
        created_by="test",
        at=0,
        state="sending",
    )
    with desk.transaction() as tx:
        tx.campaigns.add(EVERYBODY, made, b"{}", LINKS)
    return made


def opened_at(
    engine: Engine, desk: MailDesk, noted: Noted | None = None
) -> AbstractAsyncContextManager[Site]:
    """All pages of mail."""
    reader = MailPageReader(dialect_of(engine.name))
    recall, keys = noted or Noted(), Held()

    def seed(now: int, ids: int) -> Seed:
        desk.now = now
        return desk.seed(ids)

    def routes(store: SqlStore, pages: Pages) -> list[Route]:
        stops = StopPages(store, reader, pages, keys, recall, seed)
        signups = SignupPages(store, reader, pages, keys, PUBLIC, seed)
        links = MailLinkPages(store, reader, pages, keys)
        return [*stops.routes(), *signups.routes(), *links.routes()]

    return site(engine, routes, NOON)
