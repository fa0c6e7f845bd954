"""The simulated carrier, against a stub that answers with scripted documents."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDictProxy
from twilio.request_validator import RequestValidator

from adapters.twilio.simulator import (
    SCENARIOS,
    Carrier,
    Played,
    Post,
    Scenario,
    Script,
    random_scripts,
)
from adapters.twilio.simulator.carrier import signature
from gateway.domain.calls import Call, Event, decide, legs_of, sweep
from gateway.domain.routing import TrackedNumber
from gateway.domain.values import SECOND, known_caller, micros

PUBLIC = "https://gw.example.jp"
SID, TOKEN = "AC" + "0" * 32, "12345"
TRACKED, CALLER = "+815031000001", "+815031000077"
SHOP, MOBILE = "+81312345678", "+819012345678"
NOW = 1_796_000_000 * SECOND

HANGUP = "<Response><Hangup/></Response>"
Answer = str | int | tuple[str, str] | Callable[[Mapping[str, str]], Awaitable[str]]


def dial(
    *targets: str,
    attributes: str = "",
    events: str = "initiated ringing answered completed",
    action: str | None = f"{PUBLIC}/twilio/dial",
) -> str:
    callback = f'statusCallback="{PUBLIC}/twilio/status" statusCallbackEvent="{events}"'
    numbers = "".join(f"<Number {callback}>{target}</Number>" for target in targets)
    after = f'action="{action}"' if action else ""
    return (
        f'<Response><Dial answerOnBridge="true" timeout="20" {after} {attributes}>'
        f"{numbers}</Dial></Response>"
    )


BOTH = dial(SHOP, MOBILE)
IN_TURN = dial(SHOP, MOBILE, attributes='sequential="true"')


@dataclass
class Heard:
    """One request as the stub got it."""

    path: str
    params: dict[str, str]
    headers: CIMultiDictProxy[str]

    @property
    def what(self) -> str:
        return Post(self.path, self.params, "").what


@dataclass
class Stub:
    """A daemon that gives each path its answers in turn, the last one for ever.

    An answer is a document, a status, a (content type, body), or a function of the parameters.
    """

    answers: Mapping[str, list[Answer]] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = (await request.read()).decode()
        params = dict(parse_qsl(body, keep_blank_values=True, strict_parsing=True))
        self.heard.append(Heard(request.path, params, request.headers))
        answers = self.answers.get(request.path.rpartition("/")[2], [HANGUP])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, int):
            return web.Response(status=answer)
        kind, text = answer if isinstance(answer, tuple) else ("text/xml", answer)
        return web.Response(
            text=text if isinstance(text, str) else await text(params), content_type=kind
        )


@asynccontextmanager
async def carrier_to(stub: Stub, **options: Any) -> AsyncIterator[Carrier]:
    runner = web.ServerRunner(web.Server(stub.answer), shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with Carrier(f"http://127.0.0.1:{port}", PUBLIC, SID, TOKEN, **options) as carrier:
            yield carrier
    finally:
        await runner.cleanup()


def play(
    scenario: Scenario,
    voice: Answer,
    *,
    ring: int = 6,
    talk: int = 42,
    calls: int = 1,
    caller: str = CALLER,
    answers: Mapping[str, list[Answer]] | None = None,
    **options: Any,
) -> tuple[list[Played], Stub]:
    """The records of ``calls`` calls of one script, one after the other, and what was heard."""
    stub = Stub({"voice": [voice], **(answers or {})})
    script = Script(scenario, TRACKED, caller, ring, talk)

    async def run() -> list[Played]:
        async with carrier_to(stub, **options) as carrier:
            return [await carrier.play(script, starts_at=NOW) for _ in range(calls)]

    return asyncio.run(run()), stub


def play_one(scenario: Scenario, voice: Answer, **options: Any) -> tuple[Played, Stub]:
    (played,), stub = play(scenario, voice, **options)
    return played, stub


def story(played: Played, stub: Stub) -> list[tuple[str, str, int]]:
    """What was heard, of which target, and after how many of the carrier's seconds."""
    return [
        (
            heard.what,
            heard.params["To"] if "ParentCallSid" in heard.params else "",
            (_instant(heard) - played.started_at) // SECOND if "Timestamp" in heard.params else -1,
        )
        for heard in stub.heard
    ]


