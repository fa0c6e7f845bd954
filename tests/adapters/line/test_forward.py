"""Webhooks reach a second tool byte for byte and, of each friend, in order; nothing inside is ever
reached, and a tool that is away takes nothing from others.
"""

import asyncio
import socket
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from adapters.line.answers import MOST_BYTES
from adapters.line.forward import UNDER_WAY, UNDER_WAY_OF_ONE
from gateway.domain.line.forwarding import GIVE_UP_SECONDS, KIND, written
from gateway.domain.values import SECOND, Seed
from tests.adapters.line.forward_world import (
    BODY,
    NAME,
    OTHER_SHOP,
    Names,
    Office,
    an_office,
    ask,
    in_office,
)
from tests.support.line import NOON, SHOP, USER
from tests.support.stores import (
    Engine,
    eventually,
)


@in_office()
async def test_a_webhook_arrives_as_it_came(office: Office) -> None:
    """The bytes that were signed, and the signature; afterwards nothing of it is kept."""
    await office.hear(BODY)
    await office.become(("done", None))
    ((path, headers, body),) = office.tool.heard
    assert (path, body) == ("/hook?shop=1", BODY)
    assert headers["x-line-signature"] == "c2lnbmF0dXJl"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["user-agent"].startswith("Tsunagi/")
    assert "cookie" not in headers
    assert office.engine.rows("SELECT payload FROM outbox") == [("",)]
    await office.count(sent=1)


@in_office()
async def test_webhooks_arrive_in_order_whatever_fails(office: Office) -> None:
    """While one is tried again, those after it wait; each comes once in the end."""
    office.tool.answers = [503, 429]
    for number in range(4):
        await office.hear(b"%d" % number)
    waiting = ("waiting", None)
    await office.become(("waiting", "http_503"), waiting, waiting, waiting)
    office.later(2)
    await office.become(("waiting", "http_429"), waiting, waiting, waiting)
    office.later(4)
    await office.become(*[("done", None)] * 4)
    assert office.tool.bodies == [b"0", b"0", b"0", b"1", b"2", b"3"]
    await office.count(retried=2, sent=4)


@in_office()
async def test_a_body_that_the_tool_fails_on_holds_back_one_friend_alone(office: Office) -> None:
    """What others do reaches it at once; of that friend everything comes later, and in order."""
    office.tool.refused = b"poison"
    await office.hear(b"poison", user="U1")
    await office.hear(b"after it", user="U1")
    for number in range(4):
        await office.hear(b"%d" % number, user=f"U{number % 2 + 2}")
    done, waiting = ("done", None), ("waiting", None)
    await office.become(("waiting", "http_500"), waiting, *[done] * 4)
    assert [each for each in office.tool.bodies if each in (b"0", b"2")] == [b"0", b"2"]
    assert [each for each in office.tool.bodies if each in (b"1", b"3")] == [b"1", b"3"]
    assert b"after it" not in office.tool.bodies
    office.tool.refused = b""
    office.later(2)
    await office.become(*[done] * 6)
    assert office.tool.bodies[-2:] == [b"poison", b"after it"]


@in_office()
async def test_a_tool_that_hangs_has_a_few_places_and_no_more(office: Office) -> None:
    """Beyond them its webhooks wait without an attempt, whoever they are of, and those of another
    channel go on.
    """
    office.tool.held, office.tool.hangs_at = asyncio.Event(), "hangs"
    hanging = f"{office.url}&hangs"
    office.approve(hanging)
    office.approve(office.url, OTHER_SHOP)
    for number in range(UNDER_WAY_OF_ONE + 20):
        await office.hear(b"hangs", hanging, user=f"U{number}")
    await eventually(lambda: len(office.tool.heard) == UNDER_WAY_OF_ONE)
    for number in range(20):
        await office.hear(b"goes on", user=f"U{number}", channel=OTHER_SHOP)
    await eventually(lambda: office.tool.bodies.count(b"goes on") == 20)
    assert office.tool.bodies.count(b"hangs") == UNDER_WAY_OF_ONE
    put_back = "SELECT due_at, attempts FROM outbox WHERE state = 'waiting'"
    await eventually(lambda: {attempts for _, attempts in office.engine.rows(put_back)} == {0})
    # One after the other, as its places become free, and not all of them each second.
    assert len({due_at for due_at, _ in office.engine.rows(put_back)}) == 20
    office.tool.held.set()

    def goes_on() -> bool:
        office.later(1)
        return {state for state, _ in office.rows()} == {"done"}

    await eventually(goes_on)


