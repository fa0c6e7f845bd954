"""Campaigns' states, what answers mean for letters, and strikes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.answers import Answer
from gateway.domain.mail.campaigns import TRANSITIONS, Campaign, Letter, Result, moved
from gateway.domain.mail.outcomes import FIRST_PAUSE_SECONDS, LUCK, result_of, status_in
from gateway.domain.mail.recipients import Recipient
from gateway.domain.mail.returns.strikes import struck
from gateway.domain.values import SECOND
from gateway.errors import InvalidTransition

NOW = 1_795_057_200 * SECOND
DAY = 86_400
LETTER = Letter(1, 2, "a@example.com", b"h" * 16, "other", "{}", 0, 0)
RECIPIENT = Recipient(2, "acme", "news", "a@example.com", b"h" * 16, "other", "{}")


def outcome(
    answer: Answer,
    letter: Letter = LETTER,
    now: int = NOW,
    luck: int = LUCK // 2,
    give_up: int = DAY,
) -> Result:
    """What comes of a letter that may be tried for a day."""
    return result_of(letter, answer, give_up, now, luck)


def test_what_is_not_in_the_table_is_refused() -> None:
    """A campaign that is over does nothing any more."""
    for state, events in TRANSITIONS.items():
        for event in ("schedule", "begin", "pause", "resume", "cancel", "settle"):
            if event not in events:
                with pytest.raises(InvalidTransition):
                    moved(state, event)


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=500, max_size=500, unique=True))
def test_parts_have_about_the_same_size(hashes: list[bytes]) -> None:
    """A recipient's part never changes, and no part is far from its share."""
    campaign = Campaign(
        1, "acme", "news", "n", "", "{}", 0, "me", 0, parts=4, part_seconds=60, started_at=NOW
    )
    due = [campaign.due_of(each) for each in hashes]
    assert set(due) <= {NOW + part * 60 * SECOND for part in range(4)}
    assert due == [campaign.due_of(each) for each in hashes]


@pytest.mark.parametrize(
    ("answer", "state", "class_"),
    [
        (Answer("accepted", "end", 250), "sent", ""),
        (Answer("permanent", "rcpt", 550, "5.1.1", "5.1.1 User unknown"), "failed", "user_unknown"),
        (Answer("permanent", "mail", text="recipient_unfit"), "failed", "other"),
        (Answer("temporary", "rcpt", 452, "4.2.2", "4.2.2 Full"), "deferred", "mailbox_full"),
        (Answer("unknown", "end", text="connection_lost"), "held", ""),
        (Answer("unsent", "mail", text="connection_lost"), "queued", ""),
        (Answer("unsent", "data", text="connection_lost"), "deferred", ""),
    ],
)
def test_each_answer_has_its_state(answer: Answer, state: str, class_: str) -> None:
    """Sent, failed, deferred, in doubt, or not tried at all."""
    result = outcome(answer)
    assert (result.state, result.bounce_class) == (state, class_)
    assert result.tried == (state != "queued")


def test_tries_grow_apart_until_a_letter_is_given_up() -> None:
    """Five minutes, ten, twenty …, and after a day it has failed as expired."""
    answer, now, letter, pauses = Answer("temporary", "rcpt", 451), NOW, LETTER, []
    while (result := outcome(answer, letter, now)).state == "deferred":
        assert result.due_at is not None
        pauses.append((result.due_at - now) // SECOND)
        now = result.due_at
        letter = msgspec.structs.replace(letter, attempts=letter.attempts + 1, first_at=NOW)
    assert pauses[:4] == [300, 600, 1200, 2400]
    assert max(pauses) <= 4 * 3600
    assert (result.state, result.bounce_class) == ("failed", "expired")


@given(st.integers(60, 7 * DAY), st.lists(st.integers(0, LUCK - 1), min_size=1, max_size=20))
def test_a_letter_is_tried_until_its_time_is_over(give_up: int, luck: list[int]) -> None:
    """It fails at the stated time, not before it: the last attempt is made then. Its attempts may
    come late, and after that there is none.
    """
    answer, now, letter, tries = Answer("temporary", "rcpt", 451), NOW, LETTER, 0
    while (
        result := outcome(answer, letter, now, luck[tries % len(luck)], give_up)
    ).state == "deferred":
        assert result.due_at is not None
        assert now < result.due_at <= NOW + give_up * SECOND
        now = result.due_at
        tries += 1
        letter = msgspec.structs.replace(letter, attempts=tries, first_at=NOW)
    assert (result.state, result.bounce_class) == ("failed", "expired")
    assert now - NOW == give_up * SECOND
    assert tries >= 1
    late = outcome(answer, letter, now + SECOND, give_up=give_up)
    assert (late.state, late.bounce_class) == ("failed", "expired")


@given(st.integers(0, LUCK - 1))
def test_luck_spreads_a_pause_by_a_fifth(luck: int) -> None:
    """Those who were put off together do not come back together."""
    due_at = outcome(Answer("temporary", "rcpt", 451), luck=luck).due_at
    assert due_at is not None
    assert 0.8 <= (due_at - NOW) / SECOND / FIRST_PAUSE_SECONDS <= 1.2


def test_a_status_is_read_at_the_texts_beginning_only() -> None:
    """A figure within the words is none."""
    assert status_in("5.1.1 User unknown") == "5.1.1"
    assert status_in("see 5.1.1") == ""


def test_r075_three_campaigns_in_a_row_remove_an_address() -> None:
    """The third strike removes; one campaign strikes once, whatever comes of it."""
    recipient = RECIPIENT
    for campaign in (1, 1, 2, 2, 3):
        recipient = struck(recipient, campaign, NOW, is_hard=False)
    assert (recipient.strikes, recipient.state) == (3, "removed")
    assert struck(recipient, 4, NOW, is_hard=True) == recipient


def test_a_hard_bounce_pauses_at_once() -> None:
    """An address that is said not to exist is not mailed until that is settled."""
    paused = struck(RECIPIENT, 1, NOW, is_hard=True)
    assert (paused.strikes, paused.state) == (1, "paused")
    soft = struck(RECIPIENT, 1, NOW, is_hard=False)
    assert soft.state == "active"
    assert struck(soft, 1, NOW, is_hard=True) == paused
