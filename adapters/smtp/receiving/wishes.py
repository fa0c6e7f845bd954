"""What somebody wants who writes to a list: to get its mail, to stop it, or nothing that we do."""

import re
import unicodedata
from itertools import islice
from typing import Literal

import msgspec

from adapters.smtp.reading.mime import Fields, take_apart, words_of

Want = Literal["signup", "stop", "other"]

MOST_SIGNUP_TEXT = 1_000
"""Characters of a mail that counts as an empty one: telephones put signatures and adverts in."""

MOST_TOKENS = 5
"""Of a mail, so many are tried whether they are ours."""

MOST_LOOKED_AT = 100_000
"""Characters of a mail's text in which they are looked for."""

_STOP_PATH = re.compile(r"/u/([A-Za-z0-9_-]{38})(?![A-Za-z0-9_-])")
_ANSWERED = re.compile(r"<([A-Za-z0-9_-]{38})@")
_ADDRESS = re.compile(r'(?:"([^"\s@]{1,62})"|([^\s<>(),;:"@]{1,64}))@([^\s<>(),;:"@]{1,255})')
_ANGLED = re.compile(r"<([^<>\s]{3,320})>")
_STOP = re.compile(
    r"配信(?:を|の)?(?:停止|解除|中止|不要)|(?:登録|購読)(?:を|の)?(?:解除|中止|停止)|退会|解約"
    r"|\bunsubscribe\b|\bopt[- ]?out\b|\bremove me\b"
    r"|^\W*(?:停止|解除|不要|stop|remove|cancel|off)\W*$",
    re.IGNORECASE,
)
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
    subject = unicodedata.normalize("NFKC", words_of(fields.get("subject")))
    texts = [part.text for part in parts if part.media_type == "text/plain"]
    text = unicodedata.normalize("NFKC", texts[0][:20_000]) if texts else ""
    said = next((line.strip() for line in text.splitlines() if line.strip()), "")
    is_quote = said.startswith(">")
    want: Want = "other"
    if _STOP.search(subject[:200]) or (not is_quote and _STOP.search(said[:200])):
        want = "stop"
    elif len(text) <= MOST_SIGNUP_TEXT and len(parts) <= 3:
        want = "signup"
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
