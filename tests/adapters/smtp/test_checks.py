"""What the DNS says of a list's domains, asked of a real name server on loopback."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.checking.checks import check_list, senders_of
from adapters.smtp.checking.dns import Resolver
from adapters.smtp.checking.spf import Spf
from adapters.smtp.simulator.dns import NameServer
from gateway.domain.mail.checks import Finding, is_aligned, is_same, organization, tags_of
from gateway.domain.mail.lists import Dkim, MailList
from gateway.errors import Transient
from tests.support.mail_lists import NEWS
from tests.support.stores import on_a_loop

RELAY = "203.0.113.5"
SPF, KEY, DMARC = "bounce.example.jp", "gw._domainkey.acme.example", "_dmarc.acme.example"


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    """The public key, as records hold it."""
    raw = private_key().public_key().public_bytes(Encoding.DER, form)
    return base64.b64encode(raw).decode()


def signed(**changed: object) -> MailList:
    """The list, with a key."""
    pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    dkim = Dkim("acme.example", "gw", pem.decode())
    return msgspec.structs.replace(NEWS, **{"dkim": dkim, **changed})


def zone() -> dict[tuple[str, str], Sequence[str]]:
    """All as it should be."""
    return {
        ("acme.example", "MX"): ["10 mx.acme.example."],
        (SPF, "TXT"): ["other=1", f"v=spf1 ip4:{RELAY} -all"],
        (SPF, "MX"): ["10 in.example.jp."],
        ("in.example.jp", "A"): ["203.0.113.9"],
        (KEY, "TXT"): [f"v=DKIM1; k=rsa; p={public()}"],
        (DMARC, "TXT"): ["v=DMARC1; p=none"],
        ("5.113.0.203.in-addr.arpa", "PTR"): ["out.example.jp."],
        ("out.example.jp", "A"): [RELAY],
    }


@asynccontextmanager
async def world(
    changes: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> AsyncIterator[tuple[NameServer, Resolver]]:
    """A name server with that zone, and who asks it; an empty change takes a record away."""
    records = {key: each for key, each in (zone() | dict(changes or {})).items() if each}
    async with NameServer(records) as server:
        yield server, Resolver(server.address)


async def found(
    changes: Mapping[tuple[str, str], Sequence[str]] | None = None,
    mail_list: MailList | None = None,
    senders: Sequence[str] = (RELAY,),
) -> dict[str, Finding]:
    """What is found of the list, by subject."""
    async with world(changes) as (_, dns):
        findings = await check_list(dns, mail_list or signed(), senders)
        return {finding.subject: finding for finding in findings}


@on_a_loop
async def test_a_list_in_good_order_passes() -> None:
    """Each thing is looked at, and said in a line."""
    findings = await found()
    assert list(findings) == [
        *("from", "spf", "dkim", "alignment", "dmarc", "bounces", "ptr", "display")
    ]
    assert {finding.state for finding in findings.values()} == {"passed"}
    assert is_aligned(list(findings.values()))
    assert findings["spf"].line.startswith("✓ spf: bounce.example.jp lets 203.0.113.5 send")


@pytest.mark.parametrize(
    ("key", "values", "subject", "state", "words"),
    [
        ((SPF, "TXT"), [], "spf", "failed", "none for bounce.example.jp"),
        ((SPF, "TXT"), ["v=spf1 -all"], "spf", "failed", "fail for"),
        ((SPF, "TXT"), ["v=spf1 ~all"], "spf", "failed", "softfail"),
        ((SPF, "TXT"), ["v=spf1 -all", "v=spf1 +all"], "spf", "failed", "2 SPF records"),
        ((SPF, "TXT"), ["v=spf1 exists:%{i}.x.example -all"], "spf", "unknown", "not evaluated"),
        ((KEY, "TXT"), [], "dkim", "failed", "no record"),
        ((KEY, "TXT"), ["v=DKIM1; p="], "dkim", "failed", "revoked"),
        ((KEY, "TXT"), ["v=DKIM1; p=AAAA"], "dkim", "failed", "not this list's"),
        ((KEY, "TXT"), ["v=DKIM1; p=!"], "dkim", "failed", "not base64"),
        ((KEY, "TXT"), ["v=DKIM1; k=ed25519; p=AAAA"], "dkim", "failed", "no record of an RSA"),
        ((KEY, "TXT"), ["nonsense"], "dkim", "failed", "no record of an RSA key"),
        ((DMARC, "TXT"), [], "dmarc", "advice", "no policy"),
        (
            (DMARC, "TXT"),
            ["v=DMARC1; p=none", "v=DMARC1; p=reject"],
            "dmarc",
            "advice",
            "no policy",
        ),
        ((SPF, "MX"), [], "bounces", "failed", "nobody takes mail"),
        ((SPF, "MX"), ["0 ."], "bounces", "failed", "nobody takes mail"),
        (("in.example.jp", "A"), [], "bounces", "failed", "nobody takes mail"),
        (("acme.example", "MX"), [], "from", "failed", "neither MX nor address"),
        (("5.113.0.203.in-addr.arpa", "PTR"), [], "ptr", "advice", "has no name"),
        (("out.example.jp", "A"), ["203.0.113.6"], "ptr", "advice", "which is elsewhere"),
    ],
)
def test_each_fault_is_named_with_what_to_do(
    key: tuple[str, str], values: list[str], subject: str, state: str, words: str
) -> None:
    """In one line; only what the alignment needs keeps a list from sending."""

    @on_a_loop
    async def look() -> None:
        findings = await found({key: values})
        finding = findings[subject]
        assert finding.state == state
        assert words in finding.found
        assert finding.remedy
        assert "\n" not in finding.line
        is_needed = subject in ("spf", "dkim", "alignment")
        assert is_aligned(list(findings.values())) is not is_needed

    look()


@on_a_loop
async def test_a_key_may_be_written_in_two_ways() -> None:
    """With or without what says that it is of RSA; split into pieces, longer than a datagram."""
    record = f"v=DKIM1;k=rsa; h=sha1:sha256 ;n={'x' * 300}; p={public(PublicFormat.PKCS1)}"
    async with world({(KEY, "TXT"): [record]}) as (server, dns):
        findings = await check_list(dns, signed(), [RELAY])
        assert is_aligned(findings)
        assert server.asked.count((KEY, "TXT")) == 2  # by TCP again


@pytest.mark.parametrize(
    ("sender", "signer", "policy", "is_good"),
    [
        ("news@acme.example", "acme.example", "v=DMARC1; p=none; adkim=s", True),
        ("news@mail.acme.example", "acme.example", "v=DMARC1; p=none", True),
        ("news@mail.acme.example", "acme.example", "v=DMARC1; p=none; adkim=s", False),
        ("news@acme.example", "other.example", "v=DMARC1; p=none", False),
        ("news@acme.co.jp", "other.co.jp", "", False),
        ("news@a.acme.co.jp", "b.acme.co.jp", "", True),
    ],
)
def test_from_and_signature_must_agree(
    sender: str, signer: str, policy: str, *, is_good: bool
) -> None:
    """Relaxed or strictly, as From's domain wants it."""

    @on_a_loop
    async def look() -> None:
        mail_list = signed()
        assert mail_list.dkim is not None
        dkim = msgspec.structs.replace(mail_list.dkim, domain=signer)
        mail_list = msgspec.structs.replace(mail_list, sender=sender, dkim=dkim)
        changes = {
            (f"gw._domainkey.{signer}", "TXT"): [f"v=DKIM1; p={public()}"],
            (f"_dmarc.{sender.partition('@')[2]}", "TXT"): [policy] if policy else [],
        }
        findings = await found(changes, mail_list)
        assert (findings["alignment"].state == "passed") is is_good
        assert is_aligned(list(findings.values())) is is_good

    look()


