"""The spool takes what the store cannot, keeps it, and gives it back once."""

import asyncio
import contextlib
import logging
import os
import resource
import stat
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from adapters.storage.spool import DEAD, FileSpool, resend_dead, waiting_in
from adapters.storage.spool.file import Record, SpoolFile
from gateway.errors import Permanent, Refusal, Refused, Transient, Trouble
from tests.support.stores import PATIENCE, eventually, on_a_loop

CHUNK = 1 << 20
NOW = 1_795_000_000_000_000


def opened(path: Path, *, create: bool = False, reserve: int = 0) -> SpoolFile:
    """The file at ``path``, which nobody else has."""
    file = SpoolFile.open(path, create=create, reserve=reserve)
    assert file is not None
    return file


def records(*bodies: bytes, kind: str = "twilio") -> list[Record]:
    """Records of one kind, spooled a microsecond after each other."""
    return [Record(kind, body, NOW + n) for n, body in enumerate(bodies)]


class Replay:
    """Takes what is replayed, unless a test has it do something else."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.ready = True
        self.first: Callable[[bytes], Awaitable[None]] | None = None

    async def __call__(self, body: bytes) -> None:
        if self.first is not None:
            await self.first(body)
        self.taken.append(body)


def spool(folder: Path, replay: Replay, **options: Any) -> FileSpool:
    """A spool in ``folder`` that looks around quickly."""
    clock = iter(range(NOW, NOW + 10**9))
    quick = {"reserve": 1, "look_seconds": 0.005, "adopt_seconds": 0.01}
    return FileSpool(
        folder,
        clock=lambda: next(clock),
        replay={"twilio": replay},
        ready=lambda: replay.ready,
        **{**quick, **options},
    )


# --- a file ---


@hypothesis.settings(max_examples=50)
@hypothesis.given(
    batches=st.lists(
        st.lists(
            st.builds(
                Record,
                st.text(st.characters(exclude_characters="\0", codec="utf-8")),
                st.binary(),
                st.integers(0, 2**64 - 1),
            )
        )
    )
)
def test_what_was_appended_is_there_after_a_reopen(
    batches: list[list[Record]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any records in any batches come back as they were, in their order."""
    path = tmp_path_factory.mktemp("spool") / "spool-1.log"
    file = opened(path, create=True)
    for batch in batches:
        file.append(batch)
    file.close()
    again = opened(path)
    assert again.waiting == [record for batch in batches for record in batch]
    again.remove()


@pytest.mark.parametrize("cut", [1, 30, 40])
def test_a_torn_tail_costs_the_torn_record_alone(tmp_path: Path, cut: int) -> None:
    """What a crash left half written is left out; what was synced before and after it is there."""
    path = tmp_path / "spool-1.log"
    file = opened(path, create=True)
    file.append(records(b"first" * 9))
    end = file.used + 16
    file.append(records(b"second" * 9))
    written = file.used + 16
    file.close()
    with path.open("r+b") as raw:
        raw.seek(max(end, written - cut))
        raw.write(bytes(min(cut, written - end)))
    file = opened(path)
    assert file.waiting == records(b"first" * 9)
    file.append(records(b"third"))
    file.close()
    assert opened(path).waiting == records(b"first" * 9) + records(b"third")


def test_a_damaged_record_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One flipped bit in the middle costs one record, and is in the log."""
    path = tmp_path / "spool-1.log"
    file = opened(path, create=True)
    file.append(records(b"first", b"second", b"third"))
    file.close()
    data = bytearray(path.read_bytes())
    data[data.index(b"second")] ^= 1
    path.write_bytes(data)
    with caplog.at_level(logging.ERROR, "gateway.spool"):
        assert [record.body for record in opened(path).waiting] == [b"first", b"third"]
    assert "spool-1.log: 1 damaged records were left out" in caplog.text


def test_a_voided_generation_never_comes_back(tmp_path: Path) -> None:
    """After a clear the old bytes are still in the file, and are no records any more."""
    path = tmp_path / "spool-1.log"
    file = opened(path, create=True)
    file.append(records(b"old 1", b"old 2", b"old 3"))
    file.clear()
    assert (file.left, file.used) == (0, 0)
    file.append(records(b"new 1"))  # as long as the first one: the second follows it in the file
    assert b"old 2" in path.read_bytes()
    file.close()
    assert opened(path).waiting == records(b"new 1")


def test_a_clear_that_fails_costs_no_later_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that may not be on the disk is written again before anything that relies on it."""
    path = tmp_path / "spool-1.log"
    file = opened(path, create=True)
    file.append(records(b"old"))

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", fail)
        with pytest.raises(OSError, match="Input/output"):
            file.clear()
        with pytest.raises(OSError, match="Input/output"):
            file.append(records(b"refused"))
    file.append(records(b"new"))
    file.close()
    assert opened(path).waiting == records(b"new")


