"""The engines, which the storage tests share with the contracts."""

from tests.support.stores import (
    engine,
    postgres_schema,
    postgresql,
    sqlite,
    sqlite_template,
)

__all__ = ["engine", "postgres_schema", "postgresql", "sqlite", "sqlite_template"]
