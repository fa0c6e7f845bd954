"""Consents, sign-ups and imports on both engines, and what is left at a contract's end."""

from typing import Any

import msgspec

from adapters.storage.mail.reader import MailReader
from gateway.domain.mail.importing.imports import Import
from gateway.domain.values import EVERYBODY, Scope
from gateway.ports.mail.campaigns import Bounce
from gateway.ports.mail.lists import Signup
from tests.support.mail_rooms import (
    DAY,
    FIRST,
    NOON,
    Rooms,
    campaign,
    consent,
    hash_of,
    recipient,
    result,
    rooms,
    suppression,
)
from tests.support.stores import dialect_of

__all__ = ["rooms"]

OTHERS = Scope(frozenset({"other"}))
OURS = Scope(frozenset({"acme"}))
SECRET = "secret@acme.example"


def signup(ordinal: int = 0, **changed: Any) -> Signup:
    """A sign-up that waits."""
    values: dict[str, Any] = {
        "id": FIRST + ordinal,
        "advertiser": "acme",
        "list": "news",
        "address": SECRET,
        "hash": hash_of(1),
        "network": "n1",
        "how": "form",
        "attributes": '{"name":"a"}',
        "evidence": "e",
        "notice": "1",
        "at": NOON + ordinal,
    }
    return Signup(**values | changed)


def imported(ordinal: int = 0, **changed: Any) -> Import:
    """An import that runs."""
    values: dict[str, Any] = {
        "id": FIRST + ordinal,
        "advertiser": "acme",
        "list": "news",
        "at": NOON + ordinal,
        "actor": "clerk",
        "name": "list.csv",
    }
    return Import(**values | changed)


def test_consents_outlive_the_recipient(rooms: Rooms) -> None:
    """They are found by who it was, and by the address on all lists; the oldest first."""
    one, shop = recipient(1), recipient(1, "shop")
    rooms.recipients(one, shop)
    new, old, other = consent(one, 2), consent(one, 1), consent(shop, 3)
    with rooms.tx() as tx:
        tx.mail.consents.add(EVERYBODY, [])
        tx.mail.consents.add(EVERYBODY, [new, old, other])
        tx.mail.recipients.delete(EVERYBODY, [one.id], NOON)
    with rooms.tx() as tx:
        assert tx.mail.consents.of(OURS, one.id) == [old, new]
        assert tx.mail.consents.of_hash(OURS, "acme", one.hash) == [old, new, other]
        assert tx.mail.consents.of(OTHERS, one.id) == []
        assert tx.mail.consents.of_hash(OTHERS, "acme", one.hash) == []


def test_the_last_mail_is_noted_in_the_consents(rooms: Rooms) -> None:
    """Of those whose mail went, a part at a time; an earlier mail does not come after a later."""
    people = [recipient(n) for n in range(5)]
    rooms.recipients(*people)
    with rooms.tx() as tx:
        tx.mail.consents.add(EVERYBODY, [consent(one, n) for one in people for n in (0, 1)])
    ids = [one.id for one in people]
    rooms.begin(campaign(), ids)
    rooms.claim()
    rooms.settle(
        *(result(id_, at=NOON + 5) for id_ in ids[:3]), result(ids[3], "failed"), result(ids[4])
    )
    with rooms.tx() as tx:
        reached = tx.mail.consents.sent(EVERYBODY, FIRST, 0, 2)
        assert reached == ids[1]
        reached = tx.mail.consents.sent(EVERYBODY, FIRST, reached, 2)
        assert tx.mail.consents.sent(EVERYBODY, FIRST, reached, 2) == 0
        noted = [{each.last_sent_at for each in tx.mail.consents.of(EVERYBODY, i)} for i in ids]
    assert noted == [{NOON + 5}, {NOON + 5}, {NOON + 5}, {0}, {NOON}]
    rooms.begin(campaign(1), ids[:1])
    rooms.claim(FIRST + 1)
    rooms.settle(result(ids[0], of=FIRST + 1, at=NOON + 1))
    with rooms.tx() as tx:
        assert tx.mail.consents.sent(EVERYBODY, FIRST + 1, 0, 100) == 0
        assert {each.last_sent_at for each in tx.mail.consents.of(EVERYBODY, ids[0])} == {NOON + 5}


