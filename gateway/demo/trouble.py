"""What goes wrong on the platform's side: answers that are lost, and too many requests."""

import asyncio
import contextlib
from itertools import count

from gateway.demo.screen import Screen
from gateway.main.platform import Platform

_FIRST, _EVERY = 1.5, 8.0  # seconds
_LIMITED = 5  # requests


async def trouble(platform: Platform, screen: Screen, end: asyncio.Event) -> None:
    """Make trouble until ``end``: an answer lost now and then, and once a limit of the rate.

    A reply whose answer was lost cannot be repeated to find out whether it arrived; a push can,
    by its retry key.
    """
    for ordinal in count():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), _EVERY if ordinal else _FIRST)
        if end.is_set():
            return
        platform.faults.lose_answers(1, path="/v2/bot/message/reply")
        platform.faults.lose_answers(1, path="/v2/bot/message/multicast")
        screen.shop("LINE", "loses", "the answers to a reply and to a multicast")
        if ordinal == 0:
            platform.faults.fail(_LIMITED, 429)
            screen.shop("LINE", "limits", f"the rate: {_LIMITED} requests are put off")