def _instant(heard: Heard) -> int:
    return micros(parsedate_to_datetime(heard.params["Timestamp"]))


# --- signing ---


@given(
    st.sampled_from(["https://gw.example.jp/a", "http://gw.example.jp:8080/a?b=c&d=%20"]),
    st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=8),
)
def test_signature_satisfies_the_official_validator(url: str, params: dict[str, str]) -> None:
    """The platform's own package accepts what the simulator signs."""
    assert RequestValidator(TOKEN).validate(url, params, signature(TOKEN.encode(), url, params))


def test_signature_of_https_drops_user_and_port() -> None:
    """A voice webhook over HTTPS is signed without userinfo and port, as the platform does."""
    params = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    signed = signature(b"12345", "https://u:p@mycompany.com:443/myapp.php?foo=1&bar=2", params)
    assert signed == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_every_request_is_signed_for_the_public_url() -> None:
    """Requests go to the target, with signature and Host of the public URL."""
    _, stub = play_one("answered", BOTH)
    validator = RequestValidator(TOKEN)
    for heard in stub.heard:
        signed = heard.headers["X-Twilio-Signature"]
        assert validator.validate(PUBLIC + heard.path, heard.params, signed)
        assert heard.headers["Host"] == "gw.example.jp"


# --- what a voice webhook says ---


def test_voice_webhook_has_the_platforms_parameters() -> None:
    """The first request carries what the platform sends of a call, blank values included."""
    _, stub = play_one("answered", BOTH)
    first = stub.heard[0]
    assert first.path == "/twilio/voice"
    assert len(first.params) >= 25
    assert first.params["From"] == first.params["Caller"] == CALLER
    assert first.params["To"] == first.params["Called"] == TRACKED
    assert first.params["CallStatus"] == "ringing"
    assert first.params["Direction"] == "inbound"
    assert first.params["FromCountry"] == "JP"
    assert first.params["FromZip"] == ""


@pytest.mark.parametrize("caller", ["anonymous", "+266696687"])
def test_withheld_caller_is_sent_as_it_is(caller: str) -> None:
    """A word for a withheld number is sent as From, with no country."""
    _, stub = play_one("answered", BOTH, caller=caller)
    assert stub.heard[0].params["From"] == caller
    assert stub.heard[0].params["FromCountry"] == ""


# --- acting on Dial ---


def test_parallel_answer_cancels_the_other_leg() -> None:
    """All targets ring at once; the first answer ends the others and starts the talk."""
    played, stub = play_one("answered", BOTH)
    winner = next(leg.target for leg in played.legs if leg.state == "completed")
    loser = next(leg.target for leg in played.legs if leg.state == "canceled")
    assert {winner, loser} == {SHOP, MOBILE}
    assert story(played, stub) == [
        ("voice", "", -1),
        ("leg.initiated", SHOP, 0),
        ("leg.initiated", MOBILE, 0),
        ("leg.ringing", SHOP, 1),
        ("leg.ringing", MOBILE, 1),
        ("leg.in-progress", winner, 6),
        ("leg.canceled", loser, 6),
        ("leg.completed", winner, 48),
        ("dial", "", -1),
        ("call.completed", "", 48),
    ]
    assert (played.result, played.ring_seconds, played.talk_seconds) == ("answered", 6, 42)
    assert played.forwarded