def test_old_consents_of_who_is_gone_are_forgotten(rooms: Rooms) -> None:
    """Not those of a recipient who is there, nor where a mail went later."""
    people = [recipient(n) for n in range(4)]
    rooms.recipients(*people)
    mailed = consent(people[2], last_sent_at=NOON + DAY)
    with rooms.tx() as tx:
        tx.mail.consents.add(
            EVERYBODY,
            [consent(people[0]), consent(people[1]), mailed, consent(people[3], at=NOON + DAY)],
        )
        tx.mail.recipients.delete(EVERYBODY, [one.id for one in people[1:]], NOON)
        assert tx.mail.consents.forget(EVERYBODY, NOON, 10) == 0
        assert tx.mail.consents.forget(EVERYBODY, NOON + 1, 10) == 1
        left = [bool(tx.mail.consents.of(EVERYBODY, one.id)) for one in people]
        assert left == [True, False, True, True]
        assert tx.mail.consents.forget(EVERYBODY, NOON + DAY + 1, 1) == 1
        assert tx.mail.consents.forget(EVERYBODY, NOON + DAY + 1, 10) == 1
    assert rooms.engine.rows("SELECT count(*) FROM mail_consents") == [(1,)]


def test_at_a_contracts_end_sealed_proofs_are_left(rooms: Rooms) -> None:
    """Who it was, what they and servers said goes; others' data, stops and figures stay."""
    people = [recipient(n, address=SECRET) for n in range(5)]
    theirs = recipient(9, "theirs", advertiser="other", address=SECRET)
    rooms.recipients(*people, theirs)
    rooms.suppress(suppression(1))
    rooms.begin(campaign(), [one.id for one in people])
    rooms.claim()
    rooms.settle(*(result(one.id, "failed", text=SECRET) for one in people))
    with rooms.tx() as tx:
        tx.mail.tags.add(EVERYBODY, [*people, theirs], [SECRET])
        first = [consent(one, evidence=SECRET) for one in people]
        again = [consent(one, 1, how="import", last_sent_at=NOON) for one in people]
        tx.mail.consents.add(EVERYBODY, [*first, *again, consent(theirs, evidence=SECRET)])
        tx.mail.entrance.signups.add(EVERYBODY, signup())
        tx.mail.entrance.imports.add(EVERYBODY, imported(name=SECRET))
        lines = [(n, "refused", SECRET) for n in range(5)]
        tx.mail.entrance.imports.save(EVERYBODY, imported(name=SECRET), lines)  # type: ignore[arg-type]  # a list of tuples of literals
        log = [
            Bounce(n, whose, "news", FIRST, 1, NOON, "smtp", "", "", 550, "", SECRET)
            for n, whose in enumerate(("acme", "other"))
        ]
        tx.campaigns.bounces.add(EVERYBODY, log)
    rounds = 0
    with rooms.tx() as tx:
        assert tx.mail.consents.seal(OTHERS, "acme", NOON, 3) == 0
        while done := tx.mail.consents.seal(OURS, "acme", NOON + DAY, 3):
            assert done <= 3
            rounds += 1
            assert rounds < 40
    kept = [
        (list_, bytes(hash_), *rest)
        for list_, hash_, *rest in rooms.engine.rows(
            "SELECT list, hash, at, how, last_sent_at, sealed_at FROM mail_proofs"
        )
    ]
    assert sorted(kept) == sorted(
        ("news", one.hash, NOON + 1, "import", NOON, NOON + DAY) for one in people
    )
    sizes = {name: size for name, size in rooms.engine.sizes().items() if name.startswith("mail_")}
    left = {name: size for name, size in sizes.items() if size == 1}
    assert set(left) >= {"mail_recipients", "mail_tags", "mail_consents", "mail_suppressions"}
    assert not sizes["mail_signups"] + sizes["mail_imports"] + sizes["mail_import_lines"]
    assert rooms.engine.rows("SELECT count(*) FROM mail_sends WHERE text <> ''") == [(0,)]
    assert rooms.engine.rows("SELECT advertiser FROM mail_bounces WHERE text <> ''") == [("other",)]
    assert rooms.figures() == {"failed": 4, "suppressed": 1}
    assert (rooms.size("acme"), rooms.size("other")) == (0, 1)
    with rooms.tx() as tx:
        assert tx.mail.consents.forget(EVERYBODY, NOON + 2, 3) == 3  # proofs have their time, too
        assert tx.mail.consents.forget(EVERYBODY, NOON + 2, 3) == 2


