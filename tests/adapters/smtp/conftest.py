"""The engines that incoming mail stands on."""

from tests.support.stores import engine, postgres_schema, sqlite, sqlite_template

__all__ = ["engine", "postgres_schema", "sqlite", "sqlite_template"]
