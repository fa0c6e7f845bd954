"""From a mail that came back to what it says of each recipient."""

import re

from adapters.smtp.reading.kinds import is_automatic, is_report, is_warning
from adapters.smtp.reading.mime import Fields, Part, fields_of, take_apart, words_of
from adapters.smtp.reading.notices import (
    RECIPIENTS,
    Notice,
    address_in,
    addresses_in,
    notice_of,
    said_in,
)
from adapters.smtp.reading.reports import (
    Complaint,
    Recipient,
    amazon_in,
    complaint_in,
    recipients_in,
)
from adapters.smtp.reading.transcripts import replies_in, stage_in, telling, without_boilerplate
from gateway.domain.mail.returns.bounces import Original, Reading, Report
from gateway.domain.mail.returns.replies import classify, codes_in
from gateway.domain.mail.returns.wording import class_of, plain

_STATUSES = ("message/delivery-status", "message/global-delivery-status")  # RFC 3464, RFC 6533
_HEADERS = ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global")
_QUOTED_STATUS = re.compile(r"(?im)^(?:> ?)?final-recipient: ?\S")
_COMPLAINT = re.compile(r"(?i)complaint about message from")


def read(raw: bytes) -> Report:
    """What ``raw``, a mail as it arrived, says of whom.

    Never raises, whatever it is given, and looks at its first two megabytes only.
    """
    fields, parts = take_apart(raw)
    if (inner := _passed_on(parts)) is not None:
        fields, parts = inner
    notice = notice_of(parts)
    header = _returned(parts, notice)
    original = Original(
        message_id=header.get("message-id").strip("<> ")[:250],
        return_path=address_in(header.get("return-path")),
        to=_first(header.get("to")),
        list_unsubscribe=header.get("list-unsubscribe")[:1_000],
    )
    found = (
        _complaints(fields, parts, header)
        or _reported(fields, parts, notice, original)
        or _written(fields, parts, notice, original)
    )
    return Report(tuple(found), original)


def _passed_on(parts: list[Part]) -> tuple[Fields, list[Part]] | None:
    """The report that a gateway enclosed in one of its own, which says nothing itself."""
    for part in parts:
        if part.media_type in (*_STATUSES, "message/feedback-report"):
            return None
        if part.media_type == "message/rfc822":
            fields, inner = take_apart(part.text.encode())
            if any(each.media_type in _STATUSES for each in inner):
                return fields, inner
    return None


def _returned(parts: list[Part], notice: Notice) -> Fields:
    """The header of the mail that came back."""
    for part in parts:
        if part.media_type in _HEADERS:
            lines = part.text.lstrip("\n").split("\n", 1_000)[:1_000]
            ends = (number for number, line in enumerate(lines) if not line.strip())
            return fields_of(lines[: next(ends, len(lines))])
    return notice.returned


def _first(value: str) -> str:
    return next(iter(addresses_in(value[:2_000])), "")


# --- complaints


def _complaints(fields: Fields, parts: list[Part], header: Fields) -> list[Reading]:
    told = complaint_in(parts)
    for part in parts[:4]:
        if told is None and part.media_type == "text/plain":
            amazon = amazon_in(part.text)
            told = amazon if isinstance(amazon, Complaint) else None
    if told is None and _COMPLAINT.search(fields.get("subject")):
        told = Complaint((), "abuse")  # Outlook.com's programme encloses the mail and says no more
    if told is None:
        return []
    whom = address_in(header.get("x-hmxmroriginalrecipient")) or _first(header.get("to"))
    return [
        Reading(address, "complaint", action="", feedback_type=told.feedback_type or "abuse")
        for address in told.addresses or (whom,)
    ]


# --- reports with a part for machines


def _reported(
    fields: Fields, parts: list[Part], notice: Notice, original: Original
) -> list[Reading]:
    recipients: list[Recipient] = []
    announced = False
    for part in parts:
        if part.media_type in _STATUSES:
            announced = True
            recipients += recipients_in(part.text)
        elif part.media_type == "text/plain" and not recipients:
            amazon = amazon_in(part.text)
            if isinstance(amazon, list):
                recipients = amazon
            elif _QUOTED_STATUS.search(part.text):
                # Broken MIME, or a report that somebody passed on, every line of it quoted.
                recipients = recipients_in(re.sub(r"(?m)^> ?", "", part.text))
    if announced and not recipients:
        whom = next(iter(_failed(fields)), original.to)
        return [_reading(whom, Recipient(whom, "", "failed", "", ""), [notice.words])]
    said = said_in(notice, _own(fields))
    named = _failed(fields) or [one.address for one in said]
    alone = len(recipients) == 1
    found: list[Reading] = []
    for number, each in enumerate(recipients[:RECIPIENTS]):
        address = each.address
        if "|" in address or not address:  # a program, or a name without a domain
            address = named[number] if number < len(named) else original.to if alone else ""
        names = {address.lower(), each.final.lower()} - {""}
        texts = [each.diagnostic, *(one.words for one in said if one.address.lower() in names)]
        if alone:
            texts.append(notice.words)
        found.append(_reading(address, each, texts))
    return found


