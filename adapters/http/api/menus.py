"""Rich menus: what is provisioned, and how it is on the platform."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import AdvertiserId, Body, Endpoint, Listing, Page, Query
from gateway.domain.access import MANAGERS
from gateway.domain.effects import NEVER
from gateway.domain.menus import RichMenu
from gateway.errors import Refusal
from gateway.ports import Answer
from gateway.ports.menus import MenuReading, Placed, Tended
from gateway.usecases.menus import Wish, hurry
from gateway.usecases.views import Instant, written

_TAG = "menus"

ChannelId = Annotated[
    str, Meta(pattern="^[a-z0-9-]{1,40}$", description="A channel's id.", examples=["acme-shop"])
]


class MenuQuery(Listing, frozen=True):
    """Which menus are listed."""

    advertiser: AdvertiserId | None = None
    channel: ChannelId | None = None


class SyncView(msgspec.Struct, frozen=True):
    """How the menus of a channel are looked after."""

    synced_at: Annotated[
        Instant | None, Meta(description="When all was last found, or made, as it shall be.")
    ]
    next_at: Instant | None
    failures: Annotated[int, Meta(description="How often in a row it did not work.")]
    error: Annotated[str | None, Meta(description="Why.")]


class MenuView(msgspec.Struct, frozen=True, kw_only=True):
    """A rich menu, and how it is on the platform."""

    id: str
    advertiser: str
    channel: str
    title: str
    width: int
    height: int
    areas: Annotated[int, Meta(description="How many parts of it can be tapped.")]
    default: bool
    segment: str | None
    alias: str | None
    priority: int
    begins: Instant | None = msgspec.field(name="from")
    until: Instant | None
    is_on: Annotated[bool, Meta(description="Whether its time is now.")]
    state: Annotated[
        Literal["waiting", "made", "ready", "failed"],
        Meta(description="On the platform; `made` has no picture yet, `failed` was refused."),
    ]
    rich_menu_id: Annotated[str | None, Meta(description="The platform's id of it.")]
    error: Annotated[str | None, Meta(description="Why the platform refused it.")]
    changed_at: Annotated[Instant | None, Meta(description="When its state last changed.")]
    sync: SyncView


class SyncWish(Body, frozen=True):
    """Whose menus are to be looked after."""

    channel: ChannelId


def endpoints(reader: MenuReading, menus: Callable[[], Mapping[str, RichMenu]]) -> list[Endpoint]:
    """The calls of the API that tell of rich menus; ``menus`` are those provisioned, by id."""

    async def listed(ask: Ask[MenuQuery, None]) -> Page[MenuView]:
        query, scope = ask.query, ask.narrowed(ask.query.advertiser)
        after = ask.after(str)
        # The writer's thread may change them: they are copied in one step.
        found = sorted(
            (
                menu
                for menu in list(menus().values())
                if scope.covers(menu.advertiser)
                and query.channel in (None, menu.channel)
                and (after is None or menu.id > str(after[0]))
            ),
            key=_id,
        )[: query.limit + 1]
        placed = await ask.read(reader.placed, scope, [menu.id for menu in found])
        tended = {each.channel: each for each in await ask.read(reader.tended, scope)}
        by_id = {each.menu: each for each in placed}
        return ask.page(
            found,
            lambda menu: (menu.id,),
            lambda menu: _shown(ask, menu, by_id.get(menu.id), tended.get(menu.channel)),
        )

    async def hurried(ask: Ask[Query, SyncWish]) -> Answer:
        return await ask.write(hurry, Wish(ask.scope, ask.body.channel, ask.now))

    return [
        Endpoint(
            method="GET",
            path="/menus",
            summary="List rich menus",
            tag=_TAG,
            handler=listed,
            query=MenuQuery,
            answer=Page[MenuView],
            refusals=(Refusal.OUT_OF_SCOPE,),
        ),
        Endpoint(
            method="POST",
            path="/menus/sync",
            summary="Look after the rich menus of a channel now",
            tag=_TAG,
            handler=hurried,
            roles=MANAGERS,
            body=SyncWish,
            status=204,
            refusals=(Refusal.NOT_FOUND,),
            description="Menus are looked after when something was provisioned, when the time of "
            "one begins or ends, and each hour; this asks for it at once, after something was "
            "changed by hand. It begins within ten seconds.",
        ),
    ]


def _id(menu: RichMenu) -> str:
    return menu.id


def _shown(
    ask: Ask[Any, Any], menu: RichMenu, placed: Placed | None, tended: Tended | None
) -> MenuView:
    def when(instant: int) -> str | None:
        return written(instant, ask.wiring.zone) if 0 < instant < NEVER else None

    if placed is not None and placed.version != menu.version:
        placed = None  # that is the one that it replaces
    return MenuView(
        id=menu.id,
        advertiser=menu.advertiser,
        channel=menu.channel,
        title=menu.title,
        width=menu.width,
        height=menu.height,
        areas=len(menu.areas),
        default=menu.default,
        segment=menu.segment or None,
        alias=menu.alias or None,
        priority=menu.priority,
        begins=when(menu.begins),
        until=when(menu.until),
        is_on=menu.is_on(ask.now),
        state=placed.state if placed else "waiting",
        rich_menu_id=placed.platform_id or None if placed else None,
        error=placed.error or None if placed else None,
        changed_at=when(placed.synced_at) if placed else None,
        sync=SyncView(
            synced_at=when(tended.synced_at) if tended else None,
            next_at=when(tended.due_at) if tended else None,
            failures=tended.failures if tended else 0,
            error=tended.error or None if tended else None,
        ),
    )
