"""Pace: bursts are spread, and whoever says that it is too much is left alone for a while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.answers import Answer
from gateway.domain.mail.pace import FAR, PACES, Pacer, RelayPause
from gateway.domain.values import SECOND

NOW = 1_795_057_200 * SECOND
OK = Answer("accepted", "end", 250)


def deferred(text: str, code: int = 421, enhanced: str = "") -> Answer:
    """A refusal for now."""
    return Answer("temporary", "rcpt", code, enhanced, text)


def sent(pacer: Pacer, lane: str, seconds: int) -> int:
    """How many letters of a lane go within so many seconds, each answered at once."""
    count, now = 0, NOW
    while now < NOW + seconds * SECOND:
        if pacer.may_go(lane, now):
            pacer.went(lane, now)
            pacer.heard(lane, "x", OK, "", now)
            count += 1
        else:
            now = min(pacer.next_at(lane, now), NOW + seconds * SECOND)
    return count


@pytest.mark.parametrize("lane", [lane for lane, pace in PACES.items() if pace.a_second])
def test_a_lane_keeps_its_rate(lane: str) -> None:
    """Over ten seconds as many letters go as the lane bears, with a small burst at first."""
    pace = PACES[lane]  # type: ignore[index]
    assert sent(Pacer(), lane, 10) == pytest.approx(10 * pace.a_second + pace.burst, abs=2)


def test_yahoo_japan_gets_two_letters_at_a_time() -> None:
    """A third waits until one of them is answered, whatever the rate would allow."""
    pacer = Pacer()
    pacer.went("yahoo_jp", NOW)
    pacer.went("yahoo_jp", NOW)
    later = NOW + 60 * SECOND
    assert pacer.next_at("yahoo_jp", later) == FAR
    pacer.heard("yahoo_jp", "yahoo.co.jp", OK, "", later)
    assert pacer.may_go("yahoo_jp", later)


@pytest.mark.parametrize("code", ["[TSS04]", "[IPTS04]", "VS98-IP0"])
def test_yahoos_codes_pause_its_lane_for_an_hour(code: str) -> None:
    """After these nothing goes there for an hour; other lanes go on."""
    pacer = Pacer()
    pacer.went("yahoo_jp", NOW)
    answer = deferred(f"4.7.0 {code} Messages temporarily deferred")
    pacer.heard("yahoo_jp", "yahoo.co.jp", answer, "policy", NOW)
    assert pacer.paused("yahoo_jp") == NOW + 3600 * SECOND
    assert pacer.room("yahoo_jp", NOW, 1) == 0
    assert pacer.may_go("yahoo_jp", NOW + 3600 * SECOND)
    assert pacer.may_go("gmail", NOW)


def test_a_pause_grows_until_something_is_taken() -> None:
    """Whoever says no again is left alone for twice as long; one letter taken forgets that."""
    pacer, now = Pacer(), NOW
    for minutes in (1, 2, 4):
        pacer.heard("docomo", "docomo.ne.jp", deferred("busy"), "throttled", now)
        assert pacer.paused("docomo") == now + minutes * 60 * SECOND
        # Letters that were under way say the same, and change nothing.
        pacer.heard("docomo", "docomo.ne.jp", deferred("busy"), "throttled", now + SECOND)
        now = pacer.paused("docomo")
    pacer.heard("docomo", "docomo.ne.jp", OK, "", now)
    assert pacer.paused("docomo") == 0


def test_a_domain_without_a_lane_is_paused_alone() -> None:
    """Of the lane of all others only the domain that said so waits."""
    pacer = Pacer()
    pacer.heard("other", "a.example", deferred("too many connections"), "throttled", NOW)
    assert pacer.paused("other", "a.example") > NOW
    assert pacer.paused("other", "b.example") == 0


def test_greylisting_pauses_nobody() -> None:
    """That one recipient's first mail is put off says nothing of the others."""
    pacer = Pacer()
    pacer.heard("other", "a.example", deferred("4.7.1 Greylisted", 451), "throttled", NOW)
    assert pacer.paused("other", "a.example") == 0


@pytest.mark.parametrize(
    ("answer", "is_its_own"),
    [
        (Answer("temporary", "mail", 452, "4.3.1", "Insufficient system storage"), True),
        (Answer("temporary", "rcpt", 451, "4.3.0", "queue file write error"), True),
        (Answer("temporary", "greeting", 421, "", "too busy"), True),
        (Answer("temporary", "rcpt", 450, "4.2.0", "try later"), False),
        (Answer("permanent", "rcpt", 550, "5.1.1", "unknown"), False),
        (OK, False),
    ],
)
def test_a_relay_in_trouble_is_left_alone(answer: Answer, is_its_own: bool) -> None:
    """What a relay says of its own disk or load pauses the relay; what it says of others not."""
    pause = RelayPause()
    assert pause.heard(answer, NOW) == is_its_own
    assert (pause.until > NOW) == is_its_own


@given(st.lists(st.tuples(st.sampled_from(list(PACES)), st.integers(0, 3 * SECOND)), max_size=200))
def test_no_lane_is_overrun(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of things, at no time more are on the wire than a lane bears."""
    pacer, now, on_wire = Pacer(), NOW, dict.fromkeys(PACES, 0)
    for lane, pause in steps:
        now += pause
        if pacer.may_go(lane, now):
            pacer.went(lane, now)
            on_wire[lane] += 1  # type: ignore[index]
            most = PACES[lane].at_once  # type: ignore[index]
            assert not most or on_wire[lane] <= most  # type: ignore[index]
        elif on_wire[lane]:  # type: ignore[index]
            pacer.heard(lane, "x", OK, "", now)
            on_wire[lane] -= 1  # type: ignore[index]
