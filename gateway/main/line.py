"""LINE official accounts: their webhooks, what goes to their friends, and all that is offered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog

from adapters.line.contents import ContentClient
from adapters.line.login import LineLogins
from adapters.line.routes import Webhooks
from gateway.config import Line
from gateway.domain.hours import STAFF, is_open
from gateway.domain.line.channel import Channel
from gateway.main import (
    audience,
    cards,
    coupons,
    inbox,
    insight,
    menus,
    onboarding,
    postings,
    surveys,
)
from gateway.main.forwarding import forwarding
from gateway.main.parts import Chore, Deps, Part
from gateway.main.sending import Clients, Sending, clients
from gateway.usecases import cards as card_desk
from gateway.usecases import coupons as coupon_desk
from gateway.usecases import surveys as survey_desk
from gateway.usecases.sending import Rooms

_LOOK_SECONDS = 0.5


@asynccontextmanager
async def parts(deps: Deps, config: Line) -> AsyncIterator[list[Part]]:
    """All parts of LINE, open for as long as the daemon runs."""
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(clients(config))
        deps = replace(
            deps, platform=line.official, logins=LineLogins(line.session, config.api_url)
        )
        contents = ContentClient(line.session, config.data_api_url, line.tokens)
        found = [
            _webhooks(deps, config),
            coupons.part(deps),
            cards.part(deps),
            menus.part(deps),
            surveys.part(deps),
            audience.part(deps),
            inbox.part(deps),
            await stack.enter_async_context(inbox.contents(deps, contents)),
            insight.part(deps),
            postings.part(deps),
            onboarding.part(deps),
            await stack.enter_async_context(forwarding(deps)),
        ]
        sending = Sending(deps, line, rooms=_rooms())
        if _has_channels(deps):
            await _make_ready(deps, line)
            found.append(sending.part)
        else:
            found.append(replace(sending.part, chores=sending.part.chores | _later(deps, line)))
        yield found


def _webhooks(deps: Deps, config: Line) -> Part:
    webhooks = Webhooks(
        store=deps.store,
        ids=deps.ids,
        log=structlog.get_logger("gateway.line"),
        max_body=config.max_body_bytes,
    )
    return Part(public=webhooks.routes())


def _rooms() -> Rooms:
    """Who fills in what messages offer."""
    return Rooms(
        offers={
            "coupon": coupon_desk.offer,
            "card": card_desk.offer,
            "survey": survey_desk.offer,
        },
        points=lambda tx, channel, friend: card_desk.points(tx, channel, friend.user),
    )


def _has_channels(deps: Deps) -> bool:
    return bool(deps.store.cache.held[Channel.table])


async def _make_ready(deps: Deps, line: Clients) -> None:
    """Import what is large and that only channels need, beside the loop."""
    await line.official.load()
    await asyncio.to_thread(is_open, STAFF, deps.clock())  # Japan's holidays


def _later(deps: Deps, line: Clients) -> dict[str, Chore]:
    """The same once the first channel comes."""
    ready = False

    async def chore() -> None:
        nonlocal ready
        if not ready and _has_channels(deps):
            await _make_ready(deps, line)
            ready = True
        await asyncio.sleep(3600 if ready else _LOOK_SECONDS)

    return {"line-ready": chore}
