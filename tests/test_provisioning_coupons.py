"""Coupons in provisioning files: what is read, and what has its default."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.coupons.coupon import Coupon, Lottery
from gateway.domain.line.channel import Channel, Rule
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import micros
from gateway.errors import Misconfigured
from gateway.provisioning import read

ACME = {"advertiser": {"acme": Advertiser("acme", "Acme")}}
LEAST = """
[[coupon]]
id = "autumn"
advertiser = "acme"
title = "秋の10%OFF"
starts = 2026-11-01T00:00:00+09:00
ends = 2026-11-30T23:59:59+09:00
"""
STARTS = micros(datetime.fromisoformat("2026-11-01T00:00:00+09:00"))
ENDS = micros(datetime.fromisoformat("2026-11-30T23:59:59+09:00"))


def planned(folder: Path, text: str, **held: Any) -> list[Any]:
    """What the file asks for."""
    path = folder / "1.toml"
    path.write_text(text)
    return list(read([path], ACME | held).wanted)


def problems(folder: Path, text: str, **held: Any) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(Misconfigured) as caught:
        planned(folder, text, **held)
    return caught.value.problems


def test_the_least_of_a_coupon_is_enough(tmp_path: Path) -> None:
    """Ours, one for each friend, no total, any stamp."""
    (made,) = planned(tmp_path, LEAST)
    assert made == Coupon("autumn", "acme", "秋の10%OFF", STARTS, ENDS)
    assert (made.kind, made.per_friend, made.total, made.stamp) == ("own", 1, None, "both")


def test_every_key_of_a_coupon_is_read(tmp_path: Path) -> None:
    """Each reaches the plan."""
    text = (
        LEAST
        + """
kind = "own"
description = "二人で"
usage = "お一人様"
image_url = "https://i.example/a.png"
per_friend = 2
total = 40
valid_days = 7
uses_per_ticket = 0
stamp = "staff"
reminder_days = 3
tags = ["autumn"]
lottery = { probability = 25, lost = "{name}さん、残念" }
campaign = "spring"
campaign_limit = 2
prize = 20000
price = 1000
expected_sales = 40000000
joint = false
visibility = "PUBLIC"
reward = { type = "discount", priceInfo = { type = "percentage", percentage = 10 } }
"""
    )
    assert planned(tmp_path, text) == [
        Coupon(
            "autumn",
            "acme",
            "秋の10%OFF",
            STARTS,
            ENDS,
            description="二人で",
            usage="お一人様",
            image_url="https://i.example/a.png",
            per_friend=2,
            total=40,
            valid_days=7,
            uses_per_ticket=0,
            stamp="staff",
            reminder_days=3,
            tags=("autumn",),
            lottery=Lottery(25, "{name}さん、残念"),
            campaign="spring",
            campaign_limit=2,
            prize=20_000,
            price=1000,
            expected_sales=40_000_000,
            visibility="PUBLIC",
            reward={"type": "discount", "priceInfo": {"type": "percentage", "percentage": 10}},
        )
    ]


@pytest.mark.parametrize(
    "host", ["i.example;sandbox", "i.example,*", "me@i.example", "*", "i.example:x", ""]
)
def test_a_picture_s_host_is_a_name_and_nothing_more(tmp_path: Path, host: str) -> None:
    """It goes into the page's Content-Security-Policy, where signs would begin something else."""
    (said,) = problems(tmp_path, f'{LEAST}image_url = "https://{host}/a.png"')
    assert "is not an https address" in said


@pytest.mark.parametrize(("sales", "fits"), [(39_999_999, False), (40_000_000, True)])
def test_prizes_are_held_to_the_expected_sales(tmp_path: Path, sales: int, fits: bool) -> None:
    """Forty prizes of 20,000 yen are two per cent of forty millions, to the yen."""
    text = f"""{LEAST}
total = 40
prize = 20000
price = 1000
expected_sales = {sales}
lottery = {{ probability = 25 }}
"""
    if fits:
        assert planned(tmp_path, text)
    else:
        (said,) = problems(tmp_path, text)
        assert "40 × ¥20,000 = ¥800,000" in said


def test_a_campaign_counts_what_the_store_holds_of_it(tmp_path: Path) -> None:
    """A second prize is reckoned with the first one, which was provisioned before."""
    first = Coupon(
        "first",
        "acme",
        "一等",
        STARTS,
        ENDS,
        lottery=Lottery(1),
        campaign="spring",
        total=1,
        prize=20_000,
        price=1000,
        expected_sales=1_000_000,
    )
    text = f"""{LEAST}
campaign = "spring"
total = 1
prize = 1
price = 1000
expected_sales = 1000000
lottery = {{ probability = 25 }}
"""
    (said,) = problems(tmp_path, text, coupon={"first": first})
    assert "1 × ¥20,000 + 1 × ¥1 = ¥20,001" in said


def test_a_discount_for_everybody_is_no_premium(tmp_path: Path) -> None:
    """Neither prize nor price has to be told."""
    reward = 'reward = { type = "discount", priceInfo = { type = "fixed", fixedAmount = 500 } }\n'
    (made,) = planned(tmp_path, LEAST + reward)
    assert made.reward["priceInfo"] == {"type": "fixed", "fixedAmount": 500}


def test_a_coupon_that_answers_name_cannot_go(tmp_path: Path) -> None:
    """Whoever removes it is told which channel names it."""
    rule = Rule("クーポン", messages=({"type": "coupon", "coupon": "autumn"},))
    shop = Channel("acme-shop", "acme", "1234567890", "s" * 32, reply=(rule,))
    autumn = Coupon("autumn", "acme", "秋の10%OFF", STARTS, ENDS)
    text = '[[coupon]]\nid = "autumn"\nremoved = true\n'
    (said,) = problems(tmp_path, text, coupon={"autumn": autumn}, line_channel={"acme-shop": shop})
    assert said.startswith('line_channel acme-shop: coupon = "autumn"')
