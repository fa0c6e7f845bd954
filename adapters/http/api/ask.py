"""What a handler of the API gets: who asks, for what, and the ways into the store."""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from adapters.http.api import cursor
from adapters.http.api.endpoint import Endpoint, Listing, Page
from adapters.http.problem import NO_STORE
from gateway.domain.access import Access
from gateway.domain.values import Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, UseCase
from gateway.ports.reading import Reads
from gateway.usecases.access import Asked, Once

Q_co = TypeVar("Q_co", covariant=True)
B_co = TypeVar("B_co", covariant=True)
R = TypeVar("R")
T = TypeVar("T")

_BIGGEST = 2**63 - 1  # what a column holds


class Reaching(Protocol):
    """Who knows the tree of advertisers."""

    def reach(self, advertisers: tuple[str, ...], /) -> frozenset[str]:
        """``advertisers`` and all that stand below them now."""


class Wiring(msgspec.Struct, frozen=True):
    """What is behind every call of the API."""

    store: Reads
    zone: tzinfo
    """In which times are shown."""
    seed: Callable[[int, int], Seed]
    """Makes what a unit draws its ids and tokens from, given the instant (microseconds) and how
    many ids that may be."""


class Ask(msgspec.Struct, Generic[Q_co, B_co], frozen=True):
    """One request whose token, query and body are checked."""

    access: Access
    """Who asks."""
    scope: Scope
    """Whose data that opens; hand it to every method of the store."""
    query: Q_co
    body: B_co
    parameters: Mapping[str, str]
    """The path's, by name."""
    now: int
    """When the request was received (microseconds)."""
    request: Request
    endpoint: Endpoint
    wiring: Wiring
    tree: Reaching
    key: str | None
    """The Idempotency-Key, if any."""

    def id(self, name: str = "id") -> int:
        """The path parameter ``name`` as one of our ids.

        Raises:
            Refused: nothing can have this id.
        """
        text = self.parameters[name]
        if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _BIGGEST:
            return int(text)
        raise Refused(Refusal.NOT_FOUND)

    def narrowed(self, advertiser: str | None) -> Scope:
        """The scope, or that part of it which is ``advertiser`` and what stands below it.

        Raises:
            Refused: it lies outside of the scope, or does not exist.
        """
        if advertiser is None:
            return self.scope
        self.require(advertiser)
        return Scope(self.tree.reach((advertiser,)))

    def require(self, advertiser: str) -> None:
        """Go on only where ``advertiser``, which the request names, lies in the scope.

        Raises:
            Refused: it does not.
        """
        if not self.scope.covers(advertiser):
            raise Refused(Refusal.OUT_OF_SCOPE, "the token is not for this advertiser")

    async def read(self, query: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """``query(connection, …)`` of a reader, beside the writer.

        Raises:
            Transient: the store is away, or the query took longer than two seconds.
        """
        return await self.wiring.store.read(query, *args, **kwargs)

    def seed(self, ids: int = 0) -> Seed:
        """What a unit draws from; with so many ids."""
        return self.wiring.seed(self.now, ids)

    async def write(
        self, use_case: UseCase[R], argument: Any, show: Callable[[R], Any] = lambda reply: None
    ) -> Answer:
        """Run ``use_case`` and answer ``show(reply)``: what the declaration says, or ``None``.

        With an Idempotency-Key the answer is kept in the same transaction, and a repeat gets it
        again. ``show`` must be pure: it may run in the store's thread, and more than once.

        Raises:
            Refused: as the use-case does; or the key was used for another request.
            Transient: the store is away or busy.
        """

        def render(reply: R) -> bytes:
            shown = show(reply)
            return b"" if shown is None else msgspec.json.encode(shown)

        if self.key is None:
            return self.answer(render(await self.wiring.store.run(use_case, argument)))
        asked = Asked(self.access.id, self.key, self._digest(), self.now)
        return self.answer(await self.wiring.store.run(Once(use_case, asked, render), argument))

    def answer(self, body: bytes) -> Answer:
        """``body`` with the status and type of the declaration."""
        return Answer(body, self.endpoint.status, self.endpoint.media_type, NO_STORE)

    def after(self: "Ask[Listing, Any]", *types: type) -> cursor.Key | None:
        """The key in the cursor, with values of ``types``; ``None`` for the first page.

        Raises:
            Refused: this list gave no such cursor.
        """
        given = self.query.cursor
        return None if given is None else cursor.read(self.endpoint.path, given, *types)

    def page(
        self: "Ask[Listing, Any]",
        found: Sequence[R],
        key: Callable[[R], cursor.Key],
        show: Callable[[R], T],
    ) -> Page[T]:
        """A page of what was found; to be asked for with one item more than ``query.limit``."""
        limit = self.query.limit
        more = len(found) > limit
        behind = cursor.written(self.endpoint.path, key(found[limit - 1])) if more else None
        return Page([show(item) for item in found[:limit]], behind)

    def _digest(self) -> str:
        request = self.request
        head = f"{request.method} {request.path}\n".encode()
        return sha256(head + request.body).hexdigest()
