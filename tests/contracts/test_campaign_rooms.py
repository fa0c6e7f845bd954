"""Campaigns, figures, bounces and senders on both engines."""

from typing import Any

import msgspec
import pytest

from adapters.storage.mail.campaigns.lasts import LAST
from adapters.storage.mail.campaigns.reader import CampaignReader
from gateway.domain.mail.campaigns import SendState
from gateway.domain.values import EVERYBODY, Scope
from gateway.ports.mail.campaigns import Bounce
from tests.support.mail_rooms import (
    DAY,
    FIRST,
    NOON,
    OWNER,
    Rooms,
    campaign,
    recipient,
    result,
    rooms,
)
from tests.support.stores import Engine, dialect_of

__all__ = ["rooms"]

OTHERS = Scope(frozenset({"other"}))
OURS = Scope(frozenset({"acme"}))


@pytest.fixture
def reader(engine: Engine) -> CampaignReader:
    """What reads beside the writer."""
    return CampaignReader(dialect_of(engine.name))


def bounce(ordinal: int, **changed: Any) -> Bounce:
    """Something that came back."""
    values: dict[str, Any] = {
        "id": FIRST + ordinal,
        "advertiser": "acme",
        "list": "news",
        "campaign": FIRST,
        "recipient": recipient(ordinal).id,
        "at": NOON,
        "source": "report",
        "bounce_class": "user_unknown",
        "action": "failed",
        "code": 550,
        "status": "5.1.1",
        "text": "no such user",
    }
    return Bounce(**values | changed)


def test_a_campaign_is_kept_with_what_it_says(rooms: Rooms) -> None:
    """Its content, and where its links lead to in their order."""
    links = ["https://acme.example/b", "https://acme.example/a", "https://acme.example/b"]
    with rooms.tx() as tx:
        tx.campaigns.add(OURS, campaign(), b'{"subject":"\xe7\xa7\x8b"}', links)
        assert tx.campaigns.find(OURS, FIRST) == campaign()
        assert tx.campaigns.content(OURS, FIRST) == (b'{"subject":"\xe7\xa7\x8b"}', links)
        assert tx.campaigns.find(OTHERS, FIRST) is None
        assert tx.campaigns.content(OTHERS, FIRST) is None
        assert tx.campaigns.find(OURS, 5) is None
        assert tx.campaigns.content(EVERYBODY, 5) is None


def test_a_draft_is_rewritten(rooms: Rooms) -> None:
    """All of it: no link of the former one is left; whose it is stays."""
    draft = campaign(state="draft", topic="sales")
    with rooms.tx() as tx:
        tx.campaigns.add(OURS, draft, b"{}", ["https://acme.example/", "https://acme.example/2"])
        anew = msgspec.structs.replace(draft, name="Winter", topic="", advertiser="other")
        tx.campaigns.rewrite(OURS, anew, b"[]", ["https://acme.example/new"])
    with rooms.tx() as tx:
        kept = msgspec.structs.replace(anew, advertiser="acme")
        assert tx.campaigns.find(OURS, FIRST) == kept
        assert tx.campaigns.content(OURS, FIRST) == (b"[]", ["https://acme.example/new"])
        tx.campaigns.rewrite(OURS, kept, b"[]", [])
        assert tx.campaigns.content(OURS, FIRST) == (b"[]", [])


def test_the_topic_of_a_claim_is_what_it_is_now(rooms: Rooms) -> None:
    """A campaign that changed in the same transaction is looked at again."""
    rooms.begin(campaign(topic="sales"), [])
    with rooms.tx() as tx:
        assert tx.campaigns.sends.claim(EVERYBODY, FIRST, "other", NOON, 1, OWNER) == []
        tx.campaigns.save(EVERYBODY, campaign(topic=""))
        about = tx.campaigns.sends._abouts.of(EVERYBODY, FIRST)
    assert about is not None
    assert about.topic == ""


def test_the_longest_due_campaign_is_next(rooms: Rooms, reader: CampaignReader) -> None:
    """One that is never due again is not."""
    for n, due_at in enumerate((None, NOON + 2, NOON + 1)):
        rooms.begin(campaign(n, due_at=due_at), [])
    with rooms.tx() as tx:
        assert tx.campaigns.due(EVERYBODY, NOON) is None
        assert not reader.due(rooms.connection, NOON)
        assert reader.due(rooms.connection, NOON + 1)
        next_ = tx.campaigns.due(EVERYBODY, NOON + 9)
        assert next_ == campaign(2, due_at=NOON + 1)
        tx.campaigns.save(EVERYBODY, campaign(2))
        assert tx.campaigns.due(EVERYBODY, NOON + 9) == campaign(1, due_at=NOON + 2)


