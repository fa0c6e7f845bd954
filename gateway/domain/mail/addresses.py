"""Addresses of recipients: which are taken, how they are kept, written on the wire, and masked."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal, get_args
from urllib.parse import quote

from gateway.domain.mail.lanes import lane_of
from gateway.errors import Refusal, Refused

Fault = Literal[
    "empty",
    "no_at",
    "full_width",
    "blank",
    "control_character",
    "too_long",
    "local_part",
    "not_ascii",
    "domain",
    "special_domain",
]
"""What is wrong with an address."""

HINTS: Mapping[Fault, str] = {
    "empty": "there is no address",
    "no_at": "an address has exactly one @ with something on both sides",
    "full_width": "it has full-width characters; write it in half-width ones",
    "blank": "it has a blank within; take that out, or give each address a line of its own",
    "control_character": "it has a line break or another character that cannot be seen",
    "too_long": "at most 64 characters before the @ and 254 in all",
    "local_part": "what stands before the @ is not allowed there",
    "not_ascii": "what stands before the @ has letters that most mail servers do not take",
    "domain": "what stands behind the @ is no domain of the Internet",
    "special_domain": "what stands behind the @ is set aside for other purposes",
}
"""What to tell a person of each fault."""

FAULTS: frozenset[str] = frozenset(get_args(Fault))

MOST_LOCAL = 64
MOST_ADDRESS = 254
"""RFC 5321, 4.5.3.1.1 and 4.5.3.1.3: a path of 256 characters holds two angle brackets."""

_CARRIERS = frozenset({"docomo", "au", "softbank", "ymobile", "rakuten"})
"""Lanes of Japan's mobile carriers, whose customers once chose addresses such as ``a..b@`` and
``a.@``, which RFC 5322 knows only in quotes. Those addresses still exist."""

_CARRIER_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,62}")  # two more are its quotes
_AT = r"(?:@|＠|%40)"  # as keyboards write it, and within URLs
_QUOTED = re.compile(
    r'(?P<local>"[^"\r\n]{1,64}"|[^\s<>()\[\],;:"@＠]{1,64}?)'
    + _AT
    + r'(?P<domain>\[[^\]\s]{1,60}\]|[^\s<>()\[\],;:"]{1,255})',
    re.IGNORECASE,
)
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def normalised(address: str) -> str:
    """``address`` as it is kept: no blanks around it, its domain in lower case and as an A-label.

    The part before the @ stays as it was written, since its server may tell cases apart; two that
    differ in case only are taken for one person all the same (see ``tokens.hash_of``).

    Raises:
        Refused: ADDRESS_INVALID; the detail is a word of :data:`Fault`.
    """
    text = address.strip()
    fault = _visible_fault(text)
    if fault is not None:
        raise _refused(fault)
    local, _, domain = text.rpartition("@")
    if is_carrier(domain):
        if not _CARRIER_LOCAL.fullmatch(local):
            raise _refused("local_part")
        return f"{local}@{domain.lower()}"
    return _validated(text, local)


def fault_of(address: str) -> Fault | None:
    """What is wrong with an address; ``None``: nothing."""
    try:
        normalised(address)
    except Refused as refused:
        fault: Fault = refused.detail  # type: ignore[assignment]  # made by _refused alone
        return fault
    return None


def wire_form(address: str) -> str:
    """A kept address as SMTP and header lines want it: quoted where that is needed (RFC 5321,
    4.1.2).
    """
    local, _, domain = address.rpartition("@")
    return address if _DOT_ATOM.fullmatch(local) else f'"{local}"@{domain}'


def domain_of(address: str) -> str:
    """The domain of a kept address."""
    return address.rpartition("@")[2]


def masked_address(address: str) -> str:
    """``address`` for views and logs that must not show it, such as ``t***@e***.jp``; an empty one,
    of somebody who is gone, stays empty.
    """
    if not address:
        return ""
    local, _, domain = address.rpartition("@")
    return _masked(local, domain)


def _masked(local: str, domain: str) -> str:
    name, dot, suffix = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***{dot}{suffix}"


def without_addresses(text: str, *known: str) -> str:
    """What a mail server said, with the addresses in it masked: servers like to quote them, and
    what is kept of an answer outlives the recipient.

    Of ``known`` addresses, the recipient's, the part before the @ is masked wherever it stands by
    itself, in any case of letters: many servers name the mailbox alone.
    """
    text = _QUOTED.sub(lambda found: _masked(found["local"], found["domain"]), text)
    for address in known:
        local = address.rpartition("@")[0].strip('"')
        names = {local, quote(local, safe=""), local.partition("+")[0]} - {""}
        for name in sorted(names, key=len, reverse=True):
            # Not within a longer word: "a" stands in most of them.
            word = rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])(?!\*\*\*)"
            text = re.sub(word, f"{name[:1]}***", text, flags=re.IGNORECASE)
    return text


def is_carrier(domain: str) -> bool:
    """Whether a domain is one of a Japanese mobile carrier with addresses of the old forms."""
    return lane_of(domain) in _CARRIERS


def _visible_fault(text: str) -> Fault | None:
    """What can be seen to be wrong without a look at the rules of mail."""
    if not text:
        return "empty"
    blanks = {character for character in text if _is_blank(character)}
    if not all(character in blanks or character.isprintable() for character in text):
        return "control_character"
    if blanks:
        return "blank"
    if not text.isascii() and _is_full_width(text):
        return "full_width"
    if len(text) > MOST_ADDRESS:
        return "too_long"
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or "@" in local:
        return "no_at"
    if len(local) > MOST_LOCAL:
        return "too_long"
    return None if local.isascii() else "not_ascii"


def _is_blank(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) == "Zs"


def _is_full_width(text: str) -> bool:
    """Whether there are full-width forms of ASCII in it, as Japanese keyboards write them."""
    return any("！" <= character <= "～" for character in text)


def _validated(text: str, local: str) -> str:
    # It reads tables of Unicode, which a daemon without mail is spared.
    import email_validator  # noqa: PLC0415 - see above

    if not _DOT_ATOM.fullmatch(local):
        raise _refused("local_part")
    try:
        found = email_validator.validate_email(
            text, check_deliverability=False, allow_smtputf8=False
        )
    except email_validator.EmailSyntaxError as error:
        raise _refused("special_domain" if "special-use" in str(error) else "domain") from None
    whole = f"{local}@{unicodedata.normalize('NFC', found.ascii_domain).lower()}"
    if len(whole) > MOST_ADDRESS:
        raise _refused("too_long")
    return whole


def _refused(fault: Fault) -> Refused:
    return Refused(Refusal.ADDRESS_INVALID, fault)
