"""The transaction a use-case works on, and how a batch of units runs in one."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol, TypeVar

from sqlalchemy.engine import Dialect

from adapters.storage.access import AccessInTransaction, AccessStatements
from adapters.storage.audience import AudienceInTransaction, AudienceStatements
from adapters.storage.calls import CallsInTransaction, CallStatements
from adapters.storage.cards import (
    CardCodesInTransaction,
    CardCodeStatements,
    CardsInTransaction,
    CardStatements,
    SigningInTransaction,
    SigningStatements,
)
from adapters.storage.contents import ContentsInTransaction, ContentStatements
from adapters.storage.coupon_platform import (
    CouponPlatformInTransaction,
    CouponPlatformStatements,
)
from adapters.storage.coupons import CouponsInTransaction, CouponStatements
from adapters.storage.database import Connection
from adapters.storage.erasure import ErasureInTransaction, ErasureStatements
from adapters.storage.inbox import InboxInTransaction, InboxStatements
from adapters.storage.insight import (
    InsightInTransaction,
    InsightStatements,
    PlatformFiguresInTransaction,
    ReportsInTransaction,
)
from adapters.storage.line import LineInTransaction, LineStatements
from adapters.storage.links import LinksInTransaction, LinkStatements
from adapters.storage.mail.campaigns.locks import LocksInTransaction
from adapters.storage.mail.campaigns.room import CampaignsInTransaction, CampaignStatements
from adapters.storage.mail.room import MailInTransaction, MailStatements
from adapters.storage.menus import (
    BlobsInTransaction,
    BlobStatements,
    MenusInTransaction,
    MenuStatements,
)
from adapters.storage.outbox import OutboxInTransaction
from adapters.storage.outbox_statements import OutboxStatements
from adapters.storage.postings import PostingsInTransaction, PostingStatements
from adapters.storage.provisioning import (
    EntitiesInTransaction,
    ProvisioningInTransaction,
    ProvisioningStatements,
    RouteCache,
    RoutesInTransaction,
)
from adapters.storage.pushes import PushesInTransaction, PushStatements
from adapters.storage.surveys import SurveysInTransaction, SurveyStatements


class Room(Protocol):
    """One room of a transaction: it counts its writes, and may keep them until the flush."""

    @property
    def writes(self) -> int:
        """How many writes were made so far."""

    def flush(self) -> None:
        """Hand over what waits to be written."""


R = TypeVar("R", bound=Room)


class Statements:
    """Everything compiled for one dialect; what few use is compiled when it is first used."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.calls = CallStatements(dialect)
        self.provisioning = ProvisioningStatements(dialect)

    @cached_property
    def access(self) -> AccessStatements:
        """Those of tokens, repeated writes and the audit."""
        return AccessStatements(self._dialect)

    @cached_property
    def line(self) -> LineStatements:
        """Those of LINE's events and friends."""
        return LineStatements(self._dialect)

    @cached_property
    def outbox(self) -> OutboxStatements:
        """Those of effects."""
        return OutboxStatements(self._dialect)

    @cached_property
    def coupons(self) -> CouponStatements:
        """Those of coupons' tickets."""
        return CouponStatements(self._dialect)

    @cached_property
    def coupon_platform(self) -> CouponPlatformStatements:
        """Those of LINE's own coupons."""
        return CouponPlatformStatements(self._dialect)

    @cached_property
    def cards(self) -> CardStatements:
        """Those of shop cards."""
        return CardStatements(self._dialect)

    @cached_property
    def card_codes(self) -> CardCodeStatements:
        """Those of the codes that were scanned."""
        return CardCodeStatements(self._dialect)

    @cached_property
    def signing(self) -> SigningStatements:
        """Those of signing keys."""
        return SigningStatements(self._dialect)

    @cached_property
    def audience(self) -> AudienceStatements:
        """Those of tags and segments."""
        return AudienceStatements(self._dialect)

    @cached_property
    def pushes(self) -> PushStatements:
        """Those of pushes and steps."""
        return PushStatements(self._dialect)

    @cached_property
    def menus(self) -> MenuStatements:
        """Those of rich menus."""
        return MenuStatements(self._dialect)

    @cached_property
    def blobs(self) -> BlobStatements:
        """Those of files that entities name."""
        return BlobStatements(self._dialect)

    @cached_property
    def links(self) -> LinkStatements:
        """Those of short links."""
        return LinkStatements(self._dialect)

    @cached_property
    def insight(self) -> InsightStatements:
        """Those of figures by day, and of what people write beside them."""
        return InsightStatements(self._dialect)

    @cached_property
    def postings(self) -> PostingStatements:
        """Those of the posting calendar."""
        return PostingStatements(self._dialect)

    @cached_property
    def surveys(self) -> SurveyStatements:
        """Those of surveys."""
        return SurveyStatements(self._dialect)

    @cached_property
    def inbox(self) -> InboxStatements:
        """Those of notes and templates."""
        return InboxStatements(self._dialect)

    @cached_property
    def contents(self) -> ContentStatements:
        """Those of messages' contents."""
        return ContentStatements(self._dialect)

    @cached_property
    def erasure(self) -> ErasureStatements:
        """Those that take people out."""
        return ErasureStatements(self._dialect)

    @cached_property
    def mail(self) -> MailStatements:
        """Those of mail lists."""
        return MailStatements(self._dialect)

    @cached_property
    def campaigns(self) -> CampaignStatements:
        """Those of mail campaigns."""
        return CampaignStatements(self._dialect)