def test_an_append_that_fails_counts_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be synced is overwritten by what comes next."""
    path = tmp_path / "spool-1.log"
    file = opened(path, create=True)

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            file.append(records(b"refused " * 10))
    assert file.left == 0
    file.append(records(b"kept"))
    file.close()
    assert opened(path).waiting == records(b"kept")


def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A file that is none of ours is named in the error, and not touched."""
    path = tmp_path / "spool-1.log"
    path.write_bytes(b"a letter to somebody else")
    with pytest.raises(OSError, match=r"spool-1\.log is no spool file: move it away"):
        SpoolFile.open(path, create=False)
    assert path.read_bytes() == b"a letter to somebody else"


def test_a_file_that_another_has_is_not_opened(tmp_path: Path) -> None:
    """One process a file; one that was taken away meanwhile is not opened either."""
    path = tmp_path / "spool-1.log"
    file = opened(path, create=True)
    assert SpoolFile.open(path, create=False) is None
    file.remove()
    with pytest.raises(FileNotFoundError):
        SpoolFile.open(path, create=False)


def test_the_name_of_a_new_file_is_durable_before_it_takes_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, records in a file that no folder leads to would be lost."""
    synced: list[bool] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    opened(tmp_path / "spool-1.log", create=True, reserve=1).close()
    assert True in synced
    synced.clear()
    (tmp_path / "spool-1.log").rename(tmp_path / DEAD)
    assert resend_dead(tmp_path) == 0
    assert synced == [True]


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask: the folder is 0700, its files are 0600."""
    former = os.umask(0)
    try:
        asyncio.run(_open_and_close(tmp_path / "var" / "spool"))
    finally:
        os.umask(former)
    folder = tmp_path / "var" / "spool"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


async def _open_and_close(folder: Path) -> None:
    async with spool(folder, Replay()):
        pass


# --- a full disk ---


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def refusal(awaited: Awaitable[None]) -> Trouble:
    """Why the spool refused."""
    with pytest.raises(Permanent) as refused:
        await awaited
    return refused.value.reason


@on_a_loop
async def test_a_spool_that_cannot_grow_takes_what_was_reserved(tmp_path: Path) -> None:
    """Up to the last reserved byte records are taken; then it says that it is full."""
    replay = Replay()
    replay.ready = False
    body = b"x" * 100_000
    async with spool(tmp_path, replay, reserve=CHUNK) as full:
        with largest_file(CHUNK):
            for _ in range(10):
                await full.append("twilio", body)
            assert await refusal(full.append("twilio", body)) is Trouble.SPOOL_FULL
            await full.append("twilio", b"a small one still has room")
        await full.append("twilio", body)  # the disk has room again
    assert waiting_in(tmp_path) == 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four MiB, where the machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no room on ``disk``."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))


@on_a_loop
async def test_a_full_disk_still_takes_records(small_disk: Path) -> None:
    """With no byte left on the disk, reserved space takes records, and they survive."""
    replay = Replay()
    replay.ready = False
    async with spool(small_disk / "spool", replay, reserve=CHUNK) as full:
        fill(small_disk)
        for n in range(10):
            await full.append("twilio", b"%d" % n * 100_000)
        assert await refusal(full.append("twilio", b"x" * 100_000)) is Trouble.SPOOL_FULL
    replay.ready = True
    async with spool(small_disk / "spool", replay):
        await eventually(lambda: len(replay.taken) == 10)
    assert replay.taken == [b"%d" % n * 100_000 for n in range(10)]


