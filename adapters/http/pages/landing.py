"""``/``, where LINE opens every page of a LIFF app first.

A LIFF app is registered with one address, ours. LINE opens that with the way on in ``liff.state``,
and its SDK, once it runs there with the app's id, goes on to the page itself.

Source: https://developers.line.biz/en/docs/liff/opening-liff-app/
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from adapters.http.pages.base import Pages, language_of
from adapters.http.pages.card_views import landing_page
from adapters.http.router import MOST_CHARACTERS
from gateway.domain.line.channel import Channel
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route

Find = Callable[[str], Awaitable[Channel]]
"""Whose page stands behind the last part of a path; raises ``Refused`` where there is none."""


class Landing:
    """Finds the LIFF app that a page belongs to, which its address alone tells."""

    def __init__(self, pages: Pages, found: Mapping[str, Find]) -> None:
        """``found`` is by the path that the pages lie under, such as ``/p``."""
        self._pages = pages
        self._found = found

    def routes(self) -> list[Route]:
        """``GET /``."""
        return [self._pages.route("GET", "/", self._land, "liff")]

    async def _land(self, request: Request) -> Answer:
        state = parse_qs(request.query).get("liff.state", [""])[0]
        way, _, token = state.partition("?")[0].rpartition("/")
        if len(token) > MOST_CHARACTERS or "\0" in token:  # as the router has it of paths
            raise Refused(Refusal.NOT_FOUND)
        find = self._found.get(way)
        channel = await find(token) if find else None
        if channel is None or not channel.liff_id:
            raise Refused(Refusal.NOT_FOUND)
        return landing_page(language_of(request), channel)