def test_sequence_numbers_count_each_legs_callbacks() -> None:
    """SequenceNumber starts at 0 for every leg and for the parent."""
    played, stub = play_one("answered", BOTH)
    numbers: dict[str, list[str]] = {}
    for heard in stub.heard:
        if "SequenceNumber" in heard.params:
            numbers.setdefault(heard.params["CallSid"], []).append(heard.params["SequenceNumber"])
    winner = next(leg.sid for leg in played.legs if leg.state == "completed")
    loser = next(leg.sid for leg in played.legs if leg.state == "canceled")
    assert numbers == {winner: [*"0123"], loser: [*"012"], played.sid: ["0"]}


def test_action_and_status_tell_the_talk() -> None:
    """The action has Dial's figures; the number's status callback has seconds and minutes."""
    played, stub = play_one("answered", BOTH, talk=61)
    winner = next(leg.sid for leg in played.legs if leg.state == "completed")
    completed, action, status = stub.heard[-3:]
    assert completed.params["CallDuration"] == "61"
    assert completed.params["ParentCallSid"] == action.params["CallSid"] == played.sid
    assert action.path == "/twilio/dial"
    assert action.params["DialCallStatus"] == "completed"
    assert action.params["DialCallSid"] == winner
    assert action.params["DialCallDuration"] == "61"
    assert action.params["DialBridged"] == "true"
    assert status.params["CallDuration"] == "61"
    assert status.params["Duration"] == "2"
    assert not any("CallDuration" in heard.params for heard in stub.heard[:-3])


def test_either_side_may_hang_up() -> None:
    """Over many calls the action is told both of callers who are still there and who are not."""
    _, stub = play("answered", BOTH, calls=20)
    statuses = {h.params["CallStatus"] for h in stub.heard if h.path == "/twilio/dial"}
    assert statuses == {"in-progress", "completed"}


def test_busy_targets_end_the_dial_busy() -> None:
    """Where all targets are busy nobody rings and nobody talks."""
    played, stub = play_one("busy", BOTH)
    assert [what for what, _, _ in story(played, stub)] == [
        "voice",
        *["leg.initiated"] * 2,
        *["leg.busy"] * 2,
        "dial",
        "call.no-answer",
    ]
    assert stub.heard[-2].params["DialCallStatus"] == "busy"
    assert stub.heard[-2].params["CallStatus"] == "ringing"
    assert (played.result, played.ring_seconds, played.talk_seconds) == ("busy", 2, 0)


def test_failed_targets_end_the_dial_failed() -> None:
    """Where no target can be reached the Dial failed."""
    played, stub = play_one("failed", BOTH)
    assert stub.heard[-2].params["DialCallStatus"] == "failed"
    assert "DialCallDuration" not in stub.heard[-2].params
    assert [leg.state for leg in played.legs] == ["failed", "failed"]
    assert played.result == "failed"


def test_no_answer_rings_for_the_timeout() -> None:
    """Targets ring as long as the document says, and the platform's few seconds more."""
    played, _ = play_one("no_answer", dial(SHOP, attributes="").replace('"20"', '"9"'))
    assert [leg.ring_seconds for leg in played.legs] == [14]
    assert (played.result, played.ring_seconds) == ("no_answer", 14)


def test_pick_up_after_the_timeout_comes_too_late() -> None:
    """A target that would answer later than the timeout does not answer."""
    played, _ = play_one("answered", BOTH, ring=26)
    assert [leg.state for leg in played.legs] == ["no_answer", "no_answer"]
    assert played.result == "no_answer"


def test_sequential_targets_ring_one_after_the_other() -> None:
    """In sequence the next target rings when the one before it has ended."""
    played, stub = play_one("first_busy_then_answered", IN_TURN)
    assert story(played, stub)[1:-2] == [
        ("leg.initiated", SHOP, 0),
        ("leg.busy", SHOP, 2),
        ("leg.initiated", MOBILE, 2),
        ("leg.ringing", MOBILE, 3),
        ("leg.in-progress", MOBILE, 8),
        ("leg.completed", MOBILE, 50),
    ]
    assert (played.result, played.ring_seconds, played.talk_seconds) == ("answered", 8, 42)


