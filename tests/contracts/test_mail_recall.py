"""Stops that another process took in are heeded here, before both engines."""

from pathlib import Path

import pytest

from adapters.smtp.simulator.sink import Sink
from gateway.domain.effects import NEVER
from gateway.domain.mail.recipients import Suppression
from gateway.domain.values import EVERYBODY, SECOND, first_id
from gateway.main.daemon import clock
from tests.support.campaigns import CampaignDesk, recipients
from tests.support.mail_lists import NEWS
from tests.support.mailing import outgoing
from tests.support.stores import Engine, eventually, on_a_loop


@pytest.mark.parametrize("behind", [-60, 60], ids=["a clock ahead", "late, or a clock behind"])
def test_a_stop_of_another_process_is_heeded_whenever_its_id_was_made(
    engine: Engine, tmp_path: Path, behind: int
) -> None:
    """A unit may wait before it is committed, and clocks of two machines differ a little."""
    desk = CampaignDesk(engine)
    (person,) = recipients(1)

    @on_a_loop
    async def story() -> None:
        async with Sink() as sink, outgoing(desk, sink, tmp_path) as out:
            at = clock() - behind * SECOND
            stop = Suppression(
                "acme", NEWS.id, person.hash, "", first_id(at), at, NEVER, "one_click"
            )
            with desk.transaction() as tx:
                tx.mail.suppressions.add(EVERYBODY, [stop])
            await eventually(lambda: out.recall.forbids("acme", NEWS.id, person.hash, "", clock()))

    story()
