"""Reads queries and bodies into the structs of declarations; what does not fit is named.

Names of ours and places are told, values of the request never.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeVar, cast
from urllib.parse import unquote, unquote_plus

import msgspec
from msgspec import inspect

from adapters.http.api.endpoint import Body, Query
from gateway.errors import Refusal, Refused
from gateway.ports import Request

Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=Body)

_QUOTED = re.compile(
    r"^(Invalid(?: enum)? value|Object contains unknown field) .*?"
    r"(?= - at `\$(?:\.\w+|\[\d+\]|\[\.\.\.\])*`\Z|\Z)",
    re.DOTALL,
)
"""What stands between a message's beginning and its place: values of the request."""

_PLACE = re.compile(r" - at `\$((?:\.\w+|\[\d+\]|\[\.\.\.\])*)`\Z")
_STEP = re.compile(r"\.(\w+)|\[")


class QueryReader:
    """Reads the queries of one declaration."""

    def __init__(self, query: type[Q]) -> None:
        self._query = query
        self._type = cast("inspect.StructType", inspect.type_info(query))
        fields = self._type.fields
        self._names = ", ".join(field.encode_name for field in fields)
        self._several = {f.encode_name for f in fields if _is_among(f.type, _SEVERAL)}
        # Whoever writes +09:00 or +8150… into an address means it, and not a blank.
        self._plain = {f.encode_name for f in fields if _has_plus(f.type)}
        self._forms = {f.encode_name: form for f in fields if (form := _form(f.type))}

    def read(self, text: str) -> Any:
        """The struct that ``text`` fills.

        Raises:
            Refused: it does not.
        """
        given: dict[str, Any] = {}
        for pair in filter(None, text.split("&")):
            raw_name, _, raw_value = pair.partition("=")
            try:
                name = unquote_plus(raw_name, errors="strict")
                decode = unquote if name in self._plain else unquote_plus
                value = decode(raw_value, errors="strict")
                value.encode()  # bytes that are no UTF-8 may come as they are, too
            except UnicodeError:
                raise Refused(Refusal.INVALID_UTF8, "the query") from None
            if "\0" in value:
                raise Refused(Refusal.INVALID_PARAMETER, "a NUL character")
            if name in self._forms and not self._forms[name].fullmatch(value):
                raise Refused(Refusal.INVALID_PARAMETER, f"{name} has another form")
            if name in self._several:
                given.setdefault(name, []).append(value)
            elif name in given:
                raise Refused(Refusal.DOUBLED_PARAMETER, f"{name} comes twice")
            else:
                given[name] = value
        try:
            return msgspec.convert(given, self._query, strict=False)
        except msgspec.ValidationError as error:
            if "unknown field" in str(error):
                known = self._names or "none"
                raise Refused(Refusal.UNKNOWN_PARAMETER, f"known are: {known}") from None
            raise Refused(Refusal.INVALID_PARAMETER, _told(error, self._type)) from None


class BodyReader:
    """Reads the bodies of one declaration."""

    def __init__(self, body: type[B]) -> None:
        self._decode = msgspec.json.Decoder(body).decode
        self._type = inspect.type_info(body)

    def read(self, request: Request) -> Any:
        """The struct that the body of ``request`` fills.

        Raises:
            Refused: it does not.
        """
        check_kind(request, "application/json")
        if b"\\u0000" in request.body:
            raise Refused(Refusal.INVALID_FIELD, "a NUL character")
        try:
            return self._decode(request.body)
        except msgspec.ValidationError as error:
            unknown = "unknown field" in str(error)
            reason = Refusal.UNKNOWN_FIELD if unknown else Refusal.INVALID_FIELD
            raise Refused(reason, _told(error, self._type)) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise Refused(Refusal.NOT_JSON, "the body is not JSON in UTF-8") from None


def check_kind(request: Request, kind: str) -> None:
    """See that the body of ``request`` is of a media type.

    Raises:
        Refused: it is of another one, or packed.
    """
    given = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    packed = (request.headers.get("Content-Encoding") or "identity").strip().lower()
    if given != kind or packed != "identity":
        raise Refused(Refusal.MEDIA_TYPE, f"send {kind}, without Content-Encoding")


def _told(error: msgspec.ValidationError, read: inspect.Type) -> str:
    """What is wrong with what was ``read`` and where, without what was sent."""
    told = _QUOTED.sub(r"\1", str(error))
    place = _PLACE.search(told)
    if place is None or not told.startswith("Invalid enum value"):
        return told
    found = [read]
    for step in _STEP.finditer(place[1]):
        found = [inner for type_ in found for inner in _within(type_, step[1])]
    known = (str(value) for type_ in found for value in _choices(type_))
    return f"{told}; known are: {', '.join(dict.fromkeys(known))}"


def _within(type_: inspect.Type, name: str | None) -> Iterator[inspect.Type]:
    """The types of what stands in a ``type_``: of the field ``name``, else of each item."""
    if isinstance(type_, inspect.UnionType | inspect.Metadata):
        for each in _alternatives(type_):
            yield from _within(each, name)
    elif isinstance(type_, inspect.StructType):
        yield from (field.type for field in type_.fields if field.encode_name == name)
    elif isinstance(type_, inspect.ListType | inspect.VarTupleType):
        yield type_.item_type
    elif isinstance(type_, inspect.DictType):
        yield type_.value_type


def _choices(type_: inspect.Type) -> Iterator[object]:
    """The values of which a ``type_`` takes one."""
    if isinstance(type_, inspect.UnionType | inspect.Metadata):
        for each in _alternatives(type_):
            yield from _choices(each)
    elif isinstance(type_, inspect.LiteralType):
        yield from type_.values
    elif isinstance(type_, inspect.EnumType):
        yield from (member.value for member in type_.cls)


def _alternatives(type_: inspect.UnionType | inspect.Metadata) -> tuple[inspect.Type, ...]:
    return type_.types if isinstance(type_, inspect.UnionType) else (type_.type,)


_SEVERAL = (inspect.VarTupleType, inspect.ListType)


def _is_among(type_: inspect.Type, kinds: tuple[type[inspect.Type], ...]) -> bool:
    if isinstance(type_, inspect.UnionType | inspect.Metadata):
        return any(_is_among(each, kinds) for each in _alternatives(type_))
    return isinstance(type_, kinds)


_TIME = re.compile(r"\d{4}-.+")
_TRUTH = re.compile(r"true|false")
_NOT_NULL = re.compile(r"(?!null\Z).*", re.IGNORECASE | re.DOTALL)


def _form(type_: inspect.Type) -> re.Pattern[str] | None:
    """What values of this type look like, where msgspec would read more: null, 1 for true, seconds
    since 1970 for times.
    """
    for kind, form in ((inspect.DateTimeType, _TIME), (inspect.BoolType, _TRUTH)):
        if _is_among(type_, (kind,)):
            return form
    return None if _is_among(type_, (inspect.StrType,)) else _NOT_NULL


def _has_plus(type_: inspect.Type) -> bool:
    """Whether values of this type are times, also as people write them (by their pattern), or
    numbers with a plus before them.
    """
    if isinstance(type_, inspect.UnionType | inspect.Metadata):
        return any(map(_has_plus, _alternatives(type_)))
    if isinstance(type_, inspect.StrType):
        return (type_.pattern or "").startswith((r"^\+", r"^[0-9]{4}"))
    return isinstance(type_, inspect.DateTimeType)