def test_sequential_stops_at_the_first_answer() -> None:
    """In sequence nobody is rung after somebody answered."""
    played, _ = play_one("answered", IN_TURN)
    assert [(leg.target, leg.state) for leg in played.legs] == [(SHOP, "completed")]


def test_first_busy_then_answered_in_parallel() -> None:
    """In parallel a busy target does not keep the other from answering."""
    played, _ = play_one("first_busy_then_answered", BOTH)
    assert [(leg.target, leg.state) for leg in played.legs] == [
        (SHOP, "busy"),
        (MOBILE, "completed"),
    ]


def test_caller_gives_up_while_it_rings() -> None:
    """The legs end canceled, no action is posted, and the parent ends unanswered."""
    played, stub = play_one("caller_gives_up", BOTH)
    assert story(played, stub)[-3:] == [
        ("leg.canceled", SHOP, 6),
        ("leg.canceled", MOBILE, 6),
        ("call.no-answer", "", 6),
    ]
    assert all(heard.path != "/twilio/dial" for heard in stub.heard)
    assert (played.result, played.ring_seconds, played.talk_seconds) == ("abandoned", 6, 0)


def test_caller_who_stays_longer_than_the_timeout_is_told() -> None:
    """A caller who would wait longer than the targets ring hears what the action says."""
    played, stub = play_one("caller_gives_up", BOTH, ring=25)
    assert stub.heard[-2].path == "/twilio/dial"
    assert played.result == "no_answer"


def test_time_limit_ends_the_talk() -> None:
    """A conversation does not last longer than timeLimit."""
    played, _ = play_one("answered", dial(SHOP, attributes='timeLimit="30"'))
    assert played.talk_seconds == played.legs[0].talk_seconds == 30


def test_caller_id_is_what_targets_see() -> None:
    """A leg's From is the Dial's callerId, else the caller."""
    _, stub = play_one("answered", dial(SHOP, attributes=f'callerId="{TRACKED}"'))
    assert stub.heard[1].params["From"] == TRACKED
    _, stub = play_one("answered", dial(SHOP))
    assert stub.heard[1].params["From"] == CALLER


def test_only_wanted_callbacks_are_sent_and_numbered() -> None:
    """statusCallbackEvent chooses the callbacks; the default is the end alone."""
    _, stub = play_one("answered", dial(SHOP, events="answered completed"))
    legs = [h for h in stub.heard if h.what.startswith("leg.")]
    assert [h.what for h in legs] == ["leg.in-progress", "leg.completed"]
    assert [h.params["SequenceNumber"] for h in legs] == ["0", "1"]
    _, stub = play_one(
        "busy", dial(SHOP).replace('statusCallbackEvent="initiated ringing answered completed"', "")
    )
    assert [h.what for h in stub.heard if h.what.startswith("leg.")] == ["leg.busy"]


def test_relative_addresses_belong_to_the_document() -> None:
    """A relative action is fetched beside the document it stands in."""
    _, stub = play_one("busy", dial(SHOP, action="dial"))
    assert stub.heard[-2].path == "/twilio/dial"


def test_strangers_addresses_are_not_called() -> None:
    """An address outside the public URL counts as a failed connection."""
    played, _ = play_one("busy", dial(SHOP, action="https://stranger.example/dial"))
    (failed,) = [post for post in played.posts if post.url.startswith("https://stranger")][:1]
    assert failed.error == "connection"


# --- the other verbs ---


def test_action_document_is_acted_on() -> None:
    """What the action answers takes over: here it dials once more, and somebody answers."""
    backup = dial("+815031000055", action=None)
    played, _ = play_one(
        "first_busy_then_answered", IN_TURN.replace(MOBILE, SHOP), answers={"dial": [backup]}
    )
    assert played.result == "answered"
    played, stub = play_one("busy", dial(SHOP), answers={"dial": [backup]})
    assert [leg.target for leg in played.legs] == [SHOP, "+815031000055"]
    assert (played.result, played.ring_seconds) == ("busy", 4)
    assert stub.heard[-1].what == "call.no-answer"


