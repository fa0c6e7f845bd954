"""The path that the platform calls, a channel each."""

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters.line.webhook import (
    MOST_BODY,
    SIGNATURE_HEADER,
    Body,
    Verifier,
    check_destination,
    read_body,
    single_signature,
)
from gateway.domain.line.channel import Channel
from gateway.domain.line.events import Event
from gateway.domain.line.forwarding import written
from gateway.domain.values import Seed
from gateway.errors import Refusal, Refused, Transient, Trouble
from gateway.ports import Answer, Request, Route, Store
from gateway.ports.process import Blocks, Log
from gateway.usecases.line import IDS_AN_EVENT, Incoming, record

PROVIDER = "line"

_KEPT = Answer()

_UNIT_EVENTS = 100
_UNIT_CHARACTERS = 20_000
"""So much of a body is kept in one transaction; the platform's have a few events. The others wait
for it, so a larger body takes several: each event is kept once, whatever becomes of those after it.
"""

_MOST_WAITING = 64
"""So many bodies of one channel may wait for the store at once: a shop that is flooded, or floods,
makes others wait for these alone. In quiet times none waits; a thousand a second leave a few.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """The webhooks of all channels: each is verified, read, kept, and only then answered."""

    store: Store
    ids: Blocks
    log: Log
    max_body: int = MOST_BODY
    _verifiers: dict[str, tuple[Channel, Verifier]] = field(default_factory=dict)
    _waiting: Counter[str] = field(default_factory=Counter)

    def routes(self) -> list[Route]:
        """``/line/{id}``."""
        return [
            Route("POST", "/line/{id}", self.answer, PROVIDER, "webhook", max_body=self.max_body)
        ]

    async def answer(self, request: Request) -> Answer:
        """200 once all that is new of the body is on disk.

        Raises:
            Refused: it is not the platform's, or not to be understood; nothing was kept.
            Transient: the store is away, or too much of the channel waits for it; the platform
                delivers again where that is switched on.
        """
        try:
            channel, body, forward = self._read(request)
        except Refused as refused:
            self.log.warning(
                "webhook refused",
                reason=refused.reason.value,
                detail=refused.detail,
                channel=self._known(request),
                request=request.id,
            )
            raise
        if self._waiting[channel.id] >= _MOST_WAITING:
            raise Transient(Trouble.STORE_BUSY, f"{_MOST_WAITING} webhooks of this channel wait")
        self._waiting[channel.id] += 1
        try:
            await self._keep(channel, body, forward, request.received_at)
        finally:
            self._waiting[channel.id] -= 1
        return _KEPT

    async def _keep(self, channel: Channel, body: Body, forward: str, received_at: int) -> None:
        notes = body.notes
        for events in _units(body.events):
            if not (events or forward):
                break  # the console's ping, which has no events
            count = IDS_AN_EVENT * len(events) + bool(forward)
            first = self.ids.block(received_at, count)
            seed = Seed(first, count, secrets.token_bytes(16))
            incoming = Incoming(channel.id, events, received_at, seed, notes=notes, forward=forward)
            if await self.store.run(record, incoming):
                forward = ""  # what tells something new was sent on with it
            notes = ()

    def _read(self, request: Request) -> tuple[Channel, Body, str]:
        """Whose webhook it is, what it says, and what a second tool is to get of it."""
        channel = self.store.entity(Channel, request.parameters["id"])
        if channel is None:
            raise Refused(Refusal.UNKNOWN_CHANNEL)
        signature = single_signature(request.headers.getall(SIGNATURE_HEADER, ()))
        self._verifier(channel).check(request.body, signature)
        body = read_body(request.body)
        check_destination(body, channel.bot_user_id)
        forward = ""
        if channel.forward is not None:
            messages = tuple(event.message_id for event in body.events if event.message_id)
            forward = written(channel.id, channel.forward.url, request.body, signature, messages)
        return channel, body, forward

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


def _units(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    """The events in order, a transaction each; one without any where there are none."""
    unit: list[Event] = []
    characters = 0
    for event in sorted(events, key=lambda event: event.at):
        characters += len(event.text)
        if unit and (len(unit) >= _UNIT_EVENTS or characters > _UNIT_CHARACTERS):
            yield tuple(unit)
            unit, characters = [], len(event.text)
        unit.append(event)
    yield tuple(unit)
