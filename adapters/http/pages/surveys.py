"""``/q/{token}``: a survey's questions, for the friend whose token it is; and, under the survey's
own id, for whoever LINE names.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.http.pages.base import HEADERS, Pages, form, language_of
from adapters.http.pages.liff import posted
from adapters.http.pages.survey_views import done_page, form_page, liff_page, result
from adapters.http.problem import PROBLEM, problem
from gateway.domain.line.channel import Channel
from gateway.domain.surveys import Session, Survey, progress_of, thanks_of
from gateway.domain.values import Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from gateway.ports.login import Logins
from gateway.ports.process import Blocks
from gateway.ports.reading import Reads
from gateway.ports.surveys import SurveyReading
from gateway.usecases.surveys import IDS_A_SUBMISSION, Outcome, Submission, submit

_PATH = "/q/{token}"
_MOST_BODY = 400_000
"""Twenty texts of the longest kind, percent-encoded."""


class _Posted(msgspec.Struct):
    id_token: str
    answers: dict[str, str | list[str]]


class SurveyPages:
    """The pages of surveys."""

    def __init__(
        self, store: Reads, reader: SurveyReading, pages: Pages, ids: Blocks, logins: Logins | None
    ) -> None:
        self._store = store
        self._reader = reader
        self._pages = pages
        self._ids = ids
        self._logins = logins

    def routes(self) -> list[Route]:
        """``GET`` and ``POST /q/{token}``."""
        return [
            self._pages.route("GET", _PATH, self._show, "survey"),
            self._pages.route("POST", _PATH, self._take, "survey_answer", _MOST_BODY),
        ]

    async def _show(self, request: Request) -> Answer:
        token, language = request.parameters["token"], language_of(request)
        survey = self._store.entity(Survey, token)
        if survey is not None:
            channel = self._channel(survey)
            if not (channel.liff_id and channel.login_channel_id):
                raise Refused(Refusal.NOT_FOUND)
            if not survey.is_open(request.received_at):
                raise Refused(Refusal.SURVEY_CLOSED)
            return liff_page(language, channel, survey)
        session, survey = await self._session(token)
        channel = self._channel(survey)
        if session.state == "done":
            return done_page(language, channel, survey, thanks_of(session))
        if not survey.is_open(request.received_at):
            raise Refused(Refusal.SURVEY_CLOSED)
        progress = progress_of(session)
        asked = next((q.id for q in survey.questions if q.id not in progress.answers), "")
        return form_page(language, channel, survey, {asked: progress.picked, **progress.answers})

    async def _take(self, request: Request) -> Answer:
        kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind == "application/json":
            return await self._take_inside(request)
        token, language = request.parameters["token"], language_of(request)
        given = _given(form(request))
        _, survey = await self._session(token)
        outcome = await self._submit(request, "", given)
        channel = self._channel(survey)
        if outcome.refusal is None:
            return done_page(language, channel, survey, outcome.thanks)
        status = self._pages.refused("survey_answer", outcome.refusal)
        if outcome.refusal is Refusal.SURVEY_INVALID:
            return form_page(language, channel, survey, given, wrong=outcome.wrong, status=status)
        return done_page(language, channel, survey, outcome.thanks, outcome.refusal, status)

    async def _take_inside(self, request: Request) -> Answer:
        """What LIFF's page sends; its script shows what is answered."""
        sent = posted(request, _Posted)
        token = request.parameters["token"]
        survey = self._store.entity(Survey, token) or (await self._session(token))[1]
        channel = self._channel(survey)
        if self._logins is None:
            raise Refused(Refusal.NOT_FOUND)
        try:
            user = await self._logins.verify(sent.id_token, channel.login_channel_id)
        except Refused as why:
            return self._told(request, Outcome(why.reason))
        given = {
            name: [answer] if isinstance(answer, str) else answer
            for name, answer in sent.answers.items()
        }
        return self._told(request, await self._submit(request, user, given))

    def _told(self, request: Request, outcome: Outcome) -> Answer:
        html = result(language_of(request), outcome.thanks, outcome.refusal)
        told: dict[str, Any] = {"html": str(html), "wrong": outcome.wrong}
        if outcome.refusal is None:
            return Answer(msgspec.json.encode(told), 200, "application/json", HEADERS)
        status = self._pages.refused("survey_answer", outcome.refusal)
        document = msgspec.json.decode(problem(status, outcome.refusal, "", request.id).body)
        return Answer(msgspec.json.encode({**document, **told}), status, PROBLEM, HEADERS)

    async def _submit(
        self, request: Request, user: str, given: Mapping[str, Sequence[str]]
    ) -> Outcome:
        now = request.received_at
        first = self._ids.block(now, IDS_A_SUBMISSION)
        seed = Seed(first, IDS_A_SUBMISSION, secrets.token_bytes(16))
        sent = Submission(request.parameters["token"], user, given, now, seed)
        return await self._store.run(submit, sent)

    async def _session(self, token: str) -> tuple[Session, Survey]:
        session = await self._store.read(self._reader.session, token)
        survey = self._store.entity(Survey, session.survey) if session else None
        if session is None or survey is None:
            raise Refused(Refusal.NOT_FOUND)
        return session, survey

    def _channel(self, survey: Survey) -> Channel:
        channel = self._store.entity(Channel, survey.channel)
        if channel is None:
            raise Refused(Refusal.NOT_FOUND)
        return channel


def _given(fields: Mapping[str, str]) -> dict[str, list[str]]:
    """A form's fields by question; each box that was ticked is a field of its own."""
    given: dict[str, list[str]] = {}
    for name, value in fields.items():
        question, _, option = name.partition("/")
        given.setdefault(question, []).append(option or value)
    return given
