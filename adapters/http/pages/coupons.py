"""``/c/{token}``: a friend's ticket of a coupon, and the shop's stamp on it."""

from functools import lru_cache
from urllib.parse import urlsplit

import segno

from adapters.http.pages.base import (
    Html,
    Language,
    Pages,
    Sources,
    Text,
    form,
    is_browser,
    joined,
    language_of,
    lines,
    markup,
    page,
)
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.messages import day_of, until_of
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from gateway.ports.coupons import CouponReading
from gateway.ports.reading import Reads
from gateway.usecases.coupons import PinStamp, stamp_by_pin

_PATH = "/c/{token}"

_CODE = Text("クーポンコード", "Coupon code")
_QR = Text("スタッフの端末で読み取るコード", "Code for the shop's device")
_LEFT = Text("残り", "Time left")
_UNTIL = Text("有効期限：{until}まで", "Valid until {until}")
_CONDITIONS = Text("ご利用条件", "Conditions")
_GOOD = Text("ご利用いただけます", "Ready to use")
_USED = Text("使用済み（{at}）", "Used on {at}")
_EXPIRED = Text("有効期限が切れました", "This coupon has expired")
_VOID = Text("このクーポンはご利用いただけません", "This coupon can't be used")
_SHOW = Text(
    "お会計のときに、この画面をスタッフにお見せください。",
    "Show this page to our staff when you pay.",
)
_STAFF = Text("スタッフ専用", "Staff only")
_PIN = Text("暗証番号", "PIN")
_STAMP = Text("使用済みにする", "Mark as used")
_DONE = Text("使用済みにしました", "Marked as used")
_DAYS = Text("日 ", "d ")
_LOCKED = Text(
    "暗証番号の間違いが続いたため、{until}まで入力できません。",
    "Too many wrong PINs. Try again after {until}.",
)
_LOCKED_TODAY = Text(
    "暗証番号の間違いが続いたため、本日は入力できません。",
    "Too many wrong PINs. Try again tomorrow.",
)
"""Where it is not this ticket, but all of the shop together."""

_SAID = '<p class="state {looks}" role="alert">{said}</p>'
_MINUTE = 60 * SECOND

_NOTICES = {
    Refusal.COUPON_PIN_WRONG: Text("暗証番号が違います。", "Wrong PIN."),
    Refusal.COUPON_PIN_LOCKED: _LOCKED_TODAY,
    Refusal.COUPON_STAMPED_OTHERWISE: Text(
        "このクーポンは、お店の端末で読み取ってください。",
        "Staff: please scan this coupon with the shop's device.",
    ),
}
"""What is said beside the ticket; of all other refusals the ticket's own state tells."""

# The server's clock counts: what is left is reckoned from its time, not from the telephone's.
_COUNTDOWN = """\
(function(){var e=document.getElementById("left"),d=e.dataset,o=d.now-Date.now();
function p(n){return(n<10?"0":"")+n}
function t(){var s=Math.max(0,Math.floor((d.until-Date.now()-o)/1000)),n=Math.floor(s/86400);
e.textContent=(n?n+d.days:"")+p(Math.floor(s/3600)%24)+":"+p(Math.floor(s/60)%60)+":"+p(s%60);
if(s){setTimeout(t,1000)}else{location.reload()}}
if(d.until-d.now>0){t()}})()"""


class CouponPages:
    """The page of a ticket. Showing it never spends it."""

    def __init__(self, store: Reads, reader: CouponReading, pages: Pages, public_url: str) -> None:
        self._store = store
        self._reader = reader
        self._pages = pages
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """``GET`` and ``POST /c/{token}``."""
        return [
            self._pages.route("GET", _PATH, self._show, "coupon"),
            self._pages.route("POST", _PATH, self._stamp, "coupon_stamp", max_body=4096),
        ]

    async def _show(self, request: Request) -> Answer:
        return await self._page(request)

    async def _stamp(self, request: Request) -> Answer:
        pin = form(request).get("pin")
        if pin is None:
            raise Refused(Refusal.MISSING_PARAMETER, "pin")
        asked = PinStamp(request.parameters["token"], pin, request.received_at)
        why = await self._store.run(stamp_by_pin, asked)
        if why is None:
            return await self._page(request, _DONE)
        if not is_browser(request):
            raise Refused(why)
        status = self._pages.refused("coupon_stamp", why)
        return await self._page(request, _NOTICES.get(why), status)

    async def _page(
        self, request: Request, notice: Text | None = None, status: int = 200
    ) -> Answer:
        token = request.parameters["token"]
        ticket = await self._store.read(self._reader.ticket, EVERYBODY, token)
        if ticket is None or ticket.state in ("lost", "sent"):
            raise Refused(Refusal.NOT_FOUND)
        coupon = self._store.entity(Coupon, ticket.coupon)
        if coupon is None:  # taken away: the ticket is worth nothing any more
            raise Refused(Refusal.COUPON_VOID)
        channel = self._store.entity(Channel, ticket.channel)
        language, now = language_of(request), request.received_at
        is_open = ticket.is_open(now)
        sections = [_ticket(coupon, channel, ticket, now, language)]
        if is_open:
            sections.append(_codes(ticket, self._url(ticket), now, language))
        if coupon.usage:
            sections.append(_conditions(coupon, language))
        if is_open and coupon.stamp != "staff" and channel is not None and channel.staff_secret:
            sections.append(_stamping(ticket, notice, now, language))
        elif notice is not None:
            sections.insert(
                0, markup('<section role="status">{n}</section>', n=notice.to(language))
            )
        return page(
            language,
            coupon.title,
            joined(sections, Html("\n")),
            status=status,
            script=_COUNTDOWN if is_open else "",
            sources=_sources(coupon),
        )

    def _url(self, ticket: Ticket) -> str:
        return f"{self._public_url}/c/{ticket.token}"


