"""Verifying and reading webhooks, beside the standard library and the official package."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from adapters.twilio.webhook import (
    Form,
    FormKind,
    Verifier,
    parse_form,
    read_event,
    require_form,
    signed_origins,
    single_signature,
)
from gateway.domain.calls import Event
from gateway.domain.values import SECOND, micros
from gateway.errors import Refusal, Refused
from tests.adapters.twilio.forms import (
    CALL,
    CALL_STATUS,
    CALLER,
    DIAL,
    FALLBACK,
    LEG,
    LEG_STATUS,
    NOW,
    NUMBER,
    PUBLIC_URL,
    TARGET,
    TOKEN,
    VOICE,
    sign,
)

Pairs = list[tuple[str, str]]


def refusal(action: Callable[..., object], *args: Any) -> Refusal | None:
    """Why ``action`` refuses, or ``None`` where it does not."""
    try:
        action(*args)
    except Refused as refused:
        return refused.reason
    return None


def form_of(pairs: Pairs | dict[str, str]) -> Form:
    return parse_form(urlencode(pairs).encode())


# --- the form ---

fragments = st.sampled_from(
    [*"&=+%;aéあ", "%2B", "%2b", "%26", "%3D", "%3d", "%25", "%00", "%0A", "%7e", "%zz", "%4"]
) | st.sampled_from(
    ["%E3%81%82", "%E3%81", "%82", "%ED%A0%80", "%C3%A9", "\\", "\\x41", "\\n", "%5C"]
)
bodies = st.one_of(
    st.lists(fragments, max_size=12).map(lambda parts: "".join(parts).encode()),
    st.lists(st.tuples(st.text(max_size=5), st.text(max_size=9)), max_size=6).map(
        lambda pairs: urlencode(pairs).encode()
    ),
    st.binary(max_size=30),
)


@given(bodies)
@example(b"")
@example(b"&&a&=&==b&a=1&a=2&a=")
@example(b"a%26b=c%3Dd&e%3d=f")
@example(b"a=%E3%81&b=%82")
def test_a_form_is_read_as_the_standard_library_reads_it(body: bytes) -> None:
    """Blank, repeated, escaped and malformed parts come out as parse_qsl gives them."""
    if b"\0" in body:
        assert refusal(parse_form, body) is Refusal.ABSURD_VALUE
        return
    try:
        expected = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        assert refusal(parse_form, body) is Refusal.INVALID_UTF8
        return
    form = parse_form(body)
    assert form.pairs == expected
    assert all(form.first[name] == dict(reversed(expected))[name] for name, _ in expected)


@pytest.mark.parametrize("body", [b"a=\xff", b"a=%FF", b"a=\xed\xa0\x80", b"a=%ED%A0%80", b"%C0=b"])
def test_no_form_holds_what_utf8_does_not(body: bytes) -> None:
    """Stray bytes, overlong forms and lone surrogates are refused, raw and escaped."""
    assert refusal(parse_form, body) is Refusal.INVALID_UTF8


def test_a_form_has_a_thousand_fields_at_most() -> None:
    """The thousandth field is read, one more is refused."""
    assert len(parse_form(b"&".join([b"a=1"] * 1000)).pairs) == 1000
    assert refusal(parse_form, b"&".join([b"a=1"] * 1001)) is Refusal.ABSURD_VALUE
    assert refusal(parse_form, b"&".join([b"a=%26"] * 1001)) is Refusal.ABSURD_VALUE


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded ;charset=utf-8",
    ],
)
def test_a_content_type_of_a_form_passes(content_type: str) -> None:
    """Case, spaces and parameters do not matter."""
    require_form(content_type)


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "multipart/form-data", "application/x-www-form-urlencoded2"],
)
def test_another_content_type_is_refused(content_type: str | None) -> None:
    """What does not call itself a form is not read as one."""
    assert refusal(require_form, content_type) is Refusal.NOT_A_FORM


# --- the signature ---

MY_COMPANY = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
EXAMPLE = {**MY_COMPANY, "Caller": "+14158675310", "From": "+14158675310"}


@pytest.mark.parametrize(
    ("public_url", "form", "signature"),
    [
        ("https://example.com", EXAMPLE, "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("https://mycompany.com", MY_COMPANY, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com", MY_COMPANY, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("https://mycompany.com:443", MY_COMPANY, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443", MY_COMPANY, "kvajT1Ptam85bY51eRf/AJRuM3w="),
    ],
)
def test_documented_signatures_pass(public_url: str, form: dict[str, str], signature: str) -> None:
    """The platform's own examples, signed with and without the port."""
    Verifier(public_url, "12345").check("/myapp.php", "foo=1&bar=2", signature, form_of(form))


