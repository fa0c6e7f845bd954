"""Surveys (リサーチ): what is asked, how far a friend has come, and which answers are right."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import msgspec

Message = dict[str, Any]

PREFIX = "gw/survey/"
"""What the data of a survey's buttons begins with: ``gw/survey/<survey>/<question>/<option>``."""

DONE, SKIP = "_done", "_skip"
"""What stands in an option's place: no more choices; no answer. No option is called so."""

MOST_BUTTONS = 13
"""Quick replies that a message can have."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Kind = Literal["choice", "choices", "text"]
State = Literal["open", "done"]
Result = Literal["offered", "answered", "refused"]
"""A metric label; ``refused``: a second time, too late, or not what was asked."""

Answers = dict[str, tuple[str, ...]]
"""By question: ids of options, or one text; empty where it was left out."""


class Option(msgspec.Struct, frozen=True):
    """One of the answers that can be chosen."""

    id: str
    text: str
    tags: tuple[str, ...] = ()
    """Who chooses it is tagged with these."""


class Question(msgspec.Struct, frozen=True):
    """One question."""

    id: str
    text: str
    kind: Kind = "choice"
    """``choice``: one option; ``choices``: any number of them; ``text``: in one's own words."""
    options: tuple[Option, ...] = ()
    required: bool = True
    most: int = 500
    """Characters that a text may have."""

    def option(self, id_: str) -> Option | None:
        """The option of this id."""
        return next((option for option in self.options if option.id == id_), None)


class Survey(msgspec.Struct, frozen=True):
    """Some questions to the friends of a channel, answered once each."""

    table: ClassVar[str] = "survey"

    id: str
    advertiser: str
    channel: str
    title: str
    questions: tuple[Question, ...]
    starts: int
    ends: int
    """Instants; it can be answered up to and including the latter."""
    way: Literal["page", "chat"] = "page"
    """``chat``: a question after the other, with buttons; texts are asked for on the page."""
    thanks: tuple[Message, ...] = ()
    """What follows the last answer; empty: a text of ours."""
    anonymous: bool = False
    """Whether answers are kept without whose they are."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser

    def is_open(self, now: int) -> bool:
        """Whether it can be answered at ``now`` (microseconds)."""
        return self.starts <= now <= self.ends

    def question(self, id_: str) -> Question | None:
        """The question of this id."""
        return next((question for question in self.questions if question.id == id_), None)


class Progress(msgspec.Struct, frozen=True):
    """How far somebody has come in the chat."""

    answers: Answers = {}
    """Of the questions that are done."""
    picked: tuple[str, ...] = ()
    """What was chosen so far of the question that is being asked."""


class Session(msgspec.Struct, frozen=True):
    """One friend's survey; the fields are the columns of the store, in their order."""

    id: int
    survey: str
    advertiser: str
    channel: str
    friend: int
    token: str
    """Opens the friend's own page."""
    state: State
    offered_at: int
    done_at: int = 0
    progress: str = ""
    """A :class:`Progress` as JSON; empty at the beginning, and once it is done."""
    thanks: str = ""
    """What the page says once it is done: :class:`Thanks` as a JSON list."""


class Thanks(msgspec.Struct, frozen=True):
    """A thing that the page says after the last answer."""

    text: str
    url: str = ""
    """What it leads to: a coupon."""


_thanks = msgspec.json.Decoder(tuple[Thanks, ...])
_progress = msgspec.json.Decoder(Progress)


def progress_of(session: Session) -> Progress:
    """How far a session has come."""
    return _progress.decode(session.progress) if session.progress else Progress()


def thanks_of(session: Session) -> tuple[Thanks, ...]:
    """What the page says to a friend who has answered."""
    return _thanks.decode(session.thanks) if session.thanks else ()


def written(kept: Progress | Sequence[Thanks]) -> str:
    """``kept`` as a session keeps it."""
    return msgspec.json.encode(kept).decode()


# --- in the chat ---


def asked(survey: Survey, progress: Progress) -> Question | None:
    """The question that comes next; ``None`` after the last one."""
    return next((q for q in survey.questions if q.id not in progress.answers), None)


def pressed(survey: Survey, progress: Progress, question: str, option: str) -> Progress | None:
    """What a button changes; ``None`` where it is not one of those that are shown now."""
    current = asked(survey, progress)
    if current is None or current.id != question or current.kind == "text":
        return None
    if option == SKIP:
        return None if current.required else _after(progress, current, ())
    if option == DONE:
        enough = progress.picked or not current.required
        return _after(progress, current, progress.picked) if enough else None
    if current.option(option) is None or option in progress.picked:
        return None
    if current.kind == "choice":
        return _after(progress, current, (option,))
    picked = (*progress.picked, option)
    if len(picked) == len(current.options):  # nothing is left to be chosen
        return _after(progress, current, picked)
    return Progress(progress.answers, picked)


def _after(progress: Progress, question: Question, answer: tuple[str, ...]) -> Progress:
    return Progress({**progress.answers, question.id: _in_order(question, answer)})


def _in_order(question: Question, chosen: Sequence[str]) -> tuple[str, ...]:
    return tuple(option.id for option in question.options if option.id in chosen)


def buttons(question: Question, picked: Sequence[str]) -> list[tuple[str, str]]:
    """What can be pressed under a question: the option's id (or :data:`DONE`, :data:`SKIP`) and
    its text, which is empty for these two.
    """
    shown = [(option.id, option.text) for option in question.options if option.id not in picked]
    if question.kind == "choices" and (picked or not question.required):
        shown.append((DONE, ""))
    elif question.kind == "choice" and not question.required:
        shown.append((SKIP, ""))
    return shown


def data_of(survey: str, question: str, option: str) -> str:
    """The data of a button."""
    return f"{PREFIX}{survey}/{question}/{option}"


def read_data(data: str) -> tuple[str, str, str] | None:
    """Survey, question and option of a button's data; ``None`` where it is none of ours."""
    parts = data.removeprefix(PREFIX).split("/")
    if not data.startswith(PREFIX) or len(parts) != 3:
        return None
    return parts[0], parts[1], parts[2]


# --- on the page ---


def accepted(survey: Survey, given: Mapping[str, Sequence[str]]) -> tuple[Answers, tuple[str, ...]]:
    """The answers in what was sent, and the ids of questions whose answers are not right.

    What belongs to no question makes the whole wrong, too: its name is not among the ids.
    """
    answers: Answers = {}
    wrong = [""] if any(survey.question(name) is None for name in given) else []
    for question in survey.questions:
        answer = _accepted(question, given.get(question.id, ()))
        if answer is None:
            wrong.append(question.id)
        else:
            answers[question.id] = answer
    return answers, tuple(wrong)


def _accepted(question: Question, given: Sequence[str]) -> tuple[str, ...] | None:
    if question.kind == "text":
        texts = tuple(filter(None, map(_plain, given)))
        if len(texts) > 1 or any(len(text) > question.most for text in texts):
            return None
        return texts if texts or not question.required else None
    chosen = set(filter(None, given))
    if any(question.option(id_) is None for id_ in chosen):
        return None
    if (question.kind == "choice" and len(chosen) > 1) or (question.required and not chosen):
        return None
    return _in_order(question, tuple(chosen))


def _plain(text: str) -> str:
    """``text`` without what cannot be seen, or kept."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n")).strip()


def tags_of(survey: Survey, answers: Answers) -> list[str]:
    """The tags of all options that were chosen."""
    return [
        tag
        for question in survey.questions
        for option in question.options
        if option.id in answers.get(question.id, ())
        for tag in option.tags
    ]
