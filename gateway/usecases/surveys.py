"""Surveys: ask a friend, take each answer, and keep them all once."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.domain import surveys
from gateway.domain.line.channel import Channel, Message
from gateway.domain.line.friends import Friend
from gateway.domain.line.messages import render, variables_of
from gateway.domain.surveys import Answers, Result, Session, Survey, Thanks, messages
from gateway.domain.values import EVERYBODY, Counted, Draw, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.surveys import Answered
from gateway.usecases import cards, coupons
from gateway.usecases.audience import tag

IDS_A_SUBMISSION = 8
"""So many ids one filled-in page may need: the session, the response, and coupons of the thanks."""

FORGET_AT_ONCE = 500
"""Texts that one unit clears."""

_UNGUESSED = 2**62
"""Responses of anonymous surveys have ids that tell nothing of their time."""

_replace = msgspec.structs.replace


def counted(advertiser: str, result: Result) -> Counted:
    """A fact of the metric ``survey_answers_total``."""
    return Counted(advertiser, "survey_answers_total", (result,))


def forget(tx: Transaction, before: int) -> tuple[int, Sequence[Fact]]:
    """Clear texts of before an instant, a bounded piece at a time; returns how many.

    What was chosen stays, and so does that somebody wrote something.
    """
    return tx.surveys.forget(EVERYBODY, before, FORGET_AT_ONCE), ()


# --- in the chat ---


def offer(
    tx: Transaction, channel: Channel, friend: Friend, survey_id: str, draw: Draw, now: int
) -> tuple[list[Message], list[Fact]]:
    """What takes the place of ``{type = "survey"}``: the first question, or the way to the page.

    The friend must be loaded, and so locked. It takes one id of ``draw``.
    """
    survey = tx.entities.find(EVERYBODY, Survey, survey_id)
    if survey is None or survey.channel != channel.id or friend.is_group:
        return [], [counted(channel.advertiser, "refused")]
    why = _objection(tx, survey, friend, now)
    if why is not None:
        return [_refusal(survey, why, friend)], [counted(survey.advertiser, "refused")]
    session, facts = _begun(tx, survey, friend, draw, now)
    return [_next(tx, survey, session, friend)], facts


def pressed(
    tx: Transaction, channel: Channel, friend: Friend, data: str, draw: Draw, now: int
) -> tuple[list[Message], list[Fact]]:
    """What follows of a button of a survey: the next question, or thanks.

    Takes two ids of ``draw``.
    """
    parts = surveys.read_data(data)
    survey = tx.entities.find(EVERYBODY, Survey, parts[0]) if parts else None
    refused: list[Fact] = [counted(channel.advertiser, "refused")]
    if parts is None or survey is None or survey.channel != channel.id or friend.is_group:
        return [], refused
    why = _objection(tx, survey, friend, now)
    if why is not None:
        return [_refusal(survey, why, friend)], refused
    session, facts = _begun(tx, survey, friend, draw, now)
    progress = surveys.pressed(survey, surveys.progress_of(session), parts[1], parts[2])
    if progress is None:  # a button of earlier: what is asked now is asked again
        return [_next(tx, survey, session, friend)], [*facts, *refused]
    session = _replace(session, progress=surveys.written(progress))
    if surveys.asked(survey, progress) is not None:
        tx.surveys.save(EVERYBODY, session)
        return [_next(tx, survey, session, friend)], facts
    facts += _keep(tx, survey, session, friend, progress.answers, (), draw, now)
    if survey.thanks:
        return list(survey.thanks), facts
    return [messages.told("thanks", survey, friend.language)], facts


def _objection(tx: Transaction, survey: Survey, friend: Friend, now: int) -> Refusal | None:
    """Why a friend cannot answer now."""
    session = tx.surveys.session(EVERYBODY, survey.id, friend.id)
    if session is not None and session.state == "done":
        return Refusal.SURVEY_ANSWERED
    return None if survey.is_open(now) else Refusal.SURVEY_CLOSED


def _refusal(survey: Survey, why: Refusal, friend: Friend) -> Message:
    key = "again" if why is Refusal.SURVEY_ANSWERED else "closed"
    return messages.told(key, survey, friend.language)


def _begun(
    tx: Transaction, survey: Survey, friend: Friend, draw: Draw, now: int
) -> tuple[Session, list[Fact]]:
    """The friend's session, made where there is none yet."""
    session = tx.surveys.session(EVERYBODY, survey.id, friend.id)
    if session is not None:
        return session, []
    session = Session(
        id=draw.id(),
        survey=survey.id,
        advertiser=survey.advertiser,
        channel=survey.channel,
        friend=friend.id,
        token=draw.token(),
        state="open",
        offered_at=now,
    )
    tx.surveys.save(EVERYBODY, session)
    return session, [counted(survey.advertiser, "offered")]


def _next(tx: Transaction, survey: Survey, session: Session, friend: Friend) -> Message:
    url = f"{tx.public_url}/q/{session.token}"
    progress = surveys.progress_of(session)
    question = surveys.asked(survey, progress) if survey.way == "chat" else None
    if question is None:
        return messages.invitation(survey, url, friend.language)
    return messages.asking(survey, question, progress, url, friend.language)


# --- on the page ---


