"""The posting calendar over the API, and the reminders."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.line.friends import Friend
from gateway.domain.values import SECOND, Seed, micros
from gateway.main.postings import part
from gateway.usecases.postings import REMIND_AT_ONCE, Reminding, remind
from tests.adapters.http.api.world import World
from tests.support.figures import keep_friend
from tests.support.line import SHOP
from tests.support.stores import statements_of

NOON = micros(datetime(2026, 11, 3, 3, tzinfo=UTC))
HOUR = 3600 * SECOND
PATH = f"/channels/{SHOP.id}/postings"

OTHER_SHOP = msgspec.structs.replace(
    SHOP, id="other-shop", advertiser="other", channel_id="1234567892"
)


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with a shop of acme, and one of other."""
    folder = tmp_path_factory.mktemp("api")
    made = World(sqlite_template, folder, lambda deps: part(deps).endpoints)
    made.engine.provision(SHOP, OTHER_SHOP)
    made.open()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _empty(world: World) -> None:
    """Each test begins at noon with an empty calendar."""
    world.now = NOON
    with closing(world.engine.raw()) as connection:
        connection.execute("DELETE FROM posting_entries")
        connection.execute("DELETE FROM outbox")


def friend_of(world: World, channel: str = SHOP.id, **given: Any) -> Friend:
    """A member of staff who is a friend of a channel."""
    with closing(world.engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of("sqlite"), RouteCache())
        friend = keep_friend(tx, channel, followed_at=1, **given)
        tx.flush()
        connection.commit()
    return friend


def planned(world: World, at: str = "2026-11-03T18:00:00+09:00", **given: Any) -> Any:
    """A new posting."""
    body = {"at": at, "title": "冬のメニュー", "what": "写真", "responsible": "佐藤"} | given
    answer = world.ask("POST", PATH, token=world.token("staff", "acme"), body=body)
    assert answer.status == 201, answer.body
    return answer.json


def test_a_posting_is_planned_and_done(world: World) -> None:
    """What it becomes is what is written; who did it is in the audit, without names."""
    made = planned(world)
    assert (made["state"], made["timing"], made["place"]) == ("planned", "ahead", "LINE VOOM")
    assert (made["friend"], made["remind_at"]) == (None, None)
    assert world.get(PATH).json["items"] == [made]
    body = {"at": made["at"], "title": "冬のメニュー", "state": "done"}
    token = world.token("staff", "acme")
    done = world.ask("PUT", f"{PATH}/{made['id']}", token=token, body=body).json
    assert (done["state"], done["timing"], done["what"]) == ("done", "over", "")
    rows = world.engine.rows("SELECT action, detail FROM audit WHERE action LIKE 'posting%'")
    assert rows[-2:] == [
        ("posting.planned", '{"channel":"acme-shop","state":"planned"}'),
        ("posting.changed", '{"channel":"acme-shop","state":"done"}'),
    ]


def test_what_is_due_and_overdue_can_be_asked_for(world: World) -> None:
    """Only of what is still planned; the lists are those of the entries' own word."""
    for hour in (9, 10, 11, 12, 13, 14):
        planned(world, f"2026-11-03T{hour:02}:00:00+09:00")
    planned(world, "2026-11-03T12:00:00+09:00", state="done")
    every = world.get(PATH).json["items"]
    for timing in ("due", "overdue"):
        found = world.get(f"{PATH}?timing={timing}").json["items"]
        assert found == [each for each in every if each["timing"] == timing]
        assert found
    assert len(world.get(f"{PATH}?state=done").json["items"]) == 1
    since = world.get(f"{PATH}?since=2026-11-03T13:00:00+09:00").json["items"]
    assert [each["at"][11:13] for each in since] == ["13", "14"]


