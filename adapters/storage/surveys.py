"""Surveys in the store. Every write is made at once: a unit sees what the units before it kept."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, select, tuple_, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, Prepared, prepare, prepare_bulk
from adapters.storage.schema.surveys import TEXTS, survey_answers, survey_sessions
from gateway.domain.surveys import Session
from gateway.domain.values import Scope
from gateway.ports.surveys import Answered

_astuple = msgspec.structs.astuple


class SurveyStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        sessions = survey_sessions
        self.session = prepare(
            dialect,
            select(sessions)
            .where(
                sessions.c.survey == bindparam("of_survey"),
                sessions.c.friend == bindparam("whose"),
            )
            .with_for_update(),
        )
        self.by_token = prepare(
            dialect, select(sessions).where(sessions.c.token == bindparam("opened_by"))
        )
        self.insert_session = prepare_bulk(dialect, sessions)
        changing = ["state", "done_at", "progress", "thanks"]
        self.upsert_session = prepare_bulk(dialect, sessions, update=changing)
        self.insert_answers = prepare_bulk(dialect, survey_answers)
        answers = survey_answers
        old = _some.where(answers.c.at > 0, answers.c.at < bindparam("before"))
        self.clear_old = prepare(dialect, _cleared(old.order_by(answers.c.at)))
        # Of anonymous answers nobody knows when they were given.
        of_survey = _some.where(answers.c.at == 0, answers.c.survey == bindparam("of_survey"))
        self.clear_anonymous = prepare(dialect, _cleared(of_survey))
        self.next_anonymous = prepare(
            dialect,
            select(answers.c.survey)
            .where(TEXTS, answers.c.at == 0, answers.c.survey > bindparam("after"))
            .order_by(answers.c.survey)
            .limit(1),
        )
        self.answered_since = prepare(
            dialect,
            select(sessions.c.id)
            .where(
                sessions.c.survey == bindparam("of_survey"),
                sessions.c.done_at >= bindparam("before"),
            )
            .limit(1),
        )


_KEY = tuple_(survey_answers.c.response, survey_answers.c.question, survey_answers.c.option)
_some = (
    select(survey_answers.c.response, survey_answers.c.question, survey_answers.c.option)
    .where(TEXTS)
    .limit(bindparam("most"))
)


def _cleared(some: Select[Any]) -> Any:
    """The texts of some answers go; that they were given stays, for the figures."""
    return update(survey_answers).where(_KEY.in_(some)).values(text="")


class SurveysInTransaction:
    """See :class:`gateway.ports.surveys.Surveys`."""

    def __init__(self, connection: Connection, statements: SurveyStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._known: set[int] = set()
        self.writes = 0

    def session(self, scope: Scope, survey: str, friend: int) -> Session | None:
        return self._one(scope, self._sql.session, of_survey=survey, whose=friend)

    def by_token(self, scope: Scope, token: str) -> Session | None:
        return self._one(scope, self._sql.by_token, opened_by=token)

    def _one(self, scope: Scope, query: Prepared, **parameters: Any) -> Session | None:
        for row in self._connection.rows(query, **parameters):
            found = Session(*row)
            self._known.add(found.id)
            return found if scope.covers(found.advertiser) else None
        return None

    def save(self, scope: Scope, session: Session) -> None:
        self.writes += 1
        sql = self._sql
        bulk = sql.upsert_session if session.id in self._known else sql.insert_session
        self._connection.write([(bulk, [_astuple(session)])])
        self._known.add(session.id)

    def answer(self, scope: Scope, answers: Sequence[Answered]) -> None:
        if answers:
            self.writes += 1
            self._connection.write([(self._sql.insert_answers, [_astuple(a) for a in answers])])

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        run, rows, sql = self._connection.run, self._connection.rows, self._sql
        cleared = run(sql.clear_old, before=before, most=limit)
        survey = ""
        while not cleared and (found := rows(sql.next_anonymous, after=survey)):
            survey = found[0][0]
            if not rows(sql.answered_since, of_survey=survey, before=before):
                cleared = run(sql.clear_anonymous, of_survey=survey, most=limit)
        return cleared

    def flush(self) -> None:
        """Nothing waits."""
