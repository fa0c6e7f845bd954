"""What a press does with a batch of letters, and the process that does nothing else.

``python -m adapters.smtp.composing.pressing`` reads batches from standard input and writes letters
to standard output, each behind its length (8 bytes). It ends with its input, so that it does not
outlive who started it, however that ended; keys come to it by that pipe alone.
"""

import signal
import sys
from collections import OrderedDict
from collections.abc import Iterable
from typing import IO, TypeAlias

import msgspec

from adapters.smtp.composing.dkim import Signer
from adapters.smtp.composing.mime import Compiled, Letter
from gateway.errors import GatewayError, Refused

MOST_JOBS = 8
"""Jobs that a process keeps; who sends batches knows which."""


class Signing(msgspec.Struct, frozen=True):
    """What a campaign's mails are signed with; it does not show its key."""

    domain: str
    selector: str
    pem: bytes

    def __repr__(self) -> str:
        return f"Signing({self.domain!r}, {self.selector!r})"


class PressJob(msgspec.Struct, frozen=True):
    """A campaign, as far as letters are made of it."""

    compiled: Compiled
    signing: Signing | None = None
    """``None``: its mails are not signed."""


class ComposeFailure(msgspec.Struct, frozen=True):
    """Why one recipient's letter cannot be made; it cannot tomorrow either."""

    reason: str
    """A :class:`~gateway.errors.Refusal`, or ``fault``: a mistake of ours, to be looked at."""
    detail: str
    """The name of the slot or field that it is about, never a value."""


Made: TypeAlias = bytes | ComposeFailure


class Batch(msgspec.Struct, frozen=True):
    """One message to a process."""

    job_id: bytes
    job: PressJob | None
    """With the first batch of it."""
    forget: bytes
    """The job to be dropped for it, or nothing."""
    now_seconds: int
    letters: list[Letter]


class Ready:
    """A job that letters can be made of."""

    def __init__(self, job: PressJob) -> None:
        """Load its key.

        Raises:
            Misconfigured: as :class:`adapters.smtp.composing.dkim.Signer` says.
        """
        signing = job.signing
        self._compiled = job.compiled
        self._signer = Signer(signing.domain, signing.selector, signing.pem) if signing else None

    def make(self, letters: Iterable[Letter], now_seconds: int) -> list[Made]:
        """The letters' bytes in their order, or why one cannot be made."""
        return [self._one(letter, now_seconds) for letter in letters]

    def _one(self, letter: Letter, now_seconds: int) -> Made:
        try:
            message = self._compiled.letter(letter)
            return self._signer.sign(message, now_seconds) if self._signer else message
        except Refused as refused:
            return ComposeFailure(str(refused.reason), refused.detail)
        except (GatewayError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            # one letter that we make wrong must not hold back the others; values stay unsaid
            return ComposeFailure("fault", type(error).__name__)


# --- the pipe ---

_LENGTH = 8


def write_frame(pipe: IO[bytes], data: bytes) -> None:
    """Write ``data`` behind its length."""
    pipe.write(len(data).to_bytes(_LENGTH, "big"))
    pipe.write(data)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> bytes:
    """Read what :func:`write_frame` wrote.

    Raises:
        EOFError: where the other side is gone.
    """
    length = pipe.read(_LENGTH)
    if len(length) < _LENGTH:
        raise EOFError
    size = int.from_bytes(length, "big")
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Make letters of batches until ``source`` ends."""
    decoder = msgspec.msgpack.Decoder(Batch)
    encoder = msgspec.msgpack.Encoder()
    jobs: OrderedDict[bytes, Ready] = OrderedDict()
    while True:
        batch = decoder.decode(read_frame(source))
        jobs.pop(batch.forget, None)
        if batch.job is not None:
            jobs[batch.job_id] = Ready(batch.job)
        made = jobs[batch.job_id].make(batch.letters, batch.now_seconds)
        write_frame(sink, encoder.encode(made))


def main() -> None:
    """Serve standard input and output; who started this decides when it ends."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except (EOFError, BrokenPipeError):
        sys.stdout = None  # nothing is left to be written, nor anybody to read it


if __name__ == "__main__":
    main()
