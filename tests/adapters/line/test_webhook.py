"""Reading webhooks: what is read, what is kept and noted, and what is refused."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.line.webhook import MOST_BODY, Body, check_destination, read_body
from gateway.domain.line.events import Event, Note
from gateway.errors import Refusal, Refused

BOT = "U8e742f61d673b39c7fff3cecb7536ef0"
PING = b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'

TEXT: dict[str, Any] = {
    "type": "message",
    "message": {
        "type": "text",
        "id": "444573844083572737",
        "text": "こんにちは",
        "quoteToken": "q",
    },
    "timestamp": 1_692_251_666_727,
    "source": {"type": "user", "userId": "U0123"},
    "replyToken": "38ef843bde154d9b91c21320ffd17a0f",
    "mode": "active",
    "webhookEventId": "01H810YECXQQZ37VAXPF6H9E6T",
    "deliveryContext": {"isRedelivery": False},
}


def refusal(action: Callable[..., object], *args: Any) -> Refusal | None:
    """Why ``action`` refuses, or ``None`` where it does not."""
    try:
        action(*args)
    except Refused as refused:
        return refused.reason
    return None


def body_of(*events: object) -> bytes:
    return json.dumps({"destination": BOT, "events": events}).encode()


def read(event: object) -> tuple[Event, tuple[Note, ...]]:
    body = read_body(body_of(event))
    return body.events[0], body.notes


# --- the body ---


def test_the_ping_of_the_console_has_no_events() -> None:
    """An empty list is a body as any other."""
    assert read_body(PING) == Body(BOT, ())


def test_a_text_message_is_read() -> None:
    """Each value finds its place, and the event's own JSON is kept as it came."""
    raw = json.dumps(TEXT, ensure_ascii=False, indent=1)
    body = read_body(f'{{"new": 1, "events": [ {raw} ], "destination": "{BOT}"}}'.encode())
    assert body.destination == BOT
    assert body.notes == ()
    assert body.events == (
        Event(
            id="01H810YECXQQZ37VAXPF6H9E6T",
            kind="message",
            at=1_692_251_666_727_000,
            mode="active",
            redelivered=False,
            raw=raw,
            source="user",
            user="U0123",
            reply_token="38ef843bde154d9b91c21320ffd17a0f",
            message_id="444573844083572737",
            message_kind="text",
            text="こんにちは",
        ),
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "follow", "follow": {"isUnblocked": True}}, {"unblocked": True}),
        ({"type": "follow"}, {"unblocked": False}),
        ({"type": "unsend", "unsend": {"messageId": "7"}}, {"unsent": "7"}),
        (
            {"type": "postback", "postback": {"data": "a=1", "params": {"date": "2026-11-01"}}},
            {"data": "a=1", "params": '{"date":"2026-11-01"}'},
        ),
        (
            {"type": "beacon", "beacon": {"type": "enter", "hwid": "d4"}},
            {"detail": ("enter", "d4")},
        ),
        ({"type": "accountLink", "link": {"result": "ok", "nonce": "n"}}, {"detail": ("ok", "n")}),
        (
            {"type": "membership", "membership": {"type": "left", "membershipId": 3}},
            {"detail": ("left", "3")},
        ),
        ({"type": "join", "source": {"type": "group", "groupId": "C1"}}, {"place": "C1"}),
        ({"source": {"type": "room", "roomId": "R", "userId": "U"}}, {"place": "R", "user": "U"}),
        ({"deliveryContext": {"isRedelivery": True}}, {"redelivered": True}),
        ({"message": {**TEXT["message"], "quotedMessageId": "5"}}, {"quoted": "5"}),
        (
            {
                "message": {
                    "type": "image",
                    "id": "8",
                    "contentProvider": {"type": "external", "originalContentUrl": "https://x"},
                }
            },
            {"message_id": "8", "message_kind": "image", "content_external": True},
        ),
        (
            {"message": {"type": "sticker", "id": "9", "packageId": "1", "text": "クーポン"}},
            {"message_kind": "sticker", "text": ""},
        ),
    ],
)
def test_what_a_type_tells_is_read(change: dict[str, Any], told: dict[str, Any]) -> None:
    """What is particular to a type, a source or a message finds its place."""
    event, notes = read({**TEXT, **change})
    assert {name: getattr(event, name) for name in told} == told
    assert event.known
    assert notes == ()


