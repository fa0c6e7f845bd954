"""Provisioning: what a plan changes, and the change of it in one transaction."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.domain.provisioning import WITH_FILES, Blob, Entity, Held, Plan
from gateway.domain.values import EVERYBODY
from gateway.errors import Transient, Trouble
from gateway.ports import Fact, Transaction


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
        return f"{entity.table} {entity.key}" if entity else ""

    @property
    def values(self) -> dict[str, tuple[object, object]]:
        """The fields that differ, with their old and new value; ``None`` for either that is not.
        Of a secret only that it differs is told.
        """
        old, new = _fields(self.old), _fields(self.new)
        return {
            field: ("•••", "•••") if "secret" in field else (old.get(field), new.get(field))
            for field in old | new
            if old.get(field) != new.get(field)
        }


class Changes(msgspec.Struct, frozen=True):
    """All that a plan changes in what the store held at one version."""

    base_version: int
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    """How many entities of the plan are in the store as it wants them."""
    blobs: Mapping[tuple[str, str], Blob] = {}
    """The files of entities that change, by table and key."""


def difference(base_version: int, held: Held, plan: Plan) -> Changes:
    """What ``plan`` changes in what the store ``held`` as of ``base_version``."""
    found = [
        *(Change(held.get(new.table, {}).get(new.key), new) for new in plan.wanted),
        *(Change(held.get(table, {}).get(key), None) for table, key in plan.removed),
    ]
    changes = tuple(change for change in found if change.old != change.new)
    changed = {(change.new.table, change.new.key) for change in changes if change.new}
    return Changes(
        base_version,
        changes,
        len(found) - len(changes),
        {name: blob for name, blob in plan.blobs.items() if name in changed},
    )


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
    version = tx.provisioning.write(
        EVERYBODY,
        [change.new for change in changes.changes if change.new],
        [change.old for change in changes.changes if change.old and not change.new],
    )
    for change in changes.changes:
        _keep_file(tx, change, changes.blobs)
    return version, ()


def _keep_file(tx: Transaction, change: Change, blobs: Mapping[tuple[str, str], Blob]) -> None:
    if change.new is not None:
        table, key = change.new.table, change.new.key
        if (table, key) in blobs:
            tx.blobs.keep(EVERYBODY, table, key, change.new.owner, blobs[table, key])
    elif change.old is not None and change.old.table in WITH_FILES:
        tx.blobs.drop(EVERYBODY, change.old.table, change.old.key)


def _fields(entity: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(entity) if entity else {}
