"""Forwarding: which addresses are public, what answers mean, and that bytes stay as they are."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.line.forwarding import (
    is_public,
    is_public_url,
    next_attempt,
    read,
    verdict,
    written,
)
from gateway.domain.values import SECOND

INSIDE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
]
OUTSIDE = [
    "8.8.8.8",
    "203.104.138.138",
    "2404:6800:4004:80a::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_not_public(address: str) -> None:
    """Loopback, private, link-local, shared, reserved, multicast; also where IPv6 hides them."""
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    """Global unicast, also of IPv4 within IPv6."""
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_a_wrapping_changes_nothing(address: ipaddress.IPv4Address) -> None:
    """Mapped, translated or tunnelled: the IPv4 address within decides."""
    number = int(address)
    wrapped = [
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x64_FF9B << 96) | number)),
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))),
    ]
    assert {is_public(each) for each in wrapped} == {is_public(str(address))}


@pytest.mark.parametrize(
    "url",
    [
        "http://tool.example.jp/hook",
        "ftp://tool.example.jp/",
        "https://localhost/hook",
        "https://tool.localhost/",
        "https://tool.internal/",
        "https://tool.local./",
        "https://tool/hook",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://user@tool.example.jp/",
        "https://user:password@tool.example.jp/",
        "https://tool.example.jp:0/",
        "https://tool.example.jp:99999/",
        "https://tool.example.jp/#part",
        "https://tool.example.jp\\@10.0.0.1/",
        "https://tool.example.jp/a b",
        "https://ツール.example.jp/",
        "https:///hook",
        "https://-tool.example.jp/",
        "https://[tool.example.jp/",
        "",
    ],
)
def test_urls_that_lead_inside_or_are_none_are_refused(url: str) -> None:
    """https alone, a public host alone, nothing that two parsers read differently."""
    assert not is_public_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://tool.example.jp/hook",
        "https://tool.example.jp:8443/hook?shop=1",
        "https://8.8.8.8/hook",
        "https://[2404:6800:4004:80a::200e]/hook",
        "https://xn--n8j6ds53lwwkrqhv28a.jp/",
        "https://hooks_1.example.jp./",
    ],
)
def test_public_urls_are_taken(url: str) -> None:
    """A name or a public address, with any port and path."""
    assert is_public_url(url)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, "sent"),
        (204, "sent"),
        (301, "refused"),
        (307, "refused"),
        (400, "refused"),
        (404, "refused"),
        (408, "retried"),
        (429, "retried"),
        (500, "retried"),
        (503, "retried"),
    ],
)
def test_what_an_answer_means(status: int, meaning: str) -> None:
    """2xx is done; what the tool does not want is final; redirects are not followed."""
    assert verdict(status) == meaning


def test_pauses_grow_to_a_quarter_of_an_hour() -> None:
    """Twice as long each time, and not beyond."""
    pauses = [(next_attempt(attempts, 0)) // SECOND for attempts in range(1, 60)]
    assert pauses[:4] == [2, 4, 8, 16]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 900


@given(st.binary())
def test_a_body_comes_out_as_it_went_in(body: bytes) -> None:
    """The signature is over the bytes, so not one of them may change."""
    payload = read(written("shop", "https://tool.example.jp/", body, "sig=="))
    assert (payload.raw, payload.channel, payload.signature) == (body, "shop", "sig==")
