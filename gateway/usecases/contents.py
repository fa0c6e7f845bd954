"""The contents of messages: asked for, kept for a while, and taken away."""

from collections.abc import Sequence

import msgspec

from gateway.domain.effects import Effect
from gateway.domain.line.channel import Channel
from gateway.domain.line.contents import Content, Result, Why, has_content, path_of
from gateway.domain.line.events import Event
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Counted, Draw
from gateway.ports import Fact, Transaction
from gateway.ports.contents import Stored

AT_ONCE = 100
"""Contents that one unit takes away."""

GIVE_UP_SECONDS = 3 * 86_400
"""The platform does not say how long it keeps contents; after so long we do not ask any more."""

_replace = msgspec.structs.replace
_encode = msgspec.json.encode


def _counted(advertiser: str, result: Result) -> Counted:
    return Counted(advertiser, "line_contents_total", (result,))


def wanted(
    tx: Transaction, channel: Channel, friend: Friend, event: Event, now: int, draw: Draw
) -> None:
    """Ask for the content of a message that was just kept; takes one id of ``draw``.

    In groups only where the channel answers there; it holds nobody's replies up.
    """
    if not has_content(event) or (friend.is_group and not channel.groups):
        return
    content = Content(channel.id, event.message_id, channel.advertiser, friend.id, now)
    tx.contents.save(EVERYBODY, content)
    effect = Effect(
        id=draw.id(),
        advertiser=channel.advertiser,
        kind="line.content",
        key=f"line.content/{channel.id}/{event.message_id}",
        payload=_encode({"channel": channel.id, "message": event.message_id}).decode(),
        due_at=now,
        give_up_at=now + GIVE_UP_SECONDS * SECOND,
    )
    tx.outbox.add(EVERYBODY, effect)


def unsent(tx: Transaction, channel: Channel, message_id: str) -> list[Fact]:
    """Take the content of a message away that its sender took back."""
    content = tx.contents.find(EVERYBODY, channel.id, message_id)
    return withdraw(tx, content, "unsent") if content else []


def withdraw(tx: Transaction, content: Content, why: Why) -> list[Fact]:
    """Nobody gets a content from now on; its file goes soon after."""
    if content.state not in ("waiting", "kept"):
        return []
    state = "removing" if content.state == "kept" else "gone"
    tx.contents.save(EVERYBODY, _replace(content, state=state, why=why))
    return [_counted(content.advertiser, "removed")] if state == "removing" else []


class Fetched(msgspec.Struct, frozen=True):
    """What came of asking the platform for a content."""

    channel: str
    message_id: str
    now: int
    stored: Stored | None = None
    why: Why = ""
    """Why there is nothing."""


def settle(tx: Transaction, fetched: Fetched) -> tuple[bool, Sequence[Fact]]:
    """Keep what came; returns whether its file is to stay.

    It is not where the message was taken back, or its sender erased, meanwhile.
    """
    content = tx.contents.find(EVERYBODY, fetched.channel, fetched.message_id)
    if content is None or content.state != "waiting":
        return content is not None and content.state == "kept", ()
    stored = fetched.stored
    if stored is None:
        tx.contents.save(EVERYBODY, _replace(content, state="gone", why=fetched.why))
        result: Result = "too_large" if fetched.why == "too_large" else "missing"
        return False, [_counted(content.advertiser, result)]
    kept = _replace(
        content,
        state="kept",
        path=path_of(content.channel, content.message_id),
        media_type=stored.media_type,
        bytes=stored.bytes,
        sha256=stored.sha256,
        fetched_at=fetched.now,
    )
    tx.contents.save(EVERYBODY, kept)
    return True, [_counted(content.advertiser, "kept")]


class Sweep(msgspec.Struct, frozen=True):
    """What is to stay: what was fetched since an instant, and of that no more than fits."""

    since: int
    most_bytes: int


def sweep(tx: Transaction, job: Sweep) -> tuple[tuple[Sequence[Content], int], Sequence[Fact]]:
    """Withdraw what is old or too much, a bounded piece at a time.

    Returns the contents whose files are to go, and the bytes of what stays.
    """
    size = tx.contents.size(EVERYBODY)
    facts: list[Fact] = []
    for content in tx.contents.oldest(EVERYBODY, AT_ONCE):
        is_old = content.fetched_at < job.since
        if not is_old and size <= job.most_bytes:
            break
        facts += withdraw(tx, content, "expired" if is_old else "no_room")
        size -= content.bytes
    return (tx.contents.removing(EVERYBODY, AT_ONCE), size), facts


def removed(tx: Transaction, contents: Sequence[Content]) -> tuple[None, Sequence[Fact]]:
    """The files of ``contents`` are gone."""
    for content in contents:
        gone = _replace(content, state="gone", path="", bytes=0, sha256="")
        tx.contents.save(EVERYBODY, gone)
    return None, ()
