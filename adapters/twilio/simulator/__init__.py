"""A carrier to test and demonstrate against: it calls, signs, reads TwiML and acts on it.

It is the other side of the wire, so it shares no code with the webhooks: a mistake of ours in
signing, timing or judging a call does not cancel itself out.
"""

from adapters.twilio.simulator.carrier import Carrier
from adapters.twilio.simulator.listing import CallListing
from adapters.twilio.simulator.played import SCENARIOS, Leg, Played, Post, Scenario, Script
from adapters.twilio.simulator.scripts import random_caller, random_scripts

__all__ = [
    "SCENARIOS",
    "CallListing",
    "Carrier",
    "Leg",
    "Played",
    "Post",
    "Scenario",
    "Script",
    "random_caller",
    "random_scripts",
]
