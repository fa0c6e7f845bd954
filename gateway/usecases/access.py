"""Access: tokens come and go, and a write that is sent twice is done once."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from gateway.domain.access import Access
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction, UseCase
from gateway.ports.access import Repeat

R = TypeVar("R")

KEPT_FOR = 86_400 * SECOND
"""How long an answer is given again to whoever repeats its Idempotency-Key."""


class NewToken(msgspec.Struct, frozen=True):
    """A token that comes: what it stands for, and its SHA-256 in hexadecimal."""

    access: Access
    hashed: str


def create(tx: Transaction, new: NewToken) -> tuple[None, tuple[Fact, ...]]:
    """Keep a new token."""
    tx.access.add(EVERYBODY, new.access, new.hashed)
    _audit(tx, new.access.created_at, "token.created", new.access.id)
    return None, ()


class Revocation(msgspec.Struct, frozen=True):
    """A token that shall open nothing any more."""

    token: int
    at: int


def revoke(tx: Transaction, revocation: Revocation) -> tuple[bool, tuple[Fact, ...]]:
    """End a token; returns whether there was one that had not been revoked."""
    if not tx.access.revoke(EVERYBODY, revocation.token, revocation.at):
        return False, ()
    _audit(tx, revocation.at, "token.revoked", revocation.token)
    return True, ()


def _audit(tx: Transaction, now: int, action: str, token: int) -> None:
    # Whoever may use the command line is the operator.
    tx.access.audit(EVERYBODY, now, "cli", "", action, str(token), {})


class Asked(msgspec.Struct, frozen=True):
    """A write as its sender named it."""

    token: int
    key: str
    """Its Idempotency-Key."""
    request: str
    """SHA-256 of its method, path and body."""
    at: int
    """When it was received (microseconds)."""


class Once(Generic[R]):
    """``use_case``, done once for each key of a token: a repeat gets the answer that was kept.

    The answer is kept in the transaction of the write itself, so there is none without the other.
    """

    def __init__(self, use_case: UseCase[R], asked: Asked, render: Callable[[R], bytes]) -> None:
        """``render`` makes the answer of the use-case's reply; it may be called again, and in the
        store's thread.
        """
        self._use_case = use_case
        self._asked = asked
        self._render = render

    def __call__(self, tx: Transaction, argument: Any) -> tuple[bytes, Sequence[Fact]]:
        """The answer.

        Raises:
            Refused: the key was used for another request; or as the use-case does, and then the
                key stays free.
        """
        asked = self._asked
        held = tx.access.repeat(EVERYBODY, asked.token, asked.key)
        if held is not None and asked.at - held.at < KEPT_FOR:
            if held.request != asked.request:
                raise Refused(Refusal.KEY_REUSED, "the Idempotency-Key was used for another write")
            return held.answer, ()
        reply, facts = self._use_case(tx, argument)
        answer = self._render(reply)
        kept = Repeat(asked.token, asked.key, asked.request, answer, asked.at)
        tx.access.keep(EVERYBODY, kept, held)
        return answer, facts


def forget(tx: Transaction, now: int) -> tuple[int, tuple[Fact, ...]]:
    """Delete answers that are not given again, a bounded piece at a time; returns how many."""
    return tx.access.forget(EVERYBODY, now - KEPT_FOR, FORGET_AT_ONCE), ()


FORGET_AT_ONCE = 500
"""Rows that one unit of the background lane deletes."""
