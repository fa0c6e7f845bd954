"""Rich menus: which are shown when, and what has to change on the platform."""

from dataclasses import dataclass, field

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.effects import NEVER
from gateway.domain.menus import (
    PREFIX,
    Area,
    RichMenu,
    Seen,
    Showing,
    Shown,
    in_place,
    missing,
    new_aliases,
    new_default,
    new_links,
    obsolete,
    old_aliases,
    showing,
)

BASE = RichMenu(
    "base",
    "acme",
    "shop",
    "メニュー",
    2500,
    843,
    "0" * 64,
    "image/png",
    (Area(0, 0, 2500, 843, {"type": "message", "text": "予約"}),),
    default=True,
)


def other(id_: str, **changed: object) -> RichMenu:
    return msgspec.structs.replace(BASE, id=id_, **changed)


def test_a_period_stands_in_for_the_usual_menu_and_then_gives_way() -> None:
    """Of two defaults the one whose time began last is shown, from its first instant on."""
    december = other("december", begins=100, until=200)
    shown = [showing([BASE, december], now).default for now in (99, 100, 199, 200)]
    assert [named and named.id for named in shown] == ["base", "december", "december", "base"]


def test_what_will_be_shown_is_prepared_and_what_was_is_not() -> None:
    """A menu is on the platform before its time, so that it can be shown at once."""
    menus = [BASE, other("soon", begins=100), other("over", until=50)]
    assert [named.id for named in showing(menus, 60).prepared] == ["base", "soon"]


def test_priority_goes_before_time() -> None:
    """Where several menus fit, the highest wins, then the latest, then the first by id."""
    menus = [BASE, other("late", begins=5), other("high", priority=1), other("a", begins=5)]
    default = showing(menus, 10).default
    assert default is not None
    assert default.id == "high"
    default = showing(menus[:2] + menus[3:], 10).default
    assert default is not None
    assert default.id == "a"


def test_tabs_and_segments_follow_the_same_order() -> None:
    """An alias stands for one menu at a time; segments are tried in order."""
    menus = [
        other("tab", default=False, alias="a"),
        other("new-tab", default=False, alias="a", begins=5),
        other("gold", default=False, segment="gold", priority=2),
        other("all", default=False, segment="all"),
    ]
    shown = showing(menus, 10)
    assert {alias: named.id for alias, named in shown.aliases.items()} == {"a": "new-tab"}
    assert [named.id for named in shown.segments] == ["gold", "all"]


def test_a_name_changes_with_whatever_the_platform_holds() -> None:
    """Title, picture, areas, size and being open make another menu; time and audience do not."""
    different = [
        other("base", title="別"),
        other("base", picture="1" * 64),
        other("base", areas=()),
        other("base", height=842),
        other("base", selected=False),
    ]
    assert len({menu.name for menu in (BASE, *different)}) == 6
    assert other("base", begins=5, default=False, alias="x", priority=3).name == BASE.name
    assert BASE.name.startswith(f"{PREFIX}base/")


def test_the_document_is_what_the_platform_takes() -> None:
    """Size, bar, areas and name are in the platform's words."""
    assert BASE.document() == {
        "size": {"width": 2500, "height": 843},
        "selected": True,
        "name": BASE.name,
        "chatBarText": "メニュー",
        "areas": [
            {
                "bounds": {"x": 0, "y": 0, "width": 2500, "height": 843},
                "action": {"type": "message", "text": "予約"},
            }
        ],
    }


def test_a_menu_whose_picture_is_unknown_is_not_in_place() -> None:
    """What was made under the name is found again, and looked at once more."""
    shown, seen = showing([BASE], 1), Seen((("id-1", BASE.name),))
    assert in_place(shown, seen, []) == {}
    (make,) = missing(shown, seen, {})
    assert make.found == "id-1"
    assert in_place(shown, seen, ["id-1"]) == {"base": "id-1"}


