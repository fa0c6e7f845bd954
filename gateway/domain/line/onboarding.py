"""The set-up of a LINE official account, walked through: what is right, what is wrong, and what to
do about it.

Some settings of an account cannot be read by the API; these are named with the place where a person
finds them. Menus are called as the manager (LINE Official Account Manager) and the console (LINE
Developers) call them in Japanese.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.domain.line.channel import Channel

State = Literal["passed", "failed", "manual", "unknown"]
"""``manual``: a person has to look; ``unknown``: it could not be looked at now."""

MARKS: Mapping[State, str] = {"passed": "✓", "failed": "✗", "manual": "–", "unknown": "?"}


AGAIN = "put right what is above, and run the check again"
"""What to do about whatever could not be looked at."""


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    id: str
    title: str
    state: State
    found: str = ""
    """What was seen; nothing of a secret."""
    remedy: str = ""
    """What to do, unless it is all right."""

    def lines(self) -> list[str]:
        """It for people: a line, and one more where there is something to do about it alone."""
        found = f": {self.found}" if self.found else ""
        lines = [f"{MARKS[self.state]} {self.title}{found}"]
        if self.remedy and self.state in ("failed", "manual"):
            lines.append(f"    → {self.remedy}")
        return lines


# --- what was seen ---


class Account(msgspec.Struct, frozen=True):
    """The account as the platform shows it."""

    user: str
    basic_id: str
    name: str
    premium_id: str
    has_picture: bool
    chat_mode: str
    """``chat``: people answer in the manager; ``bot``: they do not."""


class Address(msgspec.Struct, frozen=True):
    """Where webhooks go to; empty where no address is set."""

    url: str
    is_active: bool
    was_fixed: bool = False
    """Whether we have just set it."""


class Trial(msgspec.Struct, frozen=True):
    """What came of a webhook that the platform sent to try."""

    success: bool
    status: int
    reason: str
    detail: str


class Plan(msgspec.Struct, frozen=True):
    """What may be sent this month; ``limit`` is ``None`` where there is no limit."""

    limit: int | None
    used: int


class Manager(msgspec.Struct, frozen=True):
    """What the manager itself answered on the latest day that the platform tells of."""

    day: str
    auto_responses: int
    greetings: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of an account. ``None``: it could not be looked at."""

    trouble: Literal["", "refused", "unreached"] = ""
    """Why the platform told nothing at all."""
    account: Account | None = None
    address: Address | None = None
    trial: Trial | None = None
    plan: Plan | None = None
    menu: str | None = None
    """The menu that all friends are shown; empty where there is none of the API's."""
    manager: Manager | None = None
    lists_followers: bool | None = None
    """Whether the platform tells who the friends are, as it does of verified accounts alone."""
    logins: tuple[int, int] = (0, 0)
    """Users told by ID tokens of the login channel, and how many of them are friends."""


class Industry(msgspec.Struct, frozen=True):
    """A trade that the platform's guideline restricts."""

    id: str
    ja: str
    rule: Literal["prohibited", "limited"]
    note: str


class Industries(msgspec.Struct, frozen=True):
    """The list of such trades, as it was on a day."""

    as_of: dt.date
    source: str
    industry: tuple[Industry, ...]


# --- the checks ---


def checks(channel: Channel, url: str, seen: Seen, industries: Industries) -> tuple[Check, ...]:
    """All checks of ``channel``, in the order in which they are best put right.

    ``url`` is where its webhooks are to go to.
    """
    return (
        _token(seen),
        _bot(channel, seen),
        _webhook_url(url, seen),
        _webhook_active(seen),
        _webhook_test(seen),
        _redelivery(),
        _double_replies(channel, seen),
        _plan(seen),
        _profile(seen),
        _menu(seen),
        _greeting(channel),
        _pin(channel),
        _provider(channel, seen),
        _liff(channel),
        _verified(seen),
        _industry(channel, industries),
    )


def _unseen(id_: str, title: str) -> Check:
    return Check(id_, title, "unknown", remedy=AGAIN)


def _token(seen: Seen) -> Check:
    id_, title = "token", "Access token"
    if seen.trouble == "refused":
        remedy = (
            "copy channel ID and channel secret from LINE Developers (チャネル基本設定) to "
            "channel_id and channel_secret; a reissued secret ends the old one"
        )
        return Check(id_, title, "failed", "LINE refuses the channel's credentials", remedy)
    if seen.trouble == "unreached":
        remedy = "let this machine reach [line] api_url by https, and run the check again"
        return Check(id_, title, "failed", "LINE does not answer", remedy)
    return Check(id_, title, "passed")


