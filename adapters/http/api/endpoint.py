"""How a call of the API is declared. Routing, checks and the description are made of it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from gateway.domain.access import READERS, Role
from gateway.errors import Refusal

T = TypeVar("T")


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may stand behind the question mark: each field a parameter, optional by a default.

    Fields are text, whole numbers (with bounds), true or false, times (:data:`Moment`), choices, or
    tuples of these, whose parameter may come several times.
    """


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a write takes as JSON."""


Moment = Annotated[
    datetime,
    Meta(
        tz=True,
        description="A time with its offset from UTC (RFC 3339).",
        examples=["2026-11-21T09:00:00+09:00"],
    ),
]
"""A time in a query or a body; :func:`gateway.domain.values.micros` makes an instant of it."""

AdvertiserId = Annotated[
    str, Meta(pattern="^[a-z0-9-]{1,40}$", description="An advertiser's id.", examples=["acme"])
]

Number = Annotated[
    str,
    Meta(
        pattern=r"^\+[1-9][0-9]{4,14}$",
        description="A telephone number, E.164.",
        examples=["+815031000001"],
    ),
]

Limit = Annotated[int, Meta(ge=1, le=500, description="How many items a page has at most.")]

Cursor = Annotated[
    str,
    Meta(max_length=1000, description="`next` of the page before; absent for the first page."),
]


Order = Annotated[Literal["asc", "desc"], Meta(description="`desc`: the newest first.")]
"""In which order a list is; a page's cursor goes on in it."""


class Listing(Query, frozen=True):
    """The query of a list; its filters are further fields. A filter stays the same from page to
    page.
    """

    limit: Limit = 100
    cursor: Cursor | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list."""

    items: list[T]
    next: Annotated[
        str | None, Meta(description="The `cursor` of the next page; null after the last one.")
    ]


ID: Mapping[str, Any] = {"type": "string", "pattern": "^[0-9]{1,19}$"}
"""The schema of a path parameter that is one of our ids."""

NAME: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200}
"""The schema of any other path parameter."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the API."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    """Below ``/api/v1``, with segments ``{name}``."""
    summary: str
    """One line; no full stop."""
    tag: str
    """The room it belongs to."""
    handler: Callable[[Any], Awaitable[Any]]
    """Takes an :class:`adapters.http.api.ask.Ask`; gives an ``answer``, or an Answer as it is."""
    roles: frozenset[Role] = READERS
    """Who may."""
    query: type[Query] = Query
    body: type[Body] | None = None
    answer: Any = None
    """The type of the answer: a struct, a Page of structs, ``bytes`` of ``media_type``, or
    ``None`` where there is nothing to answer."""
    status: int = 200
    media_type: str = "application/json"
    further_types: tuple[str, ...] = ()
    """Other media types that it answers in; the handler gives these as an Answer."""
    description: str = ""
    refusals: tuple[Refusal, ...] = ()
    """What it may refuse for reasons of its own. What follows from the declaration (token, role,
    query, body, unknown ids in the path) need not be named."""
    segments: Mapping[str, Mapping[str, Any]] = {}
    """Schemas of path parameters, where they are not :data:`NAME`."""
    max_body: int = 65_536
    takes: str = ""
    """The media type of a body that the handler reads by itself, piece by piece: a file. Without
    ``body``."""

    @property
    def writes(self) -> bool:
        """Whether it changes something, and so takes an Idempotency-Key."""
        return self.method != "GET"

    @property
    def name(self) -> str:
        """The label of its metrics, and its operation id."""
        words = [word for word in self.path.strip("/").replace("{", "").split("/") if word]
        return "_".join([self.method.lower(), *(word.strip("}") for word in words)]).replace(
            ".", "_"
        )
