"""``make bench``: the table of performance, each row beside its peer, taken in turn."""

import argparse
import json
import os
import platform
import re
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.bench import layers, mail_layers, servers
from tests.bench.load import CONNECTIONS
from tests.bench.mail_rows import MailRows
from tests.bench.mail_sinks import NotInstalledError
from tests.bench.rows import Bench, Line, Settings
from tests.bench.scrape_rows import ScrapeRows

_MAIL = ("mail", "mail-dkim", "mail-slow")
_ROWS = ("voice", "life", "line", "pushes", *_MAIL, "scrape", "past", "memory")
_LONG = ("mail-million",)  # only where it is named


def main() -> int:
    given = _parser().parse_args()
    settings = Settings(given.folder, given.seconds, given.rounds, given.calls)
    machine = _machine(given.folder)
    for name, value in machine.items():
        print(f"{name:10} {value}")
    print(flush=True)
    bench = Bench(settings)
    mails = MailRows(settings, bench.note_holds)
    scrapes = ScrapeRows(settings, bench.note_holds, given.advertisers)
    with servers.on_core(servers.GENERATOR_CORE):
        if given.profile:
            if given.profile.startswith("mail"):
                is_signed = given.profile == "mail-dkim"
                print(mail_layers.profile(settings, is_signed=is_signed))
            else:
                print(layers.profile(settings, given.profile))
            return 0
        lines: list[Line] = []
        for row in [*given.rows, *["node"] * given.node, "holds"]:
            name = row.replace("-", "_")
            of = next(rows for rows in (bench, mails, scrapes) if hasattr(rows, name))
            try:
                for line in getattr(of, name)():
                    lines.append(line)
                    print(_shown(line), flush=True)
            except NotInstalledError as missing:
                print(f"{row}: not measured: {missing}", flush=True)
    told = {
        "machine": machine,
        "settings": msgspec.to_builtins(settings, enc_hook=str),
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "lines": msgspec.to_builtins(lines),
    }
    written = given.json or given.folder / time.strftime("%Y%m%d-%H%M%S.json")
    written.write_text(json.dumps(told, ensure_ascii=False, indent=1))
    print(f"\n{written}")
    return 1 if any(line.wrong for line in lines) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--rows", type=_rows, default=_ROWS, help=f"some of {','.join((*_ROWS, *_LONG))}"
    )
    parser.add_argument("--node", action="store_true", help="also beside Node; installs from npm")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round; default: 5")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--calls", type=int, default=10_000_000, help="past; default: 10000000")
    parser.add_argument("--advertisers", type=int, default=10_000, help="scraped; default: 10000")
    parser.add_argument(
        "--profile",
        nargs="?",
        const="voice",
        choices=("voice", "line", "mail", "mail-dkim"),
        help="where the time goes; default: voice",
    )
    parser.add_argument("--folder", type=Path, default=Path("var/bench"), help="on a real disk")
    parser.add_argument("--json", type=Path, help="default: a file in the folder")
    return parser


def _rows(text: str) -> Sequence[str]:
    rows = text.split(",")
    if unknown := set(rows) - {*_ROWS, *_LONG}:
        raise argparse.ArgumentTypeError(f"no such rows: {', '.join(sorted(unknown))}")
    return rows


def _machine(folder: Path) -> dict[str, str]:
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    apart = servers.SERVER_CORE != servers.GENERATOR_CORE
    return {
        "machine": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {_file_system(folder)}",
        "python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, uvloop",
        "server": f"held to core {servers.SERVER_CORE}, durability full",
        "generator": f"our own, {CONNECTIONS} connections, in another process held to "
        + (f"core {servers.GENERATOR_CORE}" if apart else "the SAME core: this machine has one"),
        "reads as": "ours and beside: requests/s, p50 / p99 / p99.9; medians of the rounds",
    }


def _file_system(folder: Path) -> str:
    """The kind of file system that ``folder`` is, or will be, on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = [m for m in mounts if folder.absolute().is_relative_to(m[1])]
    kind = max(above, key=lambda mount: len(mount[1]))[2]
    return f"{kind} (MEMORY: nothing is durable here)" if kind == "tmpfs" else kind


def _shown(line: Line) -> str:
    each = " ".join(f"{figure:.3g}" for figure in line.each)
    verdict = "met" if line.met else "MISSED"
    text = f"{line.what:44} {line.figure:8.3g} {line.unit:2}  {line.bar:8} {verdict:6}  [{each}]"
    if line.ours:
        text += f"\n    ours   {line.ours}\n    beside {line.beside}"
    text += "".join(f"\n    note: {note}" for note in line.notes)
    return text + "".join(f"\n    WRONG: {problem}" for problem in line.wrong)


if __name__ == "__main__":
    sys.exit(main())
