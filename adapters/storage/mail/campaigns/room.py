"""Mail campaigns as a room of a transaction."""

from functools import cached_property

from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection
from adapters.storage.mail.campaigns.beats import BeatsInTransaction, BeatStatements
from adapters.storage.mail.campaigns.bounces import BouncesInTransaction, BounceStatements
from adapters.storage.mail.campaigns.figures import FiguresInTransaction, FigureStatements
from adapters.storage.mail.campaigns.locks import LockStatements
from adapters.storage.mail.campaigns.lookups import LookupsInTransaction, LookupStatements
from adapters.storage.mail.campaigns.rows import (
    Abouts,
    CampaignRowsInTransaction,
    CampaignRowStatements,
)
from adapters.storage.mail.campaigns.sends import SendsInTransaction, SendStatements
from adapters.storage.mail.campaigns.standing import StandingInTransaction, StandingStatements
from adapters.storage.mail.campaigns.waiting import WaitingInTransaction, WaitingStatements


class CampaignStatements:
    """All statements of the room, compiled when they are first used."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    @cached_property
    def rows(self) -> CampaignRowStatements:
        """Those of campaigns themselves."""
        return CampaignRowStatements(self._dialect)

    @cached_property
    def sends(self) -> SendStatements:
        """Those of mails."""
        return SendStatements(self._dialect)

    @cached_property
    def waiting(self) -> WaitingStatements:
        """That of what waits to be sent."""
        return WaitingStatements(self._dialect)

    @cached_property
    def lookups(self) -> LookupStatements:
        """Those of single mails."""
        return LookupStatements(self._dialect)

    @cached_property
    def figures(self) -> FigureStatements:
        """Those of counts."""
        return FigureStatements(self._dialect)

    @cached_property
    def bounces(self) -> BounceStatements:
        """Those of bounces."""
        return BounceStatements(self._dialect)

    @cached_property
    def beats(self) -> BeatStatements:
        """Those of processes that send."""
        return BeatStatements(self._dialect)

    @cached_property
    def locks(self) -> LockStatements:
        """Those of locks."""
        return LockStatements(self._dialect)

    @cached_property
    def standing(self) -> StandingStatements:
        """Those of checks and confirmations."""
        return StandingStatements(self._dialect)


class CampaignsInTransaction(CampaignRowsInTransaction):
    """See :class:`gateway.ports.mail.campaigns.CampaignRoom`."""

    def __init__(self, connection: Connection, statements: CampaignStatements) -> None:
        abouts = Abouts(connection, statements.rows)
        super().__init__(connection, statements.rows, abouts)
        self._all = statements

    @cached_property
    def sends(self) -> SendsInTransaction:
        return SendsInTransaction(self._connection, self._all.sends, self._abouts, self.figures)

    @cached_property
    def waiting(self) -> WaitingInTransaction:
        return WaitingInTransaction(self._connection, self._all.waiting, self._abouts)

    @cached_property
    def lookups(self) -> LookupsInTransaction:
        return LookupsInTransaction(self._connection, self._all.lookups, self._abouts, self.sends)

    @cached_property
    def figures(self) -> FiguresInTransaction:
        return FiguresInTransaction(self._connection, self._all.figures, self._abouts)

    @cached_property
    def bounces(self) -> BouncesInTransaction:
        return BouncesInTransaction(self._connection, self._all.bounces, self._abouts)

    @cached_property
    def beats(self) -> BeatsInTransaction:
        return BeatsInTransaction(self._connection, self._all.beats)

    @cached_property
    def standing(self) -> StandingInTransaction:
        return StandingInTransaction(self._connection, self._all.standing)

    @property
    def writes(self) -> int:
        opened = ("sends", "lookups", "figures", "bounces", "beats", "standing")
        writes: int = sum(self.__dict__[name].writes for name in opened if name in self.__dict__)
        return self._writes + writes

    def flush(self) -> None:
        """Write what was counted."""
        if "figures" in self.__dict__:
            self.figures.flush()
