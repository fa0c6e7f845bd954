"""Segments: which recipients of a list a campaign is for."""

import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec

from gateway.domain.mail.campaigns import Condition
from gateway.domain.mail.profiles import TAG_RULE, tag_of

TAGS = "tag"
"""The field of a condition that asks for tags."""

MOST_CONDITIONS = 20

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class MailSegment(msgspec.Struct, frozen=True):
    """The recipients of a list of whom all conditions hold."""

    table: ClassVar[str] = "mail_segment"

    id: str
    advertiser: str
    list: str
    conditions: tuple[Condition, ...]

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser


def matches(
    conditions: Sequence[Condition], attributes: Mapping[str, str], tags: Collection[str]
) -> bool:
    """Whether all conditions hold of a recipient with these attributes and tags."""
    return all(_holds(each, attributes, tags) for each in conditions)


def normalised(condition: Condition) -> Condition:
    """A condition as it is kept: a tag is named as recipients have it."""
    tag = tag_of(condition.value) if condition.field == TAGS else None
    return condition if tag is None else msgspec.structs.replace(condition, value=tag)


def problem_of(condition: Condition, attributes: Collection[str]) -> str:
    """Why a condition makes no sense for a list with these attributes; empty: it does."""
    if condition.field == TAGS:
        if condition.op in ("contains", "below", "above"):
            return "tags know only is, is_not, has and has_not"
        return "" if tag_of(condition.value) else TAG_RULE
    if condition.field not in attributes:
        return "the list has no such attribute"
    if condition.op in ("has", "has_not"):
        return "has and has_not take no value" if condition.value else ""
    if condition.op in ("below", "above") and _ordered(condition.value) is None:
        return "below and above take a number, or a day like 2026-11-01"
    return "" if condition.value else "it needs a value"


def _holds(condition: Condition, attributes: Mapping[str, str], tags: Collection[str]) -> bool:
    if condition.field == TAGS:
        return (condition.value in tags) == (condition.op in ("is", "has"))
    value = attributes.get(condition.field, "")
    if condition.op == "is":
        return value == condition.value
    if condition.op == "is_not":
        return value != condition.value
    if condition.op == "contains":
        return condition.value in value
    if condition.op in ("has", "has_not"):
        return bool(value) == (condition.op == "has")
    return _is_beyond(condition, value)


def _is_beyond(condition: Condition, value: str) -> bool:
    """Of numbers and days; what is neither is neither below nor above anything."""
    one, other = _ordered(value), _ordered(condition.value)
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one < other if condition.op == "below" else one > other
    if isinstance(one, str) and isinstance(other, str):
        return one < other if condition.op == "below" else one > other
    return False


def _ordered(text: str) -> Decimal | str | None:
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    return text if _DAY.fullmatch(text) else None
