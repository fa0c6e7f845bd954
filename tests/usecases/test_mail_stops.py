"""Stops: whoever says so is not mailed any more, and nobody has to answer."""

import datetime as dt
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.effects import NEVER
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.usecases.mail import lists as mail_lists
from gateway.usecases.mail.stops import end_of_day
from tests.support.mail_lists import CLUB, DAY, HOUR, NEWS, NOON, MailDesk
from tests.support.stores import Engine

OTHERS = Scope(frozenset({"other"}))


@pytest.fixture
def desk(engine: Engine) -> MailDesk:
    """Mail lists."""
    return MailDesk(engine)


def figures(desk: MailDesk, campaign: int) -> dict[str, int]:
    """What is counted of a campaign."""
    with desk.transaction() as tx:
        return dict(tx.campaigns.figures.of(EVERYBODY, campaign))


def test_r102_a_stop_holds_for_the_list_from_then_on(desk: MailDesk) -> None:
    """For ever, and for every topic; other lists are not meant."""
    known = desk.add("a@b.jp").recipient
    stopped = desk.stop(recipient=known.id, source="one_click")
    (row,) = stopped.suppressions
    assert (stopped.is_new, stopped.list) == (True, NEWS.id)
    assert desk.stops("a@b.jp") == [row]
    assert (row.list, row.topic, row.until, row.source) == (NEWS.id, "", NEVER, "one_click")
    assert row.covers(NEWS.id, "sale", NOON + 3_650 * DAY)
    assert not row.covers(CLUB.id, "", NOON)
    assert desk.size == 0


def test_a_stop_may_come_again(desk: MailDesk) -> None:
    """It changes nothing, and what is told to the recall holds each time."""
    known = desk.add("a@b.jp").recipient
    first = desk.stop(recipient=known.id)
    desk.now += HOUR
    again = desk.stop(recipient=known.id)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.suppressions[0].covers(NEWS.id, "", NOON + DAY)
    assert len(desk.stops("a@b.jp")) == 1
    shorter = desk.stop(recipient=known.id, until=desk.now + DAY)
    assert desk.stops("a@b.jp")[0].until == NEVER
    assert (shorter.suppressions, shorter.is_new) == (first.suppressions, False)


def test_a_complaint_is_kept_as_one_after_a_stop(desk: MailDesk) -> None:
    """It forbids more than a stop does; what is stopped already is not new, and a stop after it
    takes nothing away.
    """
    known = desk.add("a@b.jp").recipient
    for source, is_new in (("page", True), ("complaint", False), ("one_click", False)):
        assert desk.stop(recipient=known.id, source=source).is_new is is_new
    ((row,)) = desk.stops("a@b.jp")
    assert (row.source, row.until) == ("complaint", NEVER)


def test_a_complaint_outlasts_a_stop_until_a_day(desk: MailDesk) -> None:
    """The row that stands has no end."""
    known = desk.add("a@b.jp").recipient
    desk.stop(recipient=known.id, until=NOON + DAY)
    assert desk.stop(recipient=known.id, source="complaint").is_new
    assert desk.stops("a@b.jp")[0].until == NEVER


def test_a_topic_alone_can_be_stopped(desk: MailDesk) -> None:
    """One that the list does not have stops everything: who says stop is believed."""
    known = desk.add("a@b.jp").recipient
    (row,) = desk.stop(recipient=known.id, topic="sale").suppressions
    assert row.covers(NEWS.id, "sale", NOON)
    assert not row.covers(NEWS.id, "", NOON)
    assert not row.covers(NEWS.id, "events", NOON)
    assert desk.size == 1
    (row,) = desk.stop(recipient=known.id, topic="weather").suppressions
    assert row.covers(NEWS.id, "events", NOON)
    assert desk.size == 0


def test_a_stop_until_a_day_ends_with_it(desk: MailDesk) -> None:
    """At midnight of Asia/Tokyo."""
    until = end_of_day(dt.date(2026, 11, 30), NOON)
    assert until == NOON + 27 * DAY + 12 * HOUR
    known = desk.add("a@b.jp").recipient
    (row,) = desk.stop(recipient=known.id, until=until).suppressions
    assert row.covers(NEWS.id, "", until - 1)
    assert not row.covers(NEWS.id, "", until)
    assert end_of_day(dt.date(2026, 11, 3), NOON) == NOON + 12 * HOUR


