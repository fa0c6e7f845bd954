"""What recipients may ask for, and what goes when its time has come."""

import msgspec
import pytest

from gateway.domain.mail.campaigns import Result
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.profiles import attributes_of
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports.mail.campaigns import Bounce
from gateway.usecases.mail import retention
from gateway.usecases.mail import rights as mail_rights
from gateway.usecases.mail import signups as mail_signups
from tests.support.mail_lists import (
    CLUB,
    DAY,
    FOREIGN,
    KEYS,
    NEWS,
    NOON,
    STATED,
    MailDesk,
)
from tests.support.mail_pages import CAMPAIGN, campaign
from tests.support.stores import Engine

OTHERS = Scope(frozenset({"other"}))


@pytest.fixture
def desk(engine: Engine) -> MailDesk:
    """Mail lists."""
    return MailDesk(engine)


def disclose(
    desk: MailDesk, address: str, advertiser: str = "acme", scope: Scope = EVERYBODY
) -> mail_rights.Disclosure:
    """Somebody wants to know what is kept of them."""
    wish = mail_rights.Ask(scope, advertiser, address, KEYS, "token:7", desk.now)
    disclosed: mail_rights.Disclosure = desk.run(mail_rights.disclose, wish)
    return disclosed


def erase(
    desk: MailDesk, address: str, advertiser: str = "acme", scope: Scope = EVERYBODY
) -> mail_rights.Erased:
    """Somebody wants to be deleted."""
    wish = mail_rights.Erase(scope, advertiser, address, KEYS, "token:7", desk.now, desk.seed(1))
    erased: mail_rights.Erased = desk.run(mail_rights.erase, wish)
    return erased


def ask(desk: MailDesk, address: str) -> None:
    """Somebody signs up."""
    wish = mail_signups.Ask(
        NEWS.id, address, "net", "form", "form", desk.now, desk.seed(2), KEYS, {"name": "A"}
    )
    desk.run(mail_signups.ask, wish)


def test_r104_a_recipient_is_told_all_that_is_kept_of_them(desk: MailDesk) -> None:
    """On each list of the advertiser, and nothing of others'; it can be written as JSON."""
    news = desk.add("A@b.jp", attributes={"name": "田中"}, tags=["vip", "x"]).recipient
    desk.add("a@b.jp", CLUB.id)
    desk.add("a@b.jp", FOREIGN.id)
    desk.add("c@d.jp")
    desk.stop(recipient=news.id, topic="sale", until=NOON + DAY)
    ask(desk, "a@b.jp")
    told = disclose(desk, "a@B.jp")
    assert (told.advertiser, told.address, told.at) == ("acme", "a@b.jp", NOON)
    entries = [each.recipient for each in told.entries]
    assert [(each.list, each.address) for each in entries] == [
        (NEWS.id, "A@b.jp"),
        (CLUB.id, "a@b.jp"),
    ]
    assert attributes_of(entries[0].attributes) == {"name": "田中"}
    assert told.entries[0].tags == ("vip", "x")
    assert [(said.list, said.at, said.evidence) for said in told.consents] == [
        (NEWS.id, STATED.at, STATED.told),
        (CLUB.id, STATED.at, STATED.told),
    ]
    (stop,) = told.stops
    assert (stop.list, stop.topic, stop.until, stop.source) == (NEWS.id, "sale", NOON + DAY, "page")
    (signup,) = told.signups
    assert (signup.list, signup.how, signup.at) == (NEWS.id, "form", NOON)
    decode = msgspec.json.Decoder(mail_rights.Disclosure).decode
    assert decode(msgspec.json.encode(told)) == told
    assert desk.audited[-1] == "mail.disclosed"


