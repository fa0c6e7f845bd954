"""Bad input to the webhooks of LINE channels, at the front door of a whole daemon: each has its
answer and its counter, and nothing is half done.

Late coupons, points of another shop and userIds that a client sends are tried where their pages
are: ``tests/adapters/http/pages``.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.line.simulator import Channel, Platform, signature
from tests.adapters.twilio.forms import VOICE
from tests.e2e.conftest import NewDaemon
from tests.e2e.test_refusals import everything, reason
from tests.support.daemon import Answered, Daemon, wait_for
from tests.support.line_daemon import WatchedPlatform, know, platform_of, post, provisioning
from tests.support.ports import free_port

pytestmark = [pytest.mark.process, pytest.mark.slow]

MOST = 1_048_576  # bytes of a body
USER = "U" + "0" * 32
PROMISED = 2.0  # seconds within which the platform wants its answer
ADVERTISERS = "/metrics/advertisers"


@pytest.fixture
def account() -> Channel:
    """The platform's side of a shop; the platform itself is away."""
    return Platform(seed=3).channel("acme-shop")


@pytest.fixture
def daemon(new_daemon: NewDaemon, account: Channel) -> Daemon:
    """A running daemon with that shop."""
    made = new_daemon()
    made.migrate()
    made.apply(provisioning({"acme-shop": account}))
    know(made, f"http://127.0.0.1:{free_port()}")
    made.start()
    made.wait_until("ready")
    return made


def event(text: str, ordinal: int = 0, **more: Any) -> dict[str, Any]:
    """What a friend says now."""
    return {
        "type": "message",
        "webhookEventId": f"event-{ordinal}",
        "deliveryContext": {"isRedelivery": False},
        "timestamp": time.time_ns() // 1_000_000,
        "source": {"type": "user", "userId": USER},
        "replyToken": f"token-{ordinal}",
        "mode": "active",
        "message": {"type": "text", "id": str(ordinal), "text": text, "quoteToken": "q"},
    } | more


def body_of(account: Channel, *events: Mapping[str, Any], **more: Any) -> bytes:
    """A body in ASCII, with everything else escaped."""
    return json.dumps({"destination": account.bot_user_id, "events": events} | more).encode()


def assert_refused(daemon: Daemon, answer: Answered, status: int, expected: str) -> None:
    """It was, once, and the counter of its reason says so."""
    assert (answer.status, reason(answer)) == (status, expected)
    counted = daemon.metric("refusals_total", provider="line", route="webhook", reason=expected)
    assert counted == 1, expected


# --- not the platform's, or not ours ---


def test_a_body_without_its_one_right_signature_is_403(daemon: Daemon, account: Channel) -> None:
    """Missing, forged and doubled signatures, and a right one of another body."""
    body = body_of(account, event("クーポン"))
    stranger = Platform(seed=4).channel("stranger")
    right = signature(account.secret, body)
    before = everything(daemon)
    assert_refused(daemon, post(daemon, account, body, signatures=[]), 403, "signature_missing")
    assert_refused(daemon, post(daemon, stranger, body), 403, "signature_wrong")
    doubled = post(daemon, account, body, signatures=[right, right])
    assert_refused(daemon, doubled, 403, "signature_doubled")
    for other, given in ((body + b" ", right), (body, ""), (body, right.lower())):
        assert post(daemon, account, other, signatures=[given]).status == 403
    assert daemon.metric("webhooks_total", provider="line", status="403") == 6
    assert everything(daemon) == before
    assert post(daemon, account, body, signatures=[right]).status == 200


def test_a_body_for_another_bot_or_an_unknown_channel_is_refused(
    daemon: Daemon, account: Channel
) -> None:
    """Its ``destination`` differs, though this channel's secret signed it; or nobody knows the
    path, which is not repeated in the log.
    """
    before = everything(daemon)
    other = body_of(account, event("クーポン"), destination="U" + "f" * 32)
    assert_refused(daemon, post(daemon, account, other), 400, "wrong_destination")
    body = body_of(account, event("クーポン"))
    unknown = post(daemon, account, body, shop="zz-invented")
    assert_refused(daemon, unknown, 404, "unknown_channel")
    assert everything(daemon) == before
    assert "zz-invented" not in daemon.log.read_text() + unknown.body


# --- not to be understood ---


def test_what_cannot_be_read_is_named_and_kept_nowhere(daemon: Daemon, account: Channel) -> None:
    """No JSON, no UTF-8, no list of events, more than any platform sends, or nested too deep:
    a right event beside it is not taken either.
    """
    right = event("クーポン")
    deep: Any = "bottom"
    for _ in range(60):
        deep = {"inner": deep}
    before = everything(daemon)
    for wrong, expected in (
        (b'{"events": [', "not_json"),
        (b'{"destination": "\xff", "events": []}', "invalid_utf8"),
        (b'{"destination": "U"}', "missing_parameter"),
        (b"[" * 300_000 + b"]" * 300_000, "absurd_value"),
        (body_of(account, right, event("x", 1, odd=deep)), "too_deep"),
    ):
        assert_refused(daemon, post(daemon, account, wrong), 400, expected)
    bottomless = b'{"odd": ' + b"[" * 300_000 + b"]" * 300_000 + b', "events": []}'
    many = body_of(account, right, *(event("x", n) for n in range(1, 1_001)))
    for other in (b"null", b'{"events": {}}', bottomless, many):
        answer = post(daemon, account, other)
        assert (answer.status, answer.seconds < PROMISED) == (400, True)
    assert everything(daemon) == before
    assert post(daemon, account, body_of(account, right)).status == 200