def test_action_that_dials_for_ever_comes_to_an_end() -> None:
    """A caller gives up on documents that never end."""
    played, _ = play_one("busy", dial(SHOP), answers={"dial": [dial(SHOP)]})
    assert 2 < len(played.legs) < 100


def test_document_goes_on_without_an_action() -> None:
    """Without an action the next verb runs after Dial."""
    document = dial(SHOP, action=None).replace(
        "</Response>", "<Reject/><Dial>+815031000055</Dial></Response>"
    )
    played, _ = play_one("busy", document)
    assert [leg.target for leg in played.legs] == [SHOP]


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ("<Response><Reject/></Response>", "call.no-answer"),
        ('<Response><Reject reason="busy"/></Response>', "call.busy"),
    ],
)
def test_reject_refuses_the_call(document: str, status: str) -> None:
    """Reject ends the call unanswered: nobody is rung, and no call is to be expected."""
    played, stub = play_one("answered", document)
    assert [heard.what for heard in stub.heard] == ["voice", status]
    assert (played.result, played.forwarded, played.legs) == ("rejected", False, [])


@pytest.mark.parametrize("document", [HANGUP, "<Response/>"])
def test_hangup_ends_the_call(document: str) -> None:
    """Hangup, or a document with nothing in it, ends the call."""
    played, stub = play_one("answered", document)
    assert [heard.what for heard in stub.heard] == ["voice", "call.no-answer"]
    assert not played.forwarded


def test_other_verbs_answer_the_call() -> None:
    """Where an announcement comes first the caller's side is answered and ends completed."""
    document = dial(SHOP).replace("<Dial", "<Say>お待ちください</Say><Dial")
    _, stub = play_one("busy", document)
    assert stub.heard[-2].params["CallStatus"] == "in-progress"
    assert stub.heard[-1].what == "call.completed"
    assert stub.heard[-1].params["CallDuration"] == "2"


# --- fallback ---


@pytest.mark.parametrize(
    ("voice", "code"),
    [
        (503, "11200"),
        (404, "11200"),
        (302, "11200"),
        ("no document", "12100"),
        ("<Answer/>", "12100"),
        (f"{dial(SHOP)}<", "12100"),
        (dial(SHOP).replace('"20"', '"soon"'), "12100"),
        (("text/plain", dial(SHOP)), "12300"),
    ],
)
def test_fallback_is_asked_where_voice_gives_no_document(voice: Answer, code: str) -> None:
    """A voice webhook that fails, or answers no TwiML, sends the call to the fallback."""
    played, stub = play_one("answered", voice, answers={"fallback": [dial(SHOP)]})
    fallback = stub.heard[1]
    assert fallback.path == "/twilio/fallback"
    assert fallback.params["ErrorCode"] == code
    assert fallback.params["ErrorUrl"] == f"{PUBLIC}/twilio/voice"
    assert fallback.params["From"] == CALLER
    assert played.result == "answered"


def test_fallback_is_asked_where_voice_takes_too_long() -> None:
    """A voice webhook that is not answered in time sends the call to the fallback."""

    async def never(_: Mapping[str, str]) -> str:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    played, stub = play_one(
        "answered", never, answers={"fallback": [dial(SHOP)]}, timeout_seconds=0.05
    )
    assert stub.heard[1].params["ErrorCode"] == "11200"
    assert played.posts[0].error == "timeout"
    assert played.result == "answered"


def test_fallback_is_asked_for_a_failed_action_too() -> None:
    """An action that fails sends the caller to the fallback, whose document is acted on."""
    _, stub = play_one("busy", dial(SHOP), answers={"dial": [500]})
    assert [h.path.rpartition("/")[2] for h in stub.heard[-3:]] == ["dial", "fallback", "status"]


