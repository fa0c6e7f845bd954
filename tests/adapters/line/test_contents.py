"""Contents are fetched from the platform onto the disk, whole or not at all."""

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from adapters.line.contents import AT_ONCE, ContentClient, Fetcher
from adapters.storage.content_folder import ContentFolder
from gateway import config
from gateway.domain.line.channel import Channel
from gateway.domain.line.contents import Content
from gateway.domain.values import EVERYBODY, SECOND, Ids
from gateway.main import inbox
from gateway.main.chores import Pace
from gateway.main.parts import Deps
from gateway.ports import Transaction
from gateway.ports.contents import ContentSource
from gateway.usecases import contents
from tests.adapters.line.content_desk import DAY, PNG, Desk, desk
from tests.adapters.line.sending_world import Hand, ours, tokens_of
from tests.adapters.line.simulator.world import World, in_world
from tests.support.stores import PATIENCE, Engine, on_a_loop, sqlite_engine


def fetching(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test with the platform and a desk."""

    def run(sqlite_template: Path, tmp_path: Path) -> None:
        async def play(world: World) -> None:
            client = ContentClient(world.session, world.platform.url, tokens_of(world, Hand()))
            engine = sqlite_engine(sqlite_template, tmp_path)
            async with desk(engine, tmp_path, ours(world), client, world.clock.now) as made:
                await test(world, made)

        in_world()(play)()

    run.__doc__ = test.__doc__
    run.__name__ = test.__name__
    return run


def sent(telling: Any) -> str:
    """The id of a message that a friend sent."""
    return str(telling.event["message"]["id"])


@fetching
async def test_a_picture_is_kept_as_it_was_sent(world: World, desk: Desk) -> None:
    """Whole, for its owner alone, with what it is; the row says so, and it is counted."""
    message = sent(world.hana.send_image(PNG, "text/html"))
    await desk.ask(message)
    assert (await desk.row(message)).state == "waiting"
    assert (await desk.fetch(message)).state == "done"
    row = await desk.row(message)
    assert (row.state, row.media_type, row.bytes) == ("kept", "image/png", len(PNG))
    assert row.sha256 == hashlib.sha256(PNG).hexdigest()
    assert row.fetched_at == desk.now
    path = desk.folder / row.path
    assert path.read_bytes() == PNG
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert desk.files == [message]
    assert desk.counted == {"kept": 1}


@fetching
async def test_what_is_being_prepared_is_asked_for_again(world: World, desk: Desk) -> None:
    """Later and later, until it is there."""
    message = sent(world.hana.send_video(transcoding=60))
    await desk.ask(message, "video")
    for attempts, pause in ((1, 2), (4, 16), (40, 600)):
        outcome = await desk.fetch(message, attempts=attempts)
        assert (outcome.state, outcome.error) == ("waiting", "preparing")
        assert outcome.due_at == desk.now + pause * SECOND
    world.clock.turn(seconds=61)
    assert (await desk.fetch(message)).state == "done"
    assert (await desk.row(message)).state == "kept"


@fetching
async def test_what_is_gone_is_not_asked_for_again(world: World, desk: Desk) -> None:
    """The platform has it no more, or never had it; or the channel is ours no more."""
    for message in (sent(world.hana.send_image()), "4711"):
        if message != "4711":
            world.channel.contents[message].gone = True
        await desk.ask(message)
        outcome = await desk.fetch(message)
        assert (outcome.state, outcome.error) == ("dead", "missing")
        row = await desk.row(message)
        assert (row.state, row.why) == ("gone", "missing")
    assert (await desk.fetch("4711")).state == "done"  # it was settled: nothing is asked
    assert desk.files == []
    assert desk.counted == {"missing": 2}


@fetching
async def test_what_is_too_large_is_not_kept(world: World, desk: Desk) -> None:
    """Not even a part of it."""
    desk.most = len(PNG) - 1
    message = sent(world.hana.send_image(PNG))
    await desk.ask(message)
    assert (await desk.fetch(message)).state == "dead"
    assert (await desk.row(message)).why == "too_large"
    assert desk.files == []


@fetching
async def test_a_platform_in_trouble_is_asked_later(world: World, desk: Desk) -> None:
    """After errors, at rate limits, and for lost answers; until it makes no sense any more."""
    message = sent(world.hana.send_image())
    await desk.ask(message)
    faults = world.platform.faults
    switches: tuple[Callable[[], None], ...] = (
        lambda: faults.fail(status=500, probability=1.0),
        lambda: faults.fail(status=429, probability=1.0),
        lambda: faults.cut_before(probability=1.0),
        lambda: faults.lose_answers(probability=1.0),
    )
    for switch in switches:
        switch()
        outcome = await desk.fetch(message)
        assert outcome.state == "waiting"
        assert outcome.error in ("platform_down", "platform_busy")
        faults.clear()
    faults.fail(1, 503)
    desk.now += 4 * DAY * SECOND
    assert (await desk.fetch(message)).state == "dead"
    assert (await desk.row(message)).why == "missing"


@fetching
async def test_a_revoked_token_is_replaced(world: World, desk: Desk) -> None:
    """The second attempt has a new one."""
    message = sent(world.hana.send_image())
    await desk.ask(message)
    fetcher = desk.fetcher()
    world.platform.faults.fail(1, 401)
    assert (await fetcher.carry_out(desk.effect(message))).state == "waiting"
    assert (await fetcher.carry_out(desk.effect(message))).state == "done"


class Slow(ContentSource):
    """A source whose contents come when the test lets them."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.asked: list[str] = []

    @asynccontextmanager
    async def opened(
        self, channel: Channel, message_id: str
    ) -> AsyncIterator[AsyncIterator[bytes] | None]:
        self.asked.append(message_id)

        async def pieces() -> AsyncIterator[bytes]:
            yield b"GIF89a"
            await self.let.wait()
            yield b"rest"

        yield pieces()


def slowly(test: Callable[[Desk, Slow], Awaitable[None]]) -> Callable[..., None]:
    """A test with a slow source, and no time to wait for it."""

    def run(sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("adapters.line.contents._LOOK_SECONDS", 0.01)
        channel = Channel("shop", "acme", "1", "x")

        @on_a_loop
        async def play() -> None:
            source = Slow()
            async with desk(sqlite, tmp_path, channel, source, 10**15) as made:
                await test(made, source)

        play()

    run.__doc__ = test.__doc__
    run.__name__ = test.__name__
    return run


async def finished(desk: Desk, fetcher: Fetcher, message: str) -> None:
    """Look at a content until it is fetched; each look waits a moment itself."""
    async with asyncio.timeout(PATIENCE):
        while (await fetcher.carry_out(desk.effect(message))).state != "done":
            pass


@slowly
async def test_a_long_one_outlives_its_attempt(desk: Desk, source: Slow) -> None:
    """It goes on meanwhile; whoever looks again finds it done, and it is fetched once."""
    await desk.ask("1")
    fetcher = desk.fetcher()
    for _ in range(3):
        outcome = await fetcher.carry_out(desk.effect("1"))
        assert (outcome.state, outcome.tried) == ("waiting", False)
    source.let.set()
    await finished(desk, fetcher, "1")
    row = await desk.row("1")
    assert (row.state, row.media_type, row.bytes) == ("kept", "image/gif", 10)
    assert source.asked == ["1"]


@slowly
async def test_few_are_fetched_at_once(desk: Desk, source: Slow) -> None:
    """The others wait, without an attempt being counted; so do all while there is no room."""
    fetcher = desk.fetcher()
    for number in range(AT_ONCE + 1):
        await desk.ask(str(number))
        outcome = await fetcher.carry_out(desk.effect(str(number)))
        assert (outcome.state, outcome.tried) == ("waiting", False)
    assert source.asked == [str(number) for number in range(AT_ONCE)]
    desk.room = False
    await desk.ask("more")
    other = desk.fetcher()
    assert (await other.carry_out(desk.effect("more"))).state == "waiting"
    assert "more" not in source.asked


@slowly
async def test_what_is_taken_back_meanwhile_does_not_stay(desk: Desk, source: Slow) -> None:
    """Nor is it asked for if it was taken back before."""
    await desk.ask("1")
    await desk.ask("2")
    fetcher = desk.fetcher()
    await fetcher.carry_out(desk.effect("1"))

    def take_back(tx: Transaction, message: str) -> tuple[None, Any]:
        return None, contents.unsent(tx, desk.channel, message)

    await desk.store.run(take_back, "1")
    await desk.store.run(take_back, "2")
    source.let.set()
    await finished(desk, fetcher, "1")
    assert (await fetcher.carry_out(desk.effect("2"))).state == "done"
    assert source.asked == ["1"]
    assert desk.files == []
    for message in ("1", "2"):
        row = await desk.row(message)
        assert (row.state, row.why) == ("gone", "unsent")


@slowly
async def test_a_file_of_a_process_that_died_does_not_stay(desk: Desk, source: Slow) -> None:
    """It had its name, and nobody was told of it: it goes, whether the message was taken back since
    or the platform has it no more.
    """
    source.let.set()
    for message in ("1", "2"):
        await desk.ask(message)
        left = desk.folder / desk.channel.id / message
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"GIF89arest")
    await desk.store.run(lambda tx, m: (None, contents.unsent(tx, desk.channel, m)), "1")
    assert (await desk.fetch("1")).state == "done"
    assert desk.files == ["2"]
    desk.engine.provision(removed=[desk.channel])
    await desk.store.run(lambda tx, _: (None, ()), None)
    outcome = await desk.fetch("2")
    assert (outcome.state, outcome.error) == ("dead", "missing")
    assert desk.files == []


@slowly
async def test_a_process_that_ends_leaves_nothing_half(desk: Desk, source: Slow) -> None:
    """No part of a file; the next process fetches it anew."""
    await desk.ask("1")
    fetcher = desk.fetcher()
    await fetcher.carry_out(desk.effect("1"))
    await fetcher.close()
    assert desk.files == []
    source.let.set()
    await finished(desk, desk.fetcher(), "1")
    assert desk.files == ["1"]


@slowly
async def test_what_a_dead_process_left_is_removed(desk: Desk, source: Slow) -> None:
    """Once nobody can be writing to it any more; what is being written, and what is kept, stays."""
    folder = ContentFolder(desk.folder)
    assert await folder.tidy() == 0  # nothing was ever written
    await desk.ask("1")
    source.let.set()
    await finished(desk, desk.fetcher(), "1")
    os.utime(desk.folder / desk.channel.id / "1", (0, 0))
    source.let.clear()
    await desk.ask("2")
    await desk.fetch("2")
    (written,) = (desk.folder / ".parts").iterdir()
    left = written.with_name(f"{desk.channel.id}.3.4711")
    left.write_bytes(b"GIF89a")
    assert await folder.tidy() == 0  # a process may be at it
    os.utime(left, (0, 0))
    assert await folder.tidy() == 1
    assert desk.files == sorted(["1", written.name])


@slowly
async def test_a_disk_that_fails_is_tried_again(desk: Desk, source: Slow) -> None:
    """Nothing is settled, and what was begun is gone."""
    await desk.ask("1")
    source.let.set()
    desk.folder.parent.joinpath("blocked").write_bytes(b"")
    blocked = desk.fetcher(ContentFolder(desk.folder.parent / "blocked"))
    async with asyncio.timeout(PATIENCE):
        while not (outcome := await blocked.carry_out(desk.effect("1"))).tried:
            pass
    assert (outcome.state, outcome.error) == ("waiting", "store_down")
    assert (await desk.row("1")).state == "waiting"


def _save(tx: Transaction, content: Content) -> tuple[None, tuple[()]]:
    tx.contents.save(EVERYBODY, content)
    return None, ()


def test_the_daemon_takes_away_what_is_old(
    sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row and file, after the days that are configured; what is younger stays."""
    monkeypatch.setattr("gateway.main.inbox._LOOK_SECONDS", 0)
    monkeypatch.setattr(Pace, "is_even", True)  # forty days pass in no time
    (tmp_path / "config.toml").write_text(
        'public_url = "https://gw.example.jp"\n[line]\n[retention]\nline_content_days = 30\n'
    )
    configured = config.load(tmp_path / "config.toml", {})

    @on_a_loop
    async def play() -> None:
        folder = configured.storage.state_dir
        channel = Channel("shop", "acme", "1", "x")
        source = Slow()
        source.let.set()
        async with desk(sqlite, folder, channel, source, 10**15) as made:
            deps = Deps(
                config=configured,
                database=sqlite.database(),
                store=made.store,
                ids=Ids(3),
                clock=lambda: made.now,
                log=structlog.get_logger("test"),
            )
            async with inbox.contents(deps, source) as part:
                carry_out = part.handlers["line.content"]
                for message in ("old", "new"):
                    await made.ask(message)
                    assert (await carry_out(made.effect(message))).state == "done"
                    made.now += 20 * DAY * SECOND
                assert made.files == ["new", "old"]
                # One that cannot be removed, as it is none, keeps no other from going.
                (made.folder / "shop" / "stuck").mkdir()
                held = await made.row("old")
                stuck = msgspec.structs.replace(held, message_id="stuck", path="shop/stuck")
                await made.store.run(_save, stuck)
                await part.chores["contents"]()
            assert made.files == ["new"]
            assert (await made.row("stuck")).state == "removing"
            assert (await made.row("old")).why == "expired"
            assert (await made.row("new")).state == "kept"

    play()
