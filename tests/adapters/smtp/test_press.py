"""The press: the same letters in threads and in processes, which end with who started them."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.smtp.composing.dkim import Signer
from adapters.smtp.composing.mime import Identity, Letter, compile_content
from adapters.smtp.composing.press import BATCH, Press
from adapters.smtp.composing.pressing import MOST_JOBS, ComposeFailure, PressJob, Signing, serve
from gateway.domain.mail.message.content import Attachment, Content
from gateway.domain.mail.message.display import Display
from gateway.errors import Misconfigured, Transient, Trouble
from tests.support.stores import PATIENCE, on_a_loop

NOW = 1_795_000_000
ROOT = Path(__file__).parents[3]
PEM = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
SIGNER = Signer("acme.example", "gw", PEM)
SIGNING = Signing("acme.example", "gw", PEM)
IDENTITY = Identity(
    "news@acme.example", Display("Acme", "東京都", "info@acme.example"), "news.gw.example.jp"
)

pytestmark = pytest.mark.process


def letter(number: int, name: str = "山田") -> Letter:
    return Letter(
        f"<{number}@gw.example.jp>",
        "Sun, 22 Nov 2026 08:00:00 +0900",
        f"r{number}@example.jp",
        {"name": name},
        f"https://gw.example.jp/u/{number}",
    )


@lru_cache
def job(subject: str = "{{ name }}様へ", data: bytes = b"") -> PressJob:
    attached = (Attachment("a.bin", "application/octet-stream", data),) if data else ()
    content = Content(subject, "本文 {{ stop_url }}", "<p>本文</p>", attachments=attached)
    return PressJob(compile_content(content, IDENTITY), SIGNING)


def expected(of: PressJob, letters: list[Letter]) -> list[bytes]:
    return [SIGNER.sign(of.compiled.letter(each), NOW) for each in letters]


def children() -> set[int]:
    """The processes that this one started."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ended just now
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def shown_of(pid: int, what: str) -> bytes:
    """What the system tells others of a process."""
    return Path(f"/proc/{pid}/{what}").read_bytes()