@pytest.mark.parametrize("day", [dt.date(2026, 11, 2), dt.date(2200, 1, 1), dt.date.max])
def test_a_day_that_is_over_or_never_comes_is_refused(day: dt.date) -> None:
    """A stop until then would be none."""
    with pytest.raises(Refused) as caught:
        end_of_day(day, NOON)
    assert caught.value.reason is Refusal.ABSURD_VALUE


def test_a_stop_that_ends_before_it_begins_is_refused(sqlite: Engine) -> None:
    """Nothing is kept of it."""
    desk = MailDesk(sqlite)
    with pytest.raises(Refused):
        desk.stop(address="a@b.jp", list=NEWS.id, until=NOON)
    assert desk.stops("a@b.jp") == []


def test_whoever_was_deleted_is_stopped_all_the_same(desk: MailDesk) -> None:
    """The link in an old mail still works, so that the next import does not mail them."""
    known = desk.add("a@b.jp").recipient
    desk.run(mail_lists.remove, mail_lists.Remove(EVERYBODY, NEWS.id, known.id, "token:7", NOON))
    assert desk.stop(recipient=known.id, campaign=5).is_new
    assert desk.find("a@b.jp") is None
    with pytest.raises(Refused) as caught:
        desk.add("a@b.jp")
    assert caught.value.reason is Refusal.RECIPIENT_STOPPED


def test_of_whom_nothing_is_known_nothing_is_stopped(desk: MailDesk) -> None:
    """They get no error: nobody mails them."""
    stopped = desk.stop(recipient=4_711, campaign=5)
    assert (stopped.suppressions, stopped.is_new, stopped.list) == ((), False, "")


def test_staff_can_enter_a_stop_of_anybody(desk: MailDesk) -> None:
    """Who is on no list, too; it is audited without the address."""
    stopped = desk.stop(address=" A@B.jp ", list=NEWS.id, source="staff", actor="token:7")
    assert stopped.is_new
    assert len(desk.stops("a@b.jp")) == 1
    assert desk.audited == ["mail.stopped"]
    ((subject, detail),) = desk.engine.rows("SELECT subject, detail FROM audit")
    assert "b.jp" not in f"{subject}{detail}".lower()


def test_nobody_stops_the_recipients_of_others(desk: MailDesk) -> None:
    """A list out of scope is none."""
    known = desk.add("a@b.jp").recipient
    with pytest.raises(Refused) as caught:
        desk.stop(address="a@b.jp", list=NEWS.id, scope=OTHERS, source="staff")
    assert caught.value.reason is Refusal.NOT_FOUND
    assert desk.stop(recipient=known.id, scope=OTHERS, source="staff").suppressions == ()
    assert desk.stops("a@b.jp") == []


def test_a_campaign_counts_each_who_stopped_once(desk: MailDesk) -> None:
    """By themselves: staff, complaints and strikes have figures of their own."""
    one, other = desk.add("a@b.jp").recipient, desk.add("c@d.jp").recipient
    for _ in range(2):
        desk.stop(recipient=one.id, campaign=5, source="one_click")
    desk.stop(recipient=one.id, campaign=5, source="page", topic="sale")
    assert figures(desk, 5) == {"stop": 1}
    desk.stop(recipient=other.id, campaign=5, source="complaint")
    assert figures(desk, 5) == {"stop": 1}
    desk.stop(recipient=other.id, campaign=5, source="mail")
    desk.stop(recipient=other.id, source="page")
    assert figures(desk, 5) == {"stop": 2}


SERIAL = count(1)
WISHES = st.tuples(
    st.sampled_from(["", "sale", "events", "?"]),
    st.sampled_from([NEVER, NOON + DAY, NOON + 9 * DAY]),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WISHES, max_size=8))
def test_what_was_stopped_once_stays_stopped(sqlite: Engine, wishes: list[tuple[str, int]]) -> None:
    """Stops in any order hold each as long as it said, whatever came after."""
    desk = MailDesk(sqlite)
    address = f"user{next(SERIAL)}@b.jp"
    known = desk.add(address).recipient
    for topic, until in wishes:
        desk.stop(recipient=known.id, topic=topic, until=until)
    rows = desk.stops(address)
    for topic, until in wishes:
        wanted = topic if topic in NEWS.topics else ""
        assert any(row.covers(NEWS.id, wanted, until - 1) for row in rows)
    lasting = [until for topic, until in wishes if topic not in NEWS.topics]
    forbidden = any(row.covers(NEWS.id, "", NOON + 20 * DAY) for row in rows)
    assert forbidden == (NEVER in lasting)