def test_two_processes_do_not_work_on_one_campaign(postgresql: Engine) -> None:
    """Whoever comes second finds the next, or nothing."""
    one, other = Rooms(postgresql), Rooms(postgresql)
    one.begin(campaign(due_at=NOON), [])
    with one.tx() as tx, other.tx() as second:
        assert tx.campaigns.due(EVERYBODY, NOON) is not None
        assert second.campaigns.due(EVERYBODY, NOON) is None
    one.connection.close()
    other.connection.close()


def test_figures_add_up(rooms: Rooms, reader: CampaignReader) -> None:
    """Within a transaction, over several, and below nought and back."""
    rooms.begin(campaign(), [])
    with rooms.tx() as tx:
        tx.campaigns.figures.add(OURS, FIRST, {"click": 2, "open": 0})
        tx.campaigns.figures.add(OURS, FIRST, {"click": -3})
        assert tx.campaigns.figures.of(OURS, FIRST)["click"] == -1
        tx.campaigns.figures.add(OURS, FIRST, {"click": 5, "bounced:filtered": 1})
        assert tx.campaigns.figures.of(OTHERS, FIRST) == {}
    assert rooms.figures() == {"bounced:filtered": 1, "click": 4}
    with rooms.tx():
        assert reader.figures(rooms.connection, OURS, FIRST) == {"bounced:filtered": 1, "click": 4}
        assert reader.figures(rooms.connection, OTHERS, FIRST) == {}


def test_who_responds_is_counted_once(rooms: Rooms) -> None:
    """By what they did, and of which campaign."""
    with rooms.tx() as tx:
        responded = tx.campaigns.figures.responded
        assert responded(EVERYBODY, FIRST, 1, "open", NOON)
        assert not responded(EVERYBODY, FIRST, 1, "open", NOON + 1)
        assert responded(EVERYBODY, FIRST, 1, "click:0", NOON)
        assert responded(EVERYBODY, FIRST, 2, "open", NOON)
        assert responded(EVERYBODY, FIRST + 1, 1, "open", NOON)


def test_a_sent_mail_bounces_once(rooms: Rooms) -> None:
    """The second report of it changes nothing, and one about a mail that never went is none."""
    rooms.recipients(recipient(1), recipient(2))
    rooms.begin(campaign(), [recipient(1).id, recipient(2).id])
    rooms.claim(limit=1)
    rooms.settle(result(recipient(1).id))
    with rooms.tx() as tx:
        mark = tx.campaigns.bounces.mark
        assert not mark(OTHERS, FIRST, recipient(1).id, "filtered")
        assert mark(OURS, FIRST, recipient(1).id, "filtered")
        assert not mark(OURS, FIRST, recipient(1).id, "user_unknown")
        assert not mark(OURS, FIRST, recipient(2).id, "filtered")
        send = tx.campaigns.lookups.one(OURS, FIRST, recipient(1).id)
    assert send is not None
    assert (send.state, send.bounce_class) == ("sent", "filtered")


def test_the_last_mails_of_recipients_are_known(rooms: Rooms) -> None:
    """Of each the latest that went or failed, so many, of campaigns of their list alone."""
    rooms.recipients(recipient(1), recipient(2), recipient(3))
    ids = [recipient(n).id for n in (1, 2, 3)]
    states: list[SendState] = ["sent", "failed", "held"]
    for n in range(LAST + 2):
        rooms.begin(campaign(n, started_at=NOON), ids)
        rooms.claim(FIRST + n)
        of_all = zip(ids, states, strict=True)
        rooms.settle(*(result(id_, state, FIRST + n) for id_, state in of_all))
    rooms.begin(campaign(LAST + 2, list="others", started_at=NOON), ids)
    rooms.claim(FIRST + LAST + 2)
    rooms.settle(result(ids[0], "sent", FIRST + LAST + 2))
    with rooms.tx() as tx:
        last = tx.campaigns.bounces.last
        found = last(OURS, "news", [*ids, 99])
        assert last(OTHERS, "news", ids) == last(OURS, "news", ()) == {}
    latest = [FIRST + n for n in reversed(range(2, LAST + 2))]
    assert {id_: [send.campaign for send in some] for id_, some in found.items()} == {
        ids[0]: latest,
        ids[1]: latest,
    }
    assert {send.state for send in found[ids[1]]} == {"failed"}


