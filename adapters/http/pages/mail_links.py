"""``/m/{token}``: the links of a mail, counted; ``/o/{token}``: a picture that counts an opening.

A token leads to what the campaign's message says, and nowhere else: nothing of a request becomes an
address.
"""

import base64

from adapters.http.pages.base import HEADERS, Pages
from adapters.http.pages.bounds import Bounds
from adapters.http.pages.visits import peer_of, visitor_of
from gateway.domain.links import Code, Visitor
from gateway.domain.mail.tokens import Keys, Named, opened
from gateway.errors import Permanent, Refusal, Refused, Transient
from gateway.ports import Answer, Request, Route
from gateway.ports.mail.pages import MailKeys, MailPageReading
from gateway.ports.reading import Reads
from gateway.usecases.mail.responses import Response, What, counted, respond

TOKEN = 38
"""Characters of a token; of a link, ``-`` and its number follow."""

_MOST_LINKS = 10_000

PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""


class MailLinkPages:
    """Links and pictures of mails. They work for as long as the store can be read; what cannot be
    written then is not counted.
    """

    def __init__(self, store: Reads, reader: MailPageReading, pages: Pages, keys: MailKeys) -> None:
        self._store = store
        self._reader = reader
        self._pages = pages
        self._keys = keys
        self._bounds = Bounds()

    def routes(self) -> list[Route]:
        """``GET`` and ``HEAD`` of both."""
        return [
            self._pages.route("GET", "/m/{token}", self._follow, "mail_link"),
            self._pages.route("HEAD", "/m/{token}", self._follow, "mail_link"),
            self._pages.route("GET", "/o/{token}", self._show, "mail_open"),
            self._pages.route("HEAD", "/o/{token}", self._show, "mail_open"),
        ]

    async def _follow(self, request: Request) -> Answer:
        named = clicked(request.parameters["token"], await self._keys.get())
        link = await self._store.read(self._reader.link, named.campaign, named.link)
        if link is None:
            raise Refused(Refusal.NOT_FOUND)
        await self._count(request, "click", named, link.advertiser)
        return Answer(status=302, headers={**HEADERS, "Location": link.url})

    async def _show(self, request: Request) -> Answer:
        named = opened(request.parameters["token"], (await self._keys.get()).open)
        whose = await self._store.read(self._reader.advertiser, named.campaign)
        if whose is None:
            raise Refused(Refusal.NOT_FOUND)
        await self._count(request, "open", named, whose)
        return Answer(PICTURE, 200, "image/gif", HEADERS)

    async def _count(self, request: Request, what: What, named: Named, advertiser: str) -> None:
        # Mail programs fetch pictures through proxies, which call themselves what they like.
        who: Visitor = "person" if what == "open" else visitor_of(request)
        if who == "bot" or request.method == "HEAD":
            self._pages.count(counted(advertiser, "bot"))
            return
        mail = f"{what}:{named.campaign}:{named.recipient}"
        key = Code(mail, "", advertiser, friend=named.recipient)
        now = request.received_at
        if self._bounds.take(key, who, peer_of(request), now):
            try:
                await self._store.run(respond, Response(what, named, advertiser, now))
            except (Transient, Permanent):
                pass  # whoever follows a link gets where it leads, counted or not
            else:
                return
        self._pages.count(counted(advertiser, "unrecorded"))


def clicked(token: str, keys: Keys) -> Named:
    """Whom the token of a link names, and which link of the mail.

    Raises:
        Refused: it is none of ours.
    """
    named = opened(token[:TOKEN], keys.click)
    number = token[TOKEN:]
    if not number:
        return named
    # The number needs no proof: whatever it is, it names a link of that very mail.
    digits = number[1:]
    if number[0] != "-" or not (digits.isascii() and digits.isdigit()) or len(digits) > 5:
        raise Refused(Refusal.NOT_FOUND)
    if int(digits) >= _MOST_LINKS:
        raise Refused(Refusal.NOT_FOUND)
    return Named(named.campaign, named.recipient, int(digits))
