"""The path that the platform calls, a channel each."""

import secrets
from dataclasses import dataclass, field
from typing import Protocol

from adapters.line.webhook import (
    MOST_BODY,
    SIGNATURE_HEADER,
    Verifier,
    check_destination,
    read_body,
    single_signature,
)
from gateway.domain.line.channel import Channel
from gateway.domain.line.forwarding import written
from gateway.domain.values import Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route, Store
from gateway.usecases.line import IDS_AN_EVENT, Incoming, record

PROVIDER = "line"

_KEPT = Answer()


class Blocks(Protocol):
    """Makes ids that no other process makes."""

    def block(self, now: int, count: int) -> int:
        """The first of ``count`` ids that follow each other."""


class Log(Protocol):
    """Where lines go; structlog's loggers are such."""

    def warning(self, event: str, /, **fields: object) -> object:
        """Something to look at where there are many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """The webhooks of all channels: each is verified, read, kept, and only then answered."""

    store: Store
    ids: Blocks
    log: Log
    max_body: int = MOST_BODY
    _verifiers: dict[str, tuple[Channel, Verifier]] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """``/line/{id}``."""
        return [
            Route("POST", "/line/{id}", self.answer, PROVIDER, "webhook", max_body=self.max_body)
        ]

    async def answer(self, request: Request) -> Answer:
        """200 once all that is new of the body is on disk.

        Raises:
            Refused: it is not the platform's, or not to be understood; nothing was kept.
            Transient: the store is away; the platform delivers again where that is switched on.
        """
        try:
            incoming = self._read(request)
        except Refused as refused:
            self.log.warning(
                "webhook refused",
                reason=refused.reason.value,
                detail=refused.detail,
                channel=self._known(request),
                request=request.id,
            )
            raise
        if incoming.events or incoming.forward:  # the console's ping has no events
            await self.store.run(record, incoming)
        return _KEPT

    def _read(self, request: Request) -> Incoming:
        channel = self.store.entity(Channel, request.parameters["id"])
        if channel is None:
            raise Refused(Refusal.UNKNOWN_CHANNEL)
        signature = single_signature(request.headers.getall(SIGNATURE_HEADER, ()))
        self._verifier(channel).check(request.body, signature)
        body = read_body(request.body)
        check_destination(body, channel.bot_user_id)
        events = tuple(sorted(body.events, key=lambda event: event.at))
        forward = ""
        if channel.forward is not None:
            forward = written(channel.id, channel.forward.url, request.body, signature)
        count = IDS_AN_EVENT * len(events) + bool(forward)
        now = request.received_at
        seed = Seed(self.ids.block(now, count) if count else 0, count, secrets.token_bytes(16))
        return Incoming(channel.id, events, now, seed, notes=body.notes, forward=forward)

    def _verifier(self, channel: Channel) -> Verifier:
        known = self._verifiers.get(channel.id)
        if known is None or known[0] is not channel:  # its secrets may have been rotated
            verifier = Verifier(channel.channel_secret, channel.channel_secret_previous)
            self._verifiers[channel.id] = known = (channel, verifier)
        return known[1]

    def _known(self, request: Request) -> str:
        """The channel for the log; what a stranger invents is not repeated there."""
        channel = self.store.entity(Channel, request.parameters["id"])
        return channel.id if channel else "unknown"
