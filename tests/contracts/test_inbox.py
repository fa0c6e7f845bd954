"""The staff's inbox in both engines: conversations, answers, notes and templates."""

import json
from typing import Any

import msgspec
import pytest

from adapters.storage.conversations import ConversationReader
from adapters.storage.inbox import InboxReader
from adapters.storage.store import SqlStore
from gateway.domain.hours import month_of
from gateway.domain.line.friends import Friend
from gateway.domain.line.quota import Quota
from gateway.domain.values import EVERYBODY, SECOND, Ids, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Transaction
from gateway.ports.inbox import Search, Unread
from gateway.usecases import inbox
from gateway.usecases.contents import wanted
from gateway.usecases.inbox import (
    Assignment,
    Draft,
    Handover,
    NewNote,
    OldNote,
    OldTemplate,
    Sending,
    Wish,
    save_template,
    send,
)
from gateway.usecases.line import record
from tests.support.inbox import CLERK, OTHER_CLERK, friend, held, keep, seed
from tests.support.line import NOON, SHOP, body, event, said, text
from tests.support.stores import Engine, dialect_of, on_a_loop

ACME, OTHER = Scope(frozenset({"acme"})), Scope(frozenset({"other"}))
WHOSE: dict[str, Any] = {"scope": ACME, "friend": 1, "actor": CLERK, "at": NOON + SECOND}


def reader(engine: Engine) -> ConversationReader:
    return ConversationReader(dialect_of(engine.name))


def sending(**more: Any) -> Sending:
    """The wish to write to a friend."""
    return Sending(**{**WHOSE, "seed": seed(), **more})


async def listed(
    store: SqlStore, engine: Engine, wanted_: Any = "all", scope: Scope = EVERYBODY, **more: Any
) -> list[int]:
    """The ids of conversations, read two at a time."""

    def staffed(friend: Friend) -> bool:
        return friend.is_staffed(NOON + SECOND, 30)

    search = Search(wanted_, more.get("channel"), CLERK, NOON - 3_600 * SECOND, staffed)
    found: list[Friend] = []
    while True:
        after = (found[-1].last_at, found[-1].id) if found else None
        page = await store.read(reader(engine).conversations, scope, search, after=after, limit=2)
        if not page:
            return [each.id for each in found]
        found += page


async def refusal(store: SqlStore, use_case: Any, wish: Any) -> Refusal:
    """Why it was refused."""
    with pytest.raises(Refused) as refused:
        await store.run(use_case, wish)
    return refused.value.reason


# --- lists ---


@on_a_loop
async def test_conversations_are_found_by_their_state(engine: Engine) -> None:
    """The latest first, in pages; each filter has its own, and nobody sees another's."""
    people = (
        friend(1, unread=2, last_at=NOON + 5),
        friend(2, assigned=CLERK, last_at=NOON + 5),
        friend(3, assigned=OTHER_CLERK, last_at=NOON + 9),
        friend(4).called(NOON),
        friend(5, last_at=NOON + 1).called(NOON).ended(NOON + 1),
        friend(6, last_at=NOON - 7200 * SECOND).called(NOON - 7200 * SECOND),
        friend(7, last_at=0),  # never wrote
        friend(8, channel="acme-two", last_at=NOON + 2),
        friend(9, channel="theirs", advertiser="other", unread=1, last_at=NOON + 20),
    )
    async with engine.store() as store:
        await keep(store, *people)
        assert await listed(store, engine) == [9, 3, 2, 1, 8, 5, 4, 6]
        assert await listed(store, engine, scope=ACME) == [3, 2, 1, 8, 5, 4, 6]
        assert await listed(store, engine, channel="acme-two") == [8]
        assert await listed(store, engine, "unread") == [9, 1]
        assert await listed(store, engine, "unread", OTHER) == [9]
        assert await listed(store, engine, "assigned", ACME) == [3, 2]
        assert await listed(store, engine, "mine", ACME) == [2]
        assert await listed(store, engine, "staffed") == [4]
        one = await store.read(reader(engine).conversation, ACME, 7)
        assert one == people[6]
        assert await store.read(reader(engine).conversation, ACME, 9) is None
        assert await store.read(reader(engine).conversation, ACME, 99) is None
        counts = await store.read(reader(engine).unread, EVERYBODY, CLERK)
        assert counts == [Unread("acme-shop", 1, 2, 2, 1), Unread("theirs", 1, 1, 0, 0)]
        assert await store.read(reader(engine).unread, OTHER, CLERK) == [
            Unread("theirs", 1, 1, 0, 0)
        ]


