"""The process in which css-inline works: a document on standard input, the inlined one on output.

``python -m adapters.smtp.composing.inliner SECONDS``. Deep nesting overflows the library's stack,
and rules for everything take it minutes; apart from the daemon that ends a process, and is told to
the author.
"""

import os
import resource
import subprocess
import sys

from css_inline import CSSInliner, InlineError

from gateway.errors import Refusal, Refused

MOST_BYTES = 2_000_000
"""Of the inlined document in UTF-8, with its marks."""

CPU_SECONDS_TO_SEND = 5
"""Of the process that does it, for a campaign that was let go."""

CPU_SECONDS_TO_LOOK = 2
"""The same before that, for previews and trials: what was found fit then is fit when it goes, also
where the machine is slower by then."""

_MEMORY_BYTES = 1 << 30
_WAIT_SECONDS = 120  # for a machine on which seconds of work take longer

_FAILED = 3


def inline_apart(html: str, cpu_seconds: int = CPU_SECONDS_TO_SEND) -> str:
    """``html`` with its CSS in the elements, made by a process of its own.

    Nothing is fetched: style sheets that are linked to are dropped. It takes a tenth of a second;
    what takes the process more than ``cpu_seconds`` of a processor is refused.

    Raises:
        Refused: TEMPLATE_INVALID, where it cannot be done within limits; CONTENT_TOO_LARGE.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own module, and a number
            [sys.executable, "-P", "-m", "adapters.smtp.composing.inliner", str(cpu_seconds)],
            input=html.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            timeout=_WAIT_SECONDS,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        why = "html: its elements lie too deep, or its style is too much or cannot be read"
        raise Refused(Refusal.TEMPLATE_INVALID, why) from None
    if len(done.stdout) > MOST_BYTES:
        why = f"html: more than {MOST_BYTES} bytes with its style in the elements"
        raise Refused(Refusal.CONTENT_TOO_LARGE, why)
    return done.stdout.decode()


def inline(html: str) -> str:
    """The same in this process, without limits.

    Raises:
        InlineError: what css-inline says.
    """
    return _INLINER.inline(html)


_INLINER = CSSInliner(
    load_remote_stylesheets=False,
    keep_at_rules=True,  # media queries, which some programs know
    keep_link_tags=False,
)


def main() -> int:
    """Inline standard input, within limits of time and memory."""
    cpu_seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        made = inline(sys.stdin.buffer.read().decode())
    except (InlineError, MemoryError, ValueError):
        return _FAILED
    sys.stdout.buffer.write(made.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
