"""The webhook's address, set and tested by the bot itself.

Source: "Webhook settings" of the Messaging API reference.
"""

from urllib.parse import urlsplit

from adapters.line.simulator.ids import rfc3339
from adapters.line.simulator.protocol import DONE, HOUR, Answer, Call, Json, Route, Wrong, invalid

_MOST_URL = 500

_REASONS = {
    "could_not_connect": ("COULD_NOT_CONNECT", "connection failed"),
    "request_timeout": ("REQUEST_TIMEOUT", "request timed out"),
}


def endpoint(call: Call) -> Answer:
    """GET /v2/bot/channel/webhook/endpoint."""
    channel = call.channel
    if not channel.webhook_url:
        raise Wrong(404, "Not found")
    return Answer({"endpoint": channel.webhook_url, "active": channel.webhook_active})


def set_endpoint(call: Call) -> Answer:
    """PUT /v2/bot/channel/webhook/endpoint: a public HTTPS address of at most 500 characters."""
    call.channel.webhook_url = _address(call.json())
    return DONE


async def test_endpoint(call: Call) -> Answer:
    """POST /v2/bot/channel/webhook/test: posts an empty ping, and tells what came of it."""
    body = call.json() if call.body else {}
    url = _address(body) if "endpoint" in body else call.channel.webhook_url
    if not url:
        raise Wrong(404, "Not found")
    post = await call.channel.deliveries.ping(url)
    reason, detail = _REASONS.get(post.error, ("ERROR_STATUS_CODE", str(post.status)))
    if post.acknowledged:
        reason, detail = "OK", str(post.status)
    return Answer(
        {
            "success": post.acknowledged,
            "timestamp": rfc3339(call.now),
            "statusCode": post.status or 0,
            "reason": reason,
            "detail": detail,
        }
    )


def _address(body: Json) -> str:
    url = body.get("endpoint")
    if not isinstance(url, str) or not 0 < len(url) <= _MOST_URL:
        raise invalid("endpoint", f"Length must be between 1 and {_MOST_URL}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise invalid("endpoint", "invalid uri") from None
    if parts.scheme != "https" or not parts.hostname:
        raise invalid("endpoint", "invalid uri scheme")
    return url


ROUTES = (
    Route("GET", "/v2/bot/channel/webhook/endpoint", endpoint, (1000, 60)),
    Route("PUT", "/v2/bot/channel/webhook/endpoint", set_endpoint, (1000, 60)),
    Route("POST", "/v2/bot/channel/webhook/test", test_endpoint, (60, HOUR)),
)
