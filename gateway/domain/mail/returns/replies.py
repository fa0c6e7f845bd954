"""What an SMTP reply says of a recipient: for live replies and for those that bounces quote."""

import re

from gateway.domain.mail.returns.bounces import HARD, BounceClass
from gateway.domain.mail.returns.wording import class_of, loosely, plain

# RFC 3463 with the registry of RFC 5248; read where the words say nothing. The first figure, final
# or not, is left out: it decides on hardness, not on the class.
_BY_STATUS: dict[str, BounceClass] = {
    "1.1": "user_unknown",
    "1.2": "host_unknown",
    "1.3": "user_unknown",  # bad syntax of the destination mailbox
    "1.4": "filtered",  # ambiguous
    "1.6": "moved",
    "1.7": "blocked",  # of the sender's address
    "1.8": "blocked",
    "1.9": "policy",
    "1.10": "host_unknown",  # RFC 7505: null MX
    "2.0": "filtered",
    "2.1": "suspended",  # mailbox disabled
    "2.2": "mailbox_full",
    "2.3": "too_big",
    "2.4": "system",  # expansion of a mailing list
    "3.4": "too_big",
    "4.3": "system",  # directory server
    "4.4": "host_unknown",  # unable to route
    "5.3": "throttled",  # too many recipients
    "7.13": "suspended",  # RFC 5248: user account disabled
    "7.17": "moved",  # RFC 7293: the mailbox has another owner now
    "7.28": "throttled",  # mail flood
}
_BY_SUBJECT: dict[str, BounceClass] = {
    "3": "system",
    "4": "expired",
    "5": "policy",
    "6": "spam",
    "7": "policy",
}
# RFC 5321, 4.2.2 and 4.2.3; RFC 7504 for 521 and 556. 550 and 554 say too little by themselves, and
# what says little is not hard.
_BY_CODE: dict[int, BounceClass] = {
    421: "system",
    450: "system",
    451: "system",
    452: "system",
    500: "policy",
    501: "policy",
    502: "policy",
    503: "policy",
    504: "policy",
    521: "blocked",  # this host takes no mail; not whether the domain does
    525: "suspended",
    530: "policy",
    534: "policy",
    535: "policy",
    538: "policy",
    551: "moved",
    552: "mailbox_full",
    553: "filtered",  # the mailbox's name is not allowed: by syntax or by taste
    556: "host_unknown",
}
_AUTHENTICATION = frozenset({530, 534, 535, 538})  # RFC 4954, 4 and 6
_WITHOUT_REASON: dict[str, BounceClass] = {"rcpt": "filtered", "data": "policy", "end": "policy"}
_BEFORE_RECIPIENT = frozenset({"connect", "tls", "greeting", "ehlo", "auth", "mail"})
_ABOUT_RECIPIENT: frozenset[BounceClass] = HARD | {"mailbox_full", "suspended", "filtered"}
_ABOUT_MAIL: frozenset[BounceClass | None] = frozenset({"policy", "throttled", "spam"})
_UNKNOWN = re.compile(r"user unknown|unknown user")
_NAMED = re.compile(r"^ ?<@> ?: ?user unknown")  # KDDI names the address it does not know
_PARTICULAR = (".1.1", ".1.6", ".1.10", ".2.2", ".2.3", ".3.4", "5.4.4", ".7.13")
_NO_MAIL_AT_ALL = re.compile(r"null ?mx|(?:accept|receive)s? (?:any )?(?:e-?)?mail|no smtp service")
_UNAVAILABLE = re.compile(r"mailbox (?:is )?(?:currently )?(?:unavailable|not available)")
_DENIED = re.compile(r"^\W*(?:<@>|refused)?\W*(?:access|permission) (?:is )?denied")
_SENT_AWAY = re.compile(r"connection (?:refused|rejected|closed|dropped|denied)")
# A local program has no status of its own, and a list's members are not its address.
_NOT_OF_THEM = re.compile(r"violation|x-unix;|subscri|forger|postmaster")
_BARE = re.compile(
    r"(?:recipient|address|user)(?: address)? (?:rejected|refused)(?! (?:by|due|for|as))"
)
_AGAIN = re.compile(r"try (?:\w+ )?(?:again|later)")
# It can be opened again.
_SHUT = re.compile(r"disabled|deactivat|suspend|locked|frozen|temporar|blocked")
_KDDI = frozenset({"ezweb.ne.jp", "au.com"})
_DOCOMO = frozenset({"docomo.ne.jp", ""})  # empty: nobody tells
_CODE = re.compile(r"(?<![\w.\[:@-])([245]\d\d)(?![\w.\]@])")
_STATUS = re.compile(r"(?<![\w.])([245]\.\d{1,3}\.\d{1,3})(?![\w.]|\])")


def codes_in(text: str) -> tuple[int, str]:
    """The first reply code and the first status of RFC 3463 in ``text``; 0 and empty: none.

    A code must stand apart: a figure within an address, a version or a time is none.
    """
    code, status = _CODE.search(text[:2_000]), _STATUS.search(text[:2_000])
    return int(code[1]) if code else 0, status[1] if status else ""


def tells(text: str) -> bool:
    """Whether the words of ``text`` say something, apart from its figures."""
    words = plain(text)
    return class_of(words) is not None or bool(_UNAVAILABLE.search(words))


