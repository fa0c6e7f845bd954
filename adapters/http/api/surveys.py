"""Surveys (リサーチ) and their results, as JSON and as a table."""

import csv
from io import StringIO
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import AdvertiserId, Endpoint, Listing, Page, Query
from adapters.http.problem import NO_STORE
from gateway.domain.line.channel import Channel
from gateway.domain.surveys import Question, Survey
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.surveys import Counts, Row, SaidText, SurveyReading, SurveyRecord
from gateway.usecases.views import Instant, written

_TAG = "surveys"
_CSV = "text/csv; charset=utf-8"
_AT_ONCE = 1_000
"""Rows of a table that are read in one query."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so may be run by whoever opens the table.

Source: https://owasp.org/www-community/attacks/CSV_Injection
"""


class SurveyQuery(Listing, frozen=True):
    """Which surveys are listed."""

    advertiser: AdvertiserId | None = None


class TextQuery(Listing, frozen=True, kw_only=True):
    """Of which question the texts are listed."""

    question: Annotated[str, Meta(pattern="^[a-z0-9-]{1,20}$", examples=["wish"])]


class SurveyView(msgspec.Struct, frozen=True):
    """A survey with its figures."""

    id: str
    advertiser: str
    channel: str
    title: str
    way: Annotated[str, Meta(description="`page`, or `chat`: one question after the other.")]
    anonymous: bool
    starts: Instant
    ends: Instant
    questions: int
    offered: Annotated[int, Meta(description="Friends who were asked.")]
    answered: Annotated[int, Meta(description="Friends who answered all of it.")]
    liff_url: Annotated[
        str | None, Meta(description="Opens it inside LINE for every friend of the channel.")
    ]


class OptionResult(msgspec.Struct, frozen=True):
    """How often one option was chosen."""

    id: str
    text: Annotated[str | None, Meta(description="null where the survey has it no more.")]
    count: int
    share: Annotated[float, Meta(description="Of those who answered the question, 0 to 1.")]


class QuestionResult(msgspec.Struct, frozen=True):
    """What was answered to one question."""

    id: str
    text: str
    kind: str
    answered: int
    options: Annotated[list[OptionResult], Meta(description="None where it asks for a text.")]


class ResultsView(msgspec.Struct, frozen=True):
    """The results of a survey."""

    id: str
    offered: int
    answered: int
    questions: list[QuestionResult]


class TextView(msgspec.Struct, frozen=True):
    """What one friend wrote."""

    text: str
    at: Annotated[Instant | None, Meta(description="null where the survey is anonymous.")]
    friend: Annotated[str | None, Meta(description="The same.")]
    name: Annotated[str | None, Meta(description="The same, and for the role `viewer`.")]


