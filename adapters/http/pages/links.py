"""``/r/{code}``: counted short links, and entry links that tell how a friend came.

A code leads to what was provisioned, and nowhere else: nothing of a request becomes an address.
"""

from typing import Protocol

import msgspec

from adapters.http.pages.base import HEADERS, Pages, Text, language_of, markup, page
from adapters.http.pages.bounds import Bounds
from adapters.http.pages.card_views import LIFF_SDK, LIFF_SOURCES
from adapters.http.pages.liff import posted
from adapters.http.pages.visits import peer_of, visitor_of
from gateway.domain.line.channel import Channel
from gateway.domain.links import CODE, Code, Link
from gateway.domain.values import Counted
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from gateway.ports.links import LinkReading
from gateway.ports.login import Logins
from gateway.ports.reading import Reads
from gateway.usecases.visits import Entry, Visit, enter, follow

_PATH = "/r/{code}"
_MOST_BODY = 16_384

_GO_ON = Text("友だちに追加", "Add as a friend")
_WAIT = Text("移動しています…", "One moment, please…")

_SCRIPT = """\
(async () => {
  const shown = document.getElementById("entry");
  try {
    await liff.init({ liffId: shown.dataset.liff });
    const token = liff.isInClient() ? liff.getIDToken() : null;
    if (token) {
      await fetch(location.pathname, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ id_token: token }),
      });
    }
  } catch (error) {
    // Whoever cannot be told from others goes on all the same.
  }
  location.replace(shown.dataset.next);
})();
"""


class _Posted(msgspec.Struct):
    id_token: str


class Ids(Protocol):
    """Makes ids that no other process makes."""

    def next(self, now: int) -> int:
        """A new id."""


class LinkPages:
    """Short links. Without a log-in to ask, entry links are followed, but tell of nobody."""

    def __init__(
        self, store: Reads, reader: LinkReading, pages: Pages, ids: Ids, logins: Logins | None
    ) -> None:
        self._store = store
        self._reader = reader
        self._pages = pages
        self._ids = ids
        self._logins = logins
        self._bounds = Bounds()

    def routes(self) -> list[Route]:
        """``GET``, ``HEAD`` and ``POST /r/{code}``."""
        return [
            self._pages.route("GET", _PATH, self._follow, "link"),
            self._pages.route("HEAD", _PATH, self._follow, "link"),
            self._pages.route("POST", _PATH, self._enter, "link_entry", _MOST_BODY),
        ]

    async def channel(self, code: str) -> Channel:
        """The channel of an entry link's code, for the page that LIFF opens first.

        Raises:
            Refused: it is no such code, or what it belongs to was taken away.
        """
        return self._entry_of((await self._found(code))[1])

    async def _follow(self, request: Request) -> Answer:
        # Who tries out codes, or repeats one, does not get as far as the writer.
        code, link = await self._found(request.parameters["code"])
        who, now = visitor_of(request), request.received_at
        if self._bounds.take(code, who, peer_of(request), now):
            visit = Visit(self._ids.next(now), code.code, now, who)
            link = await self._store.run(follow, visit)
        else:
            self._pages.count(Counted(link.advertiser, "link_clicks_total", ("unrecorded",)))
        channel = self._store.entity(Channel, link.channel) if link.kind == "entry" else None
        if who == "person" and channel is not None and self._knows(channel):
            return _entry_page(request, channel, link)
        return Answer(status=302, headers={**HEADERS, "Location": link.url})

    async def _enter(self, request: Request) -> Answer:
        _, link = await self._found(request.parameters["code"])
        channel = self._entry_of(link)
        sent = posted(request, _Posted)
        assert self._logins is not None  # noqa: S101 - nobody is known without it, see below
        user = await self._logins.verify(sent.id_token, channel.login_channel_id)
        is_friend = await self._store.run(enter, Entry(link.id, user, request.received_at))
        told = {"is_friend": is_friend, "url": link.url}
        return Answer(msgspec.json.encode(told), 200, "application/json", HEADERS)

    async def _found(self, code: str) -> tuple[Code, Link]:
        found = await self._store.read(self._reader.code, code) if CODE.fullmatch(code) else None
        link = self._store.entity(Link, found.link) if found else None
        if found is None or link is None:
            raise Refused(Refusal.UNKNOWN_CODE)
        return found, link

    def _entry_of(self, link: Link) -> Channel:
        channel = self._store.entity(Channel, link.channel) if link.kind == "entry" else None
        if channel is None or not self._knows(channel):
            raise Refused(Refusal.UNKNOWN_CODE)
        return channel

    def _knows(self, channel: Channel) -> bool:
        """Whether LINE can tell who opens a page of the channel."""
        return bool(self._logins and channel.liff_id and channel.login_channel_id)


def _entry_page(request: Request, channel: Channel, link: Link) -> Answer:
    """A page that asks LINE who it is, and goes on at once."""
    language = language_of(request)
    content = markup(
        '<section id="entry" data-liff="{liff}" data-next="{url}"><h1>{shop}</h1>'
        '<p role="status">{wait}</p><a class="button" href="{url}">{go_on}</a></section>\n'
        '<script charset="utf-8" src="{sdk}"></script>',
        liff=channel.liff_id,
        url=link.url,
        shop=channel.shop,
        wait=_WAIT.to(language),
        go_on=_GO_ON.to(language),
        sdk=LIFF_SDK,
    )
    return page(language, channel.shop, content, script=_SCRIPT, sources=LIFF_SOURCES)