def test_the_bounce_log_is_read_with_addresses(rooms: Rooms, reader: CampaignReader) -> None:
    """Of a deleted recipient it is empty; an old log is forgotten."""
    rooms.recipients(recipient(1))
    log = [bounce(1), bounce(2), bounce(3, campaign=FIRST + 1)]
    with rooms.tx() as tx:
        tx.campaigns.bounces.add(OURS, log)
        tx.campaigns.bounces.add(OURS, ())
    with rooms.tx():
        read, connection = reader.bounces, rooms.connection
        addresses = [recipient(1).address, "", ""]
        every = list(zip(log, addresses, strict=True))
        assert read(connection, EVERYBODY, campaign=None, after=0, limit=9) == every
        assert read(connection, OURS, campaign=FIRST, after=0, limit=9) == every[:2]
        assert read(connection, OURS, campaign=None, after=FIRST + 1, limit=1) == every[1:2]
        assert read(connection, OTHERS, campaign=None, after=0, limit=9) == []
        assert read(connection, OTHERS, campaign=FIRST, after=0, limit=9) == []
    with rooms.tx() as tx:
        assert tx.campaigns.bounces.forget(EVERYBODY, NOON, 9) == 0
        assert tx.campaigns.bounces.forget(EVERYBODY, NOON + DAY, 2) == 2
        assert tx.campaigns.bounces.forget(EVERYBODY, NOON + DAY, 2) == 1


def test_an_arrived_mail_clears_the_strikes_before_it(rooms: Rooms) -> None:
    """Not those of a later bounce, of a mail that bounced or failed, of who is paused, or of
    another list.
    """
    before: dict[str, Any] = {"strikes": 1, "struck_by": 9, "struck_at": NOON - DAY}
    people = [
        recipient(0, **before),
        recipient(1, **before | {"struck_at": NOON + 1}),
        recipient(2, **before),
        recipient(3, **before),
        recipient(4, **before | {"state": "paused"}),
        recipient(5, **before),
        recipient(6),
        recipient(7, **before),
    ]
    rooms.recipients(*(msgspec.structs.replace(one, state="active") for one in people))
    ids = [one.id for one in people]
    rooms.begin(campaign(), ids[:-1])
    rooms.claim()
    rooms.recipients(*people)
    failing = {2: "failed"}
    rooms.settle(*(result(ids[n], failing.get(n, "sent")) for n in range(7)))  # type: ignore[arg-type]  # both are states
    with rooms.tx() as tx:
        tx.campaigns.bounces.mark(EVERYBODY, FIRST, ids[3], "filtered")
        assert tx.campaigns.bounces.reset(EVERYBODY, campaign(list="shop"), 9) == 0
        assert [tx.campaigns.bounces.reset(EVERYBODY, campaign(), 1) for _ in range(3)] == [1, 1, 0]
        found = tx.mail.recipients.get(EVERYBODY, ids)
    struck = [n for n, id_ in enumerate(ids) if found[id_].strikes]
    assert struck == [1, 2, 3, 4, 7]
    assert rooms.size() == len(people)


