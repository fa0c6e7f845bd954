"""A campaign's message composed for somebody to look at, as it would be for a recipient."""

import asyncio
from collections.abc import Mapping
from html import escape

from adapters.http.api.mail.base import Composing, Previewed
from adapters.smtp.composing.mime import Letter, compile_content
from adapters.smtp.sending.jobs import identity_of
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.message.display import STOP_URL
from gateway.domain.mail.message.templates import plain

_DATE = "Thu, 01 Jan 1970 00:00:00 +0000"


def composing(public_url: str) -> Composing:
    """What composes, with links of ``public_url`` that lead nowhere."""

    async def compose(
        content: Content, mail_list: MailList, values: Mapping[str, str]
    ) -> Previewed:
        return await asyncio.to_thread(_composed, content, mail_list, values, public_url)

    return compose


def _composed(
    content: Content, mail_list: MailList, values: Mapping[str, str], public_url: str
) -> Previewed:
    compiled = compile_content(content, identity_of(mail_list, public_url))
    stop_url = f"{public_url}/u/preview"
    letter = Letter(
        message_id="<preview@preview.invalid>",
        date=_DATE,
        to="preview@preview.invalid",
        values=values,
        stop_url=stop_url,
    )
    size = len(compiled.letter(letter))  # it refuses what could not be sent
    filled = {name: plain(value) for name, value in values.items()}
    subject = plain(compiled.subject.fill(filled)).strip()
    filled[STOP_URL] = stop_url
    html = None
    if compiled.html is not None:
        html = compiled.html.fill({name: escape(value) for name, value in filled.items()})
    return Previewed(subject, compiled.text.fill(filled), html, size)
