"""Who may ask, and whose data is shown."""

import gzip
import time
from typing import Any

import pytest

from adapters.http.api import metrics
from adapters.http.api.guard import REMEMBERED_SECONDS
from gateway.domain.access import Access
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import SECOND
from gateway.usecases.access import Revocation, revoke
from metrics.exposition import TYPES
from tests.adapters.http.api.world import SHOP_NUMBER, World
from tests.support.stores import PATIENCE


@pytest.mark.parametrize(
    ("header", "reason", "challenge"),
    [
        (None, "unauthenticated", "Bearer"),
        ("", "unknown_bearer", 'Bearer error="invalid_token"'),
        ("Bearer", "unknown_bearer", 'Bearer error="invalid_token"'),
        ("Basic YTpi", "unknown_bearer", 'Bearer error="invalid_token"'),
        ("Bearer tsn_short", "unknown_bearer", 'Bearer error="invalid_token"'),
        (f"Bearer tsn_{'A' * 43}", "unknown_bearer", 'Bearer error="invalid_token"'),
        (f"Bearer tsn_{'A' * 43} x", "unknown_bearer", 'Bearer error="invalid_token"'),
    ],
)
def test_without_a_token_nothing_opens(
    world: World, header: str | None, reason: str, challenge: str
) -> None:
    """401 says what to send (RFC 6750), and does not tell a wrong token from none that exists."""
    answer = world.ask("GET", "/me", headers={} if header is None else {"Authorization": header})
    assert (answer.status, answer.reason) == (401, reason)
    assert answer.headers["www-authenticate"] == challenge
    assert "Authorization: Bearer tsn_…" in answer.json["detail"]


def test_a_token_says_who_it_is_for(world: World) -> None:
    """Its role, its advertisers and its end; never itself."""
    token = world.token("manager", "acme", "media-x", fresh=True, expires_at=world.now + SECOND)
    answer = world.get("/me", token=token)
    found = answer.json
    assert found.pop("id").isdigit()
    assert found == {
        "name": "test",
        "role": "manager",
        "advertisers": ["acme", "media-x"],
        "expires_at": "2026-11-18T20:06:41+09:00",
    }
    assert token.encode() not in answer.body


def test_the_scheme_may_be_spelt_in_any_case(world: World) -> None:
    """As HTTP says of schemes."""
    headers = {"Authorization": f"bEARER  {world.token('operator')}"}
    assert world.ask("GET", "/me", headers=headers).status == 200


def test_an_expired_token_opens_nothing(world: World) -> None:
    """From the instant of its end on, by our clock."""
    token = world.token("operator", fresh=True, expires_at=world.now + SECOND)
    assert world.get("/me", token=token).status == 200
    world.now += SECOND
    assert world.get("/me", token=token).reason == "unknown_bearer"


def test_a_revoked_token_is_refused_within_a_second(world: World) -> None:
    """However often it was used before."""
    token = world.token("operator", fresh=True)
    id_ = int(world.get("/me", token=token).json["id"])
    assert world.run(revoke, Revocation(id_, world.now))
    began = time.monotonic()
    while world.get("/me", token=token).status == 200:
        assert time.monotonic() - began < PATIENCE
    assert REMEMBERED_SECONDS < 1


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ((), ["acme", "agency-k", "media-x", "other", "shop"]),
        (("agency-k",), ["agency-k", "media-x", "shop"]),
        (("media-x",), ["media-x", "shop"]),
        (("shop", "acme"), ["acme", "shop"]),
        (("gone",), []),
    ],
)
def test_a_token_opens_its_advertisers_and_all_below(
    world: World, named: tuple[str, ...], shown: list[str]
) -> None:
    """The operator's without advertisers opens everybody's."""
    token = world.token("operator", *named)
    items = world.get("/advertisers", token=token).json["items"]
    assert [item["id"] for item in items] == shown


