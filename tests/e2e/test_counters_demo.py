"""After a run of the demonstration every counter says what the store says, and what the simulated
platforms did.
"""

import asyncio
import json
import sqlite3
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from adapters.twilio.simulator import random_scripts
from gateway import main as wiring
from gateway.config import Config
from gateway.demo import Stage, staged
from gateway.domain.mail.tokens import Named, sealed
from gateway.domain.values import EVERYBODY
from gateway.main.mail.world import list_mail
from metrics.registry import BY_NAME
from tests.e2e.conftest import NewDaemon
from tests.support.carrier import TimedCarrier
from tests.support.counters import NET, NOT_KEPT, OF_THE_PROCESS, STORE, Key, is_kept, series, told
from tests.support.daemon import NUMBERS, PATIENCE, measured, wait_for

CALLS = 60
LEAST_SECONDS = 6
LIFE = (
    "SELECT 1 FROM calls WHERE result = 'answered' AND settled_at IS NOT NULL",
    "SELECT 1 FROM coupon_tickets WHERE state = 'used'",
    "SELECT 1 FROM coupon_tickets WHERE state = 'issued'",
    "SELECT 1 FROM cards",
    "SELECT 1 FROM survey_sessions WHERE state = 'done'",
    "SELECT 1 FROM friend_tags",
    "SELECT 1 FROM pushes WHERE sent > 0",
    "SELECT 1 FROM pushes WHERE state = 'done'",
    "SELECT 1 FROM card_points WHERE how = 'qr'",
    "SELECT 1 FROM mail_bounces WHERE class = 'complaint'",
    "SELECT 1 FROM mail_bounces WHERE class = 'user_unknown'",
    "SELECT 1 FROM mail_sends WHERE state = 'failed'",
    "SELECT 1 FROM mail_figures WHERE name = 'click'",
    "SELECT 1 FROM mail_figures WHERE name = 'open'",
    "SELECT 1 FROM line_contents WHERE state = 'kept'",
)
"""What must have happened before a run may end."""

MOVES = {
    "calls_total": ("answered",),
    "call_ring_seconds_total": (),
    "call_talk_seconds_total": (),
    "call_outcomes_total": ("pending",),
    "line_events_total": ("follow", "message"),
    "line_messages_total": ("sent",),
    "coupons_total": ("issued", "used", "undone", "voided"),
    "line_menus_total": ("created",),
    "card_points_total": ("qr", "manual", "undo"),
    "cards_total": ("started",),
    "line_tags_total": ("added", "removed"),
    "line_pushes_total": ("done", "cancelled"),
    "link_clicks_total": ("bot",),
    "mail_responses_total": ("click", "open"),
    "mail_signups_total": ("asked", "already", "confirmed"),
    "survey_answers_total": ("offered", "answered"),
    "line_contents_total": ("kept",),
    "mail_messages_total": ("sent", "failed"),
    "mail_bounces_total": ("user_unknown", "complaint"),
    "mail_recipients": (),
}
"""Metrics, and values of their last labels, of which a run must show some: nothing is equal to
nothing, too.
"""

Shown = dict[Key, float]


def test_every_metric_has_its_truth() -> None:
    """Each metric of the registry is in SQL, or in a list that says why it cannot be, and none is
    there that the registry does not have.
    """
    known = STORE.keys() | NET.keys() | NOT_KEPT.keys() | OF_THE_PROCESS.keys()
    assert known == BY_NAME.keys()
    assert not OF_THE_PROCESS.keys() & (STORE.keys() | NET.keys())
    for metric, reasons in NOT_KEPT.items():
        values = list(BY_NAME[metric].labels.values())[-1]
        assert reasons.keys() <= {"*", *values}
        assert (metric in STORE) == ("*" not in reasons)


@pytest.mark.process
@pytest.mark.slow
def test_counters_say_what_the_store_says(tmp_path: Path) -> None:
    """Calls, LINE, cards, coupons and mail are played with duplicates and disorder, and some is
    corrected by hand: then each series of each advertiser is what SQL finds, and webhooks are
    counted as the platforms were answered. Both forms of both pages say the same.
    """
    asyncio.run(_played_and_compared(tmp_path / "demo"))


