"""Sign-ups: anybody may ask, and only whose address it is can confirm."""

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.profiles import attributes_of
from gateway.domain.mail.recipients import Source
from gateway.domain.mail.returns.bounces import Reading
from gateway.domain.mail.signups import MOST_OF_ADDRESS, MOST_OF_NETWORK, is_public, network_of
from gateway.domain.mail.tokens import Named, opened, sealed
from gateway.domain.values import EVERYBODY
from gateway.errors import Refusal, Refused
from gateway.usecases.mail import bounces as mail_bounces
from gateway.usecases.mail import lists as mail_lists
from gateway.usecases.mail import signups as mail_signups
from tests.support.mail_lists import CLUB, DAY, FOREIGN, HOUR, KEYS, NEWS, NOON, PUBLIC, MailDesk
from tests.support.stores import Engine

HOME = network_of("192.0.2.7", KEYS)


@pytest.fixture
def desk(engine: Engine) -> MailDesk:
    """Mail lists."""
    return MailDesk(engine)


def ask(desk: MailDesk, address: str = "a@b.jp", **given: Any) -> str:
    """Somebody types in an address."""
    wish = {
        "list": NEWS.id,
        "network": HOME,
        "how": "form",
        "evidence": f"{PUBLIC}/s/acme-news",
        "now": desk.now,
        "seed": desk.seed(2),
        "keys": KEYS,
        **given,
    }
    asked: str = desk.run(mail_signups.ask, mail_signups.Ask(address=address, **wish))
    return asked


def mails(desk: MailDesk) -> list[dict[str, Any]]:
    """What is to be sent, in order."""
    rows = desk.engine.rows("SELECT kind, payload FROM outbox ORDER BY id")
    assert {kind for kind, _ in rows} <= {"mail.single"}
    return [json.loads(payload) for _, payload in rows]


def token_of(mail: dict[str, Any]) -> str:
    """The token of a confirmation's link."""
    link = next(line for line in mail["text"].splitlines() if line.startswith(PUBLIC))
    assert link.startswith(f"{PUBLIC}/s/{NEWS.id}?t=")
    return str(link.partition("?t=")[2])


def confirm(desk: MailDesk, token: str, list_: str = NEWS.id) -> mail_signups.Confirmed:
    """Somebody presses the button."""
    named = opened(token, KEYS.signup).recipient
    wish = mail_signups.Confirm(list_, named, "page", desk.now, desk.seed(2))
    confirmed: mail_signups.Confirmed = desk.run(mail_signups.confirm, wish)
    return confirmed


def test_a_form_puts_nobody_on_a_list(desk: MailDesk) -> None:
    """It sends one mail, with the notice, the law's items and the link; in the asker's language."""
    assert ask(desk) == "asked"
    assert ask(desk, "c@d.jp", language="en") == "asked"
    assert desk.find("a@b.jp") is None
    assert desk.size == 0
    japanese, english = mails(desk)
    assert (japanese["list"], japanese["address"]) == (NEWS.id, "a@b.jp")
    assert "Acme" in japanese["subject"]
    for item in (NEWS.sender_name, NEWS.sender_address, NEWS.contact, NEWS.notice):
        assert item in japanese["text"]
        assert item in english["text"]
    assert "48時間以内" in japanese["text"]
    assert "within 48 hours" in english["text"]
    assert opened(token_of(japanese), KEYS.signup) == Named(0, japanese["signup"])


def test_r073_a_confirmation_is_kept_with_both_steps(desk: MailDesk) -> None:
    """When, how, by what and on which notice they consented."""
    ask(desk, "A@b.jp", attributes={"name": "田中"})
    desk.now += HOUR
    confirmed = confirm(desk, token_of(mails(desk)[0]))
    assert (confirmed.is_new, confirmed.lifted) == (True, 0)
    recipient = desk.find("a@b.jp")
    assert recipient is not None
    assert (recipient.id, recipient.address) == (confirmed.recipient, "A@b.jp")
    assert attributes_of(recipient.attributes) == {"name": "田中"}
    (said,) = desk.consents("a@b.jp")
    assert (said.at, said.how, said.notice) == (NOON + HOUR, "form", "3")
    assert said.evidence == (
        f"asked 2026-11-03T03:00:00Z {PUBLIC}/s/acme-news · confirmed 2026-11-03T04:00:00Z page"
    )
    assert desk.size == 1


