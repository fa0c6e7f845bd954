"""What channels' friends did is kept once, and gets one set of replies."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.storage.database import Connection
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.line.events import Event
from gateway.domain.line.friends import Friend
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.errors import Refused
from gateway.ports import Fact
from gateway.usecases.followers import Listed, take_up
from gateway.usecases.line import Incoming, Profile, keep_profile, record
from tests.support.line import NOON, SHOP, USER, body, event, said
from tests.support.stores import Engine, sqlite_engine, statements_of


class Shop:
    """A store with one shop in it, and what came of the bodies it was told."""

    def __init__(self, engine: Engine, connection: Connection) -> None:
        self._engine = engine
        self._connection = connection
        self._cache = RouteCache()
        self.facts: list[Fact] = []

    def tell(self, *bodies: Incoming) -> None:
        """One transaction for all ``bodies``."""

        def keep(tx: StoreTransaction) -> None:
            for told in bodies:
                self.facts += record(tx, told)[1]

        self.do(keep, bodies)

    def do(self, work: Callable[[StoreTransaction], Any], load: Sequence[Incoming] = ()) -> Any:
        """``work`` in a transaction."""
        sql = statements_of(self._engine.name)
        try:
            tx = StoreTransaction(self._connection, sql, self._cache)
            tx.load(load)
            done = work(tx)
            tx.flush()
            self._connection.commit()
        finally:
            self._connection.rollback()
        return done

    @property
    def replies(self) -> list[tuple[str, str]]:
        """What waits to be sent: for which event, by which rule, in order."""
        rows = self._engine.rows(
            "SELECT idempotency_key, origin FROM outbox"
            " WHERE kind = 'line.reply' AND state = 'waiting' ORDER BY order_at, id"
        )
        return [(key.rsplit("/", 1)[1], origin) for key, origin in rows]

    @property
    def friend(self) -> Friend:
        """The one friend."""
        ((row),) = self._engine.rows("SELECT * FROM line_friends")
        return Friend(*row)

    def empty(self) -> None:
        """Forget all that was told."""
        with closing(self._engine.raw()) as raw:
            for table in ("outbox", "line_events", "line_friends"):
                raw.execute(f"DELETE FROM {table}")


@pytest.fixture(scope="module")
def shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop; a test that needs it empty empties it."""
    engine = sqlite_engine(sqlite_template, tmp_path_factory.mktemp("shop"))
    engine.provision(SHOP)
    with closing(engine.database().writer()) as connection:
        yield Shop(engine, connection)


_SILENCE = SHOP.staff_minutes * 60

DAY: tuple[Event, ...] = (
    event("follow", 1),
    said("クーポン", 2),
    said("何時まで", 3),
    event("postback", 4, data="menu"),
    event("unfollow", 5),
    event("follow", 6, unblocked=True),
    said("クーポン", 7),
    said("人と話す", 8),
    said("予約したい", 9),
    said("終了", 10),
    said("何時から", 11),
    said("まだですか", _SILENCE),
    said("もしもし", 2 * _SILENCE - 5),
    said("クーポン", 3 * _SILENCE),
    said("何時まで", 3 * _SILENCE + 1),
    said("人と話す", 3 * _SILENCE + 2),
    said("お願いします", 3 * _SILENCE + 3),
    said("人と話す", 4 * _SILENCE),
    said("クーポン", 5 * _SILENCE - 1),
    said("クーポン", 6 * _SILENCE),
    said("メニュー", 6 * _SILENCE + 1),
)
"""A friend who came, went, came back, talked to people and to the rules again; and to people once
more, until a silence.
"""

SILENT = tuple(each for each in DAY if each.text != "終了")
"""The same where a silence gives the first conversation back, too."""


def in_order(shop: Shop, day: Sequence[Event]) -> list[tuple[str, str]]:
    """What a friend gets whose events come one by one."""
    shop.empty()
    for each in day:
        shop.tell(body(each))
    return shop.replies


@st.composite
def deliveries(draw: st.DrawFn, day: Sequence[Event]) -> list[list[list[Event]]]:
    """All of ``day``: in any order, some of it twice or more, in bodies and transactions."""
    again = draw(st.lists(st.sampled_from(day), max_size=6))
    told = draw(st.permutations([*day, *again]))
    found: list[list[list[Event]]] = [[[]]]
    for each in told:
        cut = draw(st.sampled_from(["body", "transaction", "none", "none"]))
        if cut == "transaction":
            found.append([[]])
        elif cut == "body":
            found[-1].append([])
        found[-1][-1].append(each)
    return found


@pytest.mark.parametrize("day", [DAY, SILENT], ids=["given back", "silent"])
@given(data=st.data())
def test_any_order_and_repetition_gives_one_set_of_replies_in_order(
    shop: Shop, day: Sequence[Event], data: st.DataObject
) -> None:
    """Whatever the platform repeats, reorders and puts together, a friend gets the same replies in
    the order of what they did.
    """
    told = data.draw(deliveries(day))
    expected = in_order(shop, day)
    friend = shop.friend
    shop.empty()
    for transaction in told:
        shop.tell(*(body(*events) for events in transaction))
    assert shop.replies == expected
    held = msgspec.structs.replace(shop.friend, id=friend.id, first_at=friend.first_at)
    assert held == msgspec.structs.replace(friend, unread=held.unread)


