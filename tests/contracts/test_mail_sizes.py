"""How many addresses may be mailed, on both engines: exact, whatever happens to them."""

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.storage.database import Taken
from adapters.storage.mail.reader import MailReader
from adapters.storage.mail.sizes import CONTRACTS
from gateway.domain.effects import NEVER
from gateway.domain.hours import month_of
from gateway.domain.mail.lists import Contract
from gateway.domain.mail.recipients import Recipient, Suppression
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Transient
from tests.support.mail_rooms import DAY, NOON, Rooms, recipient, rooms, suppression
from tests.support.stores import PATIENCE, Engine, dialect_of, wait_for_a_lock

__all__ = ["rooms"]

THIS, NEXT = "2026-11", "2026-12"
OTHERS = Scope(frozenset({"other"}))


def test_an_address_on_two_lists_counts_once(rooms: Rooms) -> None:
    """It counts as long as one of the lists may be mailed to it."""
    rooms.recipients(recipient(1), recipient(1, "shop"), recipient(2))
    assert rooms.size() == 2
    rooms.suppress(suppression(1, "news"))
    assert rooms.size() == 2
    rooms.suppress(suppression(1, "shop"))
    assert rooms.size() == 1


def test_r068_each_contract_has_its_own_count(rooms: Rooms) -> None:
    """The tier is a contract's: an address on lists of both counts in each, once."""
    rooms.recipients(
        recipient(1),
        recipient(2),
        *(recipient(1, list_, contract="prepaid") for list_ in ("shop", "club")),
    )
    assert (rooms.size(), rooms.size(contract="prepaid")) == (2, 1)
    rooms.suppress(suppression(1, "news"))
    assert (rooms.size(), rooms.size(contract="prepaid")) == (1, 1)
    rooms.suppress(suppression(1))
    assert (rooms.size(), rooms.size(contract="prepaid")) == (1, 0)
    assert (rooms.maximum(THIS), rooms.maximum(THIS, contract="prepaid")) == (2, 1)
    assert rooms.maximum(NEXT, contract="prepaid") == 0


def test_the_contract_of_a_recipient_stays(rooms: Rooms) -> None:
    """Whoever writes another one changes neither the row nor the counts."""
    rooms.recipients(recipient(1, contract="prepaid"))
    rooms.recipients(recipient(1, attributes='{"name":"Hana"}'))
    assert (rooms.size(), rooms.size(contract="prepaid")) == (0, 1)
    with rooms.tx() as tx:
        kept = tx.mail.recipients.get(EVERYBODY, [recipient(1).id])[recipient(1).id]
    assert (kept.contract, kept.attributes) == ("prepaid", '{"name":"Hana"}')


@pytest.mark.parametrize(
    ("stop", "size"),
    [
        (suppression(1), 0),
        (suppression(1, "news"), 0),
        (suppression(1, "shop"), 1),
        (suppression(1, topic="sales"), 1),
        (suppression(1, until=NOON + DAY), 0),
    ],
)
def test_r068_only_a_stop_of_all_takes_an_address_out(
    rooms: Rooms, stop: Suppression, size: int
) -> None:
    """Who stopped a topic counts, and whose stop was lifted."""
    rooms.recipients(recipient(1))
    rooms.suppress(stop)
    assert rooms.size() == size
    with rooms.tx() as tx:
        assert tx.mail.suppressions.lift(EVERYBODY, stop, NOON)
        assert not tx.mail.suppressions.lift(EVERYBODY, stop, NOON)
        assert tx.mail.sizes.now(EVERYBODY, "acme", "postpaid") == 1
    assert rooms.size() == 1


def test_r068_who_stopped_until_a_day_counts_from_then_on(rooms: Rooms) -> None:
    """Also where the store is only told weeks later: what counts is the month of that day."""
    rooms.recipients(recipient(1), recipient(2), recipient(3))
    soon, late = NOON + DAY, NOON + 60 * DAY
    rooms.suppress(suppression(1, until=soon), suppression(2, until=late), suppression(3))
    with rooms.tx() as tx:
        assert tx.mail.suppressions.forget(EVERYBODY, soon - 1, 9) == 0
        assert tx.mail.sizes.now(EVERYBODY, "acme", "postpaid") == 0
        assert tx.mail.suppressions.forget(EVERYBODY, NOON + 90 * DAY, 9) == 2
    assert rooms.size() == 2
    assert [rooms.maximum(month) for month in (THIS, NEXT, month_of(late))] == [3, 1, 2]


def test_who_is_paused_counts_and_who_is_removed_does_not(rooms: Rooms) -> None:
    """A hard bounce that is being settled takes nobody out of the count yet."""
    rooms.recipients(recipient(1, state="paused"), recipient(2, state="removed"))
    assert rooms.size() == 1


