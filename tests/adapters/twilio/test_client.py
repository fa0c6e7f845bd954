"""The platform's list of calls as it is read: from the simulated one, and from broken ones."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from adapters.twilio import client, package
from adapters.twilio.client import CallList, Question, Told
from adapters.twilio.simulator import CallListing, Played, Script
from adapters.twilio.simulator.played import Leg
from gateway.domain.calls.reconciliation import Listed
from gateway.domain.values import SECOND, moment
from gateway.errors import Permanent, Transient, Trouble

ACCOUNT, TOKEN = "AC" + "0" * 32, "c0ffee" * 5
TRACKED, CALLER, SHOP = "+815031000001", "+819012345678", "+81312345678"
NOON = 1_795_003_200 * SECOND
TODAY = date(2026, 11, 18)
DAY = 86_400 * SECOND

SECONDS = 30.0
"""Within which whatever is tried here has come to its end."""


def played(place: int = 0, at: int = NOON, **changed: Any) -> Played:
    """A call of a minute that a target answered."""
    sid = f"CA{place:032x}"
    given = {"ended_at": at + 60 * SECOND, "status": "completed", "seconds": 44, **changed}
    legs = [Leg(f"{sid}-leg", SHOP, "completed", 6, 42, began_at=at + SECOND)]
    return Played(Script("answered", TRACKED, CALLER), sid, started_at=at, legs=legs, **given)


def question(url: str, token: str = TOKEN) -> Question:
    return Question(ACCOUNT, token, url, TODAY.isoformat())


async def read(url: str, token: str = TOKEN) -> list[Listed]:
    """The list as the process reads it, here in a thread."""

    def ask() -> list[Listed]:
        return [call for line in package.listed(question(url, token)) for call in calls_of(line)]

    async with asyncio.timeout(SECONDS):
        return await asyncio.to_thread(ask)


def calls_of(line: bytes) -> list[Listed]:
    return msgspec.json.decode(line, type=Told).calls


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is not tried again, unless a test says so; and nothing is broken off by a signal,
    which would not come to the thread that reads here.
    """
    monkeypatch.setattr(package, "_PAUSES", ())
    monkeypatch.setattr(package, "_within", nullcontext)


