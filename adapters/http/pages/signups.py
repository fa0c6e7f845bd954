"""``/s/{list}``: the form to sign up for a list, and the page that confirms it.

Whoever asks is told the same, on the list or not: what there is to tell comes by mail. The link in
that mail is opened by scanners, too, so it shows a button, and only that confirms (double opt-in).
"""

from collections.abc import Callable
from unicodedata import normalize

from adapters.http.pages.base import (
    Html,
    Language,
    Pages,
    Text,
    form,
    language_of,
    lines,
    markup,
    page,
)
from adapters.http.pages.mail_senders import about
from adapters.http.pages.visits import peer_of
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.signups import network_of
from gateway.domain.mail.tokens import opened
from gateway.domain.values import Counted, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Answer, Request, Route
from gateway.ports.mail.pages import MailKeys, MailPageReading
from gateway.ports.reading import Reads
from gateway.usecases.mail.signups import Ask, Confirm, ask, confirm, confirmable

_PATH = "/s/{list}"
_MOST_BODY = 16_384
_MOST_TOKEN = 100


class SignupPages:
    """Sign-ups by the recipients themselves."""

    def __init__(
        self,
        store: Reads,
        reader: MailPageReading,
        pages: Pages,
        keys: MailKeys,
        public_url: str,
        seed: Callable[[int, int], Seed],
    ) -> None:
        self._store = store
        self._reader = reader
        self._pages = pages
        self._keys = keys
        self._public_url = public_url
        self._seed = seed

    def routes(self) -> list[Route]:
        """``GET``, ``HEAD`` and ``POST /s/{list}``, of the form and of the confirmation."""
        return [
            self._pages.route("GET", _PATH, self._show, "mail_signup"),
            self._pages.route("HEAD", _PATH, self._show, "mail_signup"),
            self._pages.route("POST", _PATH, self._take, "mail_signup", _MOST_BODY),
        ]

    async def _show(self, request: Request) -> Answer:
        mail_list, token, language = self._asked_for(request)
        if not token:
            return _form_page(language, mail_list)
        found = await self._store.read(self._reader.signup, await self._named(token))
        signup = confirmable(found, mail_list.id, request.received_at)
        if signup.state == "confirmed":
            return _told_page(language, mail_list, _CONFIRMED, _CONFIRMED_TEXT)
        return _confirm_page(language, mail_list)

    async def _take(self, request: Request) -> Answer:
        mail_list, token, language = self._asked_for(request)
        if token:
            return await self._confirm(request, mail_list, token, language)
        typed = form(request).get("address", "")
        address = normalize("NFKC", typed).strip()  # phones in Japan like to write full width
        keys, now = await self._keys.get(), request.received_at
        peer = peer_of(request) or request.peer  # else all who come without a proxy are one
        wish = Ask(
            mail_list.id,
            address,
            network_of(peer, keys),
            "form",
            self._url(mail_list),
            now,
            self._seed(now, 2),
            keys,
            language=language,
        )
        try:
            asked = await self._store.run(ask, wish)
        except Refused as refused:
            if refused.reason is not Refusal.ADDRESS_INVALID:
                raise
            status = self._pages.refused("mail_signup", refused.reason)
            return _form_page(language, mail_list, typed, status=status)
        self._pages.count(Counted(mail_list.advertiser, "mail_signups_total", (asked,)))
        return _told_page(language, mail_list, _ASKED, _ASKED_TEXT)

    async def _confirm(
        self, request: Request, mail_list: MailList, token: str, language: Language
    ) -> Answer:
        now, url = request.received_at, self._url(mail_list)
        seed = self._seed(now, 2)
        wish = Confirm(mail_list.id, await self._named(token), url, now, seed)
        confirmed = await self._store.run(confirm, wish)
        if confirmed.is_new:
            fact = Counted(mail_list.advertiser, "mail_signups_total", ("confirmed",))
            self._pages.count(fact)
        return _told_page(language, mail_list, _CONFIRMED, _CONFIRMED_TEXT)

    async def _named(self, token: str) -> int:
        """The sign-up that a token proves to be meant; a forged one costs no look into the store.

        Raises:
            Refused: it is none of ours.
        """
        return opened(token, (await self._keys.get()).signup).recipient

    def _asked_for(self, request: Request) -> tuple[MailList, str, Language]:
        """The list, and the token of a confirmation where there is one."""
        mail_list = self._store.entity(MailList, request.parameters["list"])
        token = _token_in(request.query)
        # Who asked by an empty mail confirms here, too, though the form is closed.
        if mail_list is None or not (mail_list.signup or (token and mail_list.empty_mail)):
            raise Refused(Refusal.NOT_FOUND)
        if len(token) > _MOST_TOKEN:
            raise Refused(Refusal.NOT_FOUND)
        return mail_list, token, language_of(request)

    def _url(self, mail_list: MailList) -> str:
        return f"{self._public_url}/s/{mail_list.id}"


