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
    return Answer(json.dumps(document).encode(), status, PROBLEM, {**NO_STORE, **(headers or {})})


NO_STORE = {"Cache-Control": "no-store"}
"""For answers that no cache between here and the client may keep."""
