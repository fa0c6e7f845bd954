"""The pages that are made of the code; ``python -m tests.support.pages`` writes them anew.

A table in the code is the truth, its page is for people: a test holds the two equal.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from gateway.config import SECTIONS, Section
from gateway.domain.calls import TRANSITIONS
from gateway.domain.mail import campaigns
from gateway.provisioning import TABLES
from gateway.tomlfile import Key, Wrong, shown
from metrics.dashboards.boards import FILES
from metrics.page import page as metrics_page

ROOT = Path(__file__).parents[2]
FLOW = ROOT / "docs/flow.md"
MAIL = ROOT / "docs/mail.md"

_DIAGRAM = re.compile(r"(?<=<!-- made of the state table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def flow() -> str:
    """``docs/flow.md`` with the diagram of the state table as it is now."""
    return _DIAGRAM.sub(lambda _: f"```mermaid\n{diagram()}```\n", FLOW.read_text())


def mail() -> str:
    """``docs/mail.md``, likewise, with that of campaigns."""
    return _DIAGRAM.sub(lambda _: f"```mermaid\n{campaign_diagram()}```\n", MAIL.read_text())


def diagram() -> str:
    """The state table of calls as a Mermaid diagram."""
    return _drawn("the voice webhook", TRANSITIONS)


def campaign_diagram() -> str:
    """That of campaigns."""
    reasons = {
        state: {to: event for event, to in events.items()}
        for state, events in campaigns.TRANSITIONS.items()
    }
    return _drawn("create", reasons)


def _drawn(first: str, table: Mapping[Any, Mapping[Any, str]]) -> str:
    steps = [f"{a} --> {b}: {why}" for a, to in table.items() for b, why in to.items()]
    begins, ends = next(iter(table)), [state for state, to in table.items() if not to]
    lines = [f"[*] --> {begins}: {first}", *steps, *(f"{end} --> [*]" for end in ends)]
    return "stateDiagram-v2\n" + "".join(f"    {line}\n" for line in lines)


def configuration() -> str:
    """``docs/configuration.md``: every key of config.toml and of the provisioning files."""
    parts = [_CONFIGURATION]
    for section in SECTIONS:
        title = f"`[{section.name}]`" if section.name else "Above all sections"
        parts += [f"### {title}\n", *_about(section)]
        parts.append(_table(section.keys, section))
    parts.append(_PROVISIONING)
    for table in TABLES.values():
        parts += _tables(f"[[{table.name}]]", table.keys)
    return "\n".join(parts)


def _tables(title: str, keys: Sequence[Key]) -> Iterator[str]:
    """A table of a provisioning file, and those within it."""
    yield f"### `{title}`\n"
    yield _table(keys)
    for key in keys:
        if key.keys:
            name = f"{title.strip('[]')}.{key.name}"
            yield from _tables(f"[[{name}]]" if key.kind is list else f"[{name}]", key.keys)


def _about(section: Section) -> list[str]:
    if not section.name:
        return []
    text = str(section.type.__doc__).strip()
    return [f"{text}{' Off where the section is absent.' if section.optional else ''}\n"]


def _table(keys: Iterable[Key], section: Section | None = None) -> str:
    columns = ["key", "value", "default", "meaning"]
    rows = []
    for key in keys:
        row = [" or ".join(f"`{name}`" for name in key.names), _values(key), _default(key), key.doc]
        if section:
            row.append("<br>".join(f"`{section.variable(name)}`" for name in key.names))
        rows.append(row)
    if section:
        columns.append("in the environment")
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_KINDS: dict[type[Any], str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    dict: "table",
    datetime: "time with an offset",
    date: "day",
}
_WRONG = {int: -1, str: "?"}
"""Values that are out of every range and among no choices."""


def _values(key: Key) -> str:
    """What may be written: the range or the choices, as the check itself names them."""
    try:
        key.check(_WRONG.get(key.kind), ROOT)
    except (Wrong, TypeError, AttributeError) as wrong:
        named = re.fullmatch(
            r"is (?:out of range|not a choice); write (?:one of: )?(.*)", str(wrong)
        )
        if named:
            return named[1].replace('"', "`")
    if key.kind is list:
        return "list of tables" if key.keys else "list of texts" if key.each else "list"
    return _KINDS[key.kind]


def _default(key: Key) -> str:
    if key.default not in (None, {}, [], ""):
        return f"`{json.dumps(key.default)}`"
    sample = "" if key.example in (None, "…") else shown(key.example)
    what = "required" if key.required else "none"
    return f"{what}, such as `{sample}`" if sample else what


_CONFIGURATION = """\
# Configuration

Made from the tables in `gateway/config/sections.py` and `gateway/provisioning/` by `make docs`.

The gateway reads two kinds of TOML files. `config.toml` says how the daemon runs; it is read once,
at the start. Provisioning files say whose numbers go where; `gateway apply` writes them into the
store, beside a running daemon. `gateway check` shows every mistake of both at once, each with its
key, its value and what to write instead.

## config.toml

- The file is `./config.toml`, or the one that `--config` names. [config.toml](../config.toml) in
  the repository holds every key with its default.
- Unknown sections and keys are errors.
- Relative paths start at the folder of the file, also those given in the environment.
- Each key can be overridden by a variable of the environment: `GATEWAY_<SECTION>_<KEY>`. A
  variable of an absent section makes the section present. A variable that begins with `GATEWAY_`
  and names no key is an error; only `GATEWAY_TEST_…` is left alone.
- A secret has two forms: the key itself, or `<key>_file`, the name of a file that holds it. Give
  one of the two. Nobody but the file's owner may have rights on it (mode 0600 or 0400).
- Prefer the defaults of `[storage] durability`, `[http]` and `[retention]` until you know a reason.
"""

_PROVISIONING = """\
## Provisioning files

- An entity is described in full by its table: a key that is left out has its default, whatever the
  store holds.
- What no file names stays as it is. `removed = true` takes an entity away; beside it only the
  first key of the table is needed. Calls of a removed number stay in the store.
- Numbers are written in E.164: `+81312345678`, without blanks and hyphens.
- A number may forward to any telephone, but not to another tracked number.
- `gateway apply` takes several files as one. All of it happens in one transaction, or nothing.
"""

PAGES: dict[Path, Callable[[], str]] = {
    ROOT / "docs/configuration.md": configuration,
    ROOT / "docs/metrics.md": metrics_page,
    FLOW: flow,
    MAIL: mail,
}
PAGES |= {ROOT / "metrics/dashboards" / name: make for name, make in FILES.items()}

if __name__ == "__main__":
    for path, make in PAGES.items():
        path.write_text(make())
