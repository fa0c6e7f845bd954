"""The paths that the platform calls, and what they answer while the store is away."""

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import get_args

import msgspec

from adapters.twilio.twiml import CONTENT_TYPE, render
from adapters.twilio.webhook import (
    PROVIDER,
    SIGNATURE_HEADER,
    FormKind,
    Verifier,
    parse_form,
    read_event,
    require_form,
    single_signature,
)
from gateway.domain.values import REJECT, Reply, masked
from gateway.errors import Permanent, Refusal, Refused, Transient, Trouble
from gateway.ports import Answer, Observer, Request, Route, Spool, Store
from gateway.ports.process import Log
from gateway.usecases.calls import Incoming, forward_from_cache, record


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """The webhooks of calls: each is verified, read, kept, and only then answered."""

    store: Store
    spool: Spool
    verifier: Verifier
    ids: Callable[[int], int]
    """Makes the id that a new call gets of the instant of receipt (microseconds)."""
    observer: Observer
    public_url: str
    log: Log
    spool_seconds: float = 0.4
    """With the store's deadline of 1.5 s a caller waits less than 2 s, whatever fails."""

    def routes(self) -> list[Route]:
        """``/twilio/voice``, ``/twilio/dial``, ``/twilio/status`` and ``/twilio/fallback``."""
        return [
            Route("POST", f"/twilio/{kind}", partial(self.answer, kind), PROVIDER, kind)
            for kind in get_args(FormKind)
        ]

    async def answer(self, kind: FormKind, request: Request) -> Answer:
        """The answer to a webhook that came to the path of ``kind``.

        Raises:
            Refused: it is not the platform's, or not to be understood; nothing was kept.
            Transient: the store is away, and no routes were ever loaded to answer from.
            Permanent: the store is away, and the spool refuses, too.
        """
        try:
            incoming = self._read(kind, request)
        except Refused as refused:
            self._warn("webhook refused", refused.reason, kind, request, detail=refused.detail)
            raise
        reply = await self._reply(kind, request, incoming)
        return Answer(render(reply, self.public_url), content_type=CONTENT_TYPE)

    def _read(self, kind: FormKind, request: Request) -> Incoming:
        headers = request.headers
        signature = single_signature(headers.getall(SIGNATURE_HEADER, ()))
        require_form(headers.get("Content-Type"))
        form = parse_form(request.body)
        self.verifier.check(request.path, request.query, signature, form)
        event = read_event(kind, form, request.received_at)
        return Incoming(event, self.ids(request.received_at), request.body.decode())

    async def _reply(self, kind: FormKind, request: Request, incoming: Incoming) -> Reply:
        try:
            return await self.store.run(record, incoming)
        except Refused as refused:
            number = masked(incoming.event.number)
            self._warn("webhook refused", refused.reason, kind, request, number=number)
            if refused.reason is not Refusal.UNKNOWN_NUMBER:
                raise
            # The call is genuine, and at a 4xx the carrier would answer it and read out an error.
            self.observer.refused(PROVIDER, kind, refused.reason)
            return REJECT
        except Exception as error:  # noqa: BLE001 - whatever fails, the caller is put through
            return await self._reply_from_cache(kind, request, incoming, error)

    async def _reply_from_cache(
        self, kind: FormKind, request: Request, incoming: Incoming, error: Exception
    ) -> Reply:
        if isinstance(error, Transient | Permanent):
            reason = error.reason
        else:
            # Type and place, but neither message nor traceback: those may quote the request.
            reason = Trouble.STORE_FAULT
            self.log.error("unexpected exception", error=type(error).__name__, where=_place(error))
        event = incoming.event
        route = self.store.route(event.number) if event.number else None
        reply = forward_from_cache(event, route)
        answered = msgspec.structs.replace(incoming, answered=reply, route=route)
        try:
            async with asyncio.timeout(self.spool_seconds):
                await self.spool.append(PROVIDER, spooled(answered))
        except TimeoutError:
            raise Permanent(Trouble.SPOOL_FAULT, "the spool did not answer in time") from error
        self.observer.spooled(PROVIDER, kind, reason)
        self._warn("webhook spooled", reason, kind, request)
        return reply

    def _warn(
        self,
        what: str,
        reason: Refusal | Trouble,
        kind: FormKind,
        request: Request,
        **fields: object,
    ) -> None:
        self.log.warning(what, reason=reason.value, route=kind, request=request.id, **fields)


def _place(error: Exception) -> str:
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"{frame.f_globals['__name__']}:{line}"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Incoming).decode


def spooled(incoming: Incoming) -> bytes:
    """``incoming`` as the spool keeps it."""
    return _encode(incoming)


def unspooled(kept: bytes) -> Incoming:
    """The event that :func:`spooled` made ``kept`` of.

    Raises:
        msgspec.DecodeError: it did not.
    """
    return _decode(kept)
