"""Conversations with staff: who answers, and what waits."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line.conversations import answered, given_back, handed_over, seen, state_of
from gateway.domain.values import SECOND
from tests.support.inbox import CLERK, OTHER_CLERK, friend
from tests.support.line import NOON

MINUTE = 60 * SECOND
_TIMES = st.integers(1, 2**50)


def test_a_conversation_stands_as_its_friend_does() -> None:
    """What nobody has seen comes first, then whose it is."""
    assert state_of(friend(unread=1, assigned=CLERK)) == "unread"
    assert state_of(friend(assigned=CLERK)) == "assigned"
    assert state_of(seen(friend(unread=3))) == "open"


@given(_TIMES, _TIMES, _TIMES, st.integers(1, 10_080))
def test_whoever_takes_it_has_it(staffed: int, rested: int, now: int, minutes: int) -> None:
    """However the platform's clock and ours differ: at once after either step it holds."""
    before = friend(last_at=0).called(staffed).ended(rested)
    over = handed_over(msgspec.structs.replace(before, assigned=CLERK), now)
    assert over.is_staffed(over.staffed_at, minutes)
    back = given_back(over, now)
    assert not back.is_staffed(back.rested_at, minutes)
    assert (back.assigned, over.assigned) == ("", CLERK)


def test_an_answer_takes_the_conversation_over() -> None:
    """What waited is seen, the rules keep silent, and it is the writer's unless somebody has it."""
    after = answered(friend(unread=2), CLERK, 30, NOON + MINUTE)
    assert (after.unread, after.assigned, after.last_at) == (0, CLERK, NOON + MINUTE)
    assert after.is_staffed(NOON + 2 * MINUTE, 30)
    assert not after.is_staffed(NOON + 40 * MINUTE, 30)
    again = answered(after, OTHER_CLERK, 30, NOON + 5 * MINUTE)
    assert again.assigned == CLERK
    assert again.staffed_at == after.staffed_at
    assert again.is_staffed(NOON + 34 * MINUTE, 30)
