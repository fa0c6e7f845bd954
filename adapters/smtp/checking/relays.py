"""Whether a relay takes a connection of ours: greeting, EHLO, TLS and log-in; no mail is sent."""

import asyncio
import contextlib

import msgspec

from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.delivery.opening import Unopened, open_session, tls_context
from adapters.smtp.delivery.settings import RelayConfig, Seconds
from adapters.smtp.delivery.wire import Ended, Wire
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.checks import Finding

_SECONDS = 5.0
"""For each step: whoever checks sits and waits."""

_REMEDIES = {
    "connect": "start the mail server, or mend relay in [smtp]",
    "tls": "mend its certificate, or tls and tls_ca_file in [smtp]",
    "auth": "mend username, password and tls in [smtp]",
}
_ELSE = "look at the mail server's log"


async def look_at(config: RelayConfig) -> Finding:
    """What a relay answers to a connection that is closed again at once."""
    seconds = Seconds(connect=_SECONDS, greeting=_SECONDS, command=_SECONDS)
    config = msgspec.structs.replace(config, seconds=seconds)
    owner = _Nobody()
    try:
        context = await asyncio.get_running_loop().run_in_executor(None, tls_context, config)
        wire, _ = await open_session(config, owner, context)
    except Unopened as failed:
        answer = failed.answer
        why = f"{answer.code} {answer.text}" if answer.code else answer.text.replace("_", " ")
        remedy = _REMEDIES.get(answer.stage, _ELSE)
        return Finding("relay", "failed", f"{config.name}: {answer.stage}: {why}", remedy)
    except OSError as error:
        found = f"{config.name}: tls_ca_file: {error.strerror or error}"
        return Finding("relay", "failed", found, "name a file of PEM certificates")
    how = "over TLS" if _is_over_tls(wire) else "without TLS"
    with contextlib.suppress(Ended):
        await wire.ask(b"QUIT")
    wire.abort()
    await owner.ended.wait()
    log_in = ", logged in" if config.username else ""
    return Finding("relay", "passed", f"{config.name} takes mail {how}{log_in}")


def _is_over_tls(wire: Wire) -> bool:
    return wire.transport.get_extra_info("ssl_object") is not None


class _Nobody:
    """Has no letters, and knows when the connection has ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def take(self, wire: Wire) -> Envelope | None:
        return None

    def settle(self, envelope: Envelope, answer: Answer) -> None:
        raise AssertionError("no letter was given")

    def rest(self, wire: Wire) -> None:
        """It is left at once."""

    def opened(self, wire: Wire) -> None:
        """Whoever opens it waits for it."""

    def closed(self, wire: Wire, answer: Answer) -> None:
        self.ended.set()
