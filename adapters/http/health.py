"""Whether the process lives, and whether it should get requests."""

from collections.abc import Callable
from typing import Literal

from gateway.ports import Answer, Request, Route

Readiness = Literal["starting", "ready", "degraded", "draining"]


def routes(readiness: Callable[[], Readiness]) -> list[Route]:
    """``/healthz`` and ``/readyz``, for load balancers and supervisors.

    ``degraded`` is still 200: calls are forwarded from the cache and their events are spooled, so
    taking the process out of rotation would lose what works.
    """

    async def healthz(request: Request) -> Answer:
        return Answer(b"ok\n")

    async def readyz(request: Request) -> Answer:
        state = readiness()
        status = 200 if state in ("ready", "degraded") else 503
        return Answer(f"{state}\n".encode(), status)

    return [
        Route("GET", "/healthz", healthz, "health", "healthz"),
        Route("GET", "/readyz", readyz, "health", "readyz"),
    ]
