"""What every page is made with: markup, layout, languages, headers, forms, errors.

A page loads nothing from anywhere: its style is in it, and its script, where it has one, is named
by its hash in the Content-Security-Policy. So neither a shop's text nor a friend's name can become
code, and no third party learns of a token in an address.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from string import Formatter
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote_plus

from adapters.http.problem import NO_STORE
from adapters.http.server import STATUS_OF
from gateway.errors import Permanent, Refusal, Refused, Transient
from gateway.ports import Answer, Fact, Observer, Request, Route

PROVIDER = "pages"
"""The label of their metrics."""

Language = Literal["ja", "en"]


# --- markup ---


class Html(str):
    """Text that is markup, and stands in a page as it is."""

    __slots__ = ()


class _Escaping(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Html):
            return value
        return escape(super().format_field(value, format_spec))


_formatter = _Escaping()


def markup(template: str, /, **values: object) -> Html:
    """``template``, which is a constant of ours, with ``values`` in its braces.

    A value is escaped for text and for quoted attributes, unless it is :class:`Html`. An address
    in ``href`` or ``src`` has to be checked by whoever hands it in.
    """
    return Html(_formatter.vformat(template, (), values))


def joined(parts: Iterable[Html], between: Html = Html("")) -> Html:  # noqa: B008 - immutable
    """``parts`` one after the other."""
    return Html(between.join(parts))


def lines(text: str) -> Html:
    """``text`` of several lines, escaped."""
    return joined((markup("{line}", line=line) for line in text.splitlines()), Html("<br>"))


# --- languages ---


class Text(NamedTuple):
    """What is said, in both languages; braces take values by name."""

    ja: str
    en: str

    def to(self, language: Language, /, **values: object) -> str:
        """It in ``language``."""
        text = self.ja if language == "ja" else self.en
        return text.format(**values) if values else text


def language_of(request: Request) -> Language:
    """The language to answer in: Japanese, unless English is asked for before it (RFC 9110,
    section 12.5.4).
    """
    best: dict[str, float] = {}
    for part in (request.headers.get("Accept-Language") or "").split(",")[:20]:
        tag, _, weight = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        best[name] = max(quality, best.get(name, 0.0))
    english = best.get("en", 0.0)
    return "en" if english > best.get("ja", best.get("*", 0.0)) else "ja"


# --- pages ---

_STYLE = """\
:root{--ink:#1c2420;--soft:#5b665f;--line:#dfe5e1;--paper:#fff;--ground:#f3f6f4;--go:#067a46;
--bad:#b3261e}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.6;
font-family:system-ui,-apple-system,"Hiragino Sans","Noto Sans JP","Yu Gothic UI",sans-serif}
main{max-width:30rem;margin:0 auto;padding:1rem}
section{background:var(--paper);border-radius:1rem;padding:1.25rem;margin:0 0 1rem;
box-shadow:0 1px 3px rgba(0,0,0,.12)}
section>:first-child{margin-top:0}
section>:last-child{margin-bottom:0}
h1{font-size:1.375rem;line-height:1.35;margin:0 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1rem;margin:1.25rem 0 .25rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
a{color:inherit}
img{display:block;width:100%;height:auto;border-radius:.5rem;margin:0 0 1rem}
small,.soft{color:var(--soft);font-size:.875rem}
.big{font-size:2rem;font-weight:700;text-align:center;letter-spacing:.08em;line-height:1.3;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.state{text-align:center;font-weight:700;font-size:1.125rem;padding:.75rem;border-radius:.75rem;
background:var(--ground)}
.good{background:#e3f4ea;color:#04532f}
.bad{background:#fce8e6;color:#8c1d18}
.qr svg{display:block;width:60%;max-width:14rem;margin:.5rem auto}
label{display:block;font-weight:600;margin:.75rem 0 .25rem}
fieldset{border:0;padding:0;margin:1.25rem 0;min-width:0}
legend{width:100%;padding:0;margin-bottom:.25rem;font-weight:700;overflow-wrap:anywhere}
legend small{font-weight:400}
legend.bad{padding:.25rem .5rem;border-radius:.5rem}
fieldset label{display:flex;align-items:center;gap:.75rem;min-height:2.75rem;margin:0;
font-weight:400;overflow-wrap:anywhere}
input,select,textarea,button{font:inherit;width:100%;min-height:3rem;padding:.5rem .75rem;
border:1px solid #8a958e;border-radius:.5rem;background:var(--paper);color:var(--ink)}
input[type=checkbox],input[type=radio]{flex:none;width:1.375rem;min-height:1.375rem;margin:0}
button,.button{display:block;width:100%;min-height:3rem;margin-top:.75rem;padding:.625rem .75rem;
border:0;border-radius:.5rem;background:var(--go);color:#fff;font-weight:700;text-align:center;
text-decoration:none}
:focus-visible{outline:3px solid #1a73e8;outline-offset:2px}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:.375rem 0;border-bottom:1px solid var(--line);vertical-align:top}
@media(prefers-color-scheme:dark){:root{--ink:#e8eeea;--soft:#a9b4ad;--line:#3a443e;
--paper:#1d2420;--ground:#121714}.good{background:#123d28;color:#a9e5c3}
.bad{background:#5a1a16;color:#f9d5d2}}
@media(prefers-reduced-motion:no-preference){.pulse{animation:p 2s ease-in-out infinite}
@keyframes p{50%{opacity:.55}}}
"""

_LAYOUT = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<meta name="format-detection" content="telephone=no">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{content}
</main>
{script}</body>
</html>
"""


def source_of(inline: str) -> str:
    """How a Content-Security-Policy names an inline style or script (CSP Level 3, section 2.3)."""
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"


_POLICY: Mapping[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "style-src": (source_of(_STYLE),),
    "form-action": ("'self'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
}

HEADERS: Mapping[str, str] = {
    **NO_STORE,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Vary": "Accept-Language",
}
"""What every page is sent with, beside its Content-Security-Policy."""

Sources = Mapping[str, Sequence[str]]
"""What a page needs beside itself, by CSP directive: ``{"img-src": ["https://…"]}``."""


def page(
    language: Language,
    title: str,
    content: Html,
    *,
    status: int = 200,
    script: str = "",
    sources: Sources | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An HTML answer.

    ``script`` is a constant of ours; what it works on is read from ``data-`` attributes, so that
    nothing of a request is ever written into code.
    """
    allowed = {name: list(given) for name, given in _POLICY.items()}
    for name, given in (sources or {}).items():
        allowed.setdefault(name, []).extend(given)
    if script:
        allowed.setdefault("script-src", []).append(source_of(script))
    policy = "; ".join(f"{name} {' '.join(given)}" for name, given in allowed.items())
    body = markup(
        _LAYOUT,
        language=language,
        title=title,
        style=Html(_STYLE),
        content=content,
        script=Html(f"<script>{script}</script>\n") if script else Html(""),
    )
    sent = {**HEADERS, "Content-Security-Policy": policy, **(headers or {})}
    return Answer(body.encode(errors="replace"), status, "text/html; charset=utf-8", sent)


# --- forms ---

_MOST_FIELDS = 100


def form(request: Request) -> dict[str, str]:
    """The fields of a sent form.

    Raises:
        Refused: it is none, has a field twice, or is not UTF-8.
    """
    kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(Refusal.NOT_A_FORM, "send application/x-www-form-urlencoded")
    fields: dict[str, str] = {}
    pairs = request.body.split(b"&") if request.body else []
    if len(pairs) > _MOST_FIELDS:
        raise Refused(Refusal.NOT_A_FORM, "too many fields")
    try:
        for pair in pairs:
            name, _, value = pair.decode("ascii").partition("=")
            key = unquote_plus(name, errors="strict")
            if key in fields:
                raise Refused(Refusal.NOT_A_FORM, "a field comes twice")
            fields[key] = unquote_plus(value, errors="strict")
    except UnicodeError:
        raise Refused(Refusal.INVALID_UTF8) from None
    return fields


# --- errors ---

_SORRY: dict[int, tuple[Text, Text]] = {
    400: (
        Text("読み込めませんでした", "Something went wrong"),
        Text("ページを開き直して、もう一度お試しください。", "Please open the page again."),
    ),
    403: (
        Text("ご利用いただけません", "You can't use this here"),
        Text("お店のスタッフにお声がけください。", "Please ask our staff."),
    ),
    404: (
        Text("ページが見つかりません", "Page not found"),
        Text("アドレスが正しいかご確認ください。", "Please check the address."),
    ),
    409: (
        Text("すでに手続き済みです", "Already done"),
        Text("お店のスタッフにお声がけください。", "Please ask our staff."),
    ),
    410: (
        Text("終了しました", "No longer available"),
        Text("有効期限が過ぎています。", "It has expired."),
    ),
    429: (
        Text("しばらくお待ちください", "Please wait a moment"),
        Text("時間をおいて、もう一度お試しください。", "Please try again later."),
    ),
    503: (
        Text("ただいま混み合っています", "We're busy right now"),
        Text("少し待ってから、もう一度お試しください。", "Please try again in a moment."),
    ),
}


def sorry(language: Language, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """The page that tells a person of a refusal, without any detail of it."""
    title, text = _SORRY.get(status) or _SORRY[400 if status < 500 else 503]
    content = markup(
        "<section><h1>{title}</h1><p>{text}</p></section>",
        title=title.to(language),
        text=text.to(language),
    )
    return page(language, title.to(language), content, status=status, headers=headers)


def is_browser(request: Request) -> bool:
    """Whether a page is understood; else errors are problem documents."""
    return "text/html" in (request.headers.get("Accept") or "")


Handler = Callable[[Request], Awaitable[Answer]]


class Pages:
    """Makes routes of handlers: a browser is told of errors by a page, all others by a problem
    document of the listener.
    """

    def __init__(self, observer: Observer, log: Any) -> None:
        self._observer = observer
        self._log = log

    def route(
        self, method: str, path: str, handler: Handler, name: str, max_body: int = 65_536
    ) -> Route:
        """The route of ``handler``, which may raise what the store and the use-cases raise."""

        async def served(request: Request) -> Answer:
            try:
                return await handler(request)
            except (Refused, Transient, Permanent) as error:
                if not is_browser(request):
                    raise
                return self._told(error, request, name)

        return Route(method, path, served, PROVIDER, name, max_body)

    def count(self, fact: Fact) -> None:
        """Count what nothing was written of."""
        self._observer.observe([fact])

    def refused(self, name: str, reason: Refusal) -> int:
        """Count a refusal that the route ``name`` shows on its own page; returns its status."""
        self._observer.refused(PROVIDER, name, reason)
        return STATUS_OF[reason]

    def _told(self, error: Refused | Transient | Permanent, request: Request, name: str) -> Answer:
        language = language_of(request)
        if isinstance(error, Refused):
            return sorry(language, self.refused(name, error.reason))
        self._log.error("request failed", route=name, reason=error.reason, request=request.id)
        return sorry(language, 503, {"Retry-After": "1"})
