"""Provisioning: what a plan changes in what the store holds."""

from gateway.domain.provisioning import Entity, Plan
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.usecases.provisioning import Change, Changes, difference

ACME = Advertiser("acme", "Acme")
NUMBER = TrackedNumber("+815031000001", "acme", "flyer", ("+81312345678",))
SLOWER = TrackedNumber("+815031000001", "acme", "flyer", ("+81312345678",), ring_seconds=40)
HELD: dict[str, dict[str, Entity]] = {
    "advertiser": {"acme": ACME},
    "tracked_number": {NUMBER.number: NUMBER},
}


def test_what_is_new_is_added_advertisers_first() -> None:
    """An empty store gets all that the plan describes, and the version it was compared at."""
    changes = difference(0, {}, Plan((ACME, NUMBER)))
    assert changes == Changes(0, (Change(None, ACME), Change(None, NUMBER)), unchanged=0)
    assert [(c.kind, c.name) for c in changes.changes] == [
        ("added", "advertiser acme"),
        ("added", "tracked_number +815031000001"),
    ]


def test_a_plan_applied_already_changes_nothing() -> None:
    """Applying twice is as applying once."""
    changes = difference(7, HELD, Plan((ACME, NUMBER)))
    assert changes == Changes(7, (), unchanged=2)


def test_a_change_tells_old_and_new_values_of_what_differs() -> None:
    """Only the fields that differ are told."""
    changes = difference(3, HELD, Plan((SLOWER,)))
    (change,) = changes.changes
    assert change.kind == "changed"
    assert change.values == {"ring_seconds": (25, 40)}


def test_an_addition_tells_all_its_values() -> None:
    """There is no old value of what is new."""
    (change,) = difference(0, {}, Plan((ACME,))).changes
    assert change.values["name"] == (None, "Acme")


def test_what_is_removed_carries_what_it_was() -> None:
    """The store and the printed line need the old entity."""
    plan = Plan(removed=(("advertiser", "acme"), ("tracked_number", NUMBER.number)))
    changes = difference(3, HELD, plan)
    assert changes.changes == (Change(ACME, None), Change(NUMBER, None))
    assert {change.kind for change in changes.changes} == {"removed"}


def test_removing_what_is_not_there_changes_nothing() -> None:
    """A plan with removals can be applied again."""
    plan = Plan(removed=(("advertiser", "acme"), ("tracked_number", NUMBER.number)))
    assert difference(3, {}, plan) == Changes(3, (), unchanged=2)


def test_entities_that_no_file_names_stay() -> None:
    """A plan speaks of what it names alone."""
    assert difference(3, HELD, Plan()) == Changes(3)
