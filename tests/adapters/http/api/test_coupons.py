"""Coupons over the API: lists, figures, staff's stamp, and what managers take back."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.coupons.coupon import Lottery
from gateway.main.coupons import part
from tests.adapters.http.api.tickets import given_ticket, read
from tests.adapters.http.api.world import World
from tests.support.coupons import DAY, SALON


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of coupons."""
    folder = tmp_path_factory.mktemp("api")
    made = World(sqlite_template, folder, lambda deps: part(deps).endpoints)
    made.open()
    yield made
    made.close()


def audited(world: World) -> list[tuple[str, str]]:
    """What the audit holds of coupons: action and subject."""
    return world.engine.rows("SELECT action, subject FROM audit WHERE action LIKE 'coupon%'")


def test_a_coupon_is_shown_with_what_became_of_it(world: World) -> None:
    """Tickets by state, stamps, times in the configured zone."""
    given_ticket(world, id="shown", total=9)
    given_ticket(world, id="shown", total=9, stamped=True)
    found = world.get("/coupons/shown").json
    assert (found["advertiser"], found["kind"], found["total"]) == ("acme", "own", 9)
    assert found["tickets"] == {
        "issued": 1,
        "used": 1,
        "expired": 0,
        "void": 0,
        "lost": 0,
        "sent": 0,
    }
    assert (found["uses"], found["probability"], found["platform"]) == (1, None, [])
    assert found["ends"].endswith("+09:00")
    assert world.get("/coupons/nothing").status == 404


def test_coupons_come_in_pages(world: World) -> None:
    """By id, each once, those of one advertiser alone where it is named."""
    for name in ("page-a", "page-b", "page-c"):
        given_ticket(world, id=name)
    found, cursor = [], ""
    while True:
        page = world.get(f"/coupons?limit=2&advertiser=acme{cursor}").json
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [name for name in found if name.startswith("page-")] == ["page-a", "page-b", "page-c"]
    assert found == sorted(set(found))
    assert world.get("/coupons?advertiser=other").json["items"] == []


def test_the_tickets_of_a_coupon_and_of_a_friend_are_listed(world: World) -> None:
    """Oldest first, by state where that is asked for; the token itself is not shown."""
    tickets = [given_ticket(world, id="listed", stamped=stamped) for stamped in (False, True)]
    items = world.get("/coupons/listed/tickets").json["items"]
    assert [item["code"] for item in items] == [ticket.code for ticket in tickets]
    assert [item["used_by"] for item in items] == [None, "pin"]
    assert tickets[0].token not in str(items)
    used = world.get("/coupons/listed/tickets?state=used").json["items"]
    assert [item["id"] for item in used] == [str(tickets[1].id)]
    theirs = world.get(f"/friends/{tickets[0].friend}/coupons").json["items"]
    assert [item["coupon"] for item in theirs] == ["listed"]
    assert world.get("/friends/1/coupons").status == 404
    page = world.get("/coupons/listed/tickets?limit=1").json
    rest = world.get(f"/coupons/listed/tickets?limit=1&cursor={page['next']}").json
    assert [item["id"] for item in rest["items"]] == [str(tickets[1].id)]


def test_a_lottery_shows_what_was_drawn(world: World) -> None:
    """Anybody can reckon the odds again by the numbers that were drawn."""
    won = 0
    for _ in range(3):
        made = given_ticket(world, id="lots", lottery=Lottery(100))
        won += made.luck is not None and made.luck < 100
    items = world.get("/coupons/lots/tickets").json["items"]
    assert won == len([item for item in items if 0 <= item["luck"] < 100]) == 3
    assert world.get("/coupons/lots").json["probability"] == 100


