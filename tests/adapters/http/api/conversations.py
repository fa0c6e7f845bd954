"""Surveys, friends and conversations of a shop of ``acme`` for tests of the API."""

from typing import Any

from gateway.domain.line.contents import Content, path_of
from gateway.domain.line.friends import Friend
from gateway.domain.surveys import Survey
from gateway.domain.values import EVERYBODY, Seed
from gateway.ports import Transaction
from gateway.ports.inbox import Note, Template
from gateway.usecases.inbox import Draft, NewNote, add_note, save_template
from gateway.usecases.surveys import submit
from tests.adapters.http.api.world import World
from tests.support.inbox import friend
from tests.support.surveys import DAY, LIFF_SHOP, do, submission, survey, token_in, wish


def given_survey(world: World, *answers: dict[str, list[str]], **changed: object) -> Survey:
    """A survey that is open now, and answered by a friend for each of ``answers``."""
    asked = survey(starts=world.now - DAY, ends=world.now + DAY, **changed)
    world.engine.provision(LIFF_SHOP, asked)
    for number, given in enumerate(answers):
        token = token_in(world.run(do, wish(asked.id, number, at=world.now)))
        world.run(submit, submission(token, given, at=world.now))
    return asked


PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def given_writer(world: World, **changed: Any) -> Friend:
    """A new friend of the shop's, who wrote just now."""
    world.engine.provision(LIFF_SHOP)
    id_ = world.id()
    new: dict[str, Any] = {"id": id_, "user": f"U{id_:032x}", "last_at": world.now, "unread": 1}
    made = friend(**(new | changed))

    def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        tx.line.save(EVERYBODY, made)
        return None, ()

    world.run(keep, None)
    return made


def given_note(world: World) -> Note:
    """A note on a new friend."""
    who = given_writer(world)
    seed = Seed(world.id(), 1, b"0123456789abcdef")
    wish = NewNote(
        scope=EVERYBODY, friend=who.id, actor="token:1", at=world.now, text="甘党", seed=seed
    )
    return world.run(add_note, wish)


def given_template(world: World, said: str = "10時からです") -> Template:
    """A template of ``acme``."""
    draft = Draft(
        scope=EVERYBODY,
        actor="token:1",
        at=world.now,
        name="営業時間",
        messages=[{"type": "text", "text": said}],
        seed=Seed(world.id(), 1, b"0123456789abcdef"),
        advertiser="acme",
    )
    return world.run(save_template, draft)


def given_content(world: World, body: bytes | None = PNG) -> Content:
    """A picture of a new friend's; without a body its file is not there."""
    who = given_writer(world)
    message = str(world.id())
    content = Content(
        channel=who.channel,
        message_id=message,
        advertiser=who.advertiser,
        friend=who.id,
        asked_at=world.now,
        state="kept",
        path=path_of(who.channel, message),
        media_type="image/png",
        bytes=len(PNG),
        fetched_at=world.now,
    )

    def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        tx.contents.save(EVERYBODY, content)
        return None, ()

    world.run(keep, None)
    if body is not None:
        file = world.contents / content.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return content
