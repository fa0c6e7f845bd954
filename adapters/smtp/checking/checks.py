"""Walks what the DNS says of a list's domains: SPF, DKIM, DMARC, PTR, where bounces go."""

from collections.abc import Sequence
from ipaddress import ip_address

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from adapters.smtp.checking.dns import Lookups
from adapters.smtp.checking.spf import Spf
from gateway.domain.mail.checks import (
    Finding,
    Policy,
    Subject,
    alignment_finding,
    dkim_finding,
    dmarc_finding,
    organization,
    policy_of,
)
from gateway.domain.mail.lists import MailList
from gateway.errors import Transient

_LATER = "run the check again when the DNS answers"


async def check_list(dns: Lookups, mail_list: MailList, senders: Sequence[str]) -> list[Finding]:
    """All findings of a list.

    Args:
        dns: whom to ask.
        mail_list: whose domains are looked at.
        senders: the addresses from which its mail goes out into the world; none: not known.
    """
    return await Walk(dns, mail_list, senders).findings()


class Walk:
    """One check of one list."""

    def __init__(self, dns: Lookups, mail_list: MailList, senders: Sequence[str]) -> None:
        self._dns = dns
        self._list = mail_list
        self._senders = senders
        self._from = mail_list.sender.rpartition("@")[2].lower()

    async def findings(self) -> list[Finding]:
        """What was found, in the order in which one would mend it."""
        return [
            await self._from_domain(),
            await self._spf(),
            await self._dkim(),
            *await self._dmarc(),
            await self._bounces(),
            *await self._names(),
            self._display(),
        ]

    async def _from_domain(self) -> Finding:
        """Whether From has an MX or an address: docomo refuses mail from domains without."""
        try:
            is_there = await self._dns.exchanges(self._from) or await self._dns.addresses(
                self._from
            )
        except Transient:
            return _unknown("from", self._from)
        if not is_there:
            remedy = "publish an MX or A record: docomo and others refuse mail without"
            return Finding("from", "failed", f"{self._from} has neither MX nor address", remedy)
        return Finding("from", "passed", f"{self._from} can be answered")

    async def _spf(self) -> Finding:
        domain = self._list.bounce_domain
        if not self._senders:
            remedy = "say from which address mail goes out: gateway mail check --address"
            return Finding("spf", "unknown", "the relay's public address is not known", remedy)
        told = ""
        for address in self._senders:
            try:
                verdict, why = await Spf(self._dns, address).check(domain)
            except Transient:
                return _unknown("spf", domain)
            if verdict == "unknown":
                remedy = "name the addresses by ip4, ip6, a, mx or include"
                return Finding("spf", "unknown", why, remedy)
            if verdict != "pass":
                term = "ip6" if ":" in address else "ip4"
                remedy = f'publish TXT at {domain}: "v=spf1 {term}:{address} -all", or add to it'
                found = f"{verdict} for {domain} from {address} ({why})"
                return Finding("spf", "failed", found, remedy)
            told = why
        found = f"{domain} lets {', '.join(self._senders)} send ({told})"
        return Finding("spf", "passed", found)

    async def _dkim(self) -> Finding:
        dkim = self._list.dkim
        if dkim is None:
            remedy = "give the list a dkim key in its provisioning file"
            return Finding("dkim", "failed", "the list's mail is not signed", remedy)
        name = f"{dkim.selector}._domainkey.{dkim.domain}"
        key = load_pem_private_key(dkim.key.encode(), None).public_key()
        public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        try:
            return dkim_finding(name, await self._dns.texts(name), public)
        except Transient:
            return _unknown("dkim", name)

    async def _dmarc(self) -> list[Finding]:
        try:
            policy = await self._policy()
        except Transient:
            where = f"_dmarc.{self._from}"
            return [_unknown("alignment", where), _unknown("dmarc", where)]
        signer = self._list.dkim.domain if self._list.dkim else ""
        aligned = alignment_finding(self._from, signer, self._list.bounce_domain, policy)
        return [aligned, dmarc_finding(self._from, policy)]

    async def _policy(self) -> Policy | None:
        for domain in dict.fromkeys((self._from, organization(self._from))):
            at = f"_dmarc.{domain}"
            records = await self._dns.texts(at)
            policy = policy_of(at, records, is_parent=domain != self._from)
            if policy is not None:
                return policy
        return None

    async def _bounces(self) -> Finding:
        domain = self._list.bounce_domain
        try:
            hosts = await self._dns.exchanges(domain)
            found = [
                host
                for host in hosts or [domain]
                if host != "." and await self._dns.addresses(host)
            ]
        except Transient:
            return _unknown("bounces", domain)
        if not found:
            remedy = f"publish an MX record at {domain} that names the host of [smtp_in]"
            return Finding("bounces", "failed", f"nobody takes mail for {domain}", remedy)
        return Finding("bounces", "passed", f"{found[0]} takes mail for {domain}")

    async def _names(self) -> list[Finding]:
        """PTR, confirmed by the name's own address (RFC 1912, 2.1)."""
        findings = []
        for address in self._senders:
            try:
                names = await self._dns.names(address)
                confirmed = [
                    each
                    for each in names[:5]
                    if _is_among(address, await self._dns.addresses(each))
                ]
            except Transient:
                findings.append(_unknown("ptr", address))
                continue
            if confirmed:
                findings.append(Finding("ptr", "passed", f"{address} is {confirmed[0]}"))
            else:
                seen = f"is called {names[0]}, which is elsewhere" if names else "has no name"
                remedy = "have whoever owns the address set a PTR to a name that leads back to it"
                findings.append(Finding("ptr", "advice", f"{address} {seen}", remedy))
        return findings

    def _display(self) -> Finding:
        """What 特定電子メール法 wants shown; messages are checked for it one by one, too."""
        items = ("sender_name", "sender_address", "contact")
        missing = [name for name in items if not getattr(self._list, name).strip()]
        if missing:
            remedy = "fill in what the law wants to be shown in each mail"
            return Finding("display", "failed", f"empty: {', '.join(missing)}", remedy)
        return Finding("display", "passed", f"mail is shown to be of {self._list.sender_name}")


def _unknown(subject: Subject, where: str) -> Finding:
    return Finding(subject, "unknown", f"the DNS did not answer about {where}", _LATER)


def _is_among(address: str, others: Sequence[str]) -> bool:
    return ip_address(address) in {ip_address(each) for each in others}


async def senders_of(dns: Lookups, hosts: Sequence[str], *, private: bool) -> list[str]:
    """The addresses of relays as the world sees them.

    Args:
        dns: whom to ask about names.
        hosts: names or addresses.
        private: whether addresses that the Internet does not have count, too.

    Raises:
        Transient: the DNS does not answer.
    """
    found: dict[str, None] = {}
    for host in hosts:
        try:
            addresses = [str(ip_address(host))]
        except ValueError:
            addresses = await dns.addresses(host)
        found |= {each: None for each in addresses if private or ip_address(each).is_global}
    return list(found)
