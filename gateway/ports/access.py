"""Tokens, answers that are given again, and the audit."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.access import Access
from gateway.domain.values import Scope


class Repeat(msgspec.Struct, frozen=True):
    """A write that its sender may repeat, and the answer it got."""

    token: int
    key: str
    """The sender's Idempotency-Key."""
    request: str
    """SHA-256 of method, path and body: a key stands for one request."""
    answer: bytes
    at: int
    """When it was answered (microseconds)."""


class Accesses(Protocol):
    """Tokens, repeats and the audit."""

    def add(self, scope: Scope, access: Access, hashed: str) -> None:
        """Keep a new token by its SHA-256 (hexadecimal)."""

    def revoke(self, scope: Scope, token: int, now: int) -> bool:
        """End a token; whether there was one that had not been revoked."""

    def repeat(self, scope: Scope, token: int, key: str) -> Repeat | None:
        """What is kept under ``key`` of ``token``, however old."""

    def keep(self, scope: Scope, repeat: Repeat, over: Repeat | None = None) -> None:
        """Keep an answer, in the place of ``over``, which was found under its key."""

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        """Delete answers of before an instant, at most ``limit``; returns how many went."""

    def audit(
        self,
        scope: Scope,
        now: int,
        actor: str,
        advertiser: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any],
    ) -> None:
        """Append to the audit that ``actor`` did ``action`` to ``subject`` of ``advertiser``.

        ``actor`` is :attr:`gateway.domain.access.Access.actor` or the name of a part of ours,
        ``action`` a word of a closed set such as ``call.judged``, ``detail`` plain JSON without
        secrets, names, message texts or telephone numbers.
        """


class TokenReading(Protocol):
    """Tokens, read beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands
    in.
    """

    def find(self, connection: Any, scope: Scope, hashed: str) -> Access | None:
        """The token with the SHA-256 ``hashed``, revoked or expired ones too."""

    def all(self, connection: Any, scope: Scope) -> Sequence[Access]:
        """All tokens, oldest first."""
