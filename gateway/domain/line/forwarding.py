"""Webhooks sent on to a second tool: where they may go, and what an answer means."""

import ipaddress
import re
from base64 import b64decode, b64encode
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from gateway.domain.values import SECOND

KIND = "line.forward"
"""The kind of the effects."""

GIVE_UP_SECONDS = 86_400
"""So long a webhook is tried; a tool that was away for longer has missed it."""

_FIRST_PAUSE = 2
_LAST_PAUSE = 900

Result = Literal["sent", "retried", "refused", "expired", "withdrawn"]
"""What came of an attempt; a metric label. ``withdrawn``: the channel sends nothing there now, or
who sent a message took it back.
"""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# What `is_global` of older Pythons lets through: protocol assignments, relays, documentation.
_SPECIAL = [
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Whether ``address`` (an IPv4 or IPv6 literal) is one of a host on the internet: global
    unicast, and where it stands for an IPv4 address, that one likewise.

    Source: the registries of special-purpose addresses, RFC 6890; NAT64, RFC 6052; 6to4, RFC 3056.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        within = _within(found)
        if within is not None:
            return _is_public(within)
        if found not in _GLOBAL_UNICAST:
            return False
    return _is_public(found)


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a packet to ``address`` ends up at, if any."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_public(address: Address) -> bool:
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_public_url(url: str) -> bool:
    """Whether ``url`` can be a tool's address: https, a host with a name or a public address, no
    user, no fragment. What its name stands for is looked at when it is connected to.
    """
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or not host or port == 0:
        return False
    if "@" in parts.netloc or "#" in url:
        return False
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        return is_public(host)
    labels = host.removesuffix(".").split(".")
    is_name = all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", each) for each in labels)
    # A last label of digits makes an address of it, however it is written (127.1, 0x7f.1).
    is_number = re.match(r"[0-9]", labels[-1]) is not None
    return len(labels) > 1 and is_name and not is_number and labels[-1] not in _NOWHERE


_NOWHERE = frozenset({"localhost", "local", "internal", "lan", "home", "corp", "intranet", "arpa"})
"""Last labels of names that no public resolver knows (RFC 6761, RFC 6762), or that lead inside."""


class Payload(msgspec.Struct, frozen=True):
    """A webhook as it came, on its way to the second tool."""

    channel: str
    url: str
    """Where the channel's webhooks went when it came."""
    body: str
    """Its bytes as base64: they must arrive as they were signed."""
    signature: str
    messages: tuple[str, ...] = ()
    """The ids of the messages in it, by which it is found when one is taken back."""

    @property
    def raw(self) -> bytes:
        """The bytes of its body."""
        return b64decode(self.body)


def written(
    channel: str, url: str, body: bytes, signature: str, messages: tuple[str, ...] = ()
) -> str:
    """The payload of the effect that sends a webhook on."""
    payload = Payload(channel, url, b64encode(body).decode(), signature, messages)
    return msgspec.json.encode(payload).decode()


def read(payload: str) -> Payload:
    """The payload that :func:`written` made.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.json.decode(payload, type=Payload)


def stream_of(channel: str, user: str) -> str:
    """The stream of the webhooks about a user or group: the tool gets one after the other.

    One that it cannot take holds up what the same user does afterwards, and nobody else's. What is
    about nobody stands alone.
    """
    return f"forward/{channel}/{user}" if user else ""


def verdict(status: int) -> Literal["sent", "retried", "refused"]:
    """What an answer with ``status`` means; a redirect leads to somewhere nobody approved."""
    if 200 <= status < 300:
        return "sent"
    if status >= 500 or status in (408, 429):
        return "retried"
    return "refused"


def next_attempt(attempts: int, now: int) -> int:
    """When to try again after so many attempts: twice as late each time, up to a quarter hour."""
    return now + min(_FIRST_PAUSE << min(attempts - 1, 20), _LAST_PAUSE) * SECOND
