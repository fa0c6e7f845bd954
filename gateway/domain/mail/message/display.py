"""What the law wants to be seen in each mail: who sends it, and how to make it stop.

特定電子メール法 Art. 4 and its ordinance: the sender's name and the address or URL for opting out,
easily noticed, and next to that that one can opt out; postal address and contact for complaints.
They are looked for in each part (text and HTML), as recipients' programs show one or the other.
"""

import re
import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Literal

import msgspec

from gateway.domain.mail.message.markup import seen_lines
from gateway.domain.mail.message.templates import Part, Slot, Template, joined

Item = Literal["sender_name", "sender_address", "contact", "stop_link", "stop_sentence"]
"""What must be shown; ``stop_sentence``: that mails can be stopped, in the line of the stop link or
in the one before or after it."""

Language = Literal["ja", "en"]

STOP_URL = "stop_url"
"""The slot of a recipient's own stop page."""


class Display(msgspec.Struct, frozen=True):
    """What a list shows of its sender."""

    sender_name: str
    """The name of the firm or person who sends, in full."""
    sender_address: str
    """The postal address."""
    contact: str
    """Where to complain and ask: a mail address, telephone number or URL."""

    @property
    def values(self) -> dict[str, str]:
        """What fills the slots of these names."""
        return {
            "sender_name": self.sender_name,
            "sender_address": self.sender_address,
            "contact": self.contact,
        }


NAMES: frozenset[str] = frozenset({STOP_URL, *Display.__struct_fields__})
"""The names of slots that each list fills by itself."""


def missing_items(template: Template, display: Display, *, is_html: bool) -> list[Item]:
    """The items that one part does not show to everybody.

    What stands under a condition does not count, and of HTML only what can be seen. Classes hide
    nothing here: they do once a template's style is in its elements.
    """
    marked = _marked(template.parts, display, is_html=is_html)
    lines = seen_lines(marked, _MARK) if is_html else marked.splitlines()
    lines = [line for line in map(_levelled, lines) if line]
    whole = _joined(lines)
    items: list[Item] = []
    for name, value in display.values.items():
        wanted = _joined([_levelled(value)])
        if not wanted or wanted not in whole:
            items.append(_ITEM_OF[name])
    linked = [at for at, line in enumerate(lines) if _MARK in line]
    if not linked:
        items.append("stop_link")
    if not any(_STOP.search(_beside(lines, at)) for at in linked):
        items.append("stop_sentence")
    return items


def with_footer(source: str, language: Language, *, is_html: bool) -> str:
    """A template's source with all items shown at its end."""
    if not is_html:
        return f"{source.rstrip()}\n\n{_TEXT_FOOTER[language]}"
    footer = _HTML_FOOTER[language]
    ends = list(_BODY_END.finditer(source))
    at = ends[-1].start() if ends else len(source)
    return f"{source[:at]}{footer}{source[at:]}"


# --- reading ---

_ITEM_OF: dict[str, Item] = {
    "sender_name": "sender_name",
    "sender_address": "sender_address",
    "contact": "contact",
}

_MARK = "\ufdd0"  # a non-character: it stands in no text

# What says that one can stop mails, in the words that senders use.
_STOP = re.compile(
    r"(配信|受信|購読|メール|メルマガ|登録)[^\n]{0,12}(停止|解除|拒否|中止|取消|ストップ)"
    r"|(停止|解除|拒否|退会|配信不要|受け取りを希望|受信を希望されない)"
    r"|unsubscribe|opt[\s-]?out|\bstop\b|no\s?longer\s?(wish|want)",
    re.IGNORECASE,
)

_NEAR = 2_000
"""Characters before and behind a link in which the sentence is looked for."""

_PIECE = 4_096  # of a line that is longer: one call for all of it would hold up other threads

_LONG = dict.fromkeys((0xFDFA, 0xFDFB), " ")  # one sign each, which NFKC makes 18 and 8 of

_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


def _marked(parts: Iterable[Part], display: Display, *, is_html: bool) -> str:
    """The text as everybody gets it, with :data:`_MARK` for the stop link."""
    shown = display.values
    pieces = []
    for part in joined(parts):
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Slot) and part.name == STOP_URL:
            pieces.append(_MARK)
        elif isinstance(part, Slot) and part.name in shown:
            pieces.append(escape(shown[part.name]) if is_html else shown[part.name])
    return "".join(pieces)


def _beside(lines: list[str], at: int) -> str:
    """What stands next to the first link in a line: in it, and in the lines around it."""
    line = lines[at]
    link = line.index(_MARK)
    near = [line[max(link - _NEAR, 0) : link + _NEAR]]
    if at:
        near.insert(0, lines[at - 1][-_NEAR:])
    near += [after[:_NEAR] for after in lines[at + 1 : at + 2]]
    return "\n".join(near)


def _levelled(line: str) -> str:
    """``line`` without what readers do not see: widths of characters, and how many blanks."""
    pieces = (line[at : at + _PIECE] for at in range(0, len(line), _PIECE))
    widths = "".join(unicodedata.normalize("NFKC", each.translate(_LONG)) for each in pieces)
    return " ".join(widths.split()).casefold()


def _joined(lines: Iterable[str]) -> str:
    return "".join(lines).replace(" ", "")


# --- the ready-made footer ---

_TEXT_FOOTER: dict[Language, str] = {
    "ja": """\
----------------------------------------
{{ sender_name }}
{{ sender_address }}
お問い合わせ: {{ contact }}

配信の停止は、次のページからいつでもできます。
{{ stop_url }}
""",
    "en": """\
----------------------------------------
{{ sender_name }}
{{ sender_address }}
Contact: {{ contact }}

You can stop these mails at any time on this page:
{{ stop_url }}
""",
}

_HTML_FOOTER: dict[Language, str] = {
    "ja": """
<div style="margin-top:24px;padding-top:12px;border-top:1px solid #999;font-size:13px;color:#333">
<p>{{ sender_name }}<br>{{ sender_address }}<br>お問い合わせ: {{ contact }}</p>
<p>このメールの配信はいつでも停止できます: <a href="{{ stop_url }}">配信停止はこちら</a></p>
</div>
""",
    "en": """
<div style="margin-top:24px;padding-top:12px;border-top:1px solid #999;font-size:13px;color:#333">
<p>{{ sender_name }}<br>{{ sender_address }}<br>Contact: {{ contact }}</p>
<p>You can stop these mails at any time: <a href="{{ stop_url }}">unsubscribe</a></p>
</div>
""",
}
