"""Imports of recipients: a file is taken in, and its report is read."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import ID, Endpoint, Listing, Page, Query
from adapters.http.api.mail.base import (
    LIST,
    TAG,
    ConsentMoment,
    Mail,
    consent_instant,
    instant,
    list_of,
)
from gateway.domain.access import MANAGERS
from gateway.domain.mail.consent import MOST_TEXT, Stated
from gateway.domain.mail.importing.imports import Import, Outcome, State
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.usecases.mail.imports import Begin, begin
from gateway.usecases.views import Instant, written

MOST_BYTES = 100_000_000
"""Of a file."""

_Text = Annotated[str, Meta(min_length=1, max_length=MOST_TEXT)]


class ImportQuery(Query, frozen=True):
    """What is stated of all recipients of a file, where its lines do not state it themselves: all
    four, or none.
    """

    name: Annotated[str, Meta(max_length=200, description="What the file is called.")] = ""
    consent_at: ConsentMoment | None = None
    consent_how: _Text | None = None
    consent_evidence: _Text | None = None
    notice: Annotated[_Text, Meta(description="The version that was shown.")] | None = None


class ImportView(msgspec.Struct, frozen=True):
    """An import, and how far it is."""

    id: str
    list: str
    name: str
    at: Instant
    state: State
    line: Annotated[int, Meta(description="The last line that was taken in.")]
    added: int
    updated: int
    unchanged: int
    suppressed: Annotated[int, Meta(description="They stopped the list before, and stay off it.")]
    refused: int
    reason: Annotated[
        str,
        Meta(description="What was wrong with the file as a whole, or why it does not get on."),
    ]
    ended_at: Instant | None


class LineView(msgspec.Struct, frozen=True):
    """What became of a line that was not simply added."""

    line: int
    outcome: Outcome
    reason: Annotated[str, Meta(description="A word of a closed set; empty: none is needed.")]


def endpoints(mail: Mail) -> list[Endpoint]:
    """The calls of the API that tell of imports."""

    async def begun(ask: Ask[ImportQuery, None]) -> Answer:
        mail_list = list_of(ask, mail.held)
        stated, seed = _stated(ask.query), ask.seed(1)
        imported = seed.draw().id()
        assert ask.request.pieces is not None  # noqa: S101 - the route streams
        digest = await mail.staging.keep(imported, mail_list.advertiser, ask.request.pieces)
        # A repeat is told by the file as a whole.
        request = msgspec.structs.replace(
            ask.request, body=f"{ask.request.query}\n{digest}".encode()
        )
        ask = msgspec.structs.replace(ask, request=request)
        taken: list[int] = []

        def show(made: Import) -> ImportView:
            taken[:] = [made.id]
            return _shown(ask, made)

        try:
            layout = await mail.staging.examine(imported, mail_list)
            wish = Begin(
                scope=ask.scope,
                list=mail_list.id,
                name=ask.query.name,
                actor=ask.access.actor,
                now=ask.now,
                seed=seed,
                states_consent=layout.states_consent,
                consent=stated,
                corrects=ask.access.role != "operator",
            )
            answer = await ask.write(begin, wish, show)
        except Refused:
            mail.staging.drop(imported)
            raise
        if not taken:  # it is a repeat: the file is here already, or was taken in
            mail.staging.drop(imported)
        return answer

    async def listed(ask: Ask[Listing, None]) -> Page[ImportView]:
        mail_list = list_of(ask, mail.held)
        after = ask.after(int)
        found = await ask.read(
            mail.lists.imports,
            ask.scope,
            mail_list.id,
            after=int(after[0]) if after else 0,
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda each: (each.id,), lambda each: _shown(ask, each))

    async def shown(ask: Ask[Query, None]) -> ImportView:
        return _shown(ask, await one(ask))

    async def lines(ask: Ask[Listing, None]) -> Page[LineView]:
        imported, after = await one(ask), ask.after(int)
        found = await ask.read(
            mail.lists.lines,
            ask.scope,
            imported.id,
            after=int(after[0]) if after else 0,
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda each: (each[0],), lambda each: LineView(*each))

    async def one(ask: Ask[Any, Any]) -> Import:
        mail_list, id_ = list_of(ask, mail.held), ask.id("import")
        found = await ask.read(mail.lists.imports, ask.scope, mail_list.id, after=id_ - 1, limit=1)
        if not found or found[0].id != id_:
            raise Refused(Refusal.NOT_FOUND, "there is no such import")
        return found[0]

    return [
        Endpoint(
            method="POST",
            path="/mail-lists/{id}/imports",
            summary="Import a file of recipients",
            tag=TAG,
            handler=begun,
            roles=MANAGERS,
            query=ImportQuery,
            answer=ImportView,
            status=202,
            segments={"id": LIST},
            takes="text/csv",
            max_body=MOST_BYTES,
            refusals=(Refusal.FILE_INVALID, Refusal.CONSENT_MISSING, Refusal.CONSENT_INVALID),
            description="The body is the file: UTF-8, UTF-16 or Shift_JIS, with a line of names "
            "(`address`, attributes of the list, `tags`). Each line states its consent in the "
            "columns `consent_at`, `consent_how`, `consent_evidence` and `notice`, or the query "
            "does so for all of them; without either it is refused (rules R73, R102). The file is "
            "examined before the answer, and taken in after it.",
        ),
        Endpoint(
            method="GET",
            path="/mail-lists/{id}/imports",
            summary="List a mail list's imports",
            tag=TAG,
            handler=listed,
            query=Listing,
            answer=Page[ImportView],
            segments={"id": LIST},
        ),
        Endpoint(
            method="GET",
            path="/mail-lists/{id}/imports/{import}",
            summary="Read how far an import is",
            tag=TAG,
            handler=shown,
            answer=ImportView,
            segments={"id": LIST, "import": ID},
        ),
        Endpoint(
            method="GET",
            path="/mail-lists/{id}/imports/{import}/lines",
            summary="List what became of an import's lines",
            tag=TAG,
            handler=lines,
            query=Listing,
            answer=Page[LineView],
            segments={"id": LIST, "import": ID},
            description="Lines that were simply added are only counted.",
        ),
    ]


def _stated(query: ImportQuery) -> Stated | None:
    given = (query.consent_how, query.consent_evidence, query.notice)
    if query.consent_at is None and given == (None, None, None):
        return None
    if query.consent_at is None or None in given:
        detail = "give consent_at, consent_how, consent_evidence and notice"
        raise Refused(Refusal.CONSENT_MISSING, detail)
    return Stated(consent_instant(query.consent_at), *(text or "" for text in given))


def _shown(ask: Ask[Any, Any], imported: Import) -> ImportView:
    return ImportView(
        id=str(imported.id),
        list=imported.list,
        name=imported.name,
        at=written(imported.at, ask.wiring.zone),
        state=imported.state,
        line=imported.line,
        added=imported.added,
        updated=imported.updated,
        unchanged=imported.unchanged,
        suppressed=imported.suppressed,
        refused=imported.refused,
        reason=imported.reason,
        ended_at=instant(ask, imported.ended_at),
    )