def change_process(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """The process that reads begins with this change of its module, ``package``."""
    words = f"import sys; from adapters.twilio import package; {change}; sys.exit(package.main())"
    monkeypatch.setattr(client, "_PROCESS", (sys.executable, "-P", "-c", words))


Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def broken(answer: Answer) -> AsyncIterator[str]:
    """The address of a platform that answers so."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def in_turn(*answers: web.Response | Exception) -> tuple[Answer, list[str]]:
    """One answer a request, and the addresses that were asked for."""
    left, asked = list(answers), list[str]()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path_qs)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return answer, asked


def listing(*calls: dict[str, Any], more: str | None = None) -> web.Response:
    return web.json_response({"calls": calls, "page": 0, "next_page_uri": more})


def record(**changed: Any) -> dict[str, Any]:
    return {
        "sid": "CA" + "1" * 32,
        "parent_call_sid": None,
        "direction": "inbound",
        "to": TRACKED,
        "status": "completed",
        "start_time": "Wed, 18 Nov 2026 12:00:00 +0000",
        "end_time": "Wed, 18 Nov 2026 12:01:00 +0000",
        "date_updated": "Wed, 18 Nov 2026 12:01:01 +0000",
        "duration": "55",
        **changed,
    }


async def failure(*answers: web.Response | Exception) -> Transient | Permanent:
    """How a list that is answered so is refused."""
    answer, _ = in_turn(*answers)
    async with broken(answer) as url:
        with pytest.raises((Transient, Permanent)) as raised:
            await read(url)
    assert isinstance(raised.value, Transient | Permanent)
    assert TOKEN not in str(raised.value)
    return raised.value


# --- the simulated platform ---


def test_calls_and_legs_are_read_as_the_carrier_lists_them() -> None:
    """Who was called, when, for how long, and which call a leg belongs to; the newest first."""

    async def ask() -> list[Listed]:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            carrier.calls.append(played())
            return await read(carrier.url)

    sid = played().sid
    assert moment(NOON).date() == TODAY
    assert asyncio.run(ask()) == [
        Listed(
            f"{sid}-leg",
            sid,
            "outbound-dial",
            SHOP,
            "completed",
            NOON + SECOND,
            NOON + 49 * SECOND,
            42,
        ),
        Listed(sid, "", "inbound", TRACKED, "completed", NOON, NOON + 60 * SECOND, 44),
    ]


def test_a_call_that_goes_on_has_no_end() -> None:
    """It is listed, and is not over; one whose webhook is not answered yet is not listed."""

    async def ask() -> list[Listed]:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            going = played(ended_at=0, status="", seconds=0)
            going.legs.clear()
            carrier.calls += [going, played(1, at=0)]
            return await read(carrier.url)

    (call,) = asyncio.run(ask())
    assert (call.status, call.ended_at, call.seconds) == ("in-progress", None, 0)


def test_only_the_day_asked_for_is_listed() -> None:
    """Days are those of UTC, and end at midnight."""
    midnight = NOON - NOON % DAY
    times = [midnight - SECOND, midnight, midnight + DAY - SECOND, midnight + DAY]

    async def ask() -> list[Listed]:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            carrier.calls += [played(place, at) for place, at in enumerate(times)]
            return await read(carrier.url)

    assert [c.started_at for c in asyncio.run(ask()) if not c.parent] == times[2:0:-1]


def test_a_long_list_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages follow each other without a gap or a repeat, though calls begin meanwhile."""
    monkeypatch.setattr(package, "_PAGE_SIZE", 7)

    async def ask() -> list[Listed]:
        found: list[Listed] = []
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            carrier.calls += [played(place, NOON + place * SECOND) for place in range(25)]
            pages = package.listed(question(carrier.url))
            while line := await asyncio.to_thread(next, pages, None):
                page = calls_of(line)
                assert len(page) <= 7
                found += page
                carrier.calls.append(played(100 + len(found), NOON + 3600 * SECOND))
        return found

    found = asyncio.run(ask())
    assert len({call.sid for call in found}) == len(found) == 50


def test_a_wrong_token_is_refused_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """401 is no reason to try again, and no error or log line holds the token."""
    monkeypatch.setattr(package, "_PAUSES", (2 * SECONDS,))

    async def ask() -> None:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            await read(carrier.url, "another-token")

    with pytest.raises(Permanent) as raised:
        asyncio.run(ask())
    assert raised.value.reason is Trouble.PLATFORM_REFUSED
    assert raised.value.detail == "401: 20003"
    assert "another-token" not in str(raised.value)


def test_nothing_is_logged_of_what_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the token nor its encoded form reaches a log, at any level."""

    async def ask() -> list[Listed]:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            carrier.calls.append(played())
            return await read(carrier.url)

    with caplog.at_level(logging.DEBUG):
        assert asyncio.run(ask())
    assert TOKEN not in caplog.text
    assert "Basic" not in caplog.text


# --- broken ones ---

DEEP = b"[" * 200_000 + b"]" * 200_000


def test_a_busy_platform_is_asked_again_after_the_time_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """429 did nothing: the page is asked for again, and the list is whole."""
    monkeypatch.setattr(package, "_PAUSES", (0.0,))
    busy = web.json_response({"code": 20429}, status=429, headers={"Retry-After": "1"})
    answer, asked = in_turn(busy, listing(record()))

    async def ask() -> list[Listed]:
        async with broken(answer) as url:
            began = asyncio.get_running_loop().time()
            found = await read(url)
            assert asyncio.get_running_loop().time() - began >= 0.9
            return found

    assert len(asyncio.run(ask())) == 1
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (429, Transient, Trouble.PLATFORM_BUSY),
        (500, Transient, Trouble.PLATFORM_DOWN),
        (503, Transient, Trouble.PLATFORM_DOWN),
        (408, Transient, Trouble.PLATFORM_DOWN),
        (302, Permanent, Trouble.PLATFORM_REFUSED),
        (403, Permanent, Trouble.PLATFORM_REFUSED),
        (404, Permanent, Trouble.PLATFORM_MISSING),
        (410, Permanent, Trouble.PLATFORM_GONE),
    ],
)
def test_each_refusal_has_its_reason(status: int, kind: type[Exception], reason: Trouble) -> None:
    """What the platform says with a status comes out in our words."""
    answer = web.Response(status=status, text="no", headers={"Location": "/elsewhere"})
    error = asyncio.run(failure(answer))
    assert isinstance(error, kind)
    assert (error.reason, error.detail.startswith(f"{status}: ")) == (reason, True)


def test_what_fails_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for once more after each pause, and not for ever."""
    monkeypatch.setattr(package, "_PAUSES", (0.0, 0.0))
    answers = [web.Response(status=500) for _ in range(3)]
    error = asyncio.run(failure(*answers))
    assert error.reason is Trouble.PLATFORM_DOWN


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>It works!</html>",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"calls": null}',
        b'{"calls": {"sid": 1}}',
        b'{"calls": [1]}',
        b'{"calls": [], "next_page_uri": 7}',
        b'{"calls": [], "more": []}',
        b'{"meta": 1, "calls": []}',
        b'{"calls": ' + DEEP + b"}",
        *(
            json.dumps({"calls": [record(**changed)]}).encode()
            for changed in (
                {"sid": None},
                {"sid": 7},
                {"sid": "CA\ud800"},  # half a character
                {"status": None},
                {"duration": "long"},
                {"duration": [1]},
                {"to": 81},
                {"start_time": "Wed, 99 Nov 2026 12:00:00 +0000"},
                {"start_time": 7},
            )
        ),
    ],
)
def test_an_answer_that_is_no_list_is_trouble_of_the_platform(body: bytes) -> None:
    """Nonsense is named as such, whatever the package stumbles over."""
    answer = web.Response(body=body, content_type="application/json")
    error = asyncio.run(failure(answer))
    assert (type(error), error.reason) == (Transient, Trouble.PLATFORM_DOWN)


