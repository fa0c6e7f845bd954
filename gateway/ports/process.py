"""What a process has for itself: a log, and ids that no other process makes."""

from typing import Protocol


class Log(Protocol):
    """Where lines go; structlog's loggers are such."""

    def info(self, event: str, /, **fields: object) -> object:
        """Something done."""

    def warning(self, event: str, /, **fields: object) -> object:
        """Something to look at where there are many."""

    def error(self, event: str, /, **fields: object) -> object:
        """A fault of ours, or something to look at at once."""


class Blocks(Protocol):
    """Makes ids that no other process makes."""

    def block(self, now: int, count: int) -> int:
        """The first of ``count`` ids that follow each other."""
