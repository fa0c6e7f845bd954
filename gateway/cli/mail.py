"""``mail``: bulk mail."""

import argparse
import asyncio
import ipaddress
import json
import sys

from gateway.cli import recipients
from gateway.cli.base import DONE, FAILED, WRONG, Commands, complain, load_with_store
from gateway.config import Config
from gateway.domain.values import moment
from gateway.main.mail.check import check_mail
from gateway.main.mail.reading import read_file
from gateway.main.mail.seal import kept_of, seal_mail
from gateway.usecases.mail.standing import Stands


def add_to(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("mail", "bulk mail")
    read = group.add(
        "bounce", _bounce, "read mails that came back, and say what of", configured=False
    )
    read.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=recipients.file_or_stdin,
        help="a mail, or an mbox; - reads standard input",
    )
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
        "--override",
        metavar="NAME",
        type=_person,
        help="who lets it send all the same, until its next check and for a week at most",
    )
    recipients.add_to(group)
    sealed = group.add(
        "seal",
        _seal,
        "erase an advertiser's mail at its contract's end, but for sealed proofs of consent",
    )
    sealed.add_argument("advertiser", metavar="ADVERTISER", help="its id in the provisioning file")
    sealed.add_argument(
        "--yes", action="store_true", help="erase it for good; else it is said what would go"
    )


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from None


def _person(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise argparse.ArgumentTypeError("give the name of a person, of up to 100 characters")
    return name


def _check(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    found = asyncio.run(
        check_mail(settings, given.list, addresses=given.address, by=given.override or "")
    )
    for finding in (*found.findings, *found.relays):
        print(finding.line)
    stands = found.stands
    if found.ended_override:
        complain([f"{found.ended_override} had let the list send until this check"], FAILED)
    print(f"{given.list}: {_verdict(given.list, stands, settings)}")
    return DONE if stands.domains else FAILED


def _verdict(list_: str, stands: Stands, settings: Config) -> str:
    """Whether a list may send after its check, until when, and on whose word."""
    check = stands.check
    if check is None or not stands.domains:
        return (
            "may not send: mend what has ✗ of SPF, DKIM and alignment, or check again where it has "
            "?; --override NAME lets it send until its next check, on that person's word"
        )
    until = f"{moment(stands.until).astimezone(settings.timezone):%Y-%m-%d %H:%M}"
    if check.aligned:
        so = f"until {until}, a week from now"
    else:
        so = f"until its next check or {until}, on the word of {check.overridden_by}"
    if stands.confirmed_at:
        return f"may send {so}"
    confirm = f"POST /api/v1/mail-lists/{list_}/confirmation"
    return f"may send {so}, once a person confirmed that the law is kept (R130): {confirm}"


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
    problems, without = [], []
    for path in given.files:
        try:
            readings = read_file(path)
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror or error}")
            continue
        if not readings:
            without.append(f"{path}: no report of a mail that came back was found in it")
        found = [
            {
                "address": reading.address,
                "status": reading.status,
                "class": reading.bounce_class,
                "hard": reading.hard,
            }
            for reading in readings
        ]
        # ASCII: what strangers wrote goes to whatever terminal there is.
        print(json.dumps({"file": str(path), "recipients": found}))
    complain(without, DONE)
    return complain(problems, WRONG if problems else DONE)
