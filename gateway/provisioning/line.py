"""``[[line_channel]]``: a LINE official account, and how it answers."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.domain.hours import Hours, read_hours
from gateway.domain.line.channel import ALWAYS, Channel, Forward, Message, Rule, Uniform
from gateway.domain.line.forwarding import is_public_url
from gateway.domain.line.keywords import check_keywords
from gateway.domain.line.messages import problems_of
from gateway.domain.line.texts import WRITTEN
from gateway.domain.links import replaced
from gateway.provisioning.audience import tag_of, tags_of
from gateway.provisioning.base import (
    ADVERTISER_KEY,
    REMOVED,
    Entry,
    Everything,
    Table,
    id_of,
    instant,
)
from gateway.tomlfile import (
    Key,
    Secret,
    Wrong,
    anything,
    entries,
    line,
    one_of,
    printable,
    secret,
    whole,
)

_MOST_RULES = 500
_MOST_SHOWN = 3

_SAMPLE = f"https://{'gateway' * 8}.example.jp/r/0123456789"
"""Stands for a short link where messages are checked: as long as one may well be."""

# --- checks ---


def _shaped(pattern: str, what: str, example: str) -> Any:
    def check(value: str, _: Path) -> str:
        if not re.fullmatch(pattern, value):
            raise Wrong(f"is not {what}", f'write it like "{example}"')
        return value

    return check


def messages(value: list[Any], _: Path) -> tuple[Message, ...]:
    """Message objects that the platform takes, once short links stand for their names."""
    found = problems_of(replaced(value, lambda _: _SAMPLE))
    if found:
        shown = " · ".join(map(_as_in_files, found[:_MOST_SHOWN]))
        raise Wrong("cannot be sent", f"mend: {shown}")
    return tuple(value)


def _as_in_files(problem: str) -> str:
    """A problem in the words of files: these count from 1, and have links beside variables."""
    path, colon, told = problem.partition(": ")
    path = re.sub(r"\[(\d+)\]", lambda place: f"[{int(place[1]) + 1}]", path)
    return path + colon + told.replace(WRITTEN, f"{WRITTEN} or {{link:…}}")


def perhaps_messages(value: list[Any], folder: Path) -> tuple[Message, ...]:
    """Message objects, or none."""
    return messages(value, folder) if value else ()


def _hours_name(value: str, _: Path) -> str:
    if not re.fullmatch(r"!?[a-z0-9-]{1,40}", value):
        raise Wrong("names no table of hours", 'write "always", its id, or "!" and its id')
    return value


def _forward_url(value: str, _: Path) -> str:
    if not is_public_url(value):
        remedy = 'write it like "https://tool.example.jp/hook"'
        raise Wrong("is not a public https address", remedy)
    return value


_span_of_hours = _shaped(
    r"(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?",
    "a span of hours",
    "21:00-09:00",
)


def quiet(value: str, folder: Path) -> str:
    """A span of hours that has a length, or nothing."""
    begin, _, end = str(_span_of_hours(value, folder)).partition("-")
    if value and begin == end:
        raise Wrong("ends where it begins", 'write it like "21:00-09:00", or leave it out')
    return value


def _pin(value: str, _: Path) -> str:
    if not re.fullmatch(r"[!-~]{4,40}", value):
        raise Wrong("is not a PIN", "write 4 to 40 digits, letters or signs (ASCII)")
    return Secret(value)


# --- the keys ---

_EXAMPLE = datetime(2026, 11, 1, 10, tzinfo=ZoneInfo("Asia/Tokyo"))

_HOURS_KEY = Key(
    "hours",
    str,
    _hours_name,
    "The table of hours in which it holds; with ! in front, outside of them.",
    ALWAYS,
)

HOURS: tuple[Key, ...] = (
    Key("id", str, id_of, "What rules call it.", example="shop", required=True),
    Key(
        "weekly",
        dict,
        anything,
        "Days and spans: mon to sun, ranges like mon-fri; a day left out is closed.",
        example={"mon-fri": "10:00-18:00"},
        required=True,
    ),
    Key(
        "holidays",
        str,
        anything,
        "On Japan's holidays: closed, open (as on other days), or spans.",
        "closed",
    ),
    Key("dates", dict, anything, "Single days: closed or spans; they win over all.", {}),
)
"""The keys of ``[[line_channel.hours]]``."""

RULE: tuple[Key, ...] = (
    Key(
        "keyword",
        str,
        printable(300),
        "What a friend says, or the data of a button.",
        example="クーポン",
        required=True,
    ),
    Key(
        "match",
        str,
        one_of("exact", "contains", "regex", "postback"),
        "exact, contains, regex (RE2) or postback.",
        "exact",
    ),
    Key("messages", list, perhaps_messages, "Up to 5 message objects that are answered.", []),
    _HOURS_KEY,
    Key("tags", list, tags_of(10), "What the friend is tagged with.", [], each=tag_of),
    Key(
        "staff",
        str,
        one_of("none", "call", "end"),
        "call hands the conversation to people, end gives it back.",
        "none",
    ),
)
"""The keys of ``[[line_channel.reply]]``."""

UNIFORM: tuple[Key, ...] = (
    Key("messages", list, messages, "Up to 5 message objects.", example=[], required=True),
    _HOURS_KEY,
)
"""The keys of ``[[line_channel.uniform]]``."""

FORWARD: tuple[Key, ...] = (
    Key(
        "url",
        str,
        _forward_url,
        "Where every webhook goes, too: https, public.",
        example="https://tool.example.jp/hook",
        required=True,
    ),
    Key(
        "approved_by",
        str,
        printable(200),
        "Who of the contractor approved it.",
        example="山田 花子",
        required=True,
    ),
    Key("approved_at", datetime, instant, "When.", example=_EXAMPLE, required=True),
    Key("answerer", str, one_of("gateway", "forward"), "Who answers friends.", "gateway"),
)
"""The keys of ``[line_channel.forward]``."""

_MESSAGES = "Up to 5 message objects."

LINE_CHANNEL: tuple[Key, ...] = (
    Key("id", str, id_of, "Its name in paths and files.", example="acme-shop", required=True),
    ADVERTISER_KEY,
    Key(
        "channel_id",
        str,
        _shaped(r"[0-9]{1,20}", "a channel's id", "1234567890"),
        "The Messaging API channel.",
        example="1234567890",
        required=True,
    ),
    Key("channel_secret", str, secret(256), "Signs its webhooks.", required=True, secret=True),
    Key(
        "channel_secret_previous",
        str,
        secret(256),
        "A second secret that counts while one is rotated.",
        secret=True,
    ),
    Key(
        "bot_user_id",
        str,
        _shaped(r"(U[0-9a-f]{32})?", "a bot's user id", "U8e742f61d673b39c7fff3cecb7536ef0"),
        "Webhooks for another bot are refused.",
        "",
    ),
    Key("name", str, printable(60), "What friends call the shop: {shop}.", example="Acme 美容室"),
    Key(
        "login_channel_id",
        str,
        _shaped(r"[0-9]{0,20}", "a channel's id", "2000000000"),
        "The LINE Login channel of the same provider, for shop cards.",
        "",
    ),
    Key(
        "liff_id",
        str,
        _shaped(r"([0-9]+-[A-Za-z0-9]+)?", "a LIFF app's id", "2000000000-abcdefgh"),
        "The LIFF app that opens our pages.",
        "",
    ),
    Key("groups", bool, anything, "Whether groups are answered, too.", False),
    Key("greeting", list, perhaps_messages, f"For a new friend. {_MESSAGES}", []),
    Key(
        "greeting_again",
        list,
        perhaps_messages,
        "For one who comes back after a block; else the greeting.",
        [],
    ),
    Key("reply", list, entries(0, _MOST_RULES), "What is answered to what.", [], keys=RULE),
    Key("uniform", list, entries(0, 20), "What is answered otherwise.", [], keys=UNIFORM),
    Key("hours", list, entries(0, 20), "Tables of hours.", [], keys=HOURS),
    Key(
        "staff_minutes",
        int,
        whole(1, 10_080),
        "Minutes of silence after which the rules answer again.",
        30,
    ),
    Key("push_instead", bool, anything, "Push a reply that is too late for its token.", False),
    Key("push_cap", int, whole(0, 1_000_000), "How many of those a month.", 0),
    Key(
        "quiet",
        str,
        quiet,
        "When nothing is pushed.",
        "",
    ),
    Key("staff_secret", str, _pin, "The PIN with which staff stamp.", secret=True),
    Key("forward", dict, anything, "A second tool that gets every webhook.", keys=FORWARD),
    Key(
        "industry",
        str,
        _shaped(r"([a-z0-9-]{1,40})?", "a trade", "beauty-salon"),
        "The shop's trade; `gateway line check` knows which ones LINE restricts.",
        "",
    ),
    REMOVED,
)
"""The keys of ``[[line_channel]]``."""


def _build(values: dict[str, Any]) -> Channel:
    forward = values.pop("forward")
    values["forward"] = _forward(forward) if forward else None
    values["reply"] = tuple(Rule(**rule) for rule in values["reply"])
    values["uniform"] = tuple(Uniform(**uniform) for uniform in values["uniform"])
    values["hours"] = tuple(_hours(table) for table in values["hours"])
    for name in ("name", "channel_secret_previous", "staff_secret"):
        values[name] = values[name] or ""
    return Channel(**values)


def _forward(values: dict[str, Any]) -> Forward:
    values = dict(values)
    return Forward(answers=values.pop("answerer") == "forward", **values)


def _hours(table: dict[str, Any]) -> Hours:
    return read_hours(table["id"], table["weekly"], table["holidays"], table["dates"])


# --- what must hold within and between channels ---


def _check(everything: Everything) -> Iterator[str]:
    platform: dict[str, str] = {}
    for name, entry in everything[Channel.table].items():
        if entry.place:
            yield from _within(entry)
        number = str(entry.values.get("channel_id"))
        if number in platform:
            place = entry.place or everything[Channel.table][platform[number]].place
            wrong = Wrong(f"is the channel of {platform[number]}, too", "keep one of the two")
            yield line(f"{place}: channel_id", number, wrong)
        platform[number] = name


def _within(entry: Entry) -> Iterator[str]:
    values = entry.values
    tables = {ALWAYS, "staff"}
    for ordinal, table in enumerate(values.get("hours") or (), 1):
        try:
            tables.add(_hours(table).id)
        except KeyError:
            continue  # told already
        except ValueError as error:
            yield f"{entry.place}: hours[{ordinal}]: {error}"
    for key in ("reply", "uniform"):
        for ordinal, rule in enumerate(values.get(key) or (), 1):
            place = f"{entry.place}: {key}[{ordinal}]"
            hours = rule.get("hours", ALWAYS)
            if hours.removeprefix("!") not in tables:
                remedy = f"write one of: {', '.join(sorted(tables))}"
                yield line(f"{place}.hours", hours, Wrong("names no table of hours", remedy))
    words = [
        Rule(rule.get("keyword", "?"), rule.get("match", "exact"))
        for rule in values.get("reply") or ()
    ]
    for ordinal, told in check_keywords(words):
        what, _, remedy = told.partition("; ")
        place = f"{entry.place}: reply[{ordinal + 1}].keyword"
        yield line(place, words[ordinal].keyword, Wrong(what, remedy))
    if values.get("push_instead") and not values.get("push_cap"):
        wrong = Wrong("needs a cap", "add push_cap, the most a month")
        yield line(f"{entry.place}: push_instead", True, wrong)


TABLE = Table(Channel, LINE_CHANNEL, _build, check=_check)
