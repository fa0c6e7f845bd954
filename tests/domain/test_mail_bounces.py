"""What servers' replies say of recipients, live or quoted in a bounce."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.returns.bounces import COUNTS, HARD, BounceClass, Reading
from gateway.domain.mail.returns.phrases import RULES
from gateway.domain.mail.returns.replies import classify, codes_in
from gateway.domain.mail.returns.wording import CAP, class_of, plain
from tests.adapters.smtp.reading.manners import CONTENT, REPLIES

TO = "neko.mike@there.example"
CLASSES = frozenset(get_args(BounceClass))
STAGES = ("", "connect", "tls", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "end")

# Without a reply code: what the sending server says by itself.
SAID_BY_OURS = {
    "host_unknown": (
        "Host or domain name not found. Name service error for name=x.example: Host not found",
        "Unrouteable address",
        "all relevant MX records point to non-existent hosts",
        "an MX or SRV record indicated no SMTP service",
        "Sorry, I couldn't find any host named x.example. (#5.1.2)",
        "Domain does not exist",
        "宛先のドメインが存在しません",
    ),
    "user_unknown": (
        "Sorry, no mailbox here by that name. (#5.1.1)",
        "User neko (neko@there.example) not listed in public Name & Address Book",
        "宛先のメールアドレスが見つかりませんでした",
        "ご指定のユーザーは存在しません",
        "пользователь не найден",
        "Benutzer existiert nicht",
    ),
    "mailbox_full": (
        "Recipient's mailbox is full, message returned to sender. (#5.2.2)",
        "メールボックスの容量を超過しています",
        "Postfach voll",
    ),
    "filtered": ("受信拒否設定のため配信できませんでした",),
    "expired": (
        "connect to mx.there.example[192.0.2.1]:25: Connection refused",
        "conversation with mx.there.example[192.0.2.1] timed out while receiving the greeting",
        "lost connection with mx.there.example[192.0.2.1] while sending end of data",
        "retry timeout exceeded",
        "Delivery time expired",
        "Host or domain name not found. Name service error: Host not found, try again",
        "Message could not be delivered for 5 days",
    ),
    "system": (
        "mail for there.example loops back to myself",
        'Command died with status 127: "/usr/local/bin/filter"',
        "mailer error",
    ),
}


@pytest.mark.parametrize(
    ("bounce_class", "reply"),
    [(bounce_class, reply) for bounce_class, replies in REPLIES.items() for reply in replies],
)
def test_replies_of_many_servers_are_understood(bounce_class: BounceClass, reply: str) -> None:
    """A reply's words, its figures and the command together give its class."""
    stage = "end" if bounce_class in CONTENT else "rcpt"
    reply = reply.format(to=TO)
    assert classify(stage, *codes_in(reply), reply) == (bounce_class, bounce_class in HARD)


@pytest.mark.parametrize(
    ("bounce_class", "words"),
    [(bounce_class, words) for bounce_class, all_ in SAID_BY_OURS.items() for words in all_],
)
def test_words_of_the_sending_server_are_understood(bounce_class: BounceClass, words: str) -> None:
    """Where no other server answered, the sending one's words give the class."""
    assert classify("", 0, "", words)[0] == bounce_class


@pytest.mark.parametrize(
    ("stage", "reply", "domain", "bounce_class"),
    [
        ("rcpt", "550 Unknown user {to}", "docomo.ne.jp", "user_unknown"),
        ("data", "550 Unknown user {to}", "docomo.ne.jp", "filtered"),
        ("end", "550 Unknown user {to}", "docomo.ne.jp", "filtered"),
        ("rcpt", "550 <{to}>: User unknown", "ezweb.ne.jp", "user_unknown"),
        ("", "550 <{to}>: User unknown", "ezweb.ne.jp", "user_unknown"),
        ("rcpt", "550 : User unknown", "ezweb.ne.jp", "filtered"),
        ("end", "550 : User unknown", "au.com", "filtered"),
        ("end", "550 5.1.1 <{to}> User unknown", "there.example", "user_unknown"),
    ],
)
def test_carriers_say_unknown_of_whom_their_users_filter(
    stage: str, reply: str, domain: str, bounce_class: BounceClass
) -> None:
    """What docomo and au mean by "unknown" depends on the command and on the address in it."""
    reply = reply.format(to=f"neko@{domain}")
    assert classify(stage, *codes_in(reply), reply, domain)[0] == bounce_class


@pytest.mark.parametrize("stage", ["connect", "greeting", "ehlo", "mail"])
def test_before_a_recipient_was_named_nothing_is_about_one(stage: str) -> None:
    """Unknown users and hosts at MAIL FROM are ours, and no address is struck for them."""
    for reply in ("550 5.1.1 user unknown", "550 Domain does not exist", "552 mailbox full"):
        assert classify(stage, *codes_in(reply), reply) == ("blocked", False)


