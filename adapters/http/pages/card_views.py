"""What the pages of shop cards look like, and what they say."""

from adapters.http.pages.base import Html, Language, Sources, Text, joined, markup, page
from gateway.domain.cards import Code, ShopCard
from gateway.domain.cards.messages import last_day
from gateway.domain.line.channel import Channel
from gateway.errors import Refusal
from gateway.ports import Answer
from gateway.usecases.card_points import Prize, Scanned, Stand

LIFF_SDK = "https://static.line-scdn.net/liff/edge/2/sdk.js"
"""Source: https://developers.line.biz/en/docs/liff/developing-liff-apps/#specify-cdn-path"""

LIFF_SOURCES: Sources = {
    "script-src": ("https://static.line-scdn.net/liff/",),
    "connect-src": ("'self'", "https://*.line.me", "https://*.line-scdn.net"),
}
"""What the SDK loads and calls, beside our own address."""

_ROW = 10

_WAIT = Text("ポイントを確認しています…", "One moment, please…")
_NO_SCRIPT = Text(
    "JavaScriptを有効にして、LINEアプリで開いてください。",
    "Please enable JavaScript and open this page in the LINE app.",
)
_NO_LIFF = Text("LINEアプリで開いてください。", "Please open this page in the LINE app.")
_FAILED = Text(
    "通信できませんでした。もう一度読み取ってください。",
    "Could not connect. Please scan again.",
)
_PIN = Text("スタッフが暗証番号を入力します", "Staff: please enter the PIN")
_GIVE = Text("ポイントを付ける", "Give point")
_GIVEN = Text("{points}ポイント獲得しました！", "You got {points} points!")
_ONE = Text("1ポイント獲得しました！", "You got a point!")
_FILLED = Text("カードがいっぱいになりました。", "Your card is full.")
_PENDING = Text(
    "本日中に友だち追加をすると、ポイントが付きます。",
    "Add us as a friend today to get your points.",
)
_ADD = Text("友だちに追加", "Add as a friend")
_POINTS = Text("{points}／{size}ポイント", "{points} of {size} points")
_UNTIL = Text("有効期限：{day}", "Valid until {day}")
_EXPIRED = Text("このカードは有効期限が切れました。", "This card has expired.")
_NONE = Text("まだカードをお持ちではありません。", "You don't have a card yet.")
_REWARD = Text(
    "特典があります。スタッフにお声がけください。",
    "You have a reward! Please ask our staff.",
)
_OWED = Text(
    "クーポンはただいまご用意できません。ご用意でき次第、次のポイントと一緒にお渡しします。",
    "The coupon is not available now. You get it with later points, as soon as it is.",
)
_COUPON = Text("クーポンを開く", "Open the coupon")

SAID: dict[Refusal, Text] = {
    Refusal.CODE_EXPIRED: Text(
        "コードの有効時間が過ぎました。新しいコードを読み取ってください。",
        "This code has expired. Please scan a new one.",
    ),
    Refusal.CODE_USED: Text(
        "このコードはすでに使われています。",
        "This code has already been used.",
    ),
    Refusal.CODE_FORGED: Text("このコードは使えません。", "This code is not valid."),
    Refusal.CODE_OTHER_SHOP: Text("別のお店のコードです。", "This code belongs to another shop."),
    Refusal.TOO_SOON: Text(
        "今回のポイントはすでに付いています。また次のご来店をお待ちしております。",
        "You already have your points for this visit. See you next time!",
    ),
    Refusal.PRINTED_LIMIT: Text(
        "本日のポイントの付与は終了しました。",
        "No more points can be given today.",
    ),
    Refusal.PIN_WRONG: Text("暗証番号が違います。", "Wrong PIN."),
    Refusal.PIN_LOCKED: Text(
        "暗証番号の間違いが続いたため、本日は入力できません。",
        "Too many wrong PINs. Try again tomorrow.",
    ),
    Refusal.CARD_FULL: Text(
        "カードはいっぱいです。スタッフにお声がけください。",
        "Your card is full. Please ask our staff.",
    ),
    Refusal.ID_TOKEN_INVALID: Text(
        "LINEでの確認ができませんでした。もう一度開いてください。",
        "LINE could not confirm your account. Please open the page again.",
    ),
}
"""What a friend is told of refusals; of all others that the code is not valid."""

