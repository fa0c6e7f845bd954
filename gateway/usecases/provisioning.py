"""Provisioning: what a plan changes, and the change of it in one transaction."""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from gateway.domain.calls import Fact
from gateway.domain.provisioning import Plan
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY
from gateway.errors import Transient, Trouble
from gateway.ports import Transaction

Entity = Advertiser | TrackedNumber


class Change(msgspec.Struct, frozen=True):
    """One entity that comes, becomes another, or goes."""

    old: Entity | None
    """As the store holds it; ``None`` where it is new."""
    new: Entity | None
    """As the plan wants it; ``None`` where it goes."""

    @property
    def kind(self) -> Literal["added", "changed", "removed"]:
        """What happens to it."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def name(self) -> str:
        """What it is and which one, for people: ``tracked_number +815031000001``."""
        entity = self.new or self.old
        if isinstance(entity, TrackedNumber):
            return f"tracked_number {entity.number}"
        return f"advertiser {entity.id if entity else ''}"

    @property
    def values(self) -> dict[str, tuple[object, object]]:
        """The fields that differ, with their old and new value; ``None`` for either that is not."""
        old = msgspec.structs.asdict(self.old) if self.old else {}
        new = msgspec.structs.asdict(self.new) if self.new else {}
        return {
            field: (old.get(field), new.get(field))
            for field in old | new
            if old.get(field) != new.get(field)
        }


class Changes(msgspec.Struct, frozen=True):
    """All that a plan changes in what the store held at one version."""

    base_version: int
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    """How many entities of the plan are in the store as it wants them."""


def difference(
    base_version: int,
    advertisers: Mapping[str, Advertiser],
    numbers: Mapping[str, TrackedNumber],
    plan: Plan,
) -> Changes:
    """What ``plan`` changes in ``advertisers`` (by id) and ``numbers`` as of ``base_version``."""
    found = [
        *_compared(advertisers, {a.id: a for a in plan.advertisers}, plan.removed_advertisers),
        *_compared(numbers, {n.number: n for n in plan.numbers}, plan.removed_numbers),
    ]
    changes = tuple(change for change in found if change.old != change.new)
    return Changes(base_version, changes, len(found) - len(changes))


def _compared(
    held: Mapping[str, Entity], wanted: Mapping[str, Entity], removed: tuple[str, ...]
) -> Iterator[Change]:
    for key, entity in wanted.items():
        yield Change(held.get(key), entity)
    for key in removed:
        yield Change(held.get(key), None)


def apply(tx: Transaction, changes: Changes) -> tuple[int, tuple[Fact, ...]]:
    """Write ``changes``; returns the version that then holds.

    Raises:
        Transient: somebody else applied since ``changes`` were computed; compute them anew.
    """
    version = tx.provisioning.version(EVERYBODY)
    if version != changes.base_version:
        raise Transient(Trouble.STORE_CONFLICT, "provisioned by another meanwhile; apply again")
    if not changes.changes:
        return version, ()
    wanted = [change.new for change in changes.changes]
    version = tx.provisioning.write(
        EVERYBODY,
        [entity for entity in wanted if isinstance(entity, Advertiser)],
        [entity for entity in wanted if isinstance(entity, TrackedNumber)],
        [change.old for change in changes.changes if change.old and not change.new],
    )
    return version, ()
