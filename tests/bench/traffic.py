"""Calls as the carrier tells of them, and what friends of shops write: signed, of realistic size,
and each sent once only.
"""

import base64
import hmac
import json
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol
from urllib.parse import urlencode

from adapters.line.simulator.ids import Ids
from adapters.twilio.simulator import Script, parameters
from gateway.domain.values import SECOND

PUBLIC_URL = "https://gw.example.jp"
ACCOUNT = "AC" + "a1" * 16
TOKEN = "5eb2c8d70f1a4b6398e1d2c3b4a59687"

Job = tuple[bytes, ...]
"""Requests, each sent once the one before it is answered: those of one call, or one alone."""

# What stands in the samples for the values that are fresh in each call.
CALL = "c1" * 16
_LEG = "d1" * 16
_CALLER = "819012345678"
_NUMBER = "815031000001"
_TARGET = "+81312345678"

_RINGS, _TALKS = 6, 42  # seconds


Fresh = list[tuple[str, str]]
"""What stands in a sample, and what takes its place, of the same length."""


class Sample(Protocol):
    """A request that is made many times."""

    mark: bytes
    """What its answer must hold."""

    def request(self, fresh: Fresh) -> bytes:
        """The request, signed, with fresh values."""


class Supply:
    """Jobs of the requests that ``samples`` are, each with what ``draw`` gives, made ahead."""

    def __init__(self, draw: Callable[[], Fresh], samples: Sequence[Sample]) -> None:
        self.jobs: deque[Job] = deque()
        self.marks = tuple(sample.mark for sample in samples)
        """What the answer to each request of a job must hold."""
        self._draw = draw
        self._samples = samples

    def top_up(self, requests: int) -> None:
        """Make jobs until there are so many requests."""
        for _ in range(requests // len(self._samples) - len(self.jobs)):
            fresh = self._draw()
            self.jobs.append(tuple([sample.request(fresh) for sample in self._samples]))


# --- calls ---


def _calls(numbers: Sequence[str], samples: Sequence[Sample]) -> Supply:
    """Calls to ``numbers`` (E.164) from random callers, under random sids."""
    called = [number.removeprefix("+") for number in numbers]

    def draw() -> Fresh:
        return [
            (CALL, random.randbytes(16).hex()),
            (_LEG, random.randbytes(16).hex()),
            (_CALLER, f"8190{random.randrange(10**8):08}"),
            (_NUMBER, random.choice(called)),
        ]

    return Supply(draw, samples)


def voices(numbers: Sequence[str]) -> Supply:
    """Calls of which the voice webhook alone is told."""
    return _calls(numbers, [_voice()])


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
    return _calls(numbers, [_voice(), *(_Webhook("/twilio/status", told) for told in events)])


_FIELDS = parameters.call(ACCOUNT, f"CA{CALL}", Script("answered", f"+{_NUMBER}", f"+{_CALLER}"))
# The voice webhook brings a token, a signed document of some 250 characters.
_TOKEN = "eyJhbGciOiJFUzI1NiJ9." + "eyJjYWxsU2lkIjoiQ0Fj" * 7 + "." + "x0Zt9w" * 14
_VOICE = _FIELDS | {"CallToken": f'{{"parentCallInfoToken":"{_TOKEN}","identityHeaderTokens":[]}}'}


def body_of_voice() -> str:
    """The raw parameters of a voice webhook, under the sid ``CA`` + :data:`CALL`."""
    return urlencode(_VOICE)


def _voice() -> "_Webhook":
    return _Webhook("/twilio/voice", _VOICE, b"<Dial ")


class _Webhook:
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

    def request(self, fresh: Fresh) -> bytes:
        head, body, signed = self._head, self._body, self._signed
        for sample, value in fresh:
            head = head.replace(sample, value)
            body = body.replace(sample, value)
            signed = signed.replace(sample, value)
        signature = base64.b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1"))
        return b"%s%s\r\n\r\n%s" % (head.encode(), signature, body.encode())


# --- LINE ---

SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
FRIENDS = 200
"""Of each shop."""

_SHOP = "shop-000"
_USER = "e1" * 16
_EVENT = "01KAQZJ3V9EVENTEVENTEVENT0"
_TOKEN_OF_REPLY = "f1" * 16
_MESSAGE = "586814010263724032"
_AT = 1_795_000_000_000
_APART = 100  # microseconds from one event to the next
_SAID = "今日は予約なしでも入れますか?"


def shop(ordinal: int) -> str:
    """The id of a LINE channel; it is part of its path."""
    return f"shop-{ordinal:03}"


def user(of: int, friend: int) -> str:
    """The userId of a friend, without the letter that begins it."""
    return f"{of:016x}{friend:016x}"


def said(shops: int, text: str = _SAID) -> Supply:
    """Texts of friends of so many shops, a webhook with one event each."""
    ids = Ids(random.getrandbits(32))
    instants = count(time.time_ns() // 1000, _APART)

    def draw() -> Fresh:
        of, friend, at = random.randrange(shops), random.randrange(FRIENDS), next(instants)
        return [
            (_SHOP, shop(of)),
            (_USER, user(of, friend)),
            (_EVENT, ids.ulid(at)),
            (_TOKEN_OF_REPLY, random.randbytes(16).hex()),
            (_MESSAGE, ids.message()),
            (str(_AT), str(at // 1000)),
        ]

    return Supply(draw, [_Said(text)])


class _Said:
    """A text, as the platform tells of it."""

    mark = b""

    def __init__(self, text: str) -> None:
        event = {
            "type": "message",
            "message": {
                "type": "text",
                "id": _MESSAGE,
                "quoteToken": "yHAz4Ua2wx7ykrq7SGhhWJZf2MQdCo",
                "markAsReadToken": "30yhdy232h4ym5fk0pzdg1opaaj0vo",
                "text": text,
            },
            "webhookEventId": _EVENT,
            "deliveryContext": {"isRedelivery": False},
            "timestamp": _AT,
            "source": {"type": "user", "userId": f"U{_USER}"},
            "replyToken": _TOKEN_OF_REPLY,
            "mode": "active",
        }
        told = {"destination": f"U{'b0' * 16}", "events": [event]}
        self._body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        self._head = (
            f"POST /line/{_SHOP} HTTP/1.1\r\n"
            "Host: gw.example.jp\r\n"
            "User-Agent: LineBotWebhook/2.0\r\n"
            "Content-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(self._body.encode())}\r\n"
            "X-Line-Signature: "
        )

    def request(self, fresh: Fresh) -> bytes:
        head, body = self._head, self._body
        for sample, value in fresh:
            head = head.replace(sample, value)
            body = body.replace(sample, value)
        signature = base64.b64encode(hmac.digest(SECRET.encode(), body.encode(), "sha256"))
        return b"%s%s\r\n\r\n%s" % (head.encode(), signature, body.encode())
