"""What sends mail: relays, the sender before them, and what it must know of all processes."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from adapters.smtp.composing.press import Press
from adapters.smtp.delivery.relay import Relay
from adapters.smtp.delivery.settings import RelayConfig
from adapters.smtp.sending.guard import Guard
from adapters.smtp.sending.jobs import Jobs
from adapters.smtp.sending.posts import RelayPost
from adapters.smtp.sending.recall import KEPT_SECONDS, Recall
from adapters.smtp.sending.sender import Process, Sender
from adapters.smtp.sending.singles import Singles
from adapters.storage.database import Connection
from adapters.storage.mail.campaigns.reader import CampaignReader
from adapters.storage.mail.reader import MailReader
from adapters.storage.outbox import OutboxReader
from adapters.storage.sqlite import Sqlite
from gateway.config import Address, Smtp
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.recipients import Suppression
from gateway.domain.values import SECOND, first_id
from gateway.main.mail.keys import MailKeys
from gateway.main.parts import Chore, Deps
from gateway.ports import Lane
from gateway.usecases.mail.campaign_steps import advance
from gateway.usecases.mail.sending import Beat, beat

_WATCH_SECONDS = 0.1
_IDLE_SECONDS = 0.5
"""Between two looks at who stopped and what was cancelled, while mails are sent and while not."""

_OVERLAP = KEPT_SECONDS * SECOND
"""Ids are made before a unit runs, by the clock of who runs it, and committed later: so far back
each look goes once more."""

_BEAT_SECONDS = 3.0
_STEP_SECONDS = 0.5
_DRAIN_SECONDS = 10.0
_REST_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """What sends mail, while it is open."""

    recall: Recall
    """Whoever stops somebody notes it here before they are answered."""
    sender: Sender
    singles: Singles
    relays: dict[str, Relay]
    chores: dict[str, Chore]


@asynccontextmanager
async def sending(deps: Deps, config: Smtp, keys: MailKeys) -> AsyncIterator[Outgoing]:
    """Open for as long as the daemon runs. At the end what is on the wire gets its answers, and
    what is not goes back into the store.
    """
    log = structlog.get_logger("gateway.mail")
    recall = Recall()
    guard = Guard(recall, _list_of(deps), deps.clock, time.monotonic)
    heart = _Heart(deps)
    async with Press(config.compose_processes) as press:
        public_url = deps.config.public_url
        takes_mail = deps.config.smtp_in is not None
        singles = Singles(
            store=deps.store,
            press=press,
            guard=guard,
            keys=keys.get,
            clock=deps.clock,
            public_url=public_url,
            takes_mail=takes_mail,
        )
        configs = relay_configs(config, public_url)
        async with Sender(
            store=deps.store,
            jobs=Jobs(
                store=deps.store,
                press=press,
                keys=keys.get,
                public_url=public_url,
                takes_mail=takes_mail,
            ),
            guard=guard,
            singles=singles,
            process=Process(ids=deps.ids, owner=heart.owner, clock=deps.clock, log=log),
            least=2 * sum(each.connections for each in configs),
        ) as sender:
            relays = Relays(configs, sender)
            try:
                relays.start()
                yield Outgoing(
                    recall=recall,
                    sender=sender,
                    singles=singles,
                    relays=relays.running,
                    chores={
                        "mail-watch": _watching(deps, guard, sender),
                        "mail-beat": heart.beat,
                        "mail-campaigns": _stepping(deps, sender),
                    },
                )
            finally:
                await relays.stop()


class Relays:
    """Keeps a relay's connections at work, each with a post of the sender's."""

    def __init__(self, configs: Sequence[RelayConfig], sender: Sender) -> None:
        self._configs = configs
        self._sender = sender
        self._tasks: list[asyncio.Task[None]] = []
        self.running: dict[str, Relay] = {}
        self._log = structlog.get_logger("gateway.mail")

    def start(self) -> None:
        """Begin."""
        for config in self._configs:
            post = self._sender.post()
            self._tasks.append(asyncio.create_task(self._keep(config, post), name=config.name))

    async def stop(self) -> None:
        """Let what is on the wire be answered, then end."""
        await asyncio.gather(*(relay.drain(_DRAIN_SECONDS) for relay in self.running.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, config: RelayConfig, post: RelayPost) -> None:
        def troubled(answer: Answer) -> None:
            # Without a reply its text is a word of ours: `refused`, `timeout` …
            why = {"code": answer.code} if answer.code else {"reason": answer.text}
            said = {"relay": config.name, "stage": answer.stage, **why}
            self._log.warning("a relay does not take mail", **said)

        def recovered(failures: int) -> None:
            self._log.info("a relay takes mail again", relay=config.name, failures=failures)

        while True:
            rng = random.Random()  # noqa: S311 - it spreads pauses, and guards nothing
            relay = Relay(config, post, rng=rng, troubled=troubled, recovered=recovered)
            self.running[config.name] = relay
            post.failures = lambda relay=relay: relay.failures  # type: ignore[misc]  # bound at once, on purpose
            try:
                await relay.run()
            except Exception as error:  # noqa: BLE001 - one relay's fault is not the others' end
                self._log.error("a relay failed", relay=config.name, exc_info=error)
                await asyncio.sleep(_REST_SECONDS)
            else:
                return


class _Heart:
    """Says that this process lives, and takes over from those that do not."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._has_beaten = False

    def owner(self) -> int | None:
        """The number of this process's start, once it has said that it lives."""
        return self._deps.store.start_number if self._has_beaten else None

    async def beat(self) -> None:
        """Every few seconds; what others left behind is held a piece at a time."""
        owner, deps = self._deps.store.start_number, self._deps
        if owner is None:
            await asyncio.sleep(_WATCH_SECONDS)
            return
        # SQLite lets one daemon at a time near its file.
        alone = not self._has_beaten and isinstance(deps.database, Sqlite)
        while held := await deps.store.run(beat, Beat(owner, deps.clock(), alone), Lane.BACKGROUND):
            deps.log.warning("mails are in doubt: their process has died", mails=held)
        self._has_beaten = True
        await asyncio.sleep(_BEAT_SECONDS)