def test_a_body_over_the_limit_is_413_and_one_just_below_is_kept(
    daemon: Daemon, account: Channel
) -> None:
    """A mebibyte is the bar, whatever is in it."""
    frame = len(body_of(account, event("")))
    before = everything(daemon)
    large = body_of(account, event("a" * (MOST - frame + 1)))
    assert_refused(daemon, post(daemon, account, large), 413, "body_too_large")
    assert everything(daemon) == before
    answer = post(daemon, account, body_of(account, event("a" * (MOST - frame))))
    assert (answer.status, answer.seconds < PROMISED) == (200, True)
    assert daemon.rows("SELECT event FROM line_events") == [("event-0",)]


def test_what_no_store_can_hold_is_replaced_and_the_rest_is_kept(
    daemon: Daemon, account: Channel
) -> None:
    """Lone surrogates and NUL do not lose the batch that they come in."""
    halves = body_of(account, event("\ud83c クーポン \udf63 \0", 1), event("クーポン", 2))
    assert rb"\ud83c" in halves
    assert post(daemon, account, halves).status == 200
    kept = dict(map(tuple, daemon.rows("SELECT event, body FROM line_events")))
    texts = {id_: json.loads(body)["message"]["text"] for id_, body in kept.items()}
    assert texts == {"event-1": "� クーポン � �", "event-2": "クーポン"}
    assert daemon.metric("line_events_total", ADVERTISERS, type="message") == 2
    assert daemon.metric("line_notes_total", ADVERTISERS, note="half_character") == 1
    origins = daemon.rows("SELECT origin FROM outbox WHERE kind = 'line.reply' ORDER BY id")
    assert origins == [("uniform",), ("rule:1",)]


def test_a_regular_expression_that_explodes_holds_up_nobody(
    daemon: Daemon, account: Channel
) -> None:
    """The shop's rule is (a+)+$, the friend writes what takes others an exponential time."""
    bait = body_of(account, *(event("a" * 4_999 + "!", number) for number in range(20)))
    answer = post(daemon, account, bait)
    assert (answer.status, answer.seconds < PROMISED) == (200, True)
    assert daemon.post("voice", VOICE).seconds < PROMISED
    origins = daemon.rows("SELECT DISTINCT origin FROM outbox WHERE kind = 'line.reply'")
    assert origins == [("uniform",)]
    assert daemon.metric("line_events_total", ADVERTISERS, type="message") == 20


# --- reply tokens ---


def test_used_and_expired_reply_tokens_are_given_up_and_never_become_pushes(
    new_daemon: NewDaemon,
) -> None:
    """What the platform does not take is listed with its reason and counted; the friend got the
    one reply that was theirs, and no quota is spent.
    """
    daemon = new_daemon()
    asyncio.run(_play_with_tokens(daemon))
    listed = daemon.cli("outbox", "list", "--json")
    lines = [json.loads(line) for line in listed.stdout.splitlines()]
    told = [(each["kind"], each["state"], each["last_error"]) for each in lines]
    assert told == [("line.reply", "dead", "token")] * 3
    expired = {"advertiser": "acme", "kind": "reply", "result": "expired"}
    assert daemon.metric("line_messages_total", ADVERTISERS, **expired) == 3
    sent = {"advertiser": "acme", "kind": "reply", "result": "sent"}
    assert daemon.metric("line_messages_total", ADVERTISERS, **sent) == 1


async def _play_with_tokens(daemon: Daemon) -> None:
    async with platform_of(daemon) as (platform, shops):
        daemon.migrate()
        daemon.apply(provisioning(shops))
        daemon.start()
        await asyncio.to_thread(daemon.wait_until, "ready")
        account = shops["acme-shop"]
        friend = account.friend("花子")
        friend.following = True
        first = await friend.say("クーポン")
        await asyncio.to_thread(_wait_until_sent, daemon, 1)
        used = first.event["replyToken"]
        source = friend.source
        again = event("クーポン", 1, source=source, replyToken=used)
        forged = event("クーポン", 2, source=source, replyToken="f" * 32)
        for each in (again, forged):
            body = body_of(account, each)
            assert (await asyncio.to_thread(post, daemon, account, body)).status == 200
        # Twenty minutes after its event the platform takes no reply to it any more.
        at = platform.clock() - 25 * 60 * 1_000_000
        message = {"type": "text", "id": "3", "text": "クーポン"}
        await account.emit("message", source, at=at, message=message)
        await asyncio.to_thread(_wait_until_sent, daemon, 4)
        assert [received.kind for received in friend.inbox] == ["reply"]
        assert _statuses(platform) == [200, 400, 400, 400]


def _wait_until_sent(daemon: Daemon, count: int) -> None:
    over = "SELECT count(*) FROM outbox WHERE kind = 'line.reply' AND ended_at IS NOT NULL"
    wait_for(lambda: daemon.rows(over)[0][0] == count, "replies still wait")


def _statuses(platform: WatchedPlatform) -> list[int | None]:
    """What all that was sent was told."""
    return [asked.status for asked in platform.asked if asked.path.startswith("/v2/bot/message/r")]
