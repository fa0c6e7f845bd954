"""Prometheus itself over daemons that are killed, and with Alertmanager over the demonstration."""

import asyncio
import itertools
import math
import os
import signal
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.twilio.simulator import random_scripts
from gateway.domain.values import EVERYBODY, SECOND
from gateway.main import store as wiring
from tests.e2e.conftest import NewDaemon
from tests.e2e.test_demo import Demo, demonstrated
from tests.support.carrier import TimedCarrier
from tests.support.counters import STORE, told
from tests.support.daemon import NUMBERS, Daemon, measured, wait_for
from tests.support.dashboards import filled, queries
from tests.support.metrics import SERIES
from tests.support.prometheus import (
    PAGES,
    Prometheus,
    alertmanager,
    needs_prometheus,
    prometheus,
    receiver,
)

pytestmark = [pytest.mark.process, pytest.mark.slow, needs_prometheus]

CALLS = 80
SETTLED = ("calls_total", "call_ring_seconds_total", "call_talk_seconds_total")
LATE = 2 * SECOND
"""What is counted by a scrape was received before; its commit may take a moment."""

Figures = dict[str, dict[str, int]]


# --- two processes ---


@pytest.fixture
def pair(postgres_url: str, new_daemon: NewDaemon) -> tuple[Daemon, Daemon]:
    """Two daemons on one database."""
    one, other = new_daemon("one", postgres_url), new_daemon("other", postgres_url)
    one.run()
    other.start()
    other.wait_until("ready")
    return one, other


def test_sums_are_the_stores_though_a_process_is_killed(
    pair: tuple[Daemon, Daemon], tmp_path: Path
) -> None:
    """Two processes share the calls; one is killed, the other goes on, the first is back at its
    port: the counters' growth over both is what SQL finds. The kill comes after a scrape that
    saw all, or what moved since the last one would be lost to Prometheus, as with any counter.
    """
    one, other = pair
    ports = [daemon.metrics_port for daemon in pair]
    with prometheus(tmp_path / "prometheus", ports) as server:
        wait_until_scraped(server, *pair)
        play(1, *pair)
        wait_until_scraped(server, *pair)
        one.kill()
        play(2, other)
        before = server.number(started_at(one))
        one.start()
        one.wait_until("ready")
        # Before it counts anything: it stands at 0 then, and the fall is seen.
        wait_for(lambda: server.number(started_at(one)) > before, "the new process was not scraped")
        wait_until_scraped(server, *pair)
        play(3, *pair)
        wait_until_scraped(server, *pair)
        kept = in_store(one)
        assert exactly(server) == kept
        assert sum(kept["calls_total"].values()) > 2 * CALLS
        for metric in SETTLED:
            # What the dashboards ask reckons with what may have come between samples, too.
            shown = server.number(f"sum (increase(gateway_{metric}[1h]))")
            assert shown == pytest.approx(sum(kept[metric].values()), rel=0.2)


def test_a_kill_costs_what_no_scrape_saw(pair: tuple[Daemon, Daemon], tmp_path: Path) -> None:
    """Killed under load, a process takes with it what it counted since its last scrape: at most
    the calls that were settled after that. Sums are too small by it for ever, and never too large.
    """
    one, other = pair
    ports = [daemon.metrics_port for daemon in pair]
    with prometheus(tmp_path / "prometheus", ports) as server:
        wait_until_scraped(server, *pair)

        async def killed() -> int:
            async with TimedCarrier(*pair, seed=4) as carrier, carrier.calling(40) as played:
                counted = f'sum(gateway_calls_total{{instance="127.0.0.1:{one.metrics_port}"}})'
                await asyncio.to_thread(
                    wait_for, lambda: server.number(counted) > CALLS / 2, "it counts no calls"
                )
                await asyncio.sleep(0.7)  # into the time between two scrapes
                await asyncio.to_thread(one.kill)
                at = time.time_ns() // 1000
                await asyncio.sleep(0.5)
            return at if played else 0

        killed_at = asyncio.run(killed())
        seen_at = round(server.scraped_at(one.metrics_port) * SECOND)
        wait_until_scraped(server, other)
        while True:  # what is left of a call is settled by and by
            kept, counted = in_store(other), exactly(server)
            wait_until_scraped(server, other)
            if kept == in_store(other) and counted == exactly(server):
                break
        unseen = in_store(other, seen_at - LATE, killed_at)
        for metric in SETTLED:
            for label in kept[metric]:
                short = kept[metric][label] - counted[metric].get(label, 0)
                assert 0 <= short <= unseen[metric].get(label, 0), (metric, label)
        lost = {m: sum(kept[m].values()) - sum(counted[m].values()) for m in SETTLED}
        measured(f"killed {(killed_at - seen_at) / SECOND:.2f} s after a scrape: lost {lost}")


def play(seed: int, *daemons: Daemon) -> None:
    """Some calls, in turn to each daemon, some webhooks twice."""

    async def run() -> None:
        scripts = itertools.islice(random_scripts(NUMBERS, seed), CALLS)
        async with TimedCarrier(*daemons, seed=seed, duplicates=0.3) as carrier:
            await carrier.run(scripts, rate=math.inf, in_flight=32)

    asyncio.run(run())


def wait_until_scraped(server: Prometheus, *daemons: Daemon) -> None:
    """Wait for scrapes of all pages that began after now."""
    now = time.time()
    wait_for(
        lambda: all(server.scraped_at(daemon.metrics_port) > now for daemon in daemons),
        "no scrape came",
    )


def started_at(daemon: Daemon) -> str:
    return f'process_start_time_seconds{{instance="127.0.0.1:{daemon.metrics_port}"}}'


def exactly(server: Prometheus) -> Figures:
    return {metric: server.exact(f"gateway_{metric}") for metric in SETTLED}