def test_call_fails_where_the_fallback_fails_too() -> None:
    """Without any document the call fails; it was not forwarded."""
    played, stub = play_one("answered", 503, answers={"fallback": [503]})
    assert [heard.what for heard in stub.heard] == ["voice", "fallback", "call.failed"]
    assert (played.result, played.forwarded) == ("failed", False)
    assert [post.what for post in played.unacknowledged] == ["voice", "fallback"]


# --- faults ---


def test_voice_is_retried_once_where_the_connection_fails() -> None:
    """A daemon that is away gets voice and fallback twice each, status callbacks once."""

    async def run() -> Played:
        async with Carrier("http://127.0.0.1:1", PUBLIC, SID, TOKEN, retry_seconds=0) as carrier:
            return await carrier.play(Script("answered", TRACKED, CALLER))

    played = asyncio.run(run())
    assert [(p.what, p.attempt) for p in played.posts] == [
        ("voice", 0),
        ("voice", 1),
        ("fallback", 0),
        ("fallback", 1),
        ("call.failed", 0),
    ]
    assert played.posts[0].token == played.posts[1].token != played.posts[2].token
    assert {p.error for p in played.posts} == {"connection"}


def test_retries_repeat_the_same_request_with_its_token() -> None:
    """With retries a refused status callback is posted again, marked as the same request."""
    played, stub = play_one(
        "busy", dial(SHOP), answers={"status": [503, 503, 204]}, retries=3, retry_seconds=0
    )
    tries = [h for h in stub.heard if h.what == "leg.initiated"]
    assert len(tries) == 3
    assert len({h.headers["I-Twilio-Idempotency-Token"] for h in tries}) == 1
    assert tries[0].params == tries[2].params
    assert not played.unacknowledged


def test_retries_repeat_a_failed_voice_webhook_once() -> None:
    """With retries a voice webhook is asked once more, then the fallback."""
    _, stub = play_one("answered", 503, retries=5, retry_seconds=0)
    assert [heard.what for heard in stub.heard[:3]] == ["voice", "voice", "fallback"]


def test_status_callbacks_are_not_retried_by_default() -> None:
    """As on the platform, a refused status callback is gone."""
    played, stub = play_one("busy", dial(SHOP), answers={"status": [503, 204]})
    assert Counter(heard.what for heard in stub.heard)["leg.initiated"] == 1
    assert [post.what for post in played.unacknowledged] == ["leg.initiated"]


def test_duplicates_are_posted_twice() -> None:
    """Every request comes a second time, the same to the letter."""
    played, stub = play_one("answered", BOTH, duplicates=1.0)
    bodies = Counter(tuple(heard.params.items()) for heard in stub.heard)
    assert set(bodies.values()) == {2}
    assert sum(post.duplicate for post in played.posts) == len(played.posts) // 2


def test_disorder_delays_callbacks_past_each_other() -> None:
    """Callbacks overtake each other; the voice webhook stays first and none is missing."""
    straight, _ = play_one("answered", BOTH)
    played, stub = play_one("answered", BOTH, disorder=0.5, seed=3)
    assert stub.heard[0].what == "voice"
    times = [_instant(heard) for heard in stub.heard if "Timestamp" in heard.params]
    assert times != sorted(times)
    assert sorted(p.what for p in played.posts) == sorted(p.what for p in straight.posts)


def test_wild_disorder_lets_the_status_come_before_the_voice_webhook() -> None:
    """A caller may be gone before the voice webhook is answered."""
    played, stub = play_one("caller_gives_up", BOTH, disorder=1.0, wild=True)
    assert sorted(heard.what for heard in stub.heard) == ["call.no-answer", "voice"]
    assert (played.result, played.ring_seconds, played.legs) == ("abandoned", None, [])
    assert played.forwarded


def test_loss_spares_the_voice_webhook_and_is_recorded() -> None:
    """Lost callbacks are never sent, and the record says which."""
    played, stub = play_one("answered", BOTH, loss=1.0)
    assert [heard.what for heard in stub.heard] == ["voice"]
    assert Counter(post.what for post in played.lost) == Counter(
        {
            "leg.initiated": 2,
            "leg.ringing": 2,
            "leg.in-progress": 1,
            "leg.canceled": 1,
            "leg.completed": 1,
            "dial": 1,
            "call.completed": 1,
        }
    )
    assert played.certain == set()
    assert played.result == "answered"


