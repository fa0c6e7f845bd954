"""The check of a mail list's domains, for the command line and the API."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from gateway.config import Config, Smtp
from gateway.config.checks import is_loopback
from gateway.domain.mail.checks import Finding, is_aligned
from gateway.domain.mail.lists import MailList
from gateway.domain.values import EVERYBODY
from gateway.errors import Misconfigured, Transient
from gateway.main.mail.lists import find_list
from gateway.main.store import execute
from gateway.ports import Fact, Transaction
from gateway.usecases.mail.standing import (
    Checked,
    Override,
    Stands,
    keep_check,
    override,
    stands,
)


class Verdict(msgspec.Struct, frozen=True):
    """What a check found."""

    findings: list[Finding]
    relays: list[Finding]
    """Whether each relay takes a connection: that is of the moment, and kept nowhere."""
    stands: Stands
    """Whether the list may send after it."""
    ended_override: str
    """Who had let the list send until this check, where that ends with it."""


async def check_mail(
    config: Config, list_: str, *, addresses: Sequence[str] = (), by: str = ""
) -> Verdict:
    """Check a list's domains and keep what was found; with ``by``, a person's name, let the list
    send all the same.

    ``addresses`` are those from which its mail goes out into the world, where the relay's own are
    not: behind a relay on this machine, the machine's public one.

    Raises:
        Misconfigured: there is no such list, or no [smtp].
        Refused: the name is none.
        Transient: the store is away.
    """
    if config.smtp is None:
        raise Misconfigured(["[smtp] is absent: write it into the configuration"])
    mail_list = find_list(config, list_)
    findings = await look(config, config.smtp, mail_list, addresses)
    aligned, now = is_aligned(findings), time.time_ns() // 1000
    lines = tuple(finding.line for finding in findings)
    before = execute(config, _standing, (mail_list, now))
    execute(
        config, keep_check, Checked(EVERYBODY, mail_list.id, aligned, lines, now), settings=True
    )
    if by and not aligned:
        wish = Override(EVERYBODY, mail_list.id, by, "command line", now)
        execute(config, override, wish, settings=True)
    after = execute(config, _standing, (mail_list, now))
    ended = before.check.overridden_by if before.check and before.domains else ""
    return Verdict(
        findings,
        await _relays(config, config.smtp),
        after,
        "" if after.domains else ended,
    )


def _standing(tx: Transaction, asked: tuple[MailList, int]) -> tuple[Stands, Sequence[Fact]]:
    return stands(tx, *asked), ()


async def _relays(config: Config, smtp: Smtp) -> list[Finding]:
    from adapters.smtp.checking.relays import look_at  # noqa: PLC0415 - as below
    from gateway.main.mail.sending import relay_configs  # noqa: PLC0415 - as below

    configs = relay_configs(smtp, config.public_url)
    return list(await asyncio.gather(*(look_at(each) for each in configs)))


async def look(
    config: Config, smtp: Smtp, mail_list: MailList, addresses: Sequence[str] = ()
) -> list[Finding]:
    """What the DNS says of a list; nothing is kept."""
    # Imported here, since commands that check nothing do without: it takes a tenth of a second.
    from adapters.smtp.checking.checks import check_list, senders_of  # noqa: PLC0415 - see above
    from adapters.smtp.checking.dns import Resolver  # noqa: PLC0415 - see above

    nameserver = (smtp.dns.host, smtp.dns.port) if smtp.dns else None
    dns = Resolver(nameserver)
    senders = list(addresses)
    if not senders:
        # A name server on loopback knows a world of its own, in which loopback is an address.
        is_own_world = smtp.dns is not None and is_loopback(smtp.dns.host)
        hosts = [each.host for each in (smtp.relay, *smtp.relays)]
        name = smtp.helo or urlsplit(config.public_url).hostname
        try:
            senders = await senders_of(dns, hosts, private=is_own_world)
            if not senders and name:
                senders = await senders_of(dns, [name], private=is_own_world)
        except Transient:
            senders = []  # each finding says that the DNS does not answer
    return await check_list(dns, mail_list, senders)
