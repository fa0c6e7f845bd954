"""Bad input at the front door of a whole daemon: refused, counted, and nothing of it kept."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from adapters.storage.schema import metadata
from tests.adapters.twilio.forms import (
    CALL,
    CALL_STATUS,
    DIAL,
    FALLBACK,
    LEG,
    LEG_STATUS,
    PUBLIC_URL,
    VOICE,
    sign,
    sign_body,
)
from tests.e2e.conftest import NewDaemon
from tests.support.carrier import kept_by
from tests.support.daemon import TOKEN, Answered, Daemon, measured

pytestmark = [pytest.mark.process, pytest.mark.slow]

FORMS = {"voice": VOICE, "dial": DIAL, "status": LEG_STATUS, "fallback": FALLBACK}
UNKNOWN_NUMBER = "+815031999999"
FUZZED = 10_000


@pytest.fixture
def daemon(new_daemon: NewDaemon) -> Daemon:
    """A running daemon."""
    made = new_daemon()
    made.run()
    return made


def everything(daemon: Daemon) -> dict[str, list[Any]]:
    """All rows of all tables."""
    return {name: sorted(daemon.rows(f"SELECT * FROM {name}"), key=str) for name in metadata.tables}


def reason(answer: Answered) -> str:
    """The reason in a problem document."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    return str(json.loads(answer.body)["reason"])


def test_a_request_without_its_one_right_signature_is_403(daemon: Daemon) -> None:
    """Missing, wrong and doubled signatures are refused and counted, each under its reason, and
    nothing is kept.
    """
    url = f"{PUBLIC_URL}/twilio/voice"
    right = sign(url, VOICE.items(), TOKEN)
    before = everything(daemon)
    for expected, signatures in {
        "signature_missing": [],
        "signature_wrong": [sign(url, VOICE.items(), "another token")],
        "signature_doubled": [right, right],
    }.items():
        answer = daemon.post("voice", VOICE, signatures=signatures)
        assert (answer.status, reason(answer)) == (403, expected)
        assert daemon.metric("refusals_total", route="voice", reason=expected) == 1
    # Signed for another path, and for another host.
    for other in (f"{PUBLIC_URL}/twilio/status", "https://evil.example/twilio/voice"):
        answer = daemon.post("voice", VOICE, signatures=[sign(other, VOICE.items(), TOKEN)])
        assert (answer.status, reason(answer)) == (403, "signature_wrong")
    assert daemon.metric("webhooks_total", route="voice", status="403") == 5
    assert everything(daemon) == before
    assert daemon.post("voice", VOICE, signatures=[right]).status == 200


def test_a_call_to_an_unknown_number_is_rejected_and_kept_in_no_call(daemon: Daemon) -> None:
    """A genuine call to a number that nobody has gets 200 with Reject, is counted, and is kept
    nowhere.
    """
    before = everything(daemon)
    answer = daemon.post("voice", VOICE | {"To": UNKNOWN_NUMBER})
    assert (answer.status, "<Reject" in answer.body) == (200, True)
    assert daemon.metric("refusals_total", reason="unknown_number") == 1
    assert everything(daemon) == before
    assert daemon.calls() == {}


def test_an_unknown_status_is_kept_raw_and_counted(daemon: Daemon) -> None:
    """A CallStatus that nobody knows, of a leg or of the call, is answered 200, kept as it came,
    counted, and moves no call.
    """
    daemon.post("voice", VOICE)
    for form in (LEG_STATUS, CALL_STATUS):
        answer = daemon.post("status", form | {"CallStatus": "levitating"})
        assert (answer.status, "<Response" in answer.body) == (200, True)
    assert daemon.metric("call_notes_total", what="unknown_status") == 2
    kept = kept_by(daemon)
    assert kept[CALL, "leg.levitating", LEG, 3] == LEG_STATUS | {"CallStatus": "levitating"}
    assert kept[CALL, "call.levitating", "", 0] == CALL_STATUS | {"CallStatus": "levitating"}
    call = daemon.calls()[CALL]
    assert (call["state"], call["result"]) in {("ringing", None), ("connecting", None)}


@pytest.mark.parametrize("kind", FORMS)
def test_what_cannot_be_read_is_400_and_kept_nowhere(kind: str, daemon: Daemon) -> None:
    """Missing and absurd parameters are problem documents with their reason, for each route."""
    before = everything(daemon)
    form = FORMS[kind]
    absurd = form | {"CallSid": "; DROP TABLE calls"}
    missing = {name: value for name, value in form.items() if name != "CallSid"}
    for wrong, expected in ((absurd, "absurd_value"), (missing, "missing_parameter")):
        answer = daemon.post(kind, wrong)
        assert (answer.status, reason(answer)) == (400, expected)
        assert "DROP" not in answer.body
        assert daemon.metric("refusals_total", route=kind, reason=expected) == 1
    assert everything(daemon) == before