@pytest.mark.parametrize("unknown", ["hologram", "x" * 255])
@pytest.mark.parametrize(
    ("path", "note", "known"),
    [
        ("type", "unknown_type", False),
        ("mode", "unknown_mode", False),
        ("source.type", "unknown_source", False),
        ("message.type", "unknown_message", True),
        ("new", "unknown_field", True),
        ("message.new", "unknown_field", True),
        ("source.new", "unknown_field", True),
        ("deliveryContext.new", "unknown_field", True),
    ],
)
def test_what_nobody_knows_yet_is_kept_and_noted(
    path: str, note: Note, known: bool, unknown: str
) -> None:
    """An unknown type, mode, source, message or field fails nothing; the rest of it is read."""
    event, notes = read(changed(TEXT, path, unknown))
    assert notes == (note,)
    assert event.known is known
    assert (event.id, event.at) == (TEXT["webhookEventId"], TEXT["timestamp"] * 1000)
    assert event.user == "U0123"
    assert unknown in event.raw


def changed(event: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """``event`` with another value at ``path``."""
    name, _, rest = path.partition(".")
    return {**event, name: changed(event.get(name, {}), rest, value) if rest else value}


@pytest.mark.parametrize("wrong", [None, 7, True, 1.5, "", "x" * 256, [], [{}], {}, {"type": []}])
@pytest.mark.parametrize(
    "path",
    [
        *["type", "mode", "timestamp", "source", "source.type", "source.userId", "replyToken"],
        *["webhookEventId", "deliveryContext", "deliveryContext.isRedelivery", "message"],
        *["message.type", "message.id", "message.text", "message.quotedMessageId"],
    ],
)
def test_a_wrong_value_fails_neither_the_event_nor_the_body(path: str, wrong: object) -> None:
    """Whatever stands in the place of a value, the event is kept, and so are its neighbours."""
    body = read_body(body_of(TEXT, changed(TEXT, path, wrong), TEXT))
    first, odd, last = body.events
    assert first == last == read(TEXT)[0]
    assert json.loads(odd.raw) == changed(TEXT, path, wrong)


@pytest.mark.parametrize(
    "event",
    [
        {**TEXT, "message": None},
        {**TEXT, "message": {"type": "text", "id": 5, "text": "x"}},
        {**TEXT, "message": {"type": "text", "id": "5"}},
        {**TEXT, "replyToken": ["x"]},
        {**TEXT, "timestamp": "1692251666727"},
        {**TEXT, "timestamp": 0},
        {**TEXT, "timestamp": 1_692_251_666_727.5},
        {**TEXT, "timestamp": 10**18},
        {**TEXT, "timestamp": True},
        {**TEXT, "source": "U0123"},
        {**TEXT, "source": {"type": "user", "userId": "U" * 256}},
        {**TEXT, "webhookEventId": "0" * 256},
        {**TEXT, "type": "unsend"},
        {**TEXT, "type": "postback", "postback": {"params": {}}},
        {**TEXT, "type": "postback", "postback": {"data": "x", "params": "y"}},
        {**TEXT, "type": "beacon", "beacon": {"type": "enter"}},
        {**TEXT, "type": "membership", "membership": {"type": "left", "membershipId": "3"}},
        {**TEXT, "type": "follow", "follow": {"isUnblocked": "yes"}},
        "follow",
        17,
        None,
        [TEXT],
    ],
)
def test_a_malformed_event_decides_nothing(event: object) -> None:
    """What is missing, of another type or beyond all bounds is told apart from what is new."""
    kept, notes = read(event)
    assert "malformed" in notes
    assert not kept.known
    assert json.loads(kept.raw) == event


def test_numbers_that_nobody_can_hold_lose_no_event() -> None:
    """An endless float is read past; an endless integer leaves the event kept and nothing read."""
    raw = json.dumps({**TEXT, "new": 0})
    float_, digits = (raw.replace('"new": 0', f'"new": {x}') for x in ("1e999", "9" * 5000))
    endless, long = read_body(f'{{"events":[{float_},{digits}]}}'.encode()).events
    assert endless.text == "こんにちは"
    assert long.id.startswith("raw-")
    assert (long.known, long.raw) == (False, digits)


def test_each_note_is_made_once_an_event() -> None:
    """Two unknown fields of an event are one note; those of two events are two."""
    new = {**TEXT, "a": 1, "message": {**TEXT["message"], "b": 1}}
    assert read_body(body_of(new, TEXT, new)).notes == ("unknown_field", "unknown_field")


def test_an_event_without_an_id_gets_one_of_its_content() -> None:
    """It is the same for a redelivery and however the JSON is written; another event's differs."""
    bare = {name: value for name, value in TEXT.items() if name != "webhookEventId"}
    again = {**dict(reversed(bare.items())), "deliveryContext": {"isRedelivery": True}}
    events = read_body(
        body_of(bare, again, {**bare, "timestamp": 1}, {**bare, "webhookEventId": ""})
    )
    ids = [event.id for event in events.events]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert all(one.startswith("raw-") for one in ids)
    assert events.notes == ("id_derived",) * 4


# --- what no store keeps ---


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\ude00b", "\ufffdb"),
        (r"\ud83d\ude00", "😀"),
        (r"\uD83D\uDE00\ude00", "😀\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\u0000", "\ufffd"),
        (r"\ud83d\u0000\ude00", "\ufffd" * 3),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d\\\\u0000\\\u0000", "\\\ufffd\\\\u0000\\\ufffd"),
        (r"\\ud83d\ude00", "\\ud83d\ufffd"),
        (r"\"\u3042\/", '"あ/'),
    ],
)
def test_halves_of_pairs_and_nul_are_replaced(written: str, kept: str) -> None:
    """In texts, names and the raw event, and noted once; an escaped backslash is not mistaken for
    an escape.
    """
    event = json.dumps(TEXT).replace(json.dumps("こんにちは"), f'"{written}"')
    event = event.replace('"webhookEventId"', f'"{written}": 1, "webhookEventId"')
    body = read_body(f'{{"events":[{event},{json.dumps(TEXT)}]}}'.encode())
    assert body.events[0].text == kept
    assert json.loads(body.events[0].raw)[kept] == 1
    assert body.events[1].text == "こんにちは"
    assert body.notes.count("half_character") == ("\ufffd" in kept)


