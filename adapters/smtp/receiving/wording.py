"""What a person's own words in a mail to a list come to: quoted ones, and a telephone's, aside.

Whoever seems to say stop is believed: a stop that was not meant is undone by signing up again; one
that is not heard is mail that somebody refused.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

Want = Literal["signup", "stop", "other"]

MOST_READ = 1_000
"""Characters of their own words that are looked at."""

MOST_SIGNATURE = 400
"""Characters that telephones and mail programs put under an empty mail."""

_MOST_LINE = 400

_NEEDLESS = "(?<!返信)(?<!返信は)(?<!返事は)(?<!連絡は)不要"
_ENDS = rf"停止|解除|中止|{_NEEDLESS}|拒否|削除|抹消|取り?消し?|止め|やめ|辞め|ストップ|断り"
_STOP = re.compile(
    rf"(?:配信|送信|送付|受信|メール|メルマガ|マガジン|登録|購読|会員|案内|お知らせ|dm)"
    rf".{{0,10}}?(?:{_ENDS})(?!し?ない)"
    r"|(?:停止|解除|中止|抹消|ストップ)(?:して|[をで]?(?:お願|希望|求め)|(?:くだ|下)さ|いたし|致し|したい|します)"
    r"|(?:止め|やめ|辞め|断っ)(?:て(?!い?ない)|たい|ます|ろ|に?(?:くだ|下)さ)"
    r"|(?:送ら|送信し|送って(?:こ|来)|送付し|配信し|届け)ない|送って(?:くる|来る)な|送(?:る|んな)な?(?:よ|$|[。!])"
    r"|(?:もう|メール(?:は|も)?|メルマガ(?:は|も)?|案内(?:は|も)?).{0,6}?(?:いらない|いりません|要らない|要りません|結構です|けっこうです)"
    rf"|{_NEEDLESS}(?:です|で(?:ご|御)座|なので|$|[。!、])|お断りします|お断り(?:いた|致)し"
    r"|退会|解約"
    r"|\bun-?subscribe\b|\bopt(?:ing)?[- ]?out\b"
    r"|\b(?:remove|delete|erase) (?:me|us|my|our|this) ?(?:e-?mail|address|account|name)?"
    r"|\btake (?:me|us|my .{1,20}?) off\b|\bremoved? from (?:your|the|this)\b"
    r"|\b(?:stop|quit|cease) (?:send|mail|e-?mail|spam|contact|these|this|the|your|all)"
    r"|\bno (?:more|further) (?:e-?mails?|mails?|messages?|newsletters?)\b"
    r"|\b(?:don'?t|don’t|do not|never) (?:ever )?(?:again )?(?:send|mail|e-?mail|contact|write)\b"
    r"|\bcancel (?:my|the|this|our) (?:subscription|registration|membership|newsletter)"
    r"|\bno longer (?:wish|want) ",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"\W*(?:配信)?(?:停止|解除|中止|不要|拒否|退会|解約|ストップ)(?:希望|です)?\W*"
    r"|\W*(?:please )?(?:stop|remove|cancel|off|quit|end)(?: please)?\W*",
    re.IGNORECASE,
)
_CLEAR = re.compile(
    r"配信(?:を|の)?(?:停止|解除|中止|不要|拒否)|(?:登録|購読)(?:を|の)?(?:解除|中止|停止)|退会|解約"
    r"|\bunsubscribe\b|\bopt[- ]?out\b|\bremove me\b",
    re.IGNORECASE,
)
"""What says stop in the subject of an answer, too, most of which is ours."""
_ANSWER = re.compile(r"\s*(?:re|fwd?|aw|wg|返信|転送)\s?(?:\[\d+\]|\^\d+)?\s?:", re.IGNORECASE)

_QUOTES = re.compile(  # what stands before a mail that is answered
    r"(?:wrote|schrieb|書きました|のメール)\s?:$|^20\d\d\D.{4,200}<[^\s<>@]{1,64}@[^\s<>@]{1,255}>\s?:?$",
    re.IGNORECASE,
)
_RETURNS = re.compile(  # and what stands before one that is not quoted line by line
    r"^-+ ?(?:original|forwarded|元の|転送)|^(?:from|差出人|送信者|送信元)\s?:.{0,100}@",
    re.IGNORECASE,
)
_RULE = re.compile(r"--|[-_=*~+#・━─―—]{4,}")
_BY_TELEPHONES = re.compile(
    r"から送信|^sent (?:from|with|via|using) |^get .{1,40} for (?:ios|android)"
    r"|outlook for (?:ios|android)",
    re.IGNORECASE,
)


def want_of(subject: str, text: str) -> Want:
    """What somebody wants by a subject, decoded, and a text. A mail with nothing in it but what a
    telephone puts there is a sign-up; an answer to a mail is none.
    """
    subject = _plain(subject)[:200]
    is_answer = _ANSWER.match(subject) is not None
    said, is_quoting = _own_words(_plain(text[:20_000]))
    if _CLEAR.search(subject) if is_answer else _says_stop([subject]):
        return "stop"
    if _says_stop(said):
        return "stop"
    if is_answer or is_quoting or not _is_empty(said):
        return "other"
    return "signup"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _says_stop(said: Iterable[str]) -> bool:
    lines = "\n".join(said)[:MOST_READ].split("\n")
    # A sentence may go on in the next line; Japanese has no blanks between words.
    return any(_ALONE.fullmatch(line) or _STOP.search(line) for line in lines) or bool(
        _STOP.search("".join(lines))
    )


def _own_words(text: str) -> tuple[list[str], bool]:
    """The lines that are not quoted, and whether any is."""
    lines = [line.strip()[:_MOST_LINE] for line in text.splitlines()]
    lines = [line for line in lines if line]
    own: list[str] = []
    for number, line in enumerate(lines):
        is_last = number + 1 == len(lines)
        if _RETURNS.search(line):
            return own, True
        if _QUOTES.search(line):
            if is_last or not lines[number + 1].startswith(">"):
                return own, True
        elif not line.startswith(">"):
            own.append(line)
    return own, len(own) < len(lines)


def _is_empty(said: list[str]) -> bool:
    """Whether nothing is said, but what stands under every mail."""
    for number, line in enumerate(said):
        if _RULE.fullmatch(line):
            return len("\n".join(said[number:])) <= MOST_SIGNATURE
        if any(c.isalnum() for c in line) and not _BY_TELEPHONES.search(line):
            return False
    return True
