"""What the store keeps of rich menus, and the files of entities, on both engines."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.storage.menus import MenuReader
from gateway.domain.audience import AllOf, AnyOf, Condition, NoneOf, Person, Tagged, holds
from gateway.domain.line.friends import Friend
from gateway.domain.menus import RichMenu, Shown
from gateway.domain.provisioning import Blob, Plan
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.ports.audience import TagOf
from gateway.ports.menus import Linked, Placed, Tended
from gateway.usecases.menus import Wish, hurry
from gateway.usecases.provisioning import difference
from tests.support.line import SHOP
from tests.support.menus import menu, picture, supply, transaction
from tests.support.stores import Engine, dialect_of

STRANGERS = Scope(frozenset({"other"}))

_replace = msgspec.structs.replace


def asked(engine: Engine, query: Callable[[MenuReader], Callable[..., Any]], *args: Any) -> Any:
    """What a reader answers."""
    with closing(engine.database().reader()) as connection:
        return query(MenuReader(dialect_of(engine.name)))(connection, *args)


def blob_of(engine: Engine, id_: str, scope: Scope = EVERYBODY) -> Blob | None:
    found: Blob | None = asked(engine, lambda reader: reader.blob, scope, RichMenu.table, id_)
    return found


def friend(number: int, **given: Any) -> Friend:
    known: dict[str, Any] = {"channel": SHOP.id, "user": f"U{number:032x}", "first_at": 1}
    return Friend(**known | {"id": number, "advertiser": "acme", "followed_at": 1} | given)


def test_a_picture_comes_and_goes_with_its_menu(engine: Engine) -> None:
    """Applying keeps the bytes, a change replaces them, a removal takes them away."""
    shop = _replace(SHOP, id="shop")
    supply(engine, shop, menu("main"))
    assert blob_of(engine, "main") == picture()
    assert blob_of(engine, "main", STRANGERS) is None
    supply(engine, menu("main", "#ff0000"))
    assert blob_of(engine, "main") == picture("#ff0000")
    assert engine.sizes()["blobs"] == 1
    supply(engine, removed=[menu("main")])
    assert blob_of(engine, "main") is None


def test_pictures_of_what_does_not_change_are_not_written() -> None:
    """Applying twice hands over no bytes the second time."""
    main = menu("main")
    blobs = {("rich_menu", "main"): picture()}
    held = {"rich_menu": {"main": main}}
    assert difference(1, held, Plan((main,), blobs=blobs)).blobs == {}
    assert difference(1, {}, Plan((main,), blobs=blobs)).blobs == blobs


def test_states_are_kept_and_replaced(engine: Engine) -> None:
    """A menu has one state, a channel one row; both go with the channel."""
    made = Placed("main", "acme", "shop", "id-1", "v1", "made", "", 5)
    tended = Tended("shop", "acme", "digest", 10, 20, 5, 1, "why")
    with transaction(engine) as tx:
        tx.menus.place(EVERYBODY, made)
        tx.menus.place(EVERYBODY, _replace(made, menu="tab", channel="elsewhere"))
        tx.menus.tend(EVERYBODY, tended)
    with transaction(engine) as tx:
        tx.menus.place(EVERYBODY, _replace(made, state="ready"))
        assert tx.menus.tended(EVERYBODY) == {"shop": tended}
        tx.menus.tend(EVERYBODY, _replace(tended, failures=2))
    with transaction(engine) as tx:
        assert tx.menus.placed(EVERYBODY, "shop") == [_replace(made, state="ready")]
        assert tx.menus.tended(EVERYBODY) == {"shop": _replace(tended, failures=2)}
        assert tx.menus.tended(STRANGERS) == {}
        assert tx.menus.placed(STRANGERS, "shop") == []
    shown = asked(engine, lambda reader: reader.placed, EVERYBODY, ["main", "nothing"])
    assert [placed.menu for placed in shown] == ["main"]
    assert asked(engine, lambda reader: reader.placed, STRANGERS, ["main"]) == []
    assert [t.channel for t in asked(engine, lambda reader: reader.tended, EVERYBODY)] == ["shop"]
    with transaction(engine) as tx:
        tx.menus.leave(EVERYBODY, "shop")
    sizes = engine.sizes()
    assert (sizes["menu_channels"], sizes["menus_platform"]) == (0, 1)


def shown_of(engine: Engine, *conditions: Condition, after: str = "", limit: int = 99) -> Any:
    with closing(engine.database().reader()) as connection:
        return MenuReader(dialect_of(engine.name)).shown(
            connection, EVERYBODY, SHOP.id, conditions, now=9, after=after, limit=limit
        )


def test_links_move_and_end(engine: Engine) -> None:
    """A friend has one link; those who have none are listed only for a condition's sake."""
    with transaction(engine) as tx:
        for number in (1, 2, 3):
            tx.line.save(EVERYBODY, friend(number))
        tx.line.save(EVERYBODY, friend(4, is_group=True))
        tx.line.save(EVERYBODY, friend(5, channel="elsewhere"))
    with transaction(engine) as tx:
        tx.menus.link(EVERYBODY, Linked(SHOP.id, "acme", (1, 2), "id-1"))
        tx.menus.link(EVERYBODY, Linked(SHOP.id, "acme", (2, 3), "id-2"))
        tx.menus.link(EVERYBODY, Linked(SHOP.id, "acme", (1,), ""))
    assert [(each.friend, each.linked) for each in shown_of(engine)] == [(2, "id-2"), (3, "id-2")]
    everyone = shown_of(engine, AllOf())
    assert [(each.friend, each.linked) for each in everyone] == [(1, ""), (2, "id-2"), (3, "id-2")]
    assert shown_of(engine, AllOf(), after=everyone[0].user, limit=1) == everyone[1:2]


