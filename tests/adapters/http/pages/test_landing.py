"""The page that LIFF opens first: what it is asked for goes to whoever knows such tokens."""

import asyncio
from urllib.parse import quote

import pytest
from multidict import CIMultiDict

from adapters.http.pages.base import Pages
from adapters.http.pages.landing import Landing
from adapters.http.server import SILENT
from gateway.domain.line.channel import Channel
from gateway.errors import Refusal, Refused
from gateway.ports import Request


@pytest.mark.parametrize("token", ["a\0b", "a" * 201])
def test_what_no_path_could_hold_is_not_looked_for(token: str) -> None:
    """A NUL, which PostgreSQL takes in no text, and what is too long reach no store."""

    async def find(given: str) -> Channel:
        raise AssertionError(f"{given!r} was looked for")

    (route,) = Landing(Pages(SILENT, None), {"/q": find}).routes()
    query = f"liff.state={quote(f'/q/{token}', safe='')}"
    asked = Request("GET", "/", query, CIMultiDict(), b"", 0, "1", {})
    with pytest.raises(Refused) as caught:
        asyncio.run(_answered(route.handler(asked)))
    assert caught.value.reason is Refusal.NOT_FOUND


async def _answered(answer: object) -> object:
    return await answer  # type: ignore[misc]  # a handler gives an awaitable
