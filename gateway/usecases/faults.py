"""Rows that a chore cannot work on: they are put aside and counted, and hold up nobody else's.

A chore begins with what has been due the longest. Without this, one row that always fails would be
the first for ever, and all others, of every shop, would never get their turn.
"""

from gateway.domain.values import Counted

FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What our own code raises at what it did not foresee. Not the store's errors: after those nothing
of the transaction stands.
"""


def put_aside(advertiser: str, what: str) -> Counted:
    """One row of ``what`` was put aside."""
    return Counted(advertiser, "put_aside_total", (what,))
