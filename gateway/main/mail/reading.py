"""Mails that came back, read from files as the intake reads them, for the command line."""

from pathlib import Path

from adapters.smtp.reading import mails_in, read
from gateway.domain.mail.returns.bounces import Reading

_SIZE = 64 * 1024 * 1024  # of a file with many mails; of each mail the reader takes less


def read_file(path: Path) -> list[Reading]:
    """What the mail in ``path``, or each of an mbox, says of whom.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        raw = file.read(_SIZE)
    return [reading for mail in mails_in(raw) for reading in read(mail).readings]