def classify(
    stage: str, code: int, enhanced: str, text: str, domain: str = ""
) -> tuple[BounceClass, bool]:
    """The class of a refusal, and whether it is hard: about the address, and for good.

    ``stage`` is that of :class:`gateway.domain.mail.answers.Answer`, or empty where nobody tells;
    ``code`` the reply code or 0, ``enhanced`` the status of RFC 3463 or empty, ``text`` the
    server's words with or without the codes, ``domain`` the recipient's.
    """
    words = plain(text)
    found = class_of(words)
    if code in _AUTHENTICATION and found not in ("throttled", "spam"):
        found = "policy"
    if found is None or _says_little(words, found, enhanced):
        figures = _by_figures(stage, code, enhanced, words, domain, found_nothing=found is None)
        found = figures or found
    found = found or "other"
    if found == "user_unknown" and _may_be_filter(stage, code, enhanced, words, domain):
        found = "filtered"
    found = _by_stage(stage, code, enhanced, words, found)
    final = code // 100 == 5 if code else not enhanced.startswith("4")
    if not final and found == "host_unknown" and not _NO_MAIL_AT_ALL.search(words):
        # A name that could not be looked up today; RFC 3463 4.x.x, RFC 5321 5.1.
        found = "expired"
    return found, final and found in HARD


def _says_little(words: str, found: BounceClass, enhanced: str) -> bool:
    """Whether a refusal in general words carries a status that is particular."""
    if found == "filtered" and enhanced == "5.1.1":
        return bool(_BARE.search(words))
    return (
        found in ("blocked", "policy", "expired", "system")
        and not _NOT_OF_THEM.search(words)
        and enhanced.endswith(_PARTICULAR)
    )


def _may_be_filter(stage: str, code: int, enhanced: str, words: str, domain: str) -> bool:
    """Whether "user unknown" is what a recipient's filter says.

    docomo and au answer so after DATA to whoever is not on the recipient's list, and others do as
    they do. A server that knows nobody of that name says so at RCPT, or in the status 5.1.1; where
    a report tells neither, it stays open, and what is open is not hard.
    """
    if enhanced[1:] == ".7.1" and _BARE.search(words):
        return True  # RFC 3463: the site does not want it delivered
    if enhanced[1:] in (".1.1", ".1.0") or not _UNKNOWN.search(words):
        return False
    if stage == "data":
        # Sendmail prints RCPT's reply under DATA, since it sends both at once.
        return not _NAMED.search(words)
    if stage:
        return stage == "end"
    if "user unknown" not in words and (not code or domain not in _DOCOMO):
        return False  # docomo's words without a code: a server that speaks of its own users
    return not (domain in _KDDI and _NAMED.search(words))


def _by_stage(stage: str, code: int, enhanced: str, words: str, found: BounceClass) -> BounceClass:
    """``found`` in the light of the command that was answered."""
    if stage in _BEFORE_RECIPIENT and (found in _ABOUT_RECIPIENT or found == "spam"):
        if found == "mailbox_full" and code // 100 == 4:
            return "system"  # its own disk
        return "blocked"  # nobody was named and nothing sent yet: it is about us (RFC 5321, 3.3)
    if stage in _BEFORE_RECIPIENT and found == "policy" and _DENIED.search(words):
        return "blocked"
    if found == "suspended" and enhanced == "5.1.1" and not _SHUT.search(words):
        return "user_unknown"  # RFC 3463 has 5.2.1 for a disabled mailbox; this one is gone
    answered = code // 100 == 5 or (code and stage in _BEFORE_RECIPIENT)
    if found == "expired" and answered and stage != "end" and _SENT_AWAY.search(words):
        return "blocked"  # a server that can say so was reached
    if found == "filtered" and code // 100 == 4:
        return "system" if _UNAVAILABLE.search(words) or _AGAIN.search(words) else found
    return found


def _by_figures(
    stage: str, code: int, enhanced: str, words: str, domain: str, *, found_nothing: bool
) -> BounceClass | None:
    """What the figures and the command say where the words do not.

    ``found_nothing``: the words are not even general, so a single one of them may help.
    """
    if domain == "googlegroups.com":
        return "blocked"  # it does not tell a group that is gone from one that is closed
    detail = enhanced.partition(".")[2]
    if (
        _UNAVAILABLE.search(words)
        and code in (0, 550)
        and detail in ("", "0.0", "1.0", "2.0", "5.0")
    ):
        return "blocked" if stage == "mail" else "user_unknown"  # RFC 5321, 4.2.3: 550's own words
    if named := _BY_STATUS.get(detail):
        return named
    if not code and detail in ("", "0.0"):
        # A reply that only asks for another try is quoted bare once the tries are over.
        return "expired" if _AGAIN.search(words) else None
    weak = _weakly(stage, code, detail)
    hint = loosely(words) if found_nothing else None
    if weak == "blocked" and hint not in _ABOUT_MAIL:
        return weak
    return hint or weak


def _weakly(stage: str, code: int, detail: str) -> BounceClass | None:
    """What a status says by its subject alone, or a code of RFC 5321."""
    if subject := _BY_SUBJECT.get(detail.partition(".")[0]):
        return subject
    if stage in _BEFORE_RECIPIENT and code // 100 == 5 and _BY_CODE.get(code) != "policy":
        return "blocked"
    if code in _BY_CODE:
        return _BY_CODE[code]
    # Of a code that RFC 5321 does not have, its first figure counts (4.2.1).
    if code // 100 == 4:
        return "system"
    return _WITHOUT_REASON.get(stage) if code // 100 == 5 else None