class StoreTransaction:
    """See :class:`gateway.ports.Transaction`; begun on construction, flushed before the commit."""

    def __init__(
        self, connection: Connection, sql: Statements, cache: RouteCache, public_url: str = ""
    ) -> None:
        connection.begin()
        self.public_url = public_url
        self._connection = connection
        self._sql = sql
        self._rooms: list[Room] = []
        self.routes_changed = cache.refresh(connection, sql.provisioning)
        self.routes = RoutesInTransaction(cache)
        self.entities = EntitiesInTransaction(cache)

    @cached_property
    def calls(self) -> CallsInTransaction:
        return self._opened(CallsInTransaction(self._connection, self._sql.calls))

    @cached_property
    def provisioning(self) -> ProvisioningInTransaction:
        return self._opened(ProvisioningInTransaction(self._connection, self._sql.provisioning))

    @cached_property
    def access(self) -> AccessInTransaction:
        return self._opened(AccessInTransaction(self._connection, self._sql.access))

    @cached_property
    def line(self) -> LineInTransaction:
        return self._opened(LineInTransaction(self._connection, self._sql.line))

    @cached_property
    def outbox(self) -> OutboxInTransaction:
        return self._opened(OutboxInTransaction(self._connection, self._sql.outbox))

    @cached_property
    def coupons(self) -> CouponsInTransaction:
        return self._opened(CouponsInTransaction(self._connection, self._sql.coupons))

    @cached_property
    def coupon_platform(self) -> CouponPlatformInTransaction:
        return self._opened(
            CouponPlatformInTransaction(self._connection, self._sql.coupon_platform)
        )

    @cached_property
    def cards(self) -> CardsInTransaction:
        return self._opened(CardsInTransaction(self._connection, self._sql.cards))

    @cached_property
    def card_codes(self) -> CardCodesInTransaction:
        return self._opened(CardCodesInTransaction(self._connection, self._sql.card_codes))

    @cached_property
    def signing(self) -> SigningInTransaction:
        return self._opened(SigningInTransaction(self._connection, self._sql.signing))

    @cached_property
    def audience(self) -> AudienceInTransaction:
        return self._opened(AudienceInTransaction(self._connection, self._sql.audience))

    @cached_property
    def pushes(self) -> PushesInTransaction:
        return self._opened(PushesInTransaction(self._connection, self._sql.pushes))

    @cached_property
    def menus(self) -> MenusInTransaction:
        return self._opened(MenusInTransaction(self._connection, self._sql.menus))

    @cached_property
    def blobs(self) -> BlobsInTransaction:
        return self._opened(BlobsInTransaction(self._connection, self._sql.blobs))

    @cached_property
    def insight(self) -> InsightInTransaction:
        return self._opened(InsightInTransaction(self._connection, self._sql.insight))

    @cached_property
    def platform_figures(self) -> PlatformFiguresInTransaction:
        return self._opened(PlatformFiguresInTransaction(self._connection, self._sql.insight))

    @cached_property
    def reports(self) -> ReportsInTransaction:
        return self._opened(ReportsInTransaction(self._connection, self._sql.insight))

    @cached_property
    def postings(self) -> PostingsInTransaction:
        return self._opened(PostingsInTransaction(self._connection, self._sql.postings))

    @cached_property
    def links(self) -> LinksInTransaction:
        return self._opened(LinksInTransaction(self._connection, self._sql.links))

    @cached_property
    def surveys(self) -> SurveysInTransaction:
        return self._opened(SurveysInTransaction(self._connection, self._sql.surveys))

    @cached_property
    def inbox(self) -> InboxInTransaction:
        return self._opened(InboxInTransaction(self._connection, self._sql.inbox))

    @cached_property
    def contents(self) -> ContentsInTransaction:
        return self._opened(ContentsInTransaction(self._connection, self._sql.contents))

    @cached_property
    def erasure(self) -> ErasureInTransaction:
        return self._opened(ErasureInTransaction(self._connection, self._sql.erasure))

    @cached_property
    def mail(self) -> MailInTransaction:
        return self._opened(MailInTransaction(self._connection, self._sql.mail))

    @cached_property
    def campaigns(self) -> CampaignsInTransaction:
        return self._opened(CampaignsInTransaction(self._connection, self._sql.campaigns))

    @cached_property
    def mail_locks(self) -> LocksInTransaction:
        """What units of mail lock before any of them runs."""
        return LocksInTransaction(
            self._connection,
            self._sql.campaigns.locks,
            self.campaigns,
            self.mail.sizes,
            self.entities,
        )

    def load(self, arguments: Sequence[Any]) -> None:
        """Lock and load what the units of a batch are about, a room at a time."""
        by_room: dict[str, list[Any]] = {}
        for argument in arguments:
            room = getattr(argument, "room", None)
            if room is not None:
                by_room.setdefault(room, []).append(argument)
        for room in sorted(by_room):
            getattr(self, room).load(by_room[room])

    @property
    def writes(self) -> int:
        """How many writes were made so far."""
        return sum(room.writes for room in self._rooms)

    @property
    def asked_for_effects(self) -> bool:
        """Whether there is more to be done once this is committed."""
        return "outbox" in self.__dict__ and self.outbox.has_new

    def flush(self) -> None:
        """Hand all writes to the engine, in an order of rooms that all processes share: what is
        counted for many is locked here.
        """
        for room in sorted(self._rooms, key=lambda room: type(room).__name__):
            room.flush()

    def _opened(self, room: R) -> R:
        self._rooms.append(room)
        return room
