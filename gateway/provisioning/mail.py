"""``[[mail_list]]`` and ``[[mail_segment]]``: who is mailed, by whom, and with what shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.domain.mail.addresses import HINTS, fault_of
from gateway.domain.mail.campaigns import Condition
from gateway.domain.mail.lists import Dkim, MailList
from gateway.domain.mail.profiles import is_attribute
from gateway.domain.mail.segments import MOST_CONDITIONS, MailSegment, normalised, problem_of
from gateway.provisioning.base import ADVERTISER_KEY, REMOVED, Everything, Table, id_of
from gateway.provisioning.line import quiet
from gateway.tomlfile import (
    Check,
    Key,
    Secret,
    Wrong,
    anything,
    entries,
    line,
    one_of,
    printable,
    whole,
)

_RESERVED = frozenset({"abuse", "hostmaster", "mailer-daemon", "postmaster", "stop", "webmaster"})
"""Names of mailboxes that incoming mail has other uses for: a list's id is one, too."""

_LEAST_BITS = 2048
_MOST_BITS = 4096
_MOST_NOTICE = 4_000
_SENDER = re.compile(
    r'(?:"?(?P<display>[^"<>]{0,100}?)"?\s*<(?P<named>[^<>]*)>|(?P<bare>[^<>\s]*))'
)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+(?=[a-z]){_LABEL}")

# --- checks ---


def _list_id(value: str, folder: Path) -> str:
    if id_of(value, folder) in _RESERVED:
        raise Wrong("is a mailbox that every mail server has", "write another id")
    return value


def _sender(value: str, folder: Path) -> tuple[str, str]:
    """Display name and address of a From."""
    found = _SENDER.fullmatch(value)
    if not found or not value.replace("\u3000", " ").isprintable():
        raise Wrong("is no sender", 'write it like "Acme <news@acme.example>"')
    address = found["named"] if found["bare"] is None else found["bare"]
    return (found["display"] or "").strip(), _address(address, folder)


def _address(value: str, _: Path) -> str:
    fault = fault_of(value)
    if fault is not None or value != value.strip():
        raise Wrong("has no address that mail reaches", HINTS[fault or "control_character"])
    return value


def _perhaps_address(value: str, folder: Path) -> str:
    return _address(value, folder) if value else value


def _host(value: str, _: Path) -> str:
    if not _HOST.fullmatch(value):
        raise Wrong("is no name of a domain", 'write it like "bounce.example.jp", in lower case')
    return value


def _selector(value: str, _: Path) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        raise Wrong("is no selector", "write 1 to 63 of a-z, 0-9 and -")
    return value


def _private_key(value: str, _: Path) -> str:
    """An RSA key that signatures are made with today (RFC 8301: 2,048 bits)."""
    # It reads a library that a daemon without mail is spared.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.rsa import (  # noqa: PLC0415 - see above
        RSAPrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see above
        load_pem_private_key,
    )

    remedy = f"run: openssl genrsa -out FILE {_LEAST_BITS}"
    try:
        key = load_pem_private_key(value.encode(), None)
    except TypeError:
        raise Wrong("has a passphrase", "keep it without one, readable by its owner") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Wrong("is no private key in PEM", remedy) from None
    if not isinstance(key, RSAPrivateKey):
        raise Wrong("is no RSA key", remedy)
    if not _LEAST_BITS <= key.key_size <= _MOST_BITS:
        raise Wrong(f"has {key.key_size} bits", f"{remedy} (at most {_MOST_BITS})")
    return Secret(value)


def _attribute(value: str, _: Path) -> str:
    if not is_attribute(value):
        raise Wrong("cannot be an attribute", "write 1 to 40 of a-z, 0-9 and _ that is no column")
    return value


def _each_once(most: int) -> Check:
    def check(value: list[str], _: Path) -> tuple[str, ...]:
        if len(value) > most:
            raise Wrong("has too many entries", f"write at most {most}")
        if len(set(value)) < len(value):
            raise Wrong("has an entry twice", "write each once")
        return tuple(value)

    return check


def _notice(value: str, _: Path) -> str:
    lines = value.replace("\u3000", " ").split("\n")
    if len(value) > _MOST_NOTICE or not all(each.isprintable() for each in lines):
        raise Wrong("is no text to be shown", f"write at most {_MOST_NOTICE} characters")
    return value.strip()


# --- the keys ---

DKIM: tuple[Key, ...] = (
    Key(
        "domain",
        str,
        _host,
        "Who signs: d= of the signature.",
        example="acme.example",
        required=True,
    ),
    Key("selector", str, _selector, "Where its key is published: s=.", example="gw", required=True),
    Key(
        "key",
        str,
        _private_key,
        f"A private key of RSA in PEM, {_LEAST_BITS} bits or more.",
        required=True,
        secret=True,
    ),
)
"""The keys of ``[mail_list.dkim]``."""

