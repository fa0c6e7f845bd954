"""A webhook of Twilio's: who sent it, and what it says.

This is the front door and the hot path: every request of a call passes here before anything is
known of it. Nothing below trusts a value, and nothing below is slower than it must be. Tests hold
the form parser equal to :func:`urllib.parse.parse_qsl` and the verifier to the official package.
"""

import codecs
import hmac
import re
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from gateway.domain.calls import Event
from gateway.domain.values import known_caller, micros
from gateway.errors import Refusal, Refused

PROVIDER = "twilio"
SIGNATURE_HEADER = "X-Twilio-Signature"

FormKind = Literal["voice", "dial", "status", "fallback"]
"""Which webhook a form came to; each reads its parameters in its own way."""

# --- the form ---

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1_000


class Form(msgspec.Struct, frozen=True):
    """The parameters of a request, decoded."""

    pairs: list[tuple[str, str]]
    """All of them, blank and repeated ones too, in the order in which they came."""
    first: dict[str, str]
    """The first value of each name: what is read. A repeated name is only ever signed."""


def require_form(content_type: str | None) -> None:
    """Let pass what says it is a form, with parameters (a charset) or without.

    Raises:
        Refused: it says something else, or nothing.
    """
    if content_type is None or content_type.partition(";")[0].strip().lower() != _FORM:
        raise Refused(Refusal.NOT_A_FORM, f"Content-Type is not {_FORM}")


def parse_form(body: bytes) -> Form:
    """The form in ``body``, as ``parse_qsl(keep_blank_values=True, errors="strict")`` reads it.

    Raises:
        Refused: the body or a decoded value is no UTF-8, it holds a literal NUL (PostgreSQL keeps
            none in a text), or more than 1,000 fields.
    """
    if b"\0" in body:
        raise Refused(Refusal.ABSURD_VALUE, "the body holds a NUL byte")
    try:
        pairs = _pairs(body.decode().replace("+", " "))
    except UnicodeDecodeError:
        # From None: the original error quotes the body.
        raise Refused(Refusal.INVALID_UTF8, "the body does not decode to UTF-8") from None
    return Form(pairs, dict(reversed(pairs)))


_escaped_separator = re.compile(r"%(?:26|3[Dd])").search


def _pairs(text: str) -> list[tuple[str, str]]:
    if _escaped_separator(text):
        return [(_unquoted(name), _unquoted(value)) for name, value in _split(text)]
    # No separator can appear by decoding, so all is decoded at once, which takes half the time.
    return _split(_unquoted(text))


def _split(text: str) -> list[tuple[str, str]]:
    parts = text.split("&")
    if len(parts) > _MOST_FIELDS:
        raise Refused(Refusal.ABSURD_VALUE, f"the body holds more than {_MOST_FIELDS} fields")
    pairs = []
    for part in parts:
        if part:
            name, _, value = part.partition("=")
            pairs.append((name, value))
    return pairs


def _unquoted(text: str) -> str:
    r"""``text`` percent-decoded, as ``unquote(text, errors="strict")`` does it.

    ``%2B`` is what Python writes as ``\x2B``, and its own unescaping is one pass in C, where
    ``unquote`` is a loop in Python: 64 KiB of percent signs, which anybody may post, would hold
    the loop for longer than a hundred webhooks do.
    """
    if "%" not in text:
        return text
    escaped = text.encode().replace(b"\\", rb"\\")
    try:
        decoded = codecs.escape_decode(escaped.replace(b"%", rb"\x"))[0]
    except ValueError:  # a percent sign that escapes nothing stays as it is
        decoded = codecs.escape_decode(_escaping_percent(rb"\\x", escaped))[0]
    return decoded.decode()


_escaping_percent = re.compile(rb"%(?=[0-9A-Fa-f]{2})").sub


# --- the signature ---


def single_signature(signatures: Sequence[str]) -> str:
    """The one signature among the values of ``X-Twilio-Signature``.

    Raises:
        Refused: there is none, or more than one: whoever adds a second one tries something.
    """
    if not signatures:
        raise Refused(Refusal.SIGNATURE_MISSING, f"{SIGNATURE_HEADER} is missing")
    if len(signatures) > 1:
        raise Refused(Refusal.SIGNATURE_DOUBLED, f"{SIGNATURE_HEADER} came more than once")
    return signatures[0]


