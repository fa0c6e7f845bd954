"""What the platform says of a request that it does not take."""

import msgspec

_MONTHLY = "You have reached your monthly limit"
LONGEST_TEXT = 300
"""Characters of the platform's own words that are kept."""


class Detail(msgspec.Struct):
    """What is wrong with one property."""

    message: str = ""
    property: str = ""


class Problem(msgspec.Struct):
    """The body of a refusal; empty where it is none that can be read."""

    message: str = ""
    details: list[Detail] = []

    @property
    def is_monthly(self) -> bool:
        """Whether the month's messages are used up."""
        return self.message.startswith(_MONTHLY)


def read_problem(body: bytes | str | None) -> Problem:
    """The problem in ``body``, as far as it has one."""
    try:
        return msgspec.json.decode(body or b"{}", type=Problem)
    except (msgspec.MsgspecError, UnicodeError):
        return Problem()
