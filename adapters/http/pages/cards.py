"""``/p/{token}``: what a scanned code opens, and the point that it gives to whom LINE names."""

import secrets
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from adapters.http.pages.base import HEADERS, PROVIDER, Pages, is_browser, language_of
from adapters.http.pages.card_views import (
    card_page,
    expired_page,
    result,
    scan_page,
)
from adapters.http.pages.liff import posted
from adapters.http.problem import PROBLEM, problem
from gateway.domain.cards import REFUSALS, Code, ShopCard, read
from gateway.domain.line.channel import Channel
from gateway.domain.values import Scope, Seed
from gateway.errors import Permanent, Refusal, Refused, Transient
from gateway.ports import Answer, Observer, Request, Route
from gateway.ports.cards import CardReading
from gateway.ports.line_platform import Accounts, Profiles
from gateway.ports.login import Logins
from gateway.ports.process import Blocks
from gateway.ports.reading import Reads
from gateway.usecases.card_codes import signing_key
from gateway.usecases.card_points import IDS_A_SCAN, Scanned, Stand
from gateway.usecases.cards import Befriending, Scanning, confirm, refused, scan

_PATH = "/p/{token}"
_MOST_BODY = 16_384
_LATEST = 100  # of all the friend's cards: the current one of each kind is among them


class Platform(Accounts, Profiles, Protocol):
    """What is asked of the LINE platform."""


class _Posted(msgspec.Struct):
    id_token: str
    pin: str = ""


