"""What sends is wired up: it wakes, reads quotas, learns names, and can be halted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import config as configuration
from gateway.cli import main
from gateway.config import Config
from gateway.domain.effects import Effect
from gateway.domain.hours import month_of
from gateway.domain.line.channel import Channel
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Counted, Ids
from gateway.errors import Misconfigured, Permanent, Transient, Trouble
from gateway.main.effects import Effects
from gateway.main.outbox import Worker
from gateway.main.parts import Deps
from gateway.main.sending import Sending, clients, stop_sends
from gateway.main.shops import resend
from gateway.main.store import execute
from gateway.ports import Transaction
from gateway.ports.outbox import Claimed, Outcome
from gateway.usecases import outbox, quota
from gateway.usecases.calls import record
from gateway.usecases.outbox import Claim, Settle
from tests.adapters.line.sending_world import Lines, asked, ours, texts_of
from tests.adapters.line.simulator.world import World, in_world, until
from tests.support.calls import incoming, new_sid, voice
from tests.support.line import NOON, SHOP, USER
from tests.support.stores import PATIENCE, Engine, eventually, on_a_loop, sqlite, sqlite_template

__all__ = ["sqlite", "sqlite_template"]

QUOTA = "/v2/bot/message/quota"


class Warnings(Lines):
    """A log that also takes warnings."""

    def warning(self, event: str, /, **fields: object) -> None:
        self.errors.append({"event": event} | fields)


def configured(folder: Path, engine: Engine, world: World | None = None) -> Config:
    path = folder / "config.toml"
    url = world.platform.url if world else "https://api.line.me"
    path.write_text(
        'public_url = "https://gw.example.jp"\n'
        f'[storage]\nurl = "{engine.database().url}"\n'
        f'[line]\napi_url = "{url}"\ndata_api_url = "{url}"\n'
    )
    return configuration.load(path, {})


class Running:
    """All that sends, with its chores running."""

    def __init__(self, deps: Deps, sending: Sending, log: Warnings) -> None:
        self.deps = deps
        self.sending = sending
        self.log = log

    async def ask(self, kind: str, key: str, **payload: Any) -> None:
        now = self.deps.clock()
        body = msgspec.json.encode({"channel": "shop"} | payload).decode()
        effect = Effect(self.deps.ids.next(now), "acme", kind, key, body, now, "s", now)
        await self.deps.store.run(_add, effect)


def _add(tx: Transaction, effect: Effect) -> tuple[None, tuple[Counted, ...]]:
    tx.outbox.add(EVERYBODY, effect)
    return None, (Counted("acme", "line_events_total", ("message",)),)


@asynccontextmanager
async def running(
    world: World, engine: Engine, folder: Path, **channel: Any
) -> AsyncIterator[Running]:
    engine.provision(ours(world, **channel))
    config = configured(folder, engine, world)
    assert config.line is not None
    log = Warnings()
    database = engine.database()
    async with (
        engine.store(database=database) as store,
        clients(config.line) as made,
    ):
        deps = Deps(
            config=config,
            database=database,
            store=store,
            ids=Ids(4),
            clock=world.clock,
            log=log,
        )
        sending = Sending(deps, made)
        effects = Effects(deps, sending.part.handlers)
        store.on_effects = effects.wake
        chores = sending.part.chores | effects.part.chores

        async def again_and_again(name: str) -> None:
            while True:
                await chores[name]()

        tasks = [asyncio.create_task(again_and_again(name)) for name in chores]
        try:
            yield Running(deps, sending, log)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@in_world()
async def test_what_a_commit_asked_for_goes_out_at_once(
    world: World, sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody polls for it: the facts of the commit wake the worker."""
    async with running(world, sqlite, tmp_path) as r:
        await until(lambda: asked(world, QUOTA))
        monkeypatch.setattr("gateway.main.outbox._POLL_SECONDS", 10 * PATIENCE)
        await r.ask("line.push", "first", to=world.hana.user_id, messages=texts_of("first"))
        await until(lambda: world.hana.inbox)  # from here on nobody looks by themselves
        for number in range(5):
            to, said = world.hana.user_id, texts_of(f"{number}")
            await r.ask("line.push", f"{number}", to=to, messages=said)
            await until(lambda n=number: len(world.hana.inbox) > n + 1)  # type: ignore[misc]  # a default binds it