@on_a_loop
async def test_a_conversation_shows_both_sides(engine: Engine) -> None:
    """In the order in which we got to know of it; what was taken back is blank, and says so."""
    engine.provision(SHOP)
    picture = event("message", 3, message_kind="image", message_id="p")

    def ask(tx: Transaction, draw: Any) -> tuple[None, tuple[()]]:
        wanted(tx, SHOP, friend(), picture, NOON, draw)
        return None, ()

    async with engine.store() as store:
        await store.run(record, body(said("クーポン", 1, raw="one", message_id="a")))
        await store.run(record, body(said("何時まで", 2, raw="two", message_id="b")))
        await store.run(record, body(picture))
        await store.run(ask, seed().draw())
        await store.run(record, body(event("unsend", 4, unsent="b")))
        ((id_,),) = engine.rows("SELECT id FROM line_friends")
        known = await held(store, id_)
        await store.run(send, sending(friend=id_, text="10時です"))
        both = await store.read(reader(engine).messages, known, before=None, limit=9)
        first = await store.read(reader(engine).messages, known, before=None, limit=2)
        rest = await store.read(reader(engine).messages, known, before=first[-1].id, limit=9)
    assert [*first, *rest] == both
    shown = [(each.side, each.kind, each.origin) for each in reversed(both)]
    assert shown == [
        ("in", "message", ""),
        ("out", "line.reply", "rule:1"),
        ("in", "message", ""),
        ("out", "line.reply", "uniform"),
        ("in", "message", ""),
        ("out", "line.reply", "uniform"),
        ("out", "line.push", f"staff:{CLERK}"),
    ]
    heard = {each.message_id: each for each in both if each.side == "in"}
    assert (heard["a"].body, heard["a"].is_unsent) == ("one", False)
    assert (heard["b"].body, heard["b"].is_unsent) == ("", True)
    content = heard["p"].content
    assert content is not None
    assert content.state == "waiting"


# --- answering ---


@on_a_loop
async def test_an_answer_is_pushed_and_takes_the_conversation(engine: Engine) -> None:
    """As it was written, behind what the friend gets already; it tells what the month has left."""
    engine.provision(SHOP)
    month = Quota(SHOP.id, month_of(NOON), "acme", "limited", 200, 150, NOON)

    def limit(tx: Transaction, quota: Quota) -> tuple[None, tuple[()]]:
        tx.outbox.quotas.save(EVERYBODY, quota)
        return None, ()

    async with engine.store() as store:
        await keep(store, friend(unread=3))
        unknown = await store.run(send, sending(text="{name}さん"))
        assert (unknown.costs, unknown.left) == (1, None)
        await store.run(limit, month)
        assert (await store.run(send, sending(text="x"))).left == 49
        await store.run(limit, msgspec.structs.replace(month, used=200))
        assert await refusal(store, send, sending(text="x")) is Refusal.QUOTA_TOO_SMALL
        after = await held(store)
    assert (after.unread, after.assigned, after.staffed_at) == (0, CLERK, NOON + SECOND)
    (payload, stream, state), _ = engine.rows(
        "SELECT payload, stream, state FROM outbox ORDER BY id"
    )
    assert json.loads(payload) == {
        "channel": SHOP.id,
        "to": friend().user,
        "messages": [text("{{name}}さん")],
    }
    assert (stream, state) == (f"line/{SHOP.id}/{friend().user}", "waiting")
    audited = engine.rows("SELECT actor, action, subject FROM audit")
    assert audited == [(CLERK, "conversation.answered", "1")] * 2


