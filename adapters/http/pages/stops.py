"""``/u/{token}``: the page to stop a list's mail, and RFC 8058's stop by one click.

A ``GET`` changes nothing, since scanners open every link. A ``POST`` stops the list, whatever is in
its body: programs send ``List-Unsubscribe=One-Click`` as a form of either encoding, some of them
badly. Only the fields of our own page choose less than the whole list.

The link of a trial is answered in the same manner, and says that it stops nobody.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress

from adapters.http.pages.base import (
    HEADERS,
    Html,
    Language,
    Pages,
    Text,
    form,
    is_browser,
    joined,
    language_of,
    markup,
    page,
)
from adapters.http.pages.mail_senders import about
from gateway.domain.effects import NEVER
from gateway.domain.hours import TOKYO
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.tokens import TRIAL, Named, opened
from gateway.domain.values import Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from gateway.ports.mail.pages import MailKeys, MailPageReading, Recalls
from gateway.ports.reading import Reads
from gateway.usecases.mail.stops import Stop, Stopped, end_of_day, stop

_PATH = "/u/{token}"
_MOST_BODY = 65_536
_OURS = "page"
"""A hidden field: whoever sends it saw our page."""


class StopPages:
    """Stops by the recipients themselves."""

    def __init__(
        self,
        store: Reads,
        reader: MailPageReading,
        pages: Pages,
        keys: MailKeys,
        recall: Recalls,
        seed: Callable[[int, int], Seed],
    ) -> None:
        self._store = store
        self._reader = reader
        self._pages = pages
        self._keys = keys
        self._recall = recall
        self._seed = seed

    def routes(self) -> list[Route]:
        """``GET``, ``HEAD`` and ``POST /u/{token}``."""
        return [
            self._pages.route("GET", _PATH, self._show, "mail_stop"),
            self._pages.route("HEAD", _PATH, self._show, "mail_stop"),
            self._pages.route("POST", _PATH, self._stop, "mail_stop", _MOST_BODY),
        ]

    async def _show(self, request: Request) -> Answer:
        named = await self._named(request)
        if named == TRIAL:
            return _trial(language_of(request))
        id_ = await self._store.read(self._reader.list_of, named)
        mail_list = self._store.entity(MailList, id_) if id_ else None
        return _asking(language_of(request), mail_list)

    async def _stop(self, request: Request) -> Answer:
        named = await self._named(request)
        if named == TRIAL:
            return _trial(language_of(request))
        fields = page_fields(request)
        try:
            until = _until(fields.get("until", ""), request.received_at)
        except Refused as refused:
            return await self._ask_again(request, named, refused.reason)
        wish = Stop(
            "page" if _OURS in fields else "one_click",
            request.received_at,
            self._seed(request.received_at, 1),
            await self._keys.get(),
            recipient=named.recipient,
            campaign=named.campaign,
            topic=fields.get("topic", ""),
            until=until,
        )
        stopped = await self._store.run(stop, wish)
        self._recall.note(stopped.suppressions)  # before anybody can believe that it is done
        return self._done(request, stopped)

    async def _named(self, request: Request) -> Named:
        return opened(request.parameters["token"], (await self._keys.get()).stop)

    async def _ask_again(self, request: Request, named: Named, reason: Refusal) -> Answer:
        id_ = await self._store.read(self._reader.list_of, named)
        mail_list = self._store.entity(MailList, id_) if id_ else None
        status = self._pages.refused("mail_stop", reason)
        return _asking(language_of(request), mail_list, status=status)

    def _done(self, request: Request, stopped: Stopped) -> Answer:
        if not is_browser(request):
            return Answer(b"stopped\n", headers=HEADERS)
        mail_list = self._store.entity(MailList, stopped.list) if stopped.list else None
        held = stopped.suppressions[0] if stopped.suppressions else None
        topic = held.topic if held else ""
        until = held.until if held else NEVER
        return _done_page(language_of(request), mail_list, topic, until)


def page_fields(request: Request) -> Mapping[str, str]:
    """The fields of our own page; empty where it was not that which was sent. A one-click stop is
    one whatever else comes with it (RFC 8058, 3.2).
    """
    with suppress(Refused):
        fields = form(request)
        if _OURS in fields and "List-Unsubscribe" not in fields:
            return fields
    return {}


def _until(text: str, now: int) -> int:
    """When a stop ends.

    Raises:
        Refused: the text is no day, or not one to come.
    """
    if not text:
        return NEVER
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise Refused(Refusal.ABSURD_VALUE, "until: write a day like 2026-12-31") from None
    return end_of_day(day, now)


# --- what is shown ---

_TITLE = Text("メール配信の停止", "Stop these mails")
_WHO = Text(
    "「{sender}」からのメール配信を停止します。", "You are about to stop mails from {sender}."
)
_WHO_UNKNOWN = Text("このメールの配信を停止します。", "You are about to stop these mails.")
_WHAT = Text("停止する内容", "What to stop")
_ALL = Text("このリストのすべてのメール", "All mails of this list")
_UNTIL = Text("この日まで停止（空欄は無期限）", "Only until (leave empty to stop for good)")
_BUTTON = Text("配信を停止する", "Stop")
_WRONG = Text("日付は今日以降でご指定ください。", "Please give a day from today on.")
_DONE = Text("配信を停止しました", "Stopped")
_DONE_ALL = Text(
    "今後、このリストのメールは配信されません。", "You will get no more mails of this list."
)
_DONE_TOPIC = Text(
    "今後、「{topic}」のメールは配信されません。", "You will get no more mails about {topic}."
)
_UNTIL_ALL = Text(
    "{day}まで、このリストのメールは配信されません。",
    "You will get no mails of this list until {day}.",
)
_UNTIL_TOPIC = Text(
    "{day}まで、「{topic}」のメールは配信されません。",
    "You will get no mails about {topic} until {day}.",
)
_TRIAL = Text("これはテスト配信です", "This was a trial")
_TRIAL_NOBODY = Text(
    "停止用リンクは正しく動作しています。テスト配信のため、停止される配信はありません。",
    "The link works. As this mail was a trial, it stops nobody's mail.",
)


def _asking(language: Language, mail_list: MailList | None, status: int = 200) -> Answer:
    who = (
        _WHO.to(language, sender=mail_list.sender_name) if mail_list else _WHO_UNKNOWN.to(language)
    )
    wrong = (
        markup('<p class="state bad" role="alert">{text}</p>', text=_WRONG.to(language))
        if status != 200
        else Html("")
    )
    content = markup(
        "<section><h1>{title}</h1><p>{who}</p>{wrong}"
        '<form method="post"><input type="hidden" name="page" value="1">{topics}'
        '<label for="until">{until}</label><input type="date" id="until" name="until">'
        "<button>{button}</button></form>{contact}</section>",
        title=_TITLE.to(language),
        who=who,
        wrong=wrong,
        topics=_topics(language, mail_list),
        until=_UNTIL.to(language),
        button=_BUTTON.to(language),
        contact=_contact(language, mail_list),
    )
    return page(language, _TITLE.to(language), content, status=status)


def _trial(language: Language) -> Answer:
    content = markup(
        "<section><h1>{title}</h1><p>{nobody}</p></section>",
        title=_TRIAL.to(language),
        nobody=_TRIAL_NOBODY.to(language),
    )
    return page(language, _TRIAL.to(language), content)


def _topics(language: Language, mail_list: MailList | None) -> Html:
    if mail_list is None or not mail_list.topics:
        return Html("")
    choice = (
        '<label><input type="radio" name="topic" value="{value}"{checked}><span>{shown}</span>'
        "</label>"
    )
    first = markup(choice, value="", checked=Html(" checked"), shown=_ALL.to(language))
    others = (
        markup(choice, value=topic, checked=Html(""), shown=topic) for topic in mail_list.topics
    )
    return markup(
        "<fieldset><legend>{what}</legend>{choices}</fieldset>",
        what=_WHAT.to(language),
        choices=joined([first, *others]),
    )


def _done_page(language: Language, mail_list: MailList | None, topic: str, until: int) -> Answer:
    if until == NEVER:
        what = (_DONE_TOPIC if topic else _DONE_ALL).to(language, topic=topic)
    else:
        what = (_UNTIL_TOPIC if topic else _UNTIL_ALL).to(
            language, topic=topic, day=_day(language, until)
        )
    content = markup(
        '<section><h1>{title}</h1><p class="state good" role="status">{done}</p><p>{what}</p>'
        "{contact}</section>",
        title=mail_list.sender_name if mail_list else _TITLE.to(language),
        done=_DONE.to(language),
        what=what,
        contact=_contact(language, mail_list),
    )
    return page(language, _DONE.to(language), content)


def _day(language: Language, until: int) -> str:
    """The last day of a stop, which ends with the midnight after it."""
    day = dt.datetime.fromtimestamp(until / 1_000_000 - 1, TOKYO).date()
    return f"{day.year}年{day.month}月{day.day}日" if language == "ja" else day.isoformat()


def _contact(language: Language, mail_list: MailList | None) -> Html:
    if mail_list is None:
        return Html("")
    return markup("<p>{about}</p>", about=about(language, mail_list))