@pytest.mark.process
@pytest.mark.slow
def test_what_was_spooled_is_counted_once(new_daemon: NewDaemon) -> None:
    """While the store is away webhooks go to the spool, and some come twice: replayed later, each
    call is counted as often as SQL has it, its talk to the second, and as much is replayed as was
    spooled. How long it rang may be counted short: what is replayed after the settlement moves no
    counter.
    """
    daemon = new_daemon()
    daemon.run()

    async def play() -> None:
        scripts = islice(random_scripts(NUMBERS, 5), CALLS)
        async with TimedCarrier(daemon, seed=5, speed=100, duplicates=0.2) as carrier:
            running = asyncio.create_task(carrier.run(scripts, rate=20))
            with daemon.locked():
                await asyncio.to_thread(daemon.wait_until, "degraded")
                await asyncio.sleep(1)  # the length of the outage is what is tried
            await running

    asyncio.run(play())
    daemon.wait_until("ready")
    spooled = daemon.metric("spool_events_total")
    assert spooled > 10
    wait_for(lambda: daemon.metric("spool_replayed_total") == spooled, "some were not replayed")
    [settled] = daemon.rows(
        "SELECT COUNT(*), SUM(COALESCE(talk_seconds, 0)) FROM calls WHERE settled_at IS NOT NULL"
    )
    names = ("calls_total", "call_talk_seconds_total")
    counted = [daemon.metric(name, "/metrics/advertisers") for name in names]
    assert counted == list(settled)
    assert counted[0] > CALLS / 2
    measured(f"{counted[0]:.0f} calls counted, {spooled:.0f} events spooled")


async def _played_and_compared(folder: Path) -> None:
    async with staged(folder) as stage:
        end = asyncio.Event()
        playing = asyncio.create_task(stage.show.play(end))
        await asyncio.gather(
            asyncio.sleep(LEAST_SECONDS), asyncio.to_thread(_wait_for_life, stage.config, playing)
        )
        end.set()
        await playing
        posted = await Hands(stage).do()
        store = Store(stage.config)
        await asyncio.to_thread(_wait_until_equal, stage.config, store)
        shown = await asyncio.to_thread(_shown, stage.config)
        _compare_webhooks(stage, shown, posted)
    measured(f"{sum(map(is_kept, shown))} series of {len(STORE)} metrics are equal")
    for metric, values in MOVES.items():
        for value in values or ("",):
            of_value = [shown[key] for key in shown if key[0] == metric and key[-1].endswith(value)]
            assert sum(of_value) > 0, f"{metric} {value}: none happened"


def _wait_for_life(config: Config, playing: "asyncio.Task[None]") -> None:
    store = Store(config)
    deadline = time.monotonic() + PATIENCE
    while missing := [query for query in LIFE if not store.rows(query)]:
        assert not playing.done(), playing.exception()
        assert time.monotonic() < deadline, missing
        time.sleep(0.1)


def _wait_until_equal(config: Config, store: "Store") -> None:
    """Gauges are read every few seconds; counters have no reason to move any more."""
    deadline = time.monotonic() + PATIENCE
    while wrong := list(_differences(_shown(config), store)):
        assert time.monotonic() < deadline, "\n".join(wrong)
        time.sleep(0.5)