@pytest.mark.parametrize(
    ("code", "enhanced", "bounce_class"),
    [
        (550, "5.1.1", "user_unknown"),
        (550, "5.1.6", "moved"),
        (550, "5.2.2", "mailbox_full"),
        (550, "5.7.1", "policy"),
        (550, "5.7.13", "suspended"),
        (556, "", "host_unknown"),
        (552, "", "mailbox_full"),
        (451, "4.3.0", "system"),
        (450, "4.4.1", "expired"),
        (500, "", "policy"),
        (550, "", "filtered"),
        (0, "", "other"),
    ],
)
def test_figures_decide_where_words_do_not(
    code: int, enhanced: str, bounce_class: BounceClass
) -> None:
    """The status of RFC 3463 goes before the reply code of RFC 5321; neither: the class is open."""
    assert classify("rcpt", code, enhanced, "x17 [3]")[0] == bounce_class


def test_a_status_that_is_particular_goes_before_general_words() -> None:
    """An administrator's "denied" with 5.1.1 is an unknown user."""
    assert classify("rcpt", 550, "5.1.1", "denied by policy") == ("user_unknown", True)
    assert classify("rcpt", 550, "5.7.1", "denied by policy") == ("policy", False)


@pytest.mark.parametrize(
    "words",
    [
        "rejected, see https://there.example/reasons#user-unknown",
        "rejected <mailbox-full@there.example>",
        "rejected, www.there.example/unknown/user",
    ],
)
def test_links_and_addresses_are_not_a_servers_words(words: str) -> None:
    """A reason is read neither in a link nor in an address."""
    assert class_of(plain(words)) is None


@given(
    stage=st.sampled_from(STAGES),
    code=st.sampled_from([0, 421, 450, 452, 550, 552, 554, 999, -1]),
    enhanced=st.sampled_from(["", "4.1.1", "5.1.1", "5.7.1", "4.2.2", "5.999.999", "x"]),
    text=st.text(max_size=300) | st.sampled_from([r for all_ in REPLIES.values() for r in all_]),
)
def test_any_reply_has_a_class_and_what_may_pass_is_not_hard(
    stage: str, code: int, enhanced: str, text: str
) -> None:
    """Hard is only a final refusal of a hard class, once a recipient was named."""
    bounce_class, hard = classify(stage, code, enhanced, text)
    assert bounce_class in CLASSES
    if hard:
        assert bounce_class in HARD
        assert code // 100 == 5 or (not code and not enhanced.startswith("4"))
        assert stage not in ("connect", "tls", "greeting", "ehlo", "auth", "mail")


@given(st.text() | st.text("5.1 0-", max_size=40))
def test_codes_are_of_their_form(text: str) -> None:
    """A code found is a refusal's, a status is one of RFC 3463."""
    code, status = codes_in(text)
    assert code == 0 or 400 <= code < 600
    assert re.fullmatch(r"([245]\.\d{1,3}\.\d{1,3})?", status)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("550 5.1.1 unknown", (550, "5.1.1")),
        ("smtp;550-5.7.26 x", (550, "5.7.26")),
        ("5.2.2 full", (0, "5.2.2")),
        ("host mx[192.0.2.1] version 4.92.3550 at 10:550", (0, "")),
        ("mail to 550@there.example", (0, "")),
        ("(#5.1.1)", (0, "5.1.1")),
    ],
)
def test_codes_stand_apart(text: str, codes: tuple[int, str]) -> None:
    """Figures within an address, a version or a time are no codes."""
    assert codes_in(text) == codes


def test_a_strike_is_a_final_failure_of_the_classes_that_count() -> None:
    """R75 counts unknown, moved, full, suspended and filtered, and nothing of the sender's."""
    struck = {each for each in CLASSES if Reading("", each).strikes}
    assert struck == COUNTS
    assert HARD | {"mailbox_full", "suspended", "filtered"} == COUNTS
    assert not Reading("", "user_unknown", action="delayed").strikes


def test_each_rule_says_what_it_rests_on() -> None:
    """No line of the table is without a source, and each phrase is a pattern by itself."""
    for rule in RULES:
        assert rule.source
        assert rule.bounce_class in CLASSES
        for phrase in rule.phrases:
            re.compile(phrase)
            assert phrase == phrase.lower() or "\\" in phrase


def test_long_texts_are_cut() -> None:
    """However much a server says, only the start of it is looked at."""
    assert len(plain("word " * 100_000)) <= CAP