@in_world()
async def test_a_month_is_read_once_an_hour(world: World, sqlite: Engine, tmp_path: Path) -> None:
    """At the start, and when it has grown old."""
    world.channel.quota = 50
    async with running(world, sqlite, tmp_path):
        limit = "SELECT monthly_limit FROM line_quotas"
        await until(lambda: sqlite.rows(limit) == [(50,)])
        assert asked(world, QUOTA) == 1


@in_world()
async def test_a_month_that_is_used_up_is_read_anew_and_held(
    world: World, sqlite: Engine, tmp_path: Path
) -> None:
    """The platform's word decides how long: until the next reading where nothing is left."""
    async with running(world, sqlite, tmp_path) as r:
        await until(lambda: asked(world, QUOTA))
        world.channel.quota = 0
        to = world.hana.user_id
        await r.ask("line.push", "a", to=to, messages=texts_of("a"))
        await until(lambda: asked(world, QUOTA) == 2)
        await until(lambda: r.sending.sender.held("shop") > world.clock.now + 3000 * SECOND)
        world.channel.quota = 9
        await r.sending.quotas.refresh(ours(world))
        assert r.sending.sender.held("shop") == 0


@in_world()
async def test_what_is_promised_of_a_month_is_sent(
    world: World, sqlite: Engine, tmp_path: Path
) -> None:
    """A campaign that takes all that is left is not held up by its own promise."""
    world.channel.quota = 1
    async with running(world, sqlite, tmp_path) as r:
        await until(lambda: sqlite.rows("SELECT monthly_limit FROM line_quotas") == [(1,)])
        assert await r.deps.store.run(_reserve, (ours(world), world.clock()))
        kept = await r.sending.quotas.refresh(ours(world))
        assert (kept.left, r.sending.sender.held("shop")) == (0, 0)
        to = world.hana.user_id
        await r.ask("line.push", "a", to=to, messages=texts_of("a"), reserved="2026-11")
        await until(lambda: sqlite.rows("SELECT spent, reserved FROM line_quotas") == [(1, 0)])


def _reserve(tx: Transaction, wish: tuple[Channel, int]) -> tuple[bool, tuple[()]]:
    channel, now = wish
    return quota.reserve(tx, channel, 1, month_of(now)), ()


@in_world()
async def test_wrong_credentials_are_told_once_an_hour(
    world: World, sqlite: Engine, tmp_path: Path
) -> None:
    """With the channel and the reason, and no secret."""
    async with running(world, sqlite, tmp_path, channel_secret="wrong" * 6) as r:
        await until(lambda: r.log.errors)
        r.sending.quotas.look()
        await asyncio.sleep(0.05)
        assert r.log.errors == [
            {"event": "a quota is not told", "channel": "shop", "reason": "platform_refused"}
        ]


@in_world()
async def test_a_new_friend_is_greeted_by_name(
    world: World, sqlite: Engine, tmp_path: Path
) -> None:
    """The name is asked for first, since it was asked for first."""
    async with running(world, sqlite, tmp_path) as r:
        user = world.hana.user_id
        await r.deps.store.run(_befriended, user)
        token = (await world.hana.say("やあ")).event["replyToken"]
        await r.ask("line.profile", "p", user=user)
        said = texts_of("{name}さん、ようこそ")
        await r.deps.store.run(_reply, (world.clock(), user, token, said))
        await until(lambda: world.hana.inbox)
        assert world.hana.inbox[0].message["text"] == f"{world.hana.person.name}さん、ようこそ"


def _befriended(tx: Transaction, user: str) -> tuple[None, tuple[()]]:
    tx.line.save(EVERYBODY, Friend("shop", user, 5, "acme", 1))
    return None, ()


def _reply(tx: Transaction, given: tuple[int, str, str, Any]) -> tuple[None, tuple[()]]:
    now, user, token, said = given
    payload = {"channel": "shop", "user": user, "token": token, "messages": said}
    body = msgspec.json.encode(payload).decode()
    end = now + 50 * SECOND
    effect = Effect(1 << 62, "acme", "line.reply", "r", body, now, "s", now, end)
    tx.outbox.add(EVERYBODY, effect)
    return None, ()


