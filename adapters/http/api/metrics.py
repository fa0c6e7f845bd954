"""An advertiser's own metrics, with its own token."""

from collections.abc import Callable

import msgspec

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import AdvertiserId, Endpoint, Query
from adapters.http.problem import NO_STORE
from gateway.errors import Refusal
from gateway.ports import Answer, Request

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Render = Callable[[Request, Callable[[str], bool]], Answer]
"""The page of the advertisers that a condition holds for, in the form that a request asks for."""


class MetricsQuery(Query, frozen=True):
    """Whose metrics are shown."""

    advertiser: AdvertiserId | None = None


def endpoints(render: Render) -> list[Endpoint]:
    """The call of the API that Prometheus scrapes."""

    async def shown(ask: Ask[MetricsQuery, None]) -> Answer:
        page = render(ask.request, ask.narrowed(ask.query.advertiser).covers)
        return msgspec.structs.replace(page, headers={**page.headers, **NO_STORE})

    return [
        Endpoint(
            method="GET",
            path="/metrics",
            summary="Scrape the metrics of the token's advertisers",
            tag="metrics",
            handler=shown,
            query=MetricsQuery,
            answer=bytes,
            media_type=TEXT,
            further_types=(OPENMETRICS,),
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="Prometheus's text format, or OpenMetrics where that is asked for; packed "
            "with gzip likewise. The counters are those of this process since it started.",
        ),
    ]
