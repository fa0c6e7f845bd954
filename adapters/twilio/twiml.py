"""Replies as TwiML, the platform's XML. Tests hold it equal to the official package's output.

Source: https://www.twilio.com/docs/voice/twiml/dial
"""

from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

from gateway.domain.values import Acknowledge, Dial, Hangup, Reject, Reply

CONTENT_TYPE = "text/xml; charset=utf-8"

DIAL_PATH = "/twilio/dial"
STATUS_PATH = "/twilio/status"

_EVENTS = "initiated ringing answered completed"


@lru_cache(maxsize=4096)  # an answer has 400 bytes and 200 a target: some megabytes at the most
def render(reply: Reply, public_url: str) -> bytes:
    """``reply`` as a TwiML document, whose callbacks come to ``public_url``."""
    match reply:
        case Dial():
            verb = _dial(reply, public_url)
        case Reject():
            verb = "<Reject/>"
        case Hangup():
            verb = "<Hangup/>"
        case Acknowledge():
            verb = ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{verb}</Response>'.encode()


def _dial(reply: Dial, public_url: str) -> str:
    # Dial is the first verb: only there is the caller's call answered, and billed, when a target
    # answers (answerOnBridge).
    caller_id = f" callerId={quoteattr(reply.caller_id)}" if reply.caller_id is not None else ""
    sequential = ' sequential="true"' if reply.sequential else ""
    number = (
        f"<Number statusCallback={quoteattr(public_url + STATUS_PATH)}"
        f' statusCallbackEvent="{_EVENTS}" statusCallbackMethod="POST">'
    )
    numbers = "".join([f"{number}{escape(target)}</Number>" for target in reply.targets])
    return (
        f'<Dial action={quoteattr(public_url + DIAL_PATH)} answerOnBridge="true"{caller_id}'
        f'{sequential} timeLimit="{reply.time_limit}" timeout="{reply.ring_seconds}">'
        f"{numbers}</Dial>"
    )
