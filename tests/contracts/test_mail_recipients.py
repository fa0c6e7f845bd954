"""Recipients, tags and suppressions on both engines."""

from adapters.storage.mail.reader import MailReader
from gateway.domain.effects import NEVER
from gateway.domain.values import EVERYBODY, Scope
from tests.support.mail_rooms import (
    DAY,
    FIRST,
    NOON,
    Rooms,
    hash_of,
    recipient,
    rooms,
    suppression,
)
from tests.support.stores import dialect_of

__all__ = ["rooms"]

OTHERS = Scope(frozenset({"other"}))
OURS = Scope(frozenset({"acme"}))


def test_a_recipient_is_found_by_address_by_id_and_everywhere(rooms: Rooms) -> None:
    """As it was kept; a scope of somebody else sees nothing of it."""
    one, two, shop = recipient(1, attributes='{"name":"花子"}'), recipient(2), recipient(1, "shop")
    rooms.recipients(one, two, shop)
    with rooms.tx() as tx:
        kept = tx.mail.recipients
        hashes = [hash_of(n) for n in (1, 2, 3, 1)]
        assert kept.find(OURS, "news", hashes) == {one.hash: one, two.hash: two}
        assert kept.get(OURS, [one.id, shop.id, 5]) == {one.id: one, shop.id: shop}
        assert kept.everywhere(OURS, "acme", one.hash) == sorted(
            [one, shop], key=lambda each: each.id
        )
        assert kept.page(OURS, "news", one.id, 10) == [two]
        assert kept.page(EVERYBODY, "news", 0, 1) == [one]
        assert kept.find(OTHERS, "news", hashes) == {}
        assert kept.get(OTHERS, [one.id]) == {}
        assert kept.everywhere(OTHERS, "acme", one.hash) == kept.page(OTHERS, "news", 0, 9) == []
        assert kept.find(EVERYBODY, "news", []) == {}
        assert kept.get(EVERYBODY, []) == {}


def test_many_are_found_and_kept_at_once(rooms: Rooms) -> None:
    """More than go into one statement, of whom half are there."""
    many = [recipient(n) for n in range(1200)]
    rooms.recipients(*many[::2])
    with rooms.tx() as tx:
        found = tx.mail.recipients.find(EVERYBODY, "news", [one.hash for one in many])
    assert set(found.values()) == set(many[::2])
    rooms.recipients(*many)
    assert rooms.size() == 1200


def test_hashes_of_any_length_are_told_apart(rooms: Rooms) -> None:
    """Bytes that look like the end of text, and one that begins as another does."""
    given = [b"", b"\0", b"\0\0", b"'", b"\xff" * 40, b"\xff" * 39]
    rooms.recipients(*(recipient(n, hash=hash_) for n, hash_ in enumerate(given)))
    with rooms.tx() as tx:
        for n, hash_ in enumerate(given):
            found = tx.mail.recipients.find(EVERYBODY, "news", [hash_, b"none"])
            assert [one.id for one in found.values()] == [recipient(n).id]
        assert len(tx.mail.recipients.find(EVERYBODY, "news", given)) == len(given)


def test_what_is_saved_again_is_changed(rooms: Rooms) -> None:
    """Strikes and the state, say; whose it is stays."""
    rooms.recipients(recipient(1))
    struck = recipient(1, state="paused", strikes=2, struck_by=9, struck_at=NOON)
    rooms.recipients(struck)
    with rooms.tx() as tx:
        assert tx.mail.recipients.get(EVERYBODY, [struck.id]) == {struck.id: struck}


