"""The daemon: everything is opened and closed here, by hand, in one ``async with``."""

import asyncio
import gc
import resource
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import structlog
import uvloop

from adapters.http import health
from adapters.http.server import SILENT, Limits, Listener
from adapters.smtp.sending.recall import Recall
from adapters.storage.spool import FileSpool
from adapters.storage.store import SqlStore
from adapters.twilio import routes as twilio
from adapters.twilio.webhook import Verifier
from gateway import __version__
from gateway.config import Config
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.values import SECOND
from gateway.errors import Misconfigured, Transient
from gateway.main import halts, line
from gateway.main.api import api_chores, api_routes
from gateway.main.chores import State, chores, running
from gateway.main.effects import Effects
from gateway.main.host import host_chores
from gateway.main.mail import api as mail_api
from gateway.main.mail import pages as mail_pages
from gateway.main.mail import part as mail
from gateway.main.mail import receiving as mail_in
from gateway.main.mail.keys import MailKeys
from gateway.main.parts import Deps, NewIds, Part
from gateway.main.reconciling import reconciling
from gateway.main.store import check_schema, database_of, is_disk_at_fault, spool_folder
from gateway.ports import Answer, Lane, Request, Route, Store
from gateway.usecases import calls
from metrics.exposition import Exposition
from metrics.observer import Metrics

_log = structlog.get_logger("gateway")


def clock() -> int:
    """Our own time, in microseconds."""
    return time.time_ns() // 1000


def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT, then drain.

    Raises:
        Misconfigured: the store or its schema is not fit to serve on.
        OSError: an address cannot be bound.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config))


async def _serve(config: Config) -> None:
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # a connection is a file
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with gateway(config) as ports:
        _log.info("ready", version=__version__, **ports)
        await stop.wait()
        _log.info("draining")
    _log.info("stopped")


@asynccontextmanager
async def gateway(config: Config) -> AsyncIterator[dict[str, int]]:
    """The daemon, from the first file opened to the last one closed; yields its ports."""
    database = database_of(config)
    metrics = Metrics(__version__, clock, config.metrics.max_advertisers)
    state = State(config.storage.state_dir)
    async with AsyncExitStack() as stack:
        database.guard()
        stack.callback(database.release)
        _check_if_reachable(config)
        store = await stack.enter_async_context(
            SqlStore(
                database,
                observer=metrics,
                cache=state.load(),
                on_routes=state.routes_changed,
                public_url=config.public_url,
            )
        )
        spool = await stack.enter_async_context(
            FileSpool(
                spool_folder(config),
                reserve=config.storage.spool_bytes,
                clock=clock,
                replay={"twilio": _replay(store)},
                ready=lambda: store.down is None,
            )
        )
        metrics.ensure(store.cache.advertisers)
        _gauges(metrics, store, spool, state)
        deps = Deps(
            config=config,
            database=database,
            store=store,
            ids=NewIds(store),
            clock=clock,
            log=structlog.get_logger("gateway"),
            observer=metrics,
        )
        parts = [_calls(deps, spool, metrics), reconciling(deps, metrics)]
        if config.line is not None:
            parts += await stack.enter_async_context(line.parts(deps, config.line))
        keys, recall = MailKeys(store), Recall()
        changed: Callable[[Campaign], object] = _nobody_sends
        if config.smtp is not None:
            opened = await stack.enter_async_context(mail.mail(deps, config.smtp, metrics))
            parts.append(opened.part)
            keys, recall, changed = opened.keys, opened.recall, opened.changed
        parts.append(mail_pages.pages(deps, keys, recall))
        parts.append(mail_api.part(deps, keys, recall=recall, changed=changed))
        parts += _effects(deps, parts)
        todo = chores(config, database, store, state, metrics, clock) | api_chores(deps)
        todo |= host_chores(config, database, metrics)
        if config.line is not None or config.smtp is not None:
            todo["halts"] = halts.telling(deps)
        for part in parts:
            todo |= part.chores
        await stack.enter_async_context(running(todo))
        listeners = _listeners(deps, parts, spool, state, metrics)
        # Closed in the reverse order: who asks how we are is answered until the end.
        for listener in reversed(listeners.values()):
            await listener.start()
            stack.push_async_callback(listener.stop, config.http.drain_seconds)
        incoming = await stack.enter_async_context(mail_in.mail_in(deps, keys, recall))
        gc.collect()
        gc.freeze()  # a hundred thousand routes are not looked through at each collection
        gc.set_threshold(10_000, 50, 50)  # requests leave next to no cycles behind
        state.readiness = "ready"
        yield {name: listener.port for name, listener in listeners.items()} | incoming
        state.readiness = "draining"


