"""The engines that senders are tried on."""

from tests.support.stores import engine, postgres_schema, postgresql, sqlite, sqlite_template

__all__ = ["engine", "postgres_schema", "postgresql", "sqlite", "sqlite_template"]
