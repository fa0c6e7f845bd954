"""What the store has of one person beside their entry on a list: for disclosure (rule R104)."""

import msgspec

from gateway.ports.mail.campaigns import Send


class Sent(msgspec.Struct, frozen=True):
    """A mail to somebody, of a list."""

    list: str
    send: Send


class Response(msgspec.Struct, frozen=True):
    """What somebody did with a mail of a list, or what came of it, for the first time."""

    list: str
    campaign: int
    recipient: int
    what: str
    """``open``, ``click``, ``stop``, ``complaint`` or ``delayed``."""
    at: int
