"""Surveys in both engines: one answer a friend, whichever way and however often it comes."""

import asyncio
import json
from collections import Counter

import msgspec
import pytest

from adapters.storage.store import SqlStore
from adapters.storage.survey_reader import SurveyReader
from gateway.domain.surveys import Survey, progress_of
from gateway.domain.values import EVERYBODY, Counted, Scope
from gateway.errors import Refusal, Refused
from gateway.ports.surveys import Counts
from gateway.usecases.surveys import FORGET_AT_ONCE, Outcome, forget, submit
from tests.support.coupons import coupon
from tests.support.line import NOON, SHOP, text
from tests.support.stores import PATIENT, Engine, Recorder, dialect_of, on_a_loop
from tests.support.surveys import (
    DAY,
    DISHES,
    TASTE,
    WISH,
    do,
    submission,
    survey,
    token_in,
    user,
    wish,
)

CHAT = survey(way="chat", questions=(TASTE, DISHES))
RIGHT = {"taste": ["good"], "dishes": ["rice", "fish"], "wish": ["もっと"]}


def opened(engine: Engine, *held: Survey, observer: Recorder | None = None) -> SqlStore:
    """A store with a shop and its surveys, yet to be opened."""
    engine.provision(SHOP, *held)
    return engine.store(observer, limits=PATIENT, public_url="https://gw.example.jp")


def reader(engine: Engine) -> SurveyReader:
    """What reads surveys."""
    return SurveyReader(dialect_of(engine.name))


def counted(observer: Recorder) -> Counter[str]:
    """How often what was counted."""
    facts = [fact for fact in observer.facts if isinstance(fact, Counted)]
    return Counter(f.labels[0] for f in facts if f.metric == "survey_answers_total")


async def press(store: SqlStore, *ways: str, number: int = 0) -> list[str]:
    """What a friend is told after each button, as texts."""
    said = []
    for way in ways:
        messages = await store.run(do, wish(f"gw/survey/autumn/{way}", number))
        said += [message["text"].splitlines()[0] for message in messages]
    return said


@on_a_loop
async def test_a_friend_answers_in_the_chat(engine: Engine) -> None:
    """A question after the other; then thanks, tags, and rows with all that was chosen."""
    observer = Recorder()
    async with opened(engine, CHAT, observer=observer) as store:
        (asked,) = await store.run(do, wish())
        assert "（1/2）" in asked["text"]
        said = await press(store, "taste/good", "dishes/fish", "dishes/rice", "dishes/_done")
        assert said == [*["秋のアンケート（2/2）"] * 3, "ご回答ありがとうございました。"]
        record = await store.read(reader(engine).survey, EVERYBODY, "autumn")
        counts = await store.read(reader(engine).counts, "autumn")
        rows = await store.read(reader(engine).rows, "autumn", after=-1, limit=9)
    assert record is not None
    assert (record.offered, record.answered) == (1, 1)
    assert sorted(counts, key=lambda c: c.question) == [
        Counts("dishes", 1, {"rice": 1, "fish": 1}),
        Counts("taste", 1, {"good": 1}),
    ]
    ((answers, name),) = [(row.answers, row.name) for row in rows]
    assert (name, answers["taste"]) == ("花子", ("good",))
    assert sorted(answers["dishes"]) == ["fish", "rice"]
    tags = engine.rows("SELECT tag, source FROM friend_tags ORDER BY tag")
    assert tags == [("fan", "survey:autumn"), ("fish", "survey:autumn")]
    assert counted(observer) == {"offered": 1, "answered": 1}


@on_a_loop
async def test_a_second_answer_is_refused_and_counted(engine: Engine) -> None:
    """In the chat as on the page, and being asked again is no new chance."""
    observer = Recorder()
    async with opened(engine, CHAT, observer=observer) as store:
        await press(store, "taste/good", "dishes/_done")
        (pressed,) = await press(store, "taste/bad")
        (asked,) = await store.run(do, wish())
        assert pressed == asked["text"]
        assert "すでにご回答いただいています" in pressed
        ((token,),) = engine.rows("SELECT token FROM survey_sessions")
        outcome = await store.run(submit, submission(token, {"taste": ["bad"]}))
    assert outcome.refusal is Refusal.SURVEY_ANSWERED
    assert engine.rows("SELECT option FROM survey_answers") == [("good",)]
    assert counted(observer) == {"offered": 1, "answered": 1, "refused": 3}


@on_a_loop
async def test_an_old_button_asks_again_what_is_asked_now(engine: Engine) -> None:
    """A question that was answered stays as it was."""
    async with opened(engine, CHAT) as store:
        assert await press(store, "taste/good", "taste/bad") == ["秋のアンケート（2/2）"] * 2
        ((row,),) = engine.rows("SELECT progress FROM survey_sessions")
    assert json.loads(row)["answers"] == {"taste": ["good"]}


