"""Makes routes of declarations: token, role, query, body and key are checked here, once for all."""

import re
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from adapters.http.api.ask import Ask, Wiring
from adapters.http.api.endpoint import Endpoint
from adapters.http.api.guard import Guard
from adapters.http.api.openapi import ROOT, document
from adapters.http.api.parsing import BodyReader, QueryReader, check_kind
from adapters.http.problem import NO_STORE
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route

PROVIDER = "api"
"""The label of its metrics."""

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_encode = msgspec.json.Encoder().encode


def routes(endpoints: Sequence[Endpoint], wiring: Wiring, guard: Guard) -> list[Route]:
    """The routes of ``endpoints``, and their description at ``/api/v1/openapi.json``."""
    described = _encode(document(endpoints))

    async def openapi(request: Request) -> Answer:
        return Answer(described, 200, "application/json", NO_STORE)

    return [
        Route("GET", f"{ROOT}/openapi.json", openapi, PROVIDER, "openapi"),
        *(
            Route(
                endpoint.method,
                ROOT + endpoint.path,
                _served(endpoint, wiring, guard),
                PROVIDER,
                endpoint.name,
                endpoint.max_body,
                bool(endpoint.takes),
            )
            for endpoint in endpoints
        ),
    ]


def _served(
    endpoint: Endpoint, wiring: Wiring, guard: Guard
) -> Callable[[Request], Awaitable[Answer]]:
    queries = QueryReader(endpoint.query)
    bodies = BodyReader(endpoint.body) if endpoint.body else None
    roles = endpoint.roles

    async def serve(request: Request) -> Answer:
        access = await guard.access(request)
        if access.role not in roles:
            raise Refused(Refusal.ROLE_NOT_ALLOWED, f"this takes {_either(endpoint)}")
        if endpoint.takes:
            check_kind(request, endpoint.takes)
        ask = Ask(
            access=access,
            scope=guard.scope(access),
            query=queries.read(request.query),
            body=bodies.read(request) if bodies else None,
            parameters=request.parameters,
            now=request.received_at,
            request=request,
            endpoint=endpoint,
            wiring=wiring,
            tree=guard,
            key=_key(request) if endpoint.writes else None,
        )
        reply = await endpoint.handler(ask)
        if isinstance(reply, Answer):
            return reply
        if isinstance(reply, bytes):
            return ask.answer(reply)
        return ask.answer(b"" if reply is None else _encode(reply))

    return serve


def _either(endpoint: Endpoint) -> str:
    return " or ".join(sorted(endpoint.roles))


def _key(request: Request) -> str | None:
    """The Idempotency-Key of a write."""
    given = request.headers.getall("Idempotency-Key", ())
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise Refused(Refusal.INVALID_KEY, "one Idempotency-Key of 1 to 200 visible ASCII signs")
    return given[0]
