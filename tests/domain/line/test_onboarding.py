"""The check of an account's set-up: each thing that can be wrong is found, and has a remedy."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from gateway.domain.line.channel import Channel, Forward
from gateway.domain.line.onboarding import (
    MARKS,
    Account,
    Address,
    Check,
    Industries,
    Industry,
    Manager,
    Plan,
    Seen,
    Trial,
    checks,
)
from tests.support.line import SHOP

URL = "https://gw.example.jp/line/acme-shop"
BOT = "U" + "1" * 32

LISTED = Industries(
    dt.date(2026, 2, 1),
    "https://guideline.example/",
    (
        Industry("adult", "アダルト", "prohibited", "adult goods"),
        Industry("medical", "医療", "limited", "not all medicines"),
    ),
)

READY = msgspec.structs.replace(
    SHOP,
    bot_user_id=BOT,
    login_channel_id="2000000000",
    liff_id="2000000000-abcdefgh",
    staff_secret="4812",
    industry="beauty-salon",
)

ACCOUNT = Account(BOT, "@acme", "Acme", "", has_picture=True, chat_mode="bot")

GOOD = Seen(
    account=ACCOUNT,
    address=Address(URL, is_active=True),
    trial=Trial(True, 200, "OK", "200"),
    plan=Plan(200, 12),
    menu="richmenu-1",
    manager=Manager("2026-11-21", 0, 0),
    lists_followers=True,
    logins=(3, 2),
)

_replace = msgspec.structs.replace


def walked(channel: Channel = READY, **seen: Any) -> dict[str, Check]:
    """The checks by id, with other things seen than where all is well."""
    return {check.id: check for check in checks(channel, URL, _replace(GOOD, **seen), LISTED)}


def account(**given: Any) -> Account:
    return _replace(ACCOUNT, **given)


def test_where_all_is_well_only_what_no_api_tells_is_left() -> None:
    """A person looks at redelivery, and at who else answers."""
    found = walked()
    states = {id_: check.state for id_, check in found.items()}
    assert {id_ for id_, state in states.items() if state != "passed"} == {
        "redelivery",
        "double_replies",
    }
    assert {check.state for check in found.values()} <= {"passed", "manual"}
    assert all(check.remedy for check in found.values() if check.state != "passed")


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("bot", {"account": account(user="U" + "2" * 32)}, "bot_user_id"),
    ("webhook_url", {"address": Address("", False)}, URL),
    ("webhook_url", {"address": Address("https://tool.example/", True)}, "--fix"),
    ("webhook_active", {"address": Address(URL, False)}, "Webhookの利用"),
    ("webhook_test", {"trial": Trial(False, 0, "COULD_NOT_CONNECT", "x")}, "certificate"),
    ("webhook_test", {"trial": Trial(False, 0, "REQUEST_TIMEOUT", "x")}, "two seconds"),
    ("webhook_test", {"trial": Trial(False, 403, "ERROR_STATUS_CODE", "403")}, "channel_secret"),
    ("webhook_test", {"trial": Trial(False, 0, "UNCLASSIFIED", "x")}, "gateway serve"),
    ("double_replies", {"manager": Manager("2026-11-21", 4, 0)}, "応答メッセージ"),
    ("double_replies", {"manager": Manager("2026-11-21", 0, 1)}, "あいさつメッセージ"),
    ("plan", {"plan": Plan(200, 200)}, "利用と請求"),
    ("profile", {"account": account(name="")}, "アカウント名"),
    ("profile", {"account": account(has_picture=False)}, "プロフィール画像"),
    ("menu", {"menu": ""}, "[[rich_menu]]"),
]


@pytest.mark.parametrize(("id_", "seen", "remedy"), WRONG)
def test_what_is_wrong_on_the_platform_is_told_with_its_remedy(
    id_: str, seen: dict[str, Any], remedy: str
) -> None:
    """One thing fails, the others stay as they are."""
    found = walked(**seen)
    assert found[id_].state == "failed"
    assert remedy in found[id_].remedy
    assert [check.id for check in found.values() if check.state == "failed"] == [id_]


CONFIGURED: list[tuple[str, dict[str, Any], str, str]] = [
    ("bot", {"bot_user_id": ""}, "manual", BOT),
    ("greeting", {"greeting": ()}, "failed", "greeting"),
    ("provider", {"login_channel_id": "", "liff_id": ""}, "manual", "login_channel_id"),
    ("liff", {"login_channel_id": "", "liff_id": ""}, "manual", "shop cards"),
    ("liff", {"liff_id": ""}, "failed", "liff_id"),
    ("liff", {"liff_id": "2000000000-abc"}, "failed", "abcdefgh"),
    ("liff", {"liff_id": "2000000001-abcdefgh"}, "failed", "one LINE Login channel"),
    ("pin", {"staff_secret": ""}, "manual", "staff_secret"),
    ("industry", {"industry": ""}, "manual", "adult, medical"),
    ("industry", {"industry": "adult"}, "failed", "guideline.example"),
    ("industry", {"industry": "medical"}, "manual", "guideline.example"),
]


@pytest.mark.parametrize(("id_", "given", "state", "remedy"), CONFIGURED)
def test_what_is_wrong_with_us_is_told_with_its_remedy(
    id_: str, given: dict[str, Any], state: str, remedy: str
) -> None:
    """What the file of the channel says, or does not say."""
    found = walked(_replace(READY, **given))[id_]
    assert found.state == state
    assert remedy in found.remedy


def test_a_refused_token_hides_all_that_only_the_platform_knows() -> None:
    """What our own files tell is looked at all the same."""
    found = {check.id: check for check in checks(READY, URL, Seen(trouble="refused"), LISTED)}
    assert found["token"].state == "failed"
    assert "channel_secret" in found["token"].remedy
    unknown = {id_ for id_, check in found.items() if check.state == "unknown"}
    assert unknown >= {"bot", "webhook_url", "webhook_test", "plan", "profile", "menu"}
    assert (found["greeting"].state, found["industry"].state) == ("passed", "passed")
    away = {check.id: check for check in checks(READY, URL, Seen(trouble="unreached"), LISTED)}
    assert "api_url" in away["token"].remedy


def test_the_manager_may_answer_where_we_do_not() -> None:
    """Where another tool is the one that answers, its replies are no double ones."""
    forward = Forward("https://tool.example/", "Sato", 1, answers=True)
    other = _replace(READY, forward=forward, greeting=())
    found = walked(other, manager=Manager("2026-11-21", 4, 4))
    assert (found["double_replies"].state, found["greeting"].state) == ("manual", "passed")


def test_a_chat_that_is_on_is_mentioned() -> None:
    """It may be wanted, so a person decides."""
    found = walked(account=account(chat_mode="chat"))["double_replies"]
    assert (found.state, found.found) == ("manual", "チャット is on")


def test_one_provider_is_proven_by_one_user() -> None:
    """Who logged in and is a friend has one id in both channels; strangers prove nothing."""
    assert walked(logins=(1, 1))["provider"].state == "passed"
    assert walked(logins=(5, 0))["provider"].state == "manual"
    assert "5 users" in walked(logins=(5, 0))["provider"].found
    assert walked(logins=(0, 0))["provider"].found == "nobody logged in"


def test_a_plan_without_a_limit_has_room() -> None:
    """What was used of it is told."""
    assert walked(plan=Plan(None, 7))["plan"].found == "no limit, 7 used"
    assert walked()["plan"].found == "12 of 200 used (コミュニケーションプラン)"


def test_an_account_that_is_not_verified_is_no_fault() -> None:
    """Its friends are not listed; a person may apply."""
    found = walked(lists_followers=False)["verified"]
    assert (found.state, bool(found.found)) == ("manual", True)
    assert walked(lists_followers=None)["verified"].found == ""


def test_a_check_is_written_on_a_line_or_two() -> None:
    """A mark, what was looked at, what was seen; below it what to do."""
    assert Check("a", "Name", "passed", "Acme", "nothing").lines() == ["✓ Name: Acme"]
    assert Check("a", "Name", "failed", "", "set one").lines() == ["✗ Name", "    → set one"]
    assert Check("a", "Name", "unknown", "", "look again").lines() == ["? Name"]
    assert set(MARKS) == {"passed", "failed", "manual", "unknown"}
