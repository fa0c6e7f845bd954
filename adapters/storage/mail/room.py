"""Mail lists as a room of a transaction."""

from functools import cached_property

from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection
from adapters.storage.mail.consents import ConsentsInTransaction, ConsentStatements
from adapters.storage.mail.entrance import EntranceInTransaction, EntranceStatements
from adapters.storage.mail.recipients import RecipientsInTransaction, RecipientStatements
from adapters.storage.mail.sizes import SizesInTransaction, SizeStatements
from adapters.storage.mail.suppressions import SuppressionsInTransaction, SuppressionStatements
from adapters.storage.mail.tags import TagsInTransaction, TagStatements
from adapters.storage.mail.traces import TracesInTransaction, TraceStatements


class MailStatements:
    """All statements of the room, compiled when they are first used."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    @cached_property
    def recipients(self) -> RecipientStatements:
        """Those of recipients."""
        return RecipientStatements(self._dialect)

    @cached_property
    def tags(self) -> TagStatements:
        """Those of tags."""
        return TagStatements(self._dialect)

    @cached_property
    def suppressions(self) -> SuppressionStatements:
        """Those of suppressions."""
        return SuppressionStatements(self._dialect)

    @cached_property
    def consents(self) -> ConsentStatements:
        """Those of consents and proofs."""
        return ConsentStatements(self._dialect)

    @cached_property
    def entrance(self) -> EntranceStatements:
        """Those of sign-ups and imports."""
        return EntranceStatements(self._dialect)

    @cached_property
    def sizes(self) -> SizeStatements:
        """Those of sizes."""
        return SizeStatements(self._dialect)

    @cached_property
    def traces(self) -> TraceStatements:
        """Those of what is kept of one person."""
        return TraceStatements(self._dialect)


class MailInTransaction:
    """See :class:`gateway.ports.mail.lists.MailRoom`."""

    def __init__(self, connection: Connection, statements: MailStatements) -> None:
        self._connection = connection
        self._sql = statements

    @cached_property
    def recipients(self) -> RecipientsInTransaction:
        return RecipientsInTransaction(self._connection, self._sql.recipients, self.sizes)

    @cached_property
    def tags(self) -> TagsInTransaction:
        return TagsInTransaction(self._connection, self._sql.tags)

    @cached_property
    def suppressions(self) -> SuppressionsInTransaction:
        return SuppressionsInTransaction(self._connection, self._sql.suppressions, self.sizes)

    @cached_property
    def consents(self) -> ConsentsInTransaction:
        return ConsentsInTransaction(self._connection, self._sql.consents, self.recipients)

    @cached_property
    def entrance(self) -> EntranceInTransaction:
        return EntranceInTransaction(self._connection, self._sql.entrance)

    @cached_property
    def sizes(self) -> SizesInTransaction:
        return SizesInTransaction(self._connection, self._sql.sizes)

    @cached_property
    def traces(self) -> TracesInTransaction:
        return TracesInTransaction(self._connection, self._sql.traces)

    @property
    def writes(self) -> int:
        opened = ("recipients", "tags", "suppressions", "consents", "entrance", "sizes")
        return sum(self.__dict__[name].writes for name in opened if name in self.__dict__)

    def flush(self) -> None:
        """Write the sizes that changed."""
        if "sizes" in self.__dict__:
            self.sizes.flush()
