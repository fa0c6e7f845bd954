"""Previews: nobody else's work waits for them, and an advertiser has one at a time."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from adapters.http.api.mail.base import Composing, Previewed
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Content
from gateway.errors import Refusal, Refused
from gateway.main.mail import preview
from gateway.main.mail.preview import MOST_AT_ONCE, composing
from tests.support.mail_lists import NEWS
from tests.support.stores import PATIENCE, eventually, on_a_loop

MADE = Previewed("s", "t", None, 1)


@dataclass
class Slow:
    """Composing that goes on until it is told to end."""

    goes_on: threading.Event = field(default_factory=threading.Event)
    begun: list[str] = field(default_factory=list)

    def __call__(self, content: Content, mail_list: MailList, *_: Any) -> Previewed:
        self.begun.append(mail_list.advertiser)
        assert self.goes_on.wait(PATIENCE)
        return MADE


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """All messages take their time."""
    slow = Slow()
    monkeypatch.setattr(preview, "_composed", slow)
    yield slow
    slow.goes_on.set()


def asked(compose: Composing, advertiser: str) -> asyncio.Task[Previewed]:
    """Somebody of an advertiser wants to see a message."""
    mail_list = msgspec.structs.replace(NEWS, advertiser=advertiser)

    async def wait() -> Previewed:
        return await compose(Content("s", "t"), mail_list, {})

    return asyncio.create_task(wait())


@on_a_loop
async def test_r084_an_advertiser_has_one_preview_at_a_time(slow: Slow) -> None:
    """A few wait for it, more are refused, and others' are made meanwhile."""
    compose = composing("https://gw.example.jp")
    tasks = [asked(compose, "acme") for _ in range(MOST_AT_ONCE + 1)]
    await eventually(tasks[-1].done)
    with pytest.raises(Refused) as refused:
        await tasks.pop()
    assert refused.value.reason is Refusal.TOO_MANY_PREVIEWS
    await eventually(lambda: slow.begun)
    tasks.append(asked(compose, "bolt"))
    await eventually(lambda: sorted(slow.begun) == ["acme", "bolt"])
    slow.goes_on.set()
    assert await asyncio.gather(*tasks) == [MADE] * (MOST_AT_ONCE + 1)
    assert await asked(compose, "acme") == MADE


@on_a_loop
async def test_r084_whoever_leaves_does_not_get_another_thread(slow: Slow) -> None:
    """A thread works on also where nobody waits for it: its place is taken until it ends."""
    compose = composing("https://gw.example.jp")
    tasks = [asked(compose, "acme") for _ in range(MOST_AT_ONCE)]
    await eventually(lambda: slow.begun)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with pytest.raises(Refused):
        await asked(compose, "acme")
    assert slow.begun == ["acme"]
    slow.goes_on.set()
    await eventually(lambda: len(slow.begun) == MOST_AT_ONCE)


@on_a_loop
async def test_r084_previews_hold_up_nobody_elses_work(slow: Slow) -> None:
    """However many there are, names are looked up and files read beside them."""
    compose = composing("https://gw.example.jp")
    tasks = [asked(compose, f"shop{number}") for number in range(100)]
    await eventually(lambda: slow.begun)
    async with asyncio.timeout(PATIENCE / 2):
        assert await asyncio.to_thread(lambda: "read") == "read"
    slow.goes_on.set()
    assert await asyncio.gather(*tasks) == [MADE] * 100