def endpoints(reader: SurveyReading) -> list[Endpoint]:
    """The calls of the API that tell of surveys."""

    async def listed(ask: Ask[SurveyQuery, None]) -> Page[SurveyView]:
        scope = ask.narrowed(ask.query.advertiser)
        after = ask.after(str)
        found = await ask.read(
            reader.surveys, scope, after=str(after[0]) if after else "", limit=ask.query.limit + 1
        )
        return ask.page(found, lambda record: (record.survey.id,), lambda r: _survey(ask, r))

    async def results(ask: Ask[Query, None]) -> ResultsView | Answer:
        record = await _record(ask, reader)
        if "text/csv" in (ask.request.headers.get("Accept") or ""):
            return await _table(ask, reader, record.survey)
        counts = await ask.read(reader.counts, record.survey.id)
        return _results(record, {count.question: count for count in counts})

    async def texts(ask: Ask[TextQuery, None]) -> Page[TextView]:
        record = await _record(ask, reader)
        before = ask.after(int)
        found = await ask.read(
            reader.texts,
            record.survey.id,
            ask.query.question,
            before=before and before[0],
            limit=ask.query.limit + 1,
        )
        return ask.page(found, lambda said: (said.response,), lambda said: _text(ask, said))

    return [
        Endpoint(
            method="GET",
            path="/surveys",
            summary="List surveys",
            tag=_TAG,
            handler=listed,
            query=SurveyQuery,
            answer=Page[SurveyView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="By id. What a survey asks stands in the provisioning files.",
        ),
        Endpoint(
            method="GET",
            path="/surveys/{id}/results",
            summary="Read the results of a survey",
            tag=_TAG,
            handler=results,
            answer=ResultsView,
            further_types=("text/csv",),
            description="With `Accept: text/csv` a table: a row for each friend who answered, a "
            "column for each question, UTF-8 with a byte order mark. An anonymous survey's rows "
            "say neither who nor when, and are in no order.",
        ),
        Endpoint(
            method="GET",
            path="/surveys/{id}/texts",
            summary="List what friends wrote",
            tag=_TAG,
            handler=texts,
            query=TextQuery,
            answer=Page[TextView],
            description="Newest first; of an anonymous survey in no order.",
        ),
    ]


async def _record(ask: Ask[Any, Any], reader: SurveyReading) -> SurveyRecord:
    record = await ask.read(reader.survey, ask.scope, ask.parameters["id"])
    if record is None:
        raise Refused(Refusal.NOT_FOUND)
    return record


def _survey(ask: Ask[Any, Any], record: SurveyRecord) -> SurveyView:
    survey, zone = record.survey, ask.wiring.zone
    channel = ask.wiring.store.entity(Channel, survey.channel)
    is_liff = channel is not None and channel.liff_id and channel.login_channel_id
    return SurveyView(
        id=survey.id,
        advertiser=survey.advertiser,
        channel=survey.channel,
        title=survey.title,
        way=survey.way,
        anonymous=survey.anonymous,
        starts=written(survey.starts, zone),
        ends=written(survey.ends, zone),
        questions=len(survey.questions),
        offered=record.offered,
        answered=record.answered,
        liff_url=f"https://liff.line.me/{channel.liff_id}/q/{survey.id}"
        if channel is not None and is_liff
        else None,
    )


def _results(record: SurveyRecord, counts: dict[str, Counts]) -> ResultsView:
    questions = [
        _question(question, counts.get(question.id, Counts(question.id, 0, {})))
        for question in record.survey.questions
    ]
    return ResultsView(record.survey.id, record.offered, record.answered, questions)


def _question(question: Question, counts: Counts) -> QuestionResult:
    chosen = {option.id: 0 for option in question.options} | counts.options
    options = [
        OptionResult(id_, _text_of(question, id_), count, round(count / (counts.answered or 1), 4))
        for id_, count in chosen.items()
        if id_  # texts have none
    ]
    return QuestionResult(question.id, question.text, question.kind, counts.answered, options)


def _text_of(question: Question, option: str) -> str | None:
    found = question.option(option)
    return found.text if found else None


def _text(ask: Ask[Any, Any], said: SaidText) -> TextView:
    known = said.friend != 0
    return TextView(
        text=said.text,
        at=written(said.at, ask.wiring.zone) if said.at else None,
        friend=str(said.friend) if known else None,
        name=said.name if known and ask.access.sees_callers else None,
    )


# --- the table ---


async def _table(ask: Ask[Any, Any], reader: SurveyReading, survey: Survey) -> Answer:
    """All answers; read and written a piece at a time, between which others are served."""
    head = [] if survey.anonymous else ["at", "friend", "name"]
    parts = [_lines([[*head, *(question.text for question in survey.questions)]])]
    after = -1
    while rows := await ask.read(reader.rows, survey.id, after=after, limit=_AT_ONCE):
        after = rows[-1].response
        parts.append(_lines([_cells(ask, survey, row) for row in rows]))
    # Excel takes a table without the mark for Shift_JIS.
    body = ("\ufeff" + "".join(parts)).encode()
    name = f'attachment; filename="{survey.id}.csv"'
    return Answer(body, 200, _CSV, {**NO_STORE, "Content-Disposition": name})


def _cells(ask: Ask[Any, Any], survey: Survey, row: Row) -> list[str]:
    who: list[str] = []
    if not survey.anonymous:
        name = row.name if ask.access.sees_callers else ""
        at = written(row.at, ask.wiring.zone) if row.at else ""
        who = [at, str(row.friend or ""), name]
    return [*who, *(_answer(q, row.answers.get(q.id, ())) for q in survey.questions)]


def _answer(question: Question, answer: tuple[str, ...]) -> str:
    if question.kind == "text":
        return "".join(answer)
    known = [option.text for option in question.options if option.id in answer]
    return " / ".join([*known, *(id_ for id_ in answer if question.option(id_) is None)])


def _lines(rows: list[list[str]]) -> str:
    """Rows as RFC 4180 has them."""
    text = StringIO()
    csv.writer(text).writerows([[_guarded(cell) for cell in row] for row in rows])
    return text.getvalue()


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
