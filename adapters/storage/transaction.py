"""The transaction a use-case works on, and how a batch of units runs in one."""

from collections.abc import Sequence

from sqlalchemy.engine import Dialect

from adapters.storage.calls import CallsInTransaction, CallStatements
from adapters.storage.database import Connection
from adapters.storage.provisioning import (
    ProvisioningInTransaction,
    ProvisioningStatements,
    RouteCache,
    RoutesInTransaction,
)


class Statements:
    """Everything compiled for one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.calls = CallStatements(dialect)
        self.provisioning = ProvisioningStatements(dialect)


class StoreTransaction:
    """See :class:`gateway.ports.Transaction`; begun on construction, flushed before the commit."""

    def __init__(self, connection: Connection, sql: Statements, cache: RouteCache) -> None:
        connection.begin()
        self.routes_changed = cache.refresh(connection, sql.provisioning)
        self.calls = CallsInTransaction(connection, sql.calls)
        self.routes = RoutesInTransaction(cache)
        self.provisioning = ProvisioningInTransaction(connection, sql.provisioning)

    def load(self, keys: Sequence[tuple[str, str]]) -> None:
        """Lock and load the calls that the batch is about."""
        if keys:
            self.calls.load(keys)

    @property
    def writes(self) -> int:
        """How many writes were made so far."""
        return self.calls.writes + self.provisioning.writes

    def flush(self) -> None:
        """Hand all writes to the engine."""
        self.calls.flush()