def test_postings_come_in_pages_by_time(world: World) -> None:
    """Several of one time, too; each once."""
    for hour in (3, 1, 2, 2, 2):
        planned(world, f"2026-12-0{hour}T12:00:00+09:00")
    found, cursor = [], ""
    while True:
        page = world.get(f"{PATH}?limit=2{cursor}").json
        found += [(each["at"], each["id"]) for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == sorted(found)
    assert len(set(found)) == 5


def test_another_s_posting_is_not_found(world: World) -> None:
    """Not under its own channel, and not under another one."""
    made = planned(world)
    body = {"at": made["at"], "title": "x"}
    other = world.token("staff", "other")
    for path in (PATH, f"/channels/{OTHER_SHOP.id}/postings"):
        answer = world.ask("PUT", f"{path}/{made['id']}", token=other, body=body)
        assert answer.status == 404
    token = world.token("staff", "acme")
    assert world.ask("PUT", f"{PATH}/77", token=token, body=body).status == 404
    assert world.ask("PUT", f"{PATH}/x", token=token, body=body).status == 404
    assert world.get(PATH).json["items"] == [made]


def test_only_a_friend_of_the_channel_is_reminded(world: World) -> None:
    """Another shop's friend, or nobody, is refused."""
    for friend in (str(friend_of(world, OTHER_SHOP.id, advertiser="other").id), "777777", "9" * 19):
        body = {"at": "2026-11-03T18:00:00+09:00", "title": "x", "friend": friend}
        answer = world.ask("POST", PATH, token=world.token("staff", "acme"), body=body)
        assert (answer.status, answer.reason) == (422, "unknown_reference")


def pushes(world: World) -> list[tuple[str, str]]:
    """What is to be sent: to whose stream, and what."""
    rows = world.engine.rows("SELECT stream, payload FROM outbox ORDER BY id")
    return [
        (stream, msgspec.json.decode(payload)["messages"][0]["text"]) for stream, payload in rows
    ]


def reminded(world: World, now: int) -> int:
    """How many postings were looked at."""
    seed = Seed(world.id(), REMIND_AT_ONCE, b"0123456789abcdef")
    return world.run(remind, Reminding(now, seed))


def test_staff_is_reminded_once(world: World) -> None:
    """An hour before, in a push; a second round sends nothing."""
    friend = friend_of(world)
    made = planned(world, friend=str(friend.id))
    assert made["remind_at"] == "2026-11-03T17:00:00+09:00"
    assert reminded(world, NOON + 5 * HOUR - 1) == 0
    assert reminded(world, NOON + 5 * HOUR) == 1
    assert reminded(world, NOON + 6 * HOUR) == 0
    ((stream, text),) = pushes(world)
    assert stream == f"line/{SHOP.id}/{friend.user}"
    assert "冬のメニュー" in text
    assert world.get(PATH).json["items"][0]["remind_at"] is None


def test_whoever_cannot_be_reached_or_is_too_late_is_not_reminded(world: World) -> None:
    """A friend who blocks the shop, and a posting whose time has long passed."""
    gone = friend_of(world, unfollowed_at=2)
    planned(world, friend=str(gone.id))
    planned(world, "2026-11-03T13:00:00+09:00", friend=str(friend_of(world).id))
    assert reminded(world, NOON + 9 * HOUR) == 2
    assert pushes(world) == []


def test_a_posting_that_is_moved_reminds_again(world: World) -> None:
    """At its new time; one that was done reminds nobody."""
    friend = friend_of(world)
    made = planned(world, friend=str(friend.id))
    token = world.token("staff", "acme")
    body = {"title": "冬のメニュー", "friend": str(friend.id)}
    assert reminded(world, NOON + 5 * HOUR) == 1
    moved = body | {"at": "2026-11-03T20:00:00+09:00"}
    world.ask("PUT", f"{PATH}/{made['id']}", token=token, body=moved)
    assert reminded(world, NOON + 7 * HOUR) == 1
    assert len(pushes(world)) == 2
    world.ask("PUT", f"{PATH}/{made['id']}", token=token, body=moved | {"state": "done"})
    assert world.get(PATH).json["items"][0]["remind_at"] is None


def test_the_calendar_is_a_feed(world: World) -> None:
    """Of this shop's postings, as calendar programs read them."""
    made = planned(world, title="冬; メニュー")
    planned(world, "2026-01-03T12:00:00+09:00", title="long ago")
    answer = world.get(f"/channels/{SHOP.id}/calendar.ics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    text = answer.body.decode()
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert f"UID:posting-{made['id']}@acme-shop.tsunagi" in text
    assert "SUMMARY:冬\\; メニュー" in text
    assert "DTSTART:20261103T090000Z" in text
    assert "long ago" not in text
    other = world.token("viewer", "other")
    assert world.get(f"/channels/{SHOP.id}/calendar.ics", token=other).status == 404


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59Z"])
def test_a_time_beyond_the_century_is_refused(world: World, at: str) -> None:
    """Neither stored nor an error of ours."""
    body = {"at": at, "title": "x"}
    answer = world.ask("POST", PATH, token=world.token("staff", "acme"), body=body)
    assert (answer.status, answer.reason) == (400, "invalid_field")
