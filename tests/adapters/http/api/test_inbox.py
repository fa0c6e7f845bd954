"""The staff's inbox in the API: conversations, answers, contents, templates, forgetting."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.line.friends import Friend
from gateway.main import inbox
from gateway.usecases.line import record
from tests.adapters.http.api.conversations import (
    PNG,
    given_content,
    given_note,
    given_template,
    given_writer,
)
from tests.adapters.http.api.world import Answered, World
from tests.support.line import SHOP, body, event, said


@pytest.fixture
def world(sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    """A running API."""
    made = World(sqlite_template, tmp_path, lambda deps: inbox.part(deps).endpoints)
    made.open()
    yield made
    made.close()


def staff(world: World) -> str:
    """A token of staff."""
    return world.token("staff", "acme")


def post(world: World, who: Friend, what: str, body_: Any = None, **more: Any) -> Answered:
    """What staff do in a conversation."""
    path = f"/conversations/{who.id}/{what}"
    return world.ask("POST", path, token=staff(world), body=body_, **more)


def test_the_list_tells_what_waits(world: World) -> None:
    """Each conversation with its state; counts by channel; whose it is, only who asks knows."""
    who = given_writer(world)
    given_writer(world, unread=0, name="")
    first, second = world.get("/conversations").json["items"]
    assert (second["id"], second["state"], second["unread"]) == (str(who.id), "unread", 1)
    assert (first["state"], first["name"]) == ("open", None)
    counts = world.get("/conversations/counts", token=staff(world)).json["channels"]
    assert [(c["channel"], c["conversations"], c["mine"]) for c in counts] == [(SHOP.id, 1, 0)]
    path = f"/conversations/{who.id}/assignee"
    world.ask("PUT", path, token=staff(world), body={"assignee": "me"})
    mine = world.get("/conversations?state=mine", token=staff(world)).json["items"]
    assert [(item["id"], item["mine"]) for item in mine] == [(str(who.id), True)]
    assert world.get("/conversations?state=mine").json["items"] == []
    assert world.get(f"/conversations?channel={SHOP.id}&state=unread&limit=1").json["items"]
    assert world.get("/conversations?channel=other").json["items"] == []


def test_a_conversation_has_notes_and_tags(world: World) -> None:
    """What is known of a friend, beside what was said."""
    note = given_note(world)
    shown = world.get(f"/conversations/{note.friend}").json
    assert (shown["notes"][0]["text"], shown["tags"]) == ("甘党", [])
    assert (shown["can_receive"], shown["entry"], shown["friend"]) == (True, None, "friend")
    assert world.get(f"/conversations/{note.friend}/notes").json["items"] == shown["notes"]


def test_messages_are_shown_as_they_were_said(world: World) -> None:
    """LINE's own objects of both sides; what was taken back, or is old, says which it is."""
    world.engine.provision(SHOP)
    message = {"type": "text", "id": "a", "text": "クーポン"}
    events = (
        said("クーポン", 1, message_id="a", raw=json.dumps({"message": message})),
        said("内緒", 2, message_id="b", raw="{}"),
        event("unsend", 3, unsent="b"),
        said("昔", 4, message_id="c", raw=""),
        event("postback", 5, data="menu", raw=json.dumps({"postback": {"data": "menu"}})),
    )
    for each in events:
        world.run(record, body(each))
    ((id_,),) = world.engine.rows("SELECT id FROM line_friends")
    path = f"/conversations/{id_}/messages"
    first = world.get(f"{path}?limit=3").json
    rest = world.get(f"{path}?cursor={first['next']}").json
    shown = [*first["items"], *rest["items"]]
    heard = [each for each in reversed(shown) if each["side"] == "in"]
    assert [each["blank"] for each in heard] == [None, "unsent", "old", None]
    assert heard[0]["messages"] == [message]
    assert heard[3]["messages"] == [{"data": "menu"}]
    replies = [each for each in shown if each["side"] == "out"]
    assert replies[-1]["messages"] == [{"type": "text", "text": "こちらをどうぞ"}]
    assert (replies[-1]["kind"], replies[-1]["origin"]) == ("reply", "rule:1")


def test_staff_write_to_a_friend(world: World) -> None:
    """Once for each Idempotency-Key; it is shown with who wrote it."""
    who = given_writer(world)
    key = {"Idempotency-Key": "k1"}
    sent = post(world, who, "messages", {"text": "はい{}"}, headers=key)
    assert (sent.status, sent.json["costs"], sent.json["left"]) == (202, 1, None)
    assert post(world, who, "messages", {"text": "はい{}"}, headers=key).json == sent.json
    (shown,) = world.get(f"/conversations/{who.id}/messages").json["items"]
    assert (shown["id"], shown["kind"], shown["state"]) == (sent.json["id"], "push", "waiting")
    assert shown["by"].startswith("token:")
    assert shown["messages"] == [{"type": "text", "text": "はい{{}}"}]
    after = world.get(f"/conversations/{who.id}").json
    assert (after["state"], after["staffed"], after["unread"]) == ("assigned", True, 0)
    template = given_template(world)
    assert post(world, who, "messages", {"template": str(template.id)}).status == 202


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        ({}, 400, "invalid_field"),
        ({"text": "a", "template": "1"}, 400, "invalid_field"),
        ({"text": ""}, 400, "invalid_field"),
        ({"text": "a" * 5001}, 400, "invalid_field"),
        ({"text": "😀" * 2501}, 422, "message_invalid"),
        ({"messages": [{"type": "text"}]}, 422, "message_invalid"),
        ({"messages": []}, 400, "invalid_field"),
        ({"template": "1"}, 422, "unknown_reference"),
        ({"userId": "U1", "text": "a"}, 400, "unknown_field"),
    ],
)
def test_what_cannot_be_sent_is_named(world: World, sent: Any, status: int, reason: str) -> None:
    """Before anything is kept."""
    answer = post(world, given_writer(world), "messages", sent)
    assert (answer.status, answer.reason) == (status, reason)
    assert world.engine.sizes()["outbox"] == 0


