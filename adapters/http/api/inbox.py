"""Conversations of friends with staff, as they are read."""

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, AdvertiserId, Endpoint, Listing, Page, Query
from adapters.http.problem import NO_STORE
from gateway.domain.access import STAFF
from gateway.domain.line.channel import Channel
from gateway.domain.line.contents import MEDIA_TYPES, UNKNOWN_TYPE, Content
from gateway.domain.line.conversations import (
    LONGEST_SILENCE_MINUTES,
    State,
    Wanted,
    state_of,
)
from gateway.domain.line.friends import Friend
from gateway.domain.line.friends import State as FriendState
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.audience import AudienceReading
from gateway.ports.contents import ContentReading, Folder
from gateway.ports.inbox import ConversationReading, InboxReading, Note, Said, Search
from gateway.usecases.inbox import ORIGIN
from gateway.usecases.views import Instant, written

TAG = "inbox"

_MOST_NOTES = 100

ChannelId = Annotated[
    str, Meta(pattern="^[a-z0-9-]{1,40}$", description="A channel's id.", examples=["acme-shop"])
]


class ConversationQuery(Listing, frozen=True):
    """Which conversations are listed."""

    advertiser: AdvertiserId | None = None
    channel: ChannelId | None = None
    state: Wanted = "all"


class CountQuery(Query, frozen=True):
    """Whose conversations are counted."""

    advertiser: AdvertiserId | None = None


class ConversationView(msgspec.Struct, frozen=True):
    """A friend's, or a group's, conversation with staff."""

    id: Annotated[str, Meta(description="The friend's.")]
    advertiser: str
    channel: str
    name: Annotated[str | None, Meta(description="null where LINE has not told it.")]
    picture_url: str | None
    language: str | None
    friend: Annotated[
        FriendState, Meta(description="What they are to the channel; `unknown` may be a friend.")
    ]
    state: State
    unread: Annotated[int, Meta(description="Messages that nobody has seen.")]
    assigned: Annotated[str | None, Meta(description="Who has taken it.")]
    mine: Annotated[bool, Meta(description="Whether that is the token that asks.")]
    staffed: Annotated[bool, Meta(description="Whether people answer now, and the rules do not.")]
    last_at: Annotated[Instant | None, Meta(description="The latest message of either side.")]


class NoteView(msgspec.Struct, frozen=True):
    """What a member of staff wrote of a friend."""

    id: str
    at: Instant
    by: str
    text: str


class OneConversation(ConversationView, frozen=True):
    """A conversation with what else is known."""

    tags: list[str]
    notes: Annotated[list[NoteView], Meta(description="The latest hundred, the latest first.")]
    can_receive: Annotated[bool, Meta(description="Whether a message may reach them.")]
    entry: Annotated[str | None, Meta(description="The link by which they came.")]


class ContentView(msgspec.Struct, frozen=True):
    """What a friend sent beside words."""

    state: Annotated[
        Literal["waiting", "kept", "gone"], Meta(description="`waiting`: it is being fetched.")
    ]
    why: Annotated[
        str | None,
        Meta(description="Why it is gone: unsent, expired, erased, too_large, missing, no_room."),
    ]
    media_type: str | None
    bytes: int


class MessageView(msgspec.Struct, frozen=True):
    """One thing that one side said or did."""

    id: str
    side: Annotated[Literal["in", "out"], Meta(description="`in`: the friend's.")]
    at: Instant
    kind: Annotated[
        str, Meta(description="LINE's type of event; of what goes out `reply` or `push`.")
    ]
    messages: Annotated[
        list[dict[str, Any]],
        Meta(description="LINE's message objects; of a button what it said. Empty where blank."),
    ]
    blank: Annotated[
        Literal["unsent", "old"] | None,
        Meta(description="Why there is nothing to be read: it was taken back, or its time is up."),
    ]
    message_id: str | None
    content: ContentView | None
    state: Annotated[
        str | None,
        Meta(description="Of what goes out: waiting, leased, done, dead, or unknown."),
    ]
    origin: Annotated[str | None, Meta(description="What answered: a rule, a greeting, staff …")]
    by: Annotated[str | None, Meta(description="The member of staff who wrote it.")]


