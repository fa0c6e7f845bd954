"""``mail import``, ``mail imports`` and ``mail lists``: who comes onto the lists, and how."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.cli.base import (
    DONE,
    INTERRUPTED,
    WRONG,
    Commands,
    complain,
    id_of,
    load_with_store,
    now,
)
from gateway.config import Config
from gateway.domain.mail import consent
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.imports import Import
from gateway.domain.mail.importing.lines import DOUBLED, LINE_HINTS, NOT_CORRECTED
from gateway.domain.mail.lists import MailList
from gateway.domain.values import moment
from gateway.errors import Misconfigured, Refusal, Refused
from gateway.main.mail.importing import Interrupted, import_file, lines_of, list_imports
from gateway.main.mail.lists import list_mail_lists
from gateway.usecases.mail.standing import Stands

STDIN = Path("/dev/stdin")

_MOST_TOLD = 20
"""Refused lines that are told of one by one."""

_OUTCOMES = ("added", "updated", "unchanged", "suppressed", "refused")

_OPTIONS = {
    consent.AT: "--consent-at",
    consent.HOW: "--consent-how",
    consent.EVIDENCE: "--evidence",
    consent.NOTICE: "--notice",
}

_HINTS: Mapping[str, str] = {
    **LINE_HINTS,
    DOUBLED: "the file has the address twice",
    NOT_CORRECTED: "it says something else than is known; the command line corrects nobody",
}


def add_to(group: Commands) -> None:
    """Add the commands to the group of mail."""
    imported = group.add(
        "import",
        _import,
        "take recipients of a file into a list; who is on it stays as they are known",
    )
    imported.add_argument("list", metavar="LIST", help="its id in the provisioning file")
    imported.add_argument(
        "file",
        metavar="FILE",
        type=file_or_stdin,
        help="CSV in UTF-8, UTF-16 or Shift_JIS; - reads standard input",
    )
    imported.add_argument("--json", action="store_true", help="print one JSON object")
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
    listed = group.add("imports", _imports, "list what was taken into a list, oldest first")
    listed.add_argument("list", metavar="LIST", help="its id in the provisioning file")
    listed.add_argument(
        "--lines",
        type=id_of,
        metavar="ID",
        help="what became of the lines of one of them, but for those that were added",
    )
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    lists = group.add("lists", _lists, "list mail lists, and whether they may send")
    lists.add_argument("--json", action="store_true", help="one JSON object a line")


def file_or_stdin(text: str) -> Path:
    """A file by its name; ``-`` is standard input."""
    return STDIN if text == "-" else Path(text)


# --- import ---


def _import(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    stated = _stated(given)
    file = "standard input" if given.file == STDIN else str(given.file)

    def progress(imported: Import, rows: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{_taken(imported):,} of {rows:,}", end="", file=sys.stderr, flush=True)

    try:
        ended = import_file(settings, given.list, given.file, stated, progress)
    except Refused as refused:
        return complain([f"{file}: {_why(refused)}; nothing was taken in"], WRONG)
    except Interrupted as interrupted:
        if sys.stderr.isatty():
            print(file=sys.stderr)
        return complain([_left(given.list, interrupted.begun)], INTERRUPTED)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if given.json:
        print(_object(ended, settings))
    else:
        counts = ", ".join(f"{getattr(ended, name):,} {name}" for name in _OUTCOMES)
        print(f"{ended.list}: {counts}")
    problems = _problems(settings, ended, file)
    if ended.state != "done":
        problems.append(f"{file}: {ended.reason}; the lines before that were taken in")
    return complain(problems, DONE if ended.state == "done" else WRONG)


def _stated(given: argparse.Namespace) -> Stated | None:
    texts = {
        consent.AT: given.consent_at,
        consent.HOW: given.consent_how,
        consent.EVIDENCE: given.evidence,
        consent.NOTICE: given.notice,
    }
    missing = [_OPTIONS[name] for name, text in texts.items() if not text.strip()]
    if len(missing) == len(texts):
        return None
    if missing:
        raise Misconfigured([f"give {_listed(missing)} as well: a consent is stated whole"])
    try:
        return consent.stated(texts, now())
    except Refused as refused:
        name, _, why = refused.detail.partition(": ")
        raise Misconfigured([f"{_OPTIONS[name]} {texts[name]!r}: {why}"]) from None


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _why(refused: Refused) -> str:
    if refused.reason is Refusal.CONSENT_MISSING:
        columns, options = _listed(consent.COLUMNS), _listed(list(_OPTIONS.values()))
        return f"it has no columns {columns}, which state the consent; add them, or give {options}"
    return refused.detail or str(refused.reason)


def _left(list_: str, begun: Import | None) -> str:
    if begun is None:
        return "interrupted; nothing was taken in"
    return (
        f"interrupted: {_taken(begun):,} lines were taken in, and a running daemon goes on with "
        f"the others; `gateway mail imports {list_}` shows how far it is"
    )


def _taken(imported: Import) -> int:
    return sum(getattr(imported, name) for name in _OUTCOMES)


def _problems(settings: Config, ended: Import, file: str) -> list[str]:
    """Lines for a person about lines that were not taken in as they stand."""
    told: list[str] = []
    counts: Counter[str] = Counter()
    for line, outcome, reason in lines_of(settings, ended.id):
        counts[outcome] += 1
        counts[reason] += 1
        if outcome == "refused" and len(told) < _MOST_TOLD:
            told.append(f"{file}: line {line} is refused: {_hint(reason)}")
    report = f"`gateway mail imports {ended.list} --lines {ended.id}` shows which"
    if counts["refused"] > len(told):
        told.append(f"{counts['refused'] - len(told):,} more lines are refused; {report}")
    if counts[NOT_CORRECTED]:
        told.append(
            f"{counts[NOT_CORRECTED]:,} lines differ from what is known of their recipients, who "
            "stay as they are: to correct people, import by the API with a manager's token; "
            f"{report}"
        )
    return told


def _hint(reason: str) -> str:
    hint = _HINTS.get(reason)
    return f"{hint} ({reason})" if hint else reason


# --- imports ---


def _imports(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    if given.lines is not None:
        return _lines(settings, given)
    found = list(list_imports(settings, given.list))
    if not given.json:
        counted = "  ".join(f"{name:>10}" for name in _OUTCOMES)
        print(f"{'id':19}  {'begun':16}  {'state':7}  {counted}  file")
    for imported in found:
        if given.json:
            print(_object(imported, settings))
            continue
        counted = "  ".join(f"{getattr(imported, name):>10,}" for name in _OUTCOMES)
        file = f"{imported.name or '–'}" + (f": {imported.reason}" if imported.reason else "")
        begun = _time(imported.at, settings)
        print(f"{imported.id:<19}  {begun:16}  {imported.state:7}  {counted}  {file}")
    return DONE


def _lines(settings: Config, given: argparse.Namespace) -> int:
    found = next(iter(list_imports(settings, given.list, given.lines - 1)), None)
    if found is None or found.id != given.lines:
        where = f"`gateway mail imports {given.list}` lists them"
        raise Misconfigured([f"{given.lines}: no such import of {given.list}; {where}"])
    if not given.json:
        print(f"{'line':>9}  {'outcome':10}  reason")
    for line, outcome, reason in lines_of(settings, found.id):
        if given.json:
            print(json.dumps({"line": line, "outcome": outcome, "reason": reason}))
        else:
            print(f"{line:>9}  {outcome:10}  {_hint(reason) or '–'}")
    return DONE


def _object(imported: Import, settings: Config) -> str:
    names = ("list", "name", "state", "line", *_OUTCOMES, "reason")
    told = {name: getattr(imported, name) for name in names}
    at = moment(imported.at).astimezone(settings.timezone).isoformat()
    return json.dumps({"id": str(imported.id), "at": at} | told, ensure_ascii=False)


# --- lists ---


def _lists(given: argparse.Namespace) -> int:
    settings = load_with_store(given)
    found = list_mail_lists(settings, now())
    if given.json:
        for mail_list, stands in found:
            print(json.dumps(_view(mail_list, stands, settings), ensure_ascii=False))
        return DONE
    width = max([len(mail_list.id) for mail_list, _ in found], default=2)
    whose = max([10, *(len(mail_list.advertiser) for mail_list, _ in found)])
    print(
        f"{'id':{width}}  {'advertiser':{whose}}  {'contract':8}  {'law confirmed':16}  "
        f"{'domains checked':16}  may send"
    )
    for mail_list, stands in found:
        checked = _time(stands.check.at if stands.check else 0, settings)
        print(
            f"{mail_list.id:{width}}  {mail_list.advertiser:{whose}}  {mail_list.contract:8}  "
            f"{_time(stands.confirmed_at, settings):16}  {checked:16}  {_verdict(stands, settings)}"
        )
    return DONE


def _view(mail_list: MailList, stands: Stands, settings: Config) -> Mapping[str, object]:
    check = stands.check
    instants = {
        "confirmed_at": stands.confirmed_at,
        "checked_at": check.at if check else 0,
        "until": stands.until if stands.may_send else 0,
    }
    return {
        **{name: getattr(mail_list, name) for name in ("id", "advertiser", "sender", "contract")},
        **{
            name: moment(at).astimezone(settings.timezone).isoformat() if at else None
            for name, at in instants.items()
        },
        "aligned": bool(check and check.aligned),
        "overridden_by": check.overridden_by if check else "",
        "may_send": stands.may_send,
    }


def _verdict(stands: Stands, settings: Config) -> str:
    check = stands.check
    if stands.may_send and check is not None:
        word = "" if check.aligned else f", on the word of {check.overridden_by}"
        return f"until {_time(stands.until, settings)}{word}"
    missing = [] if stands.confirmed_at else ["the law is not confirmed"]
    if check is None:
        missing.append("its domains were not checked")
    elif not stands.is_checked:
        missing.append("the check is too old, or of other domains")
    elif not stands.domains:
        missing.append("its domains are not aligned")
    return f"no: {', '.join(missing)}"


def _time(at: int, settings: Config) -> str:
    return f"{moment(at).astimezone(settings.timezone):%Y-%m-%d %H:%M}" if at else "–"
