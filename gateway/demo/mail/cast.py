"""The mail lists of the demonstration, and the people on them."""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.main.mail.world import Habits, Rule, Temper

BOUNCES = "bounce.example.jp"

_REGULARS = "regular"
_READS = Temper(opens=True)
_CLICKS = Temper(opens=True, clicks=True)
_UNKNOWN = "unknown-"
_FILTERS = "filters-"
_LOSES = "loses-"

_PEOPLE: tuple[tuple[str, str, int, Temper], ...] = (
    # what they do, where they have their mail, how many they are, and the same for the simulator
    ("reads", "gmail.com", 5, _READS),
    ("reads", "docomo.ne.jp", 3, _READS),
    ("reads", "yahoo.co.jp", 2, _READS),
    ("reads", "example.com", 4, Temper()),
    ("clicks", "gmail.com", 3, _CLICKS),
    ("clicks", "example.com", 3, _CLICKS),
    ("stops", "softbank.ne.jp", 2, Temper(stops=True)),
    ("stops", "example.com", 2, Temper(opens=True, stops=True)),
    ("complains", "example.com", 2, Temper(complains=True)),
    ("moved", "example.com", 1, Temper(bounces="dsn")),
    ("full", "example.com", 1, Temper(bounces="full")),
    ("moved", "docomo.ne.jp", 1, Temper(bounces="docomo")),
    ("moved", "ezweb.ne.jp", 1, Temper(bounces="kddi")),
    (_UNKNOWN.rstrip("-"), "ezweb.ne.jp", 2, Temper()),
    (_FILTERS.rstrip("-"), "docomo.ne.jp", 1, Temper()),
    (_LOSES.rstrip("-"), "example.com", 1, Temper()),
)

HABITS = Habits(
    name="mx.example.jp",
    rules=(
        Rule("rcpt", "550 <{recipient}>: User unknown", recipient=f"{_UNKNOWN}*"),
        Rule("end", "550 Unknown user {recipient}", recipient=f"{_FILTERS}*"),
        Rule("end", cut="after", recipient=f"{_LOSES}*", first=1),
    ),
)
"""The mail server that stands for all others. Somebody's letter it takes, and is gone before it
says so: of that one the gateway cannot know whether it arrived."""


@dataclass(frozen=True)
class Reader:
    """Somebody on a list."""

    address: str
    name: str
    temper: Temper
    is_regular: bool


@dataclass(frozen=True, kw_only=True)
class MailShop:
    """A list, what is imported into it, and what goes out to it."""

    id: str
    """As the sample calls it."""
    domain: str
    """Of its sender, and of who signs."""
    readers: Sequence[Reader]
    file: bytes
    """Its recipients, as a spreadsheet saved them."""
    stated: Mapping[str, str]
    """The consent that is stated of all of them at once; else each line states its own."""
    plans: Sequence[Mapping[str, Any]]
    """Its campaigns, as the API takes them: the first, the second, and what comes now and then."""


def mail_cast(today: str) -> list[MailShop]:
    """The lists of the sample; ``today`` is a date on which all consented, as 2026-11-01."""
    sakura, minato = list(_readers("s")), list(_readers("m", every=2, pictures=False))
    return [
        MailShop(
            id="sakura-news",
            domain="sakura.example.jp",
            readers=sakura,
            file=codecs.BOM_UTF8 + _sheet(_each_consents(sakura, today)).encode(),
            stated={},
            plans=[
                _plan("秋のお知らせ", "{{ name }}様、秋の新メニューができました🍁", html=True),
                _plan("ご来店のお礼", "{{ name }}様、来月のご予約を承っております", html=True),
                _plan("常連のお客様へ", "{{ name }}様だけのご案内です", html=True, regulars=True),
            ],
        ),
        MailShop(
            id="minato-letter",
            domain="minato.example.jp",
            readers=minato,
            file=_sheet(_all_consent(minato)).encode("cp932"),
            stated={
                "consent_at": f"{today}T00:00:00+09:00",
                "consent_how": "受付の申込書",
                "consent_evidence": "申込書の綴り",
                "notice": "1",
            },
            plans=[
                _plan("検診のご案内", "定期検診のご案内", charset="iso-2022-jp"),
                _plan("年末年始の診療", "年末年始の診療時間", charset="iso-2022-jp"),
                _plan(
                    "検診の再度のご案内", "検診はお済みですか", charset="iso-2022-jp", regulars=True
                ),
            ],
        ),
    ]


