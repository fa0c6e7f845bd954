"""The form parameters of the platform's webhooks.

Sources: "Twilio's request to your application", <Dial> and <Number> in the platform's TwiML
reference.
"""

from email.utils import format_datetime

from adapters.twilio.simulator.played import Script
from gateway.domain.values import known_caller, moment


def call(account_sid: str, call_sid: str, script: Script) -> dict[str, str]:
    """Of the voice webhook, and of all that is told of the caller's side."""
    return {
        "AccountSid": account_sid,
        "ApiVersion": "2010-04-01",
        "CallSid": call_sid,
        "CallStatus": "ringing",
        "CallToken": f'{{"parentCallInfoToken":"{call_sid[2:]}","identityHeaderTokens":[]}}',
        "Direction": "inbound",
        "StirVerstat": "No-TN-Validation",
        **_parties(script.caller, script.to),
    }


def leg(parent: dict[str, str], sid: str, shown: str, target: str, status: str) -> dict[str, str]:
    """Of a called target's callback; ``shown`` is the number that the target sees."""
    return {
        "AccountSid": parent["AccountSid"],
        "ApiVersion": parent["ApiVersion"],
        "CallSid": sid,
        "ParentCallSid": parent["CallSid"],
        "CallStatus": status,
        "Direction": "outbound-dial",
        **_parties(shown, target),
    }


def progress(instant: int, sequence: int) -> dict[str, str]:
    """What every status callback adds: its time (microseconds) and its place among its call's."""
    return {
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(sequence),
        "Timestamp": format_datetime(moment(instant)),
    }


def dial(status: str, sid: str | None, talk: int | None) -> dict[str, str]:
    """What the action of a Dial adds; ``talk`` in seconds where the parties were connected."""
    told = {"DialCallStatus": status, "DialBridged": "false" if talk is None else "true"}
    if sid is not None:
        told["DialCallSid"] = sid
    if talk is not None:
        told["DialCallDuration"] = str(talk)
    return told


def _parties(caller: str, called: str) -> dict[str, str]:
    """Both sides under all their names; of most numbers of Japan only the country is known."""
    told: dict[str, str] = {}
    for number, names in ((caller, ("Caller", "From")), (called, ("Called", "To"))):
        japanese = (known_caller(number) or "").startswith("+81")
        for name in names:
            told |= {
                name: number,
                f"{name}City": "Tokyo" if number.startswith("+813") else "",
                f"{name}State": "",
                f"{name}Zip": "",
                f"{name}Country": "JP" if japanese else "",
            }
    return told