TAGS = st.frozensets(st.sampled_from("ab"))
LEAVES: list[Condition] = [Tagged("a"), Tagged("b"), AllOf()]
LEAF = st.sampled_from(LEAVES)


def both(first: Condition, second: Condition, kind: type[Any]) -> Condition:
    made: Condition = kind((first, second))
    return made


CONDITION = LEAF | st.builds(both, LEAF, LEAF, st.sampled_from([AllOf, AnyOf, NoneOf]))


@given(
    st.lists(st.tuples(TAGS, st.booleans()), min_size=1, max_size=6),
    st.lists(CONDITION, min_size=1, max_size=4),
)
@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # it is emptied here
)
def test_the_first_condition_that_holds_is_told(
    engine: Engine, people: list[tuple[frozenset[str], bool]], conditions: list[Condition]
) -> None:
    """SQL and the domain agree on which menu is whose; who blocked us has none."""
    with closing(engine.raw()) as connection:
        for table in ("friend_tags", "line_friends"):
            connection.execute(f"DELETE FROM {table}")
    with transaction(engine) as tx:
        for number, (_, has_blocked) in enumerate(people, 1):
            tx.line.save(EVERYBODY, friend(number, unfollowed_at=2 if has_blocked else 0))
    with transaction(engine) as tx:
        for number, (tags, _) in enumerate(people, 1):
            for tag in tags:
                tx.audience.tag(EVERYBODY, TagOf(number, tag, "acme", SHOP.id, 1, "test"))
    wanted = [
        Shown(f"U{number:032x}", number, "", _first(conditions, tags, has_blocked))
        for number, (tags, has_blocked) in enumerate(people, 1)
    ]
    assert shown_of(engine, *conditions) == wanted


def _first(conditions: list[Condition], tags: frozenset[str], has_blocked: bool) -> int:
    person = Person(1, 0, "", tags)
    fits = [n for n, condition in enumerate(conditions) if holds(condition, person, 9)]
    return fits[0] if fits and not has_blocked else -1


def test_a_wish_makes_a_channel_due(engine: Engine) -> None:
    """One of the scope; another's is unknown."""
    shop, other = _replace(SHOP, id="shop"), _replace(SHOP, id="theirs", advertiser="other")
    engine.provision(shop, other)
    with transaction(engine) as tx:
        for channel in (shop, other):
            tended = Tended(channel.id, channel.advertiser, due_at=99)
            tx.menus.tend(EVERYBODY, tended)
    acme = Scope(frozenset({"acme"}))
    with transaction(engine) as tx:
        with pytest.raises(Refused) as refused:
            hurry(tx, Wish(acme, "theirs", 5))
        assert refused.value.reason is Refusal.NOT_FOUND
        hurry(tx, Wish(acme, "shop", 5))
    with transaction(engine) as tx:
        due = {name: tended.due_at for name, tended in tx.menus.tended(EVERYBODY).items()}
    assert due == {"shop": 5, "theirs": 99}