def test_a_call_that_was_never_dialed_is_passed_over() -> None:
    """It has no start, so it is none that anybody could have missed."""
    answer, _ = in_turn(listing(record(start_time=None), record(end_time=None, duration=None)))

    async def ask() -> list[Listed]:
        async with broken(answer) as url:
            return await read(url)

    (call,) = asyncio.run(ask())
    assert call.ended_at == call.started_at + 61 * SECOND  # when it was changed last
    assert call.seconds == 0


def test_a_list_that_is_cut_is_not_taken_for_a_whole_one() -> None:
    """The platform breaks off at the second page, or in the middle of one."""
    first = listing(record(), more="/2010-04-01/next.json")
    error = asyncio.run(failure(first, web.Response(status=500)))
    assert error.reason is Trouble.PLATFORM_DOWN

    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b'{"calls": [')
        assert request.transport is not None
        request.transport.close()
        return response

    async def ask() -> None:
        async with broken(cut) as url:
            await read(url)

    with pytest.raises(Transient) as raised:
        asyncio.run(ask())
    assert raised.value.reason is Trouble.PLATFORM_DOWN


@pytest.mark.parametrize(
    "more", [{"next_page_uri": "//evil.example/x"}, {"meta": {"next_page_url": "http://[::1]/x"}}]
)
def test_the_token_goes_nowhere_else(more: dict[str, Any]) -> None:
    """A next page at another host is not asked for: at most the same host is, for that path."""
    first = web.json_response({"calls": [record()], **more})
    if "meta" in more:
        first = web.json_response({"calls": [], "meta": {"key": "calls", **more["meta"]}})
    error = asyncio.run(failure(first, web.Response(status=404)))
    assert error.reason in (Trouble.PLATFORM_DOWN, Trouble.PLATFORM_MISSING)


