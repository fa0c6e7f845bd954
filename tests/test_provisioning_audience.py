"""Segments, links and series of steps in provisioning files: what they describe."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.domain.audience import (
    EVERYONE,
    ActiveWithin,
    AllOf,
    AnyOf,
    CameBy,
    FollowedBefore,
    FollowedSince,
    FollowedWithin,
    NoneOf,
    Segment,
    Tagged,
)
from gateway.domain.links import Link
from gateway.domain.pushes import Step, StepSeries
from gateway.domain.values import micros
from gateway.provisioning import read

SHOP = """
[[advertiser]]
id = "acme"
name = "Acme"
kind = "advertiser"

[[line_channel]]
id = "acme-shop"
advertiser = "acme"
channel_id = "1234567890"
channel_secret = "8c570fa6dd201bb328f1c1eac23a96d8"
"""


def wanted(folder: Path, text: str) -> dict[str, Any]:
    """The entities of a file by id, without the shop."""
    (folder / "shop.toml").write_text(SHOP + text)
    plan = read([folder / "shop.toml"], {})
    return {entity.key: entity for entity in plan.wanted if entity.key not in ("acme", "acme-shop")}


def test_a_filter_is_a_tree_of_conditions(tmp_path: Path) -> None:
    """Keys of a table must all hold; days are those of Tokyo."""
    text = """
        [[segment]]
        id = "regulars"
        advertiser = "acme"
        channel = "acme-shop"
        [segment.filter]
        all = ["lunch", { any = ["vip", { followed_within = 30 }] }]
        none = [{ active_within = 60 }]
        followed_since = 2026-01-01
        followed_before = 2026-11-01
        entry = "flyer"
        tag = "adult"

        [[segment]]
        id = "everyone"
        advertiser = "acme"
        channel = "acme-shop"
        filter = {}

        [[link]]
        id = "flyer"
        advertiser = "acme"
        channel = "acme-shop"
        kind = "entry"
        url = "https://line.me/R/ti/p/@acme"
        tags = ["by-flyer", "by-flyer"]
        """
    begin = micros(datetime(2025, 12, 31, 15, tzinfo=UTC))
    end = micros(datetime(2026, 10, 31, 15, tzinfo=UTC))
    regulars = AllOf(
        (
            AllOf((Tagged("lunch"), AnyOf((Tagged("vip"), FollowedWithin(30))))),
            NoneOf((ActiveWithin(60),)),
            FollowedSince(begin),
            FollowedBefore(end),
            CameBy("flyer"),
            Tagged("adult"),
        )
    )
    flyer = Link(
        "flyer", "acme", "https://line.me/R/ti/p/@acme", "acme-shop", "entry", ("by-flyer",)
    )
    assert wanted(tmp_path, text) == {
        "regulars": Segment("regulars", "acme", "acme-shop", regulars),
        "everyone": Segment("everyone", "acme", "acme-shop", EVERYONE),
        "flyer": flyer,
    }


def test_steps_have_days_and_times(tmp_path: Path) -> None:
    """What is left out has its default, and links stay as they are written."""
    text = """
        [[link]]
        id = "menu"
        advertiser = "acme"
        url = "https://shop.example.jp/menu"

        [[step_series]]
        id = "welcome"
        advertiser = "acme"
        channel = "acme-shop"
        steps = [
            { day = 0, messages = [{ type = "text", text = "{link:menu}" }] },
            { day = 3, time = "19:05", messages = [{ type = "text", text = "{name}様" }] },
        ]

        [[step_series]]
        id = "care"
        advertiser = "acme"
        channel = "acme-shop"
        trigger = "tag:bought"
        stop_on = ["left"]
        again = true
        steps = [{ day = 1, messages = [{ type = "text", text = "ケア" }] }]
        """
    found = wanted(tmp_path, text)
    assert found["menu"] == Link("menu", "acme", "https://shop.example.jp/menu")
    assert found["welcome"] == StepSeries(
        "welcome",
        "acme",
        "acme-shop",
        "follow",
        (
            Step(0, ({"type": "text", "text": "{link:menu}"},)),
            Step(3, ({"type": "text", "text": "{name}様"},), 19 * 60 + 5),
        ),
    )
    assert found["care"] == StepSeries(
        "care",
        "acme",
        "acme-shop",
        "tag:bought",
        (Step(1, ({"type": "text", "text": "ケア"},)),),
        ("left",),
        again=True,
    )
