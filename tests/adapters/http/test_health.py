"""What load balancers and supervisors ask."""

import asyncio
from typing import get_args

import pytest
from multidict import CIMultiDict

from adapters.http.health import Readiness, routes
from gateway.ports import Answer, Request


def ask(path: str, state: Readiness) -> Answer:
    """What ``path`` answers in ``state``."""
    [route] = [route for route in routes(lambda: state) if route.path == path]
    request = Request("GET", path, "", CIMultiDict(), b"", 0, "r-1")

    async def answer() -> Answer:
        return await route.handler(request)

    return asyncio.run(answer())


@pytest.mark.parametrize("state", get_args(Readiness))
def test_readiness_says_its_word_and_is_200_while_calls_are_taken(state: Readiness) -> None:
    """``/readyz`` is 503 before the start and in the drain, and 200 ready or degraded."""
    answer = ask("/readyz", state)
    assert answer.body.decode().strip() == state
    assert answer.status == (200 if state in {"ready", "degraded"} else 503)


@pytest.mark.parametrize("state", get_args(Readiness))
def test_a_process_that_answers_is_alive(state: Readiness) -> None:
    """``/healthz`` is 200 whatever the readiness: a restart would not help."""
    assert ask("/healthz", state).status == 200
