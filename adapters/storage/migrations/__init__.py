"""Alembic migrations; each works beside the previous release."""
