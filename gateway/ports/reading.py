"""Reads beside the writer."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from gateway.ports.store import Store

R = TypeVar("R")


class Reads(Store, Protocol):
    """A store that can also be read without waiting for its writer."""

    async def read(self, query: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """``query(connection, …)`` in a transaction of a read-only connection.

        Raises:
            Transient: the store is away or closed, or the query took longer than two seconds.
        """