def test_staff_stamp_by_token_and_by_code(world: World) -> None:
    """Once; the second time it is refused by name."""
    staff = world.token("staff", "acme")
    for key in (
        given_ticket(world).token,
        given_ticket(world).code,
        given_ticket(world).code.lower(),
    ):
        done = world.ask("POST", f"/coupons/tickets/{key}/stamp", token=staff)
        assert (done.status, done.json["state"]) == (200, "used")
        assert done.json["used_by"].startswith("token:")
        again = world.ask("POST", f"/coupons/tickets/{key}/stamp", token=staff)
        assert (again.status, again.reason) == (409, "coupon_used")


def test_a_hundred_stamps_of_staff_are_one(world: World) -> None:
    """Devices that stamp at the same moment agree on who was first."""
    token, staff = given_ticket(world).token, world.token("staff", "acme")

    def stamp(_: int) -> int:
        return world.ask("POST", f"/coupons/tickets/{token}/stamp", token=staff).status

    with ThreadPoolExecutor(20) as threads:
        statuses = Counter(threads.map(stamp, range(100)))
    assert statuses == {200: 1, 409: 99}


def test_a_stamp_whose_answer_was_lost_can_be_asked_for_again(world: World) -> None:
    """With an Idempotency-Key the repeat gets the first answer, and no refusal."""
    path = f"/coupons/tickets/{given_ticket(world).token}/stamp"
    key = {"Idempotency-Key": "stamp-1"}
    staff = world.token("staff", "acme")
    first = world.ask("POST", path, token=staff, headers=key)
    again = world.ask("POST", path, token=staff, headers=key)
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body


@pytest.mark.parametrize(
    ("changed", "later", "status", "reason"),
    [
        ({"id": "pins", "stamp": "pin"}, 0, 403, "coupon_stamped_otherwise"),
        ({"id": "short", "valid_days": 1}, 3 * DAY, 410, "coupon_expired"),
    ],
)
def test_what_cannot_be_stamped_is_named(
    world: World, changed: dict[str, Any], later: int, status: int, reason: str
) -> None:
    """Coupons for the PIN alone, and tickets that have ended."""
    made = given_ticket(world, **changed)
    world.now += later
    path = f"/coupons/tickets/{made.code}/stamp"
    refused = world.ask("POST", path, token=world.token("staff", "acme"))
    assert (refused.status, refused.reason) == (status, reason)
    assert read(world, made.id).state == "issued"


def test_managers_undo_and_take_back(world: World) -> None:
    """Staff may not; each correction stands in the audit."""
    made = given_ticket(world, stamped=True)
    manager, staff = world.token("manager", "acme"), world.token("staff", "acme")
    undo, void = (f"/coupons/tickets/{made.id}/{verb}" for verb in ("undo", "void"))
    assert world.ask("POST", undo, token=staff).status == 403
    done = world.ask("POST", undo, token=manager)
    assert (done.status, done.json["state"], done.json["used_at"]) == (200, "issued", None)
    again = world.ask("POST", undo, token=manager)
    assert (again.status, again.reason) == (409, "coupon_not_stamped")
    assert world.ask("POST", void, token=manager).json["state"] == "void"
    gone = world.ask("POST", void, token=manager)
    assert (gone.status, gone.reason) == (410, "coupon_void")
    theirs = [action for action, subject in audited(world) if subject == str(made.id)]
    assert theirs == ["coupon.undone", "coupon.voided"]


def test_line_s_own_coupon_shows_its_channels(world: World) -> None:
    """What LINE holds of it, and why not where LINE refused."""
    made = given_ticket(world, id="lines")
    assert made.channel == SALON.id
    columns = "(coupon, channel, advertiser, state, request, platform_id, busy_until, error)"
    raw = world.engine.raw()
    raw.execute(
        f"INSERT INTO coupon_platform {columns}"
        " VALUES ('lines', 'acme-shop', 'acme', 'failed', '{}', '', 0, 'title is too long')"
    )
    raw.close()
    assert world.get("/coupons/lines").json["platform"] == [
        {
            "channel": "acme-shop",
            "state": "failed",
            "coupon_id": None,
            "error": "title is too long",
        }
    ]
