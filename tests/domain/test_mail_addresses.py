"""Addresses: which are taken, how they are kept, written on the wire, and masked."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain.mail.addresses import (
    FAULTS,
    HINTS,
    domain_of,
    fault_of,
    masked_address,
    normalised,
    wire_form,
    without_addresses,
)
from gateway.domain.mail.tokens import hash_of, keys_of
from gateway.errors import Refusal, Refused

KEYS = keys_of(b"secret")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("tanaka@example.jp", "tanaka@example.jp"),
        (" Tanaka.Taro@Example.JP\u3000", "Tanaka.Taro@example.jp"),
        ("a@例え.jp", "a@xn--r8jz45g.jp"),
        ("a+b_c-d@sub.example.co.jp", "a+b_c-d@sub.example.co.jp"),
        ("a@acme.example", "a@acme.example"),
        ("taro..yamada@docomo.ne.jp", "taro..yamada@docomo.ne.jp"),
        ("taro.@EZWEB.ne.jp", "taro.@ezweb.ne.jp"),
        (".taro@t.vodafone.ne.jp", ".taro@t.vodafone.ne.jp"),
        ("t..@dk.pdx.ne.jp", "t..@dk.pdx.ne.jp"),
    ],
)
def test_an_address_is_kept_in_one_form(written: str, kept: str) -> None:
    """Blanks around it go, the domain is levelled, the local part stays as it was written."""
    assert normalised(written) == kept


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("tanaka", "no_at"),
        ("@example.jp", "no_at"),
        ("a@", "no_at"),
        ("a@b@example.jp", "no_at"),
        ("a＠example.jp", "full_width"),
        ("ａ@example.jp", "full_width"),
        ("a b@example.jp", "blank"),
        ("a\u3000b@example.jp", "blank"),
        ("a@example.jp\tb@example.jp", "blank"),
        ("a @example.jp\n", "blank"),
        ("a b@example.jp\nc", "control_character"),
        ("a@example.jp\r\nBcc: b@example.jp", "control_character"),
        ("a\x00@example.jp", "control_character"),
        ("a@example.jp\u200b", "control_character"),
        ("a\udcff@example.jp", "control_character"),
        (f"{'a' * 65}@example.jp", "too_long"),
        (f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 20}.jp", "too_long"),
        ("a..b@example.jp", "local_part"),
        ("a.@gmail.com", "local_part"),
        ('"a"@example.jp', "local_part"),
        ("a<b>@example.jp", "local_part"),
        ('a"b@docomo.ne.jp', "local_part"),
        (f"{'a' * 63}@docomo.ne.jp", "local_part"),
        ("田中@example.jp", "not_ascii"),
        ("a@example", "domain"),
        ("a@[127.0.0.1]", "domain"),
        ("a@127.0.0.1", "domain"),
        ("a@ex_ample.jp", "domain"),
        ("a@-x.jp", "domain"),
        ("a@example..jp", "domain"),
        ("a@shop.localhost", "special_domain"),
        ("a@shop.local", "special_domain"),
    ],
)
def test_what_is_no_address_is_refused_by_name(written: str, fault: str) -> None:
    """Each fault has a word, which holds nothing of the address."""
    with pytest.raises(Refused) as caught:
        normalised(written)
    assert (caught.value.reason, caught.value.detail) == (Refusal.ADDRESS_INVALID, fault)
    assert fault_of(written) == fault


def test_every_fault_has_a_hint() -> None:
    """Whoever is refused is told what to write instead."""
    assert HINTS.keys() == FAULTS


def test_an_old_address_of_a_carrier_goes_quoted_over_the_wire() -> None:
    """Only there: others need no quotes."""
    assert wire_form("taro..yamada@docomo.ne.jp") == '"taro..yamada"@docomo.ne.jp'
    assert wire_form("taro.@au.com") == '"taro."@au.com'
    assert wire_form("taro.yamada@docomo.ne.jp") == "taro.yamada@docomo.ne.jp"


def test_cases_make_no_second_person() -> None:
    """Two that differ in case only have one hash, though each is kept as it was written."""
    one, other = normalised("Tanaka@Example.jp"), normalised("tanaka@example.JP")
    assert one != other
    assert hash_of(one, KEYS) == hash_of(other, KEYS)


def test_a_masked_address_shows_no_more_than_three_letters() -> None:
    """First letters and the last label; somebody who is gone has none."""
    assert masked_address("tanaka@example.co.jp") == "t***@e***.jp"
    assert masked_address("") == ""


LOCAL = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~.\"<>@ \r\n\t\\田ａ", max_size=70)
DOMAIN = st.sampled_from(
    ["example.jp", "EXAMPLE.jp", "docomo.ne.jp", "au.com", "例え.jp", "x", "a.b.", "", "[::1]"]
) | st.text("abc-._例", max_size=20)


@given(local=LOCAL, domain=DOMAIN, at=st.sampled_from(["@", "＠", ""]))
@example(local="a", domain="b.jp", at="@")
def test_whatever_is_taken_is_safe_in_a_command_and_a_header(
    local: str, domain: str, at: str
) -> None:
    """What is kept is printable ASCII within the limits, and is kept unchanged when it comes again;
    all else is refused by one of the words.
    """
    written = f"{local}{at}{domain}"
    fault = fault_of(written)
    if fault is not None:
        assert fault in FAULTS
        return
    kept = normalised(written)
    assert kept.isascii()
    assert kept.isprintable()
    assert not set(kept) & set(' <>"\\')
    assert len(kept) <= 254
    assert len(wire_form(kept).rpartition("@")[0]) <= 64
    assert domain_of(kept) == domain_of(kept).lower() != ""
    assert normalised(kept) == kept
    assert len(masked_address(kept).partition("@")[0]) == 4


@given(st.text(max_size=300))
def test_no_text_raises_anything_else(text: str) -> None:
    """Any text is an address, or refused as none."""
    assert fault_of(text) in {None, *FAULTS}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("5.1.1 <taro@acme.example>: unknown", "5.1.1 <t***@a***.example>: unknown"),
        ('"a..b"@docomo.ne.jp has no mailbox', '"***@d***.jp has no mailbox'),
        ("no mailbox here by that name", "no mailbox here by that name"),
    ],
)
def test_answers_of_servers_are_kept_without_addresses(said: str, kept: str) -> None:
    """What was said of a recipient outlives them."""
    assert without_addresses(said) == kept


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("550 5.1.1 <taro.yamada@example.jp>: rejected", "rejected"),
        ("550 5.1.1 Taro.Yamada... User unknown", "User unknown"),
        ('smtp; 550 5.1.1 unknown user: "taro.yamada"', "unknown user"),
        ("taro.yamada＠example.jp unknown", "unknown"),
        ("<taro.yamada%example.jp@relay.jp>", "<"),
        ("see https://mail.example.jp/?rcpt=taro.yamada%40example.jp", "see https:"),
        ("taro.yamada@[192.0.2.1] unknown", "unknown"),
        ('"taro.yamada and more"@example.jp', ""),
        ("taro.yamada @ example.jp's mailbox is full", "mailbox is full"),
        ("mailbox taro.yamada is full", "is full"),
    ],
)
def test_who_is_known_is_not_named_by_their_mailbox_either(said: str, left: str) -> None:
    """However the server writes it; what else it said is kept."""
    kept = without_addresses(said, "taro.yamada@example.jp")
    assert "yamada" not in kept.lower()
    assert kept[:4] == said[:4] or said.lower().startswith(("taro", '"taro', "<taro"))
    assert left in kept


def test_a_short_mailbox_leaves_the_words_whole() -> None:
    """It is masked where it stands by itself."""
    assert without_addresses("550 a mailbox is full", "a@b.jp") == "550 a*** mailbox is full"
    assert without_addresses("no such user: t+x", "t+x@b.jp") == "no such user: t***"
    assert without_addresses("no such user", "") == "no such user"