@on_a_loop
async def test_texts_are_asked_for_on_the_page(engine: Engine) -> None:
    """What was chosen in the chat waits there; the rest is sent together with it."""
    async with opened(engine, survey(way="chat")) as store:
        await press(store, "taste/good")
        (message,) = await store.run(do, wish("gw/survey/autumn/dishes/_done"))
        token = token_in([message])
        session = await store.read(reader(engine).session, token)
        assert session is not None
        assert progress_of(session).answers == {"taste": ("good",), "dishes": ()}
        outcome = await store.run(submit, submission(token, {"taste": ["good"], "wish": ["x"]}))
        assert outcome == Outcome()
        texts = await store.read(reader(engine).texts, "autumn", "wish", before=None, limit=9)
    assert [(said.text, said.name) for said in texts] == [("x", "花子")]


@on_a_loop
async def test_a_hundred_submissions_are_one(engine: Engine) -> None:
    """All at once, of one process as of two: one is kept, the others are told so."""
    async with opened(engine, survey()) as store, opened(engine) as other:
        token = token_in(await store.run(do, wish()))
        stores = [store, other if engine.name == "postgres" else store]
        outcomes = await asyncio.gather(
            *(stores[n % 2].run(submit, submission(token, RIGHT)) for n in range(100))
        )
    found = Counter(outcome.refusal for outcome in outcomes)
    assert found == {None: 1, Refusal.SURVEY_ANSWERED: 99}
    assert engine.rows("SELECT count(*) FROM survey_answers") == [(4,)]


@on_a_loop
async def test_a_survey_is_answered_in_its_time(engine: Engine) -> None:
    """Neither before nor after, by friends of its channel alone, and never by groups."""
    observer = Recorder()
    async with opened(engine, CHAT, observer=observer) as store:
        await store.run(do, wish(at=NOON))
        ((token,),) = engine.rows("SELECT token FROM survey_sessions")
        for at in (CHAT.starts - 1, CHAT.ends + 1):
            for data in ("autumn", "gw/survey/autumn/taste/good"):
                (message,) = await store.run(do, wish(data, at=at))
                assert "現在ご回答いただけません" in message["text"]
            late = await store.run(submit, submission(token, RIGHT, at=at))
            assert late.refusal is Refusal.SURVEY_CLOSED
        for data in ("unknown", "gw/survey/unknown/a/b", "gw/survey/"):
            assert await store.run(do, wish(data)) == []
        assert await store.run(do, wish(number=5, is_group=True)) == []
    assert counted(observer) == {"offered": 1, "refused": 10}


@on_a_loop
async def test_who_line_names_answers_without_being_asked(engine: Engine) -> None:
    """By the survey's id; strangers are refused, and so is another friend's token."""
    async with opened(engine, survey()) as store:
        token = token_in(await store.run(do, wish(number=1)))
        await store.run(do, wish("unknown", 2))  # a friend who was not asked
        by_id = await store.run(submit, submission("autumn", RIGHT, by=user(2)))
        assert by_id.refusal is None
        stranger = await store.run(submit, submission("autumn", RIGHT, by=user(3)))
        assert stranger.refusal is Refusal.NOT_FRIEND
        for key, by in ((token, user(2)), ("autumn", ""), ("x", user(1))):
            with pytest.raises(Refused) as refused:
                await store.run(submit, submission(key, RIGHT, by=by))
            assert refused.value.reason is Refusal.NOT_FOUND
        own = await store.run(submit, submission(token, RIGHT, by=user(1)))
        assert own.refusal is None


@on_a_loop
async def test_anonymous_answers_are_nobody_s(engine: Engine) -> None:
    """The store itself does not know whose they are, when they came, or in which order."""
    async with opened(engine, survey(anonymous=True)) as store:
        for number in range(3):
            token = token_in(await store.run(do, wish(number=number)))
            await store.run(submit, submission(token, {"taste": ["good"]}))
        rows = await store.read(reader(engine).rows, "autumn", after=-1, limit=9)
    assert {(row.friend, row.at, row.name) for row in rows} == {(0, 0, "")}
    kept = engine.rows("SELECT progress FROM survey_sessions")
    assert kept == [("",)] * 3


@on_a_loop
async def test_thanks_can_be_a_coupon(engine: Engine) -> None:
    """The page shows its text and the way to it, also to who looks again; the coupon is one."""
    thanks = (text("{name}さん、{shop}より"), {"type": "coupon", "coupon": "thanks"})
    engine.provision(coupon(id="thanks"))
    async with opened(engine, survey(thanks=thanks)) as store:
        token = token_in(await store.run(do, wish()))
        first = await store.run(submit, submission(token, RIGHT))
        again = await store.run(submit, submission(token, RIGHT))
    assert first.refusal is None
    assert (again.refusal, again.thanks) == (Refusal.SURVEY_ANSWERED, first.thanks)
    said, prize = first.thanks
    assert said.text == "花子さん、Acmeより"
    assert prize.url.startswith("https://gw.example.jp/c/")
    assert engine.rows("SELECT count(*) FROM coupon_tickets") == [(1,)]


