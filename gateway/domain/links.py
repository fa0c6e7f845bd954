"""Short links that count who follows them, and entry links that tell how friends came."""

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import msgspec

from gateway.domain.values import SECOND, Draw

Visitor = Literal["person", "bot"]
"""``bot``: fetched for a preview, or by a program; counted apart."""

CODE = re.compile(r"[0-9A-Za-z]{8,20}")
"""What a code looks like."""

CODE_LENGTH = 10

ENTRY_HOURS = 24
"""For so long a verified visit to an entry link tells how a friend came."""

ENTRY_SECONDS_LATE = 60
"""So long after they became a friend the visit may be told: where LIFF itself offers friendship,
its page comes after it."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WRITTEN = re.compile(r"\{\{|\}\}|\{link:([a-z0-9-]{1,40})\}")
"""Doubled braces are no variables: who writes ``{{link:menu}}`` means the words."""

_DAY = 86_400 * SECOND
_TOKYO_AHEAD = 9 * 3600 * SECOND  # without summer time, since 1951


class Link(msgspec.Struct, frozen=True):
    """An address of the shop's that is reached by short ones of ours."""

    table: ClassVar[str] = "link"

    id: str
    advertiser: str
    url: str
    """https; the only place that its codes lead to."""
    channel: str = ""
    """The channel in whose messages it is used; empty: any of the advertiser's."""
    kind: Literal["short", "entry"] = "short"
    """``entry``: it leads to becoming a friend, and tells how one came."""
    tags: tuple[str, ...] = ()
    """Who follows a link of their own, or comes by it, is tagged with these."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser


class Code(msgspec.Struct, frozen=True):
    """One short address of a link; the fields are the columns of the store, in order."""

    code: str
    link: str
    advertiser: str
    origin: str = ""
    """What it was made for: ``push:…``, ``step:…``, ``reply``; empty: to be printed or posted."""
    friend: int = 0
    """To whom it was sent alone; 0 where many know it."""
    made_at: int = 0


def new_code(draw: Draw) -> str:
    """Ten characters that nobody can guess (59 bits)."""
    number = draw.below(len(_DIGITS) ** CODE_LENGTH)
    code = ""
    for _ in range(CODE_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        code += _DIGITS[digit]
    return code


def day_of(instant: int) -> int:
    """The day of Asia/Tokyo in which ``instant`` lies, counted from 1970-01-01."""
    return (instant + _TOKYO_AHEAD) // _DAY


# --- links in messages ---


def named_in(value: Any) -> set[str]:
    """The ids of the links that are written as ``{link:…}`` anywhere in ``value`` (plain JSON)."""
    return {found[1] for text in _texts(value) for found in _WRITTEN.finditer(text) if found[1]}


def replaced(value: Any, address: Callable[[str], str]) -> Any:
    """``value`` (plain JSON) with the ``address`` of its id for each ``{link:…}``."""
    if isinstance(value, str):
        return _WRITTEN.sub(lambda found: address(found[1]) if found[1] else found[0], value)
    if isinstance(value, dict):
        return {key: replaced(each, address) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(each, address) for each in value]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


# --- who comes ---

# Previews of messengers and networks, crawlers, and programs; each is a word that browsers of
# people do not say (a maker of telephones is called Cubot). LINE's own preview fetcher calls itself
# "facebookexternalhit/1.1;line-poker/1.0".
_PROGRAMS = re.compile(
    r"line-poker|facebookexternalhit|facebot|(?<!cu)bot\b|crawler|spider|slurp|y!j-|preview|"
    r"fetcher|scanner|headless|whatsapp/|embedly|pinterest/|vkshare|mediapartners|google-|"
    r"curl/|wget/|python|aiohttp|httpx|go-http-client|java/|okhttp|libwww|node-fetch|axios",
    re.IGNORECASE,
)


def visitor(method: str, agent: str, purpose: str) -> Visitor:
    """Who a request is likely of.

    Args:
        method: of the request; people send GET.
        agent: its User-Agent; all browsers send one.
        purpose: what stands in Sec-Purpose, Purpose and X-Purpose: a browser that fetches ahead
            says so there, and nobody has looked yet.
    """
    ahead = purpose.lower()
    if method != "GET" or "prefetch" in ahead or "preview" in ahead:
        return "bot"
    return "bot" if not agent or _PROGRAMS.search(agent) else "person"