MAIL_LIST: tuple[Key, ...] = (
    Key(
        "id",
        str,
        _list_id,
        "Its name in paths and files; empty mails go to this mailbox.",
        example="acme-news",
        required=True,
    ),
    ADVERTISER_KEY,
    Key(
        "from",
        str,
        _sender,
        "The From of its mails.",
        example="Acme <news@acme.example>",
        required=True,
    ),
    Key(
        "sender_name",
        str,
        printable(100),
        "Who is responsible, shown in each mail.",
        example="株式会社Acme",
        required=True,
    ),
    Key(
        "sender_address",
        str,
        printable(200),
        "Their postal address, shown in each mail.",
        example="東京都千代田区1-1",
        required=True,
    ),
    Key(
        "contact",
        str,
        printable(200),
        "Where to complain and ask: an address, a URL or a telephone number.",
        example="info@acme.example",
        required=True,
    ),
    Key(
        "bounce_domain",
        str,
        _host,
        "Where mails that come back go: a domain whose MX is `[smtp_in]`.",
        example="bounce.example.jp",
        required=True,
    ),
    Key("dkim", dict, anything, "What signs its mails.", keys=DKIM, example={"selector": "gw"}),
    Key("reply_to", str, _perhaps_address, "Where answers go; else to the From.", ""),
    Key(
        "contract",
        str,
        one_of("postpaid", "prepaid"),
        "postpaid: recipients are never exported, and views mask them.",
        "postpaid",
    ),
    Key(
        "attributes",
        list,
        _each_once(50),
        "What may be known of a recipient beside the address; texts name it {{ … }}.",
        [],
        each=_attribute,
    ),
    Key("topics", list, _each_once(20), "What one may stop singly.", [], each=printable(60)),
    Key(
        "notice",
        str,
        _notice,
        "What who signs up is shown: what for, who sends, how to stop.",
        "",
    ),
    Key("notice_version", str, printable(40), "A changed notice gets a new one.", "1"),
    Key("signup", bool, anything, "Whether the form at /s/ID is open.", False),
    Key("empty_mail", bool, anything, "Whether an empty mail to ID@ signs up.", False),
    Key("quiet", str, quiet, "When nothing is sent, on Asia/Tokyo's clocks.", ""),
    Key(
        "pause_percent",
        int,
        whole(1, 100),
        "Percent of bounces beyond which a campaign is paused.",
        10,
    ),
    Key("click_tracking", bool, anything, "Whether clicks on links are counted.", True),
    Key("open_tracking", bool, anything, "Whether a picture counts opens, unreliably.", False),
    REMOVED,
)
"""The keys of ``[[mail_list]]``."""

CONDITION: tuple[Key, ...] = (
    Key("field", str, printable(40), "tag, or an attribute.", example="tag", required=True),
    Key(
        "op",
        str,
        one_of("is", "is_not", "contains", "below", "above", "has", "has_not"),
        "How it is compared; below and above are of numbers and days.",
        example="has",
        required=True,
    ),
    Key("value", str, anything, "With what; a tag's name.", ""),
)
"""The keys of ``[[mail_segment.conditions]]``."""

MAIL_SEGMENT: tuple[Key, ...] = (
    Key("id", str, id_of, "What campaigns call it.", example="regulars", required=True),
    ADVERTISER_KEY,
    Key("list", str, id_of, "Of whose recipients.", example="acme-news", required=True),
    Key(
        "conditions",
        list,
        entries(1, MOST_CONDITIONS),
        "All of them must hold.",
        example=[{"field": "tag", "op": "has", "value": "vip"}],
        required=True,
        keys=CONDITION,
    ),
    REMOVED,
)
"""The keys of ``[[mail_segment]]``."""


def _build(values: dict[str, Any]) -> MailList:
    values["sender_display"], values["sender"] = values.pop("from")
    values["dkim"] = Dkim(**values["dkim"]) if values["dkim"] else None
    return MailList(**values)


def _build_segment(values: dict[str, Any]) -> MailSegment:
    values["conditions"] = tuple(normalised(Condition(**each)) for each in values["conditions"])
    return MailSegment(**values)


# --- what must hold within and between them ---


def _check(everything: Everything) -> Iterator[str]:
    for entry in everything[MailList.table].values():
        if entry.place and not entry.values.get("notice", "?"):
            for key in ("signup", "empty_mail"):
                if entry.values.get(key):
                    wrong = Wrong("has nothing to show who signs up", "add notice")
                    yield line(f"{entry.place}: {key}", True, wrong)


def _check_segments(everything: Everything) -> Iterator[str]:
    for entry in everything[MailSegment.table].values():
        mail_list = everything[MailList.table].get(entry.values.get("list") or "")
        if not entry.place or mail_list is None:
            continue  # told where references are
        if mail_list.values.get("advertiser") != entry.values.get("advertiser"):
            wrong = Wrong("is another advertiser's", "name one of the same")
            yield line(f"{entry.place}: list", entry.values["list"], wrong)
        known = mail_list.values.get("attributes")
        for ordinal, given in enumerate(entry.values.get("conditions") or (), 1):
            if known is None or not {"field", "op", "value"} <= given.keys():
                continue  # told already
            problem = problem_of(Condition(**given), known)
            if problem:
                place = f"{entry.place}: conditions[{ordinal}]"
                yield line(place, given, Wrong("makes no sense", problem))


# Whoever is on a list counts under its contract.
TABLE = Table(MailList, MAIL_LIST, _build, check=_check, lasting=("contract",))

SEGMENT_TABLE = Table(
    MailSegment,
    MAIL_SEGMENT,
    _build_segment,
    refers=(("advertiser", "advertiser"), ("list", MailList.table)),
    check=_check_segments,
)