def test_a_list_without_an_end_comes_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that always names a next page is not followed for ever."""
    monkeypatch.setattr(package, "_MOST_PAGES", 5)
    pages = [listing(record(), more="/2010-04-01/again.json") for _ in range(6)]
    error = asyncio.run(failure(*pages))
    assert error.detail == "a list without an end"


def test_more_calls_than_were_asked_for_are_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is as long as we said, or shorter; a longer one is not read."""
    monkeypatch.setattr(package, "_PAGE_SIZE", 2)
    error = asyncio.run(failure(listing(record(), record(), record(start_time=None))))
    assert error.detail == "more calls on a page than were asked for"


def test_words_of_a_refusal_stay_outside() -> None:
    """A platform that repeats what it was sent does not bring the token into a log."""
    secret = f"{ACCOUNT}:{TOKEN}"
    for problem in (
        {"code": 20003, "message": secret},
        {"code": secret},
        {"code": int.from_bytes(secret.encode(), "big")},
        [secret],
    ):
        error = asyncio.run(failure(web.json_response(problem, status=403)))
        assert error.detail in ("403: 20003", "403: 0")


def test_a_refusal_that_is_nested_deeply_is_one_all_the_same() -> None:
    """The status alone says what it is."""
    error = asyncio.run(failure(web.Response(status=403, body=b'{"x": ' + DEEP + b"}")))
    assert (type(error), error.detail) == (Permanent, "403: 0")


def test_a_platform_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the request and says nothing holds nobody for longer than the limit."""
    monkeypatch.setattr(package, "_READ_SECONDS", 0.2)
    done = asyncio.Event()

    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        await done.wait()
        return web.Response()

    async def ask() -> None:
        async with broken(hang) as url:
            try:
                await read(url)
            finally:
                done.set()

    with pytest.raises(Transient) as raised:
        asyncio.run(ask())
    assert (raised.value.reason, raised.value.detail) == (
        Trouble.PLATFORM_DOWN,
        "ReadTimeoutError",
    )


def test_an_answer_that_is_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that floods is read within bounds."""
    monkeypatch.setattr(package, "_MOST_BYTES", 2_000)

    async def pour(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b" " * 16)
        return response

    async def ask() -> None:
        async with broken(pour) as url:
            await read(url)

    with pytest.raises(Transient) as raised:
        asyncio.run(ask())
    assert raised.value.detail == "an answer that is too long"


def test_nobody_there_is_trouble_of_the_platform() -> None:
    """A port at which nobody listens."""

    async def ask() -> None:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            url = carrier.url
        await read(url)

    with pytest.raises(Transient) as raised:
        asyncio.run(ask())
    assert raised.value.reason is Trouble.PLATFORM_DOWN


