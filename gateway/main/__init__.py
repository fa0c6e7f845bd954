"""The composition root: the only place that imports adapters and metrics.

``daemon`` opens and closes everything of ``gateway serve`` in one ``async with``; ``store``,
``shops`` and the simulated ``carrier`` are what the other commands need. The simulated ``platform``
is imported by those who play it: the daemon does without.
"""

from gateway.main.api import create_token, list_tokens, revoke_token
from gateway.main.carrier import (
    SCENARIOS,
    CallListing,
    Played,
    Post,
    Script,
    address_of,
    call_listing,
    carrier,
    random_scripts,
    simulate_call,
    trouble_of,
)
from gateway.main.daemon import serve
from gateway.main.followers import take_followers
from gateway.main.onboarding import check_channel
from gateway.main.sending import list_halts, stop_sends
from gateway.main.shops import (
    Send,
    find_channel,
    find_reply,
    list_failed,
    list_friends,
    list_holdings,
    list_sends,
    list_surveys,
    list_tickets,
    open_sends,
    resend,
)
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
    "CallListing",
    "Played",
    "Post",
    "Provisioned",
    "Script",
    "Send",
    "address_of",
    "apply",
    "backup",
    "call_listing",
    "carrier",
    "check_channel",
    "check_schema",
    "create_token",
    "find_channel",
    "find_reply",
    "list_calls",
    "list_failed",
    "list_friends",
    "list_halts",
    "list_holdings",
    "list_sends",
    "list_surveys",
    "list_tickets",
    "list_tokens",
    "migrate",
    "open_sends",
    "provisioned",
    "random_scripts",
    "resend",
    "resend_spool",
    "restore",
    "revoke_token",
    "serve",
    "simulate_call",
    "spooled_events",
    "stop_sends",
    "take_followers",
    "trouble_of",
]
