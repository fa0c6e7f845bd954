"""Questions to the DNS, of which "there is none" is an answer and "nobody answers" is not."""

from typing import Any, Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from gateway.errors import Transient, Trouble

_SECONDS = 5.0


class Lookups(Protocol):
    """What is asked of the DNS. All raise ``Transient`` where nobody answers."""

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name, each in one piece."""

    async def addresses(self, name: str) -> list[str]:
        """Its IPv4 and IPv6 addresses."""

    async def exchanges(self, name: str) -> list[str]:
        """The hosts that take its mail, the preferred first; ``.`` where it takes none."""

    async def names(self, address: str) -> list[str]:
        """What an address is called (PTR)."""


class Resolver:
    """The DNS as this machine knows it, or as one server does."""

    def __init__(self, nameserver: tuple[str, int] | None = None) -> None:
        self._nameserver = nameserver
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def texts(self, name: str) -> list[str]:
        """See :class:`Lookups`."""
        found = await self._ask(name, "TXT")
        return [b"".join(each.strings).decode("ascii", "replace") for each in found]

    async def addresses(self, name: str) -> list[str]:
        """See :class:`Lookups`."""
        found = [*await self._ask(name, "A"), *await self._ask(name, "AAAA")]
        return [str(each.address) for each in found]

    async def exchanges(self, name: str) -> list[str]:
        """See :class:`Lookups`."""
        found = await self._ask(name, "MX")
        ordered = sorted(found, key=lambda each: (each.preference, str(each.exchange)))
        return [str(each.exchange).rstrip(".") or "." for each in ordered]

    async def names(self, address: str) -> list[str]:
        """See :class:`Lookups`."""
        found = await self._ask(str(dns.reversename.from_address(address)), "PTR")
        return [str(each.target).rstrip(".") for each in found]

    async def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            if self._resolver is None:
                self._resolver = self._made()
            return list(await self._resolver.resolve(name, kind, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, UnicodeError):
            return []  # no such name can be
        except (dns.exception.DNSException, OSError) as error:
            raise Transient(Trouble.DNS_DOWN, type(error).__name__) from error

    def _made(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=self._nameserver is None)
        if self._nameserver is not None:
            host, resolver.port = self._nameserver
            resolver.nameservers = [host]
        resolver.lifetime = _SECONDS
        return resolver
