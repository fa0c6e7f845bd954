"""Where a webhook's time goes: processor time by layer, measured inside the daemon.

The daemon runs under ``python -m tests.bench.layers``, which wraps each layer's functions with the
clock of their thread. Time is counted for the innermost layer alone. A sampling profiler cannot
tell a thread that works in C without the GIL from one that waits.
"""

import json
import shutil
import sys
import threading
import time
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from gateway.config import Config
from tests.bench import servers, traffic
from tests.bench.load import measure
from tests.bench.rows import FEW, NOWHERE, Settings

_HTTP = "http: uvloop, aiohttp"
_WRITER = "store: the writer's Python"
_SQLITE = "SQLite: "


class _Thread(threading.local):
    """The layers that a thread is in, and since when it is in the innermost."""

    def __init__(self) -> None:
        self.stack = ["other threads"]
        self.since = time.thread_time()


class Layers:
    """Seconds of processor time by layer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.entered: dict[str, int] = defaultdict(int)
        self._local = _Thread()

    def bottom(self, layer: str) -> None:
        """Whatever this thread does outside of all other layers."""
        self._local.stack = [layer]

    def restart(self) -> None:
        self.seconds.clear()
        self.entered.clear()
        self._local.since = time.thread_time()

    def switch(self, layer: str | None) -> None:
        """Enter ``layer``, or with ``None`` leave the one entered last."""
        local = self._local
        now = time.thread_time()
        self.seconds[local.stack[-1]] += now - local.since
        if layer is None:
            local.stack.pop()
        else:
            local.stack.append(layer)
            self.entered[layer] += 1
        local.since = time.thread_time()  # what is between the two is our own

    @contextmanager
    def _within(self, layer: str) -> Iterator[None]:
        self.switch(layer)
        try:
            yield
        finally:
            self.switch(None)

    def wrap(self, owner: Any, name: str, layer: str) -> None:
        function = getattr(owner, name)
        wrapped = self._coroutine if iscoroutinefunction(function) else self._plain
        setattr(owner, name, wrapped(function, layer))

    def _plain(self, function: Callable[..., Any], layer: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.switch(layer)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch(None)

        return timed

    def _coroutine(self, function: Callable[..., Any], layer: str) -> Callable[..., Any]:
        """What a coroutine does while it runs, not what others do while it waits."""

        @types.coroutine
        def timed(*args: Any, **kwargs: Any) -> Any:
            coroutine = function(*args, **kwargs)
            step, given = coroutine.send, None
            while True:
                self.switch(layer)
                try:
                    waits_for = step(given)
                except StopIteration as stop:
                    return stop.value
                finally:
                    self.switch(None)
                try:
                    step, given = coroutine.send, (yield waits_for)
                except BaseException as error:  # noqa: BLE001 - it is handed on
                    step, given = coroutine.throw, error

        return timed


def profile(settings: Settings, what: str) -> str:
    """Load the daemon with ``what`` (``voice`` or ``line``), and tell where its time went."""
    folder = settings.folder / "profile"
    shutil.rmtree(folder, ignore_errors=True)
    is_line = what == "line"
    servers.prepare(folder, FEW, servers.shops() if is_line else (), NOWHERE)
    if is_line:
        servers.befriend(servers.config_of(folder))
    written = folder / "layers.json"
    command = [sys.executable, "-m", "tests.bench.layers", what, str(written)]
    supply = traffic.said(servers.SHOPS) if is_line else traffic.voices(servers.numbers(FEW))
    with servers.gateway(folder) as server, servers.bare(folder) as bare:
        server.wait_until_quiet()
        plain = measure(server, supply, settings.seconds)
        peer = measure(bare, supply, settings.seconds)
    with servers.gateway(folder, command) as server:
        measure(server, supply, settings.seconds)
    told = json.loads(written.read_text())
    layers: dict[str, float] = told["layers"]
    lines = [f"{'layer':44} {'µs':>6} {'share':>6}"]
    whole = sum(layers.values())
    for layer, micros in sorted(layers.items(), key=lambda item: -item[1]):
        lines.append(f"{layer:44} {micros:6.1f} {micros / whole:6.0%}")
    lines.append(f"{'all, of a request under these clocks':44} {whole:6.1f}")
    lines.append(f"{'all, of a request without them':44} {plain.cpu_us:6.1f}")
    lines.append(f"{'all, of a request of bare aiohttp':44} {peer.cpu_us:6.1f}")
    lines.append(f"requests in a transaction: {told['batch']:.1f}")
    return "\n".join(lines)


def _serve(what: str, written: Path, arguments: list[str]) -> int:
    """``gateway`` with ``arguments``, and at its end what its layers took."""
    # Imported here, so that whoever only asks for the profile does not load the daemon.
    from adapters.http.server import Listener  # noqa: PLC0415 - see above
    from adapters.line import routes as line  # noqa: PLC0415 - see above
    from adapters.storage.sqlite import SqliteConnection  # noqa: PLC0415 - see above
    from adapters.storage.store import SqlStore  # noqa: PLC0415 - see above
    from adapters.storage.transaction import StoreTransaction  # noqa: PLC0415 - see above
    from adapters.twilio import routes as twilio  # noqa: PLC0415 - see above
    from gateway import cli  # noqa: PLC0415 - see above
    from gateway import main as wiring  # noqa: PLC0415 - see above
    from metrics.observer import Metrics  # noqa: PLC0415 - see above

    layers = Layers()
    wrap = layers.wrap
    work = SqlStore._work
    door: Any = line.Webhooks if what == "line" else twilio.Voice
    read = door._read
    reading = f"{what}: verify, parse"

    def begin_work(store: SqlStore) -> None:
        layers.bottom(_WRITER)
        work(store)

    def first_read(*args: Any) -> Any:
        """The first webhook: what came before it was the start."""
        layers.restart()
        door._read = read
        wrap(door, "_read", reading)
        return door._read(*args)

    setattr(SqlStore, "_work", begin_work)  # noqa: B010 - a method, as far as mypy knows
    door._read = first_read
    wrap(Listener, "_handle", "http: our edge")
    wrap(door, "answer", f"{what}: route")
    wrap(line if what == "line" else twilio, "record", f"{what}: record, decide")
    wrap(twilio, "render", "twilio: TwiML")
    wrap(StoreTransaction, "load", f"{what}: load")
    wrap(StoreTransaction, "flush", f"{what}: rows")
    wrap(SqlStore, "run", "store: the loop's side")
    wrap(SqlStore, "_settle", "store: the loop's side")
    wrap(SqliteConnection, "begin", _SQLITE + "begin")
    wrap(SqliteConnection, "rows", _SQLITE + "load")
    wrap(SqliteConnection, "write", _SQLITE + "write")
    wrap(SqliteConnection, "commit", _SQLITE + "commit")
    for name in ("webhook", "observe", "batch"):
        wrap(Metrics, name, "metrics")
    serve = wiring.serve

    def serve_and_tell(config: Config) -> None:
        serve(config)
        requests = max(1, layers.entered[reading])
        told = {
            "layers": {layer: 1e6 * took / requests for layer, took in layers.seconds.items()},
            "batch": requests / max(1, layers.entered[_SQLITE + "write"]),
        }
        written.write_text(json.dumps(told))

    setattr(wiring, "serve", serve_and_tell)  # noqa: B010 - as above
    layers.bottom(_HTTP)
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
