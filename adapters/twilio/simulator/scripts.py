"""Endless calls for loads and demonstrations."""

import random
from collections.abc import Iterator, Sequence

from adapters.twilio.simulator.played import Scenario, Script

_WITHHELD = ("anonymous", "+266696687")
_WITHHELD_SHARE = 0.08
_REGULARS = 200
"""Callers that come again, so that repeat callers can be seen."""

_MIX: dict[Scenario, int] = {
    "answered": 60,
    "no_answer": 12,
    "busy": 8,
    "first_busy_then_answered": 8,
    "caller_gives_up": 9,
    "failed": 3,
}
"""How often each scenario comes, in percent."""


def random_caller(rng: random.Random) -> str:
    """A mobile number of Japan that may have called before, or a withheld one."""
    if rng.random() < _WITHHELD_SHARE:
        return rng.choice(_WITHHELD)
    digits = rng.randrange(_REGULARS) if rng.random() < 0.5 else rng.randrange(10**8)
    return f"+8190{digits:08d}"


def random_scripts(
    numbers: Sequence[str], seed: int, *, ring: int = 20, talk: int = 90
) -> Iterator[Script]:
    """Endless calls to ``numbers``; the same seed gives the same ones.

    Targets ring for up to ``ring`` seconds; conversations last ``talk`` seconds on average, and
    never four times as long.
    """
    rng = random.Random(seed)
    scenarios, weights = list(_MIX), list(_MIX.values())
    while True:
        yield Script(
            scenario=rng.choices(scenarios, weights)[0],
            to=rng.choice(numbers),
            caller=random_caller(rng),
            ring=rng.randint(1, ring),
            talk=min(4 * talk, int(rng.expovariate(1 / talk)) + 1),
        )