def test_a_documented_signature_of_a_body_passes() -> None:
    """A body that is no form is vouched for by its hash in the query."""
    body = b'{"property": "value", "boolean": true}'
    query = "bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    verifier = Verifier("https://mycompany.com", "12345")
    arguments = ("/myapp.php", f"foo=1&bar=2&{query}", "a9nBmqA0ju/hNViExpshrM61xv4=")
    verifier.check_body(*arguments, body)
    assert refusal(verifier.check_body, *arguments, body + b" ") is Refusal.SIGNATURE_WRONG


names = st.sampled_from(["A", "a", "B", "To", "From", "é", "\U0001f4de", "\ue000"])
values = st.sampled_from(["", "1", "2", "+81", "x y", "あ", "ToFrom"])
form_pairs = st.lists(st.tuples(names, values), max_size=8)
origins = st.builds(
    "{}://gw.example.jp{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
)
paths = st.sampled_from(["/", "/twilio/voice", "/a%20b"])
queries = st.sampled_from(["", "a=1", "b=%2B&a=+&a="])


@given(
    st.one_of(origins.map(lambda one: (one, one)), st.tuples(origins, origins)),
    paths,
    queries,
    st.one_of(form_pairs.map(lambda one: (one, one)), st.tuples(form_pairs, form_pairs)),
    st.sampled_from(["now", "before", "never"]),
)
def test_a_form_passes_where_the_official_package_lets_it_pass(
    urls: tuple[str, str], path: str, query: str, forms: tuple[Pairs, Pairs], token: str
) -> None:
    """With or without a port, with repeated and changed parameters, with either token."""
    rest = f"{path}?{query}" if query else path
    (signed_url, public_url), (signed, received) = urls, forms
    signature = sign(signed_url + rest, signed, token)
    expected = any(
        RequestValidator(each).validate(public_url + rest, MultiDict(received), signature)
        for each in ("now", "before")
    )
    verifier = Verifier(public_url, "now", "before")
    refused = refusal(verifier.check, path, query, signature, form_of(received))
    assert refused is (None if expected else Refusal.SIGNATURE_WRONG)


@given(
    st.text(max_size=9),
    st.sampled_from(["bodySHA256={}", "a=1&bodySHA256={}", "bodySHA256={}&bodySHA256=0", "a=1"]),
    st.booleans(),
    st.booleans(),
)
def test_a_body_passes_where_the_official_package_lets_it_pass(
    body: str, query: str, right_hash: bool, right_token: bool
) -> None:
    """Except where no hash is given: there the package raises TypeError at a stranger's word."""
    content = body.encode()
    query = query.format(sha256(content if right_hash else content + b"x").hexdigest())
    url = f"{PUBLIC_URL}/hook?{query}"
    signature = sign(url, token=TOKEN if right_token else "another")
    refused = refusal(Verifier(PUBLIC_URL, TOKEN).check_body, "/hook", query, signature, content)
    if "bodySHA256" in query:
        passes = RequestValidator(TOKEN).validate(url, body, signature)
        assert refused is (None if passes else Refusal.SIGNATURE_WRONG)
    else:
        assert refused is Refusal.SIGNATURE_WRONG
        if body:
            with pytest.raises(TypeError):
                RequestValidator(TOKEN).validate(url, body, signature)


@pytest.mark.parametrize(
    ("public_url", "signed"),
    [
        ("https://user:pass@gw.example.jp:8443", "https://gw.example.jp"),
        ("https://user:pass@gw.example.jp:8443", "https://user:pass@gw.example.jp"),
        ("https://user:pass@gw.example.jp", "https://gw.example.jp"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]"),
    ],
)
def test_the_official_package_mangles_users_and_ipv6(public_url: str, signed: str) -> None:
    """Voice drops user, password and port; the package cuts the host at its first colon."""
    signature = sign(f"{signed}/twilio/voice", VOICE.items())
    Verifier(public_url, TOKEN).check("/twilio/voice", "", signature, form_of(VOICE))
    assert not RequestValidator(TOKEN).validate(f"{public_url}/twilio/voice", VOICE, signature)