def relay_configs(config: Smtp, public_url: str) -> list[RelayConfig]:
    """The relays that are configured."""
    host = public_url.partition("://")[2].partition(":")[0]
    return [
        RelayConfig(
            name=str(address),
            host=address.host,
            port=address.port,
            helo=config.helo or host or "localhost",
            tls=config.tls,
            ca_file=str(config.tls_ca_file or ""),
            username=config.username,
            password=config.password or "",
            connections=config.connections,
            messages_per_connection=config.messages_per_connection,
        )
        for address in _once((config.relay, *config.relays))
    ]


def _once(addresses: Sequence[Address]) -> list[Address]:
    return list(dict.fromkeys(addresses))


def _list_of(deps: Deps) -> Callable[[str], MailList | None]:
    def find(list_: str) -> MailList | None:
        return deps.store.entity(MailList, list_)

    return find


def _watching(deps: Deps, guard: Guard, sender: Sender) -> Chore:
    """Know within a tenth of a second who stopped, and what was cancelled or halted, anywhere."""
    dialect = deps.database.dialect
    campaigns, mail, outbox = CampaignReader(dialect), MailReader(dialect), OutboxReader(dialect)

    def look(
        connection: Connection, after: int
    ) -> tuple[Sequence[Campaign], Sequence[Suppression], frozenset[str]]:
        # The stops last: what is stopped while the others are read is among them.
        active, halted = campaigns.active(connection), outbox.stopped(connection)
        return active, mail.suppressed_since(connection, after), halted

    async def chore() -> None:
        asked_at = time.monotonic()
        after = first_id(deps.clock() - _OVERLAP)
        active, stops, halted = await deps.store.read(look, after)
        were = {id_ for id_, each in guard.campaigns.items() if guard.sends(each)}
        guard.note(stops)
        guard.seen(active, halted, asked_at)
        if any(guard.sends(each) and each.id not in were for each in guard.campaigns.values()):
            sender.wake()
        is_busy = sender.in_hand or any(each.state == "sending" for each in active)
        await asyncio.sleep(_WATCH_SECONDS if is_busy else _IDLE_SECONDS)

    return chore


def _stepping(deps: Deps, sender: Sender) -> Chore:
    """Take campaigns on whose next step is due."""
    reader = CampaignReader(deps.database.dialect)

    async def chore() -> None:
        await asyncio.sleep(_STEP_SECONDS)
        if await deps.store.read(reader.due, deps.clock()):
            while await deps.store.run(advance, deps.clock(), Lane.BACKGROUND):
                pass  # a unit at a time, each behind the webhooks that wait
            sender.wake()

    return chore