def in_store(daemon: Daemon, since: int = 0, until: int = 2**62) -> Figures:
    """What the store says of calls that were settled in this time, of all advertisers together; by
    result, where there is one.
    """
    when = f"WHERE settled_at BETWEEN {since} AND {until} AND"
    rows = {metric: daemon.rows(STORE[metric].replace("WHERE", when, 1)) for metric in SETTLED}
    records = [
        record
        for record in wiring.list_calls(daemon.settings(), EVERYBODY, since=0, limit=None)
        if since <= (record.call.settled_at or -1) <= until
    ]
    found: Figures = {metric: {} for metric in SETTLED}
    for (metric, _, *label), amount in told(rows, records).items():
        if metric in found:
            of = label[0] if label else ""
            found[metric][of] = found[metric].get(of, 0) + amount
    return found


# --- the demonstration ---

WINDOW = "5m"
"""What Grafana would put into the dashboards' queries; a demonstration is younger."""

ADVERTISERS = 3
BY_ITSELF = "LineMessagesUnknown"
"""What the troubles of the demonstration raise again and again: answers that are lost."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """One that goes on until it is ended."""
    with demonstrated(tmp_path) as made:
        with suppress(AssertionError):  # the test tells what it said
            wait_for(lambda: "log-in" in made.said or made.process.poll() is not None, "")
        yield made


def test_prometheus_and_alertmanager_watch_the_demonstration(demo: Demo, tmp_path: Path) -> None:
    """With the sample configuration all pages are scraped, every query of every dashboard returns
    rows, every rule is evaluated, and alarms come to whoever Alertmanager tells: of what goes wrong
    in the demonstration, of webhooks without a signature, and of a daemon that is killed.
    """
    with (
        receiver() as (port, came),
        alertmanager(tmp_path / "alertmanager", port) as manager,
    ):
        ports = listeners(demo)
        with prometheus(
            tmp_path / "prometheus", [ports["metrics"]], every_ms=500, alertmanager=manager.port
        ) as server:
            assert_scraped(server)
            wait_for(demo.shows_life, "the demonstration shows nothing")
            assert_all_return_rows(server)
            assert_rules_are_well(server)
            wait_until_told(came, {BY_ITSELF, "SignaturesRefused"}, post_unsigned, ports["http"])
            assert "component" not in server.log.read_text(), "it warned"
            kill_daemon(demo)
            wait_until_told(came, {"NotReady"})
            assert demo.ended() == 1


def listeners(demo: Demo) -> dict[str, int]:
    """The ports of its daemon, by section."""
    read = tomllib.loads(demo.store.with_name("config.toml").read_text())
    return {
        name: int(section["listen"].rpartition(":")[2])
        for name, section in read.items()
        if isinstance(section, dict) and "listen" in section
    }


def post_unsigned(port: int) -> None:
    """Some more than a carrier does meanwhile."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/twilio/voice", b"To=1")
    for _ in range(20):
        with pytest.raises(urllib.error.HTTPError, match="403") as caught:
            urllib.request.urlopen(request)  # noqa: S310 - our own
        caught.value.close()


def assert_scraped(server: Prometheus) -> None:
    """All targets are up, and each page has samples."""

    def all_up() -> bool:
        targets = server.targets()  # none in the first seconds
        return bool(targets) and all(target["health"] == "up" for target in targets)

    wait_for(all_up, f"a target is not up: {server.targets()}")
    targets = server.targets()
    assert {target["labels"]["job"] for target in targets} == set(PAGES)
    assert [target["lastError"] for target in targets if target["lastError"]] == []
    shards = server.number('sum(scrape_samples_scraped{job="gateway-advertisers"})')
    assert shards == ADVERTISERS * SERIES
    assert server.number('scrape_samples_scraped{job="gateway"}') > 1_000


def assert_all_return_rows(server: Prometheus) -> None:
    """Every query of every panel and every variable, of each advertiser of the demonstration."""
    asked = {
        (each.dashboard, each.panel, filled(each.expr, "sakura-beauty", WINDOW))
        for each in queries()
    }
    assert len(asked) > 100
    empty: list[tuple[str, str, str]] = sorted(asked)

    def none_empty() -> bool:
        nonlocal empty
        empty = [each for each in empty if not server.query(each[2])]
        return not empty

    try:
        wait_for(none_empty, "")
    except AssertionError:
        pytest.fail("no rows: " + "\n".join(map(str, empty)))
    measured(f"{len(asked)} queries return rows")


def assert_rules_are_well(server: Prometheus) -> None:
    """Every rule was evaluated, without an error."""

    def evaluated() -> bool:
        return all(rule["health"] != "unknown" for rule in server.rules())

    wait_for(evaluated, "some rules are not evaluated")
    assert [
        (rule["name"], rule["lastError"]) for rule in server.rules() if rule["health"] != "ok"
    ] == []


def wait_until_told(
    came: list[Any], names: set[str], meanwhile: Callable[[int], None] | None = None, port: int = 0
) -> None:
    """Wait for alarms of ``names``; until then do ``meanwhile`` to a ``port`` again and again."""

    def told() -> set[str]:
        if meanwhile is not None:
            meanwhile(port)
        return {alert["labels"]["alertname"] for alert in came if alert["status"] == "firing"}

    wait_for(lambda: names <= told(), f"not told of all of {names}: {came}")
    for alert in came:
        assert alert["annotations"]["summary"]
        assert "{{" not in str(alert["annotations"])
    measured(f"told of {sorted({alert['labels']['alertname'] for alert in came})}")


def kill_daemon(demo: Demo) -> None:
    pid = demo.process.pid
    [daemon] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(daemon), signal.SIGKILL)
