"""Short links on both engines: what is counted, for whom, and by which one friends came."""

import json
from contextlib import closing
from typing import Any

import pytest

from adapters.storage.database import reading
from adapters.storage.links import LinkReader
from gateway.domain.effects import Effect
from gateway.domain.links import CODE, Code, Link, Visitor, day_of
from gateway.domain.values import EVERYBODY, SECOND, Counted, Scope
from gateway.errors import Refusal, Refused
from gateway.ports.links import Clicked, DayCount
from gateway.ports.outbox import Claimed
from gateway.usecases import links, sending, visits
from tests.support.audience import DAY, HOUR, NOON, PUBLIC, SHOP, Desk, friend, text, user_of
from tests.support.stores import Engine, dialect_of

MENU = Link("menu", "acme", "https://shop.example.jp/menu", tags=("menu-seen",))
FLYER = Link("flyer", "acme", "https://line.me/R/ti/p/@acme", SHOP.id, "entry", tags=("by-flyer",))
OTHERS = Scope(frozenset({"other"}))


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A shop with two links."""
    engine.provision(SHOP, MENU, FLYER)
    return Desk(engine)


def printed(desk: Desk, link: str = "menu") -> str:
    """The code of a link that is printed."""
    desk.run(links.give_codes, links.Coding((link,), NOON, desk.seed()))
    rows = desk.engine.rows(
        f"SELECT code FROM link_codes WHERE link = '{link}' AND origin = '' AND friend = 0"
    )
    return str(rows[0][0])


def visit(desk: Desk, code: str, visitor: Visitor = "person", at: int = NOON) -> list[object]:
    """Somebody follows a code; returns the facts."""
    link, facts = desk.run(visits.follow, visits.Visit(desk.ids.next(at), code, at, visitor))
    assert link in (MENU, FLYER)
    return list(facts)


def days(desk: Desk, link: str = "menu", scope: Scope = EVERYBODY) -> list[DayCount]:
    """The figures of a link."""
    reader = LinkReader(dialect_of(desk.engine.name))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        return reader.days(connection, scope, link, since=0, until=10**6)


def test_visits_of_people_and_programs_are_counted_apart(desk: Desk) -> None:
    """By day of Asia/Tokyo; a person's visit is kept, a program's only counted."""
    code = printed(desk)
    assert visit(desk, code) == [Counted("acme", "link_clicks_total", ("person",))]
    assert visit(desk, code, "bot") == [Counted("acme", "link_clicks_total", ("bot",))]
    visit(desk, code, at=NOON + 12 * HOUR)
    today = day_of(NOON)
    assert days(desk) == [DayCount(today, 1, 1, 0), DayCount(today + 1, 1, 0, 0)]
    assert days(desk, scope=OTHERS) == []
    assert desk.engine.sizes()["link_clicks"] == 2


def test_an_unknown_code_and_a_link_that_went_are_refused(desk: Desk) -> None:
    """Nothing is counted for them."""
    code = printed(desk)
    desk.engine.provision(removed=(MENU,))
    for unknown in (code, "0123456789"):
        with pytest.raises(Refused) as caught:
            visit(desk, unknown)
        assert caught.value.reason is Refusal.UNKNOWN_CODE
    assert desk.engine.sizes()["link_days"] == 0


def test_a_link_gets_one_code_to_print(desk: Desk) -> None:
    """However often it is asked for, and it is of the form that the path takes."""
    assert printed(desk) == printed(desk)
    assert CODE.fullmatch(printed(desk))
    reader = LinkReader(dialect_of(desk.engine.name))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        assert reader.uncoded(connection, ["menu", "flyer"]) == ["flyer"]
        assert reader.printed(connection, EVERYBODY, ["menu"]) == {"menu": printed(desk)}
        assert reader.printed(connection, OTHERS, ["menu"]) == {}


def test_messages_get_an_address_for_each_link(desk: Desk) -> None:
    """The same origin and friend get the same codes again, others get others."""
    messages = [text("{link:menu} {{ {link:menu}"), {"type": "x", "uri": "{link:gone}"}]
    with desk.transaction() as tx:
        draw = desk.seed().draw()
        found = links.linked(tx, messages, "push:1", (0,), draw, NOON)
        again = links.linked(tx, messages, "push:1", (0, 7), draw, NOON)
    one = found[0][0]["text"]
    first, _, second = one.split(" ")
    assert first == second
    assert first.startswith(f"{PUBLIC}/r/")
    assert found[0][1]["uri"] == "{link:gone}"
    assert again[0] == found[0]
    assert again[7][0]["text"] != one


def prepared(desk: Desk, user: str, *messages: dict[str, Any]) -> Any:
    """A reply to somebody as it is to be sent, with the code in it and whose that is."""
    id_, later = desk.ids.next(NOON), NOON + HOUR
    payload = json.dumps({"channel": SHOP.id, "user": user, "token": "t", "messages": messages})
    effect = Effect(id_, "acme", "line.reply", f"r/{id_}", payload, NOON, give_up_at=later)
    with desk.transaction() as tx:
        tx.outbox.add(EVERYBODY, effect)
    claimed = Claimed(id_, "acme", "line.reply", "r", payload, "", NOON, later, "", 1, 0, NOON)
    job = sending.Prepare((claimed,), NOON, desk.seed())
    done, _ = desk.run(sending.preparing(sending.Rooms()), job)
    return json.loads(done.ready[0].payload)["messages"]


def test_replies_have_the_links_of_their_shop_filled_in(desk: Desk) -> None:
    """Each friend gets codes of their own, the same ones each time; a group has one for all."""
    desk.befriend(friend(1), friend(2), friend(3, is_group=True))
    menu = text("{name}: {link:menu}")
    (first,), (again,), (other,) = (prepared(desk, user_of(n), menu) for n in (1, 1, 2))
    assert first == again != other
    name, _, address = first["text"].partition(": ")
    assert name == "友だち1"
    assert address.startswith(f"{PUBLIC}/r/")
    (group,) = prepared(desk, user_of(3), menu)
    code = address.rpartition("/")[2]
    visit(desk, code)
    rows = desk.engine.rows("SELECT friend, origin, code FROM link_codes ORDER BY friend")
    assert [row[:2] for row in rows] == [(0, "reply"), (1, "reply"), (2, "reply")]
    assert group["text"].endswith(rows[0][2])
    assert desk.engine.rows("SELECT friend, tag FROM friend_tags") == [(1, "menu-seen")]


def test_a_reply_leads_to_no_link_of_others(desk: Desk) -> None:
    """Staff may write any name, and a friend may call themselves by one."""
    foreign = Link("foreign", "other", "https://other.example.jp/")
    second = Link("second", "acme", "https://shop.example.jp/", "acme-second")
    desk.engine.provision(foreign, second)
    desk.befriend(friend(1, name="{link:menu}"))
    (said,) = prepared(desk, user_of(1), text("{name} {link:foreign} {link:second} {link:gone}"))
    assert said["text"] == "{link:menu} {link:foreign} {link:second} {link:gone}"
    assert desk.engine.sizes()["link_codes"] == 0


def test_a_friend_s_own_code_tags_them(desk: Desk) -> None:
    """A person's visit gives the link's tags; a program's does not, and figures know the push."""
    desk.befriend(friend(1), friend(2))
    codes = [Code(f"code000{n}", "menu", "acme", "push:5", n, NOON) for n in (1, 2)]
    with desk.transaction() as tx:
        tx.links.add(EVERYBODY, codes)
    visit(desk, "code0001", "bot")
    assert desk.engine.sizes()["friend_tags"] == 0
    facts = visit(desk, "code0001")
    visit(desk, "code0001")
    assert Counted("acme", "line_tags_total", ("added",)) in facts
    assert desk.engine.rows("SELECT friend, tag, source FROM friend_tags") == [
        (1, "menu-seen", "link:menu")
    ]
    reader = LinkReader(dialect_of(desk.engine.name))
    with closing(desk.engine.database().reader()) as connection, reading(connection):
        assert reader.clicked(connection, EVERYBODY, "push:5") == Clicked(2, 1)
        assert reader.clicked(connection, OTHERS, "push:5") == Clicked(0, 0)