# Shows what the server answers, which is markup of ours. Nothing is stored, and what it posts is
# the token that LINE gave: who somebody is, the server asks LINE.
_SCAN = """\
(function(){var s=document.getElementById("scan"),d=s.dataset,o=document.getElementById("out"),
f=document.getElementById("form"),k;
function say(t){o.textContent=t}
function send(p){if(f){f.hidden=true}
fetch(location.pathname,{method:"POST",headers:{"Content-Type":"application/json"},
body:JSON.stringify(p?{id_token:k,pin:p}:{id_token:k})}).then(function(r){return r.json()})
.then(function(b){if(b.html){o.innerHTML=b.html}else{say(d.failed)}
if(f&&b.reason==="pin_wrong"){f.hidden=false}}).catch(function(){say(d.failed)})}
if(!window.liff||!d.liff){say(d.noliff);return}
liff.init({liffId:d.liff}).then(function(){
if(!liff.isLoggedIn()){liff.login({redirectUri:location.href});return}
k=liff.getIDToken();if(!k){say(d.noliff);return}
if(!f){send("");return}
say("");f.hidden=false;f.addEventListener("submit",function(e){e.preventDefault();
send(f.elements.pin.value);f.elements.pin.value=""})}).catch(function(){say(d.noliff)})})()"""

# LIFF first opens the address that the app was registered with; the SDK goes on from there.
_LANDING = """\
(function(){var d=document.getElementById("scan").dataset;
if(window.liff){liff.init({liffId:d.liff})}})()"""


def scan_page(language: Language, channel: Channel, root: ShopCard, code: Code) -> Answer:
    """The page behind a code, which finds out in LIFF who opened it, and then asks for points."""
    form = Html("")
    if code.kind == "printed":
        form = markup(
            '<form id="form" hidden><label for="pin">{pin}</label><input id="pin" name="pin" '
            'type="password" inputmode="numeric" autocomplete="off" maxlength="40" required>'
            '<button type="submit">{give}</button></form>',
            pin=_PIN.to(language),
            give=_GIVE.to(language),
        )
    content = markup(
        '<section id="scan" data-liff="{liff}" data-noliff="{noliff}" data-failed="{failed}">'
        '<small>{shop}</small><h1>{title}</h1><div id="out" role="status">{wait}</div>{form}'
        "<noscript><p>{noscript}</p></noscript></section>\n{sdk}",
        liff=channel.liff_id,
        noliff=_NO_LIFF.to(language),
        failed=_FAILED.to(language),
        shop=channel.shop,
        title=root.title,
        wait=_WAIT.to(language),
        form=form,
        noscript=_NO_SCRIPT.to(language),
        sdk=_sdk(),
    )
    return page(language, root.title, content, script=_SCAN, sources=LIFF_SOURCES)


def expired_page(language: Language, channel: Channel, root: ShopCard, status: int) -> Answer:
    """For a code that was scanned too late: the card is as good as before."""
    content = markup(
        "<section><small>{shop}</small><h1>{title}</h1>{said}</section>",
        shop=channel.shop,
        title=root.title,
        said=result(language, Scanned(refusal=Refusal.CODE_EXPIRED), "", 0),
    )
    return page(language, root.title, content, status=status)


