"""The parts of a report that are written for machines: RFC 3464, RFC 5965, Amazon's JSON."""

import re
from typing import Any, NamedTuple

import msgspec

from adapters.smtp.reading.mime import Fields, Part, fields_of
from adapters.smtp.reading.notices import RECIPIENTS, address_in
from gateway.domain.mail.returns.bounces import Action

_ACTIONS: tuple[Action, ...] = ("failed", "delayed", "delivered", "relayed", "expanded")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})")
_RECIPIENT = re.compile(r"(?i)(?:final|original)-recipient:")
_COMMENT = re.compile(r"\((.{1,200})\)")


class Recipient(NamedTuple):
    """A recipient of a delivery report, as its fields have it."""

    address: str
    """The original one where the report has both: that is whom we wrote to (RFC 3464, 2.3.1)."""
    final: str
    action: Action
    status: str
    diagnostic: str
    """With the comment of the status, and with the type where a local program speaks."""


class Complaint(NamedTuple):
    """What a feedback report says."""

    addresses: tuple[str, ...]
    feedback_type: str


def recipients_in(text: str) -> list[Recipient]:
    """The recipients of a ``message/delivery-status``, in order.

    Groups of fields stand apart by blank lines; where a server parted a group, its pieces are put
    together again, since only one that names a recipient begins another.
    """
    groups: list[dict[str, str]] = []
    for lines in _paragraphs(text):
        fields = dict(reversed(fields_of(lines)))
        names = fields.keys() & {"final-recipient", "original-recipient", "x-actual-recipient"}
        if names or (not groups and fields.keys() & {"action", "status", "diagnostic-code"}):
            groups.append(fields)
        elif groups:
            groups[-1] = fields | groups[-1]
        if len(groups) >= RECIPIENTS:
            break
    return [_recipient(group) for group in groups]


def _paragraphs(text: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in text.split("\n", 20_000)[:20_000]:
        if line.strip():
            if _RECIPIENT.match(line) and any(_same(line, each) for each in found[-1]):
                found.append([])  # no blank line between two recipients
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return found


def _same(line: str, other: str) -> bool:
    return line[:15].lower() == other[:15].lower()


def _recipient(fields: dict[str, str]) -> Recipient:
    original = address_in(fields.get("original-recipient", ""))
    final = address_in(fields.get("final-recipient", ""))
    action: Action
    word = fields.get("action", "").strip().lower().partition(" ")[0].strip(";.")
    status = fields.get("status", "")
    action = next((each for each in _ACTIONS if word == each), "failed")
    if word not in _ACTIONS and re.match(r"\s*2\.", status):
        action = "delivered"  # Postfix calls it deliverable where it only asked
    found = _STATUS.search(status)
    comment = _COMMENT.search(status[found.end() if found else 0 :])
    kind, mark, words = fields.get("diagnostic-code", "").partition(";")
    if not mark or not re.fullmatch(r"\s*[\w.-]{1,40}\s*", kind):
        kind, words = "", fields.get("diagnostic-code", "")
    if kind.strip().lower() == "x-unix" and words.strip():
        words = f"x-unix; {words.strip()}"
    if comment and comment[1].lower() not in ("permanent failure", "temporary failure"):
        words = f"{words} ({comment[1]})"
    return Recipient(original or final, final, action, found[1] if found else "", words.strip())


def complaint_in(parts: list[Part]) -> Complaint | None:
    """The feedback report among ``parts``; None: there is none."""
    for part in parts:
        if part.media_type == "message/feedback-report" or (
            part.media_type.startswith("text/")
            and re.search(r"(?im)^feedback-type: ?\w", part.text)
        ):
            fields = Fields(pair for lines in _paragraphs(part.text) for pair in fields_of(lines))
            told = [
                address
                for name in ("original-rcpt-to", "removal-recipient")
                for value in fields.all(name)[:RECIPIENTS]
                if (address := address_in(value))
            ]
            kind = re.match(r"[\w-]{0,40}", fields.get("feedback-type").strip().lower())
            return Complaint(tuple(dict.fromkeys(told)), kind[0] if kind else "")
    return None


class _Target(msgspec.Struct):
    emailAddress: str = ""  # noqa: N815 - Amazon's name
    action: str = ""
    status: str = ""
    diagnosticCode: str = ""  # noqa: N815 - Amazon's name


def amazon_in(text: str) -> list[Recipient] | Complaint | None:
    """Amazon SES's notification, which comes as JSON in a mail; None: it is none.

    Source: Amazon SES developer guide, "Contents of notifications for Amazon SES".
    """
    start = text.find('{"')
    if start < 0 or not re.search(r'"(?:notification|event)Type"', text[start:][:100_000]):
        return None
    # The mail's lines were wrapped within the JSON: it has no line ends of its own.
    wrapped = text[start:][:100_000].partition("\n\n")[0].partition("\n--")[0]
    line = re.sub(r"\n[ \t]?", "", wrapped)
    try:
        given: Any = msgspec.json.decode(line)
        kind = given.get("notificationType") or given.get("eventType")
        if kind == "Complaint":
            told = given["complaint"]
            people = msgspec.convert(told["complainedRecipients"], list[_Target])
            return Complaint(
                tuple(address_in(each.emailAddress) for each in people),
                str(told.get("complaintFeedbackType") or "abuse")[:40],
            )
        if kind == "Delivery":
            names = msgspec.convert(given["delivery"]["recipients"], list[str])
            said = str(given["delivery"].get("smtpResponse", ""))[:500]
            return [Recipient(address_in(each), "", "delivered", "", said) for each in names]
        people = msgspec.convert(given["bounce"]["bouncedRecipients"], list[_Target])
    except (msgspec.MsgspecError, AttributeError, KeyError, TypeError, RecursionError, ValueError):
        return None  # JSON, but not this one
    return [
        _recipient(
            {
                "final-recipient": each.emailAddress,
                "action": each.action,
                "status": each.status,
                "diagnostic-code": each.diagnosticCode,
            }
        )
        for each in people[:RECIPIENTS]
    ]
