"""Files go out in pieces, whole or not at all."""

import os
import random
import tracemalloc
from pathlib import Path

from gateway.ports import Answer, Request
from tests.adapters.http.test_server import CLOSE, Edge, message, parsed, run

LARGE = 30_000_000


def is_open(path: Path) -> bool:
    """Whether we hold ``path`` open."""
    open_files = Path("/proc/self/fd").iterdir()
    return any(os.path.realpath(each) == str(path) for each in open_files)


def test_a_file_arrives_whole_and_the_connection_goes_on(tmp_path: Path) -> None:
    """With its length before it; a file of nothing is an answer, too."""
    contents = [random.Random(1).randbytes(1_000_003), b"", b"x" * 262_144]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)

    async def answer(request: Request) -> Answer:
        return Answer(content_type="image/png", file=tmp_path / request.body.decode())

    async def test(up: Edge) -> None:
        answers = await up.ask(message(b"0"), message(b"1"), message(b"2", CLOSE))
        assert [(each.status, each.body) for each in answers] == [(200, c) for c in contents]
        assert {each.headers["content-type"] for each in answers} == {"image/png"}

    run(test, answer)


def test_a_file_that_is_gone_is_no_half_answer(tmp_path: Path) -> None:
    """It was there when it was looked for: the connection ends without a word."""

    async def answer(request: Request) -> Answer:
        return Answer(file=tmp_path / "gone")

    async def test(up: Edge) -> None:
        assert await up.exchange(message()) == b""

    run(test, answer)


def test_who_reads_nothing_of_a_large_file_holds_none_of_it_in_memory(tmp_path: Path) -> None:
    """A piece and what the connection takes; once the client has gone, the file is closed."""
    path = tmp_path / "large"
    path.write_bytes(bytes(LARGE))

    async def answer(request: Request) -> Answer:
        return Answer(file=path)

    async def test(up: Edge) -> None:
        tracemalloc.start()
        try:
            async with up.connected() as (_, writer):
                writer.write(message())
                await up.until(lambda: is_open(path))
            await up.until(lambda: not is_open(path))
            assert tracemalloc.get_traced_memory()[1] < LARGE / 4
        finally:
            tracemalloc.stop()
        [whole] = parsed(await up.exchange(message(b"", CLOSE)))
        assert len(whole.body) == LARGE

    run(test, answer)
