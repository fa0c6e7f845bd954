"""The words a report is written in: what is said of whom, without what it returned.

Reports without a part for machines differ by server: an address with a colon and the reason after
it (qmail, Postfix, OpenSMTPD), an indented address (Exim, Gmail), ``<address>... reason``
(Sendmail), a sentence with the address in it (KDDI, dma, IMail). All of them name whom they are
about on a line, so this looks for such lines, the clearest form first.
"""

import re
from typing import NamedTuple

from adapters.smtp.reading.markup import text_of
from adapters.smtp.reading.mime import Fields, Part, fields_of

LINES = 400
"""Lines of a notice that are looked at."""
WIDTH = 1_000
"""Characters of a line."""
RECIPIENTS = 100
"""Recipients of one report; it is about one mail, and ours have one recipient each."""

ADDRESS = re.compile(
    r"(\"[^\"\s@]{1,64}\"|[^\s<>@,;:()\[\]\"'|/\\=]{1,64}|[^\s<>@,;:()\[\]\"']{1,100})"
    r"@([A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}\.?){1,10})"
)
_RETURNED = re.compile(
    r"(?i)^\W{0,60}(?:(?:this|below|here) (?:line )?is (?:a|the) copy|below this line"
    r"|(?:the )?(?:headers? of the )?original (?:message|mail)\b(?! was received| details)"
    r"|(?:unsent|returned|undelivered) (?:message|mail)\b(?!.{0,60}:.{0,60}@)(?!.{0,3}returned to)"
    r"|(?:returned |message )header|message headers? follow|original message (?:headers?|follows)"
    r"|(?:the header|header) of the original|the following is (?:a copy|the)|copy of (?:your|the)"
    r"|start of (?:returned|message)|text of (?:the )?(?:message|mail))"
)
_HEADER = re.compile(
    r"(?i)^(?:received|return-path|x-originating-ip|dkim-signature|domainkey-signature|x-mailer"
    r"|message-id|mime-version|reporting-mta): |^content-type: message/"
)
_SENDMAIL = re.compile(r"\d{3} <[^>\s]{1,200}>\.\.\. ")
_QUOTED = re.compile(r"^>{1} ?(?=\S|$)(?!>>)")
_FIELD = re.compile(
    r"(?i)^\s*(?:from|cc|reply-to|sender|date|subject|message-id|return-path|errors-to|mail from"
    r"|received|envelope-from)\s*:|>>> ?mail from|\bmail from:|after mail from|helo="
)
# {A} is an address. The first figure says how clearly the line is about it.
_WEIGHED = (
    # alone, or with what is said of it
    (3, r"^\s*(?:\d{3} )?(?:[*-] )?{A}\s*(?:$|:|\.\.\.|\(|\[|,\s*$|-\s|…)"),
    (3, r"^\s*{A}\s+(?:on |invalid|unknown|\W{0,2}[45]\d\d\b|said|rejected|not )"),
    # with a word before it that says what it is
    (3, r"(?i)^\W{0,12}(?:final-|original-|failed )?(?:recipient|addressee|rcpt to)s?\W{1,12}{A}"),
    (3, r"(?i)^\W{0,12}(?:(?:to|recipient|original) address|original recipient)\W{1,12}{A}"),
    (3, r"^\W{0,12}(?:あて先|宛先)\W{1,12}{A}"),
    # in a sentence
    (2, r"(?i)(?:deliver(?:ed|ing|able)?|undeliverable|sent|send)\b.{0,60}\b(?:to|for)\W{1,4}{A}"),
    (2, r"(?i)(?:message|mail|failed|rejected|returned)\b.{0,60}\b(?:to|for|by)\W{1,4}{A}"),
    (2, r"(?i)(?:attempts|following|reach|address(?:es)?|user|recipients?|mailbox)\W{1,4}{A}"),
    (1, r"{A}"),
)
_ADDRESS_IN_FORM = r"<?(?:[A-Za-z0-9]{2,8}[;:])?\x00\d+>?"
_FORMS = tuple(
    (weight, re.compile(form.replace("{A}", _ADDRESS_IN_FORM))) for weight, form in _WEIGHED
)


class Said(NamedTuple):
    """What a notice says of one recipient."""

    address: str
    words: str
    """From the line that names it to the next one's."""


