"""The documented words of events, beside the official package and the official description."""

import re
from pathlib import Path

import msgspec
import pytest
from linebot.v3.webhooks import Event as OfficialEvent
from linebot.v3.webhooks import EventMode
from linebot.v3.webhooks import MessageContent as OfficialMessage
from linebot.v3.webhooks import Source as OfficialSource

from gateway.domain.line.events import KINDS, MESSAGE_KINDS, MODES, SOURCES, Event

DESCRIPTION = Path("/work/shared/specs/line/webhook.yml")


@pytest.mark.parametrize(
    ("words", "model"),
    [(KINDS, OfficialEvent), (MESSAGE_KINDS, OfficialMessage), (SOURCES, OfficialSource)],
)
def test_the_words_are_those_of_the_official_package(words: frozenset[str], model: type) -> None:
    """Types of events, messages and sources are the ones that the package has classes for."""
    known = getattr(model, f"_{model.__name__}__discriminator_value_class_map")
    assert words == set(known)


def test_the_modes_are_those_of_the_official_package() -> None:
    """Active and standby."""
    assert {mode.value for mode in EventMode} == MODES


@pytest.mark.skipif(not DESCRIPTION.exists(), reason="the official description is not here")
def test_every_described_type_is_known() -> None:
    """Whatever type the description maps to an event is one of ours."""
    mapping = DESCRIPTION.read_text().partition("    EventMode:")[0].partition("mapping:")[2]
    described = set(re.findall(r"^ +(\w+): \"#", mapping, re.MULTILINE))
    assert described
    assert described <= KINDS


def test_an_event_is_a_value() -> None:
    """It cannot be changed, equals its like, and survives being kept as JSON."""
    event = Event("01", "message", 1, "active", redelivered=False, raw="{}", detail=("a", "b"))
    with pytest.raises(AttributeError):
        event.text = "x"  # type: ignore[misc] # that it fails is the test
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event
    assert hash(event) == hash(msgspec.structs.replace(event))
