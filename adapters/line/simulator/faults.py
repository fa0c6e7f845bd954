"""What can be made to go wrong with the API's answers, so that outcomes become unknowable."""

import asyncio
import random
from dataclasses import dataclass
from typing import Literal

Trouble = Literal["fail", "lose", "cut"]

MESSAGES = "/v2/bot/message/"
"""The paths that faults are about unless told otherwise: whatever sends a message."""


@dataclass
class _Plan:
    """One fault that was switched on; ``left`` requests of ``path`` still suffer it."""

    kind: Trouble
    path: str
    left: int
    probability: float
    status: int = 0
    handled: bool = False


class Faults:
    """Switches; each concerns the requests whose path begins with ``path``.

    The first switch that applies to a request decides. Switches of ``next`` requests end by
    themselves, those of a ``probability`` stay until :meth:`clear`.
    """

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed}/faults")
        self._plans: list[_Plan] = []
        self._delay = 0.0
        self._delayed = ""

    def fail(
        self,
        next: int = 0,  # noqa: A002 - it reads as what it means: fail the next three
        status: int = 500,
        *,
        probability: float = 0.0,
        path: str = MESSAGES,
        handled: bool = False,
    ) -> None:
        """Answer ``status``; with ``handled`` only after the request had its full effect."""
        self._plans.append(_Plan("fail", path, next, probability, status, handled))

    def lose_answers(
        self,
        next: int = 0,  # noqa: A002 - as above
        *,
        probability: float = 0.0,
        path: str = MESSAGES,
    ) -> None:
        """Handle the request, then cut the connection in place of the answer."""
        self._plans.append(_Plan("lose", path, next, probability))

    def cut_before(
        self,
        next: int = 0,  # noqa: A002 - as above
        *,
        probability: float = 0.0,
        path: str = MESSAGES,
    ) -> None:
        """Cut the connection before the request has any effect."""
        self._plans.append(_Plan("cut", path, next, probability))

    def delay(self, seconds: float, *, path: str = MESSAGES) -> None:
        """Let each request wait so long (real time) before it is handled."""
        self._delay, self._delayed = seconds, path

    def clear(self) -> None:
        """Switch everything off."""
        self._plans.clear()
        self._delay = 0.0

    async def pause(self, path: str) -> None:
        """Wait as :meth:`delay` says."""
        if self._delay and path.startswith(self._delayed):
            await asyncio.sleep(self._delay)

    def strike(self, path: str) -> "_Plan | None":
        """The fault that a request of ``path`` suffers, and is thereby used up by."""
        for plan in self._plans:
            if not path.startswith(plan.path):
                continue
            if plan.left > 0:
                plan.left -= 1
                return plan
            if plan.probability and self._rng.random() < plan.probability:
                return plan
        return None
