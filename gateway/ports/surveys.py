"""Surveys in the store: who was asked, and what was answered."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.surveys import Session, Survey
from gateway.domain.values import Scope


class Answered(msgspec.Struct, frozen=True):
    """One option that was chosen, or one text; the fields are the columns, in their order."""

    response: int
    """Everything that one friend answered has the same."""
    question: str
    option: str
    """Empty of a text."""
    advertiser: str
    survey: str
    channel: str
    friend: int
    """0 where the survey is anonymous, or the friend was erased."""
    text: str
    at: int


class Surveys(Protocol):
    """Sessions and answers. What is found is locked until the end of the transaction."""

    def session(self, scope: Scope, survey: str, friend: int) -> Session | None:
        """The session of a friend, who must be locked."""

    def by_token(self, scope: Scope, token: str) -> Session | None:
        """A session as it stands now, not locked: lock its friend, then ask for it again."""

    def save(self, scope: Scope, session: Session) -> None:
        """Keep a session, new or changed."""

    def answer(self, scope: Scope, answers: Sequence[Answered]) -> None:
        """Keep the answers of one friend."""

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Clear texts that were given before an instant, at most ``limit``; returns how many.

        Those of an anonymous survey once its last answer was.
        """


class SurveyRecord(msgspec.Struct, frozen=True):
    """A survey with its figures."""

    survey: Survey
    offered: int
    answered: int


class Counts(msgspec.Struct, frozen=True):
    """What was answered to one question."""

    question: str
    answered: int
    """How many answered it."""
    options: dict[str, int]
    """How many chose each; of texts the key is empty."""


class SaidText(msgspec.Struct, frozen=True):
    """A text that somebody wrote."""

    response: int
    question: str
    text: str
    at: int
    friend: int
    name: str


class Row(msgspec.Struct, frozen=True):
    """All that one friend answered."""

    response: int
    at: int
    friend: int
    name: str
    answers: dict[str, tuple[str, ...]]
    """By question: ids of options, or the text."""


class SurveyReading(Protocol):
    """Surveys, read beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands
    in.
    """

    def surveys(
        self, connection: Any, scope: Scope, *, after: str, limit: int
    ) -> Sequence[SurveyRecord]:
        """Surveys by id."""

    def survey(self, connection: Any, scope: Scope, id_: str) -> SurveyRecord | None:
        """One of them."""

    def counts(self, connection: Any, survey: str) -> Sequence[Counts]:
        """What was answered, by question."""

    def texts(
        self, connection: Any, survey: str, question: str, *, before: int | None, limit: int
    ) -> Sequence[SaidText]:
        """What was written to a question, newest first; ``before`` is a response."""

    def rows(self, connection: Any, survey: str, *, after: int, limit: int) -> Sequence[Row]:
        """What each friend answered, oldest first, of responses behind ``after``."""

    def session(self, connection: Any, token: str) -> Session | None:
        """The session that a whole token opens."""
