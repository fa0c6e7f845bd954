"""Surveys, and friends who are asked, for tests."""

from itertools import count
from typing import Any

import msgspec

from gateway.domain.line.channel import Message
from gateway.domain.line.friends import Friend
from gateway.domain.surveys import Option, Question, Survey
from gateway.domain.values import EVERYBODY, SECOND, Seed
from gateway.ports import Fact, Transaction
from gateway.usecases import surveys
from gateway.usecases.surveys import IDS_A_SUBMISSION, Submission
from tests.support.line import NOON, SHOP, USER

DAY = 86_400 * SECOND

TASTE = Question(
    "taste", "お味は", options=(Option("good", "よい", ("fan",)), Option("bad", "わるい"))
)
DISHES = Question(
    "dishes",
    "お好きなものは",
    "choices",
    (Option("rice", "ごはん"), Option("soup", "汁物"), Option("fish", "魚", ("fish",))),
    required=False,
)
WISH = Question("wish", "ご要望は", "text", required=False, most=20)

LIFF_SHOP = msgspec.structs.replace(
    SHOP, login_channel_id="2000000000", liff_id="2000000000-abcdefgh"
)


def survey(**changed: Any) -> Survey:
    """A survey of the shop's that is open now."""
    fields: dict[str, Any] = {
        "id": "autumn",
        "advertiser": "acme",
        "channel": SHOP.id,
        "title": "秋のアンケート",
        "questions": (TASTE, DISHES, WISH),
        "starts": NOON - DAY,
        "ends": NOON + DAY,
    }
    return Survey(**(fields | changed))


def user(number: int = 0) -> str:
    """A friend's userId."""
    return USER[:-4] + f"{number:04}"


_blocks = count(1)


class Wish(msgspec.Struct, frozen=True):
    """Something that a friend does in the chat."""

    data: str
    """A button's data, or a survey's id."""
    user: str
    at: int
    seed: Seed
    language: str
    is_group: bool


def wish(data: str = "autumn", number: int = 0, *, at: int = NOON, **more: Any) -> Wish:
    """A friend's wish; without a slash in ``data`` it is to be asked."""
    seed = Seed(next(_blocks) * 100_000 + 50_000_000, 8, b"0123456789abcdef%d" % next(_blocks))
    return Wish(data, user(number), at, seed, more.get("language", ""), more.get("is_group", False))


def do(tx: Transaction, asked: Wish) -> tuple[list[Message], list[Fact]]:
    """What the friend is sent."""
    draw = asked.seed.draw()
    friend = tx.line.friend(EVERYBODY, SHOP.id, asked.user)
    if friend is None:
        friend = Friend(
            channel=SHOP.id,
            user=asked.user,
            id=draw.id(),
            advertiser=SHOP.advertiser,
            first_at=asked.at,
            followed_at=asked.at,
            name="花子",
            language=asked.language,
            is_group=asked.is_group,
        )
        tx.line.save(EVERYBODY, friend)
    act = surveys.pressed if "/" in asked.data else surveys.offer
    return act(tx, SHOP, friend, asked.data, draw, asked.at)


def submission(
    key: str, given: dict[str, list[str]], *, by: str = "", at: int = NOON
) -> Submission:
    """A page that was filled in."""
    ordinal = next(_blocks)
    seed = Seed(ordinal * 100_000 + 90_000_000, IDS_A_SUBMISSION, b"fedcba9876543210%d" % ordinal)
    return Submission(key, by, given, at, seed)


def token_in(messages: list[Message]) -> str:
    """The token in the address of a page."""
    uri = messages[0]["template"]["actions"][0]["uri"]
    return str(uri).rpartition("/")[2]
