"""Rows of a file of recipients, checked: what can be taken in, and why the others cannot."""

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from gateway.domain.mail import consent
from gateway.domain.mail.addresses import HINTS, Fault, normalised
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing import csvfile
from gateway.domain.mail.importing.csvfile import Row, RowFault
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.profiles import (
    MOST_TAGS,
    MOST_VALUE,
    TAG_RULE,
    checked_attributes,
    checked_tags,
)
from gateway.errors import Refusal, Refused

LineFault = (
    RowFault
    | Fault
    | Literal["attribute", "tags", "consent_missing", "consent_invalid", "consent_future"]
)
"""Why a line is refused, in the words of the report."""

DOUBLED = "doubled"
"""In the report of a line whose address another line of the file had, too: they are merged."""

NOT_CORRECTED = "not_corrected"
"""In the report of a line that says something else of who is on the list than what is known, and
came from the operator, who corrects nobody (rule R104)."""

LINE_HINTS: Mapping[str, str] = dict[str, str](HINTS.items()) | {
    "columns": "it has more fields than there are columns",
    "quotes": "its quotes do not close where they should",
    "field_too_long": f"a field has more than {csvfile.MOST_FIELD:,} characters",
    "not_text": "it has bytes that are not of the file's encoding",
    "attribute": f"an attribute has more than {MOST_VALUE} characters, or some that cannot be seen",
    "tags": f"{TAG_RULE}, and there are {MOST_TAGS} of a line at most",
    "consent_missing": "a column of the consent is empty",
    "consent_invalid": "the time of the consent cannot be read, or one of its texts is too long",
    "consent_future": "the time of the consent is in the future",
}
"""What to tell a person of each fault."""


class Line(msgspec.Struct, frozen=True):
    """A line that can be taken in, or the reason why it cannot."""

    line: int
    address: str = ""
    attributes: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    consent: Stated | None = None
    """``None``: what was stated of the whole file holds."""
    fault: LineFault | None = None


def checked_line(row: Row, mail_list: MailList, now: int, *, states_consent: bool) -> Line:
    """A row as it can be taken into a list.

    ``states_consent`` says that each line has its own consent
    (:attr:`gateway.domain.mail.importing.csvfile.Layout.states_consent`).
    """
    if row.fault is not None:
        return Line(row.line, fault=row.fault)
    try:
        address = normalised(row.values[csvfile.ADDRESS])
    except Refused as refused:
        return Line(row.line, fault=refused.detail)  # type: ignore[arg-type]  # a Fault it is
    given = {name: row.values[name] for name in mail_list.attributes if row.values.get(name)}
    try:
        attributes = checked_attributes(given, mail_list.attributes)
    except Refused:
        return Line(row.line, fault="attribute")
    try:
        tags = checked_tags(_tags_of(row.values.get(csvfile.TAGS, "")))
    except Refused:
        return Line(row.line, fault="tags")
    try:
        stated = consent.stated(row.values, now) if states_consent else None
    except Refused as refused:
        return Line(row.line, fault=_consent_fault(refused))
    return Line(row.line, address, attributes, tags, stated)


def _consent_fault(refused: Refused) -> LineFault:
    if refused.reason is Refusal.CONSENT_MISSING:
        return "consent_missing"
    return "consent_future" if refused.detail == consent.FUTURE else "consent_invalid"


def _tags_of(text: str) -> list[str]:
    """Tags with blanks, commas, semicolons or their Japanese forms between them."""
    for mark in ",;|、，；｜":
        text = text.replace(mark, " ")
    return text.split()


LINE_FAULTS: frozenset[str] = frozenset(
    word for words in get_args(LineFault) for word in get_args(words) or (words,)
)
"""All words of :data:`LineFault`."""