def _failed(fields: Fields) -> list[str]:
    """Whom Exim and Gmail name in a field of their own."""
    return list(dict.fromkeys(addresses_in(",".join(fields.all("x-failed-recipients"))[:10_000])))


def _own(fields: Fields) -> frozenset[str]:
    """The addresses of those who report and who is told."""
    names = ("to", "from", "return-path", "delivered-to", "x-original-to")
    return frozenset(
        address.lower() for name in names for address in addresses_in(fields.get(name)[:2_000])
    )


# --- reports in words alone


def _written(
    fields: Fields, parts: list[Part], notice: Notice, original: Original
) -> list[Reading]:
    failed = _failed(fields)
    subject = words_of(fields.get("subject"))
    was_read = any(part.media_type == "message/disposition-notification" for part in parts)
    if was_read or (not failed and is_automatic(fields)):  # RFC 8098, RFC 3834
        whom = address_in(fields.get("from")) or address_in(fields.get("return-path"))
        return [Reading(whom, "not_a_bounce", action="", text=_line(subject))]
    said = said_in(notice, _own(fields))
    if not is_report(fields):
        # Anybody's mail: only a reply code and words of refusal beside an address make it one.
        said = [one for one in said if codes_in(one.words)[0] and class_of(plain(one.words))]
        if not said:
            return []
    if failed:
        words_of_it = {one.address.lower(): one.words for one in said}
        rest = notice.words if len(failed) == 1 else ""
        told = [(each, words_of_it.get(each.lower(), rest)) for each in failed]
    else:
        told = [(one.address, one.words) for one in said] or [(original.to, notice.words)]
    found: list[Reading] = []
    delayed = is_warning(fields, notice)
    for address, words in told[:RECIPIENTS]:
        status = codes_in(words)[1]
        each = Recipient(address, "", "delayed" if delayed else "failed", status, "")
        found.append(
            _reading(address, each, [words, notice.words, subject] if len(told) == 1 else [words])
        )
    return found


# --- one recipient


def _reading(address: str, told: Recipient, texts: list[str]) -> Reading:
    """Put together what a report's fields and its words, the closest first, say of a recipient."""
    texts = [without_boilerplate(text) for text in texts]
    words = telling(texts) or next((text for text in texts if text.strip()), "")
    code, status = next(
        (codes for text in (words, *texts) if any(codes := codes_in(replies_in(text)))), (0, "")
    )
    if not status or status.endswith(".0.0") or (not code and told.status.startswith("4")):
        # What the server itself said goes before what the reporting one made of it.
        status = told.status or status
    if told.action in ("delivered", "relayed", "expanded"):
        return Reading(
            address, "not_a_bounce", False, told.status or status, 0, told.action, _line(words)
        )
    stage = next((stage for text in texts if (stage := stage_in(text))), "")
    domain = address.rpartition("@")[2]
    bounce_class, hard = classify(stage, code, status, words, domain)
    if hard and told.status.startswith("4"):
        # The report's own status decides over a reply that it quotes (RFC 3464, 2.3.4).
        bounce_class, hard = classify(stage, 0, told.status, words, domain)
    if (
        class_of(plain(words)) in ("user_unknown", "filtered")
        and len(texts) > 1
        and (particular := class_of(plain(texts[-1]))) in ("suspended", "mailbox_full")
    ):
        # The reporting server knows its own users: its sentence says more than its reply (au).
        bounce_class, hard = particular, False
    hard = hard and told.action == "failed"
    return Reading(address, bounce_class, hard, status, code, told.action, _line(words))


def _line(text: str) -> str:
    """``text`` on one line, without control characters, cut to what is kept."""
    kept = "".join(sign if sign.isprintable() else " " for sign in text[:2_000])
    return " ".join(kept.split())[:500]