@on_a_loop
async def test_what_cannot_be_known_is_not_passed() -> None:
    """No key, no sending address, or a name server that fails."""
    findings = await found(mail_list=NEWS, senders=())
    assert (findings["dkim"].state, findings["spf"].state) == ("failed", "unknown")
    async with world() as (server, dns):
        server.broken |= {SPF, KEY, DMARC, "acme.example", "5.113.0.203.in-addr.arpa"}
        walked = await check_list(dns, signed(), [RELAY])
        states = {finding.subject: finding.state for finding in walked}
    assert states.pop("display") == "passed"
    assert set(states.values()) == {"unknown"}


@on_a_loop
async def test_a_name_server_that_is_not_there_is_no_answer() -> None:
    """It is an error of its own, never "there is none"."""
    async with NameServer() as server:
        address = server.address
    with pytest.raises(Transient):
        await Resolver(address).texts("a.example")


@on_a_loop
async def test_relays_are_known_by_their_public_addresses() -> None:
    """What the Internet does not have counts only in a world of its own."""
    changes = {
        ("r.example", "A"): ["10.0.0.1", "198.51.99.7"],
        ("r.example", "AAAA"): ["2001:470::1"],
    }
    async with world(changes) as (_, dns):
        hosts = ["r.example", "127.0.0.1", "198.51.99.7"]
        public = {"198.51.99.7", "2001:470::1"}
        assert set(await senders_of(dns, hosts, private=False)) == public
        every = public | {"10.0.0.1", "127.0.0.1"}
        assert set(await senders_of(dns, hosts, private=True)) == every


# --- SPF ---

_OTHERS = {
    ("pass.example", "TXT"): [f"v=spf1 ip4:{RELAY}/32 -all"],
    ("fail.example", "TXT"): ["v=spf1 -all"],
    ("host.example", "A"): ["203.0.113.77"],
    ("host.example", "AAAA"): ["2001:db8::5"],
    ("mx.example", "MX"): ["5 host.example."],
    ("loop.example", "TXT"): ["v=spf1 include:loop.example -all"],
    ("dead.example", "TXT"): ["v=spf1 redirect=none.example"],
    ("empty.example", "TXT"): ["v=spf10 -all"],
    ("alias.example", "CNAME"): ["pass.example."],
}