def test_the_environment_of_others_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and regions that are set for other programs change nothing."""
    for name, value in {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "TWILIO_REGION": "au1",
        "TWILIO_EDGE": "sydney",
        "TWILIO_AUTH_TOKEN": "another",
    }.items():
        monkeypatch.setenv(name, value)

    async def ask() -> Sequence[Listed]:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            carrier.calls.append(played())
            return await read(carrier.url)

    assert len(asyncio.run(ask())) == 2


# --- the process that reads it ---


async def by_process(url: str, token: str = TOKEN) -> list[Listed]:
    calls = CallList(ACCOUNT, token, url)
    async with asyncio.timeout(SECONDS):
        return [call async for page in calls.began_on(TODAY) for call in page]


def test_the_process_tells_all_that_it_reads() -> None:
    """What comes out of it is what went in, and nothing where there is nothing."""

    async def ask() -> None:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            assert await by_process(carrier.url) == []
            carrier.calls += [played(place) for place in range(600)]
            assert await by_process(carrier.url) == await read(carrier.url)

    asyncio.run(ask())


def test_what_the_process_cannot_read_comes_out_as_it_went_in() -> None:
    """Its errors are raised here, of the same kind, with the same reason and words."""

    async def ask() -> None:
        async with CallListing(ACCOUNT, TOKEN) as carrier:
            await by_process(carrier.url, "another-token")

    with pytest.raises(Permanent) as raised:
        asyncio.run(ask())
    assert (raised.value.reason, raised.value.detail) == (
        Trouble.PLATFORM_REFUSED,
        "401: 20003",
    )


def children(of: int) -> list[Path]:
    """The processes that ``of`` has started and that go on."""
    theirs = Path(f"/proc/{of}/task/{of}/children").read_text()
    mine = [Path(f"/proc/{line}") for line in theirs.split()]
    return [each for each in mine if b"adapters.twilio.package" in _read(each / "cmdline")]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


@asynccontextmanager
async def hanging() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A platform that takes a request and says nothing, and when it was asked."""
    asked, done = asyncio.Event(), asyncio.Event()

    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await done.wait()
        return web.Response()

    async with broken(hang) as url:
        try:
            yield url, asked
        finally:
            done.set()


def test_the_process_ends_with_whoever_asked() -> None:
    """Nobody waits for the answer any more: it ends; and nobody sees the token."""

    async def ask() -> None:
        async with hanging() as (url, asked):
            asking = asyncio.create_task(by_process(url))
            async with asyncio.timeout(SECONDS):
                await asked.wait()
                (child,) = children(os.getpid())
                assert TOKEN.encode() not in _read(child / "cmdline") + _read(child / "environ")
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            assert children(os.getpid()) == []

    asyncio.run(ask())


