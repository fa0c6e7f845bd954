"""``/screen/{card}`` of the admin listener: the counter's screen, with a code that changes.

The page itself tells nothing and asks for nothing. Staff give it a token of the API, with which it
makes codes; the token stays in the tab, and is gone when that is closed.
"""

from adapters.http.pages.base import Html, Pages, Text, language_of, markup, page
from gateway.ports import Answer, Request, Route

_TITLE = Text("ポイント用QRコード", "QR code for points")
_TOKEN = Text("スタッフ用トークン", "Staff's token")
_COUNTER = Text("レジの名前（任意）", "Name of the counter (optional)")
_SHOW = Text("コードを表示", "Show the code")
_NEXT = Text("次のお客様", "Next customer")
_WRONG = Text("トークンが正しくありません。", "The token is not right.")
_AWAY = Text("通信できません。再試行しています…", "No connection. Trying again…")

_REFRESH_SECONDS = 20
_LIFE_SECONDS = 60

_SCRIPT = """\
(function(){var s=document.getElementById("screen"),d=s.dataset,f=document.getElementById("log"),
i=document.getElementById("code"),o=document.getElementById("out"),n=document.getElementById("next"),
t=sessionStorage.getItem("token")||"",c=sessionStorage.getItem("counter")||"",w,
p="/api/v1/cards/"+location.pathname.split("/").pop()+"/codes";
function ask(){clearTimeout(w);fetch(p,{method:"POST",headers:{"Content-Type":"application/json",
Authorization:"Bearer "+t},body:JSON.stringify({counter:c,seconds:+d.life})}).then(function(r){
if(r.status===201){return r.json().then(show)}
if(r.status<500){sessionStorage.removeItem("token");f.hidden=false;s.hidden=true;
o.textContent=d.wrong;return}
later(d.away)}).catch(function(){later(d.away)})}
function show(b){i.src=b.svg;f.hidden=true;s.hidden=false;later("")}
function later(m){o.textContent=m;if(m){i.removeAttribute("src")}
w=setTimeout(ask,m?3000:d.refresh*1000)}
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
        "<section><h1>{title}</h1>"
        '<form id="log" hidden><label for="token">{token}</label><input id="token" name="token" '
        'type="password" autocomplete="off" required><label for="counter">{counter}</label>'
        '<input id="counter" name="counter" maxlength="20" pattern="[A-Za-z0-9_\\-]*">'
        '<button type="submit">{show}</button></form>'
        '<div id="screen" hidden data-refresh="{refresh}" data-life="{life}" data-wrong="{wrong}" '
        'data-away="{away}"><img id="code" alt="{title}"><button id="next" type="button">{next}'
        '</button></div><p id="out" role="status"></p></section>',
        title=_TITLE.to(language),
        token=_TOKEN.to(language),
        counter=_COUNTER.to(language),
        show=_SHOW.to(language),
        next=_NEXT.to(language),
        refresh=_REFRESH_SECONDS,
        life=_LIFE_SECONDS,
        wrong=_WRONG.to(language),
        away=_AWAY.to(language),
    )
    sources = {"connect-src": ("'self'",), "img-src": ("data:",)}
    return page(language, _TITLE.to(language), Html(content), script=_SCRIPT, sources=sources)
