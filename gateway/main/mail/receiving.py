"""Incoming mail: the listener, and what is done with what it takes."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import structlog

from adapters.smtp.receiving.door import Limits
from adapters.smtp.receiving.inbound import Inbound
from adapters.smtp.receiving.intake import Intake
from gateway.main.mail.pages import lists
from gateway.main.parts import Deps
from gateway.ports.mail.pages import MailKeys, Recalls


@asynccontextmanager
async def mail_in(deps: Deps, keys: MailKeys, recall: Recalls) -> AsyncIterator[dict[str, int]]:
    """Incoming mail where it is configured, open for as long as the daemon runs; yields its port.
    What is being taken when it ends is answered first.

    Raises:
        OSError: the address is in use, or not ours.
    """
    config = deps.config.smtp_in
    if config is None:
        yield {}
        return
    with ThreadPoolExecutor(1, "mail-reading") as executor:
        intake = Intake(
            deps.store,
            keys=keys,
            recall=recall,
            domain=config.domain,
            domains=_Domains(deps),
            seed=lambda ids: deps.seed(deps.clock(), ids),
            observer=deps.observer,
            executor=executor,
        )
        inbound = Inbound(
            (config.listen.host, config.listen.port),
            intake,
            hostname=config.domain,
            observer=deps.observer,
            clock=deps.clock,
            log=structlog.get_logger("gateway.smtp"),
            limits=Limits(
                connections=config.max_connections,
                connections_of_one=config.max_connections_of_one,
                message_bytes=config.max_message_bytes,
                silent_seconds=config.silent_seconds,
                session_seconds=config.session_seconds,
            ),
        )
        await inbound.start()
        try:
            yield {"smtp_in": inbound.port}
        finally:
            await inbound.stop(deps.config.http.drain_seconds)


class _Domains:
    """The domains that lists' bounces come back to; counted anew where something was applied."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._version = -1
        self._domains: frozenset[str] = frozenset()

    def __call__(self) -> frozenset[str]:
        version = self._deps.store.cache.version
        if version != self._version:
            found = (each.bounce_domain.lower() for each in lists(self._deps))
            self._version, self._domains = version, frozenset(found)
        return self._domains
