"""A write that is sent twice is done once, and tokens come and go with a trace."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from gateway.domain.access import Access
from gateway.domain.values import Counted, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.access import Repeat
from gateway.usecases.access import (
    KEPT_FOR,
    Asked,
    NewToken,
    Once,
    Revocation,
    create,
    forget,
    revoke,
)

NOW = 1_795_000_000_000_000
FACT = Counted("acme", "coupons_total", ("issued",))


class Accesses:
    """Tokens, repeats and the audit in dictionaries; also the transaction that they are in."""

    def __init__(self) -> None:
        self.access = self
        self.tokens: dict[int, str] = {}
        self.repeats: dict[tuple[int, str], Repeat] = {}
        self.audited: list[tuple[Any, ...]] = []
        self.done: list[Any] = []

    def add(self, scope: Scope, access: Access, hashed: str) -> None:
        self.tokens[access.id] = hashed

    def revoke(self, scope: Scope, token: int, now: int) -> bool:
        return self.tokens.pop(token, None) is not None

    def repeat(self, scope: Scope, token: int, key: str) -> Repeat | None:
        return self.repeats.get((token, key))

    def keep(self, scope: Scope, repeat: Repeat, over: Repeat | None = None) -> None:
        self.repeats[repeat.token, repeat.key] = repeat

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        old = [key for key, repeat in self.repeats.items() if repeat.at < before][:limit]
        for key in old:
            del self.repeats[key]
        return len(old)

    def audit(self, scope: Scope, now: int, *row: Any) -> None:
        self.audited.append((now, *row))


@pytest.fixture
def held() -> Accesses:
    return Accesses()


def work(tx: Transaction, argument: Any) -> tuple[str, Sequence[Fact]]:
    """A use-case that refuses to do nothing."""
    if argument is None:
        raise Refused(Refusal.NOT_FOUND)
    cast(Accesses, tx).done.append(argument)
    return f"done {argument}", (FACT,)


def sent(
    held: Accesses,
    argument: Any,
    *,
    key: str = "k",
    request: str = "r",
    token: int = 1,
    at: int = NOW,
) -> tuple[bytes, Sequence[Fact]]:
    once = Once(work, Asked(token, key, request, at), str.encode)
    return once(cast(Transaction, held), argument)


def test_a_repeat_gets_the_first_answer(held: Accesses) -> None:
    """Nothing is done or counted a second time."""
    assert sent(held, 1) == (b"done 1", (FACT,))
    assert sent(held, 1, at=NOW + KEPT_FOR - 1) == (b"done 1", ())
    assert held.done == [1]


def test_a_key_belongs_to_its_token(held: Accesses) -> None:
    """Two clients that count their keys alike do not get each other's answers."""
    assert sent(held, 1)[0] == b"done 1"
    assert sent(held, 2, token=2)[0] == b"done 2"


def test_a_key_stands_for_one_request(held: Accesses) -> None:
    """The same key with another body is a mistake of the client's, and told."""
    sent(held, 1)
    with pytest.raises(Refused) as refused:
        sent(held, 2, request="other")
    assert refused.value.reason is Refusal.KEY_REUSED
    assert held.done == [1]


def test_a_key_is_free_again_after_a_day(held: Accesses) -> None:
    """Then its answer is another's."""
    sent(held, 1)
    assert sent(held, 2, request="other", at=NOW + KEPT_FOR) == (b"done 2", (FACT,))
    assert held.repeats[1, "k"].request == "other"


def test_a_refused_write_leaves_its_key_free(held: Accesses) -> None:
    """What was not done may be tried again, corrected."""
    with pytest.raises(Refused):
        sent(held, None)
    assert sent(held, 1, request="other")[0] == b"done 1"


def test_old_answers_are_deleted(held: Accesses) -> None:
    """Those that nobody gets any more, and no others."""
    sent(held, 1, key="old", at=NOW - KEPT_FOR - 1)
    sent(held, 1, key="new", at=NOW - KEPT_FOR)
    assert forget(cast(Transaction, held), NOW) == (1, ())
    assert list(held.repeats) == [(1, "new")]


def test_tokens_leave_a_trace(held: Accesses) -> None:
    """When one came and went is audited, and nothing of it but its id."""
    tx = cast(Transaction, held)
    opens = Access(id=7, role="viewer", name="Till", advertisers=("acme",), created_at=NOW)
    create(tx, NewToken(opens, "ab" * 32))
    assert revoke(tx, Revocation(7, NOW + 1)) == (True, ())
    assert revoke(tx, Revocation(7, NOW + 2)) == (False, ())
    assert held.audited == [
        (NOW, "cli", "", "token.created", "7", {}),
        (NOW + 1, "cli", "", "token.revoked", "7", {}),
    ]