def test_an_empty_mail_is_confirmed_like_a_form(desk: MailDesk) -> None:
    """Its Message-ID is part of the evidence."""
    assert ask(desk, how="empty_mail", evidence="<1@phone.example>") == "asked"
    confirm(desk, token_of(mails(desk)[0]))
    (said,) = desk.consents("a@b.jp")
    assert said.how == "empty_mail"
    assert "<1@phone.example>" in said.evidence


def test_a_second_press_changes_nothing(desk: MailDesk) -> None:
    """Nor does one after they were taken off, or after they stopped."""
    ask(desk)
    token = token_of(mails(desk)[0])
    first = confirm(desk, token)
    again = confirm(desk, token)
    assert (again.recipient, again.is_new) == (first.recipient, False)
    desk.stop(recipient=first.recipient)
    assert not confirm(desk, token).is_new
    assert len(desk.stops("a@b.jp")) == len(desk.consents("a@b.jp")) == 1
    wish = mail_lists.Remove(EVERYBODY, NEWS.id, first.recipient, "token:7", NOON)
    desk.run(mail_lists.remove, wish)
    assert confirm(desk, token) == mail_signups.Confirmed(0, is_new=False)
    assert desk.find("a@b.jp") is None


def test_a_confirmation_comes_within_two_days(desk: MailDesk) -> None:
    """Then it has to be asked for again."""
    ask(desk)
    token = token_of(mails(desk)[0])
    desk.now = NOON + 2 * DAY
    with pytest.raises(Refused) as caught:
        confirm(desk, token)
    assert caught.value.reason is Refusal.CODE_EXPIRED
    desk.now -= 1
    assert confirm(desk, token).is_new


def test_a_forged_token_confirms_nothing(desk: MailDesk) -> None:
    """Nor does one of another purpose, or of another list."""
    ask(desk)
    signup = mails(desk)[0]["signup"]
    for token in ("", "x" * 38, "ü", sealed(Named(0, signup), KEYS.stop)):
        with pytest.raises(Refused) as caught:
            confirm(desk, token)
        assert caught.value.reason is Refusal.NOT_FOUND
    with pytest.raises(Refused):
        confirm(desk, sealed(Named(0, signup), KEYS.signup), CLUB.id)
    assert desk.find("a@b.jp") is None


def test_a_list_that_is_not_open_takes_nobody(desk: MailDesk) -> None:
    """Like one that is not there."""
    for list_ in (CLUB.id, "nothing"):
        for how in ("form", "empty_mail"):
            with pytest.raises(Refused) as caught:
                ask(desk, list=list_, how=how)
            assert caught.value.reason is Refusal.NOT_FOUND
    with pytest.raises(Refused) as caught:
        ask(desk, "nobody")
    assert caught.value.reason is Refusal.ADDRESS_INVALID
    with pytest.raises(Refused) as caught:
        ask(desk, attributes={"shoe": "42"})
    assert caught.value.reason is Refusal.INVALID_FIELD
    assert mails(desk) == []


def test_an_address_is_asked_a_few_times_a_day(desk: MailDesk) -> None:
    """Whoever types it in, from wherever; after a day it may be asked again."""
    for n in range(MOST_OF_ADDRESS):
        assert ask(desk, network=f"net{n}") == "asked"
    assert ask(desk, "A@B.jp", network="another") == "limited_address"
    assert len(mails(desk)) == MOST_OF_ADDRESS
    assert ask(desk, "c@d.jp") == "asked"
    desk.now += DAY + 1
    assert ask(desk) == "asked"


def test_a_network_asks_some_times_a_day(desk: MailDesk) -> None:
    """For however many addresses."""
    for n in range(MOST_OF_NETWORK):
        assert ask(desk, f"user{n}@b.jp") == "asked"
    assert ask(desk) == "limited_network"
    assert len(mails(desk)) == MOST_OF_NETWORK
    assert ask(desk, network="another") == "asked"