def test_a_sign_up_waits_and_is_settled(rooms: Rooms) -> None:
    """Of a dropped one nothing is left that tells who it was; the count knows it still."""
    with rooms.tx() as tx:
        signups = tx.mail.entrance.signups
        signups.add(EVERYBODY, signup())
        signups.add(EVERYBODY, signup(1, network="n2"))
        assert signups.find(OURS, FIRST) == signup()
        assert signups.find(OTHERS, FIRST) is None
        signups.settle(OTHERS, FIRST, "dropped")
        signups.settle(OURS, FIRST, "confirmed")
        assert signups.find(OURS, FIRST) == signup(state="confirmed")
        signups.settle(OURS, FIRST + 1, "dropped")
        dropped = signup(1, network="n2", address="", attributes="", evidence="", state="dropped")
        assert signups.find(OURS, FIRST + 1) == dropped
        of_one = [signups.count(EVERYBODY, "hash", hash_of(1), NOON + n) for n in range(3)]
        assert of_one == [2, 1, 0]
        assert signups.count(EVERYBODY, "network", "n2", NOON) == 1
        assert signups.count(EVERYBODY, "network", "n1", NOON + 1) == 0
        signups.add(EVERYBODY, signup(2, how="empty_mail"))
        assert [signups.count(EVERYBODY, "form", "news", NOON + n) for n in range(3)] == [2, 1, 0]
        assert signups.forget(EVERYBODY, NOON + 1, 9) == 1
        assert signups.find(OURS, FIRST) is None


def test_an_import_goes_on_where_it_was(rooms: Rooms) -> None:
    """Its report is read by line, and forgotten with it, a part at a time."""
    reader = MailReader(dialect_of(rooms.engine.name))
    with rooms.tx() as tx:
        imports = tx.mail.entrance.imports
        imports.add(EVERYBODY, imported())
        imports.add(EVERYBODY, imported(1))
        on = imported(line=500, added=498, refused=2)
        imports.save(EVERYBODY, on, [(3, "refused", "no_at"), (7, "suppressed", "")])
        imports.save(EVERYBODY, on, [(7, "suppressed", "")])
        over = msgspec.structs.replace(imported(1), state="done", ended_at=NOON)
        imports.save(EVERYBODY, over, [])
        assert imports.find(OURS, FIRST) == on
        assert imports.find(OTHERS, FIRST) is None
        assert imports.running(OURS) == [on]
        assert imports.running(OTHERS) == []
    with rooms.tx():
        read, connection = reader, rooms.connection
        assert read.imports(connection, OURS, "news", after=0, limit=9) == [on, over]
        assert read.imports(connection, OTHERS, "news", after=0, limit=9) == []
        assert read.lines(connection, OURS, FIRST, after=3, limit=9) == [(7, "suppressed", "")]
        assert read.lines(connection, OTHERS, FIRST, after=0, limit=9) == []
    with rooms.tx() as tx:
        imports = tx.mail.entrance.imports
        assert [imports.forget(EVERYBODY, NOON + 1, 1) for _ in range(4)] == [1, 1, 1, 0]
        assert imports.find(OURS, FIRST) is None
        assert imports.find(OURS, FIRST + 1) == over
