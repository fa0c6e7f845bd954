"""An advertiser's own metrics, with its own token."""

import asyncio
from collections.abc import Callable, Iterator

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import AdvertiserId, Endpoint, Query
from gateway.errors import Refusal

_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Render = Callable[[Callable[[str], bool]], Iterator[bytes]]
"""Renders the metrics of the advertisers that a condition holds for, in short slices."""


class MetricsQuery(Query, frozen=True):
    """Whose metrics are shown."""

    advertiser: AdvertiserId | None = None


def endpoints(render: Render) -> list[Endpoint]:
    """The call of the API that Prometheus scrapes."""

    async def shown(ask: Ask[MetricsQuery, None]) -> bytes:
        slices = []
        for piece in render(ask.narrowed(ask.query.advertiser).covers):
            slices.append(piece)
            await asyncio.sleep(0)  # webhooks go first
        return b"".join(slices)

    return [
        Endpoint(
            method="GET",
            path="/metrics",
            summary="Scrape the metrics of the token's advertisers",
            tag="metrics",
            handler=shown,
            query=MetricsQuery,
            answer=bytes,
            media_type=_TEXT,
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="Prometheus's text format. The counters are those of this process since it "
            "started.",
        ),
    ]