@on_a_loop
async def test_what_cannot_be_sent_is_refused(engine: Engine) -> None:
    """Wrong messages, people who left, another's friend, and a channel that was taken away."""
    engine.provision(SHOP)
    async with engine.store() as store:
        await keep(
            store,
            friend(1),
            friend(2, unfollowed_at=NOON + 1),
            friend(3, channel="gone"),
            friend(4, followed_at=0),  # wrote, and was a friend before we listened
        )
        wrong = sending(messages=[{"type": "text", "txt": "x"}])
        assert await refusal(store, send, wrong) is Refusal.MESSAGE_INVALID
        assert await refusal(store, send, sending(friend=2, text="x")) is Refusal.FRIEND_GONE
        assert await refusal(store, send, sending(friend=3, text="x")) is Refusal.NOT_FOUND
        assert await refusal(store, send, sending(friend=9, text="x")) is Refusal.NOT_FOUND
        theirs = sending(scope=OTHER, text="x")
        assert await refusal(store, send, theirs) is Refusal.NOT_FOUND
        assert await refusal(store, send, sending(template=7)) is Refusal.UNKNOWN_REFERENCE
        assert (await store.run(send, sending(friend=4, text="x"))).costs == 1
    assert engine.rows("SELECT count(*) FROM outbox") == [(1,)]


@on_a_loop
async def test_staff_share_conversations(engine: Engine) -> None:
    """They are read, taken, given away, handed to people and back; the audit has it all."""
    async with engine.store() as store:
        await keep(store, friend(unread=2))
        await store.run(inbox.read, Wish(**WHOSE))
        await store.run(inbox.assign, Assignment(**WHOSE, assignee=OTHER_CLERK))
        assert ((await held(store)).unread, (await held(store)).assigned) == (0, OTHER_CLERK)
        await store.run(inbox.hand_over, Handover(**WHOSE, staff=True))
        assert (await held(store)).is_staffed(NOON + 2 * SECOND, 30)
        await store.run(inbox.hand_over, Handover(**WHOSE, staff=False))
        assert not (await held(store)).is_staffed(NOON + 2 * SECOND, 30)
        assert (await held(store)).assigned == ""
        for use_case, wish in (
            (inbox.read, Wish(**{**WHOSE, "scope": OTHER})),
            (inbox.assign, Assignment(**{**WHOSE, "friend": 5}, assignee="")),
            (inbox.hand_over, Handover(**{**WHOSE, "scope": OTHER}, staff=True)),
        ):
            assert await refusal(store, use_case, wish) is Refusal.NOT_FOUND
    actions = [action for (action,) in engine.rows("SELECT action FROM audit ORDER BY id")]
    assert actions == [
        "conversation.read",
        "conversation.assigned",
        "conversation.handed_over",
        "conversation.handed_over",
    ]


# --- notes and templates ---


@on_a_loop
async def test_notes_stay_with_their_friend(engine: Engine) -> None:
    """The latest first; one that goes is its friend's own."""
    notes = InboxReader(dialect_of(engine.name)).notes
    async with engine.store() as store:
        await keep(store, friend(1), friend(2))
        made = [
            await store.run(inbox.add_note, NewNote(**WHOSE, text=said_, seed=seed()))
            for said_ in ("甘いものが好き", "誕生日は4月")
        ]
        found = await store.read(notes, 1, before=None, limit=9)
        assert found == made[::-1]
        assert await store.read(notes, 1, before=made[1].id, limit=9) == made[:1]
        assert await store.read(notes, 2, before=None, limit=9) == []
        theirs = OldNote(**{**WHOSE, "friend": 2}, note=made[0].id)
        assert await refusal(store, inbox.drop_note, theirs) is Refusal.NOT_FOUND
        await store.run(inbox.drop_note, OldNote(**WHOSE, note=made[0].id))
        again = OldNote(**WHOSE, note=made[0].id)
        assert await refusal(store, inbox.drop_note, again) is Refusal.NOT_FOUND
        assert await store.read(notes, 1, before=None, limit=9) == made[1:]
    audited = str(engine.rows("SELECT detail FROM audit"))
    assert "甘い" not in audited


