"""Surveys as the API and their pages read them: never on the writer's connection."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, among, prepare
from adapters.storage.entity_reader import EntityReader
from adapters.storage.schema.line import line_friends
from adapters.storage.schema.surveys import survey_answers, survey_sessions
from gateway.domain.surveys import Session, Survey
from gateway.domain.values import Scope
from gateway.ports.surveys import Counts, Row, SaidText, SurveyRecord

_LAST = 2**63 - 1


class SurveyReader:
    """See :class:`gateway.ports.surveys.SurveyReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._surveys = EntityReader(dialect, Survey)
        sessions, answers = survey_sessions, survey_answers
        self._figures = prepare(
            dialect,
            select(sessions.c.survey, sessions.c.state, func.count())
            .where(among(dialect, sessions.c.survey, "surveys"))
            .group_by(sessions.c.survey, sessions.c.state),
        )
        self._session = prepare(
            dialect, select(sessions).where(sessions.c.token == bindparam("opened_by"))
        )
        of_survey = answers.c.survey == bindparam("survey")
        self._options = prepare(
            dialect,
            select(answers.c.question, answers.c.option, func.count())
            .where(of_survey)
            .group_by(answers.c.question, answers.c.option),
        )
        self._answered = prepare(
            dialect,
            select(answers.c.question, func.count(answers.c.response.distinct()))
            .where(of_survey)
            .group_by(answers.c.question),
        )
        told = ("response", "question", "text", "at", "friend")
        self._texts = prepare(
            dialect,
            select(*(answers.c[name] for name in told))
            .where(
                of_survey,
                answers.c.question == bindparam("question"),
                answers.c.response < bindparam("before"),
                answers.c.option == "",
                answers.c.text != "",
            )
            .order_by(answers.c.response.desc())
            .limit(bindparam("most")),
        )
        some = (
            select(answers.c.response)
            .where(of_survey, answers.c.response > bindparam("after"))
            .distinct()
            .order_by(answers.c.response)
            .limit(bindparam("most"))
        )
        self._rows = prepare(
            dialect,
            select(
                *(answers.c[n] for n in ("response", "at", "friend", "question", "option", "text"))
            )
            .where(of_survey, answers.c.response.in_(some))
            .order_by(answers.c.response),
        )
        self._names = prepare(
            dialect,
            select(line_friends.c.id, line_friends.c.name).where(
                among(dialect, line_friends.c.id, "ids")
            ),
        )

    def surveys(
        self, connection: Connection, scope: Scope, *, after: str, limit: int
    ) -> list[SurveyRecord]:
        found = self._surveys.page(connection, scope, after=after, limit=limit)
        return self._records(connection, found)

    def survey(self, connection: Connection, scope: Scope, id_: str) -> SurveyRecord | None:
        found = self._surveys.one(connection, scope, id_)
        return next(iter(self._records(connection, found)), None)

    def counts(self, connection: Connection, survey: str) -> list[Counts]:
        options: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for question, option, count in connection.rows(self._options, survey=survey):
            options[question][option] = count
        answered = connection.rows(self._answered, survey=survey)
        return [Counts(question, count, options[question]) for question, count in answered]

    def texts(
        self, connection: Connection, survey: str, question: str, *, before: int | None, limit: int
    ) -> list[SaidText]:
        before = _LAST if before is None else before
        rows = connection.rows(
            self._texts, survey=survey, question=question, before=before, most=limit
        )
        names = self._names_of(connection, [row[4] for row in rows])
        return [
            SaidText(response, question, text, at, friend, names.get(friend, ""))
            for response, question, text, at, friend in rows
        ]

    def rows(self, connection: Connection, survey: str, *, after: int, limit: int) -> list[Row]:
        found = connection.rows(self._rows, survey=survey, after=after, most=limit)
        names = self._names_of(connection, [row[2] for row in found])
        rows: dict[int, Row] = {}
        for response, at, friend, question, option, text in found:
            name = names.get(friend, "")
            row = rows.setdefault(response, Row(response, at, friend, name, {}))
            row.answers[question] = (*row.answers.get(question, ()), option or text)
        return list(rows.values())

    def session(self, connection: Connection, token: str) -> Session | None:
        rows = connection.rows(self._session, opened_by=token)
        return Session(*rows[0]) if rows else None

    def _names_of(self, connection: Connection, friends: list[int]) -> dict[int, str]:
        known = sorted(set(friends) - {0})
        return dict(connection.rows(self._names, ids=known)) if known else {}

    def _records(self, connection: Connection, surveys: Sequence[Survey]) -> list[SurveyRecord]:
        ids = [survey.id for survey in surveys]
        figures: defaultdict[str, dict[str, int]] = defaultdict(dict)
        if ids:
            for survey, state, count in connection.rows(self._figures, surveys=ids):
                figures[survey][state] = count
        return [
            SurveyRecord(
                survey, sum(figures[survey.id].values()), figures[survey.id].get("done", 0)
            )
            for survey in surveys
        ]
