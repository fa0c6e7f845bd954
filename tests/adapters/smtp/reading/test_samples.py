"""Real bounces, complaints and notes of absence, where they lie beside the checkout."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from adapters.smtp.reading import mails_in, read
from gateway.domain.mail.returns.bounces import Reading

SAMPLES = Path(__file__).parents[5] / "shared" / "samples" / "bounces"

pytestmark = pytest.mark.skipif(
    not (SAMPLES / "labels.json").is_file(), reason="the samples are not beside the checkout"
)


class Case(NamedTuple):
    """One expected reading, and ours."""

    file: str
    bounce_class: str
    hard: bool
    got: Reading | None

    @property
    def is_right(self) -> bool:
        """Whether the class is."""
        return self.got is not None and self.got.bounce_class == self.bounce_class

    @property
    def is_hard(self) -> bool:
        """Whether we call it hard."""
        return self.got is not None and self.got.hard


@cache
def cases() -> tuple[Case, ...]:
    """Each expected reading that the mail's own text supports."""
    labels: dict[str, list[dict[str, Any]]] = json.loads((SAMPLES / "labels.json").read_text())
    reasons = {
        reason: bounce_class
        for bounce_class, all_ in json.loads((SAMPLES / "classes.json").read_text()).items()
        for reason in all_
    }

    def made() -> Iterator[Case]:
        for name, expected in labels.items():
            raw = (SAMPLES / name).read_bytes()
            got = [reading for mail in mails_in(raw) for reading in read(mail).readings]
            for number, label in enumerate(expected):
                if not label.get("disputed"):
                    reading = got[number] if number < len(got) else None
                    yield Case(name, reasons[label["reason"]], label["hard"], reading)

    return tuple(made())


def test_hard_samples_are_read_as_hard() -> None:
    """At least 97 of 100."""
    hard = [case for case in cases() if case.hard]
    missed = [case for case in hard if not case.is_hard]
    assert len(missed) <= 0.03 * len(hard), missed


def test_soft_samples_are_not_read_as_hard() -> None:
    """At most 2 of 100 are struck off though they could be reached."""
    soft = [case for case in cases() if not case.hard]
    wrong = [case for case in soft if case.is_hard]
    assert len(wrong) <= 0.02 * len(soft), wrong


def test_the_class_of_samples_is_right() -> None:
    """At least 92 of 100."""
    wrong = [case for case in cases() if not case.is_right]
    assert len(wrong) <= 0.08 * len(cases()), wrong


def test_each_recipient_of_a_sample_is_in_its_mail() -> None:
    """A reading names somebody whom the mail names, except where an address was redacted."""
    for case in cases():
        assert case.got is not None, case.file
        local, mark, domain = case.got.address.partition("@")
        raw = (SAMPLES / case.file).read_bytes().lower()
        if mark:
            assert local.lower().encode() in raw, case
            assert domain.encode() in raw, case
        else:
            assert case.bounce_class in ("complaint", "not_a_bounce"), case