# --- what is refused ---


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Refusal.NOT_JSON),
        (b"events=[]", Refusal.NOT_JSON),
        (PING[:-1], Refusal.NOT_JSON),
        (PING + b"{}", Refusal.NOT_JSON),
        (PING + b"\0", Refusal.NOT_JSON),
        (b"\xef\xbb\xbf" + PING, Refusal.NOT_JSON),
        (b'{"events":[{"a":"\0"}]}', Refusal.NOT_JSON),
        (b'{"events":[{"a":"\\x41"}]}', Refusal.NOT_JSON),
        (b'{"events":[{"a":NaN}]}', Refusal.NOT_JSON),
        (b'{"events":[{"a":1,}]}', Refusal.NOT_JSON),
        (b'{"events":[{"a":"\\ud8"}]}', Refusal.NOT_JSON),
        (b"[]", Refusal.ABSURD_VALUE),
        (b"[" * 100, Refusal.ABSURD_VALUE),
        (b'"events"', Refusal.ABSURD_VALUE),
        (b"null", Refusal.ABSURD_VALUE),
        (b'{"events":null}', Refusal.ABSURD_VALUE),
        (b'{"events":{}}', Refusal.ABSURD_VALUE),
        (b'{"events":"[]"}', Refusal.ABSURD_VALUE),
        (b"{}", Refusal.MISSING_PARAMETER),
        (b'{"destination":"U"}', Refusal.MISSING_PARAMETER),
        (b'{"events":["\xff"]}', Refusal.INVALID_UTF8),
        (b'{"events":["\xed\xa0\x80"]}', Refusal.INVALID_UTF8),
        (b'{"x":"\xc0\x80","events":[]}', Refusal.INVALID_UTF8),
    ],
)
def test_what_is_no_webhook_is_refused(body: bytes, reason: Refusal) -> None:
    """No UTF-8, no JSON, no object, no list of events: each has its reason."""
    assert refusal(read_body, body) is reason


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize(
    "body",
    [
        f'{{"events":[{{"x":{nested(50)}}}]}}',
        f'{{"events":[{{"x":{nested(50, chr(123) + chr(34) + "a" + chr(34) + ":", "}")}}}]}}',
        f'{{"events":[{nested(51)}]}}',
        f'{{"events":[{{"x":{nested(2_000)}}}]}}',
        f'{{"events":[{nested(100_000)}]}}',
        f'{{"events":[],"x":{nested(100_000)}}}',
        f'{{"events":[],"destination":{nested(100_000)}}}',
        f'{{"events":{nested(100_000)}}}',
    ],
    ids=["arrays", "objects", "event", "deeper", "far deeper", "beside", "destination", "events"],
)
def test_deep_json_is_refused(body: str) -> None:
    """Beyond 50 levels of an event, or what a decoder bears around it; never by a recursion."""
    assert refusal(read_body, body.encode()) is Refusal.TOO_DEEP