class Submission(msgspec.Struct, frozen=True):
    """A page that was filled in."""

    key: str
    """A friend's token; with a ``user`` a survey's id is enough."""
    user: str
    """Who the platform says sent it; empty where the token alone tells."""
    given: Mapping[str, Sequence[str]]
    at: int
    seed: Seed
    """With :data:`IDS_A_SUBMISSION` ids."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    refusal: Refusal | None = None
    """Why nothing was kept, if so."""
    wrong: tuple[str, ...] = ()
    """The questions whose answers are not right."""
    thanks: tuple[Thanks, ...] = ()


def submit(tx: Transaction, sent: Submission) -> tuple[Outcome, Sequence[Fact]]:
    """Keep what somebody answered, once.

    Raises:
        Refused: there is no such survey, or it was offered to somebody else.
    """
    survey, channel, friend = _addressed(tx, sent)
    if friend is None or friend.state in ("blocked", "left"):
        return Outcome(Refusal.NOT_FRIEND), [counted(survey.advertiser, "refused")]
    refused: list[Fact] = [counted(survey.advertiser, "refused")]
    why = _objection(tx, survey, friend, sent.at)
    if why is not None:
        held = tx.surveys.session(EVERYBODY, survey.id, friend.id)
        return Outcome(why, thanks=surveys.thanks_of(held) if held else ()), refused
    answers, wrong = surveys.accepted(survey, sent.given)
    if wrong:
        return Outcome(Refusal.SURVEY_INVALID, wrong), refused
    draw = sent.seed.draw()
    session, facts = _begun(tx, survey, friend, draw, sent.at)
    thanks, more = _thanks(tx, survey, channel, friend, draw, sent.at)
    facts += _keep(tx, survey, session, friend, answers, thanks, draw, sent.at)
    return Outcome(thanks=thanks), [*facts, *more]


def _addressed(tx: Transaction, sent: Submission) -> tuple[Survey, Channel, Friend | None]:
    """The survey that was filled in, and by whom."""
    session = None
    survey = tx.entities.find(EVERYBODY, Survey, sent.key) if sent.user else None
    if survey is None:
        session = tx.surveys.by_token(EVERYBODY, sent.key)
        survey = tx.entities.find(EVERYBODY, Survey, session.survey) if session else None
    channel = tx.entities.find(EVERYBODY, Channel, survey.channel) if survey else None
    if survey is None or channel is None:
        raise Refused(Refusal.NOT_FOUND)
    if session is None:
        return survey, channel, tx.line.friend(EVERYBODY, channel.id, sent.user)
    friend = tx.line.friend_by_id(EVERYBODY, session.friend)
    if friend is None or (sent.user and friend.user != sent.user):
        raise Refused(Refusal.NOT_FOUND)
    return survey, channel, friend


def _keep(
    tx: Transaction,
    survey: Survey,
    session: Session,
    friend: Friend,
    answers: Answers,
    thanks: tuple[Thanks, ...],
    draw: Draw,
    now: int,
) -> list[Fact]:
    """The answers, whose they are only where that may be known, and the session's end."""
    hidden = survey.anonymous
    response = draw.below(_UNGUESSED) if hidden else draw.id()
    tx.surveys.answer(
        EVERYBODY,
        [
            Answered(
                response=response,
                question=question.id,
                option="" if question.kind == "text" else value,
                advertiser=survey.advertiser,
                survey=survey.id,
                channel=survey.channel,
                friend=0 if hidden else friend.id,
                text=value if question.kind == "text" else "",
                at=0 if hidden else now,
            )
            for question in survey.questions
            for value in answers.get(question.id, ())
        ],
    )
    done = _replace(session, state="done", done_at=now, progress="", thanks=surveys.written(thanks))
    tx.surveys.save(EVERYBODY, done)
    facts: list[Fact] = [counted(survey.advertiser, "answered")]
    return facts + tag(tx, friend, surveys.tags_of(survey, answers), now, f"survey:{survey.id}")


def _thanks(
    tx: Transaction, survey: Survey, channel: Channel, friend: Friend, draw: Draw, now: int
) -> tuple[tuple[Thanks, ...], list[Fact]]:
    """The messages after the last answer, as far as a page can show them: texts and coupons."""
    shown: list[Thanks] = []
    facts: list[Fact] = []
    for message in survey.thanks:
        if message["type"] == "text":
            shown.append(Thanks(_filled(tx, channel, friend, message)))
        elif "coupon" in message:
            offered, more = coupons.offer(tx, channel, friend, message["coupon"], draw, now)
            shown += [_shown(each) for each in offered if each["type"] != "coupon"]
            facts += more
    return tuple(shown), facts


def _filled(tx: Transaction, channel: Channel, friend: Friend, message: Message) -> str:
    values = {"shop": channel.shop, "name": friend.name}
    if "points" in variables_of(message):
        values["points"] = cards.points(tx, channel, friend.user)
    return str(render(message, values)["text"])


def _shown(message: Message) -> Thanks:
    """A coupon's message: a text with a button that opens it, or why there is none."""
    if message["type"] == "template":
        template = message["template"]
        return Thanks(template["text"], template["actions"][0]["uri"])
    return Thanks(message["text"])