def test_r068_a_month_begins_with_what_there_was(rooms: Rooms) -> None:
    """Where nothing changes, a month has what the one before ended with; its own peak stays."""
    rooms.recipients(*map(recipient, range(5)))
    rooms.suppress(suppression(0), suppression(1))
    assert [rooms.maximum(month) for month in ("2026-10", THIS, NEXT, "2027-02")] == [0, 5, 3, 3]
    later = NOON + 100 * DAY  # in February
    rooms.suppress(suppression(2, at=later))
    months = ("2026-10", THIS, NEXT, "2027-01", "2027-02", "2027-03")
    assert [rooms.maximum(month) for month in months] == [0, 5, 3, 3, 3, 2]
    reader = MailReader(dialect_of(rooms.engine.name))
    with rooms.tx():
        sizes = {month: reader.sizes(rooms.connection, EVERYBODY, month) for month in months}
        assert reader.sizes(rooms.connection, OTHERS, THIS) == {}
    assert sizes == {
        month: {("acme", "postpaid"): (2, rooms.maximum(month)), ("acme", "prepaid"): (0, 0)}
        for month in months
    }


def test_r068_a_month_ends_at_midnight_in_tokyo(rooms: Rooms) -> None:
    """15:00 UTC of the last day is the first moment of the next month."""
    midnight = 1_796_050_800_000_000  # 2026-12-01T00:00:00+09:00
    rooms.recipients(recipient(1), now=midnight - 1)
    rooms.recipients(recipient(2), now=midnight)
    assert (rooms.maximum(THIS), rooms.maximum(NEXT)) == (1, 2)


def test_a_clock_behind_does_not_change_a_month_that_is_over(rooms: Rooms) -> None:
    """What a slower process dates into the last month belongs to the one that has begun."""
    rooms.recipients(recipient(1), now=NOON + 20 * DAY)
    rooms.recipients(recipient(2), recipient(3))
    assert (rooms.maximum(THIS), rooms.maximum(NEXT)) == (0, 3)


def test_units_of_one_transaction_are_moments_of_their_own(rooms: Rooms) -> None:
    """What one adds and the next takes out was there."""
    with rooms.tx() as tx:
        tx.mail.recipients.save(EVERYBODY, [recipient(1), recipient(2)], NOON)
        assert tx.mail.recipients.delete(EVERYBODY, [recipient(1).id], NOON) == 1
        sizes = tx.mail.sizes
        assert sizes.now(EVERYBODY, "acme", "postpaid") == 1
        assert sizes.maximum(EVERYBODY, "acme", "postpaid", THIS) == 2
        assert sizes.now(OTHERS, "acme", "postpaid") == 0
        assert sizes.maximum(OTHERS, "acme", "postpaid", THIS) == 0
    assert (rooms.size(), rooms.maximum(THIS)) == (1, 2)


def test_one_address_is_one_recipient_of_a_list(rooms: Rooms) -> None:
    """A second one, which another process made meanwhile, makes the unit run again."""
    rooms.recipients(recipient(1))
    with pytest.raises(Taken), rooms.tx() as tx:
        tx.mail.recipients.save(EVERYBODY, [recipient(1, id=9)], NOON)
    assert rooms.size() == 1


_serial = count(1)
_UNDER: dict[str, Contract] = {"news": "postpaid", "shop": "postpaid", "club": "prepaid"}
_HASHES = st.integers(0, 3)
_SAVES = st.tuples(
    st.just("save"),
    st.sampled_from(sorted(_UNDER)),
    _HASHES,
    st.sampled_from(["active", "paused", "removed"]),
)
_DELETES = st.tuples(st.just("delete"), st.sampled_from(sorted(_UNDER)), _HASHES)
_STOPS = st.tuples(
    st.sampled_from(["stop", "lift"]),
    st.sampled_from(["", *_UNDER]),
    _HASHES,
    st.sampled_from(["", "sales"]),
    st.sampled_from([NEVER, *(NOON + days * DAY for days in (5, 30, 75))]),
)
_ENDS = st.tuples(st.just("end"))
_WAITS = st.tuples(st.just("wait"), st.integers(1, 40))
_COMMITS = st.tuples(st.just("commit"))


