"""Mail lists and their segments in provisioning files."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.domain.mail.campaigns import Condition
from gateway.domain.mail.lists import Dkim, MailList
from gateway.domain.mail.segments import MailSegment
from gateway.domain.provisioning import Entity, Held
from gateway.domain.tenancy import Advertiser
from gateway.errors import Misconfigured
from gateway.provisioning import read
from gateway.provisioning.mail import CONDITION, DKIM, MAIL_LIST, MAIL_SEGMENT
from gateway.usecases.provisioning import difference

HELD: Held = {
    "advertiser": {"acme": Advertiser("acme", "Acme"), "other": Advertiser("other", "Other")}
}

NEWS = """
[[mail_list]]
id = "acme-news"
advertiser = "acme"
from = "Acme <news@acme.example>"
sender_name = "株式会社Acme"
sender_address = "東京都千代田区1-1"
contact = "info@acme.example"
bounce_domain = "bounce.example.jp"
"""


def planned(folder: Path, text: str, held: Held = HELD) -> tuple[Entity, ...]:
    """What a file makes."""
    path = folder / "1.toml"
    path.write_text(text)
    return read([path], held).wanted


def problems(folder: Path, text: str, held: Held = HELD) -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(Misconfigured) as caught:
        planned(folder, text, held)
    return [problem.partition("acme-news: ")[2] or problem for problem in caught.value.problems]


def list_of(folder: Path, text: str) -> MailList:
    """The list that a file describes."""
    (found,) = planned(folder, text)
    assert isinstance(found, MailList)
    return found


@pytest.fixture(scope="session")
def pem() -> Callable[[int], str]:
    """Private keys of RSA; each size is made once."""
    made: dict[int, str] = {}

    def key(bits: int) -> str:
        if bits not in made:
            made[bits] = _pem(rsa.generate_private_key(65_537, bits))
        return made[bits]

    return key


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> str:
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode()


def with_key(folder: Path, content: str, mode: int = 0o600) -> str:
    """A list whose mails are signed with the key of a file."""
    path = folder / "acme.pem"
    path.write_text(content)
    path.chmod(mode)
    dkim = 'dkim = { domain = "acme.example", selector = "gw", key_file = "acme.pem" }\n'
    return NEWS + dkim


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    """Nothing is signed, nobody can sign up, and recipients are not exported."""
    made = list_of(tmp_path, NEWS)
    assert made == MailList(
        "acme-news",
        "acme",
        "news@acme.example",
        "Acme",
        "株式会社Acme",
        "東京都千代田区1-1",
        "info@acme.example",
        "bounce.example.jp",
    )
    assert not made.may_export


def test_every_key_is_read(tmp_path: Path, pem: Callable[[int], str]) -> None:
    """Each reaches the list, and the segment of it."""
    text = with_key(tmp_path, pem(2048)) + (
        'reply_to = "info@acme.example"\n'
        'contract = "prepaid"\n'
        'attributes = ["name", "pref"]\n'
        'topics = ["セール", "events"]\n'
        'notice = """\nお知らせを\n月2回お送りします。\n"""\n'
        'notice_version = "2026-11"\n'
        "signup = true\nempty_mail = true\n"
        'quiet = "21:00-08:00"\n'
        "pause_percent = 5\nclick_tracking = false\nopen_tracking = true\n"
        '[[mail_segment]]\nid = "tokyo"\nadvertiser = "acme"\nlist = "acme-news"\n'
        'conditions = [{ field = "tag", op = "has", value = "ＶＩＰ" },'
        ' { field = "pref", op = "is", value = "東京都" }, { field = "name", op = "has" }]\n'
    )
    made, segment = planned(tmp_path, text)
    assert made == MailList(
        id="acme-news",
        advertiser="acme",
        sender="news@acme.example",
        sender_display="Acme",
        sender_name="株式会社Acme",
        sender_address="東京都千代田区1-1",
        contact="info@acme.example",
        bounce_domain="bounce.example.jp",
        dkim=Dkim("acme.example", "gw", pem(2048).strip()),
        reply_to="info@acme.example",
        contract="prepaid",
        attributes=("name", "pref"),
        topics=("セール", "events"),
        notice="お知らせを\n月2回お送りします。",
        notice_version="2026-11",
        signup=True,
        empty_mail=True,
        quiet="21:00-08:00",
        pause_percent=5,
        click_tracking=False,
        open_tracking=True,
    )
    assert segment == MailSegment(
        "tokyo",
        "acme",
        "acme-news",
        (
            Condition("tag", "has", "vip"),
            Condition("pref", "is", "東京都"),
            Condition("name", "has"),
        ),
    )


@pytest.mark.parametrize(
    ("sender", "display", "address"),
    [
        ("news@acme.example", "", "news@acme.example"),
        ("<news@acme.example>", "", "news@acme.example"),
        ("Acme 美容室 <news@acme.example>", "Acme 美容室", "news@acme.example"),
        ("'Acme, Inc.' <news@acme.example>", "'Acme, Inc.'", "news@acme.example"),
    ],
)
def test_a_sender_has_a_name_or_none(
    tmp_path: Path, sender: str, display: str, address: str
) -> None:
    """As one writes it in a mail program."""
    made = list_of(tmp_path, NEWS.replace("Acme <news@acme.example>", sender))
    assert (made.sender_display, made.sender) == (display, address)


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("Acme", "has no address that mail reaches; an address has exactly one @"),
        ("Acme <news>", "has no address that mail reaches; an address has exactly one @"),
        ("Acme <a@b.jp>\\nBcc: x@y.jp", "is no sender; write it like"),
        ("Acme <a@b.jp> <c@d.jp>", "is no sender; write it like"),
        ("", "has no address that mail reaches; there is no address"),
    ],
)
def test_a_sender_that_mail_cannot_have_is_refused(tmp_path: Path, sender: str, said: str) -> None:
    """What is wrong is named, and it gets into no header."""
    (problem,) = problems(tmp_path, NEWS.replace("Acme <news@acme.example>", sender))
    assert f'": {said}' in problem


def test_a_key_must_be_one_that_receivers_trust(tmp_path: Path, pem: Callable[[int], str]) -> None:
    """Of RSA, long enough, without a passphrase; it is never shown."""
    short, long = pem(1024), pem(2048)
    curve = _pem(ec.generate_private_key(ec.SECP256R1()))
    key = rsa.generate_private_key(65_537, 2048)
    for content, said in (
        (short, "has 1024 bits; run: openssl genrsa -out FILE 2048"),
        (curve, "is no RSA key; run: openssl genrsa -out FILE 2048"),
        (_pem(key, b"x"), "has a passphrase; keep it without one, readable by its owner"),
        ("v=DKIM1; p=MIIB", "is no private key in PEM; run: openssl genrsa -out FILE 2048"),
        (long[:200], "is no private key in PEM; run: openssl genrsa -out FILE 2048"),
    ):
        (problem,) = problems(tmp_path, with_key(tmp_path, content))
        assert re.fullmatch(r'dkim\.key = •••: (.*)|dkim\.key_file = "acme\.pem": (.*)', problem)
        assert said in problem
        assert not set(content.split()) & set(problem.split())


def test_a_key_that_others_may_read_is_refused(tmp_path: Path, pem: Callable[[int], str]) -> None:
    """As every secret."""
    (problem,) = problems(tmp_path, with_key(tmp_path, pem(2048), 0o644))
    assert "others may open it (mode 0644)" in problem


def test_a_key_that_changes_is_not_shown(tmp_path: Path, pem: Callable[[int], str]) -> None:
    """Whoever applies sees that something changes, and where; nothing prints the key."""
    old = msgspec.structs.replace(
        list_of(tmp_path, NEWS), dkim=Dkim("acme.example", "old", pem(1024))
    )
    path = tmp_path / "1.toml"
    path.write_text(with_key(tmp_path, pem(2048)))
    held: Held = {**HELD, MailList.table: {old.id: old}}
    (change,) = difference(1, held, read([path], held)).changes
    assert list(change.values) == ["dkim"]
    shown = f"{change} {change.values} {change.old} {change.new}"
    assert "PRIVATE KEY" not in shown
    assert "Dkim('acme.example', 'gw', key=•••)" in shown


@pytest.mark.parametrize("id_", ["postmaster", "abuse", "stop", "mailer-daemon"])
def test_a_list_does_not_take_a_mailbox_of_the_server(tmp_path: Path, id_: str) -> None:
    """Its id is the mailbox of empty mails."""
    (problem,) = problems(tmp_path, NEWS.replace("acme-news", id_))
    assert problem.endswith(": is a mailbox that every mail server has; write another id")


def test_r068_the_contract_of_a_list_lasts(tmp_path: Path) -> None:
    """Its addresses count under it; another list, or none at all, is what a file may have."""
    known = list_of(tmp_path, NEWS + 'contract = "prepaid"\n')
    held: Held = {**HELD, MailList.table: {known.id: known}}
    for text in (NEWS, NEWS + 'contract = "postpaid"\n'):
        (problem,) = problems(tmp_path, text, held)
        assert problem == (
            'contract = "postpaid": was prepaid, and lasts; keep it, or take another id'
        )
    for text in (NEWS + 'contract = "prepaid"\n', NEWS.replace("acme-news", "acme-shop")):
        assert planned(tmp_path, text, held)
    gone = '[[mail_list]]\nid = "acme-news"\nremoved = true\n'
    assert planned(tmp_path, gone, held) == ()


def test_r086_the_operator_has_no_list_of_its_own(tmp_path: Path) -> None:
    """It never mails end users on its own account."""
    (problem,) = problems(tmp_path, NEWS.replace('"acme"', '"operator"'))
    assert problem == 'advertiser = "operator": is the operator itself; write another id'


def test_a_segment_may_be_of_a_list_that_the_store_holds(tmp_path: Path) -> None:
    """Its attributes count, and a list with segments does not go alone."""
    text = (
        '[[mail_segment]]\nid = "tokyo"\nadvertiser = "acme"\nlist = "acme-news"\n'
        'conditions = [{ field = "pref", op = "is", value = "東京都" }]\n'
    )
    known = msgspec.structs.replace(list_of(tmp_path, NEWS), attributes=("pref",))
    held: Held = {**HELD, MailList.table: {known.id: known}}
    (segment,) = planned(tmp_path, text, held)
    assert isinstance(segment, MailSegment)
    (problem,) = problems(tmp_path, text.replace('"pref"', '"shoe"'), held)
    assert problem.endswith("makes no sense; the list has no such attribute")
    held = {**held, MailSegment.table: {segment.id: segment}}
    gone = '[[mail_list]]\nid = "acme-news"\nremoved = true\n'
    (problem,) = problems(tmp_path, gone, held)
    assert problem.startswith("removed = true: tokyo belongs to it")


def test_every_key_is_described_and_has_a_default_or_an_example() -> None:
    """The reference can be made of the tables."""
    for key in (*MAIL_LIST, *MAIL_SEGMENT, *CONDITION, *DKIM):
        assert key.doc.endswith("."), key.name
        if key.name not in ("removed", "key"):
            assert (key.default is None) != (key.example is None), key.name
