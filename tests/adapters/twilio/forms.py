"""Forms as the platform posts them, signed as its documentation says."""

import base64
import hmac
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.ports import Request

Pairs = Iterable[tuple[str, str]]

PUBLIC_URL = "https://gw.example.jp"
TOKEN = "12345"
NUMBER = "+815031000001"
CALLER = "+819012345678"
TARGET = "+81312345678"
CALL = "CA" + "b2" * 16
LEG = "CA" + "c3" * 16
NOW = 1_793_700_000_000_000

PLACE = {"City": "", "Country": "JP", "State": "Tokyo To", "Zip": ""}
VOICE = {
    "AccountSid": "AC" + "a1" * 16,
    "ApiVersion": "2010-04-01",
    "CallSid": CALL,
    "CallStatus": "ringing",
    "CallToken": '{"parentCallInfoToken":"' + "eyJhbGciOiJFUzI1NiJ9" * 12 + '"}',
    "Direction": "inbound",
    **{f"{who}{what}": value for who in ("Called", "To") for what, value in PLACE.items()},
    **{f"{who}{what}": value for who in ("Caller", "From") for what, value in PLACE.items()},
    "Called": NUMBER,
    "To": NUMBER,
    "Caller": CALLER,
    "From": CALLER,
}
FALLBACK = {**VOICE, "ErrorCode": "11200", "ErrorUrl": f"{PUBLIC_URL}/twilio/voice"}
DIAL = {
    "AccountSid": "AC" + "a1" * 16,
    "CallSid": CALL,
    "CallStatus": "in-progress",
    "DialBridged": "true",
    "DialCallDuration": "42",
    "DialCallSid": LEG,
    "DialCallStatus": "completed",
    "From": CALLER,
    "To": NUMBER,
}
LEG_STATUS = {
    "CallDuration": "42",
    "CallSid": LEG,
    "CallStatus": "completed",
    "CallbackSource": "call-progress-events",
    "From": CALLER,
    "ParentCallSid": CALL,
    "SequenceNumber": "3",
    "Timestamp": "Tue, 03 Nov 2026 04:05:06 +0000",
    "To": TARGET,
}
CALL_STATUS = {
    "CallDuration": "50",
    "CallSid": CALL,
    "CallStatus": "completed",
    "Duration": "1",
    "From": CALLER,
    "SequenceNumber": "0",
    "Timestamp": "Tue, 03 Nov 2026 04:05:07 +0000",
    "To": NUMBER,
}


def sign(url: str, pairs: Pairs = (), token: str = TOKEN) -> str:
    """The signature as the documentation words it: the URL, then the sorted parameters."""
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def sign_body(url: str, body: bytes, token: str = TOKEN) -> str:
    """The signature of a posted body, or a word that is none where the body is no form."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        return "unsigned"
    return sign(url, pairs, token)


def post(
    kind: str,
    form: dict[str, str] | bytes,
    *,
    query: str = "",
    signatures: Iterable[str] | None = None,
    content_type: str = "application/x-www-form-urlencoded; charset=UTF-8",
    headers: Pairs = (),
) -> Request:
    """A request to the path of ``kind``, rightly signed unless ``signatures`` says otherwise."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    path = f"/twilio/{kind}"
    if signatures is None:
        signatures = [
            sign_body(f"{PUBLIC_URL}{path}?{query}" if query else PUBLIC_URL + path, body)
        ]
    every = CIMultiDict([("Content-Type", content_type), *headers])
    for signature in signatures:
        every.add("X-Twilio-Signature", signature)
    return Request("POST", path, query, CIMultiDictProxy(every), body, NOW, "r-1")