def tempers_of(shops: Sequence[MailShop]) -> dict[str, Temper]:
    """What everybody does with their mail, by address."""
    return {reader.address: reader.temper for shop in shops for reader in shop.readers}


def zone_of(
    shops: Sequence[MailShop], records: Mapping[str, str]
) -> dict[tuple[str, str], Sequence[str]]:
    """The DNS of all lists, as their people would publish it; ``records`` are those of their
    signing keys.
    """
    zone: dict[tuple[str, str], Sequence[str]] = {
        (BOUNCES, "MX"): ["10 in.example.jp."],
        (BOUNCES, "TXT"): ["v=spf1 ip4:127.0.0.1 -all"],
        ("in.example.jp", "A"): ["127.0.0.1"],
    }
    for shop in shops:
        zone[shop.domain, "MX"] = ["10 in.example.jp."]
        zone[f"_dmarc.{shop.domain}", "TXT"] = ["v=DMARC1; p=quarantine"]
        zone[f"gw._domainkey.{shop.domain}", "TXT"] = [records[shop.id]]
    return zone


def _readers(mark: str, *, every: int = 1, pictures: bool = True) -> Iterator[Reader]:
    """The people of one list, of every so many one; whether its mails have pictures."""
    for does, domain, count, shared in _PEOPLE:
        temper = replace(shared, opens=shared.opens and pictures)
        for number in range(1, -(-count // every) + 1):
            address = f"{does}-{mark}{number}@{domain}"
            yield Reader(address, f"{_NAMES[number % len(_NAMES)]}{number}", temper, number == 1)


_NAMES = ("花子", "太郎", "さくら", "健", "美咲")


def _each_consents(readers: Sequence[Reader], today: str) -> Iterator[Sequence[str]]:
    yield ("address", "name", "tags", "consent_at", "consent_how", "consent_evidence", "notice")
    for number, reader in enumerate(readers, 1):
        tags = _REGULARS if reader.is_regular else ""
        yield (reader.address, reader.name, tags, today, "ご来店時", f"申込書 {number}", "1")
    yield ("番地のない住所", "誰か", "", today, "ご来店時", "申込書", "1")
    yield ("nobody@example.com", "同意のない人", "", "", "", "", "")


def _all_consent(readers: Sequence[Reader]) -> Iterator[Sequence[str]]:
    yield ("メールアドレス", "name", "タグ")
    for reader in readers:
        yield (reader.address, reader.name, _REGULARS if reader.is_regular else "")


def _sheet(rows: Iterator[Sequence[str]]) -> str:
    """Nothing in it needs quotes."""
    return "".join(f"{','.join(row)}\r\n" for row in rows)


def _plan(
    name: str, subject: str, *, html: bool = False, charset: str = "utf-8", regulars: bool = False
) -> dict[str, Any]:
    text = f"{{{{ name }}}}様\n\n{name}です。詳しくはこちらをご覧ください。\n{_LINK}\n"
    page = f'<p>{{{{ name }}}}様</p><p>{name}です。<a href="{_LINK}">詳しくはこちら</a></p>'
    who = [{"field": "tag", "op": "has", "value": _REGULARS}] if regulars else []
    return {
        "name": name,
        "subject": subject,
        "text": text,
        "html": f"<html><body>{page}</body></html>" if html else None,
        "charset": charset,
        "footer": "ja",
        "conditions": who,
    }


_LINK = "https://shop.example.jp/menu"
