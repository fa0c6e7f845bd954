"""The webhooks' handlers, with a store and a spool that do as they are told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.twilio.routes import Voice, spooled, unspooled
from adapters.twilio.twiml import render
from adapters.twilio.webhook import Verifier
from gateway.domain.calls import reply_unrouted
from gateway.domain.routing import TrackedNumber, dial
from gateway.domain.values import ACKNOWLEDGE, HANGUP, REJECT, Dial, Reply
from gateway.errors import (
    InvalidTransition,
    Permanent,
    Refusal,
    Refused,
    Transient,
    Trouble,
)
from gateway.ports import Answer, Fact, Lane, Request
from gateway.usecases.calls import Incoming, forward_from_cache, record
from tests.adapters.twilio.forms import (
    CALL_STATUS,
    CALLER,
    DIAL,
    FALLBACK,
    LEG_STATUS,
    NOW,
    NUMBER,
    PUBLIC_URL,
    TARGET,
    TOKEN,
    VOICE,
    post,
    sign_body,
)

ROUTE = TrackedNumber(NUMBER, "acme", "flyer-2026-11", (TARGET,))
FORMS = {"voice": VOICE, "dial": DIAL, "status": LEG_STATUS, "fallback": FALLBACK}
REPLIES: dict[str, Reply] = {
    "voice": dial(ROUTE),
    "dial": HANGUP,
    "status": ACKNOWLEDGE,
    "fallback": dial(ROUTE),
}
KINDS = pytest.mark.parametrize("kind", FORMS)


@dataclass
class StubStore:
    """Answers as the use-case would for a first event, or fails as it is told."""

    failure: BaseException | None = None
    hangs: bool = False
    cache: dict[str, TrackedNumber] | None = field(default_factory=lambda: {NUMBER: ROUTE})
    kept: list[Incoming] = field(default_factory=list)

    async def run(self, use_case: Any, argument: Any, lane: Lane = Lane.WEBHOOK) -> Any:
        assert (use_case, lane) == (record, Lane.WEBHOOK)
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        event = argument.event
        if event.number and event.number != NUMBER:
            raise Refused(Refusal.UNKNOWN_NUMBER)
        self.kept.append(argument)
        return forward_from_cache(event, ROUTE) if event.number else reply_unrouted(event)

    def route(self, number: str) -> TrackedNumber | None:
        if self.cache is None:
            raise Transient(Trouble.STORE_DOWN, "no routes were ever loaded")
        return self.cache.get(number)

    def entity(self, kind: Any, key: str) -> Any:
        raise AssertionError("calls need routes alone")


@dataclass
class StubSpool:
    """Keeps what it gets, or fails as it is told."""

    failure: Exception | None = None
    hangs: bool = False
    kept: list[tuple[str, bytes]] = field(default_factory=list)

    async def append(self, kind: str, record: bytes) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        self.kept.append((kind, record))


@dataclass
class StubObserver:
    """Writes down what it is told."""

    told: list[tuple[str, ...]] = field(default_factory=list)

    def observe(self, facts: Sequence[Fact]) -> None:
        raise AssertionError("the store's business")

    def webhook(self, provider: str, route: str, status: int, seconds: float) -> None:
        raise AssertionError("the edge's business")

    def refused(self, provider: str, route: str, reason: str) -> None:
        self.told.append(("refused", provider, route, reason))

    def spooled(self, provider: str, route: str, reason: str) -> None:
        self.told.append(("spooled", provider, route, reason))

    def batch(self, units: int, seconds: float) -> None:
        raise AssertionError("the store's business")


@dataclass
class StubLog:
    """Keeps its lines."""

    lines: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def warning(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))

    info = error = warning


class Gateway:
    """The handlers between stubs."""

    def __init__(self, store: StubStore | None = None, spool: StubSpool | None = None) -> None:
        self.store = store or StubStore()
        self.spool = spool or StubSpool()
        self.observer = StubObserver()
        self.log = StubLog()
        numbers = count(1)
        voice = Voice(
            store=self.store,
            spool=self.spool,
            verifier=Verifier(PUBLIC_URL, TOKEN, "the one before"),
            ids=lambda now: now + next(numbers),
            observer=self.observer,
            public_url=PUBLIC_URL,
            log=self.log,
            spool_seconds=0.01,
        )
        self.routes = {route.path: route for route in voice.routes()}

    async def handle(self, request: Request) -> Answer:
        return await self.routes[request.path].handler(request)

    def answer(self, request: Request) -> Answer:
        return asyncio.run(self.handle(request))

    @property
    def kept_elsewhere(self) -> list[object]:
        """What the spool got, and what the observer was told."""
        return [*self.spool.kept, *self.observer.told]

    def refusal(self, request: Request) -> Refusal:
        with pytest.raises(Refused) as caught:
            self.answer(request)
        assert not self.store.kept
        assert self.kept_elsewhere == []
        return caught.value.reason


def is_document(answer: Answer, reply: Reply) -> bool:
    return (
        answer.status == 200
        and answer.content_type == "text/xml; charset=utf-8"
        and answer.body == render(reply, PUBLIC_URL)
    )


# --- while all is well ---


def test_the_routes_are_the_contract() -> None:
    """Paths, methods and metric labels."""
    assert [
        (route.method, route.path, route.provider, route.name)
        for route in Gateway().routes.values()
    ] == [("POST", f"/twilio/{name}", "twilio", name) for name in FORMS]


@KINDS
def test_an_event_is_kept_then_answered(kind: str) -> None:
    """The event, its raw body and a new id go to the store; its reply becomes the document."""
    gateway = Gateway()
    request = post(kind, FORMS[kind])
    assert is_document(gateway.answer(request), REPLIES[kind])
    (kept,) = gateway.store.kept
    assert (kept.raw, kept.id, kept.answered) == (request.body.decode(), NOW + 1, None)
    assert kept.event.received_at == NOW
    assert gateway.kept_elsewhere == gateway.log.lines == []


def test_the_call_s_own_status_is_acknowledged() -> None:
    """A number's StatusCallback comes to the same path as the legs'."""
    gateway = Gateway()
    assert is_document(gateway.answer(post("status", CALL_STATUS)), ACKNOWLEDGE)
    assert gateway.store.kept[0].event.kind == "call.completed"


@pytest.mark.parametrize("kind", ["voice", "fallback"])
def test_an_unknown_number_is_rejected_and_counted(kind: str) -> None:
    """The carrier would answer the call and read out an error at anything but a document."""
    gateway = Gateway()
    assert is_document(gateway.answer(post(kind, {**VOICE, "To": "+815031000099"})), REJECT)
    assert gateway.observer.told == [("refused", "twilio", kind, "unknown_number")]
    assert gateway.store.kept == []
    ((line, fields),) = gateway.log.lines
    assert (line, fields["number"]) == ("webhook refused", "+8150***99")


# --- what is refused ---


@KINDS
def test_a_wrong_signature_is_refused(kind: str) -> None:
    """A form signed for one path opens no other, and a second signature none at all."""
    elsewhere = sign_body(f"{PUBLIC_URL}/twilio/{kind}s", urlencode(FORMS[kind]).encode())
    for signatures, reason in (
        ([], Refusal.SIGNATURE_MISSING),
        ([elsewhere], Refusal.SIGNATURE_WRONG),
        ([elsewhere, elsewhere], Refusal.SIGNATURE_DOUBLED),
    ):
        assert Gateway().refusal(post(kind, FORMS[kind], signatures=signatures)) is reason


def test_a_missing_signature_is_refused_before_the_body_is_read() -> None:
    """A stranger learns nothing of what the body should be."""
    assert Gateway().refusal(post("voice", b"\xff", signatures=[])) is Refusal.SIGNATURE_MISSING


def test_forwarded_headers_change_nothing() -> None:
    """The signed URL is the configured one, whatever a peer says of itself."""
    forwarded = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Port", "99"),
        ("X-Original-URL", "/twilio/dial"),
        ("Forwarded", "host=evil.example;proto=http"),
    ]
    assert is_document(Gateway().answer(post("voice", VOICE, headers=forwarded)), dial(ROUTE))


def test_a_query_is_part_of_the_signed_url() -> None:
    """It is signed as it came."""
    assert is_document(Gateway().answer(post("voice", VOICE, query="a=%2b&b")), dial(ROUTE))
    unsigned = sign_body(f"{PUBLIC_URL}/twilio/voice", urlencode(VOICE).encode())
    request = post("voice", VOICE, query="a=%2b&b", signatures=[unsigned])
    assert Gateway().refusal(request) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"CallSid=%FF", Refusal.INVALID_UTF8),
        (b"CallSid=CA1", Refusal.MISSING_PARAMETER),
        (b"CallSid=CA1&To=x", Refusal.ABSURD_VALUE),
        (b"CallSid=CA1&To=\0", Refusal.ABSURD_VALUE),
        (b"", Refusal.MISSING_PARAMETER),
    ],
)
def test_a_refused_body_leaves_one_masked_line(body: bytes, reason: Refusal) -> None:
    """Reason, route and request are told; the body is not."""
    gateway = Gateway()
    assert gateway.refusal(post("voice", body)) is reason
    ((line, fields),) = gateway.log.lines
    assert line == "webhook refused"
    assert fields.pop("detail")
    assert fields == {"reason": reason.value, "route": "voice", "request": "r-1"}


def test_a_body_that_is_no_form_is_refused() -> None:
    """The platform posts forms to these paths."""
    request = post("voice", VOICE, content_type="application/json")
    assert Gateway().refusal(request) is Refusal.NOT_A_FORM


fuzzed = st.one_of(
    st.binary(max_size=40),
    st.tuples(
        st.sampled_from(list(FORMS.values())),
        st.dictionaries(
            st.sampled_from([*DIAL, *LEG_STATUS, *FALLBACK]),
            st.text(max_size=4)
            | st.sampled_from(["", "1", "true", "busy", NUMBER, "\0", "9" * 30]),
            max_size=2,
        ),
    ).map(lambda change: urlencode(change[0] | change[1]).encode()),
    st.tuples(
        st.sampled_from(list(FORMS.values())), st.integers(0, 600), st.binary(max_size=2)
    ).map(lambda cut: urlencode(cut[0]).encode()[: cut[1]] + cut[2]),
)


@pytest.mark.slow
def test_ten_thousand_fuzzed_bodies_raise_nothing_and_leave_nothing() -> None:
    """Signed or not, a body is kept and answered, or it is refused and changes nothing."""
    gateway = Gateway()
    posted = 0

    @given(st.lists(fuzzed, min_size=25, max_size=25), st.booleans())
    @settings(max_examples=400, suppress_health_check=list(HealthCheck), database=None)
    def fuzz(runner: asyncio.Runner, bodies: list[bytes], signed: bool) -> None:
        nonlocal posted
        for number, body in enumerate(bodies):
            signatures = None if signed else ["bm90IHNpZ25lZA=="]
            request = post(list(FORMS)[number % 4], body, signatures=signatures)
            before = len(gateway.store.kept)
            try:
                answer = runner.run(gateway.handle(request))
            except Refused:
                assert len(gateway.store.kept) == before
            else:
                assert answer.status == 200
                assert signed
            posted += 1

    with asyncio.Runner() as runner:
        fuzz(runner)
    assert posted >= 10_000
    assert gateway.spool.kept == []


# --- while the store is away ---

TROUBLES: list[tuple[Exception, str]] = [
    *((Transient(trouble), trouble.value) for trouble in Trouble),
    (Permanent(Trouble.STORE_FAULT), "store_fault"),
    (RuntimeError(f"{TOKEN} {CALLER}"), "store_fault"),
    (InvalidTransition("a call does not go there"), "store_fault"),
    (TimeoutError(), "store_fault"),
    (OSError(28, "No space left on device"), "store_fault"),
]


@KINDS
@pytest.mark.parametrize(("failure", "reason"), TROUBLES, ids=repr)
def test_a_call_goes_on_while_the_store_fails(kind: str, failure: Exception, reason: str) -> None:
    """It is answered from the cache; the event is spooled with that answer, and counted."""
    gateway = Gateway(StubStore(failure))
    request = post(kind, FORMS[kind])
    assert is_document(gateway.answer(request), REPLIES[kind])
    ((name, kept),) = gateway.spool.kept
    incoming = unspooled(kept)
    assert (name, incoming.answered, incoming.raw) == (
        "twilio",
        REPLIES[kind],
        request.body.decode(),
    )
    assert incoming.route == (ROUTE if kind in ("voice", "fallback") else None)
    assert (incoming.id, incoming.event.received_at) == (NOW + 1, NOW)
    assert gateway.observer.told == [("spooled", "twilio", kind, reason)]
    assert gateway.log.lines[-1] == (
        "webhook spooled",
        {"reason": reason, "route": kind, "request": "r-1"},
    )


def test_an_unexpected_exception_is_logged_without_what_it_says() -> None:
    """Its message may quote the request: type and place are enough to find it."""
    gateway = Gateway(StubStore(RuntimeError(f"{TOKEN} {CALLER}")))
    gateway.answer(post("voice", VOICE))
    line, fields = gateway.log.lines[0]
    assert (line, fields["error"]) == ("unexpected exception", "RuntimeError")
    assert str(fields["where"]).startswith(f"{__name__}:")
    assert TOKEN not in repr(gateway.log.lines)
    assert CALLER not in repr(gateway.log.lines)


def test_a_number_that_the_cache_does_not_know_is_rejected() -> None:
    """The event is spooled with that answer: a number provisioned since does not change it."""
    gateway = Gateway(StubStore(Transient(Trouble.STORE_DOWN), cache={}))
    assert is_document(gateway.answer(post("voice", VOICE)), REJECT)
    incoming = unspooled(gateway.spool.kept[0][1])
    assert (incoming.answered, incoming.route) == (REJECT, None)


@pytest.mark.parametrize("kind", ["voice", "fallback"])
def test_without_any_routes_a_call_is_left_to_the_carrier(kind: str) -> None:
    """Nothing says where to; the carrier goes on to its fallback, and nothing is kept."""
    gateway = Gateway(StubStore(Transient(Trouble.STORE_DOWN), cache=None))
    with pytest.raises(Transient):
        gateway.answer(post(kind, FORMS[kind]))
    assert gateway.kept_elsewhere == []


@pytest.mark.parametrize("kind", ["dial", "status"])
def test_without_any_routes_a_later_event_is_spooled(kind: str) -> None:
    """It needs no route, and the carrier does not repeat it."""
    gateway = Gateway(StubStore(Transient(Trouble.STORE_DOWN), cache=None))
    assert is_document(gateway.answer(post(kind, FORMS[kind])), REPLIES[kind])
    assert len(gateway.spool.kept) == 1


@KINDS
@pytest.mark.parametrize(
    ("spool", "reason"),
    [
        (StubSpool(Permanent(Trouble.SPOOL_FULL)), Trouble.SPOOL_FULL),
        (StubSpool(Permanent(Trouble.SPOOL_FAULT)), Trouble.SPOOL_FAULT),
        (StubSpool(hangs=True), Trouble.SPOOL_FAULT),
    ],
    ids=["full", "fault", "hangs"],
)
def test_no_answer_is_given_that_nobody_kept(kind: str, spool: StubSpool, reason: Trouble) -> None:
    """A spool that refuses, or is silent beyond its time, is a trouble of its own."""
    gateway = Gateway(StubStore(Transient(Trouble.STORE_DOWN)), spool)
    with pytest.raises(Permanent) as caught:
        gateway.answer(post(kind, FORMS[kind]))
    assert caught.value.reason is reason
    assert gateway.observer.told == []


@pytest.mark.parametrize(
    "gateway",
    [
        lambda: Gateway(StubStore(hangs=True)),
        lambda: Gateway(StubStore(Transient(Trouble.STORE_DOWN)), StubSpool(hangs=True)),
    ],
    ids=["in the store", "in the spool"],
)
def test_a_cancelled_webhook_is_cancelled(gateway: Callable[[], Gateway]) -> None:
    """Shutting down is no trouble of the store's: nothing is spooled for it."""
    cancelled = gateway()

    async def scene() -> None:
        task = asyncio.ensure_future(cancelled.handle(post("voice", VOICE)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
    assert cancelled.kept_elsewhere == []


@pytest.mark.parametrize(
    "reply", [None, REJECT, HANGUP, ACKNOWLEDGE, Dial((TARGET, NUMBER), sequential=True)]
)
def test_what_is_spooled_comes_back_as_it_was(reply: Reply | None) -> None:
    """Every field of the event, its reply and its route, whatever characters the body had."""
    gateway = Gateway()
    gateway.answer(post("status", {**LEG_STATUS, "CallerName": 'あ\U0001f4de\\"%00\x01'}))
    (kept,) = gateway.store.kept
    incoming = Incoming(kept.event, kept.id, kept.raw, reply, ROUTE)
    assert unspooled(spooled(incoming)) == incoming
