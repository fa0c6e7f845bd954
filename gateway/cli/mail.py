"""``mail``: bulk mail."""

import argparse
import asyncio
import ipaddress
import json
import sys
from pathlib import Path

from gateway.cli.base import DONE, FAILED, WRONG, Commands, complain, load_with_store, now
from gateway.domain.mail import consent
from gateway.domain.mail.imports import Import
from gateway.main.mail_check import check_mail
from gateway.main.mail_import import import_file, list_imports, list_mail_lists
from gateway.main.mail_reading import read_file


def add_to(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("mail", "bulk mail")
    read = group.add(
        "bounce", _bounce, "read mails that came back, and say what of", configured=False
    )
    read.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a mail, or an mbox")
    checked = group.add("check", _check, "look at SPF, DKIM, DMARC and more of a list's domains")
    checked.add_argument("list", metavar="LIST", help="its id in the provisioning file")
    checked.add_argument(
        "--address",
        action="append",
        default=[],
        type=_address,
        metavar="IP",
        help="from where its mail goes out, if not from the relay's own address; may be repeated",
    )
    checked.add_argument(
        "--override", metavar="NAME", default="", help="who lets it send all the same, for a week"
    )
    _add_imports(group)


def _add_imports(group: Commands) -> None:
    imported = group.add("import", _import, "take recipients of a file into a list")
    imported.add_argument("list", metavar="LIST", help="its id in the provisioning file")
    imported.add_argument(
        "file", metavar="FILE", type=Path, help="CSV in UTF-8, UTF-16 or Shift_JIS"
    )
    stated = imported.add_argument_group(
        "consent", "of all recipients, where the lines do not state it in columns of their own"
    )
    stated.add_argument(
        "--consent-at", metavar="TIME", default="", help="when: 2026-11-01, or RFC 3339"
    )
    stated.add_argument("--consent-how", metavar="TEXT", default="", help="how it was given")
    stated.add_argument("--evidence", metavar="TEXT", default="", help="what shows it")
    stated.add_argument(
        "--notice", metavar="VERSION", default="", help="which version of the notice they saw"
    )
    listed = group.add("imports", _imports, "list what was taken into a list, as JSON lines")
    listed.add_argument("list", metavar="LIST", help="its id in the provisioning file")
    group.add("lists", _lists, "list mail lists, as JSON lines")


def _import(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    texts = {
        consent.AT: given.consent_at,
        consent.HOW: given.consent_how,
        consent.EVIDENCE: given.evidence,
        consent.NOTICE: given.notice,
    }
    stated = consent.stated(texts, now()) if any(texts.values()) else None

    def progress(imported: Import) -> None:
        if sys.stderr.isatty():
            print(f"\rline {imported.line}", end="", file=sys.stderr, flush=True)

    ended = import_file(settings, given.list, given.file, stated, progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(_told(ended))
    return DONE if ended.state == "done" else FAILED


def _imports(given: argparse.Namespace) -> int:
    for imported in list_imports(load_with_store(given), given.list):
        print(_told(imported))
    return DONE


def _told(imported: Import) -> str:
    names = ("list", "name", "state", "line", *_OUTCOMES, "reason")
    told = {"id": str(imported.id)} | {name: getattr(imported, name) for name in names}
    return json.dumps(told, ensure_ascii=False)


def _lists(given: argparse.Namespace) -> int:
    for mail_list in list_mail_lists(load_with_store(given)):
        names = ("id", "advertiser", "sender", "contract")
        print(json.dumps({name: getattr(mail_list, name) for name in names}, ensure_ascii=False))
    return DONE


_OUTCOMES = ("added", "updated", "unchanged", "suppressed", "refused")


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from None


def _check(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    findings, may_send = asyncio.run(
        check_mail(settings, given.list, addresses=given.address, by=given.override)
    )
    for finding in findings:
        print(finding.line)
    return DONE if may_send else FAILED


def _bounce(given: argparse.Namespace) -> int:
    problems = []
    for path in given.files:
        try:
            readings = read_file(path)
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror or error}")
            continue
        recipients = [
            {
                "address": reading.address,
                "status": reading.status,
                "class": reading.bounce_class,
                "hard": reading.hard,
            }
            for reading in readings
        ]
        # ASCII: what strangers wrote goes to whatever terminal there is.
        print(json.dumps({"file": str(path), "recipients": recipients}))
    return complain(problems, WRONG) if problems else DONE
