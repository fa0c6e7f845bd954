"""What people do with the letters they get; each by a temper that hangs on the address."""

import asyncio
import smtplib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import aiohttp

from adapters.smtp.simulator import notices
from adapters.smtp.simulator.kept import Letter
from adapters.smtp.simulator.luck import luck
from adapters.smtp.simulator.reading import Read, read

What = Literal["bounce", "complain", "stop", "open", "click"]

_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15"
"""People's programs call themselves so; one that does not is counted as no person."""

_AT_ONCE = 8
_MOST_WAITING = 1_000
_REPORTS: tuple[tuple[notices.Report, int], ...] = (
    ("dsn", 50),
    ("full", 20),
    ("docomo", 15),
    ("kddi", 15),
)


@dataclass(frozen=True)
class Shares:
    """Which share of all addresses does what, from 0 to 1."""

    bounces: float = 0.0
    """Their server takes the letter, and reports later that it could not deliver it."""
    complains: float = 0.0
    stops: float = 0.0
    """They press the button that their mail program draws (RFC 8058)."""
    opens: float = 0.0
    clicks: float = 0.0


@dataclass(frozen=True)
class Temper:
    """What one person does with each letter."""

    bounces: notices.Report | None = None
    complains: bool = False
    stops: bool = False
    opens: bool = False
    clicks: bool = False


@dataclass(frozen=True)
class Deed:
    """Something that was done, and what came of it."""

    what: What
    address: str
    message_id: str
    target: str
    """The address that a report went to, or the URL that was asked for."""
    kind: str = ""
    """Of a bounce: which report; of a stop: the body's encoding."""
    status: int = 0
    """The reply's code; 0: there was none."""
    error: str = ""
    """Why nothing could be done, or the kind of what went wrong."""