def _bot(channel: Channel, seen: Seen) -> Check:
    id_, title = "bot", "The account is the one that was meant"
    if seen.account is None:
        return _unseen(id_, title)
    found = f"{seen.account.name} {seen.account.basic_id}"
    if not channel.bot_user_id:
        remedy = f'if that is the shop, write bot_user_id = "{seen.account.user}"'
        return Check(id_, title, "manual", found, remedy)
    if channel.bot_user_id != seen.account.user:
        remedy = (
            "bot_user_id is another account's: take the credentials of that one, or write "
            f'bot_user_id = "{seen.account.user}"'
        )
        return Check(id_, title, "failed", found, remedy)
    return Check(id_, title, "passed", found)


def _webhook_url(url: str, seen: Seen) -> Check:
    id_, title = "webhook_url", "Webhook URL"
    address = seen.address
    if address is None:
        return _unseen(id_, title)
    if address.url == url:
        return Check(id_, title, "passed", "set just now" if address.was_fixed else "")
    found = f"it is {address.url}" if address.url else "none is set"
    remedy = (
        f"set {url}: with --fix, or in LINE Developers (Messaging API設定 > Webhook URL); another "
        "tool that is to stay gets webhooks by [line_channel.forward]"
    )
    return Check(id_, title, "failed", found, remedy)


def _webhook_active(seen: Seen) -> Check:
    id_, title = "webhook_active", "Webhooks are switched on"
    address = seen.address
    if address is None or not address.url:
        return _unseen(id_, title)
    if address.is_active:
        return Check(id_, title, "passed")
    remedy = "switch it on in LINE Developers (Messaging API設定 > Webhookの利用)"
    return Check(id_, title, "failed", "", remedy)


_REASONS = {
    "COULD_NOT_CONNECT": "open the public address to the internet, with a certificate of a public "
    "authority that sends its whole chain",
    "REQUEST_TIMEOUT": "let `gateway serve` answer within two seconds: see its log and /readyz",
    "ERROR_STATUS_CODE": "see the log of `gateway serve` for the request; 404: another release or "
    "address answers, or the channel was not applied; 403: channel_secret is another channel's",
}


def _webhook_test(seen: Seen) -> Check:
    id_, title = "webhook_test", "A webhook arrives"
    trial = seen.trial
    if trial is None:
        return _unseen(id_, title)
    if trial.success:
        return Check(id_, title, "passed")
    reason = trial.reason.upper()
    found = " ".join(filter(None, (trial.reason, trial.detail)))
    remedy = _REASONS.get(reason, "see whether `gateway serve` runs and the address is reachable")
    return Check(id_, title, "failed", found, remedy)


def _redelivery() -> Check:
    remedy = "see that it is on in LINE Developers (Messaging API設定 > Webhookの再送)"
    return Check("redelivery", "Redelivery of webhooks", "manual", "", remedy)


def _double_replies(channel: Channel, seen: Seen) -> Check:
    id_, title = "double_replies", "Nobody else answers friends"
    if seen.account is None:
        return _unseen(id_, title)
    place = "in LINE Official Account Manager (設定 > 応答設定)"
    manager = seen.manager
    if manager is not None and channel.answers and (manager.auto_responses or manager.greetings):
        found = (
            f"on {manager.day} the manager sent {manager.auto_responses} automatic responses and "
            f"{manager.greetings} greetings"
        )
        remedy = f"switch off 応答メッセージ and あいさつメッセージ {place}"
        return Check(id_, title, "failed", found, remedy)
    found = "チャット is on" if seen.account.chat_mode == "chat" else ""
    remedy = f"see that 応答メッセージ and あいさつメッセージ are off {place}"
    return Check(id_, title, "manual", found, remedy)


_PLANS = {200: "コミュニケーションプラン", 5_000: "ライトプラン", 30_000: "スタンダードプラン"}


def _plan(seen: Seen) -> Check:
    id_, title = "plan", "Plan and messages of this month"
    plan = seen.plan
    if plan is None:
        return _unseen(id_, title)
    if plan.limit is None:
        return Check(id_, title, "passed", f"no limit, {plan.used} used")
    name = _PLANS.get(plan.limit, "")
    found = f"{plan.used} of {plan.limit} used" + (f" ({name})" if name else "")
    if plan.used >= plan.limit:
        remedy = (
            "nothing can be pushed until the month ends: change the plan in LINE Official Account "
            "Manager (設定 > 利用と請求)"
        )
        return Check(id_, title, "failed", found, remedy)
    return Check(id_, title, "passed", found)


