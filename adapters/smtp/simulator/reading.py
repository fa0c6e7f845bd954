"""Reading a letter as a mail program does, with the standard library alone."""

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage
from html.parser import HTMLParser

_URI = re.compile(r"<\s*([^<>]+?)\s*>")
_LINK = re.compile(r"https?://[^\s<>\"'）」]+")


@dataclass(frozen=True)
class Read:
    """What a mail program makes of a letter."""

    subject: str
    text: str
    html: str
    stop_url: str
    """The HTTPS (on loopback HTTP) address of List-Unsubscribe; else empty."""
    is_one_click: bool
    """Whether List-Unsubscribe-Post says what RFC 8058 3.1 asks for, exactly."""
    picture: str
    """The last picture that is fetched from afar when the letter is shown; else empty."""
    links: tuple[str, ...]
    """What can be clicked on, but the stop link: anchors of HTML, else addresses in the text."""


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an anchor or a picture points to."""
        found = dict(attrs)
        if tag == "img":
            self.pictures.append(found.get("src") or "")
        elif tag == "a":
            self.links.append(found.get("href") or "")


def read(raw: bytes) -> Read:
    """Read a message; one with broken MIME is read as far as it goes."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - what that policy makes
    text, html = (_body(message, kind) for kind in ("plain", "html"))
    page = _Page()
    page.feed(html)
    offered = _URI.findall("".join(message.get_all("List-Unsubscribe", [""])))
    stop_url = next((uri for uri in offered if _is_web(uri)), "")
    links = page.links if html else _LINK.findall(text)
    return Read(
        subject=str(message.get("Subject", "")),
        text=text,
        html=html,
        stop_url=stop_url,
        is_one_click=message.get("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click",
        picture=next((url for url in reversed(page.pictures) if _is_web(url)), ""),
        links=tuple(url for url in links if _is_web(url) and url != stop_url),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # a character set that nobody knows
        return ""


def _is_web(uri: str) -> bool:
    return uri.startswith(("https://", "http://127.0.0.1", "http://localhost"))
