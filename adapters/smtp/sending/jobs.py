"""Letters of campaigns made ready for the wire: what is said, to whom, and how it comes back."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from adapters.smtp.composing.mime import Identity, Letter, compile_content, date_of
from adapters.smtp.composing.press import BATCH
from adapters.smtp.composing.pressing import ComposeFailure, Made, PressJob, Signing
from adapters.smtp.delivery.envelopes import Envelope
from gateway.domain.mail.addresses import domain_of, wire_form
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.campaigns import Letter as Claimed
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.tokens import Keys, Named, sealed, stop_address, verp
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Refused
from gateway.ports import Lane, Store
from gateway.usecases.mail.campaigns import display_of
from gateway.usecases.mail.sending import Links, Message, keep_links, message

BOUNCE_DAYS = 14
"""So long after it was sent a mail's bounces are taken."""

_MOST_JOBS = 64

_values = msgspec.json.Decoder(dict[str, str])


class Presses(Protocol):
    """Composes letters; see :class:`adapters.smtp.composing.press.Press`."""

    async def compose(
        self, key: str, job: PressJob, letters: Sequence[Letter], now_seconds: int
    ) -> list[Made]:
        """The letters in their order; each as bytes, or why it cannot be made."""


class Job(msgspec.Struct, frozen=True):
    """A campaign's message, made once for all."""

    mail_list: MailList
    press: PressJob


class Jobs:
    """Makes letters of campaigns; ``keys`` gives the keys of mail."""

    def __init__(
        self,
        *,
        store: Store,
        press: Presses,
        keys: Callable[[], Awaitable[Keys]],
        public_url: str,
        takes_mail: bool = False,
    ) -> None:
        """``takes_mail``: whether anybody reads what comes to a list's ``stop+`` addresses."""
        self._store = store
        self._press = press
        self._keys = keys
        self._public_url = public_url
        self._takes_mail = takes_mail
        self._jobs: dict[int, Job] = {}
        self._sizes: dict[int, int] = {}

    def size_of(self, campaign: int) -> int:
        """How large a campaign's letters are, in bytes: the largest one so far; 0: none was made
        of late.
        """
        return self._sizes.get(campaign, 0)

    async def made(
        self, campaign: Campaign, letters: Sequence[Claimed], now: int
    ) -> AsyncGenerator[list[Envelope | ComposeFailure], None]:
        """Letters of one campaign in their order, some at a time: each ready, or why it cannot be
        made. The first ones go while the others are made.

        Raises:
            Refused: none of them can be made: the message, the list or its key is gone or unfit.
            Transient: not now.
        """
        job, keys = await self._job(campaign), await self._keys()
        parts = [letters[at : at + BATCH] for at in range(0, len(letters), BATCH)]
        tasks = [asyncio.create_task(self._part(job, keys, part, now)) for part in parts]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _part(
        self, job: Job, keys: Keys, letters: Sequence[Claimed], now: int
    ) -> list[Envelope | ComposeFailure]:
        has_links = bool(job.press.compiled.links)
        mails = [
            mail_of(
                each,
                job.mail_list,
                keys,
                self._public_url,
                now,
                has_links=has_links,
                takes_mail=self._takes_mail,
            )
            for each in letters
        ]
        key = str(letters[0].campaign)
        made = await self._press.compose(key, job.press, mails, now // SECOND)
        largest = max((len(each) for each in made if isinstance(each, bytes)), default=1)
        self._sizes[letters[0].campaign] = max(largest, self.size_of(letters[0].campaign))
        return [
            each
            if isinstance(each, ComposeFailure)
            else Envelope(
                return_path(Named(letter.campaign, letter.recipient), job.mail_list, keys, now),
                mail.to,
                each,
            )
            for letter, mail, each in zip(letters, mails, made, strict=True)
        ]

    def _list(self, list_: str) -> MailList:
        found = self._store.entity(MailList, list_)
        if found is None:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "the list is gone")
        return found

    async def _job(self, campaign: Campaign) -> Job:
        mail_list = self._list(campaign.list)
        if not self._public_url:
            raise Refused(Refusal.UNKNOWN_REFERENCE, "there is no public_url for links to stop")
        job = self._jobs.get(campaign.id)
        if job is None or job.mail_list != mail_list:
            said = await self._store.run(message, campaign.id, Lane.BACKGROUND)
            if said is None:
                raise Refused(Refusal.CONTENT_GONE, "what it says is not kept any more")
            job = await asyncio.to_thread(_compiled, said, mail_list, self._public_url)
            links = job.press.compiled.links
            if links != said.links:  # kept before the first mail with them goes
                await self._store.run(keep_links, Links(campaign.id, links), Lane.BACKGROUND)
            self._jobs.pop(campaign.id, None)
            self._jobs[campaign.id] = job
            while len(self._jobs) > _MOST_JOBS:
                oldest = next(iter(self._jobs))
                del self._jobs[oldest]
                self._sizes.pop(oldest, None)
        return job


