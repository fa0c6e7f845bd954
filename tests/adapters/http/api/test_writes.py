"""Writes that are sent again, and what else a write may not be."""

import threading
from typing import Any

import pytest

from gateway.usecases.access import KEPT_FOR
from tests.adapters.http.api.world import Answered, World


def judge(world: World, call: str, key: str | None = None, **further: Any) -> Answered:
    """A write, under an Idempotency-Key."""
    given = {"token": world.token("operator"), "body": {"outcome": "rejected"}, **further}
    headers = dict(given.pop("headers", {}))
    if key is not None:
        headers["Idempotency-Key"] = key
    return world.ask("PUT", f"/calls/{call}/outcome", headers=headers, **given)


def audited(world: World, call: str) -> int:
    """How often the call was judged."""
    (row,) = world.engine.rows(f"SELECT count(*) FROM audit WHERE subject = '{call}'")
    return int(row[0])


def test_a_repeat_gets_the_first_answer(world: World) -> None:
    """Byte by byte, and though the call was judged again meanwhile."""
    call = world.call()
    first = judge(world, call, "a")
    judge(world, call, body={"outcome": "accepted"})
    again = judge(world, call, "a")
    assert (again.status, again.body) == (first.status, first.body)
    assert world.get(f"/calls/{call}").json["outcome"] == "accepted"
    assert audited(world, call) == 2


def test_repeats_at_the_same_time_are_done_once(world: World) -> None:
    """A client that gave up waiting and asks again meets its first request."""
    call = world.call()
    found: list[Answered] = []
    threads = [
        threading.Thread(target=lambda: found.append(judge(world, call, "b"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in found} == {200}
    assert len({answer.body for answer in found}) == 1
    assert audited(world, call) == 1


def test_a_key_is_good_for_one_request(world: World) -> None:
    """Another body, and another path, are refused."""
    call, other = world.call(), world.call()
    judge(world, call, "c")
    for wrong in (judge(world, call, "c", body={"outcome": "accepted"}), judge(world, other, "c")):
        assert (wrong.status, wrong.reason) == (422, "idempotency_key_reused")
    assert judge(world, other, "c", token=world.token("manager", "acme")).status == 200


def test_a_key_is_free_after_a_day_and_after_a_refusal(world: World) -> None:
    """What was not done can be corrected under the same key."""
    call = world.call()
    assert judge(world, "1", "d").status == 404
    assert judge(world, call, "d").status == 200
    world.now += KEPT_FOR
    assert judge(world, call, "d", body={"outcome": "accepted"}).status == 200


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "a" * 201])
def test_a_wrong_key_is_refused(world: World, key: str) -> None:
    """Before anything is done."""
    call = world.call()
    answer = judge(world, call, key)
    assert (answer.status, answer.reason) == (400, "invalid_idempotency_key")
    assert audited(world, call) == 0


def test_a_key_that_reads_is_nobody_s_business(world: World) -> None:
    """Reading twice does no harm."""
    headers = {"Idempotency-Key": "a b"}
    assert world.ask("GET", "/me", token=world.token("operator"), headers=headers).status == 200


def test_a_write_in_another_form_is_refused(world: World) -> None:
    """A browser's form cannot be made to write."""
    call = world.call()
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        answer = judge(world, call, headers={"Content-Type": kind}, body=b'{"outcome":"rejected"}')
        assert (answer.status, answer.reason) == (415, "media_type")
    assert audited(world, call) == 0


def test_a_large_body_is_refused(world: World) -> None:
    """Before it is read."""
    answer = judge(world, world.call(), body=b"x" * 70_000, headers={"Content-Type": "x/y"})
    assert (answer.status, answer.reason) == (413, "body_too_large")


def test_another_method_is_told_the_right_ones(world: World) -> None:
    """With a token or without."""
    answer = world.ask("DELETE", f"/calls/{world.call()}/outcome")
    assert (answer.status, answer.reason) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "PUT"
    assert world.ask("POST", "/calls").headers["allow"] == "GET"
    assert world.ask("GET", "/nothing").reason == "not_found"
