"""The admin API: what serves it, and the tokens that open it."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from adapters.http.api import access, calls, metrics, routes
from adapters.http.api.ask import Wiring
from adapters.http.api.endpoint import Endpoint
from adapters.http.api.guard import Directory, Guard
from adapters.storage.access import TokenReader
from adapters.storage.call_search import CallSearches
from adapters.storage.database import reading
from gateway.config import Config
from gateway.domain.access import Access, Role
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Ids
from gateway.errors import Misconfigured, Transient, Trouble
from gateway.main.parts import Chore, Deps, repeating
from gateway.main.store import connected, database_of, execute, provisioned
from gateway.ports import Route
from gateway.usecases import access as tokens
from metrics.exposition import Exposition

_HOUR = 3600


def api_routes(
    deps: Deps, exposition: Exposition, endpoints: Sequence[Endpoint] = ()
) -> list[Route]:
    """The routes of the admin listener below ``/api/v1``: ours, and those of the parts."""
    store, cache = deps.store, deps.store.cache

    def directory() -> Directory:
        if cache.version < 0:
            raise Transient(Trouble.STORE_DOWN, "nothing provisioned was read yet")
        return Directory(cache.version, cache.advertisers)

    ours = [
        *access.endpoints(directory),
        *calls.endpoints(CallSearches(deps.database.dialect)),
        *metrics.endpoints(exposition.advertisers),
    ]
    return routes.routes(
        [*ours, *endpoints],
        Wiring(store, deps.config.timezone, deps.seed),
        Guard(store, TokenReader(deps.database.dialect), directory),
    )


def api_chores(deps: Deps) -> dict[str, Chore]:
    """What the API needs to be done again and again, by name."""
    return {"api-repeats": repeating(deps, _HOUR, tokens.forget)}


def create_token(config: Config, role: Role, advertisers: Sequence[str], **named: Any) -> str:
    """Make a token, which from then on only its owner has; ``named`` is the rest of an Access.

    Raises:
        Misconfigured: an advertiser is not provisioned, or the role needs one.
        Transient: the store is away.
    """
    _, held = provisioned(config)
    unknown = [named for named in advertisers if named not in held[Advertiser.table]]
    if unknown:
        raise Misconfigured([f"--advertiser {each}: it is not provisioned" for each in unknown])
    if role != "operator" and not advertisers:
        raise Misconfigured([f"--role {role}: name its advertisers with --advertiser"])
    token = f"tsn_{secrets.token_urlsafe(32)}"
    ids = Ids(secrets.randbelow(1024))
    opens = Access(
        id=ids.next(named["created_at"]), role=role, advertisers=tuple(advertisers), **named
    )
    hashed = sha256(token.encode()).hexdigest()
    execute(config, tokens.create, tokens.NewToken(opens, hashed))
    return token


def list_tokens(config: Config) -> Sequence[Access]:
    """All tokens, oldest first."""
    with connected(config) as (connection, _), reading(connection):
        return TokenReader(database_of(config).dialect).all(connection, EVERYBODY)


def revoke_token(config: Config, token: int, now: int) -> bool:
    """End a token; whether there was one that had not been revoked. Running daemons take it up
    within a second.
    """
    return execute(config, tokens.revoke, tokens.Revocation(token, now))
