"""``[[link]]``: addresses that are reached by short ones of ours."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.domain.line.channel import Channel
from gateway.domain.links import Link, named_in
from gateway.domain.surveys import Survey
from gateway.provisioning.audience import of_channel, tag_of, tags_of
from gateway.provisioning.base import (
    ADVERTISER_KEY,
    REMOVED,
    Everything,
    Table,
    amiss_in_messages,
    id_of,
    perhaps_id,
)
from gateway.tomlfile import Key, Wrong, line, one_of

_LONGEST = 1_000  # what the platform takes as an address
_MOST_TAGS = 10
_FRIENDSHIP = ("https://line.me/R/ti/p/", "https://lin.ee/", "https://liff.line.me/")


def _url(value: str, _: Path) -> str:
    wrong = Wrong("is not a public https address", 'write it like "https://shop.example.jp/menu"')
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    plain = value.isascii() and value.isprintable() and not set(value) & set(' "<>\\^`{|}')
    if parts.scheme != "https" or "." not in host or parts.username or port == 0 or not plain:
        raise wrong
    if _is_private(host):
        raise wrong
    if len(value) > _LONGEST:
        raise Wrong("is too long", f"write at most {_LONGEST} characters")
    return value


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.endswith((".local", ".internal", ".localhost"))


LINK: tuple[Key, ...] = (
    Key("id", str, id_of, "What messages call it: {link:…}.", example="menu", required=True),
    ADVERTISER_KEY,
    Key("channel", str, perhaps_id, "The channel it is for; empty: any of the advertiser's.", ""),
    Key(
        "url",
        str,
        _url,
        "Where it leads to: https.",
        example="https://shop.example.jp/menu",
        required=True,
    ),
    Key(
        "kind",
        str,
        one_of("short", "entry"),
        "entry: it leads to becoming a friend, and tells how one came.",
        "short",
    ),
    Key(
        "tags",
        list,
        tags_of(_MOST_TAGS),
        "Tags of who follows a link of their own, or comes by it.",
        [],
        each=tag_of,
    ),
    REMOVED,
)
"""The keys of ``[[link]]``."""


def _check(everything: Everything) -> Iterator[str]:
    for entry in everything[Link.table].values():
        if not entry.place:
            continue
        yield from of_channel(entry, everything)
        if entry.values.get("kind") != "entry":
            continue
        if entry.values.get("channel") == "":
            yield f"{entry.place}: channel: is missing; an entry link needs one"
        url = entry.values.get("url", _FRIENDSHIP[0])
        if not url.startswith(_FRIENDSHIP):
            remedy = f"write one that begins with {' or '.join(_FRIENDSHIP)}"
            wrong = Wrong("does not lead to becoming a friend", remedy)
            yield line(f"{entry.place}: url", url, wrong)
    yield from _named(everything)


def _named(everything: Everything) -> Iterator[str]:
    """Messages that name a link which will not be there, is another's, or is not filled in."""
    yield from amiss_in_messages(
        everything,
        "link",
        Link.table,
        same=("advertiser", "channel"),
        names=lambda values, _: _links_in(values),
    )
    for survey, entry in everything[Survey.table].items():
        for name in sorted(named_in(entry.values.get("thanks"))):
            wrong = Wrong("is not filled in on a survey's page", "write the address itself")
            yield line(f"{entry.place or f'survey {survey}'}: thanks", f"{{link:{name}}}", wrong)


def _links_in(value: Any) -> set[str]:
    """The links that messages anywhere in a channel's values name."""
    if isinstance(value, dict):
        return set().union(*map(_links_in, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(_links_in, value))
    if hasattr(value, "messages"):  # a rule, as the store gives it back
        return named_in(value.messages)
    return named_in(value)


def _build(values: dict[str, Any]) -> Link:
    return Link(**values)


TABLE = Table(
    Link,
    LINK,
    _build,
    refers=(("advertiser", "advertiser"), ("channel", Channel.table)),
    check=_check,
)
