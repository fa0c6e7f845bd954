"""What a relay said to one letter, as a value."""

from typing import Literal

import msgspec

Outcome = Literal["accepted", "temporary", "permanent", "unknown", "unsent"]
"""``unknown``: the connection went away after the final dot was handed to the system and before
its answer came, so nobody can tell. ``unsent``: it went away before that, so the letter was
certainly not delivered and may be tried again (RFC 5321 3.8, 4.5.4.1)."""

Stage = Literal["connect", "tls", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "end"]
"""What was going on: ``end`` is the answer to the final dot."""

MOST_TEXT = 500
"""Characters of an answer's text that are kept."""


class Answer(msgspec.Struct, frozen=True):
    """What came of one letter."""

    outcome: Outcome
    stage: Stage
    code: int = 0
    """The reply code (RFC 5321 4.2); 0 where no reply decided."""
    enhanced: str = ""
    """The enhanced status code (RFC 3463) such as ``5.1.1``; empty where there was none."""
    text: str = ""
    """The reply's text without its code and control characters; where no reply decided, the name
    of the reason."""

    @property
    def is_final(self) -> bool:
        """Whether trying again is pointless, or not ours to decide."""
        return self.outcome in ("accepted", "permanent", "unknown")
