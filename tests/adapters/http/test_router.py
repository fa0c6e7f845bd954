"""Which route a path leads to."""

from urllib.parse import quote

import hypothesis
import pytest
from hypothesis import strategies as st

from adapters.http.router import MOST_CHARACTERS, Router
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route


async def unused(request: Request) -> Answer:
    raise AssertionError("routes are only looked for")


def router(*routes: str) -> Router:
    """A router of routes like ``GET /calls/{id}``."""
    split = (route.split() for route in routes)
    return Router(Route(method, path, unused, "test", path) for method, path in split)


def refused(router_: Router, method: str, path: str) -> Refused:
    with pytest.raises(Refused) as refusal:
        router_.match(method, path)
    return refusal.value


def test_a_path_without_parameters_is_one_look_up() -> None:
    """Webhooks are found in a dict, as before there were parameters."""
    routes = router("POST /twilio/voice", "GET /calls/{id}")
    assert list(routes.exact) == [("POST", "/twilio/voice")]


def test_a_segment_in_braces_stands_for_any() -> None:
    """The values come by name, percent-decoded."""
    routes = router("GET /calls/{id}", "PUT /calls/{id}/outcome", "GET /{kind}/{id}/of/{other}")
    route, values = routes.match("GET", "/calls/%E5%BA%97")
    assert (route.path, values) == ("/calls/{id}", {"id": "店"})
    route, values = routes.match("PUT", "/calls/12/outcome")
    assert (route.path, values) == ("/calls/{id}/outcome", {"id": "12"})
    route, values = routes.match("GET", "/a/b%20c/of/d")
    assert values == {"kind": "a", "id": "b c", "other": "d"}


def test_a_segment_that_stands_in_a_route_goes_first() -> None:
    """Where it leads nowhere, a parameter may still take it."""
    routes = router("GET /cards/{id}/points", "GET /cards/all/{page}/points", "GET /cards/all/{x}")
    assert routes.match("GET", "/cards/all/3")[0].path == "/cards/all/{x}"
    assert routes.match("GET", "/cards/all/points")[0].path == "/cards/all/{x}"
    assert routes.match("GET", "/cards/all/3/points")[0].path == "/cards/all/{page}/points"
    assert routes.match("GET", "/cards/any/points")[1] == {"id": "any"}


@pytest.mark.parametrize(
    "path",
    [
        "/calls",
        "/calls/",
        "/calls/1/",
        "/calls//outcome",
        "/calls/1/2",
        "/calls/1/outcome/now",
        "/calls/%00",
        "/calls/a%2Fb",
        "/calls/a%2fb",
        "/calls/%FF",
        "/calls/%ED%A0%80",
        "/calls/\udcff",
        f"/calls/{'a' * (MOST_CHARACTERS + 1)}",
        "",
        "*",
        "/" * 5_000,
    ],
)
def test_what_no_value_can_be_is_not_found(path: str) -> None:
    """Empty, too long, not UTF-8, or with a slash or NUL in it."""
    routes = router("GET /calls/{id}", "PUT /calls/{id}/outcome")
    assert refused(routes, "GET", path).reason is Refusal.NOT_FOUND


@hypothesis.given(st.text(min_size=1, max_size=MOST_CHARACTERS))
def test_every_other_value_comes_as_it_was_sent(value: str) -> None:
    """Whatever a browser or a library encodes is what the handler gets."""
    hypothesis.assume("/" not in value and "\0" not in value)
    hypothesis.assume(not any("\ud800" <= sign <= "\udfff" for sign in value))
    _, values = router("GET /c/{token}").match("GET", f"/c/{quote(value, safe='')}")
    assert values == {"token": value}


def test_a_method_that_a_path_does_not_take_is_told_which_it_does() -> None:
    """Those of exact paths and of parameters together, each once."""
    routes = router("GET /u/me", "POST /u/me", "GET /u/{token}", "DELETE /u/{token}")
    found = refused(routes, "PUT", "/u/me")
    assert (found.reason, found.detail) == (Refusal.METHOD_NOT_ALLOWED, "GET, POST, DELETE")
    assert refused(routes, "PUT", "/u/x").detail == "GET, DELETE"
    assert refused(router("GET /healthz"), "POST", "/healthz").detail == "GET"
    assert refused(router("GET /healthz"), "POST", "/else").reason is Refusal.NOT_FOUND
