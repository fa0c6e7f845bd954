"""Words of many kinds of servers, in several languages, and those that only look like a refusal."""

import re
from typing import get_args

import pytest

from gateway.domain.mail.returns.bounces import HARD, BounceClass
from gateway.domain.mail.returns.phrases import LOOSE
from gateway.domain.mail.returns.replies import classify, codes_in
from gateway.domain.mail.returns.wording import class_of, loosely, plain

TO = "neko.mike@there.example"

# Final refusals of a recipient: a class, and replies at RCPT TO.
AT_RCPT: dict[BounceClass, tuple[str, ...]] = {
    "user_unknown": (
        "550 no user by that name here",
        "550 5.1.1 <{to}> no such mail account",
        "550 that recipient is not in our directory",
        "550 5.1.1 account has been deleted",
        "550 {to}: user does not exist on this system",
        "553 5.3.0 <{to}>... unknown local part",
        "550 MAILBOX NOT FOUND",
        "550 5.1.10 recipient was not found",
        "550 5.1.1 wrong login",
        "550 unable to validate the recipient",
        "550 this person is no longer employed with us",
        "550 sorry, no record of this address",
        "552 requested mail action aborted, no such mailbox",
        "550 5.1.1 Empfänger unbekannt",
        "550 Die Adresse existiert nicht",
        "550 5.1.1 destinataire inconnu",
        "550 cette adresse n'existe pas",
        "550 el usuario no existe",
        "550 usuário não existe",
        "550 utente sconosciuto",
        "550 пользователь не найден",
        "550 такого ящика нет",
        "550 收件人不存在",
        "550 5.1.1 宛先が存在しません",
        "550 존재하지 않는 사용자",
        "550 nieznany użytkownik",
        "550 gebruiker onbekend",
    ),
    "host_unknown": (
        "550 5.1.2 no such domain",
        "556 5.1.10 this domain has a null MX",
        "550 no mail exchanger for there.example",
    ),
    "mailbox_full": (
        "552 5.2.2 the recipient's inbox is full",
        "550 user is over quota",
        "552 mailbox has used up its storage allocation: limit exceeded",
        "552 Postfach ist voll",
        "552 boîte pleine",
        "552 buzón lleno",
        "552 caixa cheia",
        "552 ящик переполнен",
        "552 邮箱已满",
        "550 the user's mail folder is full",
        "550 user's disk quota exceeded: too much mail",
        "552 容量オーバー",
    ),
    "suspended": (
        "550 account disabled",
        "550 5.2.1 this mailbox is locked",
        "550 5.1.1 account temporarily suspended",
        "550 mailbox closed due to inactivity",
        "550 compte désactivé",
        "550 ящик заблокирован",
        "550 帐号已停用",
        "550 アカウントは停止中です",
    ),
    "filtered": (
        "550 the recipient has blocked you",
        "550 the user does not accept mail from you",
        "550 mailbox cannot receive messages",
        "553 this recipient is on the badrcptto list",
        "550 delivery not allowed to this mailbox",
        "550 受信拒否されています",
    ),
    "policy": (
        "550 relay not permitted",
        "554 relaying denied",
        "550 5.7.1 SPF check failed",
        "550 no PTR record for your address",
        "550 bad reverse DNS",
        "503 authentication is needed to send to non-local addresses",
        "500 syntax error",
    ),
    "blocked": (
        "550 your IP is blacklisted",
        "554 client host rejected",
        "550 5.7.1 listed at dnsbl.example",
        "550 sender verify failed",
        "553 5.1.8 domain of sender address does not exist",
        "554 Ihre IP steht auf der schwarzen Liste",
        "550 adresse ip en liste noire",
    ),
    "throttled": (
        "550 too many recipients this hour",
        "550 5.7.1 you exceeded the hourly sending limit",
        "452 4.5.3 too many recipients",
        "451 greylisted, come back in 60 seconds",
        "421 too many concurrent sessions",
        "421 zu viele Verbindungen",
        "451 发信频率过快",
        "450 first contact, retry in 300 seconds",
        "421 graylisted",
    ),
    "system": (
        "452 4.3.1 insufficient system resources",
        "451 temporary lookup failure",
        "451 4.3.0 please try again later",
        "421 service not available",
        "550 ruleset went into recursion",
    ),
}

# Content that was refused: at the end of DATA.
AT_END: dict[BounceClass, tuple[str, ...]] = {
    "spam": (
        "554 this message is spam",
        "550 5.7.1 refused by the content filter",
        "554 virus found",
        "552 executable attachment is not allowed",
        "554 message scored 12.1 points",
        "554 признано спамом",
        "554 垃圾邮件",
    ),
    "too_big": (
        "552 5.3.4 message too large",
        "552 mail size exceeds the limit",
        "552 Nachricht zu groß",
        "552 message trop volumineux",
        "552 邮件过大",
    ),
    "policy": (
        "550 5.7.26 DMARC check failed",
        "550 missing From header",
        "554 5.7.1 refused by local policy",
    ),
    "expired": ("554 5.4.6 too many hops", "554 too many Received headers"),
}