def _profile(seen: Seen) -> Check:
    id_, title = "profile", "Name and icon"
    account = seen.account
    if account is None:
        return _unseen(id_, title)
    missing = [
        word for word, there in (("name", account.name), ("icon", account.has_picture)) if not there
    ]
    if missing:
        place = "LINE Official Account Manager (アカウント設定)"
        remedy = f"set アカウント名 and プロフィール画像 in {place}"
        return Check(id_, title, "failed", f"no {' and no '.join(missing)}", remedy)
    return Check(id_, title, "passed", account.name)


def _menu(seen: Seen) -> Check:
    id_, title = "menu", "A rich menu for all friends"
    if seen.menu is None:
        return _unseen(id_, title)
    if seen.menu:
        return Check(id_, title, "passed")
    remedy = (
        "describe one as [[rich_menu]] with default = true; one that was made in LINE Official "
        "Account Manager (リッチメニュー) is not seen by the API, and gives way to ours"
    )
    return Check(id_, title, "failed", "", remedy)


def _greeting(channel: Channel) -> Check:
    id_, title = "greeting", "A greeting for new friends"
    if not channel.answers:
        return Check(id_, title, "passed", "the other tool of [line_channel.forward] answers")
    if channel.greeting:
        return Check(id_, title, "passed")
    remedy = "write greeting = […] in [[line_channel]]; LINE's own would be a second answer"
    return Check(id_, title, "failed", "", remedy)


def _pin(channel: Channel) -> Check:
    id_, title = "pin", "A PIN for stamps"
    if channel.staff_secret:
        return Check(id_, title, "passed")
    remedy = (
        "write staff_secret, unless staff stamp by their own devices alone: the page of a coupon "
        "has no field for a PIN otherwise"
    )
    return Check(id_, title, "manual", "none is configured", remedy)


def _provider(channel: Channel, seen: Seen) -> Check:
    id_, title = "provider", "LINE Login channel of the same provider"
    if not channel.login_channel_id:
        remedy = "only needed for shop cards and LIFF: write login_channel_id and liff_id"
        return Check(id_, title, "manual", "none is configured", remedy)
    users, friends = seen.logins
    if friends:
        return Check(id_, title, "passed", "its users are friends of the channel")
    found = f"{users} users logged in, none of them is a friend" if users else "nobody logged in"
    remedy = (
        "see in LINE Developers that both channels stand under one provider; elsewhere users have "
        "other ids, and a channel cannot be moved"
    )
    return Check(id_, title, "manual", found, remedy)


def _liff(channel: Channel) -> Check:
    id_, title = "liff", "LIFF app"
    if not channel.liff_id:
        if not channel.login_channel_id:
            return Check(id_, title, "manual", "none is configured", "only needed for shop cards")
        remedy = "add one in LINE Developers (LINEログインのチャネル > LIFF) and write liff_id"
        return Check(id_, title, "failed", "login_channel_id stands without liff_id", remedy)
    if not re.fullmatch(r"[0-9]+-[A-Za-z0-9]{8}", channel.liff_id):
        remedy = 'copy it from LINE Developers (LIFF); it looks like "2000000000-abcdefgh"'
        return Check(id_, title, "failed", "liff_id has another form", remedy)
    if channel.liff_id.partition("-")[0] != channel.login_channel_id:
        remedy = "take login_channel_id and liff_id from one LINE Login channel"
        return Check(id_, title, "failed", "it belongs to another login channel", remedy)
    return Check(id_, title, "passed")


def _verified(seen: Seen) -> Check:
    id_, title = "verified", "Verified account (認証済アカウント)"
    if seen.account is None:
        return _unseen(id_, title)
    if seen.lists_followers:
        return Check(id_, title, "passed", seen.account.premium_id or seen.account.basic_id)
    remedy = (
        "see the badge in LINE Official Account Manager; apply there (設定 > アカウント設定): "
        "unverified accounts are not found by searching in LINE"
    )
    found = "LINE does not list its friends" if seen.lists_followers is False else ""
    return Check(id_, title, "manual", found, remedy)


def _industry(channel: Channel, industries: Industries) -> Check:
    id_, title = "industry", "The shop's trade"
    dated = f"the list of {industries.as_of:%Y-%m-%d}"
    if not channel.industry:
        known = ", ".join(industry.id for industry in industries.industry)
        remedy = f"write industry = … in [[line_channel]]; restricted are: {known}"
        return Check(id_, title, "manual", "none is written down", remedy)
    entry = next((each for each in industries.industry if each.id == channel.industry), None)
    if entry is None:
        return Check(id_, title, "passed", f"{channel.industry} is not on {dated}")
    found = f"{entry.ja} is {entry.rule} on {dated}: {entry.note}"
    remedy = f"read the guideline before the account is used: {industries.source}"
    return Check(id_, title, "failed" if entry.rule == "prohibited" else "manual", found, remedy)
