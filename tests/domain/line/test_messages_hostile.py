"""Messages that are meant to keep whoever checks them busy."""

from typing import Any

import pytest

from gateway.domain.line.messages import problems

FAMILY = "\u200d".join(f"{person}\U0001f3fd" for person in "👨👩👧👦")


def button(label: str) -> dict[str, Any]:
    """A message with one button."""
    action = {"type": "message", "label": label, "text": "x"}
    template = {"type": "buttons", "text": "x", "actions": [action]}
    return {"type": "template", "altText": "a", "template": template}


@pytest.mark.parametrize("part", ["{name}", "{{", "a."])
def test_an_endless_text_is_not_looked_into(part: str) -> None:
    """What no limit allows is told before its variables are replaced."""
    (said,) = problems({"type": "text", "text": part * 300_000})
    assert "that somebody reads" in said


@pytest.mark.parametrize("sign", ["\U0001f468\u200d", "e\u0301", "\u0301"])
def test_a_label_of_endless_characters_is_too_long(sign: str) -> None:
    """Counting what a reader takes for one character takes the square of its code points, so those
    of more than any real one has are not counted.
    """
    (said,) = problems(button(sign * 20_000))
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