class UnreadView(msgspec.Struct, frozen=True):
    """What waits in one channel."""

    channel: str
    conversations: Annotated[int, Meta(description="Those with something unread.")]
    messages: Annotated[int, Meta(description="All that is unread.")]
    assigned: Annotated[int, Meta(description="Conversations that somebody has taken.")]
    mine: int


class CountsView(msgspec.Struct, frozen=True):
    """What waits."""

    channels: Annotated[list[UnreadView], Meta(description="Those where something does.")]


def endpoints(
    reader: ConversationReading,
    inbox: InboxReading,
    audience: AudienceReading,
    contents: ContentReading,
    folder: Folder,
) -> list[Endpoint]:
    """The calls of the API that read conversations."""

    async def listed(ask: Ask[ConversationQuery, None]) -> Page[ConversationView]:
        query = ask.query
        scope = ask.narrowed(query.advertiser)
        after = ask.after(int, int)
        search = Search(
            query.state,
            query.channel,
            ask.access.actor,
            ask.now - LONGEST_SILENCE_MINUTES * 60 * SECOND,
            partial(_is_staffed, ask),
        )
        found = await ask.read(
            reader.conversations,
            scope,
            search,
            after=(int(after[0]), int(after[1])) if after else None,
            limit=query.limit + 1,
        )
        return ask.page(found, lambda f: (f.last_at, f.id), lambda f: _conversation(ask, f))

    async def counted(ask: Ask[CountQuery, None]) -> CountsView:
        scope = ask.narrowed(ask.query.advertiser)
        found = await ask.read(reader.unread, scope, ask.access.actor)
        return CountsView(
            [UnreadView(u.channel, u.conversations, u.messages, u.assigned, u.mine) for u in found]
        )

    async def shown(ask: Ask[Query, None]) -> OneConversation:
        friend = await _friend(ask, reader)
        tags = await ask.read(audience.tags, ask.scope, friend.id)
        notes = await ask.read(inbox.notes, friend.id, before=None, limit=_MOST_NOTES)
        return OneConversation(
            **msgspec.structs.asdict(_conversation(ask, friend)),
            tags=[tag.tag for tag in tags],
            notes=[note_view(ask, note) for note in notes],
            can_receive=friend.state not in ("blocked", "left"),
            entry=friend.entry or None,
        )

    async def said(ask: Ask[Listing, None]) -> Page[MessageView]:
        friend = await _friend(ask, reader)
        before = ask.after(int)
        found = await ask.read(
            reader.messages, friend, before=before and before[0], limit=ask.query.limit + 1
        )
        return ask.page(found, lambda each: (each.id,), lambda each: _message(ask, each))

    async def noted(ask: Ask[Listing, None]) -> Page[NoteView]:
        friend = await _friend(ask, reader)
        before = ask.after(int)
        found = await ask.read(
            inbox.notes, friend.id, before=before and before[0], limit=ask.query.limit + 1
        )
        return ask.page(found, lambda note: (note.id,), lambda note: note_view(ask, note))

    async def content(ask: Ask[Query, None]) -> Answer:
        friend = await _friend(ask, reader)
        message = ask.parameters["message"]
        held = await ask.read(contents.content, friend.channel, message)
        if held is None or held.friend != friend.id:
            raise Refused(Refusal.NOT_FOUND)
        if held.state == "waiting":
            raise Refused(Refusal.NOT_FOUND, "it is being fetched: try again in a moment")
        file = await folder.find(held.path) if held.state == "kept" else None
        if file is None:
            raise Refused(Refusal.CONTENT_GONE)
        return Answer(content_type=held.media_type, headers=_safe(held), file=file)

    return [
        Endpoint(
            method="GET",
            path="/conversations",
            summary="List conversations",
            tag=TAG,
            handler=listed,
            roles=STAFF,
            query=ConversationQuery,
            answer=Page[ConversationView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="Friends and groups that have written, or were written to; the latest "
            "first. `staffed` are those in which people answer now.",
        ),
        Endpoint(
            method="GET",
            path="/conversations/counts",
            summary="Count what waits",
            tag=TAG,
            handler=counted,
            roles=STAFF,
            query=CountQuery,
            answer=CountsView,
            refusals=(Refusal.OUT_OF_SCOPE,),
        ),
        Endpoint(
            method="GET",
            path="/conversations/{id}",
            summary="Read a conversation",
            tag=TAG,
            handler=shown,
            roles=STAFF,
            answer=OneConversation,
            segments={"id": ID},
        ),
        Endpoint(
            method="GET",
            path="/conversations/{id}/messages",
            summary="List the messages of a conversation",
            tag=TAG,
            handler=said,
            roles=STAFF,
            query=Listing,
            answer=Page[MessageView],
            segments={"id": ID},
            description="The latest first, in the order in which the gateway got to know of them. "
            "Pushes to many friends at once are not among them.",
        ),
        Endpoint(
            method="GET",
            path="/conversations/{id}/notes",
            summary="List the notes on a friend",
            tag=TAG,
            handler=noted,
            roles=STAFF,
            query=Listing,
            answer=Page[NoteView],
            segments={"id": ID},
        ),
        Endpoint(
            method="GET",
            path="/conversations/{id}/contents/{message}",
            summary="Download what a friend sent",
            tag=TAG,
            handler=content,
            roles=STAFF,
            answer=bytes,
            media_type=UNKNOWN_TYPE,
            further_types=MEDIA_TYPES,
            refusals=(Refusal.CONTENT_GONE,),
            segments={"id": ID},
            description="An image, a video, a sound or a file; `message` is its `message_id`. The "
            "media type is told by its first bytes.",
        ),
    ]


async def _friend(ask: Ask[Any, Any], reader: ConversationReading) -> Friend:
    friend = await ask.read(reader.conversation, ask.scope, ask.id())
    if friend is None:
        raise Refused(Refusal.NOT_FOUND)
    return friend


def _is_staffed(ask: Ask[Any, Any], friend: Friend) -> bool:
    """Whether people answer a friend at this moment."""
    channel = ask.wiring.store.entity(Channel, friend.channel)
    return channel is not None and friend.is_staffed(ask.now, channel.staff_minutes)


def _conversation(ask: Ask[Any, Any], friend: Friend) -> ConversationView:
    return ConversationView(
        id=str(friend.id),
        advertiser=friend.advertiser,
        channel=friend.channel,
        name=friend.name or None,
        picture_url=friend.picture_url or None,
        language=friend.language or None,
        friend=friend.state,
        state=state_of(friend),
        unread=friend.unread,
        assigned=friend.assigned or None,
        mine=friend.assigned == ask.access.actor,
        staffed=_is_staffed(ask, friend),
        last_at=written(friend.last_at, ask.wiring.zone) if friend.last_at else None,
    )


def note_view(ask: Ask[Any, Any], note: Note) -> NoteView:
    """A note as it is shown."""
    return NoteView(str(note.id), written(note.at, ask.wiring.zone), note.actor, note.text)


def _message(ask: Ask[Any, Any], said: Said) -> MessageView:
    blank: Literal["unsent", "old"] | None = None
    if not said.body:
        blank = "unsent" if said.is_unsent else "old"
    return MessageView(
        id=str(said.id),
        side=said.side,
        at=written(said.at, ask.wiring.zone),
        kind=said.kind.removeprefix("line."),
        messages=_objects(said),
        blank=blank,
        message_id=said.message_id or None,
        content=_content(said.content) if said.content else None,
        state=said.state or None,
        origin=said.origin or None,
        by=said.origin.removeprefix(ORIGIN) if said.origin.startswith(ORIGIN) else None,
    )


def _objects(said: Said) -> list[dict[str, Any]]:
    """The message objects in an event or in an effect."""
    if not said.body:
        return []
    body: dict[str, Any] = msgspec.json.decode(said.body)
    if said.side == "out":
        return [each for each in body.get("messages", ()) if isinstance(each, dict)]
    return [body[name] for name in ("message", "postback") if isinstance(body.get(name), dict)]


def _content(content: Content) -> ContentView:
    return ContentView(
        state="gone" if content.state == "removing" else content.state,
        why=content.why or None,
        media_type=content.media_type or None,
        bytes=content.bytes,
    )


def _safe(content: Content) -> dict[str, str]:
    """A stranger sent it: it is saved, never shown as a page of ours."""
    return {
        **NO_STORE,
        "Content-Disposition": f'attachment; filename="{content.message_id}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