def test_the_configured_url_is_tried_first() -> None:
    """The likeliest URL costs one HMAC, and none is tried twice."""
    assert signed_origins("https://gw.example.jp") == (
        "https://gw.example.jp",
        "https://gw.example.jp:443",
    )
    assert signed_origins("http://[::1]:8080") == ("http://[::1]:8080", "http://[::1]")


@pytest.mark.parametrize("name", VOICE)
def test_one_dropped_parameter_fails_the_check(name: str) -> None:
    """A blank parameter is signed like any other."""
    signature = sign(f"{PUBLIC_URL}/twilio/voice", VOICE.items())
    rest = {key: value for key, value in VOICE.items() if key != name}
    verifier = Verifier(PUBLIC_URL, TOKEN)
    # A parameter without a value is told by its name alone, which is signed, too.
    refused = refusal(verifier.check, "/twilio/voice", "", signature, form_of(rest))
    assert refused is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize("signature", ["", "x", "é", "\udcff", "a" * 10_000])
def test_nonsense_is_a_wrong_signature(signature: str) -> None:
    """No text that a header can hold raises anything else."""
    verifier = Verifier(PUBLIC_URL, TOKEN)
    refused = refusal(verifier.check, "/twilio/voice", "", signature, form_of(VOICE))
    assert refused is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize("query", ["\udcff", "bodySHA256=\udcff"])
def test_stray_bytes_in_a_query_are_a_wrong_signature(query: str) -> None:
    """A request line may hold any byte; they come as lone surrogates, which no UTF-8 has."""
    verifier = Verifier(PUBLIC_URL, TOKEN)
    for check, content in ((verifier.check, form_of(VOICE)), (verifier.check_body, b"")):
        assert refusal(check, "/twilio/voice", query, "x", content) is Refusal.SIGNATURE_WRONG


def test_an_empty_token_signs_nothing() -> None:
    """A token that was left blank must not let everybody in."""
    signature = sign(f"{PUBLIC_URL}/twilio/voice", VOICE.items(), token="")
    for tokens in ((TOKEN, ""), ("", None)):
        verifier = Verifier(PUBLIC_URL, *tokens)
        refused = refusal(verifier.check, "/twilio/voice", "", signature, form_of(VOICE))
        assert refused is Refusal.SIGNATURE_WRONG


def test_exactly_one_signature_is_taken() -> None:
    """None and two are refused, each with its own reason."""
    assert single_signature(["a"]) == "a"
    assert refusal(single_signature, ()) is Refusal.SIGNATURE_MISSING
    assert refusal(single_signature, ["a", "a"]) is Refusal.SIGNATURE_DOUBLED


# --- the event ---


@pytest.mark.parametrize(
    ("kind", "form", "expected"),
    [
        ("voice", VOICE, {"call": CALL, "kind": "voice", "number": NUMBER, "caller": CALLER}),
        (
            "fallback",
            FALLBACK,
            {
                "call": CALL,
                "kind": "fallback",
                "number": NUMBER,
                "caller": CALLER,
                "status": "ringing",
                "detail": "11200",
            },
        ),
        (
            "fallback",
            FALLBACK | {"CallStatus": "in-progress", "ErrorUrl": f"{PUBLIC_URL}/twilio/dial"},
            {
                "call": CALL,
                "kind": "fallback",
                "number": NUMBER,
                "caller": CALLER,
                "seq": 1,
                "status": "in-progress",
                "detail": "11200",
            },
        ),
        (
            "dial",
            DIAL,
            {
                "call": CALL,
                "kind": "dial",
                "leg": LEG,
                "status": "completed",
                "duration": 42,
                "bridged": True,
                "detail": "in-progress",
            },
        ),
        (
            "status",
            LEG_STATUS,
            {
                "call": CALL,
                "kind": "leg.completed",
                "leg": LEG,
                "seq": 3,
                "status": "completed",
                "provider_at": micros(datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)),
                "duration": 42,
                "detail": TARGET,
            },
        ),
        (
            "status",
            CALL_STATUS,
            {
                "call": CALL,
                "kind": "call.completed",
                "status": "completed",
                "provider_at": micros(datetime(2026, 11, 3, 4, 5, 7, tzinfo=UTC)),
                "duration": 50,
            },
        ),
    ],
)
def test_a_webhook_is_read(kind: FormKind, form: dict[str, str], expected: dict[str, Any]) -> None:
    """Each webhook becomes the event that it tells of."""
    event = read_event(kind, form_of(form), NOW)
    assert event == Event(provider="twilio", received_at=NOW, **expected)