class CardPages:
    """The pages of codes. Showing one never spends it."""

    def __init__(
        self,
        store: Reads,
        reader: CardReading,
        pages: Pages,
        observer: Observer,
        ids: Blocks,
        logins: Logins,
        platform: Platform | None,
    ) -> None:
        self._store = store
        self._reader = reader
        self._pages = pages
        self._observer = observer
        self._ids = ids
        self._logins = logins
        self._platform = platform
        self._key: bytes | None = None
        self._basic_ids: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """``GET`` and ``POST /p/{token}``."""
        return [
            self._pages.route("GET", _PATH, self._show, "card"),
            Route("POST", _PATH, self._scan, PROVIDER, "card_scan", _MOST_BODY),
        ]

    # --- showing ---

    async def _show(self, request: Request) -> Answer:
        code = await self._code(request.parameters["token"])
        root, channel = self._shop(code)
        language = language_of(request)
        if code.kind == "view":
            stand = await self._stand(root, int(code.nonce))
            return card_page(language, channel, root, stand, request.received_at)
        if code.kind == "screen" and code.expires_at <= request.received_at:
            if not is_browser(request):
                raise Refused(Refusal.CODE_EXPIRED)
            status = self._pages.refused("card", Refusal.CODE_EXPIRED)
            return expired_page(language, channel, root, status)
        return scan_page(language, channel, root, code)

    async def channel(self, token: str) -> Channel:
        """The channel of the card that a code is of.

        Raises:
            Refused: it is no code of ours, or its card is gone.
        """
        return self._shop(await self._code(token))[1]

    async def _stand(self, root: ShopCard, friend: int) -> Stand | None:
        scope = Scope(frozenset({root.advertiser}))
        cards = await self._store.read(
            self._reader.of_friend, scope, friend, before=None, limit=_LATEST
        )
        card = next((card for card in cards if card.root == root.id), None)
        if card is None:
            return None
        design = self._store.entity(ShopCard, card.card) or root
        return Stand(design.title, design.points, card)

    # --- scanning ---

    async def _scan(self, request: Request) -> Answer:
        try:
            code = await self._code(request.parameters["token"])
        except Refused as why:
            return self._told(request, Scanned(refusal=why.reason))
        root, channel = self._shop(code)
        try:
            sent = posted(request, _Posted)
            user = await self._user(channel, sent.id_token)
        except Refused as why:
            if why.reason in REFUSALS:
                self._observer.observe([refused(root.advertiser, why.reason)])
            return self._told(request, Scanned(refusal=why.reason))
        now = request.received_at
        seed = Seed(self._ids.block(now, IDS_A_SCAN), IDS_A_SCAN, secrets.token_bytes(16))
        scanned = await self._store.run(scan, Scanning(code, user, sent.pin, now, seed))
        if scanned.pending:
            scanned = await self._confirmed(channel, user, now) or scanned
        friend_url = await self._friend_url(channel) if scanned.pending else ""
        return self._told(request, scanned, friend_url)

    async def _user(self, channel: Channel, id_token: str) -> str:
        try:
            return await self._logins.verify(id_token, channel.login_channel_id)
        except Refused as why:
            if why.reason is Refusal.ID_TOKEN_OTHER_CHANNEL:
                # The page was opened in the app of one shop, and the code is another's.
                raise Refused(Refusal.CODE_OTHER_SHOP) from None
            raise

    async def _confirmed(self, channel: Channel, user: str, now: int) -> Scanned | None:
        """What waits for a friendship that the platform knows of and we do not: that of somebody
        who was a friend before our webhook was set.
        """
        if self._platform is None:
            return None
        try:
            person = await self._platform.profile(channel, user)
        except (Transient, Permanent):
            return None  # no friend, or nobody tells: the follow's webhook will
        seed = Seed(self._ids.block(now, 1), 1, secrets.token_bytes(16))
        befriending = Befriending(
            channel=channel.id,
            user=user,
            name=person.name,
            picture_url=person.picture_url,
            language=person.language,
            at=now,
            seed=seed,
        )
        return await self._store.run(confirm, befriending)

    async def _friend_url(self, channel: Channel) -> str:
        """Where the channel is added as a friend; empty where its basic id is not to be had.

        Source: https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/
        """
        if channel.id not in self._basic_ids and self._platform is not None:
            try:
                bot = await self._platform.bot(channel)
            except (Transient, Permanent):
                return ""
            self._basic_ids[channel.id] = bot.basic_id
        basic_id = self._basic_ids.get(channel.id)
        return f"https://line.me/R/ti/p/{quote(basic_id, safe='')}" if basic_id else ""

    def _told(self, request: Request, scanned: Scanned, friend_url: str = "") -> Answer:
        """The answer for the page's script: markup to show, and the same for programs."""
        now = request.received_at
        html = str(result(language_of(request), scanned, friend_url, now))
        told: dict[str, Any] = {"html": html, **_plain(scanned), "friend_url": friend_url}
        if scanned.refusal is None:
            body = msgspec.json.encode(told)
            status = 202 if scanned.pending else 200
            return Answer(body, status, "application/json", HEADERS)
        status = self._pages.refused("card_scan", scanned.refusal)
        document = problem(status, scanned.refusal, "", request.id)
        more = msgspec.json.decode(document.body) | {"html": html, **_plain(scanned)}
        return Answer(msgspec.json.encode(more), status, PROBLEM, HEADERS)

    # --- codes ---

    async def _code(self, token: str) -> Code:
        if self._key is None:
            self._key = await self._store.run(signing_key, secrets.token_bytes(32))
        return read(token, self._key)

    def _shop(self, code: Code) -> tuple[ShopCard, Channel]:
        root = self._store.entity(ShopCard, code.card)
        channel = self._store.entity(Channel, root.channel) if root else None
        if root is None or channel is None:
            raise Refused(Refusal.NOT_FOUND)
        return root, channel


def _plain(scanned: Scanned) -> Mapping[str, Any]:
    """What came of a scan, for programs."""
    told: dict[str, Any] = {
        "state": "refused" if scanned.refusal else "pending" if scanned.pending else "given",
        "points": scanned.points,
        "prizes": [
            {"text": prize.text, "url": prize.url, "owed": prize.is_owed}
            for prize in scanned.prizes
        ],
    }
    if scanned.stand is not None:
        stand = scanned.stand
        told["card"] = {
            "title": stand.title,
            "number": stand.card.number,
            "points": stand.card.points,
            "size": stand.size,
            "state": stand.card.state,
        }
    return told
