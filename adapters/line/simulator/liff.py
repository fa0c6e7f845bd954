"""LINE Login's end of LIFF: ID tokens, as the app gets them and as a server verifies them.

Sources: "Get profile information from ID tokens" and "Verify ID token" of LINE Login's
documentation. LIFF signs with ES256 in reality; the simulator signs with the channel's secret,
which only :func:`verify` looks at.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.line.simulator.ids import SECOND, Ids
from adapters.line.simulator.protocol import Answer, Call, Json, Route
from adapters.line.simulator.tokens import claims_of, form, refusal

if TYPE_CHECKING:
    from adapters.line.simulator.friends import Person

ISSUER = "https://access.line.me"
TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class LoginChannel:
    """A LINE Login channel; its users are known by the ids of its ``provider``."""

    id: str
    secret: str
    provider: str
    liff_id: str

    @classmethod
    def drawn(cls, ids: Ids, place: int, provider: str) -> "LoginChannel":
        """The ``place``-th login channel."""
        key = f"login {place}"
        number = str(2_000_000_000 + int(ids.fixed(key, "id"), 16) % 9_000_000)
        return cls(number, ids.fixed(key, "secret"), provider, f"{number}-{ids.token(8)}")


def id_token(
    person: "Person",
    login: LoginChannel,
    now: int,
    *,
    expires_in: int = TOKEN_SECONDS,
    nonce: str | None = None,
    issuer: str = ISSUER,
    audience: str | None = None,
    secret: str | None = None,
) -> str:
    """The token of ``person`` for the app of ``login``, issued at ``now`` (microseconds).

    ``expires_in`` seconds may be negative; the keywords after it forge a token.
    """
    claims: Json = {
        "iss": issuer,
        "sub": person.user_id(login.provider),
        "aud": audience or login.id,
        "exp": now // SECOND + expires_in,
        "iat": now // SECOND,
        "amr": ["linesso"],
        "name": person.name,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if person.picture_url is not None:
        claims["picture"] = person.picture_url
    parts = [_part({"typ": "JWT", "alg": "HS256"}), _part(claims)]
    return ".".join([*parts, _signed(".".join(parts), secret or login.secret)])


def verify(call: Call) -> Answer:
    """POST /oauth2/v2.1/verify: the claims of an ID token, or why it is none."""
    fields = form(call)
    token = fields.get("id_token")
    client = fields.get("client_id")
    if not token:
        return refusal(400, "invalid_request", "id_token must not be empty")
    login = call.platform.logins.get(client or "")
    if login is None:
        return refusal(400, "invalid_request", "Invalid client_id")
    claims = claims_of(token)
    head, _, signed = token.rpartition(".")
    if claims is None:
        return refusal(400, "invalid_request", "Invalid IdToken.")
    if claims.get("aud") != login.id:
        return refusal(400, "invalid_request", "Invalid IdToken Audience.")
    if not hmac.compare_digest(signed.encode(), _signed(head, login.secret).encode()):
        return refusal(400, "invalid_request", "Invalid IdToken.")
    if claims.get("iss") != ISSUER:
        return refusal(400, "invalid_request", "Invalid IdToken Issuer.")
    if call.now // SECOND >= claims["exp"]:
        return refusal(400, "invalid_request", "IdToken expired.")
    if fields.get("nonce", claims.get("nonce")) != claims.get("nonce"):
        return refusal(400, "invalid_request", "Invalid IdToken Nonce.")
    if fields.get("user_id", claims["sub"]) != claims["sub"]:
        return refusal(400, "invalid_request", "Invalid IdToken Subject Identifier.")
    return Answer(claims)


def _part(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _signed(text: str, secret: str) -> str:
    digest = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


ROUTES = (Route("POST", "/oauth2/v2.1/verify", verify, open=True),)