def _token_in(query: str) -> str:
    for part in query.split("&", 10):
        name, _, value = part.partition("=")
        if name == "t":
            return value  # of characters that need no escapes
    return ""


# --- what is shown ---

_TITLE = Text("メール配信の登録", "Sign up for mails")
_ADDRESS = Text("メールアドレス", "Mail address")
_SEND = Text("確認メールを送る", "Send me a confirmation mail")
_HOW = Text(
    "ご入力のアドレスに確認メールをお送りします。メール内のページで確定すると登録が完了します。",
    "We send a mail to this address. You are signed up once you confirm on the page it names.",
)
_WRONG = Text("メールアドレスをご確認ください。", "Please check the mail address.")
_ASKED = Text("確認メールをお送りしました", "Please look into your mail")
_ASKED_TEXT = Text(
    "メールに記載のページを48時間以内に開いて、登録を確定してください。",
    "Open the page that is named in it within 48 hours, and confirm.",
)
_CONFIRM_TITLE = Text("登録の確定", "Confirm")
_CONFIRM = Text("登録を確定する", "Confirm")
_CONFIRMED = Text("登録が完了しました", "You are signed up")
_CONFIRMED_TEXT = Text(
    "配信は、各メールに記載のページからいつでも停止できます。",
    "You can stop at any time, by the page that is named in each mail.",
)


def _form_page(
    language: Language, mail_list: MailList, address: str = "", status: int = 200
) -> Answer:
    wrong = (
        markup('<p class="state bad" role="alert">{text}</p>', text=_WRONG.to(language))
        if status != 200
        else Html("")
    )
    content = markup(
        "<section><h1>{sender}</h1>{notice}{wrong}"
        '<form method="post"><label for="address">{label}</label>'
        # No type=email: browsers refuse full width by it, in words of their own.
        '<input id="address" name="address" inputmode="email" autocomplete="email" '
        'autocapitalize="off" spellcheck="false" maxlength="254" required value="{address}">'
        "<p><small>{how}</small></p>"
        "<button>{send}</button></form></section>{about}",
        sender=mail_list.sender_name,
        notice=_notice(mail_list),
        wrong=wrong,
        label=_ADDRESS.to(language),
        address=address,
        how=_HOW.to(language),
        send=_SEND.to(language),
        about=_about(language, mail_list),
    )
    return page(language, _TITLE.to(language), content, status=status)


def _confirm_page(language: Language, mail_list: MailList) -> Answer:
    content = markup(
        "<section><h1>{sender}</h1>{notice}"
        '<form method="post"><button>{confirm}</button></form></section>{about}',
        sender=mail_list.sender_name,
        notice=_notice(mail_list),
        confirm=_CONFIRM.to(language),
        about=_about(language, mail_list),
    )
    return page(language, _CONFIRM_TITLE.to(language), content)


def _told_page(language: Language, mail_list: MailList, title: Text, text: Text) -> Answer:
    content = markup(
        '<section><h1>{sender}</h1><p class="state good" role="status">{title}</p><p>{text}</p>'
        "</section>{about}",
        sender=mail_list.sender_name,
        title=title.to(language),
        text=text.to(language),
        about=_about(language, mail_list),
    )
    return page(language, title.to(language), content)


def _notice(mail_list: MailList) -> Html:
    """What they agree to; its version is kept with their consent."""
    return markup("<p>{text}</p>", text=lines(mail_list.notice)) if mail_list.notice else Html("")


def _about(language: Language, mail_list: MailList) -> Html:
    return markup("<section><p>{about}</p></section>", about=about(language, mail_list))
