"""What was sent leaves the memory at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.simulator.sink import Sink
from gateway.main.daemon import clock
from gateway.usecases.mail import campaigns
from tests.support.campaigns import CampaignDesk, recipients
from tests.support.mailing import outgoing
from tests.support.stores import Engine, eventually, on_a_loop

MANY = 200


@contextmanager
def without_collector() -> Iterator[None]:
    """Nothing but the end of the last reference frees anything."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_a_letter_that_was_sent_is_freed_without_the_collector(
    engine: Engine, tmp_path: Path
) -> None:
    """No message is part of a cycle: a million of them would pile up between two collections."""
    desk = CampaignDesk(engine)
    desk.now = clock()
    desk.allow()
    desk.enlist(*recipients(MANY))

    @on_a_loop
    async def story() -> None:
        campaign = desk.ask(campaigns.schedule, desk.create())
        async with Sink() as sink, outgoing(desk, sink, tmp_path) as out:
            with without_collector():
                await eventually(lambda: desk.figures(campaign).get("sent") == MANY)
                await eventually(lambda: not out.sender.in_hand)
                assert sum(isinstance(each, Envelope) for each in gc.get_objects()) < MANY // 10

    story()
