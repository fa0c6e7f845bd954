"""Channels in provisioning files: the PIN of a shop."""

from pathlib import Path

import pytest

from gateway.domain.line.channel import Channel
from gateway.domain.tenancy import Advertiser
from gateway.errors import Misconfigured
from gateway.provisioning import read

SHOP = """
[[line_channel]]
id = "acme-shop"
advertiser = "acme"
channel_id = "1"
channel_secret = "s"
staff_secret = "{pin}"
"""


def planned(folder: Path, pin: str) -> str:
    """The PIN that a file with ``pin`` makes."""
    path = folder / "1.toml"
    path.write_text(SHOP.format(pin=pin))
    (channel,) = read([path], {"advertiser": {"acme": Advertiser("acme", "Acme")}}).wanted
    assert isinstance(channel, Channel)
    return channel.staff_secret


def test_a_pin_is_taken_as_it_is(tmp_path: Path) -> None:
    """Digits, or a word."""
    assert planned(tmp_path, "4649") == "4649"
    assert planned(tmp_path, "Sakura-Saku!") == "Sakura-Saku!"


@pytest.mark.parametrize("pin", ["", "1", "123", "1" * 41, "４６４９", "46 49", "46\\n49"])
def test_a_pin_that_is_soon_guessed_or_never_met_is_refused(tmp_path: Path, pin: str) -> None:
    """Too short, or of signs that are compared as others; it is not shown."""
    with pytest.raises(Misconfigured) as caught:
        planned(tmp_path, pin)
    (said,) = caught.value.problems
    assert "staff_secret = •••: is not a PIN" in said
