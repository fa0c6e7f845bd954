"""Who asks: bearer tokens, and whose data they open."""

import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256

import msgspec

from gateway.domain.access import Access, reach
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Request
from gateway.ports.access import TokenReading
from gateway.ports.reading import Reads

REMEMBERED_SECONDS = 0.5
"""For so long a token that was revoked may still be taken."""

_MOST_REMEMBERED = 1_000

_BEARER = re.compile(r"(?i:bearer) +(\S+)")
_TOKEN = re.compile(r"tsn_[A-Za-z0-9_-]{43}")
_OPENS_NOTHING = (
    "what was sent opens nothing: send Authorization: Bearer tsn_…, the token that "
    "`gateway token create` printed; it may have ended, or been revoked"
)


class Directory(msgspec.Struct, frozen=True):
    """All parties by id, as of a version of the provisioning."""

    version: int
    parties: Mapping[str, Advertiser]


class Guard:
    """Tells tokens from other things, and how far each reaches."""

    def __init__(
        self, store: Reads, tokens: TokenReading, directory: Callable[[], Directory]
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._directory = directory
        self._known: dict[str, tuple[float, Access]] = {}
        self._version: int | None = None
        self._reached: dict[tuple[str, ...], frozenset[str]] = {}

    async def access(self, request: Request) -> Access:
        """Who sent ``request``.

        Raises:
            Refused: it bears no token, or one that opens nothing.
            Transient: the store cannot be asked.
        """
        given = request.headers.getall("Authorization", ())
        if not given:
            raise Refused(Refusal.UNAUTHENTICATED, "send Authorization: Bearer tsn_…")
        found = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        if found is None or not _TOKEN.fullmatch(found[1]):
            raise Refused(Refusal.UNKNOWN_BEARER, _OPENS_NOTHING)
        access = await self._held(sha256(found[1].encode()).hexdigest())
        if access is None or not access.is_valid(request.received_at):
            raise Refused(Refusal.UNKNOWN_BEARER, _OPENS_NOTHING)
        return access

    def scope(self, access: Access) -> Scope:
        """Whose data ``access`` opens: its advertisers' and of all that stand below them now."""
        return Scope(self.reach(access.advertisers)) if access.advertisers else EVERYBODY

    def reach(self, advertisers: tuple[str, ...]) -> frozenset[str]:
        """``advertisers`` and all that stand below them now."""
        directory = self._directory()
        if directory.version != self._version:
            self._version = directory.version
            self._reached.clear()
        reached = self._reached.get(advertisers)
        if reached is None:
            # The writer's thread may change the directory: it is copied in one step.
            reached = reach(advertisers, list(directory.parties.values()))
            self._reached[advertisers] = reached
        return reached

    async def _held(self, hashed: str) -> Access | None:
        now = time.monotonic()
        known = self._known.get(hashed)
        if known is not None and now - known[0] < REMEMBERED_SECONDS:
            return known[1]
        access = await self._store.read(self._tokens.find, EVERYBODY, hashed)
        if access is None:
            self._known.pop(hashed, None)
            return None
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[hashed] = (now, access)
        return access
