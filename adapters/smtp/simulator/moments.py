"""Instants as people write them."""

import datetime as dt


def moment(at: int) -> dt.datetime:
    """Microseconds as a time in UTC."""
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC)
