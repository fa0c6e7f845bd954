"""Forgetting a person, in both engines: nothing of them is left, and the figures are."""

from typing import Any

import pytest
from sqlalchemy import Text

from adapters.storage.contents import ContentReader
from adapters.storage.erasure import STAYS, ErasureStatements
from adapters.storage.schema import metadata
from adapters.storage.store import SqlStore
from gateway.domain.values import EVERYBODY, Draw, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Transaction
from gateway.ports.contents import Stored
from gateway.usecases import contents, inbox
from gateway.usecases.audience import tag
from gateway.usecases.contents import Fetched, settle
from gateway.usecases.erasure import Erasing, erase
from gateway.usecases.inbox import NewNote, Sending, send
from gateway.usecases.line import Profile, keep_profile, record
from gateway.usecases.surveys import submit
from tests.support.inbox import CLERK, held, seed
from tests.support.line import NOON, SHOP, USER, body, event, said
from tests.support.stores import PATIENT, Engine, dialect_of, on_a_loop
from tests.support.surveys import do, submission, survey, token_in, user, wish

SECRET = "ひみつ"
NAME = "山田花子"

_CLEARED = {
    "friend_tags",
    "inbox_notes",
    "line_events",
    "line_friends",
    "menu_links",
    "push_stops",
    "survey_answers",
    "survey_sessions",
}
"""Tables with a friend's number that are cleared."""

_BY_USER = {"card_scans", "card_tries", "line_friends", "link_entries"}
"""Tables with a userId."""


async def lived(store: SqlStore, engine: Engine) -> int:
    """A friend who did everything; returns their id."""
    await store.run(record, body(event("follow", 1)))
    await store.run(record, body(said("クーポン", 2, raw=f'{{"text":"{SECRET}","u":"{USER}"}}')))
    await store.run(keep_profile, Profile(SHOP.id, USER, NAME, "https://p.example/x", "ja"))
    ((id_,),) = engine.rows(f"SELECT id FROM line_friends WHERE \"user\" = '{USER}'")
    whose: dict[str, Any] = {"scope": EVERYBODY, "friend": id_, "actor": CLERK, "at": NOON}
    await store.run(inbox.add_note, NewNote(**whose, text=SECRET, seed=seed()))
    await store.run(send, Sending(**whose, text=SECRET, seed=seed()))
    friend = await held(store, id_)

    def more(tx: Transaction, draw: Draw) -> tuple[None, Any]:
        picture = event("message", 3, message_kind="image", message_id="p")
        contents.wanted(tx, SHOP, friend, picture, NOON, draw)
        return None, tag(tx, friend, ["vip"], NOON)

    await store.run(more, seed().draw())
    await store.run(settle, Fetched(SHOP.id, "p", NOON, Stored("image/png", 9, "0" * 64)))
    token = token_in(await store.run(do, wish()))
    given = {"taste": ["good"], "wish": [SECRET]}
    outcome = await store.run(submit, submission(token, given))
    assert outcome.refusal is None
    return int(id_)


def found(engine: Engine, *words: str) -> list[tuple[str, str]]:
    """Tables and columns in which any of ``words`` is written."""
    looked = [
        f"SELECT '{table.name}', '{column.name}' WHERE EXISTS (SELECT 1 FROM {table.name}"
        f" WHERE \"{column.name}\" LIKE '%{word}%')"
        for table in metadata.tables.values()
        if table.name not in ("entities", "audit")
        for column in table.columns
        if isinstance(column.type, Text)
        for word in words
    ]
    # SQLite takes some hundred parts of one statement.
    parts = (looked[at : at + 200] for at in range(0, len(looked), 200))
    return [row for part in parts for row in engine.rows(" UNION ALL ".join(part))]


@on_a_loop
async def test_nothing_tells_who_it_was_or_what_they_said(engine: Engine) -> None:
    """No column of any table holds their words, their name or their userId."""
    engine.provision(SHOP, survey())
    assert user(0) == USER  # the same person answers and writes
    async with engine.store(limits=PATIENT, public_url="https://gw.example.jp") as store:
        id_ = await lived(store, engine)
        assert ("line_events", "body") in found(engine, SECRET)
        assert ("line_friends", "name") in found(engine, NAME)
        cleared = await store.run(erase, Erasing(EVERYBODY, id_, CLERK, NOON))
        assert found(engine, SECRET, NAME, USER, "vip") == []
        content = await store.read(ContentReader(dialect_of(engine.name)).content, SHOP.id, "p")
    assert content is not None
    assert (content.state, content.why) == ("removing", "erased")
    assert cleared["friend"] == 1
    assert cleared["contents"] == 1
    audited = engine.rows(
        "SELECT actor, advertiser, subject FROM audit WHERE action = 'friend.erased'"
    )
    assert audited == [(CLERK, "acme", str(id_))]