def test_advertisers_come_in_pages_and_by_kind(world: World) -> None:
    """In the order of their ids."""
    first = world.get("/advertisers?limit=2").json
    second = world.get(f"/advertisers?limit=2&cursor={first['next']}").json
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == ["acme", "agency-k", "media-x", "other"]
    media = {"id": "media-x", "name": "Media X", "kind": "media", "parent": "agency-k"}
    assert world.get("/advertisers?kind=media").json["items"] == [media]


def test_a_party_that_comes_or_moves_is_taken_up_by_itself(world: World) -> None:
    """The tree is looked at with each request; nobody needs a new token."""
    token = world.token("viewer", "media-x")

    def shown() -> list[str]:
        return [item["id"] for item in world.get("/advertisers", token=token).json["items"]]

    def wait_for(wanted: list[str]) -> None:
        began = time.monotonic()
        while shown() != wanted:
            assert time.monotonic() - began < PATIENCE

    cafe = Advertiser("cafe", "Café", parent="media-x")
    world.engine.provision(cafe)
    wait_for(["cafe", "media-x", "shop"])
    world.engine.provision(Advertiser("cafe", "Café", parent="other"))
    wait_for(["media-x", "shop"])
    world.engine.provision(removed=[cafe])


def test_an_agency_sees_the_calls_of_all_below(world: World) -> None:
    """And a filter by one of them shows those alone."""
    id_ = world.call(SHOP_NUMBER.number)
    for token in (world.token("viewer", "agency-k"), world.token("viewer", "shop")):
        assert world.get(f"/calls/{id_}", token=token).status == 200
    token = world.token("viewer", "agency-k")
    for advertiser in ("agency-k", "media-x", "shop"):
        found = world.get(f"/calls?advertiser={advertiser}", token=token).json["items"]
        assert [item["id"] for item in found] == [id_]


@pytest.mark.parametrize("path", ["/calls?", "/reports/calls?by=day&", "/metrics?"])
@pytest.mark.parametrize("named", ["other", "agency-k", "nobody"])
def test_naming_another_advertiser_is_refused(world: World, path: str, named: str) -> None:
    """Whether it exists is not told: one above, one beside and none at all are alike."""
    answer = world.get(f"{path}advertiser={named}", token=world.token("manager", "media-x"))
    assert (answer.status, answer.reason) == (403, "out_of_scope")


def test_an_advertiser_scrapes_its_own_metrics(world: World) -> None:
    """And those of who stands below, but nobody else's."""
    world.metrics.advertisers.ensure(["acme", "media-x", "shop"])
    world.metrics.advertisers.add("shop", 3, "calls_total", "answered")
    answer = world.get("/metrics", token=world.token("viewer", "media-x"))
    assert answer.headers["content-type"] == metrics.TEXT == TYPES["text"]
    text = answer.body.decode()
    assert 'gateway_calls_total{advertiser="shop",result="answered"} 3\n' in text
    assert 'advertiser="media-x"' in text
    assert "acme" not in text
    narrowed = world.get("/metrics?advertiser=shop", token=world.token("viewer", "media-x"))
    assert "media-x" not in narrowed.body.decode()


def test_an_advertisers_prometheus_gets_the_form_and_packing_it_asks_for(world: World) -> None:
    """As on the metrics listener, and no cache may keep it."""
    world.metrics.advertisers.ensure(["acme", "shop"])
    asked = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
    answer = world.ask("GET", "/metrics", token=world.token("viewer", "shop"), headers=asked)
    assert answer.headers["content-type"] == metrics.OPENMETRICS == TYPES["openmetrics"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-encoding"] == "gzip"
    page = gzip.decompress(answer.body).decode()
    assert page.endswith("# EOF\n")
    assert "shop" in page
    assert "acme" not in page


def test_the_name_of_a_token_tells_who_did_what() -> None:
    """The audit names the token by its id, which stays what it is."""
    given: Any = {"role": "viewer", "name": "Till", "advertisers": (), "created_at": 0}
    assert Access(id=12, **given).actor == "token:12"
