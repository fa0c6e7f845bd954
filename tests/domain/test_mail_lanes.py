"""Lanes: whose servers take mail for an address."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.addresses import is_carrier
from gateway.domain.mail.lanes import Lane, lane_of


@pytest.mark.parametrize(
    ("address", "lane"),
    [
        ("a@docomo.ne.jp", "docomo"),
        ("a@ezweb.ne.jp", "au"),
        ("a@biz.ezweb.ne.jp", "au"),
        ("a@uqmobile.jp", "au"),
        ("a@softbank.ne.jp", "softbank"),
        ("a@i.softbank.jp", "softbank"),
        ("a@t.vodafone.ne.jp", "softbank"),
        ("a@ymobile.ne.jp", "ymobile"),
        ("a@dk.pdx.ne.jp", "ymobile"),
        ("a@rakuten.jp", "rakuten"),
        ("a@yahoo.co.jp", "yahoo_jp"),
        ("a@ymail.ne.jp", "yahoo_jp"),
        ("a@gmail.com", "gmail"),
        ("a@hotmail.co.jp", "outlook"),
        ("a@me.com", "icloud"),
        ("a@example.jp", "other"),
        ("a@notdocomo.ne.jp", "other"),
        ("a@docomo.ne.jp.example.com", "other"),
        ("gmail.com", "gmail"),
        ("", "other"),
    ],
)
def test_an_address_has_the_lane_of_its_domain(address: str, lane: str) -> None:
    """Domains below a carrier's are the carrier's, and one that looks alike is not."""
    assert lane_of(address) == lane


def test_old_forms_of_addresses_are_carriers_alone() -> None:
    """Mail services take no ``a..b@``."""
    assert is_carrier("DOCOMO.ne.jp")
    assert is_carrier("s.vodafone.ne.jp")
    assert not is_carrier("yahoo.co.jp")
    assert not is_carrier("gmail.com")


@given(st.text(max_size=60))
def test_every_text_has_a_lane(text: str) -> None:
    """No text is without."""
    assert lane_of(text) in get_args(Lane)