def test_r104_a_recipient_is_told_of_their_mails_and_what_came_of_them(
    desk: MailDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after they were taken off the list; the latest ones, where there are many, and then it
    says so.
    """
    id_, other = (desk.add(f"{name}@b.jp").recipient.id for name in "ac")
    for n in range(3):
        made = campaign(desk, CAMPAIGN + n)
        with desk.transaction() as tx:
            of = (EVERYBODY, made)
            tx.campaigns.sends.fix(*of, [(id_, "other", NOON), (other, "other", NOON)])
        with desk.transaction() as tx:
            tx.campaigns.sends.claim(EVERYBODY, made.id, "other", NOON, 10, 1)
            sent = [Result(made.id, each, "sent", NOON) for each in (id_, other)]
            tx.campaigns.sends.settle(EVERYBODY, sent)
            tx.campaigns.figures.responded(EVERYBODY, made.id, id_, "click", NOON + n)
            which, said = (made.id, id_, NOON + n), (550, "5.7.1", "no")
            bounce = Bounce(n + 1, "acme", NEWS.id, *which, "report", "filtered", "failed", *said)
            tx.campaigns.bounces.add(EVERYBODY, [bounce])
    with desk.transaction() as tx:
        tx.mail.recipients.delete(EVERYBODY, [id_], NOON)
    told = disclose(desk, "a@b.jp")
    latest = [CAMPAIGN + 2, CAMPAIGN + 1, CAMPAIGN]
    mails = [(each.list, each.send.campaign, each.send.recipient) for each in told.mails]
    assert mails == [(NEWS.id, each, id_) for each in latest]
    assert [(each.campaign, each.what) for each in told.responses] == [
        (each, "click") for each in latest
    ]
    assert [(each.campaign, each.text) for each in told.bounces] == [
        (each, "no") for each in latest
    ]
    assert not told.more
    monkeypatch.setattr(mail_rights, "MOST", 2)
    told = disclose(desk, "a@b.jp")
    assert [each.send.campaign for each in told.mails] == latest[:2]
    assert told.more


def test_of_a_stranger_nothing_is_kept(desk: MailDesk) -> None:
    """Which is told, too."""
    told = disclose(desk, "stranger@b.jp")
    assert (told.entries, told.consents, told.signups, told.stops) == ((), (), (), ())
    assert (told.mails, told.responses, told.bounces, told.more) == ((), (), (), False)


def test_r104_a_recipient_is_deleted_and_not_mailed_again(desk: MailDesk) -> None:
    """From all lists of the advertiser, with what they typed in; a hash stays that forbids it."""
    known = desk.add("a@b.jp", tags=["vip"]).recipient
    desk.add("a@b.jp", CLUB.id)
    desk.add("a@b.jp", FOREIGN.id)
    desk.add("c@d.jp")
    desk.stop(recipient=known.id)
    ask(desk, "a@b.jp")
    ask(desk, "e@f.jp")
    erased = erase(desk, " A@b.jp")
    assert (erased.recipients, erased.signups) == (2, 1)
    (row,) = erased.suppressions
    assert (row.list, row.topic, row.source) == ("", "", "deletion")
    assert desk.find("a@b.jp") is desk.find("a@b.jp", CLUB.id) is None
    assert desk.find("a@b.jp", FOREIGN.id) is not None
    assert desk.find("c@d.jp") is not None
    assert desk.tags(known) == frozenset()
    signups = desk.engine.rows("SELECT address, attributes FROM mail_signups ORDER BY id")
    assert [address for address, _ in signups if address] == ["e@f.jp"]
    waiting = desk.engine.rows("SELECT payload FROM outbox WHERE state = 'waiting'")
    assert ["a@b.jp" in payload for (payload,) in waiting] == [False]
    for list_ in (NEWS.id, CLUB.id):
        with pytest.raises(Refused) as caught:
            desk.add("a@b.jp", list_, stated=Stated(NOON, "form", "x", "9"))
        assert caught.value.reason is Refusal.RECIPIENT_STOPPED
    told = disclose(desk, "a@b.jp")
    assert told.entries == ()
    assert len(told.consents) == 2
    assert desk.audited.count("mail.erased") == 1


def test_deletion_clears_single_mails_whatever_became_of_them(desk: MailDesk) -> None:
    """Also of one that was sent, or is on its way; those of others stay."""
    for address in ("a@b.jp", "A@b.jp", "e@f.jp"):
        ask(desk, address)
    with desk.transaction() as tx:
        claimed = tx.outbox.claim(EVERYBODY, NOON, ("mail.single",), 10, 60)
        assert len(claimed) == 2  # one of a stream at once
    erase(desk, "a@b.jp")
    payloads = desk.engine.rows("SELECT payload FROM outbox ORDER BY id")
    assert ["f.jp" in payload for (payload,) in payloads] == [False, True]
    assert payloads[0] == ("",)


def test_deleting_a_stranger_keeps_them_from_ever_being_mailed(desk: MailDesk) -> None:
    """They need not be on a list; twice is as once."""
    assert erase(desk, "a@b.jp").recipients == 0
    assert erase(desk, "a@b.jp").signups == 0
    assert len(desk.stops("a@b.jp")) == 1
    with pytest.raises(Refused):
        desk.add("a@b.jp")


def test_the_audit_names_nobody(desk: MailDesk) -> None:
    """It outlives what is deleted."""
    desk.add("tanaka@b.jp")
    disclose(desk, "tanaka@b.jp")
    erase(desk, "tanaka@b.jp")
    assert "tanaka" not in str(desk.engine.rows("SELECT * FROM audit"))


def test_nobody_asks_about_the_recipients_of_others(desk: MailDesk) -> None:
    """An advertiser out of scope is none; an address that is none is refused by name."""
    desk.add("a@b.jp")
    for use_case in (disclose, erase):
        with pytest.raises(Refused) as caught:
            use_case(desk, "a@b.jp", "acme", OTHERS)
        assert caught.value.reason is Refusal.NOT_FOUND
        with pytest.raises(Refused) as caught:
            use_case(desk, "nobody")
        assert caught.value.reason is Refusal.ADDRESS_INVALID
    assert desk.find("a@b.jp") is not None
    assert desk.stops("a@b.jp") == []


def forget(desk: MailDesk, what: retention.Kept, before: int) -> int:
    """A piece of clean-up."""
    gone: int = desk.run(retention.forget, retention.Forget(what, before))
    return gone


def test_consents_go_when_nobody_is_left_and_their_time_is_over(desk: MailDesk) -> None:
    """Those of recipients stay, and so do those of somebody who was mailed lately."""
    desk.add("stays@b.jp")
    desk.add("goes@b.jp")
    erase(desk, "goes@b.jp")
    assert forget(desk, "consents", STATED.at) == 0
    assert forget(desk, "consents", NOON + DAY) == 1
    assert desk.consents("goes@b.jp") == []
    assert len(desk.consents("stays@b.jp")) == 1
    assert len(desk.stops("goes@b.jp")) == 1


def test_stops_go_when_they_have_ended(desk: MailDesk) -> None:
    """One that does not end stays."""
    desk.stop(address="a@b.jp", list=NEWS.id, until=NOON + DAY)
    desk.stop(address="c@d.jp", list=NEWS.id)
    assert forget(desk, "suppressions", NOON + DAY - 1) == 0
    assert forget(desk, "suppressions", NOON + DAY) == 1
    assert desk.stops("a@b.jp") == []
    assert len(desk.stops("c@d.jp")) == 1


def test_sign_ups_and_reports_go_after_their_time(desk: MailDesk) -> None:
    """With all that they say."""
    ask(desk, "a@b.jp")
    desk.begin_import()
    assert forget(desk, "signups", NOON) == forget(desk, "imports", NOON) == 0
    assert forget(desk, "signups", NOON + 1) == 1
    forget(desk, "imports", NOON + 1)
    assert desk.engine.rows("SELECT id FROM mail_signups UNION SELECT id FROM mail_imports") == []


def test_r081_at_a_contract_s_end_only_sealed_proofs_are_left(desk: MailDesk) -> None:
    """Of the one advertiser; they name nobody."""
    desk.add("a@b.jp", attributes={"name": "田中"}, tags=["vip"])
    desk.add("c@d.jp")
    desk.add("a@b.jp", FOREIGN.id)
    for _ in range(20):
        if not desk.run(retention.seal, retention.Seal("acme", "cli", NOON + DAY)):
            break
    else:
        raise AssertionError("it does not come to an end")
    assert desk.find("a@b.jp") is desk.find("c@d.jp") is None
    assert desk.consents("a@b.jp") == []
    assert desk.find("a@b.jp", FOREIGN.id) is not None
    assert desk.size == 0
    proofs = desk.engine.rows("SELECT advertiser, list, at, how, sealed_at FROM mail_proofs")
    assert proofs == [("acme", NEWS.id, STATED.at, "api", NOON + DAY)] * 2
