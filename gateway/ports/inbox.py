"""What staff keep beside conversations, and conversations as they are read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.line.contents import Content
from gateway.domain.line.conversations import Wanted
from gateway.domain.line.friends import Friend
from gateway.domain.values import Scope


class Note(msgspec.Struct, frozen=True):
    """What a member of staff wrote of a friend; the fields are the columns, in their order."""

    id: int
    advertiser: str
    channel: str
    friend: int
    at: int
    actor: str
    text: str


class Template(msgspec.Struct, frozen=True):
    """Messages that staff send again and again; the fields are the columns, in their order."""

    id: int
    advertiser: str
    channel: str
    """Empty: for all channels of the advertiser."""
    name: str
    messages: str
    """JSON; may hold variables."""
    at: int
    actor: str
    """Who wrote it last."""


class Inbox(Protocol):
    """Notes and templates."""

    def note(self, scope: Scope, note: Note) -> None:
        """Keep a new note."""

    def drop_note(self, scope: Scope, friend: int, note: int) -> bool:
        """Take a note of a friend away; whether there was one."""

    def forget_notes(self, scope: Scope, before: int, limit: int) -> int:
        """Take notes away that were made before an instant, at most ``limit``; returns how many."""

    def template(self, scope: Scope, id_: int) -> Template | None:
        """A template."""

    def save_template(self, scope: Scope, template: Template) -> None:
        """Keep a template, new or changed."""

    def drop_template(self, scope: Scope, id_: int) -> None:
        """Take a template away."""


class Open(msgspec.Struct, frozen=True):
    """An effect that has not ended."""

    key: str
    origin: str
    payload: str


class Erasure(Protocol):
    """Taking a person out of the store."""

    def expecting(self, scope: Scope, friend: Friend) -> Sequence[Open]:
        """What a friend would still get of pushes, and together with others of steps."""

    def erase(self, scope: Scope, friend: Friend, now: int) -> Mapping[str, int]:
        """Blank or delete whatever tells who a friend is and what they said, in all rooms but the
        contents; returns how many rows of what.

        What is left of them are figures that lead to nobody.
        """


# --- read beside the writer ---


class Search(msgspec.Struct, frozen=True):
    """Which conversations."""

    wanted: Wanted
    channel: str | None
    actor: str
    """Who asks: for ``mine``."""
    since: int
    """Who was silent before this instant has nobody's attention: for ``staffed``."""
    is_staffed: Callable[[Friend], bool]
    """Whether people answer a friend now, which hangs on each channel: for ``staffed``. It is
    called in another thread.
    """


class Said(msgspec.Struct, frozen=True):
    """One thing of a conversation."""

    id: int
    side: Literal["in", "out"]
    at: int
    """When it happened, by the platform's clock; of what goes out when it was asked for."""
    kind: str
    """Of what came in the event's kind, else the effect's."""
    body: str
    """The event as it came, or what is sent; empty once it was taken back or is old."""
    message_id: str = ""
    is_unsent: bool = False
    state: str = ""
    """Of what goes out, as the outbox has it."""
    origin: str = ""
    content: Content | None = None


class Unread(msgspec.Struct, frozen=True):
    """What waits in one channel."""

    channel: str
    conversations: int
    """Those with something unread."""
    messages: int
    """All that is unread."""
    assigned: int
    """Conversations that somebody has taken."""
    mine: int


class ConversationReading(Protocol):
    """Conversations; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def conversations(
        self,
        connection: Any,
        scope: Scope,
        search: Search,
        *,
        after: tuple[int, int] | None,
        limit: int,
    ) -> Sequence[Friend]:
        """Friends with messages, the latest first; ``after`` is a time and an id."""

    def conversation(self, connection: Any, scope: Scope, friend: int) -> Friend | None:
        """One of them, with messages or without."""

    def messages(
        self, connection: Any, friend: Friend, *, before: int | None, limit: int
    ) -> Sequence[Said]:
        """What both sides said, the latest first, in the order in which we got to know of it."""

    def unread(self, connection: Any, scope: Scope, actor: str) -> Sequence[Unread]:
        """What waits, by channel; channels where nothing does are left out."""


class InboxReading(Protocol):
    """Notes and templates beside the writer."""

    def notes(
        self, connection: Any, friend: int, *, before: int | None, limit: int
    ) -> Sequence[Note]:
        """Notes on a friend, the latest first."""

    def templates(
        self, connection: Any, scope: Scope, channel: str | None, *, after: int, limit: int
    ) -> Sequence[Template]:
        """Templates by id; of a channel with those for all channels of its advertiser."""

    def template(self, connection: Any, scope: Scope, id_: int) -> Template | None:
        """One of them."""
