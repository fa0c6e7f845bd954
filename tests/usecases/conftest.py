"""The engines that each contract is tried on."""

from tests.support.stores import (
    engine,
    postgres_schema,
    postgresql,
    sqlite,
    sqlite_template,
)

__all__ = ["engine", "postgres_schema", "postgresql", "sqlite", "sqlite_template"]