def _compiled(said: Message, mail_list: MailList, public_url: str) -> Job:
    compiled = compile_content(
        said.content,
        identity_of(mail_list, public_url, feedback_id=f"{said.campaign.id}:{mail_list.id}"),
        clicks=mail_list.click_tracking,
        opens=mail_list.open_tracking,
    )
    return Job(mail_list, PressJob(compiled, signing_of(mail_list)))


def identity_of(mail_list: MailList, public_url: str, *, feedback_id: str = "") -> Identity:
    """Whose mails a list's are."""
    host = public_url.partition("://")[2].partition(":")[0].partition("/")[0]
    return Identity(
        address=mail_list.sender,
        display=display_of(mail_list),
        list_id=f"{mail_list.id}.{host or domain_of(mail_list.sender)}",
        name=mail_list.sender_display,
        reply_to=mail_list.reply_to,
        feedback_id=feedback_id,
    )


def signing_of(mail_list: MailList) -> Signing | None:
    """What a list's mails are signed with; ``None``: nothing."""
    dkim = mail_list.dkim
    return None if dkim is None else Signing(dkim.domain, dkim.selector, dkim.key.encode())


def return_path(who: Named, mail_list: MailList, keys: Keys, now: int) -> str:
    """The envelope sender of somebody's mail; what comes to it is taken for BOUNCE_DAYS."""
    expires_at = now + BOUNCE_DAYS * 86_400 * SECOND
    return verp(who, mail_list.bounce_domain, expires_at, keys.verp)


def stop_mailto(who: Named, mail_list: MailList, keys: Keys) -> str:
    """The link by which somebody stops a list with a mail."""
    return f"mailto:{stop_address(who, mail_list.bounce_domain, keys.stop)}"


def mail_of(
    letter: Claimed,
    mail_list: MailList,
    keys: Keys,
    public_url: str,
    now: int,
    *,
    has_links: bool = True,
    takes_mail: bool = False,
) -> Letter:
    """What one recipient's mail has of its own.

    Its Message-ID and its date are the same at each attempt. The Message-ID is a token that names
    the recipient, too: reports that return nothing but the headers can be told apart by it.
    """
    named = Named(letter.campaign, letter.recipient)
    token = sealed(named, keys.stop)
    return Letter(
        message_id=f"<{sealed(named, keys.verp)}@{domain_of(mail_list.sender)}>",
        date=date_of((letter.first_at or now) // SECOND),
        to=wire_form(letter.address),
        values=_values.decode(letter.attributes),
        stop_url=f"{public_url}/u/{token}",
        stop_mailto=stop_mailto(named, mail_list, keys) if takes_mail else "",
        link_base=f"{public_url}/m/",
        token=sealed(named, keys.click) if has_links else "",
        open_url=f"{public_url}/o/{sealed(named, keys.open)}" if mail_list.open_tracking else "",
    )
