"""Channel access tokens: stateless, v2.1, short-lived; issued, verified, revoked, expired.

Source: "Channel access token" of the Messaging API reference. An assertion's signature is not
checked: the simulator has no public keys, so any well-formed JWT of a channel will do.
"""

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl

from adapters.line.simulator.ids import SECOND
from adapters.line.simulator.protocol import DONE, Answer, Call, Json, Route, Wrong

if TYPE_CHECKING:
    from adapters.line.simulator.channel import Channel
    from adapters.line.simulator.platform import Platform

Kind = Literal["stateless", "v2.1", "short", "long"]

STATELESS_SECONDS = 15 * 60
LONGEST_SECONDS = 30 * 86_400
MOST_V21 = 30
"""Tokens v2.1 that a channel can have at once; one more is refused."""

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_AUDIENCE = "https://api.line.me/"


@dataclass
class Token:
    """One access token."""

    value: str
    channel: "Channel"
    kind: Kind
    expires_at: int
    """Microseconds of the platform's clock."""
    key_id: str
    revoked: bool = False


class Tokens:
    """All access tokens of all channels."""

    def __init__(self, platform: "Platform") -> None:
        self._platform = platform
        self._tokens: dict[str, Token] = {}

    def issue(self, channel: "Channel", kind: Kind, seconds: int) -> Token:
        """A new token that lives for ``seconds``."""
        ids = self._platform.ids
        expires = self._platform.clock() + seconds * SECOND
        token = Token(ids.token(172), channel, kind, expires, ids.token(22))
        self._tokens[token.value] = token
        return token

    def of(self, channel: "Channel", kind: Kind) -> list[Token]:
        """The valid tokens of one kind."""
        return [
            token
            for token in self._tokens.values()
            if token.channel is channel and token.kind == kind and self.valid(token)
        ]

    def find(self, value: str) -> Token | None:
        """The token, valid or not."""
        return self._tokens.get(value)

    def valid(self, token: Token) -> bool:
        """Whether it is neither expired nor revoked."""
        return not token.revoked and self._platform.clock() < token.expires_at

    def seconds_left(self, token: Token) -> int:
        """Whole seconds until it expires."""
        return max(0, (token.expires_at - self._platform.clock()) // SECOND)

    def authenticate(self, header: str | None) -> "Channel":
        """The channel of an Authorization header; raises the 401."""
        scheme, _, value = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise _unauthorized(
                "Authentication failed. "
                "Confirm that the access token in the authorization header is valid."
            )
        token = self._tokens.get(value.strip())
        if token is None or token.revoked:
            raise _unauthorized("Authentication failed due to the following reason: invalid token")
        if not self.valid(token):
            raise _unauthorized("Authentication failed due to the following reason: expired token")
        return token.channel


def _unauthorized(message: str) -> Wrong:
    return Wrong(401, message, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def refusal(status: int, error: str, description: str) -> Answer:
    """An error as the OAuth endpoints word it."""
    return Answer({"error": error, "error_description": description}, status)


def form(call: Call) -> dict[str, str]:
    """The fields of a form body."""
    try:
        return dict(parse_qsl(call.body.decode(), keep_blank_values=True, strict_parsing=True))
    except ValueError:
        return {}


def claims_of(jwt: str) -> Json | None:
    """The claims of a JWT of three parts, its signature unseen; ``None`` for anything else."""
    parts = jwt.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            for part in parts[:2]
        )
    except ValueError:
        return None
    return claims if isinstance(header, dict) and isinstance(claims, dict) else None


def _asserted(call: Call, fields: dict[str, str]) -> tuple["Channel", Json] | Answer:
    """The channel that a JWT assertion speaks for, and its claims; or the refusal."""
    if fields.get("client_assertion_type") != ASSERTION:
        return refusal(400, "invalid_request", "client_assertion_type is invalid")
    claims = claims_of(fields.get("client_assertion", ""))
    if claims is None:
        return refusal(400, "invalid_client", "client_assertion is not a JWT")
    channel = call.platform.channels.get(str(claims.get("iss")))
    if channel is None or claims.get("sub") != claims.get("iss"):
        return refusal(400, "invalid_client", "iss and sub must be the channel ID")
    if claims.get("aud") != _AUDIENCE:
        return refusal(400, "invalid_client", f"aud must be {_AUDIENCE}")
    expires = claims.get("exp")
    now = call.now // SECOND
    if not isinstance(expires, int) or not now < expires <= now + 30 * 60:
        return refusal(400, "invalid_client", "exp must be within 30 minutes")
    return channel, claims


def _authorised(call: Call, fields: dict[str, str]) -> "Channel | Answer":
    """The channel of client_id and client_secret; or the refusal."""
    channel = call.platform.channels.get(fields.get("client_id", ""))
    if channel is None or fields.get("client_secret") != channel.secret:
        return refusal(400, "invalid_client", "invalid client_id or client_secret")
    return channel


def issue_stateless(call: Call) -> Answer:
    """POST /oauth2/v3/token: a token of 15 minutes, by assertion or by secret."""
    fields = form(call)
    if fields.get("grant_type") != "client_credentials":
        return refusal(400, "unsupported_grant_type", "grant_type must be client_credentials")
    if "client_assertion" in fields:
        asserted = _asserted(call, fields)
        if isinstance(asserted, Answer):
            return asserted
        return _issued(call, asserted[0], "stateless", STATELESS_SECONDS)
    channel = _authorised(call, fields)
    if isinstance(channel, Answer):
        return channel
    return _issued(call, channel, "stateless", STATELESS_SECONDS)


def issue_v21(call: Call) -> Answer:
    """POST /oauth2/v2.1/token: a token as long as the assertion's ``token_exp``."""
    fields = form(call)
    if fields.get("grant_type") != "client_credentials":
        return refusal(400, "unsupported_grant_type", "grant_type must be client_credentials")
    asserted = _asserted(call, fields)
    if isinstance(asserted, Answer):
        return asserted
    channel, claims = asserted
    seconds = claims.get("token_exp")
    if not isinstance(seconds, int) or not 1 <= seconds <= LONGEST_SECONDS:
        return refusal(400, "invalid_request", "token_exp must be 30 days at most")
    if len(call.platform.tokens.of(channel, "v2.1")) >= MOST_V21:
        return refusal(400, "invalid_request", "too many channel access tokens")
    return _issued(call, channel, "v2.1", seconds)


def issue_short(call: Call) -> Answer:
    """POST /v2/oauth/accessToken: a token of 30 days."""
    fields = form(call)
    if fields.get("grant_type") != "client_credentials":
        return refusal(400, "invalid_request", "some parameters missed or invalid")
    channel = _authorised(call, fields)
    if isinstance(channel, Answer):
        return channel
    return _issued(call, channel, "short", LONGEST_SECONDS)


def _issued(call: Call, channel: "Channel", kind: Kind, seconds: int) -> Answer:
    token = call.platform.tokens.issue(channel, kind, seconds)
    body: Json = {"access_token": token.value, "expires_in": seconds, "token_type": "Bearer"}
    return Answer(body | ({"key_id": token.key_id} if kind == "v2.1" else {}))


def key_ids(call: Call) -> Answer:
    """GET /oauth2/v2.1/tokens/kid: the key ids of a channel's valid tokens v2.1."""
    asserted = _asserted(call, dict(call.query))
    if isinstance(asserted, Answer):
        return asserted
    tokens = call.platform.tokens.of(asserted[0], "v2.1")
    return Answer({"kids": [token.key_id for token in tokens]})


def verify_v21(call: Call) -> Answer:
    """GET /oauth2/v2.1/verify."""
    return _verified(call, call.query.get("access_token", ""))


def verify_short(call: Call) -> Answer:
    """POST /v2/oauth/verify."""
    return _verified(call, form(call).get("access_token", ""))


def _verified(call: Call, value: str) -> Answer:
    tokens = call.platform.tokens
    token = tokens.find(value)
    if token is None or not tokens.valid(token):
        return refusal(400, "invalid_request", "access token expired")
    return Answer(
        {
            "client_id": token.channel.id,
            "expires_in": tokens.seconds_left(token),
            "scope": "profile chat_message.write",
        }
    )


def revoke_v21(call: Call) -> Answer:
    """POST /oauth2/v2.1/revoke: only with the channel's own secret."""
    fields = form(call)
    channel = _authorised(call, fields)
    if isinstance(channel, Answer):
        return channel
    token = call.platform.tokens.find(fields.get("access_token", ""))
    if token is not None and token.channel is channel:
        token.revoked = True
    return DONE


def revoke_short(call: Call) -> Answer:
    """POST /v2/oauth/revoke: an unknown token is no error."""
    token = call.platform.tokens.find(form(call).get("access_token", ""))
    if token is not None:
        token.revoked = True
    return DONE


ROUTES = (
    Route("POST", "/oauth2/v3/token", issue_stateless, open=True),
    Route("POST", "/oauth2/v2.1/token", issue_v21, open=True),
    Route("GET", "/oauth2/v2.1/tokens/kid", key_ids, open=True),
    Route("GET", "/oauth2/v2.1/verify", verify_v21, open=True),
    Route("POST", "/oauth2/v2.1/revoke", revoke_v21, open=True),
    Route("POST", "/v2/oauth/accessToken", issue_short, open=True),
    Route("POST", "/v2/oauth/verify", verify_short, open=True),
    Route("POST", "/v2/oauth/revoke", revoke_short, open=True),
)