def _sources(coupon: Coupon) -> Sources:
    if not coupon.image_url:
        return {}
    return {"img-src": [f"https://{urlsplit(coupon.image_url).netloc}"]}


def _ticket(
    coupon: Coupon, channel: Channel | None, ticket: Ticket, now: int, language: Language
) -> Html:
    image = markup('<img src="{url}" alt="">', url=coupon.image_url) if coupon.image_url else ""
    state, looks = _state(ticket, now, language)
    until = until_of(ticket.expires_at, english=language == "en")
    description = Html("")
    if coupon.description:
        description = markup("<p>{text}</p>", text=lines(coupon.description))
    return markup(
        "<section>{image}<small>{shop}</small><h1>{title}</h1>{description}"
        '<p class="state {looks}">{state}</p><p class="soft">{until}</p></section>',
        image=image,
        shop=channel.shop if channel else "",
        title=coupon.title,
        description=description,
        looks=looks,
        state=state,
        until=_UNTIL.to(language, until=until),
    )


def _state(ticket: Ticket, now: int, language: Language) -> tuple[str, str]:
    """What is said of a ticket, and how it looks."""
    if ticket.state == "used":
        at = day_of(ticket.used_at, english=language == "en")
        return _USED.to(language, at=at), "bad"
    if ticket.state == "void":
        return _VOID.to(language), "bad"
    if ticket.is_open(now):
        return _GOOD.to(language), "good"
    return _EXPIRED.to(language), "bad"


@lru_cache(1_000)
def _qr(text: str) -> Html:
    """A QR code of ``text``; making one takes some milliseconds."""
    return Html(segno.make(text, micro=False).svg_inline(omitsize=True, light="#fff", border=4))


def _codes(ticket: Ticket, url: str, now: int, language: Language) -> Html:
    """What is shown at the counter. The countdown moves: a picture of the page does not."""
    return markup(
        '<section><p>{show}</p><h2>{code_label}</h2><p class="big">{code}</p>'
        '<div role="img" aria-label="{qr_label}" class="qr">{qr}</div>'
        '<h2>{left}</h2><p class="big pulse" id="left" role="timer" data-now="{now}" '
        'data-until="{until}" data-days="{days}">–</p></section>',
        show=_SHOW.to(language),
        code_label=_CODE.to(language),
        code=ticket.code,
        qr_label=_QR.to(language),
        qr=_qr(url),
        left=_LEFT.to(language),
        now=now // 1000,
        until=ticket.expires_at // 1000,
        days=_DAYS.to(language),
    )


def _conditions(coupon: Coupon, language: Language) -> Html:
    return markup(
        "<section><h2>{title}</h2><p>{usage}</p></section>",
        title=_CONDITIONS.to(language),
        usage=lines(coupon.usage),
    )


def _stamping(ticket: Ticket, notice: Text | None, now: int, language: Language) -> Html:
    is_locked = now < ticket.locked_until
    said = notice.to(language) if notice is not None else ""
    looks = "good" if notice is _DONE else "bad"  # it may be used once more
    if is_locked:
        # No minute that is told is too early.
        end = -(-ticket.locked_until // _MINUTE) * _MINUTE
        said = _LOCKED.to(language, until=until_of(end, english=language == "en"))
    is_open = not is_locked and notice is not _LOCKED_TODAY
    return markup(
        "<section><h2>{staff}</h2>{said}{form}</section>",
        staff=_STAFF.to(language),
        said=markup(_SAID, looks=looks, said=said) if said else "",
        form=_pin_form(ticket, language) if is_open else "",
    )


def _pin_form(ticket: Ticket, language: Language) -> Html:
    return markup(
        '<form method="post" action="/c/{token}"><label for="pin">{pin}</label>'
        '<input id="pin" name="pin" type="password" inputmode="numeric" autocomplete="off" '
        'maxlength="40" required><button type="submit">{stamp}</button></form>',
        token=ticket.token,
        pin=_PIN.to(language),
        stamp=_STAMP.to(language),
    )
