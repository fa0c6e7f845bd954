"""A clock that is set sweeps nothing away."""

import pytest

from gateway.domain.values import SECOND
from gateway.main.chores import Pace

HOUR = 3600


class Clocks:
    """Our clock, and the one that is never set; in seconds."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.steady = 50.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def pace(self) -> Pace:
        return Pace(lambda: int(self.wall * SECOND), lambda: self.steady)


def test_a_clock_that_runs_is_trusted() -> None:
    """However long nobody asked, and although it is corrected by a second at times."""
    clocks = Clocks()
    pace = clocks.pace()
    for seconds in (1, 60, 12 * HOUR):
        clocks.pass_by(seconds)
        clocks.wall += 1
        assert pace.is_even


@pytest.mark.parametrize("jump", [6 * HOUR, -6 * HOUR, 60 * 24 * HOUR])
def test_after_a_jump_the_clock_is_not_trusted_until_all_calls_are_over(jump: float) -> None:
    """Neither at once nor hours later, but again after the longest call."""
    clocks = Clocks()
    pace = clocks.pace()
    clocks.wall += jump
    assert not pace.is_even
    clocks.pass_by(4 * HOUR)
    assert not pace.is_even
    clocks.pass_by(HOUR)
    assert pace.is_even


def test_a_clock_that_is_set_back_is_another_jump() -> None:
    """A minute of a wrong date costs hours of sweeping, and no key."""
    clocks = Clocks()
    pace = clocks.pace()
    clocks.wall += 60 * 24 * HOUR
    assert not pace.is_even
    clocks.pass_by(60)
    clocks.wall -= 60 * 24 * HOUR
    assert not pace.is_even