@in_world()
async def test_a_greeting_does_not_wait_for_a_name_for_long(
    world: World, sqlite: Engine, tmp_path: Path
) -> None:
    """A platform that tells no profiles costs two attempts, and the name."""
    async with running(world, sqlite, tmp_path) as r:
        world.platform.faults.fail(probability=1.0, path="/v2/bot/profile")
        await r.ask("line.profile", "p", user=world.hana.user_id)
        state = "SELECT state, attempts FROM outbox"
        await until(lambda: sqlite.rows(state) == [("waiting", 1)])
        world.clock.turn(seconds=1)
        await until(lambda: sqlite.rows(state) == [("dead", 2)])


@in_world()
async def test_halting_reaches_a_running_daemon(
    world: World, sqlite: Engine, tmp_path: Path
) -> None:
    """By the command beside it, and so does resuming."""
    async with running(world, sqlite, tmp_path) as r:
        config, to = r.deps.config, world.hana.user_id
        assert await asyncio.to_thread(stop_sends, config, "acme")
        await until(lambda: r.sending.is_halted("acme"))
        await r.ask("line.push", "a", to=to, messages=texts_of("a"))
        await until(lambda: sqlite.rows("SELECT due_at FROM outbox")[0][0] > world.clock.now)
        assert await asyncio.to_thread(stop_sends, config, "acme", resume=True)
        await until(lambda: not r.sending.is_halted("acme"))
        assert world.hana.inbox == []
        world.clock.turn(seconds=10)
        r.deps.store.on_effects()
        await until(lambda: world.hana.inbox)


def test_halting_nobody_is_told(sqlite: Engine, tmp_path: Path) -> None:
    """An advertiser that is not there was not halted; all are by no name."""
    config = configured(tmp_path, sqlite)
    with pytest.raises(Misconfigured, match="acne"):
        stop_sends(config, "acne")
    assert stop_sends(config, None)
    assert sqlite.rows("SELECT advertiser, by FROM send_stops") == [("*", "command")]
    assert stop_sends(config, None, resume=True)
    assert not stop_sends(config, None, resume=True)


@pytest.mark.parametrize("push_instead", [True, False])
def test_a_person_sends_a_late_reply_again_where_a_push_may_take_its_place(
    sqlite: Engine, tmp_path: Path, push_instead: bool
) -> None:
    """The command asks the channel, as it is provisioned."""
    config = configured(tmp_path, sqlite)
    shop = msgspec.structs.replace(SHOP, push_instead=push_instead, push_cap=9)
    sqlite.provision(shop)
    body = msgspec.json.encode({"channel": shop.id, "user": USER, "messages": []}).decode()
    late = Effect(7, "acme", "line.reply", "late", body, NOON, give_up_at=NOON)
    execute(config, _add, late)
    sqlite.rows("UPDATE outbox SET state = 'dead' RETURNING id")
    if push_instead:
        resend(config, late.id, NOON + 1)
    else:
        with pytest.raises(Misconfigured, match="token"):
            resend(config, late.id, NOON + 1)
    state = "waiting" if push_instead else "dead"
    assert sqlite.rows("SELECT state FROM outbox") == [(state,)]


@on_a_loop
async def test_who_asks_for_effects_wakes_the_worker(sqlite: Engine) -> None:
    """And nobody else does: each wake is a look into the outbox."""
    woken = []
    async with sqlite.store() as store:
        store.on_effects = lambda: woken.append(1)
        await store.run(record, incoming(voice(new_sid())))
        assert woken == []
        await store.run(_add, Effect(1, "acme", "line.push", "key", "{}", 0))
        await eventually(lambda: woken == [1])


class Away:
    """A store that fails as a test says, and otherwise keeps what it is told."""

    def __init__(self, *troubles: Exception | None) -> None:
        self.troubles = list(troubles)
        self.settled: list[Outcome] = []
        self.claims = 0
        self.effects = [_claimed(1)]

    async def run(self, use_case: Any, argument: Any, lane: Any = None) -> Any:
        await asyncio.sleep(0)
        if use_case is outbox.claim:
            assert isinstance(argument, Claim)
            self.claims += 1
            effects, self.effects = self.effects, []
            return outbox.Handout(effects)
        assert isinstance(argument, Settle)
        if self.troubles and (trouble := self.troubles.pop(0)):
            raise trouble
        self.settled += [outcome for _, outcome in argument.outcomes]
        return len(argument.outcomes)


