"""The pages tell the truth: what can be compared with the code is."""

import argparse
import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from adapters.http import health
from adapters.twilio.webhook import FormKind
from gateway import cli, config, provisioning
from gateway.config import SECTIONS
from metrics.exposition import Metrics
from tests.support.pages import FLOW, PAGES, ROOT, diagram

README = ROOT / "README.md"
OPERATE = ROOT / "docs/operate.md"
ALERTS = ROOT / "metrics/rules/alerts.yml"
WRITTEN = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in WRITTEN)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def headings(page: Path) -> list[str]:
    without_code = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#+ (.*)$", without_code, re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a heading is linked by: small letters, hyphens for blanks, no other signs."""
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings(page)}


def toml_blocks(page: Path) -> list[str]:
    """The samples in TOML; those in a list stand further to the right."""
    blocks = re.findall(r"^( *)```toml\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, text in blocks]


# --- what is made of the code ---


@pytest.mark.parametrize(("page", "make"), PAGES.items(), ids=map(name_of, PAGES))
def test_a_page_made_of_the_code_is_current(page: Path, make: Callable[[], str]) -> None:
    """`make docs` would change nothing."""
    assert page.read_text() == make(), "run `make docs`"


def test_the_diagram_of_states_is_in_its_page() -> None:
    """The state table is drawn where the way of a call is told."""
    assert diagram() in FLOW.read_text()


# --- what the code has and the pages must tell ---


def commands(
    parser: argparse.ArgumentParser, name: str = "gateway"
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command in full, as ``gateway calls list``, with its parser."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for group in groups:
        for word, sub in group.choices.items():
            yield from commands(sub, f"{name} {word}")
    if not groups:
        yield name, parser


COMMANDS = dict(commands(cli._parser()))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_in_the_readme_with_its_options(command: str) -> None:
    """The table of commands has a row for each, and the row names every option."""
    rows = re.findall(rf"^\| `{command}\b.*$", README.read_text(), re.MULTILINE)
    assert len(rows) == 1
    options = [option for action in COMMANDS[command]._actions for option in action.option_strings]
    common = {"-h", "--help", "--config"}
    assert [option for option in options if option not in common and option not in rows[0]] == []


def test_the_readme_has_no_command_that_is_not() -> None:
    """Nobody is sent to a command that does not exist."""
    told = re.findall(
        r"^\| `(gateway [a-z -]+?)(?: [\[A-Z-].*)?` \|", README.read_text(), re.MULTILINE
    )
    assert sorted(told) == sorted(COMMANDS)


def test_every_make_target_is_in_the_readme() -> None:
    """The README tells of the targets that `make help` lists, and of no other."""
    listed = subprocess.check_output(["make", "-s", "help"], cwd=ROOT, text=True)
    targets = re.findall(r"^  make ([a-z.]+)", listed, re.MULTILINE)
    told = re.findall(r"^\| `make ([a-z.]+)` \|", README.read_text(), re.MULTILINE)
    assert sorted(targets) == sorted(told)


def test_every_path_is_in_the_readme() -> None:
    """The README tells of each path that a listener serves."""
    routes = [*health.routes(lambda: "ready"), *Metrics("0", lambda: 0).routes()]
    paths = [route.path for route in routes] + [f"/twilio/{kind}" for kind in get_args(FormKind)]
    assert [path for path in paths if f"{path}`" not in README.read_text()] == []


def test_every_alarm_has_its_page() -> None:
    """The alarms of the page are those of the rules, in their order, and each link leads there."""
    rules = ALERTS.read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    alarms = OPERATE.read_text().partition("\n## Alarms\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (\w+)$", alarms, re.MULTILINE) == alerts
    links = re.findall(r"runbook: (\S+)#(\S+)", rules)
    assert [anchor for _, anchor in links] == [alert.lower() for alert in alerts]
    assert {ROOT / page for page, _ in links} == {OPERATE}
    assert {anchor for _, anchor in links} <= anchors(OPERATE)


# --- what the pages say and the code must have ---


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file that exists and, behind its #, a heading in it."""
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def has(module: ast.Module, dotted: str) -> bool:
    """Whether ``module`` defines ``dotted``: a function, a class, a method or a constant."""
    body: list[ast.stmt] = module.body
    for name in dotted.split("."):
        found = [node for node in body if name in _names(node)]
        if not found:
            return False
        body = found[0].body if isinstance(found[0], ast.ClassDef) else []
    return True


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_code_that_the_pages_name_is_there() -> None:
    """Every path/file.py:name and every folder that the pages name is one of the house."""
    pattern = r"(?<![\w/.])((?:gateway|adapters|metrics|tests)/[\w./]*\w)(?::([\w.]+))?"
    named = set(re.findall(pattern, TEXT))
    assert len(named) > 20
    for path, name in sorted(named):
        assert (ROOT / path).exists(), path
        assert not name or has(ast.parse((ROOT / path).read_text()), name), f"{path}:{name}"


def test_samples_have_only_keys_that_exist() -> None:
    """Every key of a sample in TOML is one of the configuration or of provisioning files."""
    known = {section.name: section.keys for section in SECTIONS} | {
        name: table.keys for name, table in provisioning.TABLES.items()
    }
    samples = [sample for page in WRITTEN for sample in toml_blocks(page)]
    assert len(samples) > 3
    for content in map(tomllib.loads, samples):
        tables: dict[str, list[dict[str, object]]] = {"": [content]}
        for name, value in list(content.items()):
            if isinstance(value, dict | list):
                tables[name] = value if isinstance(value, list) else [value]
                del content[name]
        for name, entries in tables.items():
            names = {name for key in known[name] for name in key.names}
            assert all(entry.keys() <= names for entry in entries), name


def test_the_first_number_of_the_readme_can_be_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The configuration and the provisioning file of "a real number" pass `gateway check`."""
    settings, numbers = toml_blocks(README)
    (tmp_path / "config.toml").write_text(settings)
    (tmp_path / "numbers.toml").write_text(numbers)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/twilio.token").touch(mode=0o600)
    (tmp_path / "secrets/twilio.token").write_text("0123456789abcdef\n")
    monkeypatch.setattr("os.environ", {})
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "numbers.toml"]) == 0, capsys.readouterr().err
    assert "[[tracked_number]]" in numbers
    assert config.load(Path("config.toml"), {}).twilio is not None
