"""The simulated carrier, for ``simulate`` and ``demo``."""

from typing import Any
from urllib.parse import urlsplit

from adapters.twilio.simulator import (
    SCENARIOS,
    CallListing,
    Carrier,
    Played,
    Post,
    Script,
    random_scripts,
)
from gateway.config import Config
from gateway.errors import Misconfigured

__all__ = [
    "SCENARIOS",
    "CallListing",
    "Played",
    "Post",
    "Script",
    "call_listing",
    "carrier",
    "random_scripts",
    "simulate_call",
    "trouble_of",
]


def carrier(config: Config, *, target: str | None = None, **faults: Any) -> Carrier:
    """A carrier that calls the daemon of ``config``; ``faults`` are those of :class:`Carrier`.

    Raises:
        Misconfigured: the configuration has no carrier to play.
    """
    if config.twilio is None:
        raise Misconfigured(["[twilio] is absent: there is no carrier to simulate"])
    return Carrier(
        target or address_of(config),
        config.public_url,
        config.twilio.account_sid,
        config.twilio.auth_token,
        **faults,
    )


def call_listing(config: Config) -> CallListing:
    """The carrier's list of calls, served where ``config`` says that its REST API is.

    Raises:
        Misconfigured: the configuration has no carrier to play.
    """
    if config.twilio is None:
        raise Misconfigured(["[twilio] is absent: there is no carrier to simulate"])
    api = urlsplit(config.twilio.api_url)
    return CallListing(
        config.twilio.account_sid,
        config.twilio.auth_token,
        host=api.hostname or "",
        port=api.port or 80,
    )


def address_of(config: Config) -> str:
    """Where the public listener of a daemon on this machine is."""
    listen = config.http.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - not bound to
    return f"http://[{host}]:{listen.port}" if ":" in host else f"http://{host}:{listen.port}"


async def simulate_call(
    config: Config, script: Script, *, target: str | None, speed: float
) -> Played:
    """Play one call against the running daemon."""
    async with carrier(config, target=target, speed=speed) as one:
        return await one.play(script)


def trouble_of(played: Played) -> str | None:
    """What went wrong with a played call, if anything."""
    for post in played.unacknowledged:
        answer = f"answered {post.status}" if post.status else f"not answered: {post.error}"
        return f"{played.sid}: {post.what} was {answer}"
    if not played.forwarded:
        return f"{played.sid}: {played.number} was not forwarded: is it provisioned?"
    return None