def _claimed(id_: int, attempts: int = 1) -> Claimed:
    return Claimed(id_, "acme", "a", f"{id_}", "{}", "", 0, 0, "", attempts, 0, 0)


async def _worked(store: Away, handler: Any, until_: Any) -> Lines:
    log = Lines()
    worker = Worker(
        store=store,  # type: ignore[arg-type]  # it needs nothing more of a store
        handlers={"a": handler},
        clock=lambda: 7,
        log=log,
    )
    task = asyncio.create_task(worker.run())
    await until(until_)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return log


async def _done(effect: Claimed) -> Outcome:
    return Outcome("done")


def test_who_cannot_settle_does_not_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own leases would run out meanwhile, and look like a dead worker's."""
    monkeypatch.setattr("gateway.main.outbox._REST_SECONDS", 0.02)
    store = Away(Transient(Trouble.STORE_DOWN), Transient(Trouble.STORE_DOWN))
    asyncio.run(_worked(store, _done, lambda: store.settled))
    assert store.settled == [Outcome("done")]
    assert store.claims <= 2


def test_what_cannot_be_settled_at_all_is_let_go() -> None:
    """It is logged; the lease runs out, and somebody tries again."""
    store = Away(Permanent(Trouble.STORE_FAULT))

    def is_over() -> bool:
        return not store.troubles

    log = asyncio.run(_worked(store, _done, is_over))
    assert [line["event"] for line in log.errors] == ["effects cannot be settled"]
    assert store.settled == []


@pytest.mark.parametrize(("attempts", "state"), [(1, "waiting"), (5, "unknown")])
def test_a_handlers_fault_ends_nobody_else(attempts: int, state: str) -> None:
    """It is logged and tried a few times more; then nobody knows what came of it: it is counted."""
    store = Away()
    store.effects = [_claimed(1, attempts), _claimed(2, attempts)]

    async def handler(effect: Claimed) -> Outcome:
        if effect.id == 1:
            raise ZeroDivisionError
        return Outcome("done")

    log = asyncio.run(_worked(store, handler, lambda: len(store.settled) == 2))
    assert {outcome.state for outcome in store.settled} == {"done", state}
    counted = [fact for outcome in store.settled for fact in outcome.facts]
    is_over = state == "unknown"
    assert counted == [Counted("acme", "put_aside_total", ("effect",))] * is_over
    assert [line["kind"] for line in log.errors] == ["a"]


def test_a_worker_that_ends_settles_what_is_under_way() -> None:
    """Whoever was just sending is waited for."""
    store = Away()
    begun = asyncio.Event()

    async def slow(effect: Claimed) -> Outcome:
        begun.set()
        await asyncio.sleep(0.05)
        return Outcome("done")

    asyncio.run(_worked(store, slow, begun.is_set))
    assert store.settled == [Outcome("done")]


def test_a_worker_ends_while_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be settled does not keep the process from ending."""
    monkeypatch.setattr("gateway.main.outbox._REST_SECONDS", 0.02)
    monkeypatch.setattr("gateway.main.outbox._DRAIN_SECONDS", 0.2)
    store = Away(*[Transient(Trouble.STORE_DOWN)] * 1_000)

    async def ended() -> None:
        async with asyncio.timeout(PATIENCE):
            await _worked(store, _done, lambda: len(store.troubles) < 1_000)

    asyncio.run(ended())
    assert store.settled == []


class Behind(Away):
    """A store that has more to look at than it did at its first claims."""

    async def run(self, use_case: Any, argument: Any, lane: Any = None) -> Any:
        if use_case is outbox.claim and self.claims < 9:
            self.claims += 1
            return outbox.Handout((), is_behind=True)
        return await super().run(use_case, argument, lane)


def test_who_is_told_to_come_again_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found in the way was put aside; what may go is behind it."""
    monkeypatch.setattr("gateway.main.outbox._POLL_SECONDS", 3600.0)
    store = Behind()
    asyncio.run(_worked(store, _done, lambda: store.settled))
    assert store.claims >= 10


def test_the_help_of_the_halt_names_all_that_it_halts(capsys: pytest.CaptureFixture[str]) -> None:
    """Pushes, mail campaigns and trials; and what goes on."""
    with pytest.raises(SystemExit):
        main(["stop-sends", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "halt pushes, mail campaigns and trials within a second" in said
    assert "replies and confirmations go on" in said
