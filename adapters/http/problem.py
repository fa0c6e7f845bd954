"""Errors as RFC 9457 problem documents."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from gateway.ports import Answer

PROBLEM = "application/problem+json"
"""The media type of a problem document."""


def problem(
    status: int, reason: str, detail: str, request_id: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """An RFC 9457 problem document; ``reason`` is one of the closed sets of gateway.errors."""
    document: Mapping[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "reason": str(reason),
        "request_id": request_id,
    }
    if detail:
        document = {**document, "detail": detail}
    # A lone surrogate, which no UTF-8 has, never reaches a detail but by a mistake of ours.
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(body, status, PROBLEM, {**NO_STORE, **(headers or {})})


NO_STORE = {"Cache-Control": "no-store"}
"""For answers that no cache between here and the client may keep."""