class Verifier:
    """Tells the platform's requests from others', by base64(HMAC-SHA1(token, URL + parameters)).

    The URL is the configured public one with the request's path and query, never what a Host or
    X-Forwarded header says. ``previous_token`` is accepted, too, while a token is rotated.

    Source: https://www.twilio.com/docs/usage/security#validating-requests
    """

    def __init__(self, public_url: str, token: str, previous_token: str | None = None) -> None:
        self._origins = signed_origins(public_url)
        # Copying a keyed HMAC costs a third less than keying one for each request.
        # An empty token is none: it would be known to everybody.
        self._keyed = [
            hmac.new(each.encode(), digestmod="sha1") for each in (token, previous_token) if each
        ]

    def check(self, path: str, query: str, signature: str, form: Form) -> None:
        """Let a form pass that the platform signed; ``query`` is as it came.

        Raises:
            Refused: the signature is wrong.
        """
        first = form.first
        if len(first) == len(form.pairs):
            parameters = "".join([name + first[name] for name in sorted(first)])
        else:
            # Repeated names: their values are deduplicated, then sorted.
            parameters = "".join([name + value for name, value in sorted(set(form.pairs))])
        self._check(path, query, signature, parameters)

    def check_body(self, path: str, query: str, signature: str, body: bytes) -> None:
        """Let a body that is no form pass: its hash is in the query, and the URL alone is signed.

        Raises:
            Refused: the signature or the hash is wrong, or no hash is given.
        """
        claimed = parse_qs(query).get("bodySHA256", [""])[0]
        if not hmac.compare_digest(sha256(body).hexdigest().encode(), _bytes(claimed)):
            raise Refused(Refusal.SIGNATURE_WRONG, "bodySHA256 is not the hash of the body")
        self._check(path, query, signature, "")

    def _check(self, path: str, query: str, signature: str, parameters: str) -> None:
        given = _bytes(signature)
        rest = f"{path}?{query}{parameters}" if query else path + parameters
        for origin in self._origins:
            signed = _bytes(origin + rest)
            for keyed in self._keyed:
                mac = keyed.copy()
                mac.update(signed)
                if hmac.compare_digest(b2a_base64(mac.digest(), newline=False), given):
                    return
        raise Refused(
            Refusal.SIGNATURE_WRONG, "compare public_url and the token with the number's settings"
        )


def _bytes(text: str) -> bytes:
    # Stray bytes of a request line or a header come as lone surrogates; whatever is claimed with
    # them is wrong, and must not raise.
    return text.encode(errors="replace")


def signed_origins(public_url: str) -> tuple[str, ...]:
    """What the signed URL may begin with, the likeliest first: ``public_url`` as it is.

    The platform is not consistent with ports, so the official package tries with and without one
    (the default one where ``public_url`` names none). Voice over HTTPS drops a user and password,
    too.
    """
    url = urlsplit(public_url)
    user, at, host = url.netloc.rpartition("@")
    if url.port is None:
        bare = host
        ported = f"{host}:{443 if url.scheme == 'https' else 80}"
    else:
        bare = host.rpartition(":")[0]
        ported = host
    hosts = (url.netloc, user + at + bare, user + at + ported, bare)
    return tuple(dict.fromkeys(url._replace(netloc=netloc).geturl() for netloc in hosts))