def landing_page(language: Language, channel: Channel) -> Answer:
    """The page at the address that a LIFF app is registered with."""
    content = markup(
        '<section id="scan" data-liff="{liff}"><p role="status">{wait}</p>'
        "<noscript><p>{noscript}</p></noscript></section>\n{sdk}",
        liff=channel.liff_id,
        wait=_WAIT.to(language),
        noscript=_NO_SCRIPT.to(language),
        sdk=_sdk(),
    )
    return page(language, channel.shop, content, script=_LANDING, sources=LIFF_SOURCES)


def _sdk() -> Html:
    return markup('<script charset="utf-8" src="{sdk}"></script>', sdk=LIFF_SDK)


def card_page(
    language: Language, channel: Channel, root: ShopCard, stand: Stand | None, now: int
) -> Answer:
    """How a friend's card stands; gives nothing."""
    if stand is None:
        shown = markup("<p>{none}</p>", none=_NONE.to(language))
    else:
        shown = _stand(language, stand, now)
    content = markup(
        "<section><small>{shop}</small><h1>{title}</h1>{shown}</section>",
        shop=channel.shop,
        title=stand.title if stand else root.title,
        shown=shown,
    )
    return page(language, root.title, content)


def result(language: Language, scanned: Scanned, friend_url: str, now: int) -> Html:
    """What came of a scan, as a part of a page."""
    parts = []
    if scanned.refusal is not None:
        said = SAID.get(scanned.refusal, SAID[Refusal.CODE_FORGED])
        looks = "" if scanned.refusal is Refusal.TOO_SOON else "bad"  # nobody did wrong
        text = said.to(language)
        parts.append(markup('<p class="state {looks}">{text}</p>', looks=looks, text=text))
    elif scanned.pending:
        parts.append(_pending(language, friend_url))
    else:
        said = _ONE if scanned.points == 1 else _GIVEN
        text = said.to(language, points=scanned.points)
        parts.append(markup('<p class="state good">{text}</p>', text=text))
        if scanned.filled:
            parts.append(markup("<p>{filled}</p>", filled=_FILLED.to(language)))
    parts += [_prize(language, prize) for prize in scanned.prizes]
    if scanned.stand is not None:
        title = markup("<h2>{title}</h2>", title=scanned.stand.title)
        parts += [title, _stand(language, scanned.stand, now)]
    return joined(parts)


def _pending(language: Language, friend_url: str) -> Html:
    said = markup('<p class="state">{said}</p>', said=_PENDING.to(language))
    if not friend_url:
        return said
    add = _ADD.to(language)
    return Html(said + markup('<a class="button" href="{url}">{add}</a>', url=friend_url, add=add))


def _prize(language: Language, prize: Prize) -> Html:
    text = prize.text or _REWARD.to(language)
    said = markup('<p class="state good">{text}</p>', text=text)
    if prize.is_owed:
        return Html(said + markup('<p class="soft">{owed}</p>', owed=_OWED.to(language)))
    if not prize.url:
        return said
    link = markup(
        '<a class="button" href="{url}">{open}</a>', url=prize.url, open=_COUPON.to(language)
    )
    return Html(said + link)


def _stand(language: Language, stand: Stand, now: int) -> Html:
    card = stand.card
    if card.state == "expired" or (card.state == "active" and card.expires_at <= now):
        return markup('<p class="state bad">{said}</p>', said=_EXPIRED.to(language))
    points = min(card.points, stand.size)
    dots = "●" * points + "○" * (stand.size - points)
    rows = (dots[at : at + _ROW] for at in range(0, len(dots), _ROW))
    said = _POINTS.to(language, points=card.points, size=stand.size)
    until = Html("")
    if day := last_day(card.expires_at, english=language == "en"):
        until = markup('<p class="soft">{until}</p>', until=_UNTIL.to(language, day=day))
    return markup(
        '<p class="big" role="img" aria-label="{said}">{dots}</p><p>{said}</p>{until}',
        said=said,
        dots=joined((markup("{row}", row=row) for row in rows), Html("<br>")),
        until=until,
    )