@pytest.fixture(params=[0, 2], ids=["threads", "processes"])
def processes(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many; none of them is left over."""
    before = children()
    yield request.param
    assert children() <= before


@on_a_loop
async def test_letters_come_back_in_their_order(processes: int) -> None:
    """More than one batch, each letter as if it was made alone."""
    letters = [letter(number) for number in range(2 * BATCH + 3)]
    async with Press(processes) as press:
        assert await press.compose("1", job(), letters, NOW) == expected(job(), letters)
        assert await press.compose("1", job(), [], NOW) == []


@on_a_loop
async def test_one_that_cannot_be_made_keeps_no_other_back(processes: int) -> None:
    """It is told by name, without its value."""
    letters = [letter(1), letter(2, " "), letter(3), letter(4)]
    letters[3] = msgspec.structs.replace(letters[3], to="a@b\r\nX: y")
    async with Press(processes) as press:
        made = await press.compose("1", job(), letters, NOW)
    assert [type(each) for each in made] == [bytes, ComposeFailure, bytes, ComposeFailure]
    assert made[1] == ComposeFailure("value_missing", "name")
    assert made[3] == ComposeFailure("header_invalid", "to")


@on_a_loop
async def test_many_jobs_are_kept_apart(processes: int) -> None:
    """More than are kept at a time, in turn; one that changed under its key is noticed."""
    jobs = [job(f"subject {number}") for number in range(MOST_JOBS + 3)]
    async with Press(processes) as press:
        for _ in range(2):
            for number, each in enumerate(jobs):
                made = await press.compose(str(number), each, [letter(1)], NOW)
                assert made == expected(each, [letter(1)])
        assert await press.compose("0", jobs[1], [letter(1)], NOW) == expected(jobs[1], [letter(1)])


@on_a_loop
async def test_large_mails_pass(processes: int) -> None:
    """Attachments of 2 MB, several of them in a batch."""
    large = job(data=os.urandom(2_000_000))
    letters = [letter(number) for number in range(3)]
    async with Press(processes) as press:
        assert await press.compose("1", large, letters, NOW) == expected(large, letters)


@on_a_loop
async def test_a_bad_key_is_told_at_once(processes: int) -> None:
    """Before any letter is made."""
    bad = PressJob(job().compiled, Signing("acme.example", "gw", b"none"))
    async with Press(processes) as press:
        with pytest.raises(Misconfigured):
            await press.compose("1", bad, [letter(1)], NOW)


@on_a_loop
async def test_without_a_key_nothing_is_signed(processes: int) -> None:
    """The mail is as it was composed."""
    plain = PressJob(job().compiled)
    async with Press(processes) as press:
        assert await press.compose("1", plain, [letter(1)], NOW) == [
            plain.compiled.letter(letter(1))
        ]


@on_a_loop
async def test_a_process_that_died_is_replaced() -> None:
    """The letters of its batch are made by another."""
    before = children()
    async with Press(1) as press:
        await press.compose("1", job(), [letter(1)], NOW)
        (pid,) = children() - before
        os.kill(pid, signal.SIGKILL)
        assert await press.compose("1", job(), [letter(2)], NOW) == expected(job(), [letter(2)])
        assert pid not in children()


@on_a_loop
async def test_processes_that_cannot_live_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice is enough for a batch; the next one tries anew."""
    async with Press(1) as press:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", "/bin/true")
            with pytest.raises(Transient) as caught:
                await press.compose("1", job(), [letter(1)], NOW)
        assert caught.value.reason is Trouble.PRESS_DOWN
        assert await press.compose("1", job(), [letter(1)], NOW) == expected(job(), [letter(1)])


@on_a_loop
async def test_signals_for_the_daemon_do_not_end_a_process() -> None:
    """Ctrl-C and SIGTERM reach all of a group; letters are made until the daemon has drained."""
    before = children()
    async with Press(1) as press:
        await press.compose("1", job(), [letter(1)], NOW)
        (pid,) = children() - before
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        await press.compose("1", job(), [letter(2)], NOW)
        assert pid in children()


@on_a_loop
async def test_keys_are_on_no_command_line_and_in_no_text() -> None:
    """Nor does a process get the daemon's secrets by the environment."""
    assert "PRIVATE" not in repr(job())
    before = children()
    os.environ["GATEWAY_TWILIO_AUTH_TOKEN"] = "secret"
    try:
        async with Press(1) as press:
            await press.compose("1", job(), [letter(1)], NOW)
            (pid,) = children() - before
            assert b"PRIVATE" not in shown_of(pid, "cmdline")
            assert b"AUTH_TOKEN" not in shown_of(pid, "environ")
    finally:
        del os.environ["GATEWAY_TWILIO_AUTH_TOKEN"]


def test_a_process_loads_little() -> None:
    """No event loop, no web server, no database: it starts quickly and stays small."""
    code = (
        "import adapters.smtp.composing.pressing, sys; "
        "print(*{'aiohttp', 'asyncio', 'sqlalchemy', 'gateway.main', 'uvloop'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


KILLED = """
import asyncio, os, sys
sys.path.insert(0, {root!r})
from tests.adapters.smtp import test_press as it

async def main():
    async with it.Press(2) as press:
        letters = [it.letter(number) for number in range(5 * it.BATCH)]
        await press.compose("1", it.job(), letters, 1)
        print(*it.children(), flush=True)
        while True:
            await press.compose("1", it.job(), letters, 1)

asyncio.run(main())
"""


def test_no_process_outlives_a_daemon_that_was_killed() -> None:
    """SIGKILL leaves no time for an end, in the middle of work; the pipe's end is one."""
    code = KILLED.format(root=str(ROOT))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as daemon:
        assert daemon.stdout is not None
        pids = [int(pid) for pid in daemon.stdout.readline().split()]
        assert len(pids) == 2
        daemon.kill()
    until(lambda: not any(map(is_alive, pids)))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waits for any more does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("cut", [b"", b"\0" * 3, (100).to_bytes(8, "big") + b"x"])
def test_what_ends_within_a_batch_is_an_end(cut: bytes) -> None:
    """A frame that is cut off is never taken for a whole one."""
    sink = io.BytesIO()
    with pytest.raises(EOFError):
        serve(io.BytesIO(cut), sink)
    assert sink.getvalue() == b""