def test_a_process_that_is_killed_is_trouble_and_no_short_list() -> None:
    """The list is not taken for a whole one where its reader ended in the middle."""

    async def ask() -> None:
        async with hanging() as (url, asked):
            asking = asyncio.create_task(by_process(url))
            async with asyncio.timeout(SECONDS):
                await asked.wait()
                (child,) = children(os.getpid())
                os.kill(int(child.name), signal.SIGKILL)
                await asking

    with pytest.raises(Transient) as raised:
        asyncio.run(ask())
    assert raised.value.reason is Trouble.PLATFORM_DOWN


Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def speaking(say: Say) -> AsyncIterator[str]:
    """The address of a platform that says so, byte by byte, to whoever has asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await say(reader, writer)
        except ConnectionError:  # it is not listened to any more, as is to be
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        pytest.param(b"HTTP/1.1 200 O", b"K", id="status"),
        pytest.param(_HEAD + b"X-Long: ", b"x", id="headers"),
        pytest.param(_CHUNKED, b"0", id="length of a chunk"),
        pytest.param(_CHUNKED, b"1\r\n \r\n", id="chunks"),
    ],
)
def test_an_answer_that_trickles_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, begin: bytes, drop: bytes
) -> None:
    """Each byte comes in time, and the answer never ends, wherever in it that is."""
    change_process(monkeypatch, "package._PAUSES, package._MOST_SECONDS = (), 0.5")

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begin)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)

    async def ask() -> None:
        async with speaking(trickle) as url:
            await by_process(url)

    with pytest.raises(Transient) as raised:
        asyncio.run(ask())
    assert raised.value.detail == "an answer that takes too long"


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized"])
def test_a_platform_that_repeats_what_it_hears_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], status: str
) -> None:
    """The token comes neither out of an error nor by the process's own standard error, though it
    stand in a header that nobody can read.
    """
    change_process(monkeypatch, "package._PAUSES = ()")

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = await reader.readuntil(b"\r\n\r\n")
        sent = next(line for line in heard.split(b"\r\n") if b"Basic" in line)
        body = msgspec.json.encode({"code": sent.decode(), "message": sent.decode()})
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode()
        writer.write(head + sent.replace(b":", b"") + b"\r\n\r\n" + body)
        await writer.drain()

    async def ask() -> None:
        async with speaking(echo) as url:
            await by_process(url)

    with pytest.raises((Transient, Permanent)) as raised:
        asyncio.run(ask())
    assert "Basic" not in str(raised.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("body", [DEEP, json.dumps({"calls": [record(sid="\ud800")]}).encode()])
def test_what_the_process_stumbles_over_is_told_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], body: bytes
) -> None:
    """There is a reason, and no traceback."""
    change_process(monkeypatch, "package._PAUSES = ()")
    answer, _ = in_turn(web.Response(body=body))

    async def ask() -> None:
        async with broken(answer) as url:
            await by_process(url)

    with pytest.raises(Transient) as raised:
        asyncio.run(ask())
    assert raised.value.detail.startswith("an answer that is no list of calls: ")
    assert capfd.readouterr().err == ""


def test_a_fault_of_the_process_is_told_by_its_kind(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not by a traceback, which might quote what the carrier said."""
    change_process(monkeypatch, "package.Client = None")
    with pytest.raises(Transient) as raised:
        asyncio.run(by_process("http://127.0.0.1:9"))
    assert raised.value.detail == "the process that asks the carrier failed: TypeError"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        pytest.param("input()", "has ended", id="ended"),
        pytest.param("input(); input()", "is silent", id="silent"),
        pytest.param("print('{')", "says what is not understood: DecodeError", id="nonsense"),
        pytest.param("print('[' * 200_000)", "says what is not understood", id="other nonsense"),
        pytest.param(
            "print('{' + ' ' * 2**20 + '}')",
            "says what is not understood: ValueError",
            id="a long line",
        ),
    ],
)
def test_a_process_that_does_not_do_its_work_is_ended_and_told(
    monkeypatch: pytest.MonkeyPatch, words: str, fault: str
) -> None:
    """Whatever it does, it is waited for within bounds, and is no list."""
    monkeypatch.setattr(client, "_PROCESS", (sys.executable, "-P", "-c", words))
    if fault == "is silent":
        monkeypatch.setattr(client, "_LONGEST_SILENCE", 0.5)
    with pytest.raises(Transient) as raised:
        asyncio.run(by_process("http://127.0.0.1:9"))
    assert raised.value.reason is Trouble.PLATFORM_DOWN
    assert raised.value.detail.startswith(f"the process that asks the carrier {fault}")


def test_a_thousand_calls_of_long_words_are_no_long_line() -> None:
    """A line has room for more than carriers say: three times the longest of what they do."""
    long = Listed("C" * 34, "C" * 34, "outbound-dial", "x" * 500, "in-progress", NOON, NOON, 86_400)
    line = package._encode(Told([long] * package._PAGE_SIZE))
    assert len(line) < client._LONGEST_LINE


_DAEMON = """\
import asyncio, sys
from datetime import date
from adapters.twilio.client import CallList

async def ask():
    async for _ in CallList(*sys.argv[1:]).began_on(date(2026, 11, 18)):
        pass

asyncio.run(ask())
"""


def test_the_process_ends_with_a_daemon_that_is_killed() -> None:
    """A daemon that has no time to end it leaves no process with the token behind."""

    async def ask() -> None:
        async with hanging() as (url, asked), asyncio.timeout(2 * SECONDS):
            words = (sys.executable, "-P", "-c", _DAEMON, ACCOUNT, TOKEN, url)
            daemon = await asyncio.create_subprocess_exec(*words)
            try:
                await asked.wait()
                (orphan,) = children(daemon.pid)
            finally:
                daemon.kill()
                await daemon.wait()
            while b"adapters.twilio.package" in _read(orphan / "cmdline"):  # noqa: ASYNC110 - see below
                await asyncio.sleep(0.02)  # no event tells of the end of another's process

    asyncio.run(ask())
