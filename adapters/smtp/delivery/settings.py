"""What is known of one relay before it is spoken to."""

import re
from ipaddress import ip_address
from typing import Literal

import msgspec

Tls = Literal["off", "opportunistic", "required", "implicit"]
"""``opportunistic``: where it is offered and works, without a look at the certificate (RFC 7435).
``required``: STARTTLS or nothing. ``implicit``: from the first byte (RFC 8314 3.3)."""


_HELO = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


class Seconds(msgspec.Struct, frozen=True):
    """How long a server may take, in seconds, from what was written to the whole reply.

    RFC 5321 4.5.3.2 asks for 5 minutes for most, 10 minutes after the final dot. The first are
    shorter here, since the relay is ours and near; the last is not: giving up while the server
    still works on a letter is how doubles are made.
    """

    connect: float = 30.0
    greeting: float = 60.0
    command: float = 60.0
    data: float = 120.0
    """For the answer to DATA, and for each part of a message to leave."""
    end: float = 600.0
    """From the final dot to its answer."""
    idle: float = 30.0
    """A connection without letters is closed after so long."""


class RelayConfig(msgspec.Struct, frozen=True):
    """One relay, and how we speak to it.

    Raises:
        ValueError: ``helo`` is no name or address literal (RFC 5321 4.1.2).
    """

    name: str
    host: str
    port: int = 25
    helo: str = "localhost"
    """What we call ourselves in EHLO: a name that resolves to us."""
    tls: Tls = "opportunistic"
    verify: bool = True
    """Whether a certificate is checked where TLS is required or implicit."""
    ca_file: str = ""
    """PEM certificates to trust instead of the system's."""
    username: str = ""
    password: str = ""
    """Sent over TLS with a certificate that was checked, or to loopback; else the relay is left."""
    connections: int = 20
    """At most so many at a time."""
    messages_per_connection: int = 1_000
    """Then a connection is closed in good order, and another one opened."""
    seconds: Seconds = Seconds()
    pause_least: float = 1.0
    pause_most: float = 300.0
    """Seconds without a new connection after one that failed; doubled from the one to the other."""

    def __post_init__(self) -> None:
        if not _HELO.fullmatch(self.helo):
            raise ValueError("helo is neither a name nor an address literal")

    @property
    def is_loopback(self) -> bool:
        """Whether what is written does not leave this machine."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __repr__(self) -> str:
        return f"RelayConfig({self.name!r}, {self.host!r}, {self.port}, tls={self.tls!r})"
