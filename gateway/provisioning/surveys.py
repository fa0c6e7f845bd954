"""``[[survey]]``: questions to friends, and what those get who answer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.domain.coupons.coupon import Coupon
from gateway.domain.line.channel import Channel
from gateway.domain.pushes import StepSeries
from gateway.domain.surveys import MOST_BUTTONS, Option, Question, Survey
from gateway.provisioning.audience import CHANNEL_KEY, of_channel, tag_of, tags_of
from gateway.provisioning.base import (
    ADVERTISER_KEY,
    REMOVED,
    Entry,
    Everything,
    Table,
    amiss_in_messages,
    id_of,
    instant,
)
from gateway.provisioning.line import perhaps_messages
from gateway.tomlfile import Check, Key, Wrong, anything, entries, line, one_of, printable, whole

_MOST_QUESTIONS = 20
_MOST_OPTIONS = 30
_MOST_FIELDS = 90
"""So many fields a page's form may have."""
_MOST_LABEL = 20
"""Characters of a button in the chat."""
_MOST_TAGS = 5

# --- checks ---


def _plain(most: int) -> Check:
    """A line of text that means the same whether variables are filled in or not."""
    fits = printable(most)

    def check(value: str, folder: Path) -> str:
        if "{" in value or "}" in value:
            raise Wrong("has a brace, and knows no variables", "take the braces out")
        return str(fits(value, folder))

    return check


def _id(value: str, _: Path) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,20}", value):
        raise Wrong("is not an id", "write 1 to 20 of a-z, 0-9 and -")
    return value


# --- the keys ---

OPTION: tuple[Key, ...] = (
    Key("id", str, _id, "What results call it.", example="yes", required=True),
    Key(
        "text",
        str,
        _plain(60),
        "What is chosen; in the chat up to 20.",
        example="はい",
        required=True,
    ),
    Key("tags", list, tags_of(_MOST_TAGS), "What who chooses it is tagged with.", [], each=tag_of),
)
"""The keys of ``[[survey.questions.options]]``."""

QUESTION: tuple[Key, ...] = (
    Key("id", str, _id, "What results call it.", example="taste", required=True),
    Key("text", str, _plain(300), "What is asked.", example="お味はいかがでしたか", required=True),
    Key(
        "kind",
        str,
        one_of("choice", "choices", "text"),
        "choice: one option, choices: any number of them, text: in one's own words.",
        "choice",
    ),
    Key("options", list, entries(0, _MOST_OPTIONS), "What can be chosen.", [], keys=OPTION),
    Key("required", bool, anything, "Whether it must be answered.", True),
    Key("most", int, whole(1, 2000), "Characters that a text may have.", 500),
)
"""The keys of ``[[survey.questions]]``."""

SURVEY: tuple[Key, ...] = (
    Key("id", str, id_of, "Its name in messages and files.", example="autumn", required=True),
    ADVERTISER_KEY,
    CHANNEL_KEY,
    Key("title", str, _plain(60), "What it is called.", example="秋のアンケート", required=True),
    Key(
        "questions",
        list,
        entries(1, _MOST_QUESTIONS),
        f"1 to {_MOST_QUESTIONS} questions.",
        example=[{"id": "taste", "text": "…", "kind": "text"}],
        required=True,
        keys=QUESTION,
    ),
    Key("starts", datetime, instant, "From when on it is open.", required=True),
    Key("ends", datetime, instant, "The last instant at which it is open.", required=True),
    Key(
        "way",
        str,
        one_of("page", "chat"),
        "page: all questions on a page; chat: one after the other, with buttons.",
        "page",
    ),
    Key("thanks", list, perhaps_messages, "Up to 5 message objects; else a text of ours.", []),
    Key("anonymous", bool, anything, "Whether nobody is to know who answered what.", False),
    REMOVED,
)
"""The keys of ``[[survey]]``."""


def _build(values: dict[str, Any]) -> Survey:
    values["questions"] = tuple(_question(question) for question in values["questions"])
    return Survey(**values)


def _question(values: dict[str, Any]) -> Question:
    options = tuple(Option(**option) for option in values["options"])
    return Question(**{**values, "options": options})


