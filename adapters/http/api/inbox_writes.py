"""What staff do in conversations: answer, share, take notes, and forget a person."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, Body, Endpoint, Query
from adapters.http.api.inbox import TAG, NoteView, note_view
from gateway.domain.access import MANAGERS, STAFF
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.usecases import inbox
from gateway.usecases.erasure import Erasing, erase

Id = Annotated[str, Meta(pattern="^[0-9]{1,18}$")]

_FOR_FRIEND: dict[str, Any] = {"tag": TAG, "roles": STAFF, "segments": {"id": ID, "note": ID}}


class Writing(Body, frozen=True):
    """What is sent: one of the three."""

    text: Annotated[
        Annotated[str, Meta(min_length=1, max_length=5000)] | None,
        Meta(description="A text as it is."),
    ] = None
    messages: Annotated[
        Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=5)] | None,
        Meta(description="LINE's message objects; texts may hold {name}, {shop} and {points}."),
    ] = None
    template: Annotated[Id | None, Meta(description="The id of a template.")] = None


class SentView(msgspec.Struct, frozen=True):
    """What was asked to be sent."""

    id: str
    costs: Annotated[
        int | None,
        Meta(description="How many messages of the month it takes; null in groups: one a member."),
    ]
    left: Annotated[
        int | None,
        Meta(description="What the month has left; null without a limit, or before LINE told it."),
    ]


class Taking(Body, frozen=True):
    """Who has a conversation."""

    assignee: Annotated[
        Annotated[str, Meta(pattern="^(me|token:[0-9]{1,19})$")] | None,
        Meta(description="`me`, another token as `by` names it, or null for nobody."),
    ]


class Handing(Body, frozen=True):
    """Who answers a friend."""

    staff: Annotated[bool, Meta(description="true: people; false: the rules.")]


class Noting(Body, frozen=True):
    """A note."""

    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class ErasedView(msgspec.Struct, frozen=True):
    """A person that was taken out."""

    cleared: Annotated[dict[str, int], Meta(description="How many rows of what.")]


def endpoints() -> list[Endpoint]:
    """The calls of the API that change conversations."""
    return [*_answering(), *_noting()]


def _wish(ask: Ask[Any, Any]) -> dict[str, Any]:
    return {"scope": ask.scope, "friend": ask.id(), "actor": ask.access.actor, "at": ask.now}


def _answering() -> list[Endpoint]:
    async def sent(ask: Ask[Query, Writing]) -> Answer:
        body = ask.body
        if sum(given is not None for given in (body.text, body.messages, body.template)) != 1:
            raise Refused(Refusal.INVALID_FIELD, "send one of text, messages and template")
        wish = inbox.Sending(
            **_wish(ask),
            seed=ask.seed(inbox.IDS),
            text=body.text or "",
            messages=body.messages or (),
            template=int(body.template) if body.template else None,
        )
        return await ask.write(inbox.send, wish, _sent)

    async def read(ask: Ask[Query, None]) -> Answer:
        return await ask.write(inbox.read, inbox.Wish(**_wish(ask)))

    async def assigned(ask: Ask[Query, Taking]) -> Answer:
        assignee = ask.body.assignee or ""
        if assignee == "me":
            assignee = ask.access.actor
        wish = inbox.Assignment(**_wish(ask), assignee=assignee)
        return await ask.write(inbox.assign, wish)

    async def handed_over(ask: Ask[Query, Handing]) -> Answer:
        return await ask.write(inbox.hand_over, inbox.Handover(**_wish(ask), staff=ask.body.staff))

    return [
        Endpoint(
            method="POST",
            path="/conversations/{id}/messages",
            summary="Write to a friend",
            handler=sent,
            body=Writing,
            answer=SentView,
            status=202,
            refusals=(
                Refusal.FRIEND_GONE,
                Refusal.MESSAGE_INVALID,
                Refusal.QUOTA_TOO_SMALL,
                Refusal.UNKNOWN_REFERENCE,
            ),
            max_body=300_000,  # five messages of 50 KB: more is not looked through
            description="Sent as a push, which counts against the channel's month. From then on "
            "people answer, until they give the conversation back or nobody writes for a while; "
            "the token that writes takes it, unless somebody has.",
            **_FOR_FRIEND,
        ),
        Endpoint(
            method="POST",
            path="/conversations/{id}/read",
            summary="Mark a conversation as read",
            handler=read,
            status=204,
            **_FOR_FRIEND,
        ),
        Endpoint(
            method="PUT",
            path="/conversations/{id}/assignee",
            summary="Take a conversation, or give it away",
            handler=assigned,
            body=Taking,
            status=204,
            **_FOR_FRIEND,
        ),
        Endpoint(
            method="POST",
            path="/conversations/{id}/handover",
            summary="Let people or the rules answer",
            handler=handed_over,
            body=Handing,
            status=204,
            **_FOR_FRIEND,
        ),
    ]


def _sent(sent: inbox.Sent) -> SentView:
    return SentView(str(sent.effect), sent.costs, sent.left)


def _noting() -> list[Endpoint]:
    async def noted(ask: Ask[Query, Noting]) -> Answer:
        wish = inbox.NewNote(**_wish(ask), text=ask.body.text, seed=ask.seed(inbox.IDS))
        return await ask.write(inbox.add_note, wish, lambda note: note_view(ask, note))

    async def dropped(ask: Ask[Query, None]) -> Answer:
        wish = inbox.OldNote(**_wish(ask), note=ask.id("note"))
        return await ask.write(inbox.drop_note, wish)

    async def erased(ask: Ask[Query, None]) -> Answer:
        wish = Erasing(ask.scope, ask.id(), ask.access.actor, ask.now)
        return await ask.write(erase, wish, lambda cleared: ErasedView(dict(cleared)))

    return [
        Endpoint(
            method="POST",
            path="/conversations/{id}/notes",
            summary="Write a note on a friend",
            handler=noted,
            body=Noting,
            answer=NoteView,
            status=201,
            description="Friends never see it.",
            **_FOR_FRIEND,
        ),
        Endpoint(
            method="DELETE",
            path="/conversations/{id}/notes/{note}",
            summary="Remove a note",
            handler=dropped,
            status=204,
            **_FOR_FRIEND,
        ),
        Endpoint(
            method="DELETE",
            path="/friends/{id}",
            summary="Forget a person",
            handler=erased,
            answer=ErasedView,
            **{**_FOR_FRIEND, "roles": MANAGERS},
            description="Takes out who they are and what they said: name, texts, contents, tags, "
            "notes, answers. Figures stay, and lead to nobody. Whoever writes again is a new "
            "friend. It cannot be undone; the audit keeps that it was done, and by whom.",
        ),
    ]