@on_a_loop
async def test_readers_see_what_is_theirs(engine: Engine) -> None:
    """Surveys by id in pages, of the scope alone."""
    spring, theirs = survey(id="spring"), survey(id="theirs", advertiser="other")
    async with opened(engine, survey(), spring, theirs) as store:
        found = await store.read(reader(engine).surveys, EVERYBODY, after="autumn", limit=9)
        assert [record.survey.id for record in found] == ["spring", "theirs"]
        acme = Scope(frozenset({"acme"}))
        found = await store.read(reader(engine).surveys, acme, after="", limit=1)
        assert [record.survey for record in found] == [survey()]
        assert await store.read(reader(engine).survey, acme, "theirs") is None
        assert await store.read(reader(engine).survey, acme, "unknown") is None
        assert await store.read(reader(engine).session, "unknown") is None


@on_a_loop
async def test_a_reader_s_pages_are_whole_responses(engine: Engine) -> None:
    """Each friend's answers come together, and each friend once."""
    async with opened(engine, survey()) as store:
        for number in range(5):
            token = token_in(await store.run(do, wish(number=number)))
            await store.run(submit, submission(token, {**RIGHT, "wish": [str(number)]}))
        seen, after = [], -1
        while rows := await store.read(reader(engine).rows, "autumn", after=after, limit=2):
            after = rows[-1].response
            seen += [(row.answers["wish"], len(row.answers["dishes"])) for row in rows]
        texts = await store.read(reader(engine).texts, "autumn", "wish", before=None, limit=3)
        more = await store.read(
            reader(engine).texts, "autumn", "wish", before=texts[-1].response, limit=3
        )
    assert seen == [((str(number),), 2) for number in range(5)]
    assert [said.text for said in [*texts, *more]] == ["4", "3", "2", "1", "0"]


@on_a_loop
async def test_texts_go_after_a_while_and_choices_stay(engine: Engine) -> None:
    """The table keeps how many wrote something; what is younger stays."""
    async with opened(engine, survey()) as store:
        for number, at in enumerate((NOON, NOON + DAY)):
            token = token_in(await store.run(do, wish(number=number)))
            await store.run(submit, submission(token, RIGHT, at=at))
        before = await store.read(reader(engine).counts, "autumn")
        assert await store.run(forget, NOON) == 0
        assert await store.run(forget, NOON + 1) == 1
        assert await store.run(forget, NOON + 1) == 0
        rows = await store.read(reader(engine).rows, "autumn", after=-1, limit=9)
        texts = await store.read(reader(engine).texts, "autumn", "wish", before=None, limit=9)
        counts = await store.read(reader(engine).counts, "autumn")
    assert [row.answers["wish"] for row in rows] == [("",), ("もっと",)]
    assert [said.at for said in texts] == [NOON + DAY]
    assert counts == before


@on_a_loop
async def test_anonymous_texts_go_after_the_last_answer(engine: Engine) -> None:
    """Nobody knows when each was given; a survey that is still answered keeps its own, and does not
    hold up those of another.
    """
    first, second = survey(anonymous=True), survey(id="spring", anonymous=True)
    async with opened(engine, first, second) as store:
        for number, (which, at) in enumerate(
            [("autumn", NOON), ("autumn", NOON + DAY), ("spring", NOON), ("spring", NOON)]
        ):
            token = token_in(await store.run(do, wish(which, number)))
            await store.run(submit, submission(token, RIGHT, at=at))
        assert await store.run(forget, NOON) == 0
        assert await store.run(forget, NOON + 1) == 2
        assert await store.run(forget, NOON + DAY) == 0
        assert engine.rows("SELECT DISTINCT survey FROM survey_answers WHERE text <> ''") == [
            ("autumn",)
        ]
        assert await store.run(forget, NOON + DAY + 1) == 2
        assert await store.run(forget, NOON + DAY + 1) == 0
    assert engine.rows("SELECT count(*) FROM survey_answers") == [(16,)]


@on_a_loop
async def test_texts_go_a_piece_at_a_time(engine: Engine) -> None:
    """However many questions were answered."""
    questions = tuple(
        msgspec.structs.replace(WISH, id=f"q{number}") for number in range(FORGET_AT_ONCE + 3)
    )
    async with opened(engine, survey(questions=questions)) as store:
        token = token_in(await store.run(do, wish()))
        await store.run(submit, submission(token, {each.id: ["x"] for each in questions}))
        cleared = [await store.run(forget, NOON + 1) for _ in range(3)]
    assert cleared == [FORGET_AT_ONCE, 3, 0]
