"""The OpenAPI 3.1 description of the API, made of its declarations."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.endpoint import NAME, Endpoint, Listing
from adapters.http.problem import PROBLEM
from adapters.http.server import STATUS_OF
from gateway import __version__
from gateway.domain.access import READERS
from gateway.errors import Refusal, Trouble

ROOT = "/api/v1"
"""Where the API begins."""

_REF = "#/components/schemas/{name}"

Schema = Mapping[str, Any]
Refs = Mapping[Any, Schema]
"""The schemas of types; a reference for each that has a name."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    reason: Annotated[str, Meta(description="One word of a closed set, for programs.")]
    request_id: Annotated[str, Meta(description="For finding the request again, as X-Request-Id.")]
    detail: Annotated[
        str, Meta(description="For the developer; holds no value of the request.")
    ] = ""


_ALWAYS = (
    Refusal.UNAUTHENTICATED,
    Refusal.UNKNOWN_BEARER,
    Refusal.BODY_TOO_LARGE,
    Refusal.BODY_TOO_SLOW,
    Refusal.UNKNOWN_PARAMETER,
    Refusal.INVALID_UTF8,
)
_PARAMETERS = (Refusal.INVALID_PARAMETER, Refusal.DOUBLED_PARAMETER)
_BODY = (Refusal.MEDIA_TYPE, Refusal.NOT_JSON, Refusal.INVALID_FIELD, Refusal.UNKNOWN_FIELD)
_KEYED = (Refusal.INVALID_KEY, Refusal.KEY_REUSED)
_TROUBLES = [trouble for trouble in Trouble if trouble.startswith("store_")]
_HEADERS = {401: ("WWW-Authenticate", "string"), 503: ("Retry-After", "integer")}

_ABOUT = """\
Times are RFC 3339 with their offset; give them likewise. Ids are strings of digits, money is whole
yen, durations are whole seconds, days are those of Asia/Tokyo.

**Access.** `Authorization: Bearer tsn_…`, a token of `gateway token create`. A token that names
advertisers opens their data and that of all who stand below them (agency, media, advertiser). What
belongs to others is answered as if it did not exist (404); naming another advertiser in a filter or
a body is refused (403). Roles: `viewer` reads, with telephone numbers of callers masked; `staff`
sees them and answers people; `manager` changes what concerns its advertisers; `operator` does all.

**Lists.** `?limit=&cursor=` → `{"items": […], "next": …}`. `next` is the cursor of the next page.

**Writes.** Send an `Idempotency-Key` with each write, and repeat the write with the same key where
you got no answer: within 24 hours it is done once, and the repeat gets the first answer. The same
key with another path or body is refused (422). What was refused did not use its key up.

**Errors** are problem documents (RFC 9457) with a `reason` out of a closed set. A 503 is worth
trying again after `Retry-After` seconds. A method that a path does not take gets 405 with `Allow`.
"""


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The description of ``endpoints``; plain JSON."""
    named = [t for e in endpoints for t in (e.body, e.answer) if t not in (None, bytes)]
    types = [Problem, *dict.fromkeys(named)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    refs = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tsunagi", "version": __version__, "description": _ABOUT},
        "servers": [{"url": ROOT}],
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in sorted({e.tag for e in endpoints})],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": components,
        },
    }


def refusals(endpoint: Endpoint) -> list[Refusal]:
    """Every reason for which ``endpoint`` may be refused."""
    found = [*_ALWAYS, *endpoint.refusals]
    if endpoint.query.__struct_fields__:
        found += _PARAMETERS
    if issubclass(endpoint.query, Listing):
        found.append(Refusal.INVALID_CURSOR)
    if endpoint.roles != READERS:
        found.append(Refusal.ROLE_NOT_ALLOWED)
    if "{" in endpoint.path:
        found.append(Refusal.NOT_FOUND)
    if endpoint.body is not None:
        found += _BODY
    if endpoint.takes:
        found.append(Refusal.MEDIA_TYPE)
    if endpoint.writes:
        found += _KEYED
    return list(dict.fromkeys(found))


def _operation(endpoint: Endpoint, refs: Refs) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "description": _description(endpoint),
        "x-roles": sorted(endpoint.roles),
        "parameters": [*_segments(endpoint), *_query(endpoint), *_headers(endpoint)],
        "responses": {
            str(endpoint.status): _success(endpoint, refs),
            **_problems(endpoint, refs[Problem]),
        },
    }
    if endpoint.body is not None:
        content = {"application/json": {"schema": refs[endpoint.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.takes:
        schema = {"type": "string", "maxLength": endpoint.max_body}
        content = {endpoint.takes: {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _description(endpoint: Endpoint) -> str:
    roles = ", ".join(f"`{role}`" for role in sorted(endpoint.roles))
    return f"{endpoint.description}\n\nRoles: {roles}.".strip()


def _segments(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    for segment in endpoint.path.split("/"):
        if segment.startswith("{"):
            name = segment.strip("{}")
            schema = dict(endpoint.segments.get(name, NAME))
            yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    (schema,), components = msgspec.json.schema_components([endpoint.query], ref_template=_REF)
    found = components[schema["$ref"].rpartition("/")[2]]
    for name, property_ in found["properties"].items():
        field = _without_null(property_)
        description = field.pop("description", None)
        parameter = {
            "name": name,
            "in": "query",
            "required": name in found.get("required", ()),
            "schema": field,
        }
        yield parameter | ({"description": description} if description else {})


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What a parameter can be when it is there; absent, it is what stands here as null."""
    schema = {key: value for key, value in schema.items() if key != "default" or value is not None}
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema |= choices[0]
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    return schema


def _headers(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if endpoint.writes:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Makes the write safe to repeat, for 24 hours.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
        }


def _success(endpoint: Endpoint, refs: Refs) -> dict[str, Any]:
    said = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.answer is None:
        return said
    schema = {"type": "string"} if endpoint.answer is bytes else refs[endpoint.answer]
    content = {endpoint.media_type: {"schema": schema}}
    content |= {kind: {"schema": {"type": "string"}} for kind in endpoint.further_types}
    return {**said, "content": content}


def _problems(endpoint: Endpoint, schema: Schema) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {503: [str(trouble) for trouble in _TROUBLES]}
    for reason in refusals(endpoint):
        by_status.setdefault(STATUS_OF[reason], []).append(str(reason))
    return {
        str(status): _problem(status, by_status[status], schema) for status in sorted(by_status)
    }


def _problem(status: int, reasons: Sequence[str], schema: Schema) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    example = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "reason": reasons[0],
        "request_id": "1f0c2a9b-17",
    }
    said: dict[str, Any] = {
        "description": f"{phrase}: {', '.join(f'`{reason}`' for reason in reasons)}",
        "content": {PROBLEM: {"schema": schema, "example": example}},
    }
    if status in _HEADERS:
        name, kind = _HEADERS[status]
        said["headers"] = {name: {"schema": {"type": kind}}}
    return said
