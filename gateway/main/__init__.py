"""The composition root: the only place that imports adapters and metrics.

``daemon`` opens and closes everything of ``gateway serve`` in one ``async with``; ``store`` and
``carrier`` are what the other commands need.
"""

from gateway.main.carrier import (
    SCENARIOS,
    Played,
    Post,
    Script,
    carrier,
    random_scripts,
    simulate_call,
    trouble_of,
)
from gateway.main.daemon import serve
from gateway.main.store import (
    Provisioned,
    apply,
    backup,
    check_schema,
    list_calls,
    migrate,
    provisioned,
    resend_spool,
    restore,
    spooled_events,
)

__all__ = [
    "SCENARIOS",
    "Played",
    "Post",
    "Provisioned",
    "Script",
    "apply",
    "backup",
    "carrier",
    "check_schema",
    "list_calls",
    "migrate",
    "provisioned",
    "random_scripts",
    "resend_spool",
    "restore",
    "serve",
    "simulate_call",
    "spooled_events",
    "trouble_of",
]
