"""Calls as the carrier tells of them: signed, of realistic size, and each sent once only."""

import base64
import hmac
import random
import time
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlencode

from adapters.twilio.simulator import Script, parameters
from gateway.domain.values import SECOND

PUBLIC_URL = "https://gw.example.jp"
ACCOUNT = "AC" + "a1" * 16
TOKEN = "5eb2c8d70f1a4b6398e1d2c3b4a59687"

Job = tuple[bytes, ...]
"""The requests of one call, each sent once the one before it is answered."""

# What stands in the samples for the values that are fresh in each call.
CALL = "c1" * 16
_LEG = "d1" * 16
_CALLER = "819012345678"
_NUMBER = "815031000001"
_TARGET = "+81312345678"

_RINGS, _TALKS = 6, 42  # seconds


class Supply:
    """Calls to ``numbers`` (E.164) from random callers, under random sids, made ahead."""

    def __init__(self, numbers: Sequence[str], samples: "Sequence[_Sample]") -> None:
        self.jobs: deque[Job] = deque()
        self.marks = tuple(sample.mark for sample in samples)
        """What the answer to each request of a job must hold."""
        self._numbers = [number.removeprefix("+") for number in numbers]
        self._samples = samples

    def top_up(self, requests: int) -> None:
        """Make jobs until there are so many requests."""
        for _ in range(requests // len(self._samples) - len(self.jobs)):
            fresh = [
                (CALL, random.randbytes(16).hex()),
                (_LEG, random.randbytes(16).hex()),
                (_CALLER, f"8190{random.randrange(10**8):08}"),
                (_NUMBER, random.choice(self._numbers)),
            ]
            self.jobs.append(tuple([sample.request(fresh) for sample in self._samples]))


def voices(numbers: Sequence[str]) -> Supply:
    """Calls of which the voice webhook alone is told."""
    return Supply(numbers, [_voice()])


def lives(numbers: Sequence[str]) -> Supply:
    """Calls told whole: voice, the leg initiated, answered and completed, and the number's own
    callback, with which the call is settled.
    """
    began = time.time_ns() // 1000
    answered = began + _RINGS * SECOND
    ended = answered + _TALKS * SECOND
    duration = {"CallDuration": str(_TALKS)}

    def leg(status: str, instant: int, sequence: int) -> dict[str, str]:
        told = parameters.leg(_FIELDS, f"CA{_LEG}", f"+{_CALLER}", _TARGET, status)
        return told | parameters.progress(instant, sequence)

    end = {"CallStatus": "completed", "Duration": "1"} | duration | parameters.progress(ended, 0)
    events = [
        leg("initiated", began, 0),
        leg("in-progress", answered, 1),
        leg("completed", ended, 2) | duration,
        _FIELDS | end,
    ]
    return Supply(numbers, [_voice(), *(_Sample("/twilio/status", told) for told in events)])


_FIELDS = parameters.call(ACCOUNT, f"CA{CALL}", Script("answered", f"+{_NUMBER}", f"+{_CALLER}"))
# The voice webhook brings a token, a signed document of some 250 characters.
_TOKEN = "eyJhbGciOiJFUzI1NiJ9." + "eyJjYWxsU2lkIjoiQ0Fj" * 7 + "." + "x0Zt9w" * 14
_VOICE = _FIELDS | {"CallToken": f'{{"parentCallInfoToken":"{_TOKEN}","identityHeaderTokens":[]}}'}


def body_of_voice() -> str:
    """The raw parameters of a voice webhook, under the sid ``CA`` + :data:`CALL`."""
    return urlencode(_VOICE)


def _voice() -> "_Sample":
    return _Sample("/twilio/voice", _VOICE, b"<Dial ")


class _Sample:
    """One request with sample values, encoded; fresh values of the same length take their place."""

    def __init__(self, path: str, fields: dict[str, str], mark: bytes = b"<Response>") -> None:
        self.mark = mark
        self._body = urlencode(fields)
        self._signed = f"{PUBLIC_URL}{path}" + "".join(k + v for k, v in sorted(fields.items()))
        self._head = (
            f"POST {path} HTTP/1.1\r\n"
            "Host: gw.example.jp\r\n"
            "User-Agent: TwilioProxy/1.1\r\n"
            "Accept: */*\r\n"
            "Cache-Control: max-age=259200\r\n"
            "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
            f"Content-Length: {len(self._body)}\r\n"
            f"I-Twilio-Idempotency-Token: {CALL}\r\n"
            "X-Forwarded-Proto: https\r\n"
            "X-Twilio-Signature: "
        )

    def request(self, fresh: list[tuple[str, str]]) -> bytes:
        head, body, signed = self._head, self._body, self._signed
        for sample, value in fresh:
            head = head.replace(sample, value)
            body = body.replace(sample, value)
            signed = signed.replace(sample, value)
        signature = base64.b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1"))
        return b"%s%s\r\n\r\n%s" % (head.encode(), signature, body.encode())
