"""Verifying and reading webhooks beside the official package, and beyond what it survives."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linebot.v3.models.events import UnknownEvent
from linebot.v3.webhook import SignatureValidator, WebhookParser
from multidict import CIMultiDict

from adapters.line.webhook import (
    SIGNATURE_HEADER,
    Verifier,
    read_body,
    single_signature,
)
from gateway.domain.line.events import KINDS, Event
from gateway.errors import Refusal, Refused

SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
PING = b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'
SIGNATURE = "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="


def refusal(action: Callable[..., object], *args: Any) -> Refusal | None:
    """Why ``action`` refuses, or ``None`` where it does not."""
    try:
        action(*args)
    except Refused as refused:
        return refused.reason
    return None


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


# --- the signature ---


def test_the_documented_signature_passes() -> None:
    """The known vector, over the bytes as they came."""
    Verifier(SECRET).check(PING, SIGNATURE)
    assert refusal(Verifier(SECRET).check, PING + b" ", SIGNATURE) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize(
    "signature",
    ["", SIGNATURE[:-1], SIGNATURE + "\n", SIGNATURE.lower(), "あ", "\udcff" + SIGNATURE, "\0"],
)
def test_a_wrong_signature_is_refused(signature: str) -> None:
    """Cut, prolonged or made of stray bytes, it is wrong and nothing worse."""
    assert refusal(Verifier(SECRET).check, PING, signature) is Refusal.SIGNATURE_WRONG


def test_two_secrets_are_good_while_they_are_rotated() -> None:
    """What the new or the previous secret signed passes, what a third one signed does not."""
    verifier = Verifier("new", "old")
    verifier.check(PING, sign(PING, "new"))
    verifier.check(PING, sign(PING, "old"))
    assert refusal(verifier.check, PING, sign(PING, "other")) is Refusal.SIGNATURE_WRONG


def test_an_empty_secret_signs_nothing() -> None:
    """Where no secret is configured, what anybody can sign does not pass."""
    for verifier in (Verifier(""), Verifier(SECRET, "")):
        assert refusal(verifier.check, PING, sign(PING, "")) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize("name", ["x-line-signature", "X-Line-Signature", "X-LINE-SIGNATURE"])
def test_the_header_is_found_in_any_case(name: str) -> None:
    """Proxies and the platform write it differently."""
    headers = CIMultiDict({name: SIGNATURE})
    assert single_signature(headers.getall(SIGNATURE_HEADER, ())) == SIGNATURE


def test_one_signature_is_required() -> None:
    """None and more than one are refused, each with its reason."""
    assert refusal(single_signature, ()) is Refusal.SIGNATURE_MISSING
    assert refusal(single_signature, (SIGNATURE, SIGNATURE)) is Refusal.SIGNATURE_DOUBLED


@given(
    st.text(min_size=1, max_size=40),
    st.text(max_size=80),
    st.sampled_from(["right", "empty", "cut", "padded", "of another", "flipped"]) | st.text(),
)
def test_a_body_passes_where_the_official_package_lets_it_pass(
    secret: str, body: str, claim: str
) -> None:
    """Any secret, body and signature: right, nearly right, or anything."""
    right = sign(body.encode(), secret)
    signature = {
        "right": right,
        "empty": "",
        "cut": right[:-1],
        "padded": right + "=",
        "of another": sign(b"another", secret),
        "flipped": right.swapcase(),
    }.get(claim, claim)
    expected = SignatureValidator(secret).validate(body, signature)
    refused = refusal(Verifier(secret).check, body.encode(), signature)
    assert (refused is None) == expected


# --- every event that is described ---

ids = st.text("U0123456789abcdef", min_size=1, max_size=33)
texts = st.text(max_size=12)
counts = st.integers(0, 2**40)


def record(optional: dict[str, Any] | None = None, **required: Any) -> st.SearchStrategy[Any]:
    """Objects with what is required, some of what is optional, and sometimes null in its place."""
    nullable = {name: st.none() | value for name, value in (optional or {}).items()}
    fixed = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for name, value in required.items()
    }
    return st.fixed_dictionaries(fixed, optional=nullable)


user = record({"userId": ids}, type="user")
sources = st.one_of(
    user,
    record({"userId": ids}, type="group", groupId=ids),
    record({"userId": ids}, type="room", roomId=ids),
)
provider = record(
    {"originalContentUrl": texts, "previewImageUrl": texts},
    type=st.sampled_from(["line", "external"]),
)
emoji = record(index=counts, length=counts, productId=ids, emojiId=ids)
mentionee = st.one_of(
    record({"userId": ids, "isSelf": st.booleans()}, type="user", index=counts, length=counts),
    record(type="all", index=counts, length=counts),
)
read_mark = {"markAsReadToken": ids}
messages = st.one_of(
    record(
        {
            "emojis": st.lists(emoji, max_size=2),
            "mention": record(mentionees=st.lists(mentionee, max_size=2)),
            "quotedMessageId": ids,
            **read_mark,
        },
        type="text",
        id=ids,
        text=texts,
        quoteToken=ids,
    ),
    record(
        {"imageSet": record({"index": counts, "total": counts}, id=ids), **read_mark},
        type="image",
        id=ids,
        contentProvider=provider,
        quoteToken=ids,
    ),
    record(
        {"duration": counts, **read_mark},
        type="video",
        id=ids,
        contentProvider=provider,
        quoteToken=ids,
    ),
    record({"duration": counts, **read_mark}, type="audio", id=ids, contentProvider=provider),
    record(read_mark, type="file", id=ids, fileName=texts, fileSize=counts),
    record(
        {"title": texts, "address": texts, **read_mark},
        type="location",
        id=ids,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
    ),
    record(
        {
            "keywords": st.lists(texts, max_size=3),
            "text": texts,
            "quotedMessageId": ids,
            **read_mark,
        },
        type="sticker",
        id=ids,
        packageId=ids,
        stickerId=ids,
        stickerResourceType=st.sampled_from(["STATIC", "POPUP_SOUND", "PER_STICKER_TEXT"]),
        quoteToken=ids,
    ),
)
members = record(members=st.lists(user, max_size=3))
reply = {"replyToken": ids}
contents: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "message": (reply, {"message": messages}),
    "messageEdited": (reply, {"message": messages}),
    "unsend": ({}, {"unsend": record(messageId=ids)}),
    "follow": ({}, {**reply, "follow": record(isUnblocked=st.booleans())}),
    "unfollow": ({}, {}),
    "join": ({}, reply),
    "leave": ({}, {}),
    "memberJoined": ({}, {**reply, "joined": members}),
    "memberLeft": ({}, {"left": members}),
    "postback": (
        reply,
        {"postback": record({"params": st.dictionaries(texts, texts, max_size=2)}, data=texts)},
    ),
    "videoPlayComplete": ({}, {**reply, "videoPlayComplete": record(trackingId=texts)}),
    "beacon": (
        {},
        {
            **reply,
            "beacon": record(
                {"dm": ids}, hwid=ids, type=st.sampled_from(["enter", "banner", "stay"])
            ),
        },
    ),
    "accountLink": (
        reply,
        {"link": record(result=st.sampled_from(["ok", "failed"]), nonce=texts)},
    ),
    "membership": (
        {},
        {
            **reply,
            "membership": record(
                type=st.sampled_from(["joined", "left", "renewed"]), membershipId=counts
            ),
        },
    ),
    "module": (
        {},
        {
            "module": st.one_of(
                record(type="attached", botId=ids, scopes=st.lists(texts, max_size=2)),
                record(type="detached", botId=ids, reason="bot_deleted"),
            )
        },
    ),
    "activated": ({}, {"chatControl": record(expireAt=counts)}),
    "deactivated": ({}, {}),
    "botSuspended": ({}, {}),
    "botResumed": ({}, {}),
    "delivery": ({}, {"delivery": record(data=texts)}),
}
events = st.one_of(
    [
        record(
            {"source": sources, **optional},
            type=kind,
            timestamp=st.integers(1, 2**43),
            mode=st.sampled_from(["active", "standby"]),
            webhookEventId=ids,
            deliveryContext=record(isRedelivery=st.booleans()),
            **required,
        )
        for kind, (optional, required) in contents.items()
    ]
)


def official(body: str) -> list[Any]:
    return list(WebhookParser(SECRET).parse(body, sign(body.encode())))


def same_text(ours: str, theirs: str | None) -> bool:
    return ours == (theirs or "").replace("\0", "\ufffd")


def assert_same(ours: Event, theirs: Any) -> None:
    """What both read of an event is the same."""
    assert ours.id == theirs.webhook_event_id
    assert ours.kind == theirs.type
    assert ours.at == theirs.timestamp * 1000
    assert ours.mode == theirs.mode.value
    assert ours.redelivered == theirs.delivery_context.is_redelivery
    assert ours.reply_token == (getattr(theirs, "reply_token", None) or "")
    source = theirs.source
    assert ours.source == (source.type if source else "")
    assert ours.user == (getattr(source, "user_id", None) or "")
    place = getattr(source, "group_id", None) or getattr(source, "room_id", None)
    assert ours.place == (place or "")
    details = PARTICULARS.get(ours.kind)
    if details is not None:
        details(ours, theirs)


def assert_same_message(ours: Event, theirs: Any) -> None:
    message = theirs.message
    assert ours.message_id == message.id
    assert ours.message_kind == message.type
    assert ours.quoted == (getattr(message, "quoted_message_id", None) or "")
    assert same_text(ours.text, message.text if message.type == "text" else "")
    provided = getattr(message, "content_provider", None)
    assert ours.content_external == (provided is not None and provided.type == "external")


def assert_same_postback(ours: Event, theirs: Any) -> None:
    assert same_text(ours.data, theirs.postback.data)
    params = theirs.postback.params
    if params is None:
        assert ours.params == ""
    else:
        assert ours.params == json_of(params).replace(r"\u0000", "\ufffd")


def assert_same_detail(content: str, *names: str) -> Callable[[Event, Any], None]:
    def compare(ours: Event, theirs: Any) -> None:
        told = [str(getattr(getattr(theirs, content), name)) for name in names]
        assert ours.detail == tuple([one.replace("\0", "\ufffd") for one in told])

    return compare


def json_of(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def assert_same_follow(ours: Event, theirs: Any) -> None:
    assert ours.unblocked == theirs.follow.is_unblocked


def assert_same_unsend(ours: Event, theirs: Any) -> None:
    assert ours.unsent == theirs.unsend.message_id


PARTICULARS: dict[str, Callable[[Event, Any], None]] = {
    "message": assert_same_message,
    "messageEdited": assert_same_message,
    "postback": assert_same_postback,
    "follow": assert_same_follow,
    "unsend": assert_same_unsend,
    "videoPlayComplete": assert_same_detail("video_play_complete", "tracking_id"),
    "beacon": assert_same_detail("beacon", "type", "hwid"),
    "accountLink": assert_same_detail("link", "result", "nonce"),
    "membership": assert_same_detail("membership", "type", "membership_id"),
    "module": assert_same_detail("module", "type"),
    "delivery": assert_same_detail("delivery", "data"),
}


def test_every_type_is_compared() -> None:
    """The events that are made here are of every documented type."""
    assert contents.keys() == KINDS


@given(st.lists(events, min_size=1, max_size=4), st.booleans(), texts)
def test_what_the_official_package_reads_is_read_the_same(
    sent: list[Any], escaped: bool, destination: str
) -> None:
    """Every described event, with and without what is optional, in batches, escaped or not."""
    text = json.dumps({"destination": destination, "events": sent}, ensure_ascii=escaped)
    body = read_body(text.encode())
    theirs = official(text)
    assert same_text(body.destination, destination)
    assert body.notes == (("half_character",) if r"\u0000" in text.replace(r"\\", "") else ())
    assert len(body.events) == len(theirs) == len(sent)
    for event, parsed, raw in zip(body.events, theirs, sent, strict=True):
        assert event.known
        assert json.loads(event.raw.replace("\ufffd", r"\ufffd")) == json.loads(
            json.dumps(raw).replace(r"\u0000", r"\ufffd")
        )
        assert not isinstance(parsed, UnknownEvent)
        assert_same(event, parsed)


# --- beyond ---

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "id", "userId", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


def spoil(draw: st.DrawFn, said: dict[str, Any]) -> dict[str, Any]:
    """``said`` with one value taken out, replaced or added, somewhere within."""
    name = draw(st.sampled_from([*said, "new"]))
    inner = said.get(name)
    if isinstance(inner, dict) and draw(st.booleans()):
        return {**said, name: spoil(draw, inner)}
    if draw(st.booleans()):
        return {**said, name: draw(anything)}
    return {other: value for other, value in said.items() if other != name}


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    return spoil(draw, draw(events))


@given(spoiled())
def test_an_event_that_is_not_as_described_is_kept(event: dict[str, Any]) -> None:
    """With a value missing, replaced or added, it is read as the package does, or noted."""
    text = json.dumps({"destination": "", "events": [event]})
    body = read_body(text.encode())
    assert len(body.events) == 1
    ours = body.events[0]
    try:
        (theirs,) = official(text)
    except Exception:  # noqa: BLE001 - it raises many things, and we none
        return
    if not isinstance(theirs, UnknownEvent) and not {"malformed", "id_derived"} & {*body.notes}:
        assert_same(ours, theirs)


@pytest.mark.parametrize("mode", ["channel", "", None])
def test_an_unknown_mode_loses_nothing(mode: str | None) -> None:
    """The package raises, and with it goes the batch; here the event is kept, and told apart."""
    event = {
        "type": "unfollow",
        "timestamp": 1,
        "mode": mode,
        "webhookEventId": "01",
        "deliveryContext": {"isRedelivery": False},
    }
    text = json.dumps({"destination": "", "events": [event, {**event, "mode": "active"}]})
    with pytest.raises(ValueError, match="mode"):
        official(text)
    body = read_body(text.encode())
    assert [one.known for one in body.events] == [False, True]
    assert body.notes == ("unknown_mode",)