class Store:
    """The store of a demonstration, read beside its daemon."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._path = config.storage.url.removeprefix("sqlite:///")

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def told(self) -> dict[Key, int]:
        records = list(wiring.list_calls(self._config, EVERYBODY, since=0, limit=None))
        return told({metric: self.rows(query) for metric, query in STORE.items()}, records)


def _differences(shown: Shown, store: Store) -> Iterator[str]:
    has = store.told()
    advertisers = [id_ for (id_,) in store.rows("SELECT id FROM advertisers")]
    for metric in STORE:
        labels = BY_NAME[metric].labels
        is_closed = all(values or name == "advertiser" for name, values in labels.items())
        known = set(series(metric, advertisers)) if is_closed else set[Key]()
        known |= {key for key in shown.keys() | has.keys() if key[0] == metric}
        for key in sorted(known):
            if is_kept(key) and shown.get(key, 0) != has.get(key, 0):
                yield f"{key}: {shown.get(key)} counted, the store has {has.get(key, 0)}"
    for metric, (more, less, query) in NET.items():
        kept = dict(store.rows(query))
        for whose in advertisers:
            net = shown[metric, whose, more] - shown[metric, whose, less]
            if net != kept.get(whose, 0):
                yield f"{metric} of {whose}: {net} counted, the store has {kept.get(whose, 0)}"
    for key, value in shown.items():
        if key[0] in ("sims", "billed_yen_total", "put_aside_total", "observer_faults_total"):
            assert value == 0, key


def _shown(config: Config) -> Shown:
    """All series of both pages but histograms' buckets, the same in both forms."""
    shown: Shown = {}
    for page in ("/metrics", "/metrics/advertisers"):
        plain = _page(config, page, text)
        # Of the process, some move from one page to the next; a mail may still be on its way.
        deadline = time.monotonic() + PATIENCE
        while page != "/metrics" and plain != (precise := _page(config, page, openmetrics)):
            assert time.monotonic() < deadline, plain.items() ^ precise.items()
            plain = _page(config, page, text)
        shown |= plain
    return shown