class Notice(NamedTuple):
    """A report's text."""

    lines: tuple[str, ...]
    returned: Fields
    """The header of the mail it returned, where the notice ends with one."""

    @property
    def words(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


def notice_of(parts: list[Part]) -> Notice:
    """The text for people, of the parts before what was returned; HTML only where nothing else."""
    plain = [part.text for part in parts if part.media_type == "text/plain" and part.text.strip()]
    if not plain:
        plain = [text_of(part.text) for part in parts if part.media_type == "text/html"][:1]
    lines: list[str] = []
    for text in plain[:4]:
        lines += [line[:WIDTH].rstrip() for line in text.split("\n", LINES)[:LINES]]
    quoted = sum(line.startswith(">") for line in lines)
    if quoted > len(lines) // 2:
        lines = [_QUOTED.sub("", line) for line in lines]  # a report that somebody passed on
    named = written = False
    for number, line in enumerate(lines):
        named = named or ("@" in line and not _FIELD.search(line))
        if (named and _HEADER.search(line)) or (written and _RETURNED.search(line)):
            rest = lines[number:]
            start = next((n for n, each in enumerate(rest) if ": " in each[:60]), 0)
            return Notice(tuple(lines[:number][:LINES]), fields_of(rest[start:LINES]))
        written = written or bool(line.strip())
    return Notice(tuple(lines[:LINES]), Fields())


def address_in(value: str) -> str:
    """The address in ``value``, its domain in lower case; empty where there is none.

    A type before it (``rfc822;``), brackets and an old route (``@relay:user@host``) are taken off.
    """
    found = list(ADDRESS.finditer(value[:WIDTH]))
    return f"{found[-1][1]}@{_domain(found[-1][2])}" if found else ""


def addresses_in(value: str) -> list[str]:
    """Each address in ``value``."""
    return [f"{match[1]}@{_domain(match[2])}" for match in ADDRESS.finditer(value)]


def _domain(text: str) -> str:
    return text.rstrip(".-_").lower()


def said_in(notice: Notice, own: frozenset[str]) -> list[Said]:
    """Whom the notice is about, in its order, with what it says of each.

    ``own`` are the addresses of the report's header, in lower case: the sender of the mail that
    came back, and whoever reports; they count only where nobody else is named.
    """
    best: dict[int, str] = {}
    best_weight = 0
    for number, line in enumerate(notice.lines):
        if "@" not in line or _FIELD.search(line):
            continue
        for address, weight in _named(line):
            if address.lower() in own or address.lower().startswith(
                ("postmaster@", "mailer-daemon@")
            ):
                weight = 0  # noqa: PLW2901 - what the form says is overruled
            if weight > best_weight:
                best, best_weight = {number: address}, weight
            elif weight == best_weight:
                best.setdefault(number, address)
    if not best_weight:
        best = dict(list(best.items())[:1])
    return _blocks(notice.lines, best)


def _named(line: str) -> list[tuple[str, int]]:
    """The line's addresses, each with how clearly the line is about it."""
    addresses: list[str] = []

    def number(match: re.Match[str]) -> str:
        addresses.append(f"{match[1]}@{_domain(match[2])}")
        return f"\x00{len(addresses) - 1}"

    marked = ADDRESS.sub(number, line.replace("\x00", ""))
    for weight, form in _FORMS:
        if found := form.search(marked):
            which = int(re.findall(r"\x00(\d+)", found[0])[-1])
            return [(addresses[which], weight)]
    return []


def _blocks(lines: tuple[str, ...], named: dict[int, str]) -> list[Said]:
    starts = sorted(named)
    found: dict[str, list[str]] = {}
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else len(lines)
        if _SENDMAIL.match(lines[start]):
            # The oldest Sendmail names the recipient after the reply that it is about.
            before = range(start - 1, max(starts[index - 1] if index else -1, start - 5), -1)
            start = next((n for n in before if lines[n].startswith("<<<")), start)  # noqa: PLW2901 - the block begins there
            found.setdefault(named[starts[index]].lower(), [named[starts[index]]])
            named = named | {start: named[starts[index]]}
        found.setdefault(named[start].lower(), [named[start]]).extend(lines[start:end])
        if len(found) >= RECIPIENTS:
            break
    return [Said(block[0], "\n".join(block[1:])) for block in found.values()]
