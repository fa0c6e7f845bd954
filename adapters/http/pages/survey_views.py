"""What the pages of surveys look like, and what they say."""

from collections.abc import Mapping, Sequence

from adapters.http.pages.base import Html, Language, Text, joined, lines, markup, page
from adapters.http.pages.card_views import LIFF_SDK, LIFF_SOURCES
from gateway.domain.line.channel import Channel
from gateway.domain.surveys import Question, Survey, Thanks
from gateway.errors import Refusal
from gateway.ports import Answer

Given = Mapping[str, Sequence[str]]
"""What was answered so far, by question."""

_SEND = Text("回答を送る", "Send")
_REQUIRED = Text("必須", "required")
_OPTIONAL = Text("任意", "optional")
_SEVERAL = Text("いくつでも選べます", "choose as many as you like")
_MOST = Text("{most}文字まで", "up to {most} characters")
_ANONYMOUS = Text(
    "お名前は回答と一緒に記録されません。", "Your answers are saved without your name."
)
_THANKS = Text("ご回答ありがとうございました。", "Thank you for your answers!")
_OPEN = Text("クーポンを開く", "Open the coupon")
_NO_SCRIPT = Text(
    "JavaScriptを有効にして、LINEアプリで開いてください。",
    "Please enable JavaScript and open this page in the LINE app.",
)
_NO_LIFF = Text("LINEアプリで開いてください。", "Please open this page in the LINE app.")
_FAILED = Text(
    "送信できませんでした。もう一度お試しください。", "Could not send. Please try again."
)

SAID: dict[Refusal, Text] = {
    Refusal.SURVEY_ANSWERED: Text("すでにご回答いただいています。", "You have already answered."),
    Refusal.SURVEY_CLOSED: Text(
        "このアンケートは、現在ご回答いただけません。",
        "This survey is not open right now.",
    ),
    Refusal.SURVEY_INVALID: Text(
        "未回答の質問があるか、入力が長すぎます。ご確認ください。",
        "Some answers are missing or too long. Please check.",
    ),
    Refusal.NOT_FRIEND: Text(
        "友だち追加をしてから、もう一度お試しください。",
        "Please add us as a friend first, then try again.",
    ),
    Refusal.ID_TOKEN_INVALID: Text(
        "LINEでの確認ができませんでした。もう一度開いてください。",
        "LINE could not confirm your account. Please open the page again.",
    ),
}
"""What a friend is told of refusals."""

# Sends the form as JSON with the token that LINE gave; what the server answers is markup of ours.
_SUBMIT = """\
(function(){var d=document.getElementById("survey").dataset,o=document.getElementById("out"),
f=document.getElementById("form"),k;
function say(t){o.textContent=t}
if(!window.liff||!d.liff){say(d.noliff);return}
liff.init({liffId:d.liff}).then(function(){
if(!liff.isLoggedIn()){liff.login({redirectUri:location.href});return}
k=liff.getIDToken();if(!k){say(d.noliff);return}
f.hidden=false;f.addEventListener("submit",function(e){e.preventDefault();var a={};
new FormData(f).forEach(function(v,n){var p=n.split("/");
(a[p[0]]=a[p[0]]||[]).push(p.length>1?p[1]:v)});
fetch(location.pathname,{method:"POST",headers:{"Content-Type":"application/json"},
body:JSON.stringify({id_token:k,answers:a})}).then(function(r){return r.json()})
.then(function(b){if(b.html){o.innerHTML=b.html}else{say(d.failed)}
if(b.html&&b.reason!=="survey_invalid"){f.hidden=true}scrollTo(0,0)})
.catch(function(){say(d.failed)})})}).catch(function(){say(d.noliff)})})()"""


def form_page(
    language: Language,
    channel: Channel,
    survey: Survey,
    given: Given,
    *,
    wrong: Sequence[str] = (),
    status: int = 200,
) -> Answer:
    """A friend's own page, with what was answered so far."""
    notice = Html("")
    if status != 200:
        said = SAID[Refusal.SURVEY_INVALID].to(language)
        notice = markup('<p class="state bad" role="alert">{said}</p>', said=said)
    content = markup(
        '<section>{head}{notice}<form method="post">{questions}</form></section>',
        head=_head(language, channel, survey),
        notice=notice,
        questions=_questions(language, survey, given, wrong),
    )
    return page(language, survey.title, content, status=status)


