"""Where a mail's time goes: processor time by layer, measured inside the daemon.

See :mod:`tests.bench.layers`. What composes and signs is a process of its own, told as a whole.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from adapters.smtp.composing.press import Press
from adapters.smtp.delivery.relay import Relay
from adapters.smtp.delivery.wire import Wire
from adapters.smtp.sending import sender as senders
from adapters.smtp.sending.jobs import Jobs
from adapters.smtp.sending.posts import RelayPost
from adapters.storage.sqlite import SqliteConnection
from adapters.storage.store import SqlStore
from adapters.storage.transaction import StoreTransaction
from gateway import cli
from gateway import main as wiring
from gateway.config import Config
from tests.bench import servers
from tests.bench.layers import Layers
from tests.bench.mail_rows import cpu_of_descendants, new_key, sent
from tests.bench.mail_sinks import smtp_sink
from tests.bench.mail_world import World
from tests.bench.rows import Settings

_A_SECOND = 3_000
_LOOP = "loop: uvloop, sockets"
_WRITER = "store: the writer's Python"
_SETTLED = "post: settle"
_EXCHANGE = "store: settle, claim"


def profile(settings: Settings, *, is_signed: bool) -> str:
    """Send a campaign, and tell where the daemon's time went."""
    folder = settings.folder / "profile-mail"
    shutil.rmtree(folder, ignore_errors=True)
    written = folder / "layers.json"
    command = [sys.executable, "-m", "tests.bench.mail_layers", str(written)]
    count = round(_A_SECOND * settings.seconds)
    with smtp_sink() as port:
        world = World(folder, count, port, pem=new_key() if is_signed else "").make()
        with servers.gateway(folder) as server:
            server.wait_until_quiet()
            before, composed_before = server.cpu_seconds(), cpu_of_descendants(server.pid)
            rate, _ = sent(world, world.begin(), server)
            plain = 1e6 * (server.cpu_seconds() - before) / count
            composed = 1e6 * (cpu_of_descendants(server.pid) - composed_before) / count
        with servers.gateway(folder, command) as server:
            server.wait_until_quiet()
            sent(world, world.begin(), server)
    told = json.loads(written.read_text())
    layers: dict[str, float] = told["layers"]
    lines = [f"{'layer':44} {'µs':>6} {'share':>6}"]
    whole = sum(layers.values())
    for layer, micros in sorted(layers.items(), key=lambda item: -item[1]):
        lines.append(f"{layer:44} {micros:6.1f} {micros / whole:6.0%}")
    lines.append(f"{'all, of a mail under these clocks':44} {whole:6.1f}")
    lines.append(f"{'all, of a mail without them':44} {plain:6.1f}")
    lines.append(f"{'the process that composes':44} {composed:6.1f}")
    lines.append(f"mails a second without the clocks: {rate:,.0f}")
    lines.append(f"letters in a transaction: {told['batch']:.1f}")
    return "\n".join(lines)


def _serve(written: Path, arguments: list[str]) -> int:
    """``gateway`` with ``arguments``, and at its end what its layers took."""
    layers = Layers()
    work = SqlStore._work
    sender: Any = senders.Sender
    take = sender._take

    def begin_work(store: SqlStore) -> None:
        layers.bottom(_WRITER)
        work(store)

    def first_take(self: Any, given: Any, claimed_at: Any) -> None:
        """The first letters: what came before them was the start."""
        if given.letters:
            layers.restart()
            sender._take = take
        take(self, given, claimed_at)

    setattr(SqlStore, "_work", begin_work)  # noqa: B010 - a method, as far as mypy knows
    sender._take = first_take
    for owner, name, layer in (
        (sender, "_run", "sender: rounds"),
        (sender, "_make", "sender: letters made"),
        (Jobs, "_part", "jobs: tokens, addresses"),
        (Press, "compose", "press: handing over"),
        (Press, "_make_away", "press: the pipe"),
        (Relay, "_feed", "relay: feeding"),
        (Wire, "data_received", "wire: replies, commands"),
        (Wire, "go_on", "wire: replies, commands"),
        (RelayPost, "take", "post: take, guard, pace"),
        (RelayPost, "settle", _SETTLED),
        (senders, "exchange", _EXCHANGE),
        (StoreTransaction, "flush", "store: rows of counts"),
        (SqlStore, "run", "store: the loop's side"),
        (SqlStore, "_settle", "store: the loop's side"),
    ):
        layers.wrap(owner, name, layer)
    for name in ("begin", "rows", "run", "write", "commit"):
        layers.wrap(SqliteConnection, name, f"SQLite: {name}")
    serve = wiring.serve

    def serve_and_tell(config: Config) -> None:
        serve(config)
        mails = max(1, layers.entered[_SETTLED])
        told = {
            "layers": {layer: 1e6 * took / mails for layer, took in layers.seconds.items()},
            "batch": mails / max(1, layers.entered[_EXCHANGE]),
        }
        written.write_text(json.dumps(told))

    setattr(wiring, "serve", serve_and_tell)  # noqa: B010 - as above
    layers.bottom(_LOOP)
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(_serve(Path(sys.argv[1]), sys.argv[2:]))
