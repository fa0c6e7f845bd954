"""An import of recipients, line by line."""

from typing import Literal

import msgspec

State = Literal["running", "done", "refused"]

Outcome = Literal["added", "updated", "unchanged", "suppressed", "refused"]
"""What became of a line. ``suppressed``: they said no before, and are not mailed again."""


class Import(msgspec.Struct, frozen=True):
    """A file of recipients on its way in; the fields are the columns of the store, in order."""

    id: int
    advertiser: str
    list: str
    at: int
    actor: str
    name: str
    state: State = "running"
    line: int = 0
    """The last line that was taken in; a run that died goes on behind it."""
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    suppressed: int = 0
    refused: int = 0
    reason: str = ""
    ended_at: int = 0
    consent: str = ""
    """JSON of what was stated of the whole file, see :class:`gateway.domain.mail.consent.Stated`;
    empty: each line states its own."""
    corrects: bool = True
    """Whether it may change what is known of who is there already (the operator may not: R104)."""