@in_office()
async def test_what_was_taken_back_is_not_sent_any_more(office: Office) -> None:
    """Its body is gone already; it ends, and so holds up nothing."""
    office.tool.answers = [500]
    await office.hear(BODY)
    await office.hear(b"after it")
    await office.become(("waiting", "http_500"), ("waiting", None))
    office.engine.rows("UPDATE outbox SET payload = '' WHERE attempts > 0")
    office.later(2)
    await office.become(("dead", "taken_back"), ("done", None))
    assert office.tool.bodies == [BODY, b"after it"]
    await office.count(retried=1, withdrawn=1, sent=1)


@in_office()
async def test_what_the_tool_refuses_is_final(office: Office) -> None:
    """A 4xx ends one webhook and not the next; a redirect leads nowhere."""
    office.tool.answers = [404, 302, 200]
    for number in range(3):
        await office.hear(b"%d" % number)
    await office.become(("dead", "http_404"), ("dead", "http_302"), ("done", None))
    assert office.engine.rows("SELECT DISTINCT payload FROM outbox") == [("",)]
    assert {path for path, _, _ in office.tool.heard} == {"/hook?shop=1"}
    assert len(office.tool.heard) == 3
    await office.count(refused=2, sent=1)


@in_office()
async def test_an_answer_without_end_is_not_read(office: Office) -> None:
    """The status is what counts; the connection is closed soon after it."""
    office.tool.answers = [299]
    await office.hear(BODY)
    await office.become(("done", None))
    assert office.tool.written < MOST_BYTES + 20_000_000  # what fits into the system's buffers
    await office.hear(BODY)
    await office.become(("done", None), ("done", None))


@in_office()
async def test_a_day_later_it_is_given_up(office: Office) -> None:
    """What could not be delivered for 24 hours is dead, and says why."""
    office.tool.answers = [500] * 1000
    await office.hear(BODY)
    await office.become(("waiting", "http_500"))
    for attempts in range(2, 200):
        office.later(900)
        await eventually(partial(office.has_tried, attempts))
        if office.rows()[0][0] == "dead":
            break
    assert office.rows() == [("dead", "http_500")]
    assert office.engine.rows("SELECT payload FROM outbox") == [("",)]
    assert office.now > NOON + (GIVE_UP_SECONDS - 1800) * SECOND
    await office.count(retried=attempts - 1, expired=1)


@in_office()
async def test_after_a_day_away_old_ones_are_not_sent(office: Office) -> None:
    """A daemon that was stopped for long does not flood the tool with what is over."""
    office.approve(office.url)
    payload = written(SHOP.id, office.url, BODY, "s")
    old = office.now - (GIVE_UP_SECONDS + 1) * SECOND
    await office.store.run(ask, (payload, old, Seed(office.ids.block(old, 1), 1, b""), USER))
    office.worker.wake()
    await office.become(("dead", "given_up"))
    assert office.tool.heard == []


@in_office()
async def test_a_withdrawn_approval_stops_what_waits(office: Office) -> None:
    """Nothing goes to an address that the channel does not name any more."""
    office.tool.answers = [500]
    await office.hear(BODY)
    await office.become(("waiting", "http_500"))
    office.approve("")
    office.later(2)
    await office.become(("dead", "not_approved_any_more"))
    office.approve("https://another.example.jp/")
    await office.hear(BODY)
    await office.become(*[("dead", "not_approved_any_more")] * 2)
    assert len(office.tool.heard) == 1
    await office.count(retried=1, withdrawn=2)