# --- what must hold within and between surveys ---


def _check(everything: Everything) -> Iterator[str]:
    for entry in everything[Survey.table].values():
        if not entry.place:
            continue
        yield from of_channel(entry, everything)
        starts, ends = entry.values.get("starts"), entry.values.get("ends")
        if starts is not None and ends is not None and ends <= starts:
            yield f"{entry.place}: ends: is not after starts; write a later time"
        yield from _asked(entry)
        yield from _thanked(entry, everything.get(Coupon.table, {}))
    tables = (Channel.table, StepSeries.table)
    yield from amiss_in_messages(everything, "survey", Survey.table, by=tables, same=("channel",))


def _asked(entry: Entry) -> Iterator[str]:
    questions = entry.values.get("questions") or ()
    place = f"{entry.place}: questions"
    yield from _twice(place, questions)
    fields = 0
    for ordinal, question in enumerate(questions, 1):
        if not {"kind", "options", "required"} <= question.keys():
            continue  # told already
        options = question["options"]
        where = f"{place}[{ordinal}]"
        fields += len(options) if question["kind"] == "choices" else 1
        yield from _twice(f"{where}.options", options)
        if question["kind"] == "text" and options:
            yield f'{where}.options: a text has none; take them out, or write kind = "choice"'
        elif question["kind"] != "text" and len(options) < 2:
            yield f"{where}.options: are too few to choose from; write 2 or more"
        if entry.values.get("way") == "chat":
            yield from _buttons(where, question)
        if entry.values.get("anonymous") and any(option.get("tags") for option in options):
            yield f"{where}.options: an anonymous survey tags nobody; take the tags out"
    if fields > _MOST_FIELDS:
        yield f"{place}: make a form of {fields} fields; write options for at most {_MOST_FIELDS}"


def _twice(place: str, named: Sequence[dict[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for ordinal, each in enumerate(named, 1):
        name = each.get("id")
        if name in seen:
            wrong = Wrong("is there twice", "write another id")
            yield line(f"{place}[{ordinal}].id", name, wrong)
        elif name is not None:
            seen.add(name)


def _buttons(place: str, question: Mapping[str, Any]) -> Iterator[str]:
    """What the chat cannot show."""
    one_more = question["kind"] == "choices" or not question["required"]
    most = MOST_BUTTONS - one_more
    if len(question["options"]) > most:
        yield f'{place}.options: are more than {most} buttons; write fewer, or way = "page"'
    for ordinal, option in enumerate(question["options"], 1):
        text = option.get("text") or ""
        if len(text) > _MOST_LABEL:
            wrong = Wrong("is too long for a button", f"write at most {_MOST_LABEL} characters")
            yield line(f"{place}.options[{ordinal}].text", text, wrong)


def _thanked(entry: Entry, coupons: Mapping[str, Entry]) -> Iterator[str]:
    questions = entry.values.get("questions") or ()
    ends_on_page = entry.values.get("way") != "chat" or any(
        question.get("kind") == "text" for question in questions
    )
    for ordinal, message in enumerate(entry.values.get("thanks") or (), 1):
        place = f"{entry.place}: thanks[{ordinal}]"
        name = message.get("coupon")
        if ends_on_page and message["type"] != "text" and name is None:
            wrong = Wrong("cannot be shown on the survey's page", "write a text or a coupon")
            yield line(f"{place}.type", message["type"], wrong)
        if name is None:
            continue
        coupon = coupons.get(name)
        if coupon is None:
            wrong = Wrong("does not exist", "describe it in a file, or name another")
            yield line(f"{place}.coupon", name, wrong)
        elif coupon.values.get("advertiser") != entry.values.get("advertiser"):
            wrong = Wrong("is another advertiser's", "name one of the same")
            yield line(f"{place}.coupon", name, wrong)
        elif ends_on_page and coupon.values.get("kind") == "line":
            wrong = Wrong("is LINE's own, which no page shows", "name one of ours")
            yield line(f"{place}.coupon", name, wrong)


TABLE = Table(
    Survey,
    SURVEY,
    _build,
    refers=(("advertiser", "advertiser"), ("channel", Channel.table)),
    check=_check,
)
