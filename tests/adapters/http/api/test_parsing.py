"""What queries and bodies may be, and what is said of those that are not."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st
from msgspec import Meta

from adapters.http.api.endpoint import Body, Listing, Moment, Number
from adapters.http.api.parsing import BodyReader, QueryReader
from gateway.errors import Refusal, Refused
from gateway.ports import Request

SECRET = "+819012345678"


class Search(Listing, frozen=True):
    """A query of all kinds of values."""

    since: Moment | None = None
    number: Number | None = None
    result: Literal["answered", "busy"] | None = None
    text: str = ""
    known: bool | None = None
    tags: tuple[str, ...] = ()


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a body."""

    count: Annotated[int, Meta(ge=0, le=9)]
    sizes: dict[str, list[Literal["small", "large"] | None]] = {}


class Order(Body, frozen=True):
    """A body with a part."""

    kind: Literal["a", "b"]
    items: tuple[Item, ...] = ()
    note: Annotated[str, Meta(max_length=5)] = ""
    extra: Any = None


class Headers(dict[str, str]):
    """Headers by their exact names."""

    def getall(self, name: str, default: Any) -> list[str]:
        return [self[name]] if name in self else default


def asked(body: bytes, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/", "", Headers(named), body, 0, "id")


def query(text: str) -> Search:
    found: Search = QueryReader(Search).read(text)
    return found


def body(text: bytes, kind: str = "application/json", **headers: str) -> Order:
    found: Order = BodyReader(Order).read(asked(text, Content_Type=kind, **headers))
    return found


def refusal(reading: Any, *given: Any, **further: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        reading(*given, **further)
    return refused.value


# --- queries ---


def test_a_query_fills_its_struct() -> None:
    """Every kind of value is read, and what is absent has its default."""
    assert query("") == query("&&") == Search()
    assert query("text=null") == Search(text="null")
    assert query("limit=5&tags=a&tags=b&known=true&result=busy&text=a+b%26") == Search(
        limit=5, tags=("a", "b"), known=True, result="busy", text="a b&"
    )


@pytest.mark.parametrize("plus", ["+", "%2B"])
def test_a_plus_means_itself_in_times_and_numbers(plus: str) -> None:
    """Who writes an offset or a telephone number into an address means no blank."""
    tokyo = timezone(timedelta(hours=9))
    found = query(f"since=2026-11-21T09:00:00{plus}09:00&number={plus}815031000001")
    assert found.since == datetime(2026, 11, 21, 9, tzinfo=tokyo)
    assert found.number == "+815031000001"
    assert query("since=2026-11-21T00:00:00Z").since == datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"caller={SECRET}", Refusal.UNKNOWN_PARAMETER),
        (f"{SECRET}=1", Refusal.UNKNOWN_PARAMETER),
        ("&=", Refusal.UNKNOWN_PARAMETER),
        (f"limit={SECRET}", Refusal.INVALID_PARAMETER),
        ("limit=0", Refusal.INVALID_PARAMETER),
        ("limit=501", Refusal.INVALID_PARAMETER),
        ("limit=1.5", Refusal.INVALID_PARAMETER),
        ("limit=", Refusal.INVALID_PARAMETER),
        ("limit", Refusal.INVALID_PARAMETER),
        (f"since={SECRET}", Refusal.INVALID_PARAMETER),
        ("since=2026-11-21T09:00:00", Refusal.INVALID_PARAMETER),
        ("since=2026-11-21", Refusal.INVALID_PARAMETER),
        (f"result={SECRET}", Refusal.INVALID_PARAMETER),
        (f"result={SECRET}%20-%20at%20%60$.x%60", Refusal.INVALID_PARAMETER),
        ("known=yes", Refusal.INVALID_PARAMETER),
        ("known=1", Refusal.INVALID_PARAMETER),
        ("known=Null", Refusal.INVALID_PARAMETER),
        ("result=null", Refusal.INVALID_PARAMETER),
        ("since=null", Refusal.INVALID_PARAMETER),
        ("since=1795000000", Refusal.INVALID_PARAMETER),
        ("number=0312345678", Refusal.INVALID_PARAMETER),
        ("text=a%00b", Refusal.INVALID_PARAMETER),
        ("text=a&text=b", Refusal.DOUBLED_PARAMETER),
        ("text=%FF", Refusal.INVALID_UTF8),
        ("text=\udcff", Refusal.INVALID_UTF8),
    ],
)
def test_a_wrong_query_is_refused_by_name(text: str, reason: Refusal) -> None:
    """The refusal names the parameter or what there is, and repeats nothing that was sent."""
    refused = refusal(query, text)
    assert refused.reason is reason
    assert SECRET not in refused.detail