def test_same_seed_gives_the_same_faults() -> None:
    """Everything but the ids is the same for one seed, and differs for another."""

    def run(seed: int) -> list[list[tuple[str, bool]]]:
        faults: dict[str, Any] = {"disorder": 0.3, "duplicates": 0.3, "loss": 0.2}
        calls, _ = play("answered", BOTH, calls=5, seed=seed, **faults)
        return [[(post.what, post.duplicate) for post in played.posts] for played in calls]

    assert run(7) == run(7)
    assert run(7) != run(8)


# --- time ---


def test_call_ends_about_now() -> None:
    """As fast as possible, a call is placed such that it ends now, and no time is waited for."""

    async def run() -> Played:
        async with carrier_to(Stub({"voice": [BOTH]}), clock=lambda: NOW + 123) as carrier:
            return await carrier.play(Script("answered", TRACKED, CALLER, ring=15, talk=3600))

    played = asyncio.run(run())
    assert played.ended_at == NOW
    assert played.started_at == NOW - 3615 * SECOND


def test_speed_waits_and_changes_no_figure() -> None:
    """At speed 1000 a call of 120 s takes 0.12 s of ours and has the same figures."""
    slow, _ = play_one("answered", dial(SHOP), ring=20, talk=100)

    async def run() -> tuple[Played, float]:
        loop = asyncio.get_running_loop()
        async with carrier_to(Stub({"voice": [dial(SHOP)]}), speed=1000) as carrier:
            begun = loop.time()
            played = await carrier.play(Script("answered", TRACKED, CALLER, ring=20, talk=100))
            return played, loop.time() - begun

    fast, lasted = asyncio.run(run())
    assert lasted >= 0.12
    assert (fast.result, fast.ring_seconds, fast.talk_seconds) == ("answered", 20, 100)
    assert fast.ended_at - fast.started_at == slow.ended_at - slow.started_at


# --- loads ---


def test_run_plays_all_with_bounded_concurrency() -> None:
    """A load plays every script, and never more calls at once than allowed."""
    busy = most = 0

    async def slowly(_: Mapping[str, str]) -> str:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1
        return dial(SHOP)

    async def run() -> list[Played]:
        async with carrier_to(Stub({"voice": [slowly]})) as carrier:
            scripts = islice(random_scripts([TRACKED], 1), 30)
            return await carrier.run(scripts, rate=math.inf, in_flight=4)

    calls = asyncio.run(run())
    assert len({played.sid for played in calls}) == 30
    assert 1 < most <= 4


def test_run_ends_what_it_began() -> None:
    """Once the time is over no call begins, and those in flight are played to their end."""
    stop = asyncio.Event()

    async def one(_: Mapping[str, str]) -> str:
        stop.set()
        return dial(SHOP)

    async def run() -> list[Played]:
        async with carrier_to(Stub({"voice": [one]})) as carrier:
            return await carrier.run(random_scripts([TRACKED], 1), rate=20, until=stop)

    (played,) = asyncio.run(run())
    assert played.posts[-1].what.startswith("call.")


def test_events_are_told_as_they_go() -> None:
    """Whoever watches hears of every request, the lost ones too."""
    heard: list[tuple[str, str]] = []

    def note(played: Played, post: Post) -> None:
        heard.append((played.sid, post.what))

    played, _ = play_one("answered", BOTH, loss=0.3, seed=1, on_event=note)
    assert played.lost
    assert Counter(heard) == Counter(
        (played.sid, post.what) for post in (*played.posts, *played.lost)
    )


