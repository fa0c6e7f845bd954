"""Whether a domain lets an address send for it: SPF (RFC 7208).

All of ``check_host`` but macros, ``ptr`` and ``exists``, which are counted and match nothing: where
one of them stands in the way of an answer, the answer is ``unknown``, never a guess.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from adapters.smtp.checking.dns import Lookups

Verdict = Literal[
    "pass", "fail", "softfail", "neutral", "none", "permerror", "temperror", "unknown"
]
"""RFC 7208, 2.6; ``unknown``: it cannot be told by what is evaluated here. Of no answer of the DNS
(``temperror``) the look-up's own error tells."""

MOST_LOOKUPS = 10
"""Terms that ask the DNS (RFC 7208, 4.6.4)."""

_MOST_VOID = 2
_MOST_HOSTS = 10
_RESULT: dict[str, Verdict] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(
    r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?:[:]([^\s/]+))?(/[0-9]{1,3})?(//[0-9]{1,3})?",
    re.IGNORECASE,
)
_IP = re.compile(r"([+?~-]?)(ip4|ip6):([0-9a-f:.]+(?:/[0-9]{1,3})?)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(\S*)")


class _Broken(Exception):
    """The record cannot be evaluated: what RFC 7208 calls ``permerror``."""


class _Beyond(Exception):
    """It needs what is not evaluated here."""


class Spf:
    """One evaluation for one address, its look-ups counted."""

    def __init__(self, dns: Lookups, address: str) -> None:
        self._dns = dns
        self._address = ip_address(address)
        self.lookups = 0
        self._void = 0

    async def check(self, domain: str) -> tuple[Verdict, str]:
        """The verdict on mail of ``domain``, and why, in a few words.

        Raises:
            Transient: the DNS does not answer.
        """
        try:
            verdict = await self._host(domain.lower().rstrip("."), 0)
        except _Broken as error:
            return "permerror", str(error)
        except _Beyond as error:
            return "unknown", str(error)
        return verdict, f"{self.lookups} of {MOST_LOOKUPS} look-ups"

    async def _host(self, domain: str, depth: int) -> Verdict:
        if depth > MOST_LOOKUPS:
            raise _Broken("records include each other")
        texts = await self._dns.texts(domain)
        records = [text for text in texts if re.match(r"v=spf1(?: |$)", text, re.IGNORECASE)]
        if not records:
            return "none"
        if len(records) > 1:
            raise _Broken(f"{domain} has {len(records)} SPF records")
        return await self._record(domain, records[0].split()[1:], depth)

    async def _record(self, domain: str, terms: list[str], depth: int) -> Verdict:
        redirect = ""
        beyond = ""
        for term in terms:
            modifier = _MODIFIER.fullmatch(term)
            if modifier:
                if modifier[1].lower() == "redirect":
                    redirect = modifier[2]
                continue
            try:
                matched = await self._matches(domain, term, depth)
            except _Beyond as error:
                beyond = beyond or str(error)  # a later term may still match, and say yes
                continue
            if matched is not None:
                verdict = _RESULT[matched]
                if beyond and verdict != "pass":
                    raise _Beyond(beyond)
                return verdict
        if beyond:
            raise _Beyond(beyond)
        if not redirect:
            return "neutral"
        self._count()
        verdict = await self._host(self._name(redirect), depth + 1)
        if verdict == "none":
            raise _Broken(f"redirect leads to {redirect}, which has no SPF record")
        return verdict

    async def _matches(self, domain: str, term: str, depth: int) -> str | None:
        """The qualifier of a mechanism that matches."""
        literal = _IP.fullmatch(term)
        if literal:
            return (literal[1] or "+") if self._is_in(literal[3], literal[2].lower()) else None
        found = _TERM.fullmatch(term)
        if found is None or found[2].lower() in ("ip4", "ip6"):
            raise _Broken(f"{domain}: {term} is no term of SPF")
        qualifier, kind, given, short, long = found.groups()
        kind = kind.lower()
        if kind == "all":
            return qualifier or "+"
        self._count()
        if kind in ("ptr", "exists"):
            raise _Beyond(f"{domain}: {kind} is not evaluated")
        if kind == "include" and not given:
            raise _Broken(f"{domain}: include names no domain")
        name = self._name(given) if given else domain
        if kind == "include":
            verdict = await self._host(name, depth + 1)
            if verdict == "none":
                raise _Broken(f"{domain} includes {name}, which has no SPF record")
            return (qualifier or "+") if verdict == "pass" else None
        bits = int((short or "/32")[1:]), int((long or "//128")[2:])
        return (qualifier or "+") if await self._is_host(name, kind, bits) else None

    async def _is_host(self, name: str, kind: str, bits: tuple[int, int]) -> bool:
        hosts = [name]
        if kind == "mx":
            hosts = [host for host in await self._dns.exchanges(name) if host != "."]
            if len(hosts) > _MOST_HOSTS:
                raise _Broken(f"{name} has more than {_MOST_HOSTS} mail hosts")
        addresses = [each for host in hosts for each in await self._dns.addresses(host)]
        if not addresses:
            self._void += 1
            if self._void > _MOST_VOID:
                raise _Broken(f"more than {_MOST_VOID} look-ups find nothing")
        four, six = bits
        return any(
            self._is_in(f"{each}/{six}", "ip6") if ":" in each else self._is_in(f"{each}/{four}")
            for each in addresses
        )

    def _is_in(self, network: str, kind: str = "ip4") -> bool:
        try:
            found = ip_network(network, strict=False)
        except ValueError:
            raise _Broken(f"{kind}:{network} is no network") from None
        if (found.version == 4) != (kind == "ip4"):
            raise _Broken(f"{kind}:{network} is no network of its kind")
        address: IPv4Address | IPv6Address = self._address
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return address.version == found.version and address in found

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise _Broken(f"more than {MOST_LOOKUPS} look-ups")

    @staticmethod
    def _name(given: str) -> str:
        if "%" in given:
            raise _Beyond(f"{given}: macros are not evaluated")
        return given.lower().rstrip(".")
