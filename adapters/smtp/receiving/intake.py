"""What is done with incoming mail: bounces and complaints are counted, wishes are granted.

Whose mail a bounce is about is told by the tag of the address that it came to, never by what it
says: anybody can write a bounce, nobody can make a tag.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Literal, TypeVar

import msgspec

from adapters.smtp.reading import read
from adapters.smtp.receiving.bounds import (
    MOST_STOPS,
    MOST_STRANGE_STOPS,
    MOST_STRANGE_STOPS_OF_LIST,
    Hourly,
)
from adapters.smtp.receiving.door import PROVIDER, Mail
from adapters.smtp.receiving.wishes import Wish, stop_tokens_in, wish_of
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.returns.bounces import Reading, Report
from gateway.domain.mail.signups import MOST_OF_PEER, is_public, network_of
from gateway.domain.mail.tokens import TRIAL, Keys, Named, opened, unstop, unverp
from gateway.domain.values import Counted, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Observer
from gateway.ports.mail.pages import MailKeys, Recalls
from gateway.ports.store import Store
from gateway.usecases.mail.bounces import IDS_A_REPORT, Came, came
from gateway.usecases.mail.lists import OfAddress, is_listed
from gateway.usecases.mail.signups import Ask, ask, mailbox_of
from gateway.usecases.mail.stops import Stop, stop

T = TypeVar("T")

Kind = Literal["bounce", "stop", "list", "role"]

_ROLES = frozenset({"postmaster", "abuse"})


class _Box(msgspec.Struct, frozen=True):
    """A recipient that we know."""

    kind: Kind
    named: Named | None = None
    list: str = ""


class Intake:
    """The desk of incoming mail; see :class:`adapters.smtp.receiving.door.Desk`.

    ``domains`` are those that bounces come back to; lists have their addresses at ``domain``.
    Mails are read in ``executor``, since reading is work for a processor. ``seed`` makes so many
    ids of now: others look for stops by their ids, and a mail may have waited here.
    """

    def __init__(
        self,
        store: Store,
        *,
        keys: MailKeys,
        recall: Recalls,
        domain: str,
        domains: Callable[[], Collection[str]],
        seed: Callable[[int], Seed],
        observer: Observer,
        executor: Executor,
    ) -> None:
        self._store = store
        self._keys = keys
        self._recall = recall
        self._domain = domain
        self._domains = domains
        self._seed = seed
        self._observer = observer
        self._executor = executor
        self._signups, self._stops, self._strangers = Hourly(), Hourly(), Hourly()

    async def expect(self, recipient: str, now: int) -> None:
        """See :class:`adapters.smtp.receiving.door.Desk`."""
        self._box(recipient, await self._keys.get(), now)

    async def take(self, mail: Mail) -> None:
        """See :class:`adapters.smtp.receiving.door.Desk`. All of it can be done again: where one of
        several recipients has to wait, the mail comes again for all. What takes somebody off comes
        first, in whatever order the recipients were named.
        """
        keys = await self._keys.get()
        boxes = [self._box(each, keys, mail.received_at) for each in mail.recipients]
        kinds = {box.kind for box in boxes}
        for box in boxes:
            if box.kind == "stop" and box.named not in (None, TRIAL):
                await self._stop(mail, keys, recipient=box.named)
        if kinds & {"bounce", "role"}:
            report, source = await self._read(_report_of, mail.raw)
            for box in boxes:
                if box.kind == "bounce":
                    await self._bounced(box.named, report, source, mail, keys)
            if "role" in kinds:
                await self._complained(report, mail, keys)
        if "list" in kinds:
            wish = await self._read(wish_of, mail.raw, mail.sender)
            for box in boxes:
                if box.kind == "list":
                    await self._wished(box.list, wish, mail, keys)

    async def _read(self, reader: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, reader, *given)

    def _box(self, recipient: str, keys: Keys, now: int) -> _Box:
        """What a recipient is.

        Raises:
            Refused: nothing of ours.
        """
        local, _, domain = recipient.rpartition("@")
        domain = domain.lower()
        name = local.lower()
        if domain != self._domain and domain not in self._domains():
            raise Refused(Refusal.MAILBOX_UNKNOWN)
        if name in _ROLES:
            return _Box("role")
        if name.startswith("b+"):
            return _Box("bounce", _true_tag(name, keys, now))
        if name.startswith("stop+"):
            try:
                return _Box("stop", unstop(name, keys.stop))
            except Refused:
                raise Refused(Refusal.TAG_FORGED) from None
        if domain == self._domain and self._store.entity(MailList, name) is not None:
            return _Box("list", list=name)
        raise Refused(Refusal.MAILBOX_UNKNOWN)

    # --- bounces and complaints ---

    async def _bounced(
        self,
        named: Named | None,
        report: Report,
        source: Literal["report", "text"],
        mail: Mail,
        keys: Keys,
    ) -> None:
        reading = _weightiest(report.readings)
        if named is None or reading is None:
            self._ignored("bounce", Refusal.NOT_A_REPORT)
            return
        is_complaint = reading.bounce_class == "complaint"
        await self._came(named, reading, "complaint" if is_complaint else source, mail, keys)

    async def _complained(self, report: Report, mail: Mail, keys: Keys) -> None:
        """A complaint that came to ``abuse@``: whose it is, the mail that it returns has to prove.
        So it is with a person who asks there to be taken off. Anything else is taken, since these
        two addresses are always there (RFC 5321, 4.5.1), and nobody reads it.
        """
        reading = next((r for r in report.readings if r.bounce_class == "complaint"), None)
        wish = None
        if reading is None:
            wish = await self._read(wish_of, mail.raw, mail.sender)
            if wish.want != "stop" or wish.is_automatic:
                self._ignored("role", Refusal.NOT_A_REPORT)
                return
        named = _proven(report, keys, mail.received_at, wish)
        if named is None:
            self._ignored("role", Refusal.TAG_FORGED)
        elif reading is not None:
            await self._came(named, reading, "complaint", mail, keys)
        elif named != TRIAL:
            await self._stop(mail, keys, recipient=named)

    async def _came(
        self,
        named: Named,
        reading: Reading,
        source: Literal["report", "text", "complaint"],
        mail: Mail,
        keys: Keys,
    ) -> None:
        at = mail.received_at
        said = Came(named, reading, at, source, self._seed(IDS_A_REPORT), keys)
        took = await self._store.run(came, said)
        self._recall.note(took.suppressions)

    # --- wishes ---

    async def _wished(self, list_: str, wish: Wish, mail: Mail, keys: Keys) -> None:
        mail_list = self._store.entity(MailList, list_)
        if mail_list is None:
            return
        if wish.is_automatic or not wish.sender:
            unclear = Refusal.SENDER_UNCLEAR
            self._ignored("list", Refusal.AUTOMATIC_MAIL if wish.is_automatic else unclear)
            return
        try:
            if wish.want == "stop":
                await self._check_stops(mail_list, wish.sender, mail, keys)
                await self._stop(mail, keys, address=wish.sender, list_=list_)
            elif wish.want == "signup" and mail_list.empty_mail:
                await self._ask(mail_list, wish, mail, keys)
            else:
                self._ignored("list", Refusal.NOT_EMPTY)
        except Refused as refused:
            if refused.reason is Refusal.TOO_SOON:
                raise
            self._ignored("list", refused.reason)  # nobody is answered: From may be forged

    async def _check_stops(self, mail_list: MailList, address: str, mail: Mail, keys: Keys) -> None:
        """Bound what one who forges senders makes us keep.

        Raises:
            Refused: there were too many within the hour (TOO_SOON); or the address is none.
        """
        id_, at = mail_list.id, mail.received_at
        # As with sign-ups, a relay of ours passes on what comes from everywhere.
        network = network_of(mail.peer, keys) if is_public(mail.peer) else ""
        if await self._store.run(is_listed, OfAddress(mail_list, address, keys)):
            is_bearable = self._stops.take(f"{id_} {network}", MOST_STOPS, at)
        else:
            take = self._strangers.take
            is_bearable = (not network or take(f"{id_} {network}", MOST_STRANGE_STOPS, at)) and (
                take(id_, MOST_STRANGE_STOPS_OF_LIST, at)
            )
        if not is_bearable:
            raise Refused(Refusal.TOO_SOON)

    async def _stop(
        self,
        mail: Mail,
        keys: Keys,
        *,
        recipient: Named | None = None,
        address: str = "",
        list_: str = "",
    ) -> None:
        at = mail.received_at
        wish = Stop(
            "mail",
            at,
            self._seed(1),
            keys,
            recipient=recipient.recipient if recipient else 0,
            campaign=recipient.campaign if recipient else 0,
            address=address,
            list=list_,
        )
        stopped = await self._store.run(stop, wish)
        self._recall.note(stopped.suppressions)

    async def _ask(self, mail_list: MailList, wish: Wish, mail: Mail, keys: Keys) -> None:
        # Mails of a carrier's customers come from its few servers, and where a relay of ours takes
        # the mail in, all come from that. So beside the limit of an address, which is forged with
        # ease, there is a wide one of the server and one of the list.
        if is_public(mail.peer) and not self._signups.take(
            network_of(mail.peer, keys), MOST_OF_PEER, mail.received_at
        ):
            fact = Counted(mail_list.advertiser, "mail_signups_total", ("limited_network",))
            self._observer.observe([fact])
            return
        asked = await self._store.run(
            ask,
            Ask(
                mail_list.id,
                wish.sender,
                mailbox_of(mail_list.id, keys),
                "empty_mail",
                f"empty mail {wish.message_id}".strip(),
                mail.received_at,
                self._seed(2),
                keys,
            ),
        )
        fact = Counted(mail_list.advertiser, "mail_signups_total", (asked,))
        self._observer.observe([fact])

    def _ignored(self, kind: Kind, reason: Refusal) -> None:
        """Count what was taken, and leads to nothing."""
        self._observer.refused(PROVIDER, kind, reason)


def _report_of(raw: bytes) -> tuple[Report, Literal["report", "text"]]:
    has_part = re.search(rb"(?i)content-type:\s{0,80}message/(?:global-)?delivery-status", raw)
    return read(raw), "report" if has_part else "text"


def _true_tag(local: str, keys: Keys, now: int) -> Named:
    try:
        return unverp(local, keys.verp, now)
    except Refused as refused:
        is_old = refused.reason is Refusal.CODE_EXPIRED
        raise Refused(Refusal.TAG_EXPIRED if is_old else Refusal.TAG_FORGED) from None


def _weightiest(readings: Sequence[Reading]) -> Reading | None:
    """What counts of a report. Each mail of ours has one recipient; where the report speaks of
    several, their address stands for others, and as long as one of them gets the mail it works.
    """
    for is_meant in (
        lambda r: r.bounce_class == "complaint",
        lambda r: r.action in ("delivered", "relayed", "expanded"),
        lambda r: r.action == "delayed",
        lambda r: r.action == "failed" and r.bounce_class != "not_a_bounce",
    ):
        found = next(filter(is_meant, readings), None)
        if found is not None:
            return found
    return readings[0] if readings else None


def _proven(report: Report, keys: Keys, now: int, wish: Wish | None = None) -> Named | None:
    """Whom a returned mail was for, by a token of ours in it: its envelope's sender, its link to
    stop, or its Message-ID, which some reports return alone. A person's mail has these where it
    quotes ours, or answers it.
    """
    original = report.original
    with suppress(Refused):
        return unverp(original.return_path.rpartition("@")[0], keys.verp, now)
    stops = stop_tokens_in(original.list_unsubscribe)
    names = [original.message_id.rpartition("@")[0]]
    if wish is not None:
        stops += wish.stop_tokens
        names += wish.answered
    for tokens, key in ((stops, keys.stop), (names, keys.verp)):
        for token in tokens:
            with suppress(Refused):
                return opened(token, key)
    return None