def test_json_is_not_deep_for_its_brackets_alone() -> None:
    """Fifty levels are read; so are a text of brackets and a list of many objects."""
    many = [{"index": 1, "length": 1}] * 5_000
    message = {**TEXT["message"], "text": "{[" * 5_000, "emojis": many}
    event, notes = read({**TEXT, "message": message})
    assert (event.text, notes) == ("{[" * 5_000, ())
    assert read_body(f'{{"events":[{{"x":{nested(49)}}}]}}'.encode()).events


def test_a_body_has_bounds() -> None:
    """A thousand events, and 50,000 brackets in each, are read; more are refused."""
    assert len(read_body(body_of(*[TEXT] * 1_000)).events) == 1_000
    assert refusal(read_body, body_of(*[TEXT] * 1_001)) is Refusal.ABSURD_VALUE
    assert refusal(read_body, body_of({"x": [[]] * 50_000})) is Refusal.ABSURD_VALUE


def test_refusals_do_not_quote_the_body() -> None:
    """Neither the detail nor an error behind it holds what the body said."""
    for body in (b'{"events":["secret\xff"]}', b'{"events":["secret]}', b'{"events":"secret"}'):
        with pytest.raises(Refused) as refused:
            read_body(body)
        assert "secret" not in str(refused.value)
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__


@pytest.mark.parametrize("bot", [BOT, "", None])
def test_a_body_for_this_bot_passes(bot: str | None) -> None:
    """So does any, where no bot is configured."""
    check_destination(read_body(PING), bot)


@pytest.mark.parametrize("destination", [b'"U0"', b'""', b"null", b"1e999", b"{}", b"[[]]"])
def test_a_body_for_another_bot_is_refused(destination: bytes) -> None:
    """A destination that is another's, or none at all, is not this bot's."""
    body = read_body(b'{"destination":' + destination + b',"events":[]}')
    assert refusal(check_destination, body, BOT) is Refusal.WRONG_DESTINATION
    assert refusal(check_destination, read_body(b'{"events":[]}'), BOT) is Refusal.WRONG_DESTINATION


@pytest.mark.parametrize(
    "body",
    [
        body_of(*[TEXT] * 1_000),
        body_of({**TEXT, "message": {**TEXT["message"], "text": "あ" * 170_000}}),
        json.dumps({"events": [{**TEXT, "x": "あ" * 340_000}]}, ensure_ascii=False).encode(),
        body_of({**TEXT, "x": [{"a": 1}] * 49_000}),
        b'{"events":[' + b"[]," * 340_000 + b"[]]}",
    ],
    ids=["many", "escaped", "long", "wide", "absurd"],
)
def test_a_large_body_does_not_hold_the_loop(body: bytes) -> None:
    """Just under the limit it takes some milliseconds; the bound leaves room for a busy machine."""
    assert len(body) < MOST_BODY
    best = min(duration(refusal, read_body, body) for _ in range(5))
    assert best < 0.1


def duration(action: Callable[..., object], *args: Any) -> float:
    started = time.perf_counter()
    action(*args)
    return time.perf_counter() - started


# --- whatever comes ---

fragments = st.sampled_from(
    [*'{}[]",:0123456789.-eE', "null", "true", "あ", "\0"]
) | st.sampled_from(
    ["\\", r"\u", r"\\u", r"\ud83d", r"\ude00", r"\u0000", '"events":[', '"type":"message"', "]}"]
)
scraps = st.lists(fragments, max_size=20).map("".join)


@given(
    st.binary(max_size=40)
    | scraps.map(str.encode)
    | scraps.map(lambda some: f'{{"events":[{some}]}}'.encode())
    | scraps.map(lambda some: f'{{"events":[{{"type":"follow","x":"{some}"}}]}}'.encode())
)
@example(rb'{"events":[{"webhookEventId":"\ud800\u0000","x":"\\ud800"}]}')
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """There is no third way out, and what is read is JSON that any store can keep."""
    try:
        events = read_body(body).events
    except Refused:
        return
    assert len(events) == len(json.loads(body)["events"])
    for event in events:
        json.loads(event.raw)
        assert all("\0" not in value for value in (event.raw, event.id, event.kind, event.text))
        event.raw.encode()