def test_a_dial_to_a_conference_names_no_leg() -> None:
    """DialCallSid and DialCallDuration are absent after a conference; blank ones are none, too."""
    bare = {"CallSid": CALL, "DialCallStatus": "answered"}
    blank = dict.fromkeys(("DialCallSid", "DialCallDuration", "DialBridged", "CallStatus"), "")
    for form in (bare, bare | blank):
        event = read_event("dial", form_of(form), NOW)
        assert (event.leg, event.duration, event.bridged, event.detail) == ("", None, None, "")


def test_a_status_may_say_little() -> None:
    """Without number, time and duration it still tells a status; a blank parent is none."""
    event = read_event(
        "status", form_of({"CallSid": CALL, "ParentCallSid": "", "CallStatus": "ringing"}), NOW
    )
    assert event == Event("twilio", CALL, "call.ringing", NOW, status="ringing")


def test_a_status_that_nobody_knows_is_kept() -> None:
    """The platform may add a word at any time."""
    event = read_event("status", form_of({**LEG_STATUS, "CallStatus": "on-hold_2"}), NOW)
    assert (event.kind, event.status) == ("leg.on-hold_2", "on-hold_2")


@pytest.mark.parametrize(
    "caller", ["anonymous", "unknown", "", "+266696687", "+7378742833", "+2562533", "sip:a@b", "\n"]
)
def test_a_withheld_caller_is_nobody(caller: str) -> None:
    """Words, keypad forms of words and addresses identify no caller."""
    assert read_event("voice", form_of({**VOICE, "From": caller}), NOW).caller is None


def test_a_caller_may_be_absent() -> None:
    """From is nothing that an answer needs."""
    assert read_event("voice", form_of({"CallSid": CALL, "To": NUMBER}), NOW).caller is None


def test_the_first_of_repeated_values_is_read() -> None:
    """A second value, which a proxy may have added, changes nothing."""
    pairs = [*VOICE.items(), ("To", "+815031000099"), ("CallSid", "CA0")]
    event = read_event("voice", form_of(pairs), NOW)
    assert (event.call, event.number) == (CALL, NUMBER)


@pytest.mark.parametrize(
    ("kind", "form", "name"),
    [
        ("voice", VOICE, "CallSid"),
        ("voice", VOICE, "To"),
        ("fallback", FALLBACK, "CallSid"),
        ("fallback", FALLBACK, "To"),
        ("dial", DIAL, "CallSid"),
        ("dial", DIAL, "DialCallStatus"),
        ("status", LEG_STATUS, "CallSid"),
        ("status", LEG_STATUS, "CallStatus"),
    ],
)
def test_a_needed_parameter_is_asked_for(kind: FormKind, form: dict[str, str], name: str) -> None:
    """Missing or blank, its name and nothing else is told."""
    for wrong in ({**form, name: ""}, {key: form[key] for key in form if key != name}):
        with pytest.raises(Refused) as caught:
            read_event(kind, form_of(wrong), NOW)
        assert caught.value.reason is Refusal.MISSING_PARAMETER
        assert caught.value.detail == f"{name} is missing"