def _replay(store: Store) -> Callable[[bytes], Awaitable[object]]:
    async def replay(record: bytes) -> object:
        return await store.run(calls.record, twilio.unspooled(record), Lane.BACKGROUND)

    return replay


def _calls(deps: Deps, spool: FileSpool, metrics: Metrics) -> Part:
    """The webhooks of calls, where a carrier is configured."""
    config = deps.config
    if config.twilio is None:
        return Part()
    voice = twilio.Voice(
        store=deps.store,
        spool=spool,
        verifier=Verifier(
            config.public_url, config.twilio.auth_token, config.twilio.auth_token_previous
        ),
        ids=deps.ids.next,
        observer=metrics,
        public_url=config.public_url,
        log=structlog.get_logger("gateway.twilio"),
    )
    most = config.http.max_body_bytes
    return Part(public=[msgspec.structs.replace(r, max_body=most) for r in voice.routes()])


def _nobody_sends(_: Campaign) -> None:
    """Whom a changed campaign is told to where no mail is sent."""


def _effects(deps: Deps, parts: Sequence[Part]) -> list[Part]:
    """What carries out the effects that parts have handlers for, where there are any."""
    handlers = {kind: handler for part in parts for kind, handler in part.handlers.items()}
    if not handlers:
        return []
    effects = Effects(deps, handlers)
    deps.store.on_effects = effects.wake
    return [effects.part]


def _listeners(
    deps: Deps, parts: Sequence[Part], spool: FileSpool, state: State, metrics: Metrics
) -> dict[str, Listener]:
    def readiness() -> health.Readiness:
        if state.readiness == "ready" and (deps.store.down is not None or spool.waiting):
            return "degraded"
        return state.readiness

    config = deps.config
    public = [route for part in parts for route in part.public]
    endpoints = [endpoint for part in parts for endpoint in part.endpoints]
    exposition = Exposition(metrics)
    admin = [
        Route("GET", "/", _front_page, "admin", "front"),
        *api_routes(deps, exposition, endpoints),
        *(route for part in parts for route in part.admin),
    ]
    metrics.expect(public)
    metrics.gauge("ready", lambda: int(state.readiness == "ready"))
    limits = Limits(
        header_seconds=config.http.header_seconds,
        body_seconds=config.http.body_seconds,
        idle_seconds=config.http.idle_seconds,
        connections=config.http.max_connections,
    )
    served = {
        "public": (config.http.listen, public),
        "admin": (config.admin.listen, admin),
        "metrics": (config.metrics.listen, exposition.routes() + health.routes(readiness)),
    }
    return {
        name: Listener(
            (address.host, address.port),
            routes,
            # Scrapes and probes are no webhooks: a 503 of /readyz must raise no alarm on calls.
            observer=metrics if name == "public" else SILENT,
            clock=clock,
            log=structlog.get_logger("gateway.http"),
            limits=limits,
        )
        for name, (address, routes) in served.items()
    }


async def _front_page(request: Request) -> Answer:
    return Answer(f"Tsunagi {__version__}: the console comes in a later release.\n".encode())


def _gauges(metrics: Metrics, store: SqlStore, spool: FileSpool, state: State) -> None:
    def oldest() -> float:
        return 0.0 if spool.oldest is None else max(0.0, (clock() - spool.oldest) / SECOND)

    def outbox_oldest() -> dict[str, float]:
        now = clock()
        return {kind: max(0, now - due) / SECOND for kind, (_, due) in state.outbox.items()}

    metrics.gauge("store_up", lambda: int(store.down is None))
    metrics.gauge("store_queue_units", lambda: store.waiting)
    metrics.gauge("store_queue_oldest_seconds", store.oldest_wait)
    metrics.gauge("route_cache_age_seconds", lambda: time.time() - store.routes_checked)
    metrics.gauge("calls_in_progress", lambda: state.calls_in_progress)
    metrics.gauge("outbox_pending", lambda: {k: n for k, (n, _) in state.outbox.items()})
    metrics.gauge("outbox_oldest_seconds", outbox_oldest)
    metrics.gauge("spool_bytes", lambda: spool.bytes_waiting)
    metrics.gauge("spool_capacity_bytes", lambda: spool.capacity)
    metrics.gauge("spool_oldest_seconds", oldest)
    metrics.gauge("spool_dead_records", lambda: spool.dead)
    metrics.counter("spool_replayed_total", lambda: spool.replayed)


def _check_if_reachable(config: Config) -> None:
    """A start with the server down, or on a full disk, forwards from the snapshot; any other wrong
    is refused.
    """
    try:
        check_schema(config)
    except Transient as error:
        if config.storage.url.startswith("sqlite") and not is_disk_at_fault(error):
            raise Misconfigured([f"[storage] {config.storage.url}: {error.detail}"]) from error
        _log.error("starting without the store", error=error.detail)