class Model:
    """What there should be, counted from nothing each time."""

    def __init__(self, advertiser: str) -> None:
        self.advertiser = advertiser
        self.now = NOON
        self.people: dict[tuple[str, int], Recipient] = {}
        self.stops: dict[tuple[str, int, str], int] = {}
        self.history: list[tuple[str, dict[Contract, int]]] = []

    def named(self, list_: str) -> str:
        """A list of theirs alone."""
        return list_ and f"{self.advertiser}-{list_}"

    def counts(self) -> dict[Contract, int]:
        """How many addresses may be mailed under each contract."""
        return {contract: self.count(contract) for contract in CONTRACTS}

    def count(self, contract: Contract) -> int:
        """How many addresses may be mailed under one."""
        may = {
            address
            for (list_, address), person in self.people.items()
            if person.state != "removed"
            and person.contract == contract
            and not any((where, address, "") in self.stops for where in ("", list_))
        }
        return len(may)

    def maximum(self, month: str, contract: Contract) -> int:
        """The most of a month, begun with what there was before."""
        before = [sizes[contract] for when, sizes in self.history if when < month]
        during = [sizes[contract] for when, sizes in self.history if when == month]
        return max(during + (before or [0])[-1:])

    def apply(self, tx: Any, step: Any) -> None:
        """Do one thing in the store, and here."""
        match step:
            case ("wait", days):
                self.now += days * DAY
            case ("end",):
                self._end(tx)
            case ("save", list_, address, state):
                changed = {
                    "advertiser": self.advertiser,
                    "state": state,
                    "contract": _UNDER[list_],
                }
                id_ = next(_serial)
                if there := self.people.get((list_, address)):
                    id_ = there.id
                person = recipient(address, self.named(list_), id=id_, **changed)
                self.people[list_, address] = person
                tx.mail.recipients.save(EVERYBODY, [person], self.now)
            case ("delete", list_, address):
                gone = self.people.pop((list_, address), None)
                ids = [gone.id] if gone else [-1]
                assert tx.mail.recipients.delete(EVERYBODY, ids, self.now) == (gone is not None)
            case (what, list_, address, topic, until):
                self._stop(tx, what, (list_, address, topic), until)
        self.history.append((month_of(self.now), self.counts()))

    def _end(self, tx: Any) -> None:
        ended = sorted((until, key) for key, until in self.stops.items() if until <= self.now)
        while tx.mail.suppressions.forget(EVERYBODY, self.now, 99):
            pass  # of other examples, too
        latest = self.history[-1][0] if self.history else ""
        for until, key in ended:
            del self.stops[key]
            self.history.append((max(latest, month_of(until)), self.counts()))

    def _stop(self, tx: Any, what: str, key: tuple[str, int, str], until: int) -> None:
        list_, address, topic = key
        changed = {"advertiser": self.advertiser, "until": until, "at": self.now}
        one = suppression(address, self.named(list_), topic, **changed)
        if what == "lift":
            was = self.stops.pop(key, None) is not None
            assert tx.mail.suppressions.lift(EVERYBODY, one, self.now) == was
        else:
            longer = until > self.stops.get(key, 0)
            assert tx.mail.suppressions.add(EVERYBODY, [one]) == longer
            self.stops[key] = max(until, self.stops.get(key, 0))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(_SAVES, _DELETES, _STOPS, _STOPS, _WAITS, _ENDS, _COMMITS), max_size=25
    )
)
def test_r068_the_size_is_what_a_recount_says(rooms: Rooms, steps: list[Any]) -> None:
    """After whatever was added, taken out, stopped and lifted, by whatever transactions."""
    model = Model(f"one{next(_serial)}")  # of whom the store knows nothing
    parts: list[list[Any]] = [[]]
    for step in steps:
        if step == ("commit",):
            parts.append([])
        else:
            parts[-1].append(step)
    for part in parts:
        with rooms.tx() as tx:
            for step in part:
                model.apply(tx, step)
                sizes = tx.mail.sizes
                found = {name: sizes.now(EVERYBODY, model.advertiser, name) for name in CONTRACTS}
                assert found == model.counts()
    months = sorted({THIS, *(month for month, _ in model.history), "2039-01"})
    for contract in CONTRACTS:
        assert rooms.size(model.advertiser, contract) == model.count(contract)
        for month in months:
            most = rooms.maximum(month, model.advertiser, contract)
            assert most == model.maximum(month, contract)


def test_two_processes_lose_no_change(postgresql: Engine, both: list[Rooms]) -> None:
    """Of two that change the same address at once the second sees what the first one did."""
    one, other = both
    one.recipients(recipient(5))  # the advertiser's row is there
    done: list[bool] = []

    def stop() -> None:
        while not done:
            try:
                other.suppress(suppression(1, "shop"))
                done.append(True)
            except Transient:
                continue  # the first one held its lock for too long: a busy machine

    with one.tx() as tx:
        tx.mail.recipients.save(EVERYBODY, [recipient(1), recipient(1, "shop")], NOON)
        tx.mail.suppressions.add(EVERYBODY, [suppression(1, "news")])
        thread = threading.Thread(target=stop)
        thread.start()
        wait_for_a_lock(postgresql, thread)
    thread.join(PATIENCE)
    assert one.size() == 1
    assert one.maximum(THIS) == 2


@pytest.fixture
def both(postgresql: Engine) -> Iterator[list[Rooms]]:
    """Two processes on one PostgreSQL."""
    both = [Rooms(postgresql), Rooms(postgresql)]
    yield both
    for one in both:
        one.connection.close()