def test_an_unknown_parameter_is_told_the_known_ones() -> None:
    """Nobody has to guess."""
    assert refusal(query, "sinse=1").detail == (
        "known are: limit, cursor, since, number, result, text, known, tags"
    )


def test_a_value_that_is_no_choice_is_told_the_choices() -> None:
    """In queries and in bodies, wherever the field stands; what was sent is not repeated."""
    choices = "known are: answered, busy"
    assert refusal(query, "result=buzy").detail == f"Invalid enum value - at `$.result`; {choices}"
    deep = f'{{"kind": "a", "items": [{{"count": 1, "sizes": {{"x": ["{SECRET}"]}}}}]}}'
    assert refusal(body, deep.encode()).detail == (
        "Invalid enum value - at `$.items[0].sizes[...][0]`; known are: large, small"
    )


@hypothesis.given(st.text(alphabet="&=%+;abltimsnce0123456789\0\ufffd", max_size=40))
def test_no_query_is_more_than_refused(text: str) -> None:
    """Any text is a query or a refusal, never another error."""
    with contextlib.suppress(Refused):
        query(text)


# --- bodies ---


def test_a_body_fills_its_struct() -> None:
    """JSON of the declared form, in any spelling of its type."""
    wanted = Order("a", (Item(3),), "note")
    text = b'{"kind": "a", "items": [{"count": 3}], "note": "note"}'
    assert body(text) == wanted
    assert body(text, "Application/JSON; charset=utf-8") == wanted


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        (b"", Refusal.NOT_JSON, "the body is not JSON in UTF-8"),
        (b"{", Refusal.NOT_JSON, "the body is not JSON in UTF-8"),
        (b"\xff", Refusal.NOT_JSON, "the body is not JSON in UTF-8"),
        (b'{"kind": "a", "note": "\xff"}', Refusal.NOT_JSON, "the body is not JSON in UTF-8"),
        (b'{"kind": "a", "note": "\\ud800"}', Refusal.NOT_JSON, "the body is not JSON in UTF-8"),
        (
            b'{"kind": "a", "extra": ' + b'{"a":' * 100_000,
            Refusal.NOT_JSON,
            "the body is not JSON in UTF-8",
        ),
        (b"[]", Refusal.INVALID_FIELD, "Expected `object`, got `array`"),
        (b"{}", Refusal.INVALID_FIELD, "Object missing required field `kind`"),
        (b'{"kind": 1}', Refusal.INVALID_FIELD, "Expected `str`, got `int` - at `$.kind`"),
        (
            f'{{"kind": "{SECRET}"}}'.encode(),
            Refusal.INVALID_FIELD,
            "Invalid enum value - at `$.kind`; known are: a, b",
        ),
        (
            f'{{"kind": "a", "{SECRET}": 1}}'.encode(),
            Refusal.UNKNOWN_FIELD,
            "Object contains unknown field",
        ),
        (
            b'{"kind": "a", "items": [{"count": 10}]}',
            Refusal.INVALID_FIELD,
            "Expected `int` <= 9 - at `$.items[0].count`",
        ),
        (
            b'{"kind": "a", "items": [{"count": 1, "x - at `$.y`": 2}]}',
            Refusal.UNKNOWN_FIELD,
            "Object contains unknown field - at `$.items[0]`",
        ),
        (b'{"kind": "a", "note": "\\u0000"}', Refusal.INVALID_FIELD, "a NUL character"),
    ],
)
def test_a_wrong_body_is_refused_with_its_place(text: bytes, reason: Refusal, detail: str) -> None:
    """The refusal says what and where, and repeats nothing that was sent."""
    refused = refusal(body, text)
    assert (refused.reason, refused.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("kind", "further"),
    [
        ("", {}),
        ("text/plain", {}),
        ("application/x-www-form-urlencoded", {}),
        ("application/jsonp", {}),
        ("application/json", {"Content_Encoding": "gzip"}),
    ],
)
def test_only_plain_json_is_taken(kind: str, further: dict[str, str]) -> None:
    """A form or a packed body is of no use here, and says so."""
    assert refusal(body, b'{"kind": "a"}', kind, **further).reason is Refusal.MEDIA_TYPE
