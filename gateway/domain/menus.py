"""Rich menus: the picture with buttons below a chat, who sees which, and what has to change."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar, Literal

import msgspec

from gateway.domain.effects import NEVER

PREFIX = "gw/"
"""What the names of menus begin with that we made; others' are never touched."""

MOST_LINKED = 500
"""So many friends one call of the platform shows a menu to."""

State = Literal["made", "ready", "failed"]
"""Of a menu on the platform: ``made`` has no picture yet, ``failed`` was refused."""

_canonical = msgspec.json.Encoder(order="sorted").encode


class Area(msgspec.Struct, frozen=True):
    """A part of the picture, in its pixels, and what a tap on it does."""

    x: int
    y: int
    width: int
    height: int
    action: dict[str, Any]
    """An action object of the platform."""


class RichMenu(msgspec.Struct, frozen=True):
    """One menu of a channel."""

    table: ClassVar[str] = "rich_menu"

    id: str
    advertiser: str
    channel: str
    title: str
    """What the bar says that opens it."""
    width: int
    height: int
    picture: str
    """SHA-256 of its picture, whose bytes the store keeps beside."""
    media_type: str
    areas: tuple[Area, ...] = ()
    selected: bool = True
    """Whether it is open when the chat is."""
    default: bool = False
    """Whether all see it who have none of their own."""
    segment: str = ""
    """The friends who see it instead; empty for none."""
    alias: str = ""
    """The name by which tabs of other menus switch to it; empty for none."""
    priority: int = 0
    """Where several fit, the highest is shown."""
    begins: int = 0
    until: int = NEVER
    """It is shown from the one instant and before the other (microseconds)."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser

    def is_on(self, now: int) -> bool:
        """Whether it is shown at an instant."""
        return self.begins <= now < self.until

    @property
    def version(self) -> str:
        """What tells it from the same menu as it was before: a hash of all that the platform
        holds of it, since the platform cannot change a menu.
        """
        return sha256(_canonical([self._shown(), self.picture])).hexdigest()[:16]

    @property
    def name(self) -> str:
        """What it is called on the platform. No friend sees it; we find it again by that."""
        return f"{PREFIX}{self.id}/{self.version}"

    def document(self) -> dict[str, Any]:
        """The menu in the platform's words."""
        return self._shown() | {"name": self.name}

    def _shown(self) -> dict[str, Any]:
        return {
            "size": {"width": self.width, "height": self.height},
            "selected": self.selected,
            "chatBarText": self.title,
            "areas": [
                {
                    "bounds": {"x": a.x, "y": a.y, "width": a.width, "height": a.height},
                    "action": a.action,
                }
                for a in self.areas
            ],
        }


# --- who sees what ---


class Named(msgspec.Struct, frozen=True):
    """A menu with its name on the platform, which is computed once."""

    menu: RichMenu
    name: str

    @property
    def id(self) -> str:
        """The menu's id."""
        return self.menu.id


class Showing(msgspec.Struct, frozen=True):
    """What a channel shall show at an instant."""

    prepared: tuple[Named, ...] = ()
    """What is to be on the platform: whatever is shown now, and what will be."""
    default: Named | None = None
    aliases: Mapping[str, Named] = {}
    segments: tuple[Named, ...] = ()
    """Those of segments, the first of which wins where a friend is in several."""

    @property
    def digest(self) -> str:
        """What tells it from another one."""
        told = [
            [named.name for named in self.prepared],
            self.default and self.default.name,
            {alias: named.name for alias, named in self.aliases.items()},
            [[named.menu.segment, named.name] for named in self.segments],
        ]
        return sha256(_canonical(told)).hexdigest()


def showing(menus: Iterable[RichMenu], now: int) -> Showing:
    """What a channel with these ``menus`` shows at an instant. Where several fit, the one with the
    highest priority is shown, then the one whose time began last, then the first by id.
    """
    ranked = sorted(menus, key=lambda menu: (-menu.priority, -menu.begins, menu.id))
    prepared = [Named(menu, menu.name) for menu in ranked if now < menu.until]
    on = [named for named in prepared if named.menu.is_on(now)]
    aliases: dict[str, Named] = {}
    for named in on:
        if named.menu.alias:
            aliases.setdefault(named.menu.alias, named)
    return Showing(
        prepared=tuple(sorted(prepared, key=lambda named: named.id)),
        default=next((named for named in on if named.menu.default), None),
        aliases=aliases,
        segments=tuple(named for named in on if named.menu.segment),
    )


