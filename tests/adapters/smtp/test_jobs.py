"""What is made of a campaign's message once for all of its letters."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from adapters.smtp.composing.mime import Letter as Mail
from adapters.smtp.composing.pressing import Made, PressJob
from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.sending.jobs import Jobs
from gateway.domain.mail.campaigns import Campaign, Letter
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.tokens import Keys
from gateway.usecases.mail.sending import Links, Message
from tests.support.mail_lists import KEYS, NEWS

CONTENT = Content(subject="お知らせ", text="https://acme.example/sale", footer="ja")
CAMPAIGN = Campaign(1, "acme", NEWS.id, "n", "", "{}", 0, "me", 0, state="sending")


class Office:
    """A store that holds one campaign, and a press that keeps what it was given."""

    def __init__(self) -> None:
        self.list = msgspec.structs.replace(NEWS, click_tracking=True)
        self.links: tuple[str, ...] = ()
        self.asked: list[object] = []
        self.pressed: list[PressJob] = []
        self.jobs = Jobs(
            store=cast(Any, self), press=self, keys=self._keys, public_url="https://gw.example.jp"
        )

    async def _keys(self) -> Keys:
        return KEYS

    def entity(self, kind: type[MailList], key: str) -> MailList:
        return self.list

    async def run(self, use_case: object, job: int | Links, lane: object) -> Message | None:
        self.asked.append(job)
        if isinstance(job, Links):
            self.links = job.urls
            return None
        return Message(CAMPAIGN, CONTENT, self.links)

    async def compose(
        self, key: str, job: PressJob, letters: Sequence[Mail], now_seconds: int
    ) -> list[Made]:
        self.pressed.append(job)
        return [b"\r\n" for _ in letters]

    async def make(self, *recipients: int) -> list[object]:
        """Letters to some recipients."""
        some = [
            Letter(CAMPAIGN.id, n, f"r{n}@example.com", b"h" * 16, "other", "{}", 0, 0)
            for n in recipients
        ]
        return [each async for part in self.jobs.made(CAMPAIGN, some, 0) for each in part]


def test_a_message_is_read_and_compiled_once_for_a_campaign() -> None:
    """However many letters are asked for, one after the other; until its list is another."""

    async def scenario() -> None:
        office = Office()
        for n in range(5):
            (made,) = await office.make(n)
            assert isinstance(made, Envelope)
        links = Links(CAMPAIGN.id, ("https://acme.example/sale",))
        assert office.asked == [CAMPAIGN.id, links]
        first = office.pressed[0]
        assert all(each is first for each in office.pressed)
        office.list = msgspec.structs.replace(office.list, sender_display="New")
        await office.make(6)
        assert office.asked == [CAMPAIGN.id, links, CAMPAIGN.id]
        assert office.pressed[-1] is not first

    asyncio.run(scenario())