# --- the event ---

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STATUS = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_COUNT = re.compile(r"[0-9]{1,7}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_CALLER = 256
_LONGEST_DETAIL = 64
_LONGEST_TIMESTAMP = 64


def read_event(kind: FormKind, form: Form, received_at: int) -> Event:
    """What ``form`` tells of a call; ``received_at`` is our own time in microseconds.

    A status that nobody knows is kept as it is. An optional parameter that is blank is none.

    Raises:
        Refused: a parameter that is needed is missing or blank, or a value cannot be true.
    """
    return _READERS[kind](form.first, received_at)


def _read_voice(fields: dict[str, str], received_at: int) -> Event:
    return _arrival("voice", fields, received_at)


def _read_fallback(fields: dict[str, str], received_at: int) -> Event:
    return _arrival(
        "fallback",
        fields,
        received_at,
        # Asked for another document of the same call it is another event: the answer to the
        # first one forwards, and a caller who has talked must not be forwarded again.
        seq=int(fields.get("ErrorUrl", "").endswith("/twilio/dial")),
        status=_optional(fields, "CallStatus", _STATUS),
        detail=_text(fields, "ErrorCode"),
    )


def _arrival(
    kind: str,
    fields: dict[str, str],
    received_at: int,
    *,
    seq: int = 0,
    status: str = "",
    detail: str = "",
) -> Event:
    caller = fields.get("From", "")
    if len(caller) > _LONGEST_CALLER:
        raise _absurd("From")
    return Event(
        provider=PROVIDER,
        call=_required(fields, "CallSid", _SID),
        kind=kind,
        received_at=received_at,
        seq=seq,
        status=status,
        detail=detail,
        number=_required(fields, "To", _NUMBER),
        caller=known_caller(caller),
    )


def _read_dial(fields: dict[str, str], received_at: int) -> Event:
    return Event(
        provider=PROVIDER,
        call=_required(fields, "CallSid", _SID),
        kind="dial",
        received_at=received_at,
        leg=_optional(fields, "DialCallSid", _SID),
        status=_required(fields, "DialCallStatus", _STATUS),
        duration=_count(fields, "DialCallDuration"),
        bridged=_flag(fields, "DialBridged"),
        detail=_optional(fields, "CallStatus", _STATUS),
    )


def _read_status(fields: dict[str, str], received_at: int) -> Event:
    sid = _required(fields, "CallSid", _SID)
    parent = _optional(fields, "ParentCallSid", _SID)
    status = _required(fields, "CallStatus", _STATUS)
    return Event(
        provider=PROVIDER,
        call=parent or sid,
        kind=f"leg.{status}" if parent else f"call.{status}",
        received_at=received_at,
        leg=sid if parent else "",
        seq=_count(fields, "SequenceNumber") or 0,
        status=status,
        provider_at=_instant(fields, "Timestamp"),
        duration=_count(fields, "CallDuration"),
        detail=_text(fields, "To") if parent else "",
    )


_READERS: dict[FormKind, Callable[[dict[str, str], int], Event]] = {
    "voice": _read_voice,
    "dial": _read_dial,
    "status": _read_status,
    "fallback": _read_fallback,
}


def _absurd(name: str) -> Refused:
    return Refused(Refusal.ABSURD_VALUE, f"{name} cannot be true")


def _required(fields: dict[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not value:
        raise Refused(Refusal.MISSING_PARAMETER, f"{name} is missing")
    if not pattern.fullmatch(value):
        raise _absurd(name)
    return value


def _optional(fields: dict[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name, "")
    if value and not pattern.fullmatch(value):
        raise _absurd(name)
    return value


def _text(fields: dict[str, str], name: str) -> str:
    value = fields.get(name, "")[:_LONGEST_DETAIL]
    if _CONTROL.search(value):
        raise _absurd(name)
    return value


def _count(fields: dict[str, str], name: str) -> int | None:
    digits = _optional(fields, name, _COUNT)
    return int(digits) if digits else None


def _flag(fields: dict[str, str], name: str) -> bool | None:
    value = fields.get(name)
    if not value:
        return None
    if value not in ("true", "false"):
        raise _absurd(name)
    return value == "true"


_TIMESTAMP = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) \+0000"
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTH = {name: number for number, name in enumerate(_MONTHS, 1)}


def _instant(fields: dict[str, str], name: str) -> int | None:
    """The instant of an RFC 2822 date, in microseconds; one without an offset is taken as UTC."""
    text = fields.get(name)
    if not text:
        return None
    usual = _TIMESTAMP.fullmatch(text)
    try:
        if usual and usual[2] in _MONTH:
            day, month, year, hour, minute, second = usual.groups()
            read = datetime(
                int(year), _MONTH[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC
            )
        else:
            read = parsedate_to_datetime(text[:_LONGEST_TIMESTAMP])
        instant = micros(read if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError, IndexError):  # whatever email.utils makes of nonsense
        raise _absurd(name) from None
    if not 1900 <= read.year <= 9000:  # at the ends of the calendar other zones have no such date
        raise _absurd(name)
    return instant
