"""The mail world on loopback: a server that takes letters, and the people whose letters they are.

It is the other side of the wire, so it shares no code with the gateway's own client and reader: a
mistake of ours does not cancel itself out.
"""

from adapters.smtp.simulator.habits import Habits, Rule, docomo, greylisting, kddi, yahoo_japan
from adapters.smtp.simulator.kept import Keep, Letter, Mailbox
from adapters.smtp.simulator.people import Crowd, Deed, Shares, Temper
from adapters.smtp.simulator.sink import Sink
from adapters.smtp.simulator.world import MailWorld

__all__ = [
    "Crowd",
    "Deed",
    "Habits",
    "Keep",
    "Letter",
    "MailWorld",
    "Mailbox",
    "Rule",
    "Shares",
    "Sink",
    "Temper",
    "docomo",
    "greylisting",
    "kddi",
    "yahoo_japan",
]
