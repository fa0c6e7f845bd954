"""The shops that play in the demonstration, as the simulated platform knows them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.main.platform import Account, LoginChannel, Platform

_QUOTA = 5_000
"""Messages a month, as a small plan has them."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """One shop: its channel on the platform, and what its friends do."""

    id: str
    """As the sample calls it."""
    advertiser: str
    account: Account
    login: LoginChannel
    pin: str
    card: str
    """Its shop card; empty where it has none."""
    keywords: Sequence[str]
    offer: str
    """What new friends write to get something."""
    staff: str
    """What they write to reach people; ``終了`` ends it."""
    push: Mapping[str, Any]
    """What it pushes to whom, as the API takes it; nothing where it pushes nothing."""

    @property
    def short(self) -> str:
        """What the sample's placeholders begin with."""
        return self.id.partition("-")[0]


def cast(platform: Platform) -> list[Shop]:
    """The shops of the sample, each of a provider of its own."""

    def shop(
        name: str,
        id_: str,
        advertiser: str,
        keywords: Sequence[str],
        *,
        offer: str,
        staff: str,
        card: str = "",
        push: Mapping[str, Any] | None = None,
    ) -> Shop:
        account = platform.channel(name, provider=id_)
        account.redelivery = True
        account.quota = _QUOTA
        return Shop(
            id=id_,
            advertiser=advertiser,
            account=account,
            login=platform.login_channel(provider=id_),
            pin=f"{secrets.randbelow(10_000):04d}",
            card=card,
            keywords=[*keywords, offer, offer],
            offer=offer,
            staff=staff,
            push=push or {},
        )

    return [
        shop(
            "さくら美容室",
            "sakura-shop",
            "sakura-beauty",
            ("ポイント", "営業時間は?", "予約"),
            offer="クーポンください",
            staff="スタッフ",
            card="sakura-card",
            push={
                "segment": "sakura-fans",
                "messages": [
                    {
                        "type": "template",
                        "altText": "秋の新メニュー",
                        "template": {
                            "type": "buttons",
                            "text": "秋の新メニューができました🍁",
                            "actions": [
                                {"type": "uri", "label": "見る", "uri": "{link:sakura-menu}"}
                            ],
                        },
                    }
                ],
            },
        ),
        shop(
            "みなと歯科",
            "minato-shop",
            "minato-dental",
            ("診療時間", "検診を受けたいです"),
            offer="アンケート",
            staff="予約したいです",
        ),
        shop(
            "やまと引越センター",
            "yamato-shop",
            "yamato-moving",
            ("見積もり", "荷物は少なめです"),
            offer="くじ",
            staff="オペレーター",
            push={
                "everyone": True,
                "messages": [
                    {"type": "text", "text": "{name}さん、今月末のお引越しはまだ間に合います。"}
                ],
            },
        ),
    ]


def ids_of(shops: Sequence[Shop]) -> dict[str, str]:
    """What stands for the placeholders of the sample."""
    return {
        f"{shop.short}_{what}": value
        for shop in shops
        for what, value in (
            ("channel", shop.account.id),
            ("bot", shop.account.bot_user_id),
            ("login", shop.login.id),
            ("liff", shop.login.liff_id),
        )
    }


def secrets_of(shops: Sequence[Shop]) -> dict[str, str]:
    """What is only for the shops to know, by file."""
    return {
        f"{shop.id}.{what}": value
        for shop in shops
        for what, value in (("secret", shop.account.secret), ("pin", shop.pin))
    }