# --- what has to change on the platform ---


class Seen(msgspec.Struct, frozen=True):
    """What the platform holds of a channel."""

    menus: tuple[tuple[str, str], ...] = ()
    """The richMenuId and the name of each."""
    aliases: Mapping[str, str] = {}
    """The richMenuId of each."""
    default: str = ""
    """The richMenuId, if any."""

    @property
    def ours(self) -> frozenset[str]:
        """The richMenuIds of the menus that we made."""
        return frozenset(id_ for id_, name in self.menus if name.startswith(PREFIX))


class Make(msgspec.Struct, frozen=True):
    """A menu that is not in place yet."""

    named: Named
    found: str = ""
    """The richMenuId of one that was made under its name, and may lack its picture: its answer
    was lost, or whoever made it died."""


def in_place(showing: Showing, seen: Seen, ready: Iterable[str]) -> dict[str, str]:
    """The richMenuId of each menu that is on the platform with its picture, by the menu's id;
    ``ready`` are the richMenuIds whose pictures we know to be there.
    """
    known = set(ready)
    by_name = {name: id_ for id_, name in seen.menus if id_ in known}
    return {n.id: by_name[n.name] for n in showing.prepared if n.name in by_name}


def missing(showing: Showing, seen: Seen, place: Mapping[str, str]) -> list[Make]:
    """What is to be made."""
    by_name = {name: id_ for id_, name in seen.menus}
    return [Make(n, by_name.get(n.name, "")) for n in showing.prepared if n.id not in place]


def new_aliases(showing: Showing, seen: Seen, place: Mapping[str, str]) -> dict[str, str]:
    """The aliases that are to be set, with their richMenuIds. One whose menu could not be made
    stays as it is.
    """
    wanted = {alias: place.get(named.id, "") for alias, named in showing.aliases.items()}
    return {a: id_ for a, id_ in wanted.items() if id_ and seen.aliases.get(a) != id_}


def old_aliases(showing: Showing, seen: Seen) -> list[str]:
    """The aliases of our menus that nothing wants any more."""
    ours = seen.ours
    return [a for a, id_ in seen.aliases.items() if id_ in ours and a not in showing.aliases]


def new_default(showing: Showing, seen: Seen, place: Mapping[str, str]) -> str | None:
    """The richMenuId that all are to see, empty for none; ``None`` where that is so already.
    A default that somebody else set is replaced by ours, and never just taken away.
    """
    if showing.default is None:
        return "" if seen.default in seen.ours else None
    wanted = place.get(showing.default.id)
    return None if wanted == seen.default else wanted


def obsolete(showing: Showing, seen: Seen, place: Mapping[str, str]) -> list[str]:
    """The richMenuIds of our menus that nothing needs any more. While one could not be made, all
    stay: it may be any of them that friends still see in its place.
    """
    if len(place) < len(showing.prepared):
        return []
    return sorted(seen.ours - set(place.values()))


class Shown(msgspec.Struct, frozen=True):
    """Which menu a friend sees, and which they shall see."""

    user: str
    friend: int
    linked: str
    """The richMenuId that is linked to them; empty for none of their own."""
    fits: int
    """Which menu of :attr:`Showing.segments` is theirs; -1 for none."""


def new_links(
    showing: Showing, place: Mapping[str, str], friends: Sequence[Shown]
) -> dict[str, list[Shown]]:
    """Whom to link to which richMenuId, under the empty one whom to unlink. Friends whose menu
    could not be made keep what they have.
    """
    links: dict[str, list[Shown]] = {}
    for friend in friends:
        wanted = "" if friend.fits < 0 else place.get(showing.segments[friend.fits].id)
        if wanted is not None and wanted != friend.linked:
            links.setdefault(wanted, []).append(friend)
    return links
