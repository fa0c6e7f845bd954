"""Who is responsible for a list's mails, as its pages show them."""

import re

from adapters.http.pages.base import Html, Language, Text, joined, markup
from gateway.domain.mail.lists import MailList

_CONTACT = Text("お問い合わせ: ", "Contact: ")
_URL = re.compile(r"https?://[^\s/]\S*", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@?&%<>]+@[^\s@?&%<>]+")


def about(language: Language, mail_list: MailList) -> Html:
    """Name, postal address, and where to ask; what can be followed of that is a link."""
    shown = [mail_list.sender_name, mail_list.sender_address]
    parts = [markup("{text}", text=text) for text in shown]
    label = markup("{text}", text=_CONTACT.to(language))
    parts.append(Html(label + _contact(mail_list.contact)))
    return markup("<small>{lines}</small>", lines=joined(parts, Html("<br>")))


def _contact(text: str) -> Html:
    if _URL.fullmatch(text):
        return markup('<a href="{text}" rel="noopener noreferrer">{text}</a>', text=text)
    if _ADDRESS.fullmatch(text):
        return markup('<a href="mailto:{text}">{text}</a>', text=text)
    return markup("{text}", text=text)