@on_a_loop
async def test_notes_go_after_a_while(engine: Engine) -> None:
    """Those that were made before an instant; the others stay."""
    notes, ids = InboxReader(dialect_of(engine.name)).notes, Ids(1)
    async with engine.store() as store:
        await keep(store, friend(1))
        for at in (NOON, NOON + SECOND):
            drawn = Seed(ids.block(at, 1), 1, b"0123456789abcdef")
            await store.run(inbox.add_note, NewNote(**{**WHOSE, "at": at}, text="x", seed=drawn))
        assert await store.run(inbox.forget_notes, NOON) == 0
        assert await store.run(inbox.forget_notes, NOON + SECOND) == 1
        assert await store.run(inbox.forget_notes, NOON + SECOND) == 0
        found = await store.read(notes, 1, before=None, limit=9)
    assert [note.at for note in found] == [NOON + SECOND]


def draft(**more: Any) -> Draft:
    """A template as it shall be."""
    given: dict[str, Any] = {
        "scope": ACME,
        "actor": CLERK,
        "at": NOON,
        "name": "営業時間",
        "messages": [text("{name}さん、10時からです")],
        "seed": seed(),
        "advertiser": "acme",
    }
    return Draft(**(given | more))


@on_a_loop
async def test_templates_are_an_advertiser_s_or_a_channel_s(engine: Engine) -> None:
    """They are sent where they belong, with the friend's own name in them."""
    two = msgspec.structs.replace(SHOP, id="acme-two", channel_id="1234567899")
    engine.provision(SHOP, two)
    async with engine.store() as store:
        await keep(store, friend(1), friend(2, channel="acme-two"))
        everywhere = await store.run(save_template, draft())
        shop = await store.run(save_template, draft(channel=SHOP.id))
        for wrong in ({"channel": "unknown"}, {"channel": SHOP.id, "advertiser": "other"}):
            reason = await refusal(store, save_template, draft(**wrong))
            assert reason is Refusal.UNKNOWN_REFERENCE
        bad = draft(messages=[text("{nmae}")])
        assert await refusal(store, save_template, bad) is Refusal.MESSAGE_INVALID
        for template, number in ((everywhere, 1), (everywhere, 2), (shop, 1)):
            await store.run(send, sending(friend=number, template=template.id))
        elsewhere = sending(friend=2, template=shop.id)
        assert await refusal(store, send, elsewhere) is Refusal.UNKNOWN_REFERENCE
        listed_ = InboxReader(dialect_of(engine.name)).templates
        for channel, expected in (
            (None, [everywhere, shop]),
            (SHOP.id, [everywhere, shop]),
            ("acme-two", [everywhere]),
        ):
            assert await store.read(listed_, ACME, channel, after=-1, limit=9) == expected
        assert await store.read(listed_, OTHER, None, after=-1, limit=9) == []
        assert await store.read(listed_, EVERYBODY, None, after=everywhere.id, limit=9) == [shop]
    payloads = [json.loads(row[0]) for row in engine.rows("SELECT payload FROM outbox")]
    assert [p["messages"][0]["text"] for p in payloads] == ["{name}さん、10時からです"] * 3


@on_a_loop
async def test_templates_change_and_go(engine: Engine) -> None:
    """Whose they are stays; others' are not there."""
    engine.provision(SHOP)
    one = InboxReader(dialect_of(engine.name)).template
    async with engine.store() as store:
        made = await store.run(save_template, draft(channel=SHOP.id))
        changed = draft(id=made.id, name="定休日", advertiser="other", actor=OTHER_CLERK)
        after = await store.run(save_template, changed)
        assert (after.name, after.advertiser, after.channel) == ("定休日", "acme", SHOP.id)
        assert await store.read(one, ACME, made.id) == after
        assert await store.read(one, OTHER, made.id) is None
        theirs = draft(id=made.id, scope=OTHER)
        assert await refusal(store, save_template, theirs) is Refusal.NOT_FOUND
        gone = OldTemplate(OTHER, made.id, CLERK, NOON)
        assert await refusal(store, inbox.drop_template, gone) is Refusal.NOT_FOUND
        await store.run(inbox.drop_template, OldTemplate(ACME, made.id, CLERK, NOON))
        assert await store.read(one, ACME, made.id) is None