def test_a_list_answers_so_many_an_hour(desk: MailDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty mails, whoever they seem to be from, and as many by its form, from however many
    networks. Other lists have their own.
    """
    monkeypatch.setattr(mail_signups, "MOST_OF_LIST", 5)
    by_mail = {"how": "empty_mail", "network": mail_signups.mailbox_of(NEWS.id, KEYS)}
    told = [ask(desk, f"user{n}@b.jp", **by_mail) for n in range(7)]
    assert told == [*["asked"] * 5, *["limited_list"] * 2]
    assert mail_signups.mailbox_of(CLUB.id, KEYS) != by_mail["network"]
    told = [ask(desk, f"other{n}@b.jp", network=f"n{n}") for n in range(7)]
    assert told == [*["asked"] * 5, *["limited_list"] * 2]
    assert len(mails(desk)) == 10
    desk.now += HOUR + 1
    assert ask(desk, **by_mail) == ask(desk) == "asked"


@pytest.mark.parametrize("address", ["a@b.jp", "stranger@b.jp"])
def test_a_single_mail_can_be_stopped_by_its_header(desk: MailDesk, address: str) -> None:
    """One click in a confirmation, or in the mail to who is on the list: the token names what was
    asked for, and it cannot be confirmed any more.
    """
    desk.add("a@b.jp")
    ask(desk, address)
    (mail,) = mails(desk)
    stopped = desk.stop(source="one_click", recipient=mail["signup"])
    assert (stopped.is_new, stopped.list) == (True, NEWS.id)
    assert [each.source for each in desk.stops(address)] == ["one_click"]
    with pytest.raises(Refused):
        confirm(desk, sealed(Named(0, mail["signup"]), KEYS.signup))
    assert not desk.stop(source="one_click", recipient=mail["signup"]).is_new
    assert ask(desk, address) == "asked"  # by their own word they come back


@pytest.mark.parametrize("address", ["a@b.jp", "stranger@b.jp"])
def test_a_complaint_of_a_single_mail_stops(desk: MailDesk, address: str) -> None:
    """It counts once, and nobody writes to them again."""
    desk.add("a@b.jp")
    ask(desk, address)
    (mail,) = mails(desk)
    reading = Reading("", "complaint", action="", feedback_type="abuse")
    desk.stop(source="one_click", recipient=mail["signup"])  # many do both
    for is_first in (True, False):
        named = Named(0, mail["signup"])
        came = mail_bounces.Came(named, reading, NOON, "complaint", desk.seed(), KEYS)
        took = desk.run(mail_bounces.came, came)
        assert (took.counted, len(took.suppressions)) == (is_first, 1)
    assert [each.source for each in desk.stops(address)] == ["complaint"]
    assert ask(desk, address) == "stopped"
    assert len(mails(desk)) == 1


@pytest.mark.parametrize("before", [None, "page"])
@pytest.mark.parametrize("source", ["complaint", "deletion"])
def test_who_complained_or_was_deleted_is_not_written_to(
    desk: MailDesk, source: Source, before: Source | None
) -> None:
    """Whoever types in their address, and also where they had stopped before; others are asked."""
    if before:
        desk.stop(address="a@b.jp", list=NEWS.id, source=before)
    desk.stop(address="a@b.jp", list=NEWS.id, source=source)
    assert [ask(desk) for _ in range(4)] == [*["stopped"] * 3, "limited_address"]
    assert mails(desk) == []
    assert desk.engine.rows("SELECT DISTINCT address, state FROM mail_signups") == [("", "dropped")]
    assert ask(desk, "c@d.jp") == "asked"


def test_whoever_is_on_the_list_is_told_so_by_mail(desk: MailDesk) -> None:
    """With a link to stop; whoever typed it in learns nothing, and it counts like others."""
    known = desk.add("a@b.jp").recipient
    assert ask(desk) == "already"
    (mail,) = mails(desk)
    assert "すでに登録されています" in mail["text"]
    assert f"{PUBLIC}/u/{sealed(Named(0, known.id), KEYS.stop)}\n" in mail["text"]
    assert "?t=" not in mail["text"]
    assert [ask(desk) for _ in range(3)] == ["already", "already", "limited_address"]
    assert desk.engine.rows("SELECT DISTINCT address, state FROM mail_signups") == [("", "dropped")]
    with pytest.raises(Refused):
        confirm(desk, sealed(Named(0, mail["signup"]), KEYS.signup))


def test_r102_whoever_stopped_comes_back_by_their_own_word(desk: MailDesk) -> None:
    """Asking lifts nothing; confirming lifts what was stopped of the list, but not of a topic."""
    known = desk.add("a@b.jp").recipient
    desk.stop(recipient=known.id)
    desk.stop(recipient=known.id, topic="sale")
    assert ask(desk) == "asked"
    assert len(desk.stops("a@b.jp")) == 2
    assert desk.size == 0
    confirmed = confirm(desk, token_of(mails(desk)[0]))
    assert (confirmed.recipient, confirmed.lifted) == (known.id, 1)
    assert [stop.topic for stop in desk.stops("a@b.jp")] == ["sale"]
    assert [said.how for said in desk.consents("a@b.jp")] == ["api", "form"]
    assert desk.size == 1


def test_coming_back_to_one_list_opens_no_other(desk: MailDesk) -> None:
    """What was stopped for all lists of an advertiser goes on for the others."""
    whole = desk.stop(address="a@b.jp", list=NEWS.id).suppressions[0]
    with desk.transaction() as tx:
        from_all = type(whole)(**{**as_dict(whole), "list": "", "source": "staff"})
        tx.mail.suppressions.add(EVERYBODY, (from_all,))
    ask(desk)
    assert confirm(desk, token_of(mails(desk)[0])).lifted == 2
    (left,) = desk.stops("a@b.jp")
    assert (left.list, left.source) == (CLUB.id, "staff")
    assert desk.stops("a@b.jp", FOREIGN.advertiser) == []


def as_dict(suppression: Any) -> dict[str, Any]:
    """The fields of a row."""
    return {name: getattr(suppression, name) for name in suppression.__struct_fields__}


def test_whoever_was_struck_is_asked_anew(desk: MailDesk) -> None:
    """The mail arrived, so what bounced before does not count any more."""
    known = desk.add("a@b.jp").recipient
    with desk.transaction() as tx:
        struck = type(known)(**{**as_dict(known), "state": "removed", "strikes": 3})
        tx.mail.recipients.save(EVERYBODY, (struck,), NOON)
    desk.stop(recipient=known.id, source="strikes")
    assert ask(desk) == "asked"
    confirm(desk, token_of(mails(desk)[0]))
    back = desk.find("a@b.jp")
    assert back is not None
    assert (back.id, back.state, back.strikes) == (known.id, "active", 0)
    assert desk.stops("a@b.jp") == []


@given(st.ip_addresses(v=4), st.integers(0, 255))
def test_a_network_is_what_one_customer_has(address: ipaddress.IPv4Address, last: int) -> None:
    """/24 of IPv4, however it is written; its hash tells nobody the address."""
    neighbour = ipaddress.IPv4Address(int(address) & ~255 | last)
    of = network_of(str(address), KEYS)
    assert of == network_of(str(neighbour), KEYS) == network_of(f"::ffff:{address}", KEYS)
    assert of != network_of(str(ipaddress.IPv4Address(int(address) ^ 256)), KEYS)
    assert len(of) == 32


def test_a_network_of_the_new_protocol_is_wider() -> None:
    """/64 of IPv6; what is no address is a network of its own."""
    of = network_of("2001:db8:1:2::7", KEYS)
    assert of == network_of("2001:db8:1:2:ffff::", KEYS)
    assert of != network_of("2001:db8:1:3::7", KEYS)
    assert network_of("unix", KEYS) != network_of("", KEYS)


@pytest.mark.parametrize(
    ("peer", "told"),
    [
        ("8.8.8.8", True),
        ("::ffff:8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("10.0.0.25", False),
        ("::ffff:192.168.0.1", False),
        ("", False),
    ],
)
def test_a_relay_of_ours_has_no_address_of_the_internet(peer: str, told: bool) -> None:
    """Mails that it passes on come from everywhere."""
    assert is_public(peer) is told
