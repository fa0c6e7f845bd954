"""Reads the mails that come back: bounces, complaints and notes of absence.

Everything in them is a stranger's: a mail of any shape and size gives a report, perhaps an empty
one, in bounded time and memory, and never an error.
"""

from adapters.smtp.reading.mime import mails_in
from adapters.smtp.reading.reader import read

__all__ = ["mails_in", "read"]