def liff_page(language: Language, channel: Channel, survey: Survey) -> Answer:
    """The page for whoever opens the survey inside LINE."""
    content = markup(
        '<section id="survey" data-liff="{liff}" data-noliff="{noliff}" data-failed="{failed}">'
        '{head}<div id="out" role="status"></div><form id="form" hidden>{questions}</form>'
        '<noscript><p>{noscript}</p></noscript></section>\n<script charset="utf-8" src="{sdk}">'
        "</script>",
        liff=channel.liff_id,
        noliff=_NO_LIFF.to(language),
        failed=_FAILED.to(language),
        head=_head(language, channel, survey),
        questions=_questions(language, survey, {}, ()),
        noscript=_NO_SCRIPT.to(language),
        sdk=LIFF_SDK,
    )
    return page(language, survey.title, content, script=_SUBMIT, sources=LIFF_SOURCES)


def done_page(
    language: Language,
    channel: Channel,
    survey: Survey,
    thanks: Sequence[Thanks],
    refusal: Refusal | None = None,
    status: int = 200,
) -> Answer:
    """What somebody sees who has answered, or cannot."""
    content = markup(
        "<section><small>{shop}</small><h1>{title}</h1>{result}</section>",
        shop=channel.shop,
        title=survey.title,
        result=result(language, thanks, refusal),
    )
    return page(language, survey.title, content, status=status)


def result(language: Language, thanks: Sequence[Thanks], refusal: Refusal | None = None) -> Html:
    """What came of it, as a part of a page."""
    parts = []
    if refusal is not None:
        said = SAID.get(refusal, SAID[Refusal.SURVEY_CLOSED]).to(language)
        parts.append(markup('<p class="state bad">{said}</p>', said=said))
    elif not thanks:
        said = _THANKS.to(language)
        parts.append(markup('<p class="state good">{said}</p>', said=said))
    for each in thanks:
        parts.append(markup("<p>{text}</p>", text=lines(each.text)))
        if each.url:
            open_ = _OPEN.to(language)
            link = '<a class="button" href="{url}">{open}</a>'
            parts.append(markup(link, url=each.url, open=open_))
    return joined(parts)


def _head(language: Language, channel: Channel, survey: Survey) -> Html:
    soft = markup('<p class="soft">{said}</p>', said=_ANONYMOUS.to(language))
    return markup(
        "<small>{shop}</small><h1>{title}</h1>{soft}",
        shop=channel.shop,
        title=survey.title,
        soft=soft if survey.anonymous else Html(""),
    )


def _questions(language: Language, survey: Survey, given: Given, wrong: Sequence[str]) -> Html:
    parts = [_question(language, q, given.get(q.id, ()), q.id in wrong) for q in survey.questions]
    parts.append(markup('<button type="submit">{send}</button>', send=_SEND.to(language)))
    return joined(parts)


def _question(language: Language, question: Question, given: Sequence[str], is_wrong: bool) -> Html:
    hints = [(_REQUIRED if question.required else _OPTIONAL).to(language)]
    if question.kind == "choices":
        hints.append(_SEVERAL.to(language))
    elif question.kind == "text":
        hints.append(_MOST.to(language, most=question.most))
    make = _text if question.kind == "text" else _options
    return markup(
        "<fieldset{mark}><legend{looks}>{text} <small>{hint}</small></legend>{fields}</fieldset>",
        mark=_marked('aria-invalid="true"', is_wrong),
        looks=_marked('class="bad"', is_wrong),
        text=question.text,
        hint="・".join(hints) if language == "ja" else ", ".join(hints),
        fields=make(question, given),
    )


def _text(question: Question, given: Sequence[str]) -> Html:
    return markup(
        '<textarea name="{name}" rows="3" maxlength="{most}" aria-label="{label}"{required}>'
        "\n{text}</textarea>",
        name=question.id,
        most=question.most,
        label=question.text,
        required=_marked("required", question.required),
        text="".join(given),
    )


def _options(question: Question, given: Sequence[str]) -> Html:
    single = question.kind == "choice"
    return joined(
        markup(
            '<label><input type="{type}" name="{name}" value="{value}"{checked}{required}> '
            "{text}</label>",
            type="radio" if single else "checkbox",
            name=question.id if single else f"{question.id}/{option.id}",
            value=option.id,
            checked=_marked("checked", option.id in given),
            required=_marked("required", single and question.required),
            text=option.text,
        )
        for option in question.options
    )


def _marked(attribute: str, is_so: bool) -> Html:
    return Html(f" {attribute}") if is_so else Html("")