@on_a_loop
async def test_a_start_on_a_full_disk_refuses_until_there_is_room(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without reserved space nothing is taken; once there is room the space is reserved."""
    fill(small_disk)
    (small_disk / "spool").mkdir()
    caplog.set_level(logging.CRITICAL, "gateway.spool")
    replay = Replay()
    replay.ready = False
    async with spool(small_disk / "spool", replay) as late:
        assert await refusal(late.append("twilio", b"1")) is Trouble.SPOOL_FULL
        (small_disk / "filler").unlink()
        await eventually(lambda: late.capacity)
        await late.append("twilio", b"2")
        assert late.waiting == 1


# --- appends ---


@on_a_loop
async def test_appends_of_one_moment_share_their_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred records cost a few syncs, and all are there."""
    replay, syncs = Replay(), list[int]()
    replay.ready = False
    sync = os.fdatasync

    def count(descriptor: int) -> None:
        syncs.append(descriptor)
        sync(descriptor)

    async with spool(tmp_path, replay) as busy:
        monkeypatch.setattr(os, "fdatasync", count)
        await asyncio.gather(*(busy.append("twilio", b"%d" % n) for n in range(200)))
        assert busy.waiting == 200
    assert len(syncs) <= 3
    assert [r.body for r in opened(tmp_path / "spool-1.log").waiting] == [
        b"%d" % n for n in range(200)
    ]


@on_a_loop
async def test_whoever_goes_away_cancels_no_append(tmp_path: Path) -> None:
    """The record is kept although nobody waits for it any more."""
    replay = Replay()
    async with spool(tmp_path, replay) as one:
        gone = asyncio.create_task(one.append("twilio", b"1"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await eventually(lambda: replay.taken == [b"1"])


@on_a_loop
async def test_whatever_fails_is_told_to_whoever_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing disk, or a mistake of ours, refuses the record; the next one is taken."""
    replay = Replay()
    async with spool(tmp_path, replay) as one:
        for error in (OSError(5, "Input/output error"), LookupError("a mistake")):

            def fail(*_: object, error: Exception = error) -> None:
                raise error

            with monkeypatch.context() as broken:
                broken.setattr(SpoolFile, "append", fail)
                assert await refusal(one.append("twilio", b"1")) is Trouble.SPOOL_FAULT
        await one.append("twilio", b"2")
        await eventually(lambda: replay.taken == [b"2"])


@on_a_loop
async def test_a_closed_spool_refuses(tmp_path: Path) -> None:
    """What comes too late is refused at once."""
    closed = spool(tmp_path, Replay())
    async with closed:
        pass
    assert await refusal(closed.append("twilio", b"1")) is Trouble.SPOOL_FAULT


@on_a_loop
async def test_figures_tell_what_waits(tmp_path: Path) -> None:
    """How many records, how many bytes, since when, and how much is reserved."""
    replay = Replay()
    replay.ready = False
    async with spool(tmp_path, replay, reserve=2 * CHUNK) as one:
        assert (one.waiting, one.bytes_waiting, one.oldest) == (0, 0, None)
        assert one.capacity == 2 * CHUNK
        await one.append("twilio", b"1" * 100)
        await one.append("twilio", b"2" * 100)
        assert (one.waiting, one.oldest) == (2, NOW)
        assert 200 < one.bytes_waiting < 300
        replay.ready = True
        await eventually(lambda: one.bytes_waiting == 0)  # cleared a moment after the last replay
        assert (one.replayed, one.waiting, one.oldest) == (2, 0, None)


# --- replaying ---


@on_a_loop
async def test_what_waits_is_replayed_in_order_when_the_store_is_back(tmp_path: Path) -> None:
    """An event that cannot be taken yet holds up those behind it, and none is lost."""
    replay, tried = Replay(), list[bytes]()

    async def busy(body: bytes) -> None:
        tried.append(body)
        if len(tried) < 4:
            raise Transient(Trouble.STORE_DOWN)

    replay.ready, replay.first = False, busy
    async with spool(tmp_path, replay) as one:
        for n in range(5):
            await one.append("twilio", b"%d" % n)
        assert tried == []
        replay.ready = True
        await eventually(lambda: one.bytes_waiting == 0)
    assert tried[:4] == [b"0"] * 4
    assert replay.taken == [b"%d" % n for n in range(5)]
    assert waiting_in(tmp_path) == 0


@on_a_loop
async def test_what_is_spooled_while_replaying_is_replayed_too(tmp_path: Path) -> None:
    """Records that come in between are neither voided unread nor replayed twice."""
    replay = Replay()
    async with spool(tmp_path, replay) as one:

        async def more(body: bytes) -> None:
            if len(body) < 5:
                await one.append("twilio", body + b"+")

        replay.first = more
        for body in (b"a", b"b", b"c"):
            await one.append("twilio", body)
        await eventually(lambda: len(replay.taken) == 15 and one.waiting == 0)
    assert sorted(replay.taken) == sorted(
        letter + b"+" * n for letter in (b"a", b"b", b"c") for n in range(5)
    )
    assert opened(tmp_path / "spool-1.log").waiting == []


@on_a_loop
async def test_a_record_that_comes_at_the_last_moment_is_not_voided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last replay and the clear there is room for an append."""
    replay = Replay()
    clear = FileSpool._clear
    async with spool(tmp_path, replay) as one:

        def append_first(self: FileSpool, file: SpoolFile) -> None:
            if len(replay.taken) == 1:
                file.append(records(b"late"))
            clear(self, file)

        monkeypatch.setattr(FileSpool, "_clear", append_first)
        await one.append("twilio", b"early")
        await eventually(lambda: replay.taken == [b"early", b"late"])


@on_a_loop
async def test_a_refused_event_is_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What the use-case refuses for good is told in the log, and not tried again."""

    async def refuse(body: bytes) -> None:
        raise Refused(Refusal.UNKNOWN_NUMBER)

    replay = Replay()
    replay.first = refuse
    async with spool(tmp_path, replay) as one:
        await one.append("twilio", b"1")
        await eventually(lambda: one.waiting == 0)
        assert (one.replayed, one.dead) == (0, 0)
    assert "a spooled event was refused: unknown_number" in caplog.text


@on_a_loop
async def test_an_event_that_fails_five_times_is_dead_until_it_is_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It no longer holds up the others, is counted, and can be tried again by command."""
    tried: list[bytes] = []

    async def fail(body: bytes) -> None:
        tried.append(body)
        if body == b"bad":
            raise ZeroDivisionError("+819012345678")

    replay = Replay()
    replay.first = fail
    async with spool(tmp_path, replay) as one:
        for body in (b"bad", b"good"):
            await one.append("twilio", body)
        await eventually(lambda: replay.taken == [b"good"])
        assert tried.count(b"bad") == 5
        assert one.dead == 1
        assert "a spooled event is dead: ZeroDivisionError" in caplog.text
        assert "+8190" not in caplog.text
        replay.first = None
        await eventually(lambda: _resent(tmp_path) == 1)
        await eventually(lambda: replay.taken == [b"good", b"bad"])
        await eventually(lambda: one.dead == 0)
    assert not (tmp_path / DEAD).exists()


def _resent(folder: Path) -> int:
    """Dead events handed over; 0 while the daemon itself looks at them."""
    with contextlib.suppress(BlockingIOError):
        return resend_dead(folder)
    return 0


@on_a_loop
async def test_an_event_of_an_unknown_kind_is_dead(tmp_path: Path) -> None:
    """A file of another release may hold what this one does not know: it is kept apart."""
    replay = Replay()
    async with spool(tmp_path, replay) as one:
        await one.append("pigeon", b"coo")
        await eventually(lambda: one.dead == 1)
    assert opened(tmp_path / DEAD).waiting == [Record("pigeon", b"coo", NOW)]


@on_a_loop
async def test_an_event_that_cannot_be_buried_is_not_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While another process has spool.dead open, the dead event waits."""
    caplog.set_level(logging.CRITICAL, "gateway.spool")

    async def fail(body: bytes) -> None:
        raise ZeroDivisionError

    replay = Replay()
    replay.first = fail
    elsewhere = opened(tmp_path / DEAD, create=True)
    async with spool(tmp_path, replay) as one:
        await one.append("twilio", b"bad")
        await eventually(lambda: one._failures.get(b"bad", 0) > 6)
        assert one.waiting == 1
        elsewhere.close()
        await eventually(lambda: (one.dead, one.waiting) == (1, 0))


@on_a_loop
async def test_a_disk_that_fails_for_a_while_does_not_end_the_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the disk is logged, and the next look goes on."""
    clear, failures = SpoolFile.clear, iter(range(2))

    def fail_twice(self: SpoolFile) -> None:
        if next(failures, None) is not None:
            raise OSError(5, "Input/output error")
        clear(self)

    monkeypatch.setattr(SpoolFile, "clear", fail_twice)
    replay = Replay()
    async with spool(tmp_path, replay) as one:
        await one.append("twilio", b"1")
        await eventually(lambda: one.bytes_waiting == 0)
        await one.append("twilio", b"2")
        await eventually(lambda: replay.taken == [b"1", b"2"])
    assert caplog.text.count("the spool cannot be replayed") == 2


# --- several processes ---


@on_a_loop
async def test_a_file_of_a_process_that_ended_is_adopted(tmp_path: Path) -> None:
    """What it had not replayed is replayed by another, which then removes the file."""
    ending, living = Replay(), Replay()
    ending.ready = False
    async with spool(tmp_path, living):
        async with spool(tmp_path, ending) as other:
            await other.append("twilio", b"1")
            await other.append("twilio", b"2")
            assert living.taken == []
        await eventually(lambda: living.taken == [b"1", b"2"])
        await eventually(lambda: len(list(tmp_path.iterdir())) == 1)
    assert ending.taken == []


@on_a_loop
async def test_a_start_adopts_what_was_left(tmp_path: Path) -> None:
    """Files of processes that were killed are replayed, and the first becomes the new one's."""
    for name in ("spool-3.log", "spool-7.log"):
        file = opened(tmp_path / name, create=True)
        file.append(records(name.encode()))
        file.close()
    assert waiting_in(tmp_path) == 2
    replay = Replay()
    async with spool(tmp_path, replay, reserve=2 * CHUNK) as one:
        await eventually(lambda: len(replay.taken) == 2)
        await eventually(lambda: [f.name for f in tmp_path.iterdir()] == ["spool-3.log"])
        assert one.capacity == 2 * CHUNK
        await one.append("twilio", b"new")
        await eventually(lambda: replay.taken[2:] == [b"new"])


@on_a_loop
async def test_a_foreign_file_in_the_folder_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log, left as it is, and the spool takes another name."""
    (tmp_path / "spool-1.log").write_bytes(b"a letter")
    replay = Replay()
    async with spool(tmp_path, replay) as one:
        await one.append("twilio", b"1")
        await eventually(lambda: replay.taken == [b"1"] and not one.bytes_waiting)
        looks = iter(range(3))
        one._ready = lambda: next(looks, None) is None
        await one.append("twilio", b"2")
        await eventually(lambda: replay.taken == [b"1", b"2"] and not one.bytes_waiting)
    assert (tmp_path / "spool-1.log").read_bytes() == b"a letter"
    assert caplog.text.count("is no spool file: move it away") == 1
    assert waiting_in(tmp_path) == 0


def test_dead_events_are_sent_again_under_a_free_name(tmp_path: Path) -> None:
    """No file of a daemon is replaced by them; none, or one in use, is told apart."""
    assert resend_dead(tmp_path) == 0
    dead = opened(tmp_path / DEAD, create=True)
    dead.append(records(b"1", b"2"))
    with pytest.raises(BlockingIOError, match="in use"):
        resend_dead(tmp_path)
    dead.close()
    own = opened(tmp_path / "spool-1.log", create=True)
    own.append(records(b"own"))
    own.close()
    assert resend_dead(tmp_path) == 2
    assert opened(tmp_path / "spool-1.log").waiting == records(b"own")
    assert opened(tmp_path / "spool-2.log").waiting == records(b"1", b"2")
    assert not (tmp_path / DEAD).exists()


@on_a_loop
async def test_files_are_closed_after_the_disk_has_done_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An end in the middle of a write waits for it: a closed descriptor may be another's file."""
    entered, go_on = threading.Event(), threading.Event()
    order: list[str] = []
    clear, close = SpoolFile.clear, SpoolFile.close

    def slow_clear(self: SpoolFile) -> None:
        entered.set()
        assert go_on.wait(PATIENCE)
        clear(self)
        order.append("cleared")

    def told_close(self: SpoolFile) -> None:
        order.append("closed")
        close(self)

    one = spool(tmp_path, Replay())
    await one.__aenter__()
    monkeypatch.setattr(SpoolFile, "clear", slow_clear)
    monkeypatch.setattr(SpoolFile, "close", told_close)
    await one.append("twilio", b"1")
    await eventually(entered.is_set)
    closing = asyncio.create_task(one.__aexit__())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert order == ["cleared", "closed"]