@pytest.mark.parametrize(
    ("record", "address", "verdict"),
    [
        ("v=spf1 +all", RELAY, "pass"),
        ("V=SPF1 IP4:203.0.113.0/24 -ALL", RELAY, "pass"),
        ("v=spf1 ip4:203.0.112.0/24 -all", RELAY, "fail"),
        ("v=spf1 ?all", RELAY, "neutral"),
        ("v=spf1", RELAY, "neutral"),
        ("v=spf1 include:pass.example -all", RELAY, "pass"),
        ("v=spf1 include:alias.example -all", RELAY, "pass"),
        ("v=spf1 include:fail.example ~all", RELAY, "softfail"),
        ("v=spf1 include:none.example -all", RELAY, "permerror"),
        ("v=spf1 include:empty.example -all", RELAY, "permerror"),
        ("v=spf1 include:loop.example -all", RELAY, "permerror"),
        ("v=spf1 redirect=pass.example", RELAY, "pass"),
        ("v=spf1 redirect=dead.example", RELAY, "permerror"),
        ("v=spf1 redirect=fail.example +all", RELAY, "pass"),
        ("v=spf1 a:host.example/24 -all", RELAY, "pass"),
        ("v=spf1 a:host.example -all", RELAY, "fail"),
        ("v=spf1 mx:mx.example/24//64 -all", RELAY, "pass"),
        ("v=spf1 mx:mx.example//64 -all", "2001:db8::9", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::9", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", RELAY, "fail"),
        ("v=spf1 ip4:203.0.113.5 -all", f"::ffff:{RELAY}", "pass"),
        ("v=spf1 ip4:300.0.0.1 -all", RELAY, "permerror"),
        ("v=spf1 ip4:2001:db8:: -all", RELAY, "permerror"),
        ("v=spf1 nonsense -all", RELAY, "permerror"),
        ("v=spf1 include -all", RELAY, "permerror"),
        ("v=spf1 a:n1.example a:n2.example a:n3.example -all", RELAY, "permerror"),
        (f"v=spf1 {'a:host.example ' * 11}-all", RELAY, "permerror"),
        (f"v=spf1 {'a:host.example ' * 10}-all", RELAY, "fail"),
        ("v=spf1 ptr -all", RELAY, "unknown"),
        ("v=spf1 exists:%{i}.x.example +all", RELAY, "pass"),
        ("v=spf1 exp=why.example -all", RELAY, "fail"),
        ("v=spf2 +all", RELAY, "none"),
    ],
)
def test_spf_is_evaluated_as_its_rfc_says(record: str, address: str, verdict: str) -> None:
    """Terms in their order, look-ups within their limit, and no guess at what is left out."""

    @on_a_loop
    async def check() -> None:
        async with world({**_OTHERS, ("d.example", "TXT"): [record]}) as (_, dns):
            assert (await Spf(dns, address).check("D.example."))[0] == verdict

    check()


class Texts:
    """A DNS of one record, which every name has."""

    def __init__(self, record: str) -> None:
        self._record = record

    async def texts(self, name: str) -> list[str]:
        return [self._record]

    async def addresses(self, name: str) -> list[str]:
        return [RELAY]

    exchanges = names = addresses


_TERMS = st.sampled_from(
    ["include:a.example", "redirect=b.example", "a", "mx", "-all", "~all", "ip4:1.2.3.4/8", "ptr"]
)


@given(st.lists(_TERMS | st.text(max_size=12), max_size=15))
def test_no_record_breaks_the_evaluation(terms: list[str]) -> None:
    """It ends, within ten look-ups and one."""

    @on_a_loop
    async def check() -> None:
        spf = Spf(Texts(" ".join(["v=spf1", *terms])), RELAY)
        verdict, _ = await spf.check("a.example")
        assert verdict in ("pass", "fail", "softfail", "neutral", "permerror", "unknown")
        assert spf.lookups <= 11

    check()


# --- domains and tags ---


@pytest.mark.parametrize(
    ("domain", "owner"),
    [
        ("acme.example", "acme.example"),
        ("a.b.acme.example.", "acme.example"),
        ("mail.acme.co.jp", "acme.co.jp"),
        ("ACME.jp", "acme.jp"),
        ("co.jp", "co.jp"),
        ("jp", "jp"),
        ("a.acme.com.au", "acme.com.au"),
    ],
)
def test_domains_have_owners(domain: str, owner: str) -> None:
    """Those who registered them, below a top level or a category of one."""
    assert organization(domain) == owner


@given(st.text(alphabet="abcd.", max_size=20), st.text(alphabet="abcd.", max_size=20))
def test_strict_is_stricter_than_relaxed(one: str, other: str) -> None:
    """And both are mutual."""
    assert is_same(one, other, strict=False) == is_same(other, one, strict=False)
    if is_same(one, other, strict=True):
        assert is_same(one, other, strict=False)


@given(st.text(max_size=60))
def test_a_list_of_tags_is_read_or_is_none(record: str) -> None:
    """Whatever stands in a record."""
    for name, value in tags_of(record).items():
        assert name == name.lower()
        assert ";" not in value
