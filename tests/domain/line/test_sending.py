"""What follows of the platform's answers, decided without any platform."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.effects import NEVER
from gateway.domain.hours import month_of
from gateway.domain.line.quota import Quota, read, reserve
from gateway.domain.line.sending import (
    MEMORY_SECONDS,
    Accepted,
    Answer,
    BadToken,
    Exhausted,
    Limited,
    Next,
    Refused,
    Tries,
    Unauthorized,
    Unclear,
    Unreached,
    after,
    before,
    is_unasked,
    quiet_for,
    retry_key,
)
from gateway.domain.values import SECOND

NOW = 1_800_000_000 * SECOND
AGAIN: list[Answer] = [Exhausted(), Limited(), Unauthorized(), Unreached(), Unclear()]


def tries(**given_: Any) -> Tries:
    wanted: dict[str, Any] = {
        "kind": "push",
        "key": "k",
        "attempts": 1,
        "unclear": 0,
        "tried_at": NOW,
        "give_up_at": NEVER,
    }
    return Tries(**(wanted | given_))


def reply(**given_: Any) -> Tries:
    return tries(**({"kind": "reply", "give_up_at": NOW + 50 * SECOND} | given_))


def test_a_retry_key_is_always_the_same_and_a_uuid() -> None:
    """Whatever process asks, in whatever release: this one is written down."""
    assert retry_key("line.reply/shop/01H") == "02b6d5a1-e492-513f-8868-976a32624969"
    assert UUID(retry_key("a")) != UUID(retry_key("b"))


@pytest.mark.parametrize("made", [tries(), reply(), tries(unclear=1), reply(unclear=1)])
def test_what_was_taken_or_refused_has_ended(made: Tries) -> None:
    """Whatever came before."""
    assert after(made, Accepted("r"), NOW) == Next("done", "sent")
    assert after(made, Accepted("r", repeated=True), NOW) == Next("done", "sent")
    assert after(made, Refused(400, "no"), NOW) == Next("dead", "refused", error="refused")


def test_a_bad_token_is_a_riddle_only_after_an_unclear_attempt() -> None:
    """Ours may have used it; before that it was another, or too late."""
    assert after(reply(), BadToken(), NOW).state == "dead"
    assert after(reply(unclear=1), BadToken(), NOW).state == "unknown"


@pytest.mark.parametrize("answer", AGAIN, ids=lambda answer: type(answer).__name__)
def test_what_may_work_later_waits(answer: Answer) -> None:
    """And only what nobody knows is unclear."""
    step = after(tries(), answer, NOW)
    assert (step.state, step.result, step.unclear) == (
        "waiting",
        None,
        isinstance(answer, Unclear),
    )
    assert step.due_at > NOW


def test_pauses_grow_and_differ() -> None:
    """About twice as long each time, up to minutes; two effects do not come back together."""
    pauses = [after(tries(attempts=n), Unclear(), NOW).due_at - NOW for n in range(1, 30)]
    for number, pause in enumerate(pauses):
        about = min(300, 2**number) * SECOND
        assert 0.75 * about <= pause <= 1.25 * about
    keys = {after(tries(key=f"{n}"), Unclear(), NOW).due_at for n in range(50)}
    assert len(keys) == 50


def test_a_push_is_never_tried_beyond_the_platforms_memory() -> None:
    """After a day the same key would send again."""
    end = NOW + MEMORY_SECONDS * SECOND
    assert before(tries(), end - 1) is None
    assert before(tries(), end) == Next("dead", "expired", error="expired")
    assert before(tries(unclear=1), end) == Next("unknown", "unknown", error="unclear")
    held = tries(last_error="over_quota")
    assert before(held, end) == Next("dead", "over_quota", error="over_quota")
    assert before(tries(last_error="halted"), end) == Next("dead", "expired", error="halted")
    assert after(tries(), Unreached(), end - 1).state == "dead"
    assert after(tries(), Unclear(), end - 1).state == "unknown"
    assert after(tries(unclear=1), Limited(), end - 1).state == "unknown"
    assert after(tries(), Exhausted(), end - 1).result == "over_quota"


def test_a_reply_has_fifty_seconds_and_a_lost_one_sixty() -> None:
    """One that was never sent may become a push; one that may be out never does."""
    assert before(reply(), NOW + 50 * SECOND - 1) is None
    assert before(reply(), NOW + 50 * SECOND) == Next("dead", "expired", error="expired")
    assert before(reply(unclear=1), NOW + 50 * SECOND) is None
    assert before(reply(unclear=1), NOW + 60 * SECOND) == Next(
        "unknown", "unknown", error="unclear"
    )
    late = NOW + 50 * SECOND - 1
    assert after(reply(), Unreached(), late) == Next(
        "waiting", due_at=NOW + 50 * SECOND, error="unreached"
    )
    assert after(reply(attempts=9), Unclear(), late).state == "unknown"


@given(
    made=st.builds(
        Tries,
        kind=st.sampled_from(["reply", "push", "multicast", "narrowcast", "broadcast"]),
        key=st.text(max_size=5),
        attempts=st.integers(1, 400),
        unclear=st.integers(0, 3),
        tried_at=st.just(NOW),
        give_up_at=st.one_of(st.just(NEVER), st.integers(NOW, NOW + 90_000 * SECOND)),
    ),
    answer=st.sampled_from(AGAIN),
    passed=st.integers(0, 90_000 * SECOND),
)
def test_whatever_waits_may_be_tried_or_pushed_instead(
    made: Tries, answer: Answer, passed: int
) -> None:
    """No attempt is planned for an instant at which it would be forbidden."""
    now = NOW + passed
    if before(made, now) is not None:
        return
    step = after(made, answer, now)
    if step.state == "unknown":
        assert made.unclear or step.unclear
    if step.state != "waiting":
        assert step.result is not None
        return
    assert step.due_at > now or step.due_at == made.give_up_at
    unclear = made.unclear + step.unclear
    then = Tries(made.kind, made.key, made.attempts + 1, unclear, made.tried_at, made.give_up_at)
    forbidden = before(then, step.due_at)
    assert forbidden is None or (made.kind == "reply" and not unclear)


def test_a_month_ends_in_tokyo() -> None:
    """Nine hours before it does in Greenwich."""
    midnight = 1_795_964_400 * SECOND  # 2026-11-30T00:00:00+09:00
    assert month_of(midnight) == "2026-11"
    assert month_of(midnight + 24 * 3600 * SECOND - 1) == "2026-11"
    assert month_of(midnight + 24 * 3600 * SECOND) == "2026-12"


def test_a_month_has_room_for_what_is_neither_used_nor_promised() -> None:
    """Without a limit for anything, unasked for nothing."""
    month = Quota("shop", "2026-11", "acme")
    assert not month.has_room(1)
    assert month.left is None
    limited = read(month, "limited", 200, 150, NOW)
    assert (limited.left, limited.has_room(50), limited.has_room(51)) == (50, True, False)
    promised = reserve(limited, 30)
    assert (promised.left, reserve(promised, -99).left) == (20, 50)
    assert read(month, "none", 0, 9999, NOW).has_room(10**9)
    over = read(month, "limited", 100, 150, NOW)
    assert (over.left, over.has_room(0)) == (0, True)


@pytest.mark.parametrize(
    ("origin", "quiet", "kept"),
    [
        ("push:7", "22:00-08:00", "22:00-08:00"),
        ("push:7", "", ""),
        ("step:a:1", "22:00-08:00", "22:00-08:00"),
        ("posting", "22:00-08:00", "22:00-08:00"),
        ("coupon-reminder", "", "21:00-09:00"),
        ("card-notice", "22:00-08:00", "22:00-08:00"),
        ("staff:kim", "22:00-08:00", ""),
        ("rule:hello", "22:00-08:00", ""),
        ("", "22:00-08:00", ""),
    ],
)
def test_what_nobody_asked_for_keeps_quiet_hours(origin: str, quiet: str, kept: str) -> None:
    """Reminders keep the night as well, where a channel names no hours; answers keep none."""
    assert quiet_for(origin, quiet) == kept
    assert is_unasked(origin) is (origin not in ("staff:kim", "rule:hello", ""))