def test_a_body_over_the_limit_is_413_and_counted(daemon: Daemon) -> None:
    """A signed form of more than 64 KiB is refused before it is read."""
    answer = daemon.post("voice", VOICE | {"Padding": "x" * 65_536})
    assert (answer.status, reason(answer)) == (413, "body_too_large")
    assert daemon.metric("refusals_total", route="voice", reason="body_too_large") == 1


# --- ten thousand of them ---

NASTY = (
    *("", " ", "+", "%", "%00", "\0", "\x7f", "\r\n", "null", "true", "-1", "0", "1e9", "９９"),
    *("9" * 400, "x" * 5_000, "あ" * 100, "🍣", "\u202e", "' OR 1=1 --", "<Dial/>", "${jndi:x}"),
    *("+815031000001", "anonymous", "CA" + "0" * 32, "levitating", "completed", "99999999"),
    *("Tue, 03 Nov 2026 04:05:06 +0000", "Tue, 99 Nov 2026 04:05:06 +0000", "1970-01-01", "Mon"),
    *("Mon, 01 Jan 0001 00:00:00 +9959", "Fri, 31 Dec 9999 23:59:59 -2359", "../../etc/passwd"),
)
LITERAL = (b"%", b"%zz", b"%ff", b"%ED%A0%80", b"\xff\xfe", b"\0", b"&&&", b"=", b"a=b=c", b"+")


def fuzzed(rng: random.Random) -> Iterator[tuple[str, bytes, bool]]:
    """Endless bodies with their route, some right, most not; half of them signed."""
    while True:
        kind = rng.choice(list(FORMS))
        form = dict(FORMS[kind]) | {"CallSid": f"CA{rng.getrandbits(128):032x}"}
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            name = rng.choice([*form, *VOICE, "CallDuration", "SequenceNumber", "Timestamp"])
            if rng.random() < 0.2:
                form.pop(name, None)
            else:
                form[name] = rng.choice(NASTY)
        body = urlencode(form).encode()
        shape = rng.random()
        if shape < 0.05:
            body = rng.randbytes(rng.randrange(400))
        elif shape < 0.25:
            place = rng.randrange(len(body))
            body = body[:place] + rng.choice(LITERAL) + body[place + rng.randrange(3) :]
        elif shape < 0.30:
            body = body[: rng.randrange(len(body))]
        elif shape < 0.35:
            body += b"&" + body
        yield kind, body, rng.random() < 0.5


def test_ten_thousand_fuzzed_bodies_leave_nothing_behind(daemon: Daemon) -> None:
    """No body leads to an error of ours; the store holds exactly what was acknowledged, and the
    refused ones, sent once more, change nothing in it.
    """
    bodies = list(islice(fuzzed(random.Random(20261121)), FUZZED))
    answers = asyncio.run(posted(daemon, bodies))
    statuses = Counter(status for status, _ in answers)
    measured(f"{dict(sorted(statuses.items()))}")
    assert statuses.keys() <= {200, 400, 403}
    assert statuses[200] > FUZZED / 10
    assert statuses[400] > FUZZED / 10
    taken = {
        body.decode()
        for (_, body, _), (status, answer) in zip(bodies, answers, strict=True)
        if status == 200 and b"<Reject" not in answer
    }
    assert {row[0] for row in daemon.rows("SELECT body FROM call_payloads")} <= taken
    refused = [
        item for item, (status, _) in zip(bodies, answers, strict=True) if status in {400, 403}
    ]
    before = everything(daemon)
    again = asyncio.run(posted(daemon, refused))
    assert {status for status, _ in again} == {400, 403}
    assert everything(daemon) == before
    assert daemon.metric("webhooks_total", status="500") == 0
    assert daemon.metric("spool_events_total") == 0
    assert daemon.metric("observer_faults_total") == 0
    assert "unexpected" not in daemon.log.read_text()
    assert daemon.terminate() == 0


async def posted(daemon: Daemon, bodies: list[tuple[str, bytes, bool]]) -> list[tuple[int, bytes]]:
    """Post each to its route; returns status and body of each answer."""
    slots = asyncio.Semaphore(32)
    async with aiohttp.ClientSession() as session:

        async def post(kind: str, body: bytes, signed: bool) -> tuple[int, bytes]:
            url = f"{PUBLIC_URL}/twilio/{kind}"
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": sign_body(url, body, TOKEN) if signed else "c2lnbmF0dXJl",
            }
            async with (
                slots,
                session.post(
                    f"{daemon.address}/twilio/{kind}", data=body, headers=headers
                ) as answer,
            ):
                return answer.status, await answer.read()

        return await asyncio.gather(*(post(*item) for item in bodies))