def test_who_says_nothing_and_attempts_is_silent(rooms: Rooms) -> None:
    """A process that never said a word is; one that attempts nothing is not."""
    ids = [recipient(n).id for n in range(3)]
    rooms.recipients(*(recipient(n) for n in range(3)))
    rooms.begin(campaign(), ids)
    with rooms.tx() as tx:
        for owner in (1, 2, 3):
            tx.campaigns.sends.claim(EVERYBODY, FIRST, "other", NOON, 1, owner)
        beats = tx.campaigns.beats
        for owner in (1, 2, 4):
            beats.beat(EVERYBODY, owner, NOON + DAY // 2)  # by clocks of their own
        assert beats.silent(EVERYBODY, 9, NOON, 5) == []
        assert beats.silent(EVERYBODY, 9, NOON, 0) == [1, 2, 3]
        assert beats.silent(EVERYBODY, 3, NOON, 0) == [1, 2]
        beats.beat(EVERYBODY, 1, NOON + DAY // 2 - 1)  # and set back a little
        assert beats.silent(EVERYBODY, 9, NOON + 4, 5) == []
        assert beats.silent(EVERYBODY, 9, NOON + 5, 5) == [2, 3]
        assert beats.silent(EVERYBODY, 9, NOON + 8, 5) == [2, 3]
        assert beats.silent(EVERYBODY, 9, NOON + 9, 5) == [1, 2, 3]
        assert beats.silent(EVERYBODY, 8, NOON + 9, 5) == []  # it has not looked before
        assert tx.campaigns.sends.doubt(EVERYBODY, [2, 3], NOON, 9) == {"acme": 2}
        assert beats.silent(EVERYBODY, 9, NOON + 9, 5) == [1]


def test_who_says_nothing_for_a_day_is_forgotten(rooms: Rooms) -> None:
    """By the clock of who looks, whatever a clock that is days off says; what they heard, too."""

    def kept() -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        senders = rooms.engine.rows("SELECT owner FROM mail_senders ORDER BY owner")
        watches = "SELECT looker, owner FROM mail_watches ORDER BY looker, owner"
        return senders, rooms.engine.rows(watches)

    def look(looker: int, now: int) -> None:
        with rooms.tx() as tx:
            tx.campaigns.beats.beat(EVERYBODY, looker, now)
            tx.campaigns.beats.silent(EVERYBODY, looker, now, 5)

    look(1, NOON)
    look(2, NOON - 3 * DAY)
    look(9, NOON + 3 * DAY)
    living = [(1,), (2,), (9,)]
    assert kept() == (living, [(2, 1), (9, 1), (9, 2)])
    look(2, NOON - 2 * DAY - 1)  # it heard nothing of 1 for nearly a day
    look(9, NOON + 3 * DAY + 5)
    assert kept() == (living, [(2, 1), (2, 9), (9, 1), (9, 2)])
    look(9, NOON + 4 * DAY)  # it heard of 2 five microseconds after it heard of 1
    assert kept() == (living[1:], [(2, 1), (2, 9), (9, 1), (9, 2)])
    look(2, NOON)
    assert kept() == (living[1:], [(2, 9), (9, 1), (9, 2)])
    look(9, NOON + 5 * DAY)
    assert kept() == (living[1:], [(2, 9), (9, 2)])


def test_a_lookers_clock_that_is_set_back_begins_anew(rooms: Rooms) -> None:
    """It waits its patience from then on, not until its clock is where it was."""
    rooms.recipients(recipient(0))
    rooms.begin(campaign(), [recipient(0).id])
    with rooms.tx() as tx:
        tx.campaigns.sends.claim(EVERYBODY, FIRST, "other", NOON, 1, 1)
        beats = tx.campaigns.beats
        assert beats.silent(EVERYBODY, 9, NOON, 5) == []
        assert beats.silent(EVERYBODY, 9, NOON - DAY, 5) == []
        assert beats.silent(EVERYBODY, 9, NOON - DAY + 5, 5) == [1]


def test_pages_of_campaigns(rooms: Rooms, reader: CampaignReader) -> None:
    """By id, of a list or of all, of those whose they are."""
    kept = [campaign(n, list=("news", "shop")[n % 2]) for n in range(4)]
    for one in kept:
        rooms.begin(one, [])
    with rooms.tx():
        page, connection = reader.page, rooms.connection
        assert page(connection, EVERYBODY, list_=None, after=0, limit=9) == kept
        assert page(connection, OURS, list_=None, after=FIRST, limit=2) == kept[1:3]
        assert page(connection, OURS, list_="shop", after=0, limit=9) == kept[1::2]
        assert page(connection, OTHERS, list_="shop", after=0, limit=9) == []
        assert page(connection, OTHERS, list_=None, after=0, limit=9) == []


def test_senders_watch_what_is_being_sent(rooms: Rooms, reader: CampaignReader) -> None:
    """And what was canceled, as long as anything of it is to be taken back."""
    states: list[tuple[Any, int | None]] = [
        ("draft", None),
        ("scheduled", NOON),
        ("fixing", NOON),
        ("sending", None),
        ("paused", None),
        ("closing", NOON),
        ("done", None),
        ("canceled", NOON),
        ("canceled", None),
    ]
    for n, (state, due_at) in enumerate(states):
        rooms.begin(campaign(n, state=state, due_at=due_at), [])
    with rooms.tx():
        active = [one.id - FIRST for one in reader.active(rooms.connection)]
    assert active == [2, 3, 4, 5, 7]


def test_mails_are_read_by_state_with_addresses(rooms: Rooms, reader: CampaignReader) -> None:
    """All of a campaign or those of a state, by recipient; of a deleted one no address."""
    people = [recipient(n) for n in range(8)]
    rooms.recipients(*people)
    ids = [one.id for one in people]
    rooms.begin(campaign(), ids)
    rooms.claim(limit=7)
    states: list[SendState] = ["sent", "failed", "deferred", "held", "sent"]
    rooms.settle(*(result(id_, state) for id_, state in zip(ids, states, strict=False)))
    with rooms.tx() as tx:
        tx.mail.recipients.delete(EVERYBODY, ids[:1], NOON)

    def read(scope: Scope, state: SendState | None, after: int = 0, limit: int = 9) -> list[int]:
        with rooms.tx():
            found = reader.sends(
                rooms.connection, scope, FIRST, state=state, after=after, limit=limit
            )
        for send, address in found:
            whose = people[ids.index(send.recipient)]
            assert address == ("" if send.recipient == ids[0] else whose.address)
        return [ids.index(send.recipient) for send, _ in found]

    assert read(EVERYBODY, None) == list(range(8))
    assert read(OURS, None, after=ids[2], limit=2) == [3, 4]
    by_state = [read(OURS, state) for state in ("sent", "failed", "deferred", "held")]
    assert by_state == [[0, 4], [1], [2], [3]]
    assert read(OURS, "attempting") == [5, 6]
    assert read(OURS, "queued") == [7]
    assert read(OURS, "suppressed") == read(OTHERS, "sent") == read(OTHERS, None) == []