def test_who_left_cannot_be_written_to(world: World) -> None:
    """The answer says so, and so does the conversation."""
    who = given_writer(world, unfollowed_at=world.now * 2)
    answer = post(world, who, "messages", {"text": "a"})
    assert (answer.status, answer.reason) == (409, "friend_gone")
    shown = world.get(f"/conversations/{who.id}").json
    assert (shown["friend"], shown["can_receive"]) == ("blocked", False)


def test_conversations_go_from_hand_to_hand(world: World) -> None:
    """Read, taken by somebody else, handed to people and back to the rules."""
    who = given_writer(world)
    path = f"/conversations/{who.id}"
    assert post(world, who, "read").status == 204
    taken = world.ask("PUT", f"{path}/assignee", token=staff(world), body={"assignee": "token:7"})
    assert (taken.status, taken.body) == (204, b"")
    assert world.get(path).json["assigned"] == "token:7"
    assert post(world, who, "handover", {"staff": True}).status == 204
    assert world.get(path).json["staffed"] is True
    world.now += 1_000_000
    assert post(world, who, "handover", {"staff": False}).status == 204
    shown = world.get(path).json
    assert (shown["staffed"], shown["assigned"], shown["state"]) == (False, None, "open")
    wrong = world.ask("PUT", f"{path}/assignee", token=staff(world), body={"assignee": "x"})
    assert (wrong.status, wrong.reason) == (400, "invalid_field")


# --- contents ---


def test_a_content_is_saved_and_never_shown(world: World) -> None:
    """As it was sent, with headers under which no browser runs anything of it."""
    content = given_content(world)
    path = f"/conversations/{content.friend}/contents/{content.message_id}"
    answer = world.ask("GET", path, token=staff(world))
    assert (answer.status, answer.body) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == (f'attachment; filename="{content.message_id}"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["cache-control"] == "no-store"


def test_a_content_is_its_friend_s(world: World) -> None:
    """Under another friend it is not there; a lost file, and one that was withdrawn, are gone."""
    content, lost = given_content(world), given_content(world, body=None)
    other = given_writer(world)
    for friend, message, status in (
        (other.id, content.message_id, 404),
        (content.friend, "unknown", 404),
        (lost.friend, lost.message_id, 410),
    ):
        answer = world.ask("GET", f"/conversations/{friend}/contents/{message}", token=staff(world))
        assert answer.status == status
    world.ask("DELETE", f"/friends/{content.friend}", token=world.token("manager", "acme"))
    path = f"/conversations/{content.friend}/contents/{content.message_id}"
    assert world.ask("GET", path, token=staff(world)).status == 410


# --- templates and forgetting ---


def test_templates_are_made_changed_and_removed(world: World) -> None:
    """By staff of the advertiser, for it alone."""
    world.engine.provision(SHOP)
    made = world.ask(
        "POST",
        "/templates",
        token=staff(world),
        body={
            "advertiser": "acme",
            "channel": SHOP.id,
            "name": "挨拶",
            "messages": [{"type": "text", "text": "{name}さん"}],
        },
    )
    assert (made.status, made.json["channel"]) == (201, SHOP.id)
    path = f"/templates/{made.json['id']}"
    changed = world.ask(
        "PUT",
        path,
        token=staff(world),
        body={"name": "新", "messages": [{"type": "text", "text": "x"}]},
    )
    assert (changed.json["name"], changed.json["channel"]) == ("新", SHOP.id)
    (listed,) = world.get(f"/templates?channel={SHOP.id}").json["items"]
    assert listed == changed.json == world.get(path).json
    theirs = world.ask(
        "POST",
        "/templates",
        token=staff(world),
        body={"advertiser": "other", "name": "x", "messages": [{"type": "text", "text": "x"}]},
    )
    assert (theirs.status, theirs.reason) == (403, "out_of_scope")
    assert world.ask("DELETE", path, token=staff(world)).status == 204
    assert world.get(path).status == 404


def test_a_person_is_forgotten_by_a_manager(world: World) -> None:
    """Not by staff; nothing of them is shown afterwards."""
    note = given_note(world)
    path = f"/friends/{note.friend}"
    assert world.ask("DELETE", path, token=staff(world)).status == 403
    erased = world.ask("DELETE", path, token=world.token("manager", "acme"))
    assert erased.status == 200
    assert erased.json["cleared"]["notes"] == 1
    shown = world.get(f"/conversations/{note.friend}").json
    assert (shown["name"], shown["notes"], shown["can_receive"]) == (None, [], True)
    assert world.get("/conversations").json["items"] == []