def test_a_day_in_order_gets_what_it_should(shop: Shop) -> None:
    """The replies by hand: nothing from before the block, people for what they were called for."""
    assert in_order(shop, DAY)[:7] == [
        ("event-6-0", "greeting"),
        ("event-7-0", "rule:1"),
        ("event-8-0", "rule:2"),
        ("event-10-0", "rule:3"),
        ("event-11-0", "uniform"),
        (f"event-{_SILENCE}-0", "uniform"),
        (f"event-{2 * _SILENCE - 5}-0", "uniform"),
    ]


def test_a_silence_gives_back_until_people_are_called_again(shop: Shop) -> None:
    """The replies by hand: none within half an hour of the last word, all after it."""
    assert in_order(shop, SILENT)[3:] == [
        (f"event-{3 * _SILENCE}-0", "rule:1"),
        (f"event-{3 * _SILENCE + 1}-0", "uniform"),
        (f"event-{3 * _SILENCE + 2}-0", "rule:2"),
        (f"event-{6 * _SILENCE}-0", "rule:1"),
        (f"event-{6 * _SILENCE + 1}-0", "uniform"),
    ]


def test_a_friend_from_before_is_asked_for_by_name_and_is_no_new_one(shop: Shop) -> None:
    """Once: no greeting, no steps, nothing counted but their message."""
    shop.empty()
    shop.facts.clear()
    shop.tell(body(said("クーポン", 1)), body(said("クーポン", 2)))
    kinds = shop._engine.rows("SELECT kind, count(*) FROM outbox GROUP BY kind ORDER BY kind")
    assert kinds == [("line.profile", 1), ("line.reply", 2)]
    assert shop.friend.state == "friend"
    assert {fact.metric for fact in shop.facts if isinstance(fact, Counted)} == {
        "line_events_total"
    }


def test_those_whom_the_platform_lists_are_taken_up(shop: Shop) -> None:
    """Who is unknown, or was thought to have blocked us; not who has done so since. Once."""
    shop.empty()
    shop.tell(body(event("follow", 1)), body(event("unfollow", 3)))
    stranger = "U" + "1" * 32

    def listed(at: int) -> Listed:
        users = (USER, stranger, stranger)
        return Listed(SHOP.id, users, NOON + at * SECOND, body(*DAY[:3]).seed)

    def states() -> list[str]:
        rows = shop._engine.rows("SELECT * FROM line_friends ORDER BY user")
        return [Friend(*row).state for row in rows]

    assert shop.do(lambda tx: take_up(tx, listed(2)))[0] == 1
    assert states() == ["blocked", "friend"]
    assert shop.do(lambda tx: take_up(tx, listed(4)))[0] == 1
    assert states() == ["friend", "friend"]
    assert shop.do(lambda tx: take_up(tx, listed(5))) == (0, ())
    nobody = msgspec.structs.replace(listed(5), channel="nobody")
    with pytest.raises(Refused, match="not_found"):
        shop.do(lambda tx: take_up(tx, nobody))


def test_an_event_is_counted_once(shop: Shop) -> None:
    """A repetition tells whoever counts nothing."""
    shop.empty()
    shop.facts.clear()
    for _ in range(3):
        shop.tell(body(said("クーポン", 1)))
    assert shop.facts == [Counted("acme", "line_events_total", ("message",))]


def test_a_type_that_nobody_knows_is_kept_and_counted(shop: Shop) -> None:
    """Under one label, whatever it is called."""
    shop.empty()
    shop.facts.clear()
    shop.tell(body(event("brandNew", 1, known=False)))
    assert shop.facts == [Counted("acme", "line_events_total", ("other",))]


def test_an_event_without_a_source_is_kept(shop: Shop) -> None:
    """It has no friend, and gets nothing."""
    shop.empty()
    shop.tell(body(event("message", 1, user="", source="", text="クーポン")))
    assert shop.replies == []


@pytest.mark.parametrize("late", [False, True])
def test_what_was_taken_back_loses_its_content(shop: Shop, late: bool) -> None:
    """Also where the word of it comes before the message; its id and time stay."""
    shop.empty()
    message = said("secret", 1, raw='{"text":"secret"}')
    unsend = event("unsend", 2, unsent=message.message_id)
    for each in (unsend, message) if late else (message, unsend):
        shop.tell(body(each))
    engine = shop._engine
    kept = engine.rows("SELECT body, message_id, at FROM line_events WHERE kind = 'message'")
    assert kept == [("", message.message_id, message.at)]


def test_a_friend_is_called_by_name_once_the_platform_told_it(shop: Shop) -> None:
    """The profile of a stranger is nobody's."""
    shop.empty()
    shop.tell(body(event("follow", 1)))
    shop.do(lambda tx: keep_profile(tx, Profile(SHOP.id, USER, "花子", "https://p.example/", "ja")))
    shop.do(lambda tx: keep_profile(tx, Profile(SHOP.id, "U" + "1" * 32, "誰か")))
    assert (shop.friend.name, shop.friend.language) == ("花子", "ja")
    found = shop.do(lambda tx: tx.line.friend_by_id(EVERYBODY, shop.friend.id))
    assert found == shop.friend
