"""Tokens and hashes of mail: ours are read back, nobody else's are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mail.tokens import (
    Named,
    hash_of,
    keys_of,
    opened,
    sealed,
    stop_address,
    unstop,
    unverp,
    verp,
)
from gateway.domain.values import SECOND
from gateway.errors import Refusal, Refused

KEYS = keys_of(b"secret of the store")
NAMED = st.builds(
    Named, st.integers(0, 2**63 - 1), st.integers(1, 2**63 - 1), st.integers(0, 2**16 - 1)
)
DAY = 86_400 * SECOND
NOW = 20_000 * DAY


@given(NAMED)
def test_a_token_names_whom_it_was_made_for(named: Named) -> None:
    """It fits a path, and a key of another purpose does not open it."""
    token = sealed(named, KEYS.stop)
    assert (len(token), opened(token, KEYS.stop)) == (38, named)
    with pytest.raises(Refused, match=Refusal.NOT_FOUND):
        opened(token, KEYS.click)


@given(NAMED, st.integers(0, 37), st.sampled_from("ABghw019-_"))
def test_of_all_spellings_of_a_token_one_is_ours(named: Named, at: int, other: str) -> None:
    """A character that differs makes it forged, also where only bits to spare differ."""
    token = sealed(named, KEYS.stop)
    changed = token[:at] + other + token[at + 1 :]
    for forged in {changed, token + "=", token + "A", token[:-1]} - {token}:
        with pytest.raises(Refused):
            opened(forged, KEYS.stop)


@given(NAMED, st.booleans())
def test_an_address_for_stops_is_read_in_any_case(named: Named, is_upper: bool) -> None:
    """Mail servers change the case of local parts."""
    local, _, domain = stop_address(named, "bounce.example.jp", KEYS.stop).partition("@")
    assert (domain, len(local) <= 64) == ("bounce.example.jp", True)
    assert unstop(local.upper() if is_upper else local, KEYS.stop) == named


@given(NAMED, st.integers(0, 30), st.booleans())
def test_the_tag_of_a_bounce_counts_until_its_day(named: Named, days: int, is_upper: bool) -> None:
    """It names campaign and recipient, and fits a local part; afterwards it counts nothing."""
    local = verp(named, "b.example.jp", NOW + days * DAY, KEYS.verp).partition("@")[0]
    assert len(local) <= 64
    local = local.upper() if is_upper else local
    assert unverp(local, KEYS.verp, NOW + days * DAY) == Named(named.campaign, named.recipient)
    with pytest.raises(Refused, match=Refusal.CODE_EXPIRED):
        unverp(local, KEYS.verp, NOW + (days + 1) * DAY + 1)


@given(st.text(max_size=80))
def test_no_local_part_raises_anything_else(local: str) -> None:
    """Whatever a stranger writes is refused by name."""
    with pytest.raises(Refused):
        unverp(local, KEYS.verp, NOW)
    with pytest.raises(Refused):
        unstop(local, KEYS.stop)


def test_a_hash_is_the_same_for_every_spelling_of_case() -> None:
    """And another one under another key."""
    assert hash_of("Taro@Acme.example", KEYS) == hash_of("taro@acme.example", KEYS)
    assert hash_of("taro@acme.example", keys_of(b"x")) != hash_of("taro@acme.example", KEYS)
