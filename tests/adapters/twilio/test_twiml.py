"""Replies as TwiML, beside the official package."""

from typing import Any
from xml.etree.ElementTree import canonicalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml import voice_response

from adapters.twilio.twiml import render
from gateway.domain.values import ACKNOWLEDGE, HANGUP, REJECT, Dial, Reply
from tests.adapters.twilio.forms import NUMBER, PUBLIC_URL, TARGET

# XML has no way to write control characters, surrogates and the two non-characters.
text = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
dials = st.builds(
    Dial,
    targets=st.lists(text, max_size=10).map(tuple),
    sequential=st.booleans(),
    ring_seconds=st.integers(),
    caller_id=st.none() | text,
    time_limit=st.integers(),
)
urls = st.sampled_from(["", "/a?b=1&c=<'\">", "/café"]) | text


def canonical(document: str | bytes) -> str:
    """``document`` with its attributes in one order and its escapes written one way."""
    return canonicalize(document if isinstance(document, str) else document.decode())


def official(reply: Reply, public_url: str) -> str:
    """``reply`` as the official package writes it."""
    response: Any = voice_response.VoiceResponse()
    if reply == REJECT:
        response.reject()
    elif reply == HANGUP:
        response.hangup()
    elif isinstance(reply, Dial):
        dial = response.dial(
            action=f"{public_url}/twilio/dial",
            answer_on_bridge=True,
            caller_id=reply.caller_id,
            sequential=reply.sequential or None,
            time_limit=reply.time_limit,
            timeout=reply.ring_seconds,
        )
        for target in reply.targets:
            dial.number(
                target,
                status_callback=f"{public_url}/twilio/status",
                status_callback_event="initiated ringing answered completed",
                status_callback_method="POST",
            )
    return str(response)


@given(dials, urls)
def test_a_dial_is_written_as_the_official_package_writes_it(dial: Dial, path: str) -> None:
    """Every field, every character that needs an escape, any number of targets."""
    public_url = PUBLIC_URL + path
    assert canonical(render(dial, public_url)) == canonical(official(dial, public_url))


@pytest.mark.parametrize("reply", [REJECT, HANGUP, ACKNOWLEDGE])
def test_a_short_reply_is_written_as_the_official_package_writes_it(reply: Reply) -> None:
    """Reject, Hangup and nothing at all, never taken for one another by the cache."""
    assert canonical(render(reply, PUBLIC_URL)) == canonical(official(reply, PUBLIC_URL))


def test_a_forward_is_this_document() -> None:
    """The document of a usual call, as the carrier gets it."""
    reply = Dial((TARGET,), sequential=True, ring_seconds=20, caller_id=NUMBER)
    assert render(reply, PUBLIC_URL).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?><Response>'
        '<Dial action="https://gw.example.jp/twilio/dial" answerOnBridge="true"'
        ' callerId="+815031000001" sequential="true" timeLimit="14400" timeout="20">'
        '<Number statusCallback="https://gw.example.jp/twilio/status"'
        ' statusCallbackEvent="initiated ringing answered completed"'
        ' statusCallbackMethod="POST">+81312345678</Number></Dial></Response>'
    )


def test_a_repeated_reply_is_not_written_again() -> None:
    """Equal replies are one document in memory."""
    assert render(Dial((TARGET,)), PUBLIC_URL) is render(Dial((TARGET,)), PUBLIC_URL)
