"""Shop cards in provisioning files: what their keys become, and what a change of them shows."""

from pathlib import Path

import pytest

from gateway.domain.cards import Reward, ShopCard
from gateway.domain.provisioning import Entity, Plan
from gateway.domain.tenancy import Advertiser
from gateway.errors import Misconfigured
from gateway.provisioning import read
from gateway.provisioning.cards import PRINTED, REWARD, SHOP_CARD
from gateway.usecases.provisioning import Change
from tests.support.cards import CAFE, COFFEE, PIN, card, printed

HELD: dict[str, dict[str, Entity]] = {
    "advertiser": {"acme": Advertiser("acme", "Acme")},
    "line_channel": {CAFE.id: CAFE},
    "coupon": {COFFEE.id: COFFEE},
}
LEAST = """
[[shop_card]]
id = "acme-card"
advertiser = "acme"
channel = "acme-shop"
title = "Acme カード"
"""


def planned(folder: Path, text: str, *held: ShopCard) -> Plan:
    path = folder / "cards.toml"
    path.write_text(text)
    return read([path], {**HELD, "shop_card": {each.id: each for each in held}})


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    """Ten points, once a day, for ever, and the same again."""
    assert planned(tmp_path, LEAST).wanted == (card(),)


def test_every_key_is_read(tmp_path: Path) -> None:
    """Rewards come in the order of their points, the PIN out of its file."""
    pin = tmp_path / "pin"
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    text = f"""{LEAST}
        points = 20
        bonus = 2
        rewards = [{{ at = 20, coupon = "coffee", text = "1杯" }}, {{ at = 5, text = "おまけ" }}]
        limit = "hours"
        limit_hours = 6
        expires = "last"
        expires_days = 365
        notice_days = 14
        next = "gold"
        removed = false
        [shop_card.printed]
        enabled = true
        daily_limit = 50
        pin_file = "pin"
        """
    gold = card("gold")
    assert planned(tmp_path, text, gold).wanted == (
        printed(
            points=20,
            bonus=2,
            rewards=(Reward(5, text="おまけ"), Reward(20, "coffee", "1杯")),
            limit="hours",
            limit_hours=6,
            expires="last",
            expires_days=365,
            notice_days=14,
            next="gold",
            printed_a_day=50,
        ),
    )


def test_a_circle_through_the_store_is_refused(tmp_path: Path) -> None:
    """The card that closes it is told of."""
    with pytest.raises(Misconfigured) as caught:
        planned(tmp_path, f'{LEAST}next = "gold"\n', card("gold", next="acme-card"))
    (said,) = caught.value.problems
    assert "comes back to this card" in said


def test_a_channel_with_cards_is_not_taken_away(tmp_path: Path) -> None:
    """Nor is an advertiser."""
    text = '[[line_channel]]\nid = "acme-shop"\nremoved = true\n'
    with pytest.raises(Misconfigured) as caught:
        planned(tmp_path, text, card())
    assert "acme-card belongs to it" in caught.value.problems[0]


def test_a_change_of_the_pin_does_not_show_it() -> None:
    """What `gateway apply` prints tells only that it differs."""
    change = Change(printed(), printed(pin_secret="9999"))
    assert change.values == {"pin_secret": ("•••", "•••")}


def test_every_key_is_described_and_has_a_default_or_an_example() -> None:
    """The reference can be made of the tables; secrets and tables within have neither."""
    for key in (*SHOP_CARD, *REWARD, *PRINTED):
        assert key.doc.endswith("."), key.name
        if not key.secret and not key.keys:
            assert (key.default is None) != (key.example is None), key.name
