"""Tokens, answers that are given again, and the audit in the store."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select, tuple_, update
from sqlalchemy.engine import Dialect

from adapters.storage.database import Connection, prepare, prepare_bulk
from adapters.storage.schema.access import audit, idempotency_keys, tokens
from gateway.domain.access import Access
from gateway.domain.values import Scope
from gateway.ports.access import Repeat

_AUDITED = ("at", "actor", "advertiser", "action", "subject", "detail")

_repeat_key = (idempotency_keys.c.token, idempotency_keys.c.key)


class AccessStatements:
    """The statements of this module, compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self.add_token = prepare_bulk(dialect, tokens)
        self.revoke = prepare(
            dialect,
            update(tokens)
            .where(tokens.c.id == bindparam("token"), tokens.c.revoked_at.is_(None))
            .values(revoked_at=bindparam("now")),
        )
        one = (
            idempotency_keys.c.token == bindparam("of_token"),
            idempotency_keys.c.key == bindparam("under_key"),
        )
        self.repeat = prepare(dialect, select(idempotency_keys).where(*one))
        self.drop_repeat = prepare(
            dialect,
            delete(idempotency_keys).where(*one, idempotency_keys.c.at == bindparam("kept_at")),
        )
        self.keep_repeat = prepare_bulk(dialect, idempotency_keys)
        oldest = (
            select(*_repeat_key)
            .where(idempotency_keys.c.at < bindparam("before"))
            .order_by(idempotency_keys.c.at)
            .limit(bindparam("most"))
        )
        self.forget = prepare(
            dialect, delete(idempotency_keys).where(tuple_(*_repeat_key).in_(oldest))
        )
        given: dict[str, Any] = {name: bindparam(f"given_{name}") for name in _AUDITED}
        self.audit = prepare(dialect, insert(audit).values(**given).inline())


class AccessInTransaction:
    """See :class:`gateway.ports.access.Accesses`. Every write is made at once: a unit sees what
    the units before it kept.
    """

    def __init__(self, connection: Connection, statements: AccessStatements) -> None:
        self._connection = connection
        self._sql = statements
        self.writes = 0

    def add(self, scope: Scope, access: Access, hashed: str) -> None:
        self.writes += 1
        self._connection.write([(self._sql.add_token, [_row(access, hashed)])])

    def revoke(self, scope: Scope, token: int, now: int) -> bool:
        self.writes += 1
        return bool(self._connection.run(self._sql.revoke, token=token, now=now))

    def repeat(self, scope: Scope, token: int, key: str) -> Repeat | None:
        rows = self._connection.rows(self._sql.repeat, of_token=token, under_key=key)
        return Repeat(*rows[0]) if rows else None

    def keep(self, scope: Scope, repeat: Repeat, over: Repeat | None = None) -> None:
        self.writes += 1
        if over is not None:
            one = {"of_token": over.token, "under_key": over.key, "kept_at": over.at}
            self._connection.run(self._sql.drop_repeat, **one)
        # Another process that has answered the same key meanwhile makes this one run again.
        self._connection.write([(self._sql.keep_repeat, [msgspec.structs.astuple(repeat)])])

    def forget(self, scope: Scope, before: int, limit: int) -> int:
        self.writes += 1
        return self._connection.run(self._sql.forget, before=before, most=limit)

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
        self.writes += 1
        written = msgspec.json.encode(detail).decode()
        values = (now, actor, advertiser, action, subject, written)
        given = {f"given_{name}": value for name, value in zip(_AUDITED, values, strict=True)}
        self._connection.run(self._sql.audit, **given)

    def flush(self) -> None:
        """Nothing waits."""


class TokenReader:
    """See :class:`gateway.ports.access.TokenReading`."""

    def __init__(self, dialect: Dialect) -> None:
        self._find = prepare(dialect, select(tokens).where(tokens.c.hash == bindparam("hashed")))
        self._all = prepare(dialect, select(tokens).order_by(tokens.c.id))

    def find(self, connection: Connection, scope: Scope, hashed: str) -> Access | None:
        rows = connection.rows(self._find, hashed=hashed)
        return _access(rows[0]) if rows else None

    def all(self, connection: Connection, scope: Scope) -> list[Access]:
        return [_access(row) for row in connection.rows(self._all)]


def _row(access: Access, hashed: str) -> tuple[Any, ...]:
    return (
        access.id,
        hashed,
        access.role,
        access.name,
        " ".join(access.advertisers),
        access.created_at,
        access.expires_at,
        access.revoked_at,
    )


def _access(row: tuple[Any, ...]) -> Access:
    id_, _, role, name, advertisers, created_at, expires_at, revoked_at = row
    return Access(
        id=id_,
        role=role,
        name=name,
        advertisers=tuple(advertisers.split()),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )
