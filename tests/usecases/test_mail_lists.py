"""Recipients come onto a list with their consent, change, and go."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.domain.mail.campaigns import Condition
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.lists import Dkim, MailList
from gateway.domain.mail.profiles import attributes_of
from gateway.domain.mail.recipients import Recipient
from gateway.domain.mail.segments import MailSegment
from gateway.domain.mail.tokens import keys_of
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.tomlfile import Secret
from gateway.usecases.mail import lists as mail_lists
from tests.support.mail_lists import (
    CLUB,
    DAY,
    KEYS,
    MANAGER,
    NEWS,
    NOON,
    OPERATOR,
    STATED,
    MailDesk,
    transaction,
)
from tests.support.stores import Engine

OTHERS = Scope(frozenset({"other"}))


@pytest.fixture
def desk(engine: Engine) -> MailDesk:
    """Mail lists."""
    return MailDesk(engine)


def change(desk: MailDesk, recipient: int, **given: object) -> Recipient:
    """What is known of somebody changes."""
    wish = {"scope": EVERYBODY, "access": MANAGER, "list": NEWS.id, "now": NOON + DAY} | given
    changed: Recipient = desk.run(
        mail_lists.change,
        mail_lists.Change(recipient=recipient, **wish),  # type: ignore[arg-type]
    )
    return changed


def test_the_keys_are_the_same_for_all(desk: MailDesk) -> None:
    """Whoever asks first makes them."""
    keys = desk.run(mail_lists.mail_keys, b"first")
    assert keys == desk.run(mail_lists.mail_keys, b"second") == keys_of(b"first")


def test_r073_somebody_comes_onto_a_list_with_the_consent_on_record(desk: MailDesk) -> None:
    """When, how, by what, on which notice, and when we heard of it."""
    added = desk.add(" Tanaka@Docomo.ne.jp", attributes={"name": "田中"}, tags=["vip"])
    recipient = added.recipient
    assert added.outcome == "added"
    assert desk.find("tanaka@docomo.ne.jp") == recipient
    assert (recipient.address, recipient.lane) == ("Tanaka@docomo.ne.jp", "docomo")
    assert attributes_of(recipient.attributes) == {"name": "田中"}
    assert desk.tags(recipient) == {"vip"}
    (said,) = desk.consents("tanaka@docomo.ne.jp")
    assert (said.recipient, said.at, said.how) == (recipient.id, STATED.at, "api")
    assert (said.evidence, said.notice) == ("店頭の申込書: No. 12", "2")
    assert said.recorded_at == NOON
    assert desk.size == 1


def test_r068_somebody_counts_under_the_contract_of_their_list(desk: MailDesk) -> None:
    """An address on lists of two contracts counts in each."""
    desk.engine.provision(NEWS, msgspec.structs.replace(CLUB, contract="prepaid"))
    contracts = [desk.add("hana@example.jp", each.id).recipient.contract for each in (NEWS, CLUB)]
    assert contracts == ["postpaid", "prepaid"]
    assert desk.size == 2


def test_somebody_is_on_a_list_once(desk: MailDesk) -> None:
    """A second wish adds what is new of them; the same consent is kept once."""
    first = desk.add("a@b.jp", attributes={"name": "A", "pref": "東京都"}, tags=["x"]).recipient
    again = desk.add("A@B.jp", attributes={"name": "B"}, tags=["y"])
    assert (again.outcome, again.recipient.id) == ("updated", first.id)
    assert again.recipient.address == "a@b.jp"
    assert attributes_of(again.recipient.attributes) == {"name": "B", "pref": "東京都"}
    assert desk.tags(first) == {"x", "y"}
    assert desk.add("a@b.jp", tags=["y"]).outcome == "unchanged"
    assert len(desk.consents("a@b.jp")) == 1
    later = Stated(STATED.at + DAY, "電話", "録音 5", "3")
    assert desk.add("a@b.jp", stated=later).outcome == "updated"
    assert [said.notice for said in desk.consents("a@b.jp")] == ["2", "3"]
    assert desk.add("a@b.jp", CLUB.id).outcome == "added"
    assert desk.size == 1


def test_r102_nobody_comes_back_but_by_themselves(desk: MailDesk) -> None:
    """Whoever stopped is not added again, nor after they were taken off the list."""
    known = desk.add("a@b.jp").recipient
    desk.stop(recipient=known.id)
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            desk.add("A@b.jp")
        assert caught.value.reason is Refusal.RECIPIENT_STOPPED
        if desk.find("a@b.jp"):
            wish = mail_lists.Remove(EVERYBODY, NEWS.id, known.id, "token:7", NOON)
            desk.run(mail_lists.remove, wish)
    assert desk.find("a@b.jp") is None
    assert desk.add("a@b.jp", CLUB.id).outcome == "added"


def test_a_stop_of_a_topic_or_one_that_is_over_hinders_nobody(desk: MailDesk) -> None:
    """They may still be added."""
    known = desk.add("a@b.jp").recipient
    desk.stop(recipient=known.id, topic="sale")
    assert desk.add("a@b.jp").outcome == "unchanged"
    desk.stop(recipient=known.id, until=NOON + DAY)
    desk.now = NOON + DAY
    assert desk.add("a@b.jp").outcome == "unchanged"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"address": "a@b"}, Refusal.ADDRESS_INVALID),
        ({"list_": "nothing"}, Refusal.NOT_FOUND),
        ({"attributes": {"shoe": "42"}}, Refusal.INVALID_FIELD),
        ({"attributes": {"name": "a\r\nBcc: b@c.jp"}}, Refusal.INVALID_FIELD),
        ({"attributes": {"name": "x" * 501}}, Refusal.INVALID_FIELD),
        ({"tags": ["A B"]}, Refusal.INVALID_FIELD),
        ({"tags": [f"t{n}" for n in range(51)]}, Refusal.INVALID_FIELD),
        ({"stated": Stated(NOON + 1, "form", "x", "1")}, Refusal.CONSENT_INVALID),
        ({"stated": Stated(NOON, "form", "", "1")}, Refusal.CONSENT_MISSING),
    ],
)
def test_what_is_unfit_is_refused_and_nothing_is_kept(
    sqlite: Engine, given: dict[str, object], reason: Refusal
) -> None:
    """Each by its name."""
    desk = MailDesk(sqlite)
    with pytest.raises(Refused) as caught:
        desk.add(**{"address": "a@b.jp", **given})  # type: ignore[arg-type]
    assert caught.value.reason is reason
    assert desk.consents("a@b.jp") == []
    assert desk.find("a@b.jp") is None


def test_what_is_known_of_somebody_changes(desk: MailDesk) -> None:
    """Attributes and tags come and go; an empty value takes an attribute away."""
    known = desk.add("a@b.jp", attributes={"name": "A", "pref": "東京都"}, tags=["x"]).recipient
    changed = change(
        desk, known.id, attributes={"name": "", "pref": "京都府"}, tags=("y",), untags=("x",)
    )
    assert attributes_of(changed.attributes) == {"pref": "京都府"}
    assert desk.find("a@b.jp") == changed
    assert desk.tags(known) == {"y"}
    assert desk.audited[-1] == "mail.recipient_changed"


def test_r104_the_operator_corrects_nobody(desk: MailDesk) -> None:
    """It may only delete or stop."""
    known = desk.add("a@b.jp").recipient
    with pytest.raises(Refused) as caught:
        change(desk, known.id, access=OPERATOR, attributes={"name": "B"})
    assert caught.value.reason is Refusal.ROLE_NOT_ALLOWED
    wish = mail_lists.Remove(EVERYBODY, NEWS.id, known.id, OPERATOR.actor, NOON)
    desk.run(mail_lists.remove, wish)
    assert desk.find("a@b.jp") is None


def test_somebody_who_is_taken_off_stays_on_record(desk: MailDesk) -> None:
    """Their consent is kept, their tags go."""
    known = desk.add("a@b.jp", tags=["x"]).recipient
    desk.run(mail_lists.remove, mail_lists.Remove(EVERYBODY, NEWS.id, known.id, "token:7", NOON))
    assert desk.find("a@b.jp") is None
    assert desk.tags(known) == frozenset()
    assert [said.recipient for said in desk.consents("a@b.jp")] == [known.id]
    assert desk.size == 0


def test_nobody_reaches_the_lists_of_others(desk: MailDesk) -> None:
    """A list out of scope is none, and somebody of another list neither."""
    known = desk.add("a@b.jp", CLUB.id).recipient
    wishes: list[tuple[Callable[[Any, Any], Any], object]] = [
        (mail_lists.remove, mail_lists.Remove(OTHERS, CLUB.id, known.id, "token:9", NOON)),
        (mail_lists.remove, mail_lists.Remove(EVERYBODY, NEWS.id, known.id, "token:7", NOON)),
        (
            mail_lists.add,
            mail_lists.Add(OTHERS, NEWS.id, "c@b.jp", STATED, "token:9", NOON, desk.seed(2), KEYS),
        ),
    ]
    for use_case, wish in wishes:
        with pytest.raises(Refused) as caught:
            desk.run(use_case, wish)
        assert caught.value.reason is Refusal.NOT_FOUND
    assert desk.find("a@b.jp", CLUB.id) == known


def test_a_list_comes_back_from_the_store_with_all_it_has(engine: Engine) -> None:
    """Its key, too, though that is shown nowhere; and a segment with its conditions."""
    signed = msgspec.structs.replace(CLUB, dkim=Dkim("acme.example", "gw", Secret("a key")))
    segment = MailSegment("vips", "acme", CLUB.id, (Condition("tag", "has", "vip"),))
    engine.provision(signed, segment)
    with transaction(engine) as tx:
        held = tx.provisioning.everything(EVERYBODY)
    assert held[MailList.table] == {signed.id: signed}
    assert held[MailSegment.table] == {segment.id: segment}
