"""Whom the platform chooses for a narrowcast, as it is written; checked as far as its form goes.

Source: https://developers.line.biz/en/reference/messaging-api/#narrowcast-demographic-filter
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from gateway.errors import Refusal, Refused

_Age = Annotated[str, Meta(pattern="^age_(15|20|25|30|35|40|45|50|55|60|65|70)$")]
_Area = Annotated[str, Meta(pattern="^(jp|tw|th|id)_[0-9]{2}$", examples=["jp_13"])]
_Period = Annotated[str, Meta(pattern="^day_(7|30|90|180|365)$")]

_MOST_CONDITIONS = 10


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class GenderFilter(_Strict, frozen=True, tag="gender"):
    """Users of a gender."""

    one_of: Annotated[list[Literal["male", "female"]], Meta(min_length=1, max_length=2)] = field(
        name="oneOf"
    )


class AgeFilter(_Strict, frozen=True, tag="age"):
    """Users of an age, from `gte` on and below `lt`."""

    gte: _Age | UnsetType = UNSET
    lt: _Age | UnsetType = UNSET


class AppFilter(_Strict, frozen=True, tag="appType"):
    """Users of a telephone's system."""

    one_of: Annotated[list[Literal["ios", "android"]], Meta(min_length=1, max_length=2)] = field(
        name="oneOf"
    )


class AreaFilter(_Strict, frozen=True, tag="area"):
    """Users of prefectures."""

    one_of: Annotated[list[_Area], Meta(min_length=1, max_length=100)] = field(name="oneOf")


class PeriodFilter(_Strict, frozen=True, tag="subscriptionPeriod"):
    """Friends for so many days, from `gte` on and below `lt`."""

    gte: _Period | UnsetType = UNSET
    lt: _Period | UnsetType = UNSET


LeafFilter = GenderFilter | AgeFilter | AppFilter | AreaFilter | PeriodFilter


class InnerOperator(_Strict, frozen=True, tag="operator"):
    """Exactly one of `and`, `or` and `not`."""

    all_: list[LeafFilter] | UnsetType = field(name="and", default=UNSET)
    any_: list[LeafFilter] | UnsetType = field(name="or", default=UNSET)
    none: LeafFilter | UnsetType = field(name="not", default=UNSET)


_Part = GenderFilter | AgeFilter | AppFilter | AreaFilter | PeriodFilter | InnerOperator


class OperatorFilter(_Strict, frozen=True, tag="operator"):
    """Exactly one of `and`, `or` and `not`; its parts may have such parts themselves."""

    all_: list[_Part] | UnsetType = field(name="and", default=UNSET)
    any_: list[_Part] | UnsetType = field(name="or", default=UNSET)
    none: _Part | UnsetType = field(name="not", default=UNSET)


DemographicFilter = (
    GenderFilter | AgeFilter | AppFilter | AreaFilter | PeriodFilter | OperatorFilter
)
"""Operators within operators go no deeper, though LINE takes more."""


def plain(chosen: DemographicFilter) -> dict[str, Any]:
    """The filter in the platform's own words.

    Raises:
        Refused: it has too many conditions, or one that says nothing.
    """
    if _count(chosen) > _MOST_CONDITIONS:
        detail = f"demographic: has more than {_MOST_CONDITIONS} conditions"
        raise Refused(Refusal.INVALID_FIELD, detail)
    written: dict[str, Any] = msgspec.to_builtins(chosen)
    return written


def _count(chosen: DemographicFilter | InnerOperator) -> int:
    if isinstance(chosen, AgeFilter | PeriodFilter) and chosen.gte is chosen.lt is UNSET:
        raise Refused(Refusal.INVALID_FIELD, "demographic: gte and lt are both missing")
    if not isinstance(chosen, OperatorFilter | InnerOperator):
        return 1
    given = [part for part in (chosen.all_, chosen.any_, chosen.none) if part is not UNSET]
    if len(given) != 1:
        raise Refused(Refusal.INVALID_FIELD, "demographic: an operator has and, or, or not")
    parts = given[0] if isinstance(given[0], list) else [given[0]]
    if not parts:
        raise Refused(Refusal.INVALID_FIELD, "demographic: an operator has no parts")
    return sum(map(_count, parts))
