"""Provisioned entities in the store."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gateway.domain.provisioning import Entity, Held
from gateway.domain.routing import TrackedNumber
from gateway.domain.values import Scope

E = TypeVar("E")


class Routes(Protocol):
    """The tracked numbers as of this transaction."""

    def find(self, scope: Scope, number: str) -> TrackedNumber | None:
        """The route of ``number``, or ``None`` where it is not provisioned."""


class Entities(Protocol):
    """What is provisioned, as of this transaction."""

    def find(self, scope: Scope, kind: type[E], key: str) -> E | None:
        """The entity of ``kind`` under ``key``, or ``None`` where it is not provisioned."""

    def all(self, scope: Scope, kind: type[E]) -> Sequence[E]:
        """All entities of ``kind``, by key."""


class Provisioning(Protocol):
    """All entities, as provisioning files write them."""

    def version(self, scope: Scope) -> int:
        """The version that the last ``apply`` left."""

    def everything(self, scope: Scope) -> Held:
        """All entities, by table and key."""

    def write(self, scope: Scope, wanted: Sequence[Entity], removed: Sequence[Entity]) -> int:
        """Write what changed and take away what is ``removed``; returns the new version."""
