"""All that sends mail, before a simulated server, in one process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from adapters.smtp.simulator.sink import Sink
from adapters.storage.database import Database
from gateway.config import load
from gateway.domain.values import Ids
from gateway.main.chores import running
from gateway.main.daemon import clock
from gateway.main.effects import Effects
from gateway.main.mail.keys import MailKeys
from gateway.main.mail.sending import Outgoing, sending
from gateway.main.parts import Deps
from tests.support.campaigns import CampaignDesk
from tests.support.stores import Recorder

CONFIG = """
public_url = "https://gw.example.jp"
[smtp]
relay = "127.0.0.1:{port}"
relays = "{relays}"
connections = {connections}
compose_processes = 0
tls = "off"
[smtp_in]
domain = "bounce.example.jp"
"""


@asynccontextmanager
async def outgoing(
    desk: CampaignDesk,
    sink: Sink,
    folder: Path,
    connections: int = 4,
    *,
    others: Sequence[Sink] = (),
    database: Database | None = None,
    observer: Recorder | None = None,
) -> AsyncIterator[Outgoing]:
    """A process that sends through ``sink``, and through ``others``."""
    file = folder / "config.toml"
    relays = ", ".join(f"127.0.0.1:{other.port}" for other in others)
    file.write_text(CONFIG.format(port=sink.port, relays=relays, connections=connections))
    config = load(file, {})
    assert config.smtp is not None
    database = database or desk.engine.database()
    async with desk.engine.store(observer, database) as store:
        deps = Deps(
            config=config,
            database=database,
            store=store,
            ids=Ids(5),
            clock=clock,
            log=structlog.get_logger("test"),
        )
        async with sending(deps, config.smtp, MailKeys(store)) as out:
            effects = Effects(deps, out.singles.handlers)
            store.on_effects = effects.wake
            async with running(out.chores | effects.part.chores):
                yield out