@pytest.mark.parametrize(
    ("kind", "form", "name", "value"),
    [
        ("voice", VOICE, "CallSid", "CA 1"),
        ("voice", VOICE, "CallSid", "C" * 65),
        ("voice", VOICE, "CallSid", "CA1\n"),
        ("voice", VOICE, "CallSid", "CA\0"),
        ("voice", VOICE, "To", "12"),
        ("voice", VOICE, "To", "+" + "1" * 21),
        ("voice", VOICE, "To", "sip:a@example.jp"),
        ("voice", VOICE, "To", "+81５０３１０００"),
        ("voice", VOICE, "From", "x" * 257),
        ("fallback", FALLBACK, "ErrorCode", "112\0"),
        ("dial", DIAL, "DialCallSid", "CA/1"),
        ("dial", DIAL, "DialCallStatus", "no answer"),
        ("dial", DIAL, "DialCallStatus", "x" * 33),
        ("dial", DIAL, "DialCallDuration", "-1"),
        ("dial", DIAL, "DialCallDuration", "4.2"),
        ("dial", DIAL, "DialBridged", "yes"),
        ("dial", DIAL, "CallStatus", "<b>"),
        ("status", LEG_STATUS, "ParentCallSid", "é"),
        ("status", LEG_STATUS, "CallStatus", "a\u0085"),
        ("status", LEG_STATUS, "CallDuration", "12345678"),
        ("status", LEG_STATUS, "CallDuration", "٤٢"),
        ("status", LEG_STATUS, "SequenceNumber", "+3"),
        ("status", LEG_STATUS, "SequenceNumber", " 3"),
        ("status", LEG_STATUS, "To", "a\x9fb"),
        ("status", LEG_STATUS, "Timestamp", "yesterday"),
        ("status", LEG_STATUS, "Timestamp", "Tue, 31 Feb 2026 04:05:06 +0000"),
        ("status", LEG_STATUS, "Timestamp", "Tue, 03 Foo 2026 04:05:06 +0000"),
        ("status", LEG_STATUS, "Timestamp", " "),
        ("status", LEG_STATUS, "Timestamp", "9" * 5000),
        ("status", LEG_STATUS, "Timestamp", "Fri, 31 Dec 9999 23:59:59 +0000"),
        ("status", LEG_STATUS, "Timestamp", "Mon, 01 Jan 0001 00:00:00 +0000"),
    ],
)
def test_an_absurd_value_is_refused(
    kind: FormKind, form: dict[str, str], name: str, value: str
) -> None:
    """Its name is told, the value is not."""
    with pytest.raises(Refused) as caught:
        read_event(kind, form_of({**form, name: value}), NOW)
    assert caught.value.reason is Refusal.ABSURD_VALUE
    assert caught.value.detail == f"{name} cannot be true"


def test_a_long_text_is_cut() -> None:
    """A leg's target may be any address; 64 characters tell it from others."""
    target = "sip:" + "x" * 100
    assert read_event("status", form_of({**LEG_STATUS, "To": target}), NOW).detail == target[:64]


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(-timedelta(hours=3, minutes=30))]),
)
def test_a_timestamp_is_an_instant_in_any_zone(naive: datetime, zone: timezone) -> None:
    """The platform's usual form and its RFC 2822 relatives give the same instant, of any age."""
    moment = naive.replace(microsecond=0, tzinfo=zone)
    form = form_of({**LEG_STATUS, "Timestamp": format_datetime(moment)})
    assert read_event("status", form, NOW).provider_at == micros(moment)


@pytest.mark.parametrize("zone", ["-0000", "GMT", "UT", ""])
def test_a_timestamp_without_an_offset_is_in_utc(zone: str) -> None:
    """RFC 2822 says so of -0000; the platform writes no local times."""
    form = form_of({**LEG_STATUS, "Timestamp": f"Tue, 3 Nov 2026 04:05:06 {zone}"})
    assert read_event("status", form, NOW).provider_at == 1_793_678_706 * SECOND


nasty = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "\0", "\ud7ff", "٣", "1_0", "9" * 400, "Tue, ", "1 1 1", "1 Jan 1 9:9 +9999"]
    ),
)


@given(
    st.sampled_from(["voice", "dial", "status", "fallback"]),
    st.dictionaries(st.sampled_from([*DIAL, *LEG_STATUS, *FALLBACK]), nasty, max_size=3),
)
def test_whatever_comes_is_read_or_refused(kind: FormKind, changes: dict[str, str]) -> None:
    """Nothing but Refused is raised, and no kept text is long or holds a control character."""
    base = {"voice": VOICE, "dial": DIAL, "status": LEG_STATUS, "fallback": FALLBACK}[kind]
    try:
        event = read_event(kind, form_of(base | changes), NOW)
    except Refused:
        return
    for text in (event.call, event.kind, event.leg, event.status, event.detail, event.number):
        assert len(text) <= 64
        assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in text)
        text.encode()
