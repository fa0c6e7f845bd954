"""What units of mail lock, all at once and in one order; see
:class:`gateway.ports.mail.locks.MailLocks`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import select, union
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.mail.campaigns.rows import CampaignRowsInTransaction
from adapters.storage.mail.sizes import SizesInTransaction
from adapters.storage.schema.mail import (
    mail_consents,
    mail_imports,
    mail_recipients,
    mail_signups,
)
from gateway.domain.mail.lists import MailList
from gateway.domain.values import EVERYBODY
from gateway.ports.mail.locks import MailLocks
from gateway.ports.provisioning import Entities


class _Locking(Protocol):
    """What a unit is about."""

    @property
    def locks(self) -> MailLocks:
        """What it locks."""


class LockStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        # An id is a number of one table alone; consents tell of recipients who are deleted.
        ids: list[Any] = [
            mail_recipients.c.id,
            mail_consents.c.recipient,
            mail_signups.c.id,
            mail_imports.c.id,
        ]
        whose = union(
            *(select(each.table.c.advertiser).where(among(dialect, each, "ids")) for each in ids)
        )
        self.whose = prepare(dialect, whose)


class LocksInTransaction:
    """Locks before all else what units of mail will lock."""

    def __init__(
        self,
        connection: Connection,
        statements: LockStatements,
        campaigns: CampaignRowsInTransaction,
        sizes: SizesInTransaction,
        entities: Entities,
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._campaigns = campaigns
        self._sizes = sizes
        self._entities = entities

    def load(self, units: Sequence[_Locking]) -> None:
        """Lock what ``units`` will lock, as far as it is there."""
        locks = [unit.locks for unit in units]
        struck = {id_ for lock in locks for id_ in lock.struck}
        campaigns = struck | {id_ for lock in locks for id_ in lock.campaigns}
        found = self._campaigns.lock(campaigns) if campaigns else ()
        advertisers = {campaign.advertiser for campaign in found if campaign.id in struck}
        advertisers |= {name for lock in locks for name in lock.advertisers}
        for list_ in {list_ for lock in locks for list_ in lock.lists}:
            mail_list = self._entities.find(EVERYBODY, MailList, list_)
            if mail_list is not None:
                advertisers.add(mail_list.advertiser)
        if ids := sorted({id_ for lock in locks for id_ in lock.ids}):
            rows = self._connection.rows(self._sql.whose, ids=ids)
            advertisers |= {advertiser for (advertiser,) in rows}
        if advertisers:
            self._sizes.lock(EVERYBODY, advertisers)
