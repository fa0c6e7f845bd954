"""A campaign's message composed for somebody to look at, as it would be for a recipient.

The style of a message may take seconds. So previews have two threads of their own, of which nobody
else's work is in need, and an advertiser has one of them at a time.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from html import escape

from adapters.http.api.mail.base import Composing, Previewed
from adapters.smtp.composing.inliner import CPU_SECONDS_TO_LOOK
from adapters.smtp.composing.mime import Letter, compile_content
from adapters.smtp.sending.jobs import identity_of
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.message.display import STOP_URL
from gateway.domain.mail.message.templates import plain
from gateway.errors import Refusal, Refused

MOST_AT_ONCE = 4
"""Previews of one advertiser: one that is made, and those that wait for it."""

_THREADS = 2

_DATE = "Thu, 01 Jan 1970 00:00:00 +0000"


def composing(public_url: str) -> Composing:
    """What composes, with links of ``public_url`` that lead nowhere."""
    previews = _Previews(public_url)
    return previews.compose


class _Previews:
    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mail-previews")
        self._asked: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}

    async def compose(
        self, content: Content, mail_list: MailList, values: Mapping[str, str]
    ) -> Previewed:
        """See :data:`~adapters.http.api.mail.base.Composing`."""
        whose = mail_list.advertiser
        if self._asked[whose] >= MOST_AT_ONCE:
            raise Refused(Refusal.TOO_MANY_PREVIEWS, "wait for the answers to earlier ones")
        self._asked[whose] += 1
        # A task of its own: a thread works on also where nobody waits for it any more.
        task = asyncio.create_task(self._in_turn(content, mail_list, values))
        task.add_done_callback(lambda done: self._left(whose, done))
        return await asyncio.shield(task)

    async def _in_turn(
        self, content: Content, mail_list: MailList, values: Mapping[str, str]
    ) -> Previewed:
        loop = asyncio.get_running_loop()
        async with self._turns.setdefault(mail_list.advertiser, asyncio.Lock()):
            return await loop.run_in_executor(
                self._threads, _composed, content, mail_list, values, self._public_url
            )

    def _left(self, whose: str, done: asyncio.Task[Previewed]) -> None:
        if not done.cancelled():
            done.exception()  # it was told to whoever still waited
        self._asked[whose] -= 1
        if not self._asked[whose]:
            del self._asked[whose], self._turns[whose]


def _composed(
    content: Content, mail_list: MailList, values: Mapping[str, str], public_url: str
) -> Previewed:
    identity = identity_of(mail_list, public_url)
    compiled = compile_content(content, identity, cpu_seconds=CPU_SECONDS_TO_LOOK)
    stop_url = f"{public_url}/u/preview"
    letter = Letter(
        message_id="<preview@preview.invalid>",
        date=_DATE,
        to="preview@preview.invalid",
        values=values,
        stop_url=stop_url,
    )
    size = len(compiled.letter(letter))  # it refuses what could not be sent
    filled = {name: plain(value) for name, value in values.items()}
    subject = plain(compiled.subject.fill(filled)).strip()
    filled[STOP_URL] = stop_url
    html = None
    if compiled.html is not None:
        html = compiled.html.fill({name: escape(value) for name, value in filled.items()})
    return Previewed(subject, compiled.text.fill(filled), html, size)
