"""A unit of the store: one use-case that waits for its transaction."""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.ports import Fact, Lane, UseCase


class Unit:
    """One use-case that waits for its transaction."""

    __slots__ = (
        "argument",
        "facts",
        "future",
        "is_over",
        "lane",
        "lost",
        "once",
        "settled",
        "since",
        "use_case",
        "withdrawn",
    )

    def __init__(
        self,
        use_case: UseCase[Any],
        argument: Any,
        lane: Lane,
        future: asyncio.Future[Any],
        since: float,
    ) -> None:
        self.use_case = use_case
        self.argument = argument
        self.lane = lane
        self.future = future
        self.since = since
        self.once: bool = getattr(argument, "once", False)
        """Whether it must not run again where its COMMIT may have arrived; said by the argument."""
        self.is_over = False
        """Whether it is such a one, and its COMMIT may have arrived."""
        self.settled = False
        """Whether it counts among those that wait no more; used on the loop alone."""
        self.withdrawn = False
        self.facts: Sequence[Fact] = ()
        self.lost: Sequence[Fact] = ()
        """Its facts in a transaction whose COMMIT may or may not have arrived."""