@on_a_loop
async def test_figures_stay(engine: Engine) -> None:
    """Events, answers and what was sent are counted as before; only friends are one fewer."""
    engine.provision(SHOP, survey())
    async with engine.store(limits=PATIENT, public_url="https://gw.example.jp") as store:
        id_ = await lived(store, engine)
        await store.run(do, wish("unknown", 2))  # another friend, of whom nothing changes
        before = engine.sizes()
        other = engine.rows(f"SELECT * FROM line_friends WHERE id <> {id_}")
        await store.run(erase, Erasing(EVERYBODY, id_, CLERK, NOON))
        after = engine.sizes()
    gone = {"friend_tags": 2, "inbox_notes": 1}
    changed = {name: before[name] - after[name] for name in before if before[name] != after[name]}
    waiting = changed.pop("outbox")  # never handed out: it is not sent
    assert waiting > 0
    assert changed == {**gone, "audit": -1}
    assert engine.rows(f"SELECT * FROM line_friends WHERE id <> {id_}") == other
    options = engine.rows('SELECT "option", friend FROM survey_answers ORDER BY "option"')
    assert options == [("", 0), ("good", 0)]


@on_a_loop
async def test_who_comes_back_is_a_stranger(engine: Engine) -> None:
    """A new friend with a new number; nothing is pushed to what is left of the old one."""
    engine.provision(SHOP, survey())
    async with engine.store(limits=PATIENT, public_url="https://gw.example.jp") as store:
        id_ = await lived(store, engine)
        await store.run(erase, Erasing(EVERYBODY, id_, CLERK, NOON))
        left = await held(store, id_)
        assert (left.can_receive, left.user) == (False, f"erased-{id_}")
        await store.run(record, body(said("また来ました", 9)))
        rows = engine.rows(f"SELECT id, name FROM line_friends WHERE \"user\" = '{USER}'")
        again = Erasing(Scope(frozenset({"other"})), id_, CLERK, NOON)
        with pytest.raises(Refused) as refused:
            await store.run(erase, again)
        assert refused.value.reason is Refusal.NOT_FOUND
    ((new, name),) = rows
    assert new != id_
    assert name == ""


@on_a_loop
async def test_what_may_be_out_already_ends(engine: Engine) -> None:
    """An effect that was handed out is not tried again, and its text is gone."""
    engine.provision(SHOP, survey())
    async with engine.store(limits=PATIENT, public_url="https://gw.example.jp") as store:
        id_ = await lived(store, engine)

        def claim(tx: Transaction, _: object) -> tuple[Any, tuple[()]]:
            kinds = ("line.reply", "line.push", "line.profile")
            return tx.outbox.claim(EVERYBODY, NOON * 2, kinds, 9, 15), ()

        claimed = await store.run(claim, None)
        assert claimed
        await store.run(erase, Erasing(EVERYBODY, id_, CLERK, NOON))
    rows = engine.rows("SELECT id, state, payload, last_error FROM outbox WHERE kind LIKE 'line.%'")
    ids = {effect.id for effect in claimed}
    assert [row[1:] for row in rows if row[0] in ids] == [("dead", "", "erased")] * len(ids)


def test_every_column_that_names_a_person_is_thought_of() -> None:
    """A table with a friend's number or a userId is cleared, or stays for a reason."""
    friends = {
        table.name
        for table in metadata.tables.values()
        for column in table.columns
        if column.name == "friend"
    }
    users = {
        table.name
        for table in metadata.tables.values()
        for column in table.columns
        if column.name == "user"
    }
    assert friends == (_CLEARED - {"line_friends"}) | set(STAYS)
    assert users == _BY_USER
    assert all(STAYS.values())


def test_every_statement_is_about_one_person(engine: Engine) -> None:
    """None of them is without a condition."""
    for what, statement in ErasureStatements(dialect_of(engine.name)).all.items():
        assert " WHERE " in statement.sql.replace("\n", " "), what
        assert statement.names, what