def test_what_a_menu_replaces_stays_until_it_is_in_place() -> None:
    """A refused menu takes nothing away: whichever it would replace, somebody may see."""
    before = other("base", title="before")
    shown, seen = showing([BASE], 1), Seen((("old", before.name), ("x", "gw/gone/1234")))
    assert obsolete(shown, seen, {}) == []
    assert obsolete(shown, seen, {"base": "new"}) == ["old", "x"]
    assert new_default(shown, msgspec.structs.replace(seen, default="old"), {}) is None


def test_friends_keep_their_menu_while_the_next_one_is_refused() -> None:
    """Links move to what is in place only; who is in no segment any more is unlinked."""
    shown = showing([other("gold", default=False, segment="gold")], 1)
    friends = [Shown("U1", 1, "old", 0), Shown("U2", 2, "old", -1), Shown("U3", 3, "", -1)]
    assert new_links(shown, {}, friends) == {"": [friends[1]]}
    assert new_links(shown, {"gold": "new"}, friends) == {"new": [friends[0]], "": [friends[1]]}


# --- a platform that steps are tried on ---


@dataclass
class Toy:
    """A channel on a platform as far as steps change it; it counts writes."""

    menus: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    default: str = ""
    ready: set[str] = field(default_factory=set)
    refused: frozenset[str] = frozenset()
    writes: int = 0

    def seen(self) -> Seen:
        return Seen(tuple(self.menus.items()), dict(self.aliases), self.default)

    def bring(self, shown: Showing) -> None:
        seen = self.seen()
        place = in_place(shown, seen, self.ready)
        for make in missing(shown, seen, place):
            if make.named.id in self.refused:
                continue
            self.writes += 1
            found = make.found or f"made-{len(self.menus)}-{self.writes}"
            self.menus[found] = make.named.name
            self.ready.add(found)
            place[make.named.id] = found
        for alias, menu in new_aliases(shown, seen, place).items():
            self.writes += 1
            self.aliases[alias] = menu
        default = new_default(shown, seen, place)
        if default is not None:
            self.writes += 1
            self.default = default
        for alias in old_aliases(shown, seen):
            self.writes += 1
            del self.aliases[alias]
        for menu in obsolete(shown, seen, place):
            self.writes += 1
            del self.menus[menu]


A_MENU = st.builds(
    other,
    st.sampled_from(["a", "b", "c"]),
    title=st.sampled_from(["x", "y"]),
    default=st.booleans(),
    alias=st.sampled_from(["", "tab-1", "tab-2"]),
    begins=st.integers(0, 3),
    until=st.sampled_from([4, 6, NEVER]),
)
MENUS = st.lists(A_MENU, unique_by=lambda menu: menu.id)
STRANGER = {"strange": "made by hand"}


@given(st.lists(st.tuples(MENUS, st.integers(0, 7), st.frozensets(st.sampled_from("abc")))))
def test_any_history_ends_in_what_shall_be_shown(
    history: list[tuple[list[RichMenu], int, frozenset[str]]],
) -> None:
    """Whatever came before: nothing dangles, strangers' menus stay, and a second round of the
    same changes nothing.
    """
    toy = Toy(menus=dict(STRANGER), aliases={"theirs": "strange"})
    for menus, now, refused in history:
        toy.refused = refused
        shown = showing(menus, now)
        toy.bring(shown)
        assert toy.menus["strange"] == "made by hand"
        assert toy.aliases["theirs"] == "strange"
        assert not toy.default or toy.default in toy.menus
        assert set(toy.aliases.values()) <= set(toy.menus)
        writes = toy.writes
        toy.bring(shown)
        assert toy.writes == writes
    if not history:
        return
    toy.refused = frozenset()
    toy.bring(shown)
    names = {named.name for named in shown.prepared}
    assert set(toy.menus.values()) == names | {"made by hand"}
    assert toy.menus.get(toy.default) == (shown.default.name if shown.default else None)
    wanted = {alias: named.name for alias, named in shown.aliases.items()}
    held = {alias: toy.menus[menu] for alias, menu in toy.aliases.items() if alias != "theirs"}
    assert held == wanted
