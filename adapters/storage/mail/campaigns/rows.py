"""Campaigns, what they say, and whose they are, in the store."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, literal_column, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare, prepare_bulk
from adapters.storage.schema.campaigns import mail_campaigns, mail_contents, mail_links
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.values import EVERYBODY, Scope

_astuple = msgspec.structs.astuple


class CampaignRowStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        columns = mail_campaigns.c
        named: Any = bindparam("named")
        self.insert = prepare_bulk(dialect, mail_campaigns)
        fixed = ("id", "advertiser", "list", "created_at", "created_by")
        self.save = prepare_bulk(
            dialect, mail_campaigns, update=[c.name for c in columns if c.name not in fixed]
        )
        self.find = prepare(dialect, select(mail_campaigns).where(columns.id == named))
        self.lock = prepare(
            dialect,
            select(mail_campaigns)
            .where(among(dialect, columns.id, "ids"))
            .order_by(columns.id)
            .with_for_update(),
        )
        self.due = prepare(
            dialect,
            select(mail_campaigns)
            .where(columns.due_at.is_not(None), columns.due_at <= bindparam("now"))
            .order_by(columns.due_at, columns.id)
            .limit(literal_column("1"))
            .with_for_update(skip_locked=True),
        )
        self.about = prepare(
            dialect,
            select(columns.advertiser, columns.list, columns.topic).where(columns.id == named),
        )
        self.keep_content = prepare_bulk(dialect, mail_contents, update=["content"])
        self.content = prepare(
            dialect,
            select(mail_contents.c.content).where(mail_contents.c.campaign == named),
        )
        self.insert_links = prepare_bulk(dialect, mail_links)
        self.delete_links = prepare(
            dialect, delete(mail_links).where(mail_links.c.campaign == named)
        )
        self.links = prepare(
            dialect,
            select(mail_links.c.url).where(mail_links.c.campaign == named).order_by(mail_links.c.n),
        )


class About(msgspec.Struct, frozen=True):
    """What the mails of a campaign are chosen by."""

    advertiser: str
    list: str
    topic: str


class Abouts:
    """Whose campaigns are, read once in a transaction."""

    def __init__(self, connection: Connection, statements: CampaignRowStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._known: dict[int, About] = {}

    def of(self, scope: Scope, campaign: int) -> About | None:
        """Whose one is; ``None`` where there is none in a scope."""
        if campaign not in self._known:
            rows = self._connection.rows(self._sql.about, named=campaign)
            if not rows:
                return None
            self._known[campaign] = About(*rows[0])
        known = self._known[campaign]
        return known if scope.covers(known.advertiser) else None

    def covers(self, scope: Scope, campaign: int) -> bool:
        """Whether a campaign lies in a scope."""
        return scope.advertisers is None or self.of(scope, campaign) is not None

    def note(self, campaign: Campaign) -> None:
        """One was read, or is not what it was."""
        self._known[campaign.id] = About(campaign.advertiser, campaign.list, campaign.topic)


class CampaignRowsInTransaction:
    """See :class:`gateway.ports.mail.campaigns.CampaignRows`. Written at once."""

    def __init__(
        self, connection: Connection, statements: CampaignRowStatements, abouts: Abouts
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._abouts = abouts
        self._locked: dict[int, Campaign] = {}
        self._writes = 0

    def add(self, scope: Scope, campaign: Campaign, content: bytes, links: Sequence[str]) -> None:
        self._writes += 1
        self._connection.write([(self._sql.insert, [_astuple(campaign)])])
        self._say(campaign, content, links)

    def lock(self, campaigns: Collection[int]) -> list[Campaign]:
        """Lock campaigns, in an order that all processes share; those that there are."""
        if more := sorted(set(campaigns) - self._locked.keys()):
            for one in campaigns_of(self._connection.rows(self._sql.lock, ids=more), EVERYBODY):
                self._keep(one)
        return [self._locked[id_] for id_ in sorted(set(campaigns)) if id_ in self._locked]

    def find(self, scope: Scope, campaign: int, *, lock: bool = True) -> Campaign | None:
        if lock:
            found = [one for one in self.lock((campaign,)) if scope.covers(one.advertiser)]
        else:
            found = campaigns_of(self._connection.rows(self._sql.find, named=campaign), scope)
        return found[0] if found else None

    def due(self, scope: Scope, now: int) -> Campaign | None:
        found = campaigns_of(self._connection.rows(self._sql.due, now=now), scope)
        if not found:
            return None
        self._keep(found[0])
        return found[0]

    def save(self, scope: Scope, campaign: Campaign) -> None:
        self._writes += 1
        self._keep(campaign)
        self._connection.write([(self._sql.save, [_astuple(campaign)])])

    def rewrite(
        self, scope: Scope, campaign: Campaign, content: bytes, links: Sequence[str]
    ) -> None:
        self.save(scope, campaign)
        self._connection.run(self._sql.delete_links, named=campaign.id)
        self._say(campaign, content, links)

    def content(self, scope: Scope, campaign: int) -> tuple[bytes, Sequence[str]] | None:
        if not self._abouts.covers(scope, campaign):
            return None
        rows = self._connection.rows
        found = rows(self._sql.content, named=campaign)
        if not found:
            return None
        return bytes(found[0][0]), [url for (url,) in rows(self._sql.links, named=campaign)]

    def _keep(self, campaign: Campaign) -> None:
        self._locked[campaign.id] = campaign
        self._abouts.note(campaign)

    def _say(self, campaign: Campaign, content: bytes, links: Sequence[str]) -> None:
        row = (campaign.id, campaign.advertiser, content)
        self._connection.write([(self._sql.keep_content, [row])])
        if links:
            rows = [(campaign.id, n, url) for n, url in enumerate(links)]
            self._connection.write([(self._sql.insert_links, rows)])


def campaigns_of(rows: Sequence[tuple[Any, ...]], scope: Scope) -> list[Campaign]:
    """Those of rows that lie in a scope."""
    return [Campaign(*row) for row in rows if scope.covers(row[1])]
