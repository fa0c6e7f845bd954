"""``/screen/{card}`` of the admin listener: the counter's screen, with a code that changes.

The page itself tells nothing and asks for nothing. Staff give it a token of the API, with which it
makes codes, and learns what the card and its shop are called; the token stays in the tab, and is
gone when that is closed.
"""

from adapters.http.pages.base import Html, Pages, Text, language_of, markup, page
from gateway.ports import Answer, Request, Route

_TITLE = Text("ポイント用QRコード", "QR code for points")
_TOKEN = Text("スタッフ用トークン", "Staff token")
_COUNTER = Text("レジの名前（任意）", "Name of the counter (optional)")
_SHOW = Text("コードを表示", "Show code")
_NEXT = Text("次のお客様", "Next customer")
_SCAN = Text("LINEのカメラで読み取ってください", "Scan with LINE's camera")
_WRONG = Text("トークンが正しくありません。", "This token is not valid.")
_FORBIDDEN = Text(
    "このトークンでは、コードを表示できません。", "This token is not allowed to show codes."
)
_MISSING = Text("このカードはありません。", "There is no such card.")
_UNCLEAR = Text(
    "コードを表示できません。入力内容をご確認ください。",
    "Could not show a code. Please check what you entered.",
)
_BUSY = Text(
    "アクセスが集中しています。まもなく再試行します…", "Too many requests. Trying again shortly…"
)
_AWAY = Text("通信できません。再試行しています…", "No connection. Trying again…")

_REFRESH_SECONDS = 20
_LIFE_SECONDS = 60
_BUSY_SECONDS = 10

# A token that is of no use is thrown away; where only the card is wrong, another may be opened.
_SCRIPT = """\
(function(){var s=document.getElementById("screen"),d=s.dataset,f=document.getElementById("log"),
i=document.getElementById("code"),o=document.getElementById("out"),n=document.getElementById("next"),
t=sessionStorage.getItem("token")||"",c=sessionStorage.getItem("counter")||"",w,
p="/api/v1/cards/"+location.pathname.split("/").pop()+"/codes";
function ask(){clearTimeout(w);fetch(p,{method:"POST",headers:{"Content-Type":"application/json",
Authorization:"Bearer "+t},body:JSON.stringify({counter:c,seconds:+d.life})}).then(function(r){
if(r.status===201){return r.json().then(show)}
if(r.status===429){later(d.busy,d.pause);return}
if(r.status>=500){later(d.away,3);return}
if(r.status===401||r.status===403){sessionStorage.removeItem("token")}
f.hidden=false;s.hidden=true;
o.textContent={401:d.wrong,403:d.forbidden,404:d.missing}[r.status]||d.unclear
}).catch(function(){later(d.away,3)})}
function show(b){document.getElementById("title").textContent=b.title;
document.getElementById("shop").textContent=b.shop;
i.src=b.svg;f.hidden=true;s.hidden=false;later("",d.refresh)}
function later(m,q){o.textContent=m;if(m){i.removeAttribute("src")}w=setTimeout(ask,q*1000)}
f.addEventListener("submit",function(e){e.preventDefault();t=f.elements.token.value.trim();
c=f.elements.counter.value.trim();sessionStorage.setItem("token",t);
sessionStorage.setItem("counter",c);ask()});
n.addEventListener("click",ask);if(t){ask()}else{f.hidden=false}})()"""


def screen_routes(pages: Pages) -> list[Route]:
    """``GET /screen/{card}``."""
    return [pages.route("GET", "/screen/{card}", _show, "card_screen")]


async def _show(request: Request) -> Answer:
    language = language_of(request)
    content = markup(
        '<section><small id="shop"></small><h1 id="title">{title}</h1>'
        '<form id="log" hidden><label for="token">{token}</label><input id="token" name="token" '
        'type="password" autocomplete="off" required><label for="counter">{counter}</label>'
        '<input id="counter" name="counter" maxlength="20" pattern="[A-Za-z0-9_\\-]*">'
        '<button type="submit">{show}</button></form>'
        '<div id="screen" hidden data-refresh="{refresh}" data-life="{life}" data-pause="{pause}" '
        'data-wrong="{wrong}" data-forbidden="{forbidden}" data-missing="{missing}" '
        'data-unclear="{unclear}" data-busy="{busy}" data-away="{away}">'
        '<p class="state">{scan}</p><img id="code" alt="{title}">'
        '<button id="next" type="button">{next}</button></div>'
        '<p id="out" role="status"></p></section>',
        title=_TITLE.to(language),
        token=_TOKEN.to(language),
        counter=_COUNTER.to(language),
        show=_SHOW.to(language),
        next=_NEXT.to(language),
        scan=_SCAN.to(language),
        refresh=_REFRESH_SECONDS,
        life=_LIFE_SECONDS,
        pause=_BUSY_SECONDS,
        wrong=_WRONG.to(language),
        forbidden=_FORBIDDEN.to(language),
        missing=_MISSING.to(language),
        unclear=_UNCLEAR.to(language),
        busy=_BUSY.to(language),
        away=_AWAY.to(language),
    )
    sources = {"connect-src": ("'self'",), "img-src": ("data:",)}
    return page(language, _TITLE.to(language), Html(content), script=_SCRIPT, sources=sources)