def test_who_is_deleted_takes_tags_along_and_leaves_the_stop(rooms: Rooms) -> None:
    """The suppression names nobody and stays; a stranger's scope deletes nothing."""
    one, two = recipient(1), recipient(2)
    rooms.recipients(one, two)
    rooms.suppress(suppression(1))
    with rooms.tx() as tx:
        tx.mail.tags.add(EVERYBODY, [one, two], ["vip"])
        assert tx.mail.recipients.delete(OTHERS, [one.id], NOON) == 0
        assert tx.mail.recipients.delete(OURS, [one.id, 77], NOON) == 1
        assert tx.mail.recipients.get(EVERYBODY, [one.id, two.id]) == {two.id: two}
        assert tx.mail.tags.of(EVERYBODY, [one.id, two.id]) == {two.id: {"vip"}}
        assert one.hash in tx.mail.suppressions.of(EVERYBODY, "acme", [one.hash])


def test_tags_are_added_once_and_removed(rooms: Rooms) -> None:
    """A tag that is there stays, and others' scopes neither see nor take it."""
    one, two = recipient(1), recipient(2)
    rooms.recipients(one, two)
    with rooms.tx() as tx:
        tags = tx.mail.tags
        tags.add(OURS, [one, two], ["vip", "東京", "vip"])
        tags.add(OURS, [one], ["vip", "new"])
        tags.add(OTHERS, [two], ["none"])
        assert tags.of(OURS, [one.id, two.id]) == {
            one.id: {"vip", "東京", "new"},
            two.id: {"vip", "東京"},
        }
        assert tags.of(OTHERS, [one.id]) == tags.of(OURS, []) == {}
        tags.remove(OTHERS, [one.id], ["vip"])
        tags.remove(OURS, [one.id, two.id], ["東京", "new"])
        assert tags.of(EVERYBODY, [one.id, two.id]) == {one.id: {"vip"}, two.id: {"vip"}}


def test_of_two_stops_the_one_that_ends_later_stands(rooms: Rooms) -> None:
    """A shorter one changes nothing; a longer one gets a new id, so that running sends see it."""
    week = suppression(1, until=NOON + 7 * DAY, id=FIRST + 1)
    day = suppression(1, until=NOON + DAY, id=FIRST + 2)
    good = suppression(1, id=FIRST + 3)
    assert [rooms.suppress(one) for one in (week, day, week, good, good)] == [1, 0, 0, 1, 0]
    assert rooms.suppress(suppression(2), suppression(2), suppression(2, topic="sales")) == 2
    with rooms.tx() as tx:
        assert tx.mail.suppressions.of(OURS, "acme", [good.hash]) == {good.hash: [good]}
        assert tx.mail.suppressions.of(OTHERS, "acme", [good.hash]) == {}
        assert not tx.mail.suppressions.lift(OTHERS, good, NOON)
    reader = MailReader(dialect_of(rooms.engine.name))
    with rooms.tx():
        since = reader.suppressed_since(rooms.connection, FIRST + 2)
        assert since == [good]


def test_stops_that_have_ended_are_forgotten(rooms: Rooms) -> None:
    """Those without an end never are."""
    ends = [suppression(n, until=NOON + n) for n in (1, 2, 3)]
    rooms.suppress(*ends, suppression(4))
    with rooms.tx() as tx:
        assert tx.mail.suppressions.forget(EVERYBODY, NOON + 2, 1) == 1
        assert tx.mail.suppressions.forget(EVERYBODY, NOON + 2, 9) == 1
        assert tx.mail.suppressions.forget(EVERYBODY, NOON + 2, 9) == 0
        left = tx.mail.suppressions.of(EVERYBODY, "acme", [hash_of(n) for n in range(5)])
    assert [one.until for (one,) in left.values()] == [NOON + 3, NEVER]


def test_readers_see_what_their_scope_covers(rooms: Rooms) -> None:
    """A page of recipients by id."""
    rooms.recipients(*(recipient(n) for n in range(5)))
    reader = MailReader(dialect_of(rooms.engine.name))
    with rooms.tx():
        page = reader.recipients(rooms.connection, OURS, "news", after=recipient(1).id, limit=2)
        assert page == [recipient(2), recipient(3)]
        assert reader.recipients(rooms.connection, OTHERS, "news", after=0, limit=2) == []