def test_random_scripts_come_from_the_seed() -> None:
    """The same seed gives the same calls; all scenarios and withheld callers are among them."""
    some = list(islice(random_scripts([TRACKED], 5), 500))
    assert some == list(islice(random_scripts([TRACKED], 5), 500))
    assert {script.scenario for script in some} == set(SCENARIOS)
    callers = [script.caller for script in some]
    assert {None} < {known_caller(caller) for caller in callers}
    assert len(set(callers)) < len(callers)


# --- the figures, held against the domain's own reading of the same requests ---


def event_of(heard: Heard, received_at: int) -> Event:
    params = heard.params
    child = "ParentCallSid" in params
    duration = params.get("DialCallDuration" if heard.what == "dial" else "CallDuration")
    return Event(
        provider="twilio",
        call=params["ParentCallSid" if child else "CallSid"],
        kind=heard.what,
        received_at=received_at,
        leg=params["CallSid"] if child else params.get("DialCallSid", ""),
        seq=int(params.get("SequenceNumber", 0)),
        status=params.get("DialCallStatus", params["CallStatus"]),
        provider_at=_instant(heard) if "Timestamp" in params else None,
        duration=int(duration) if duration else None,
        bridged=params["DialBridged"] == "true" if "DialBridged" in params else None,
        detail=params["To"] if child else params["CallStatus"] if heard.what == "dial" else "",
        number=params["To"] if heard.what == "voice" else "",
        caller=known_caller(params["From"]),
    )


def fold(stub: Stub, route: TrackedNumber) -> dict[str, tuple[Call, list[Event]]]:
    """The calls that the domain makes of all that was heard, swept long afterwards."""
    events: dict[str, dict[tuple[str, str, int], Event]] = {}
    calls: dict[str, Call | None] = {}
    for place, heard in enumerate(stub.heard):
        event = event_of(heard, NOW + place)
        known = events.setdefault(event.call, {})
        if event.key not in known:
            earlier = list(known.values())
            known[event.key] = event
            call = calls.get(event.call)
            calls[event.call] = decide(call, earlier, event, route, new_id=place).call
    folded = {}
    for sid, call in calls.items():
        assert call is not None
        swept, _, _ = sweep(call, list(events[sid].values()), NOW + 10**6 * SECOND)
        folded[sid] = swept, list(events[sid].values())
    return folded


@pytest.mark.parametrize("document", [BOTH, IN_TURN])
@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"disorder": 0.4, "duplicates": 0.3, "wild": True},
        {"disorder": 0.4, "duplicates": 0.3, "loss": 0.25},
    ],
)
def test_the_record_agrees_with_what_the_domain_makes_of_the_requests(
    document: str, faults: dict[str, Any]
) -> None:
    """Result, ring and talk seconds and legs are the domain's, as far as what arrived tells."""
    sequential = "sequential" in document
    route = TrackedNumber(
        TRACKED, "acme", "flyer", (SHOP, MOBILE), "sequential" if sequential else "parallel", 20
    )
    stub = Stub({"voice": [document]})
    rng = random.Random(11)
    scripts = [
        Script(scenario, TRACKED, CALLER, rng.randint(0, 28), rng.randint(0, 300))
        for scenario in SCENARIOS * 12
    ]

    async def run() -> list[Played]:
        async with carrier_to(stub, seed=5, **faults) as carrier:
            return await carrier.run(scripts, rate=math.inf, in_flight=8)

    record = asyncio.run(run())
    folded = fold(stub, route)
    assert len(folded) == len(record)
    for played in record:
        call, events = folded[played.sid]
        assert call.settled_at is not None
        for figure in played.certain:
            assert getattr(call, figure) == getattr(played, figure), (figure, played)
        if not played.lost:
            assert played.certain == {"result", "ring_seconds", "talk_seconds"}
            assert [
                (leg.sid, leg.target, leg.state, leg.ring_seconds, leg.talk_seconds)
                for leg in sorted(played.legs, key=lambda leg: leg.sid)
            ] == [
                (leg.sid, leg.target, leg.state, leg.ring_seconds, leg.talk)
                for leg in sorted(legs_of(events), key=lambda leg: leg.sid)
            ]
