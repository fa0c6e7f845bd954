"""Channels over the API: how they are doing, and the check of their set-up."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from adapters.http.api.channels import endpoints
from adapters.http.api.endpoint import Endpoint
from adapters.storage.insight_reader import ChannelReader
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.hours import month_of
from gateway.domain.insight import Own, OwnDay, day_of
from gateway.domain.line.channel import Channel, Forward
from gateway.domain.line.onboarding import Check
from gateway.domain.line.quota import Quota
from gateway.domain.values import EVERYBODY, SECOND
from gateway.main.onboarding import part
from gateway.main.parts import Deps
from tests.adapters.http.api.world import World
from tests.support.line import SHOP
from tests.support.stores import statements_of

HOUR = 3600 * SECOND

FORWARDED = msgspec.structs.replace(
    SHOP,
    id="acme-two",
    channel_id="1234567891",
    forward=Forward("https://tool.example/hook", "Sato", 0, answers=True),
)


async def _check(channel: Channel) -> Sequence[Check]:
    return [
        Check("token", "Access token", "passed"),
        Check("webhook_url", "Webhook URL", "failed", f"of {channel.id}", "set it"),
    ]


def _endpoints(deps: Deps) -> list[Endpoint]:
    return endpoints(ChannelReader(deps.database.dialect), _check)


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with two channels of acme, one of which was counted."""
    made = World(sqlite_template, tmp_path_factory.mktemp("api"), _endpoints)
    made.engine.provision(SHOP, FORWARDED)
    month = month_of(made.now)
    with closing(made.engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of("sqlite"), RouteCache())
        own = Own(friends=120, blocked=4, last_at=made.now - HOUR)
        day = OwnDay(SHOP.id, "acme", day_of(made.now), own)
        tx.insight.keep_own(EVERYBODY, [day], made.now)
        quota = Quota(SHOP.id, month, "acme", "limited", 200, 12, made.now, spent=3, reserved=5)
        tx.outbox.quotas.save(EVERYBODY, quota)
        tx.flush()
        connection.commit()
    made.open()
    yield made
    made.close()


def test_channels_are_listed_with_their_state(world: World) -> None:
    """Friends, the latest webhook, quota and forward; null where nothing is known yet."""
    counted, forwarded = world.get("/channels?advertiser=acme").json["items"]
    assert (counted["id"], counted["name"], counted["advertiser"]) == (SHOP.id, "Acme", "acme")
    assert (counted["friends"], counted["blocked"]) == (120, 4)
    assert counted["last_webhook_at"] < counted["counted_at"]
    quota = counted["quota"]
    assert (quota["limit"], quota["used"], quota["left"]) == (200, 15, 180)
    assert counted["forward"] is None
    unknown = ("friends", "blocked", "counted_at", "last_webhook_at", "quota")
    assert [forwarded[name] for name in unknown] == [None] * 5
    assert forwarded["forward"]["url"] == "https://tool.example/hook"
    assert forwarded["forward"]["answers"] is True


def test_no_secret_is_shown(world: World) -> None:
    """Neither of the channel, nor of its staff."""
    assert SHOP.channel_secret not in world.get("/channels").body.decode()


def test_channels_come_in_pages(world: World) -> None:
    """By id; another's are none."""
    page = world.get("/channels?limit=1").json
    rest = world.get(f"/channels?limit=1&cursor={page['next']}").json
    assert [each["items"][0]["id"] for each in (page, rest)] == [SHOP.id, FORWARDED.id]
    assert rest["next"] is None
    assert world.get("/channels", token=world.token("viewer", "other")).json["items"] == []


def test_a_check_is_shown_with_its_remedies(world: World) -> None:
    """What failed is counted."""
    found = world.get(f"/channels/{SHOP.id}/check").json
    assert (found["channel"], found["failed"]) == (SHOP.id, 1)
    assert found["checks"][1] == {
        "id": "webhook_url",
        "title": "Webhook URL",
        "state": "failed",
        "found": f"of {SHOP.id}",
        "remedy": "set it",
    }


def test_a_check_is_for_managers_of_the_channel(world: World) -> None:
    """Another's channel is not found, and a viewer may not."""
    path = f"/channels/{SHOP.id}/check"
    assert world.get(path, token=world.token("manager", "other")).status == 404
    assert world.get(path, token=world.token("viewer", "acme")).status == 403
    for nothing in ("nothing", "%00", "x" * 200, "%F0%9F%8D%A3"):
        assert world.get(f"/channels/{nothing}/check").status == 404


def test_without_line_there_is_nothing_to_check(sqlite_template: Path, tmp_path: Path) -> None:
    """Channels are listed all the same."""
    made = World(
        sqlite_template, tmp_path, lambda deps: part(replace(deps, platform=None)).endpoints
    )
    made.open()
    try:
        assert made.get("/channels").status == 200
        assert made.get(f"/channels/{SHOP.id}/check").status == 404
    finally:
        made.close()
