"""The peer: aiohttp on uvloop, a handler that reads the body and answers a fixed document."""

import sys

import uvloop
from aiohttp import web

from adapters.twilio.twiml import CONTENT_TYPE, render
from gateway.domain.values import Dial
from tests.bench.servers import SHOPS
from tests.bench.traffic import PUBLIC_URL, shop

_DOCUMENT = render(Dial(("+81312345678",)), PUBLIC_URL)
_HEADERS = {"Content-Type": CONTENT_TYPE}


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=_DOCUMENT, headers=_HEADERS)


def main() -> None:
    app = web.Application()
    shops = [f"/line/{shop(ordinal)}" for ordinal in range(SHOPS)]
    for path in ("/twilio/voice", "/twilio/status", *shops):
        app.router.add_post(path, answer)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop=uvloop.new_event_loop(),
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
