"""A carrier that keeps time, and its truth compared with what the daemon kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any
from urllib.parse import parse_qsl

from adapters.twilio.simulator import Carrier, Played, Post, random_scripts
from gateway.domain.values import known_caller
from tests.adapters.twilio.forms import PUBLIC_URL
from tests.support.daemon import ACCOUNT, NUMBERS, TOKEN, Daemon

Key = tuple[str, str, str, int]
"""What tells an event from all others: the call's sid, the event's kind, its leg, its number."""

LONGEST_ANSWER = 2.0
"""Seconds within which a call is forwarded, whatever fails."""


class TimedCarrier(Carrier):
    """Knows how long each answer took; its posts go to the ``daemons`` in turn."""

    def __init__(self, *daemons: Daemon, **faults: Any) -> None:
        super().__init__(daemons[0].address, PUBLIC_URL, ACCOUNT, TOKEN, **faults)
        self._addresses = cycle([daemon.address for daemon in daemons])
        self.posts: list[tuple[Post, float]] = []

    async def _send(self, post: Post) -> None:
        self._target = next(self._addresses)
        began = time.monotonic()
        await super()._send(post)
        self.posts.append((post, time.monotonic() - began))

    @asynccontextmanager
    async def calling(self, rate: float) -> AsyncIterator[list[Played]]:
        """Random calls go on within the block; behind it the list holds all of them, ended."""
        end = asyncio.Event()
        scripts = random_scripts(NUMBERS, self.faults.seed)
        calls = asyncio.create_task(self.run(scripts, rate=rate, until=end))
        played: list[Played] = []
        try:
            yield played
        finally:
            end.set()
            played += await calls

    def slowest(self, *kinds: str) -> float:
        """The longest that any post, or one of ``kinds``, took (seconds)."""
        return max(seconds for post, seconds in self.posts if not kinds or post.what in kinds)

    def unforwarded(self) -> list[str]:
        """The voice webhooks of the provisioned numbers that did not get a Dial in time."""
        return [
            f"{post.params['CallSid']}: {post.status or post.error} in {seconds:.2f} s"
            for post, seconds in self.posts
            if post.what == "voice"
            and post.params["To"] in NUMBERS
            and (b"<Dial" not in post.answer or not post.acknowledged or seconds > LONGEST_ANSWER)
        ]


def assert_forwarded_and_kept(
    carrier: TimedCarrier, played: Sequence[Played], daemon: Daemon
) -> None:
    """Every call was forwarded in time, every post acknowledged and kept, every figure is right."""
    assert carrier.unforwarded() == []
    assert [post for call in played for post in call.unacknowledged] == []
    assert losses(played, daemon) == []
    assert differences(played, daemon.calls()) == []


def key_of(post: Post) -> Key:
    """The event that a post tells of."""
    params = post.params
    sid = params.get("ParentCallSid", params["CallSid"])
    if post.what == "dial":
        return (sid, "dial", params.get("DialCallSid", ""), 0)
    if post.what == "fallback":
        return (sid, "fallback", "", int(params["ErrorUrl"].endswith("/twilio/dial")))
    leg = params["CallSid"] if "ParentCallSid" in params else ""
    return (sid, post.what, leg, int(params.get("SequenceNumber", "0")))


def acknowledged(played: Sequence[Played]) -> dict[Key, list[Post]]:
    """The posts that were answered with 2xx, by their event."""
    found: dict[Key, list[Post]] = {}
    for call in played:
        for post in call.posts:
            if post.acknowledged:
                found.setdefault(key_of(post), []).append(post)
    return found


def kept_by(daemon: Daemon) -> dict[Key, dict[str, str]]:
    """The parameters of every event in the store, none of which is there twice."""
    rows = daemon.rows(
        "SELECT k.key, e.kind, e.leg, e.seq, p.body FROM call_events e"
        " JOIN provider_keys k ON k.id = e.call_id"
        " LEFT JOIN call_payloads p"
        " ON p.call_id = e.call_id AND p.kind = e.kind AND p.leg = e.leg AND p.seq = e.seq"
    )
    kept = {(r[0], r[1], r[2], r[3]): dict(parse_qsl(r[4], keep_blank_values=True)) for r in rows}
    assert len(kept) == len(rows), "an event is there twice"
    return kept


def losses(played: Sequence[Played], daemon: Daemon) -> list[str]:
    """Every event that was acknowledged and is not in the store as it was sent, and any event
    there that was never sent.
    """
    kept = kept_by(daemon)
    taken = acknowledged(played)
    sent = {key_of(post) for call in played for post in call.posts}
    wrong = [
        f"{key}: acknowledged, and {'changed' if key in kept else 'lost'}"
        for key, posts in taken.items()
        # A call that was rejected is kept nowhere.
        if kept.get(key) != posts[0].params and b"<Reject" not in posts[0].answer
    ]
    return wrong + [f"{key}: never sent" for key in kept.keys() - sent]


def differences(played: Sequence[Played], calls: dict[str, dict[str, Any]]) -> list[str]:
    """Every figure in which the store's ``calls`` are not what the carrier did, where what
    arrived suffices to know it.
    """
    wrong = []
    for truth in played:
        held = calls.get(truth.sid)
        if held is None:
            if truth.forwarded:
                wrong.append(f"{truth.sid}: is not there")
            continue
        if truth.result == "rejected":
            wrong.append(f"{truth.sid}: was rejected, and is there")
            continue
        for name in truth.certain:
            if getattr(truth, name) != held[name]:
                did = f"the carrier {getattr(truth, name)}, the store {held[name]}"
                wrong.append(f"{truth.sid} ({truth.script.scenario}): {name}: {did}")
        if known_caller(truth.caller) != held["caller"]:
            wrong.append(f"{truth.sid}: caller: {held['caller']}")
    strangers = calls.keys() - {truth.sid for truth in played}
    return wrong + [f"{sid}: the carrier never made it" for sid in strangers]
