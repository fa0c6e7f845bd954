"""Short links: their codes, and messages that hold them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.domain.line.channel import Channel, Message
from gateway.domain.line.friends import Friend
from gateway.domain.links import Code, Link, named_in, new_code, replaced
from gateway.domain.values import EVERYBODY, Draw, Scope, Seed
from gateway.ports import Fact, Transaction

CODED_AT_ONCE = 200
"""Links that one unit gives a code to print."""

REPLY = "reply"
"""The origin of codes in what answers a friend, in greetings and in what staff write."""

FORGET_AT_ONCE = 500
"""Rows that one unit of the background lane deletes."""


def address(public_url: str, code: str) -> str:
    """Where a code is reached."""
    return f"{public_url}/r/{code}"


def missing(tx: Transaction, scope: Scope, channel: str, value: Any) -> set[str]:
    """The links named in ``value`` (plain JSON) that a channel's messages cannot hold: they do not
    exist, or are another channel's.
    """
    return {
        name
        for name in named_in(value)
        if (link := tx.entities.find(scope, Link, name)) is None
        or link.channel not in ("", channel)
    }


def linked(
    tx: Transaction,
    messages: Sequence[Any],
    origin: str,
    friends: Sequence[int],
    draw: Draw,
    now: int,
) -> dict[int, list[Any]]:
    """``messages`` with an address of ours for each ``{link:…}``, for each of ``friends`` with a
    code of their own; friend 0 stands for all.

    ``origin`` is what asks: the same one gets the same codes again. A link that is not provisioned
    any more is left as it is written.
    """
    names = sorted(named_in(messages))
    codes = {name: _codes(tx, name, origin, friends, draw, now) for name in names}
    return {
        friend: replaced(messages, lambda name, f=friend: _of(tx, codes[name], name, f))  # type: ignore[misc]  # mypy knows no default of a lambda
        for friend in friends
    }


def answered(
    tx: Transaction,
    channel: Channel,
    messages: Sequence[Message],
    friend: Friend | None,
    draw: Draw,
    now: int,
) -> list[Message]:
    """The same of what a channel says to one ``friend``, each time with the same codes. Groups have
    a code for all. Of links that are not the channel's no address is made: staff may name any.
    """
    names = named_in(messages)
    if not names:
        return list(messages)
    names -= missing(tx, Scope(frozenset({channel.advertiser})), channel.id, messages)
    whose = friend.id if friend is not None and not friend.is_group else 0
    codes = {name: _codes(tx, name, REPLY, (whose,), draw, now) for name in sorted(names)}
    made: list[Message] = replaced(messages, lambda name: _of(tx, codes.get(name, {}), name, whose))
    return made


def _of(tx: Transaction, codes: Mapping[int, Code], name: str, friend: int) -> str:
    code = codes.get(friend)
    return address(tx.public_url, code.code) if code else f"{{link:{name}}}"


def _codes(
    tx: Transaction, name: str, origin: str, friends: Sequence[int], draw: Draw, now: int
) -> dict[int, Code]:
    link = tx.entities.find(EVERYBODY, Link, name)
    if link is None:
        return {}
    held = tx.links.codes(EVERYBODY, name, origin, friends)
    new = [
        Code(new_code(draw), name, link.advertiser, origin, friend, now)
        for friend in friends
        if friend not in held
    ]
    tx.links.add(EVERYBODY, new)
    return held | {code.friend: code for code in new}


class Coding(msgspec.Struct, frozen=True):
    """Links that have no code to print yet, at most :data:`CODED_AT_ONCE`."""

    links: tuple[str, ...]
    now: int
    seed: Seed


def give_codes(tx: Transaction, job: Coding) -> tuple[None, tuple[Fact, ...]]:
    """Make the codes of links that are printed or posted."""
    draw = job.seed.draw()
    for name in job.links:
        _codes(tx, name, "", (0,), draw, job.now)
    return None, ()


class Forget(msgspec.Struct, frozen=True):
    """A piece of clean-up: ``link-clicks`` or ``link-entries`` of before an instant."""

    what: str
    before: int


def forget(tx: Transaction, job: Forget) -> tuple[int, tuple[Fact, ...]]:
    """Delete what has passed its retention, a bounded piece at a time; returns how much went."""
    return tx.links.forget(EVERYBODY, job.what, job.before, FORGET_AT_ONCE), ()