@in_office("127.0.0.1", "10.0.0.1", allowed="127.0.0.2")
async def test_a_name_that_leads_inside_is_not_connected_to(office: Office) -> None:
    """What a name stands for is looked at, and not the name: here it leads to our own machine."""
    await office.hear(BODY)
    await office.become(("waiting", "private_address"))
    office.later(2)
    await eventually(lambda: office.names.asked == 2)
    await office.become(("waiting", "private_address"))
    assert office.tool.heard == []


@in_office("::ffff:127.0.0.1", allowed="127.0.0.2")
async def test_an_address_in_disguise_is_not_connected_to(office: Office) -> None:
    """IPv6 that wraps an address inside is that address."""
    await office.hear(BODY)
    await office.become(("waiting", "private_address"))
    assert office.tool.heard == []


@in_office("127.0.0.1", "127.0.0.3")
async def test_a_name_that_turns_round_gains_nothing(office: Office) -> None:
    """DNS rebinding: each connection is looked at, not the name once."""
    office.tool.keeps_alive = False
    await office.hear(BODY)
    await office.become(("done", None))
    await office.hear(BODY)
    await office.become(("done", None), ("waiting", "private_address"))
    assert len(office.tool.heard) == 1


@in_office()
async def test_an_address_that_was_never_checked_is_refused(office: Office) -> None:
    """Whatever came into the store: without https, or with an address inside, nothing is sent."""
    port = office.url.split(":")[2].split("/")[0]
    for url in (f"http://{NAME}:{port}/", f"https://127.0.0.1:{port}/", f"https://x@{NAME}/"):
        office.approve(url)
        await office.hear(BODY, url)
        await eventually(lambda: office.rows()[-1] == ("dead", "address"))
    assert office.tool.heard == []
    await office.count(refused=3)


@in_office()
async def test_a_certificate_of_another_name_is_not_trusted(office: Office) -> None:
    """The webhooks of a shop's friends go to whom the contractor approved, and to nobody else."""
    url = office.url.replace(NAME, "other.example.jp")
    office.approve(url)
    await office.hear(BODY, url)
    await office.become(("waiting", "certificate"))
    assert office.tool.heard == []


@in_office()
async def test_a_tool_that_does_not_answer_is_tried_again(office: Office) -> None:
    """It has ten seconds; here a moment."""
    office.tool.held = asyncio.Event()
    session: Any = office.worker._handlers[KIND].__self__._session  # type: ignore[attr-defined]
    session._timeout = aiohttp.ClientTimeout(0.05)
    await office.hear(BODY)
    await office.become(("waiting", "timeout"))
    session._timeout = aiohttp.ClientTimeout(5)
    office.tool.held.set()
    office.later(2)
    await office.become(("done", None))


def test_a_tool_that_is_away_is_tried_again(sqlite: Engine, tmp_path: Path) -> None:
    """A connection that is refused is no refusal of the webhook."""

    async def play() -> None:
        async with an_office(sqlite, tmp_path, Names("127.0.0.1")) as office:
            closed = socket.socket()
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
            forwarder: Any = office.worker._handlers[KIND].__self__  # type: ignore[attr-defined]
            forwarder._allowed = frozenset({("127.0.0.1", port)})
            url = f"https://{NAME}:{port}/"
            office.approve(url)
            await office.hear(BODY, url)
            await office.become(("waiting", "unreachable"))
            closed.close()

    asyncio.run(play())


@in_office()
async def test_silent_tools_do_not_take_every_place(office: Office) -> None:
    """Beyond so many under way, webhooks wait without an attempt, and replies have room."""
    forwarder: Any = office.worker._handlers[KIND].__self__  # type: ignore[attr-defined]
    forwarder._under_way = UNDER_WAY
    await office.hear(BODY)
    await eventually(lambda: office.engine.rows("SELECT due_at FROM outbox")[0][0] > office.now)
    await office.become(("waiting", None))
    assert office.engine.rows("SELECT attempts, tried_at FROM outbox") == [(0, None)]
    forwarder._under_way = 0
    office.later(2)
    await office.become(("done", None))


@in_office(trusts=False)
async def test_certificates_are_checked_by_default(office: Office) -> None:
    """Without a test's own trust it is the system's, which knows nothing of this tool."""
    await office.hear(BODY)
    await office.become(("waiting", "certificate"))
    assert office.tool.heard == []