def _page(config: Config, page: str, parse: Callable[[str], Any]) -> Shown:
    accept = "application/openmetrics-text;version=1.0.0" if parse is openmetrics else "text/plain"
    request = urllib.request.Request(
        f"http://127.0.0.1:{config.metrics.listen.port}{page}", headers={"Accept": accept}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - our own
        assert answer.headers["Content-Type"].startswith(accept.partition(";")[0])
        families = list(parse(answer.read().decode()))
    shown: Shown = {}
    for family in families:
        for sample in family.samples:
            name = sample.name.removeprefix("gateway_")
            metric = BY_NAME.get(name) or BY_NAME.get(name.removesuffix("_count"))
            if metric is not None:
                labels = (sample.labels[label] for label in metric.labels)
                assert shown.setdefault((name, *labels), sample.value) == sample.value
    return shown


# --- what people do by hand, and what others do amiss ---


class Hands:
    """What nobody does in the demonstration by itself."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._store = Store(stage.config)
        self._session = stage.platform.session
        self._public = wiring.address_of(stage.config)
        self._posted: Counter[Key] = Counter()

    async def do(self) -> Counter[Key]:
        """All of it; what went to the public listener: provider, route and status."""
        now = time.time_ns() // 1000
        token = wiring.create_token(self._stage.config, "operator", [], name="test", created_at=now)
        self._headers = {"Authorization": f"Bearer {token}"}
        await self._coupons()
        await self._cards()
        await self._friends()
        await self._sign_up()
        await self._amiss()
        return self._posted

    async def _coupons(self) -> None:
        used = self._one("SELECT id FROM coupon_tickets WHERE state = 'used'")
        await self._api("POST", f"/coupons/tickets/{used}/undo")
        issued = self._one("SELECT id FROM coupon_tickets WHERE state = 'issued'")
        await self._api("POST", f"/coupons/tickets/{issued}/void")

    async def _cards(self) -> None:
        friend = self._one("SELECT friend FROM cards WHERE state = 'active'")
        path = f"/cards/sakura-card/holders/{friend}/points"
        await self._api("POST", path, {"points": 1, "reason": "忘れた"})
        entry = self._one("SELECT id FROM card_points WHERE how = 'manual'")
        await self._api("POST", f"{path}/{entry}/undo")

    async def _friends(self) -> None:
        friend, tag = self._store.rows("SELECT friend, tag FROM friend_tags")[0]
        await self._api("PUT", f"/friends/{friend}/tags/seen")
        await self._api("DELETE", f"/friends/{friend}/tags/{tag}")
        push = {
            "channel": "sakura-shop",
            "everyone": True,
            "messages": [{"type": "text", "text": "また今度"}],
            "at": (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds"),
        }
        pushed = json.loads(await self._api("POST", "/pushes", push))
        await self._api("POST", f"/pushes/{pushed['id']}/cancel")
        code = self._one("SELECT code FROM link_codes WHERE origin = ''")
        crawler = {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
        path = f"{self._public}/r/{code}"
        async with self._session.get(path, headers=crawler, allow_redirects=False) as response:
            assert response.status == 302

    async def _sign_up(self) -> None:
        """A new reader, who confirms, and asks once more."""
        for _ in range(2):
            asked = {"address": "newcomer@example.com"}
            where = ("pages", "mail_signup", "POST", "/s/sakura-news")
            await self._public_(200, *where, data=asked)
            signup = self._one("SELECT id FROM mail_signups ORDER BY id DESC")
            if self._one("SELECT COUNT(*) FROM mail_signups") == 1:
                keys = (await asyncio.to_thread(list_mail, self._stage.config)).keys
                token = sealed(Named(0, signup), keys.signup)
                await self._public_(200, *where[:3], f"{where[3]}?t={token}", data={})

    async def _amiss(self) -> None:
        """Webhooks that are not signed, or not rightly."""
        for _ in range(3):
            await self._public_(403, "twilio", "voice", "POST", "/twilio/voice", data={"To": "1"})
        wrong = {"X-Line-Signature": "d3Jvbmc="}
        await self._public_(
            403, "line", "webhook", "POST", "/line/sakura-shop", data=b"{}", headers=wrong
        )

    def _one(self, query: str) -> Any:
        return self._store.rows(query)[0][0]

    async def _api(self, method: str, path: str, body: Any = None) -> bytes:
        url = f"http://127.0.0.1:{self._stage.config.admin.listen.port}/api/v1{path}"
        async with self._session.request(method, url, json=body, headers=self._headers) as response:
            answer = await response.read()
            assert response.ok, (path, answer)
            return answer

    async def _public_(
        self, status: int, provider: str, route: str, method: str, path: str, **more: Any
    ) -> None:
        async with self._session.request(
            method, self._public + path, allow_redirects=False, **more
        ) as response:
            assert response.status == status, await response.text()
        self._posted[provider, route, str(status)] += 1


# --- webhooks ---

_ROUTES = {"open": "mail_open", "click": "mail_link", "stop": "mail_stop"}


def _compare_webhooks(stage: Stage, shown: Shown, posted: Counter[Key]) -> None:
    """What was counted is what the platforms sent and were answered."""
    answered = posted.copy()
    for played in stage.show.called:
        for post in played.posts:
            assert post.status is not None, post
            answered["twilio", post.url.rpartition("/")[2], str(post.status)] += 1
    for webhook in stage.platform.posts:
        answered["line", "webhook", str(webhook.status)] += 1
    for deed in stage.show.deeds:
        route = _ROUTES.get(deed.what)
        where = ("pages", route) if route else ("smtp", "mail")
        answered[*where, str(deed.status)] += 1
    compared = {key[:2] for key in answered}
    counted = {
        key[1:]: value
        for key, value in shown.items()
        if key[0] == "webhooks_total" and value and key[1:3] in compared
    }
    assert counted == answered
    for key in answered:
        of_route = sum(
            value for at, value in shown.items() if at[:3] == ("webhooks_total", *key[:2])
        )
        assert shown["webhook_seconds_count", *key[:2]] == of_route
    refused = Counter[Key]()
    for key, value in shown.items():
        if key[0] == "refusals_total" and key[3].startswith("signature_"):
            refused[key[1:3]] += int(value)
    assert +refused == {("twilio", "voice"): 3, ("line", "webhook"): 1}
    spooled = sum(value for key, value in shown.items() if key[0] == "spool_events_total")
    assert spooled == shown["spool_replayed_total",]
    assert shown["store_batch_size_count",] == shown["store_commit_seconds_count",]
