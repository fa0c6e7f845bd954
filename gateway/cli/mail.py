"""``mail``: bulk mail."""

import argparse
import asyncio
import ipaddress
import json
import sys
from pathlib import Path

from gateway.cli.base import DONE, FAILED, WRONG, Commands, complain, load_with_store, now
from gateway.domain.mail import consent
from gateway.domain.mail.importing.imports import Import
from gateway.main.mail.check import check_mail
from gateway.main.mail.importing import import_file, list_imports, list_mail_lists
from gateway.main.mail.reading import read_file
from gateway.main.mail.seal import kept_of, seal_mail


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
    sealed = group.add(
        "seal",
        _seal,
        "erase an advertiser's mail at its contract's end, but for sealed proofs of consent",
    )
    sealed.add_argument("advertiser", metavar="ADVERTISER", help="its id in the provisioning file")
    sealed.add_argument(
        "--yes", action="store_true", help="erase it for good; else it is said what would go"
    )


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


def _seal(given: argparse.Namespace) -> int:
    settings, whose = load_with_store(given), given.advertiser
    kept = kept_of(settings, whose)
    if not given.yes:
        for name, count in kept.counts.items():
            print(f"{count:>12,} {name}")
        return complain([f"{whose}: nothing was erased; --yes erases all of this for good"], WRONG)

    def progress(rows: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{rows:,} rows", end="", file=sys.stderr, flush=True)

    sealed = seal_mail(settings, whose, progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{whose}: {sealed.rows:,} rows were erased; {sealed.proofs:,} sealed proofs are left")
    if kept.lists:
        print(
            f"{whose}: {', '.join(kept.lists)}: take them out of the provisioning file and run "
            "`gateway apply`, or more may come in"
        )
    return DONE


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