class Crowd:
    """The people; use it with ``async with``, and tell it of letters by :meth:`hear`.

    ``inbound`` is where reports are brought to, by SMTP on loopback. ``reachable`` maps the public
    addresses in letters to where they are really served; loopback is reached as it is, and nothing
    else ever. ``tempers`` are those of single addresses; the others' follow ``shares`` and
    ``seed``. ``deeds`` holds what was done, at most ``most`` of it.
    """

    def __init__(
        self,
        shares: Shares | None = None,
        *,
        seed: int = 0,
        inbound: tuple[str, int] | None = None,
        reachable: Mapping[str, str] | None = None,
        tempers: Mapping[str, Temper] | None = None,
        server: str = "mx.example.jp",
        most: int = 100_000,
    ) -> None:
        self._shares = shares or Shares()
        self._seed = seed
        self._inbound = inbound
        self._reachable = dict(reachable or {})
        self._tempers = {address.lower(): temper for address, temper in (tempers or {}).items()}
        self._server = server
        self._waiting: asyncio.Queue[tuple[What, Letter]] = asyncio.Queue()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._hands: list[asyncio.Task[None]] = []
        self._http: aiohttp.ClientSession | None = None
        self.deeds: deque[Deed] = deque(maxlen=most)

    async def __aenter__(self) -> "Crowd":
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _AGENT},
        )
        self._hands = [asyncio.create_task(self._act()) for _ in range(_AT_ONCE)]
        return self

    async def __aexit__(self, *error: object) -> None:
        for hand in self._hands:
            hand.cancel()
        await asyncio.gather(*self._hands, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def temper(self, address: str) -> Temper:
        """What the person at an address does; always the same."""
        known = self._tempers.get(address.lower())
        if known is not None:
            return known
        shares = self._shares

        def does(what: str, share: float) -> bool:
            return share > 0 and luck(self._seed, what, address) < share

        if does("bounces", shares.bounces):
            return Temper(bounces=self._report(address))  # who never gets it cannot read it
        return Temper(
            complains=does("complains", shares.complains),
            stops=does("stops", shares.stops),
            opens=does("opens", shares.opens),
            clicks=does("clicks", shares.clicks),
        )

    def hear(self, letter: Letter) -> None:
        """A letter has come; what is done with it is done in the background."""
        temper = self.temper(letter.recipient)
        if temper.bounces and letter.sender:
            self._put("bounce", letter)
            return
        wishes: tuple[tuple[What, bool], ...] = (
            ("open", temper.opens),
            ("click", temper.clicks),
            ("complain", temper.complains and bool(letter.sender)),
            ("stop", temper.stops),
        )
        for what, is_wished in wishes:
            if is_wished:
                self._put(what, letter)

    async def room(self) -> None:
        """Wait while too many letters wait to be acted on, so that their texts stay few."""
        await self._has_room.wait()

    async def settled(self) -> None:
        """Wait until everything that was heard of has been acted on."""
        await self._waiting.join()

    def did(self, what: What) -> list[Deed]:
        """What was done of one kind."""
        return [deed for deed in self.deeds if deed.what == what]

    # --- acting ---

    def _put(self, what: What, letter: Letter) -> None:
        self._waiting.put_nowait((what, letter))
        if self._waiting.qsize() >= _MOST_WAITING:
            self._has_room.clear()

    async def _act(self) -> None:
        while True:
            what, letter = await self._waiting.get()
            if self._waiting.qsize() < _MOST_WAITING:
                self._has_room.set()
            try:
                self.deeds.append(await self._do(what, letter))
            except Exception as error:  # noqa: BLE001 - it is recorded as what came of the deed
                deed = Deed(what, letter.recipient, letter.message_id, "", error=_name(error))
                self.deeds.append(deed)
            finally:
                self._waiting.task_done()

    async def _do(self, what: What, letter: Letter) -> Deed:
        if what in ("bounce", "complain"):
            return await self._report_back(what, letter)
        found = await asyncio.to_thread(read, letter.raw)
        if what == "stop":
            return await self._stop(letter, found)
        url = found.picture if what == "open" else self._chosen(letter, found.links)
        if not url:
            return Deed(what, letter.recipient, letter.message_id, "", error="no_url")
        status = await self._ask("GET", url)
        return Deed(what, letter.recipient, letter.message_id, url, status=status)

    async def _stop(self, letter: Letter, found: Read) -> Deed:
        """Press the button, as RFC 8058 3.2 says: without cookies, without following redirects."""
        url = found.stop_url
        if not url or not found.is_one_click:
            error = "no_stop_url" if not url else "not_one_click"
            return Deed("stop", letter.recipient, letter.message_id, url, error=error)
        is_parts = luck(self._seed, "encoding", letter.recipient) < 0.5
        body: dict[str, str] | aiohttp.FormData = {"List-Unsubscribe": "One-Click"}
        if is_parts:
            body = aiohttp.FormData(default_to_multipart=True)
            body.add_field("List-Unsubscribe", "One-Click")
        status = await self._ask("POST", url, body)
        kind = "multipart" if is_parts else "urlencoded"
        return Deed("stop", letter.recipient, letter.message_id, url, kind, status)

    async def _ask(
        self, method: str, url: str, body: dict[str, str] | aiohttp.FormData | None = None
    ) -> int:
        assert self._http is not None  # noqa: S101 - hands work only within `async with`
        where = self._served(url)
        async with self._http.request(method, where, data=body, allow_redirects=False) as answer:
            await answer.read()
            return answer.status

    def _served(self, url: str) -> str:
        for public, real in self._reachable.items():
            if url.startswith(public):
                return real + url.removeprefix(public)
        if urlsplit(url).hostname in ("127.0.0.1", "localhost"):
            return url
        raise ValueError("out_of_reach")

    async def _report_back(self, what: What, letter: Letter) -> Deed:
        if self._inbound is None:
            return Deed(what, letter.recipient, letter.message_id, "", error="no_inbound")
        kind = self.temper(letter.recipient).bounces or "dsn" if what == "bounce" else "arf"
        if kind == "arf":
            text = notices.complaint(letter, self._server)
        else:
            text = notices.report(kind, letter, self._server)
        status = await asyncio.to_thread(_bring, self._inbound, letter.sender, text, self._server)
        return Deed(what, letter.recipient, letter.message_id, letter.sender, kind, status)

    def _report(self, address: str) -> notices.Report:
        drawn = luck(self._seed, "report", address) * 100
        for kind, share in _REPORTS:
            drawn -= share
            if drawn < 0:
                return kind
        return "dsn"

    def _chosen(self, letter: Letter, links: tuple[str, ...]) -> str:
        if not links:
            return ""
        return links[int(luck(self._seed, "link", letter.recipient) * len(links))]


def _bring(inbound: tuple[str, int], recipient: str, text: bytes, server: str) -> int:
    """Bring one report; the code that it was answered with. Reports have a null sender."""
    with smtplib.SMTP(*inbound, local_hostname=server, timeout=30) as client:
        client.ehlo_or_helo_if_needed()
        for code, _ in (client.mail(""), client.rcpt(recipient)):
            if code >= 300:
                return code
        return client.data(text)[0]


def _name(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else type(error).__name__