# They speak of a user, a domain or an address and are not about the recipient, or not for good.
SOFT = (
    ("rcpt", "550 server does not accept mail over IPv6"),
    ("rcpt", "550 user cannot receive mail from outside"),
    ("rcpt", "553 recipient is in my badrcptto list (#5.7.1)"),
    ("rcpt", "550 account has had no activity"),
    ("rcpt", "553 5.1.8 domain of sender address does not exist"),
    ("rcpt", "550 5.1.1 possible forgery"),
    ("rcpt", "550 5.1.1 you are not subscribed to this list"),
    ("rcpt", "550 5.1.1 account disabled"),
    ("rcpt", "550 5.1.1 mailbox full"),
    ("rcpt", "550 postmaster verification failed: user unknown"),
    ("rcpt", "550 sender unknown"),
    ("rcpt", "550 too many unknown users"),
    ("rcpt", "550 unable to find your hostname"),
    ("rcpt", "450 4.1.1 user unknown"),
    ("rcpt", "450 4.1.2 domain not found"),
    ("rcpt", "421 mailbox unavailable"),
    ("mail", "550 user unknown"),
    ("mail", "550 5.1.2 host unknown"),
    ("mail", "553 sender is in my badmailfrom list"),
    ("connect", "554 no such user, go away"),
    ("end", "550 unknown user {to}"),
    ("end", "550 link to an unknown domain in the message"),
    ("rcpt", "550 refused"),
    ("rcpt", "554 no"),
)


@pytest.mark.parametrize(
    ("stage", "bounce_class", "reply"),
    [
        (stage, bounce_class, reply)
        for stage, table in (("rcpt", AT_RCPT), ("end", AT_END))
        for bounce_class, replies in table.items()
        for reply in replies
    ],
)
def test_a_refusal_is_understood_in_whatever_words(
    stage: str, bounce_class: BounceClass, reply: str
) -> None:
    """The class is of the meaning, and hard only what is final and of the address."""
    reply = reply.format(to=TO)
    found = classify(stage, *codes_in(reply), reply)
    assert found == (bounce_class, bounce_class in HARD and reply.startswith("5"))


@pytest.mark.parametrize(("stage", "reply"), SOFT)
def test_what_only_looks_like_an_unknown_address_strikes_nobody(stage: str, reply: str) -> None:
    """An address is dropped for what is said of it alone, and for good."""
    reply = reply.format(to=TO)
    assert not classify(stage, *codes_in(reply), reply)[1]


@pytest.mark.parametrize("code", [530, 534, 535, 538])
def test_codes_of_authentication_are_ours_to_mend(code: int) -> None:
    """RFC 4954: whatever the server adds, we have to log in or to log in otherwise."""
    for words in ("denied", "temporarily rejected", "x17"):
        assert classify("auth", code, "", words) == ("policy", False)


@pytest.mark.parametrize("reply", ["550 looks like spam", "554 no such user", "550 mailbox full"])
def test_before_a_recipient_was_named_a_refusal_is_of_our_server(reply: str) -> None:
    """Nothing was sent yet that could be spam, and nobody named that could be unknown."""
    assert classify("greeting", *codes_in(reply), reply) == ("blocked", False)


def test_a_connection_that_is_refused_in_words_was_made() -> None:
    """A server that says so was reached; one that was not says nothing."""
    assert classify("connect", 554, "", "connection refused") == ("blocked", False)
    assert classify("connect", 0, "", "connection refused") == ("expired", False)


def test_a_code_that_no_standard_has_counts_by_its_first_figure() -> None:
    """RFC 5321, 4.2.1."""
    assert classify("rcpt", 599, "", "x17") == ("filtered", False)
    assert classify("rcpt", 499, "", "x17") == ("system", False)


@pytest.mark.parametrize(
    ("words", "bounce_class"),
    [
        ("the quota says no", "mailbox_full"),
        ("fraud", "spam"),
        ("signature", "policy"),
        ("route", "expired"),
        ("internal trouble", "system"),
    ],
)
def test_a_single_word_helps_where_no_phrase_is_found(
    words: str, bounce_class: BounceClass
) -> None:
    """With a reply code, since a report without any may say such a word of anything."""
    assert class_of(plain(words)) is None
    assert loosely(plain(words)) == bounce_class
    assert classify("rcpt", 550, "", words) == (bounce_class, False)
    assert classify("", 0, "", words)[0] == "other"


def test_a_status_goes_before_a_single_word() -> None:
    """A word alone says less than the registry of RFC 5248."""
    assert classify("rcpt", 550, "5.2.1", "quota")[0] == "suspended"


def test_asking_for_another_try_is_no_reason() -> None:
    """Live it is the server's trouble; quoted without figures, the tries are over."""
    assert classify("rcpt", 451, "", "please try again later") == ("system", False)
    assert classify("", 0, "", "please try again later") == ("expired", False)


def test_unknown_user_in_docomos_words_is_docomos_alone() -> None:
    """Any other server that begins so in a report without a command means what it says."""
    reply = "550 unknown user {to}"
    assert classify("", 550, "", reply.format(to=TO), "there.example") == ("user_unknown", True)
    assert classify("", 550, "", reply.format(to=TO), "docomo.ne.jp") == ("filtered", False)
    assert classify("", 550, "", "550 user unknown", "there.example") == ("filtered", False)


def test_a_bare_rejection_with_the_status_of_an_unknown_mailbox_is_that() -> None:
    """Unless it says by whom or why, which is a filter's."""
    assert classify("rcpt", 550, "5.1.1", "recipient rejected") == ("user_unknown", True)
    assert classify("rcpt", 550, "5.1.1", "recipient rejected by the owner") == ("filtered", False)
    assert classify("rcpt", 550, "5.7.1", "recipient rejected")[1] is False


def test_a_full_disk_before_a_recipient_is_the_servers() -> None:
    """Nobody's mailbox was named yet."""
    assert classify("mail", 452, "4.3.1", "mail system is full") == ("system", False)


def test_each_loose_rule_is_of_a_class_and_has_a_source() -> None:
    """As those of the phrases."""
    for rule in LOOSE:
        assert rule.source
        assert rule.bounce_class in get_args(BounceClass)
        for phrase in rule.phrases:
            re.compile(phrase)
