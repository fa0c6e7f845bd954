"""The pages that Prometheus scrapes: which form, how packed, whose."""

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from urllib.parse import parse_qsl

from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from metrics import process
from metrics.advertisers import Format
from metrics.observer import Metrics

TYPES: dict[Format, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

_MOST_PARTS = 10_000
_MOST_HEADER = 1_000
"""Signs of a header that are looked at: scrapers say it in 200."""
_TURNS = 3
"""Of the loop, for each slice: where webhooks come thick, scrapes take the smaller part of it."""
_PACKED_AT_ONCE = 2**19
"""Bytes that are handed to the packing thread in one go, at least."""
_LEVEL = 1  # the page is the same names again and again: more effort saves next to nothing
_GZIP = {"Content-Encoding": "gzip"}


class Exposition:
    """The pages of one process's metrics. Packing has a thread of its own, so that the figures are
    to be had even where the threads of others are all at work.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "metrics")

    def routes(self) -> list[Route]:
        """The pages of the metrics listener."""
        return [
            Route("GET", "/metrics", self._process, "metrics", "process"),
            Route("GET", "/metrics/advertisers", self._advertisers, "metrics", "advertisers"),
        ]

    def advertisers(
        self,
        request: Request,
        shows: Callable[[str], bool] | None = None,
        shard: tuple[int, int] = (0, 1),
    ) -> Answer:
        """The metrics of the advertisers that ``shows`` says yes to, in the form and packing that
        ``request`` asks for; of ``shard`` (part, parts) alone.
        """
        form = _form(request)
        return self._page(request, form, self._metrics.advertisers.render(form, *shard, shows))

    async def _process(self, request: Request) -> Answer:
        form = _form(request)
        return self._page(request, form, process.render(self._metrics.snapshot(), form))

    async def _advertisers(self, request: Request) -> Answer:
        return self.advertisers(request, shard=_shard(request.query))

    def _page(self, request: Request, form: Format, slices: Iterator[bytes]) -> Answer:
        pieces = self._paced(slices)
        if not _takes_gzip(request):
            return Answer(content_type=TYPES[form], pieces=pieces)
        return Answer(content_type=TYPES[form], headers=_GZIP, pieces=self._packed(pieces))

    async def _paced(self, pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
        """One piece in a few turns of the loop, whoever else scrapes: webhooks go between."""
        while True:
            async with self._turn:
                piece = next(pieces, None)
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
            if piece is None:
                return
            yield piece

    async def _packed(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        packer = zlib.compressobj(_LEVEL, wbits=31)  # 31: with the head and the sum of gzip
        held = bytearray()
        async with aclosing(pieces):
            async for piece in pieces:
                held += piece
                if len(held) >= _PACKED_AT_ONCE:
                    if packed := await loop.run_in_executor(self._thread, packer.compress, held):
                        yield packed
                    held = bytearray()
        yield await loop.run_in_executor(self._thread, packer.compress, held) + packer.flush()


def _form(request: Request) -> Format:
    """The form that is asked for rather; text, where neither is named."""
    wanted = _weights(request, "Accept")
    openmetrics = wanted.get("application/openmetrics-text", 0.0)
    return "openmetrics" if openmetrics and openmetrics >= wanted.get("text/plain", 0) else "text"


def _takes_gzip(request: Request) -> bool:
    return _weights(request, "Accept-Encoding").get("gzip", 0) > 0


def _weights(request: Request, header: str) -> dict[str, float]:
    """What a header accepts, each with its greatest weight (RFC 9110, section 12.4.2)."""
    weights: dict[str, float] = {}
    # Of a megabyte of headers, which a stranger may send, the look would take a second.
    told = ",".join(request.headers.getall(header, ()))[:_MOST_HEADER]
    for each in told.lower().split(","):
        what, *parameters = (part.strip() for part in each.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        weight = 1.0
        if re.fullmatch(r"[01](\.[0-9]{0,3})?", given.get("q", "")):
            weight = float(given["q"])
        weights[what] = max(weight, weights.get(what, 0))
    return weights


def _shard(query: str) -> tuple[int, int]:
    """The part and the number of parts that ``query`` asks for."""
    asked = [value for key, value in parse_qsl(query, keep_blank_values=True) if key == "shard"]
    if not asked:
        return 0, 1
    found = re.fullmatch(r"([0-9]{1,5})/([1-9][0-9]{0,4})", asked[0])
    if found and len(asked) == 1:
        part, parts = int(found[1]), int(found[2])
        if part <= parts <= _MOST_PARTS:
            return part % parts, parts
    raise Refused(Refusal.ABSURD_VALUE, "shard is i/n, with i from 0 to n-1 or from 1 to n")