def enter(desk: Desk, user: str, at: int = NOON) -> bool:
    """A verified user comes by the flyer; whether they are a friend already."""
    return bool(desk.run(visits.enter, visits.Entry("flyer", user, at))[0])


def follow(desk: Desk, id_: int, at: int) -> None:
    """They become a friend."""
    desk.follow(friend(id_), at=at)


def entries(desk: Desk) -> dict[int, str]:
    """By which link each friend came."""
    return dict(desk.engine.rows("SELECT id, entry FROM line_friends ORDER BY id"))


def test_a_verified_visit_tells_how_a_friend_came(desk: Desk) -> None:
    """Within a day it does, and its tags are given; later, or without one, nobody knows."""
    assert not enter(desk, user_of(1))
    assert not enter(desk, user_of(2))
    follow(desk, 1, NOON + 23 * HOUR)
    follow(desk, 2, NOON + 25 * HOUR)
    follow(desk, 3, NOON)
    assert entries(desk) == {1: "flyer", 2: "", 3: ""}
    assert desk.engine.rows("SELECT friend, tag, source FROM friend_tags") == [
        (1, "by-flyer", "entry:flyer")
    ]
    assert [day.friends for day in days(desk, "flyer")] == [1]


def test_a_visit_after_friendship_counts_for_a_minute(desk: Desk) -> None:
    """LIFF may offer friendship before our page; a friend of long standing did not come by it."""
    follow(desk, 1, NOON)
    follow(desk, 2, NOON)
    assert enter(desk, user_of(1), NOON + 30 * SECOND)
    assert enter(desk, user_of(2), NOON + 61 * SECOND)
    assert enter(desk, user_of(1), NOON + 40 * SECOND)
    assert entries(desk) == {1: "flyer", 2: ""}
    assert [day.friends for day in days(desk, "flyer")] == [1]


def test_a_late_follow_finds_a_visit_of_the_minute_after(desk: Desk) -> None:
    """The platform's event may arrive after the page that came behind it."""
    assert not enter(desk, user_of(1), NOON + 20 * SECOND)
    follow(desk, 1, NOON)
    assert not enter(desk, user_of(2), NOON + 120 * SECOND)
    follow(desk, 2, NOON)
    assert entries(desk) == {1: "flyer", 2: ""}


def test_visits_are_forgotten(desk: Desk) -> None:
    """Single visits go after their time, figures by day stay."""
    code = printed(desk)
    visit(desk, code)
    visit(desk, code, at=NOON + DAY)
    enter(desk, user_of(1))
    for what, gone in (("link-clicks", [1, 0]), ("link-entries", [1, 0])):
        job = links.Forget(what, NOON + HOUR)
        assert [desk.run(links.forget, job)[0] for _ in gone] == gone
    assert len(days(desk)) == 2
