"""Messages that are meant to keep whoever checks them busy."""

from typing import Any

import pytest

from gateway.domain.line.messages import problems

FAMILY = "\U0001f468\U0001f3fd\u200d\U0001f469\U0001f3fd\u200d\U0001f467\U0001f3fd\u200d\U0001f466\U0001f3fd"


def button(label: str) -> dict[str, Any]:
    """A message with one button."""
    action = {"type": "message", "label": label, "text": "x"}
    template = {"type": "buttons", "text": "x", "actions": [action]}
    return {"type": "template", "altText": "a", "template": template}


@pytest.mark.parametrize("sign", ["\U0001f468\u200d", "e\u0301", "\u0301"])
def test_a_label_of_endless_characters_is_too_long(sign: str) -> None:
    """Counting what a reader takes for one character takes the square of its code points: half a
    million of them would take a minute, so they are not counted.
    """
    (said,) = problems(button(sign * 250_000))
    assert "write at most 20" in said


def test_a_label_of_real_characters_is_counted_as_they_are_read() -> None:
    """Twenty families fit, one more does not."""
    assert problems(button(FAMILY * 20)) == []
    (said,) = problems(button(FAMILY * 21))
    assert "has 21 characters; write at most 20" in said


def test_only_some_unknown_fields_are_told() -> None:
    """Each costs a search for what was meant."""
    found = problems({"type": "text", "text": "x", **{f"field{n}": 1 for n in range(100_000)}})
    assert len(found) == 20
