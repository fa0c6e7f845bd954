"""What somebody wants who writes to a list: to get its mail, to stop it, or nothing that we do."""

import re
from itertools import islice

import msgspec

from adapters.smtp.reading.markup import text_of
from adapters.smtp.reading.mime import Fields, Part, take_apart, words_of
from adapters.smtp.receiving.wording import Want, want_of

MOST_TOKENS = 5
"""Of a mail, so many are tried whether they are ours."""

MOST_LOOKED_AT = 100_000
"""Characters of a mail's text in which they are looked for."""

_MOST_PARTS = 3
"""Of a mail that counts as an empty one: text, HTML, a picture of the telephone's company."""

_STOP_PATH = re.compile(r"/u/([A-Za-z0-9_-]{38})(?![A-Za-z0-9_-])")
_ANSWERED = re.compile(r"<([A-Za-z0-9_-]{38})@")
_ADDRESS = re.compile(r'(?:"([^"\s@]{1,62})"|([^\s<>(),;:"@]{1,64}))@([^\s<>(),;:"@]{1,255})')
_ANGLED = re.compile(r"<([^<>\s]{3,320})>")
_BULK = frozenset({"bulk", "junk", "list", "auto_reply"})
_BY_PROGRAMS = (
    "list-id",
    "list-unsubscribe",
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-loop",
    "feedback-id",
)
_DAEMON = re.compile(
    r"(?i)(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)(?:[+-].*)?@"
)


class Wish(msgspec.Struct, frozen=True):
    """A mail to a list, as far as it matters."""

    sender: str
    """The one address of From, as it is written; empty: there is none, or several."""
    want: Want
    is_automatic: bool
    """Written by a program, which must not be answered (RFC 3834, 2)."""
    message_id: str
    """At most 250 characters, without control characters."""
    stop_tokens: tuple[str, ...] = ()
    """What stands in the text where links to stop have tokens; at most :data:`MOST_TOKENS`."""
    answered: tuple[str, ...] = ()
    """What the mails that it answers have before the @ of their Message-ID; as many at most."""


def wish_of(raw: bytes, envelope_sender: str) -> Wish:
    """What a mail to a list wants. Whatever is in it, this neither raises nor takes long."""
    fields, parts = take_apart(raw)
    texts = [part.text for part in parts if part.media_type == "text/plain"]
    want = want_of(words_of(fields.get("subject")), _written(parts))
    if want == "signup" and len(parts) > _MOST_PARTS:
        want = "other"
    message_id = "".join(c for c in fields.get("message-id") if c.isprintable())[:250]
    sender = _sender_in(fields)
    is_automatic = not envelope_sender or _is_automatic(fields) or bool(_DAEMON.match(sender))
    answered = f"{fields.get('in-reply-to')} {fields.get('references')}"
    return Wish(
        sender,
        want,
        is_automatic,
        message_id,
        tuple(stop_tokens_in("\n".join(texts)[:MOST_LOOKED_AT])),
        tuple(_ANSWERED.findall(answered)[:MOST_TOKENS]),
    )


def _written(parts: list[Part]) -> str:
    """The text of a mail: its plain one, or HTML's where that says nothing."""
    for part in parts:
        if part.media_type == "text/plain" and part.text.strip():
            return part.text
    pages = (part.text for part in parts if part.media_type == "text/html")
    return text_of(next(pages, ""), quote="> ")


def stop_tokens_in(text: str) -> list[str]:
    """What may be tokens of links to stop; at most :data:`MOST_TOKENS`."""
    return [found[1] for found in islice(_STOP_PATH.finditer(text), MOST_TOKENS)]


def _is_automatic(fields: Fields) -> bool:
    submitted = fields.get("auto-submitted").partition(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or fields.get("precedence").strip().lower() in _BULK
        or any(fields.get(name) for name in _BY_PROGRAMS)
        or fields.get("return-path").strip() == "<>"
    )


def _sender_in(fields: Fields) -> str:
    """The address of From, where there is exactly one."""
    written = fields.all("from")
    if len(written) != 1:
        return ""
    text = words_of(written[0])[:2_000]
    angled = _ANGLED.findall(text)
    found = [_ADDRESS.fullmatch(each) for each in angled] if angled else []
    found = found or list(_ADDRESS.finditer(text))
    if len(found) != 1 or found[0] is None:
        return ""
    quoted, plain, domain = found[0].groups()
    return f"{quoted or plain}@{domain}"
