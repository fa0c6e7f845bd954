"""The pages tell the truth: what can be compared with the code is."""

import argparse
import ast
import importlib
import inspect
import pkgutil
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args
from unittest.mock import Mock

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.http import api, health
from adapters.http.api.endpoint import Endpoint
from adapters.http.pages.base import Pages
from adapters.http.pages.cards import CardPages
from adapters.http.pages.coupons import CouponPages
from adapters.http.pages.links import LinkPages
from adapters.http.pages.mail_links import MailLinkPages
from adapters.http.pages.signups import SignupPages
from adapters.http.pages.stops import StopPages
from adapters.http.pages.surveys import SurveyPages
from adapters.http.server import STATUS_OF
from adapters.line.routes import Webhooks
from adapters.twilio.webhook import FormKind
from gateway import cli, config, provisioning
from gateway.config import SECTIONS
from gateway.domain.line.channel import Channel
from gateway.domain.mail import campaigns
from gateway.domain.mail.campaigns import SendState
from gateway.domain.mail.importing.csvfile import examined, rows_of
from gateway.domain.mail.importing.lines import (
    DOUBLED,
    LINE_FAULTS,
    LINE_HINTS,
    NOT_CORRECTED,
    checked_line,
)
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.pace import PACES
from gateway.ports import Route
from metrics.exposition import Exposition
from metrics.observer import Metrics
from tests.support.pages import FLOW, MAIL, PAGES, ROOT, campaign_diagram, diagram

README = ROOT / "README.md"
LINE = ROOT / "docs/line.md"
OPERATE = ROOT / "docs/operate.md"
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
    """The state tables are drawn where the ways of a call and of a campaign are told."""
    assert diagram() in FLOW.read_text()
    assert campaign_diagram() in MAIL.read_text()


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
    routes = [*health.routes(lambda: "ready"), *Exposition(Metrics("0", lambda: 0)).routes()]
    paths = [route.path for route in routes] + [f"/twilio/{kind}" for kind in get_args(FormKind)]
    assert [path for path in paths if f"{path}`" not in README.read_text()] == []


# --- LINE, mail, their pages, and the API ---


def page_routes() -> list[Route]:
    """What friends, recipients of mail and the platform ask for; nothing stands behind, since
    nothing is asked.
    """
    none = Mock()
    pages = Pages(none, none)
    rooms = (
        Webhooks(store=none, ids=none, log=none),
        CouponPages(none, none, pages, ""),
        CardPages(none, none, pages, none, none, none, none),
        SurveyPages(none, none, pages, none, none),
        LinkPages(none, none, pages, none, none),
        StopPages(none, none, pages, none, none, none),
        SignupPages(none, none, pages, none, "", none),
        MailLinkPages(none, none, pages, none),
    )
    return [route for room in rooms for route in room.routes()]


def test_the_readme_has_the_paths_of_pages_and_no_others() -> None:
    """Each with its methods; HEAD is a GET without a body."""
    served = {(route.method, route.path) for route in page_routes() if route.method != "HEAD"}
    row = r"\| ((?:`[A-Z]+`, )*)`([A-Z]+) (/[a-z]+/\{\w+\})` \|"
    public = README.read_text().partition("\n| public, ")[2].partition("\n| mail, ")[0]
    told = {
        (method, path)
        for others, last, path in re.findall(row, public)
        for method in [*re.findall("[A-Z]+", others), last]
    }
    assert told == served


def test_the_proxy_passes_on_every_path_of_pages() -> None:
    """The sample for nginx has a place for each."""
    places = re.findall(r"^ *location (?:(~) )?(\S+) \{", OPERATE.read_text(), re.MULTILINE)
    assert len(places) > 3
    for route in page_routes():
        matching = [
            place
            for kind, place in places
            if (re.match(place, route.path) if kind else route.path.startswith(place))
        ]
        assert [place for place in matching if place != "/"], route.path


def calls_of_the_api() -> list[Endpoint]:
    """All calls that are declared; nothing stands behind them."""
    found: list[Endpoint] = []
    for module in pkgutil.walk_packages(api.__path__, f"{api.__name__}."):
        declare = getattr(importlib.import_module(module.name), "endpoints", None)
        if declare is not None:
            found += declare(*(Mock() for _ in inspect.signature(declare).parameters))
    return found


CALLS = calls_of_the_api()


def called(method: str, path: str) -> Endpoint | None:
    """The call of the API that ``path`` is for, written as it is declared or with values."""
    for call in CALLS:
        if call.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", call.path), path):
            return call
    return None


def test_calls_that_the_pages_name_are_there() -> None:
    """Every path below /api/v1 is one, with its method where that stands before it."""
    named = set(re.findall(r"(?:\b([A-Z]{3,6}) )?/api/v1(/(?!openapi)[a-z][\w/{}-]*)", TEXT))
    assert len(named) > 10
    methods = ("GET", "POST", "PUT", "DELETE")
    wrong = [
        (method, path)
        for method, path in named
        if not any(called(each, path) for each in ([method] if method else methods))
    ]
    assert wrong == []


@pytest.mark.parametrize("page", [ROOT / "docs/api.md", MAIL], ids=name_of)
def test_requests_of_the_pages_are_right(page: Path) -> None:
    """Each sample for curl asks for a call that is there, with a body that it takes."""
    text = re.sub(r"^ {3}", "", page.read_text(), flags=re.MULTILINE)  # samples in lists
    text = (
        text.replace("\\\n", " ")
        .replace("curl $api", "curl /api/v1")
        .replace(" $api/", " /api/v1/")
    )
    samples = re.findall(
        r"^(?:\$ )?(curl .*?)(?=\n```|\n\n|\n\$|\n\w+ )", text, re.MULTILINE | re.DOTALL
    )
    assert len(samples) >= 5
    for sample in samples:
        words = shlex.split(sample)
        (path,) = (word.partition("/api/v1")[2] for word in words if "/api/v1" in word)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        call = called(method, path)
        assert call is not None, sample
        body = words[words.index("-d") + 1] if "-d" in words else None
        assert (body is None) == (call.body is None), sample
        if body is not None:
            msgspec.json.decode(body, type=call.body)


def test_reasons_that_the_api_s_page_names_are_given() -> None:
    """Each reason of its tables is one of the code's, under the status that it is told with."""
    rows = re.findall(
        r"^\| (\d{3}) \| (`[a-z_]+`.*?) \|", (ROOT / "docs/api.md").read_text(), re.MULTILINE
    )
    named = {(int(status), name) for status, cell in rows for name in re.findall("`(\\w+)`", cell)}
    assert len(named) > 10
    assert named <= {(status, reason.value) for reason, status in STATUS_OF.items()}


def test_commands_that_the_pages_name_are_there() -> None:
    """Whatever page sends somebody to a command, it is one, or the beginning of some."""
    text = re.sub(r"\s+", " ", TEXT)
    told = set(re.findall(r"(?:`|\$ |```sh )(gateway(?: [a-z][a-z-]*)+)", text))
    assert len(told) > 10
    wrong = [
        words
        for words in told
        if not any(f"{words} ".startswith(f"{c} ") or c.startswith(f"{words} ") for c in COMMANDS)
    ]
    assert wrong == []


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


def test_the_first_shop_of_line_can_be_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Configuration and provisioning file of "the first shop" pass `gateway check` without a word,
    and its coupon can be stamped by PIN.
    """
    settings, shop, *_ = toml_blocks(LINE)
    (tmp_path / "config.toml").write_text(settings)
    (tmp_path / "shop.toml").write_text(shop)
    (tmp_path / "secrets").mkdir()
    for name, text in (
        ("acme-shop.secret", "8c570fa6dd201bb328f1c1eac23a96d8"),
        ("acme-shop.pin", "4812"),
    ):
        (tmp_path / "secrets" / name).touch(mode=0o600)
        (tmp_path / "secrets" / name).write_text(f"{text}\n")
    monkeypatch.setattr("os.environ", {})
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "shop.toml"]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out == "fine: config.toml, shop.toml\n"
    wanted = provisioning.read([Path("shop.toml")], {}).wanted
    [channel] = [entity for entity in wanted if isinstance(entity, Channel)]
    assert (channel.staff_secret, channel.bot_user_id) == ("4812", "")


def test_the_first_list_of_mail_can_be_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Configuration and provisioning file of "the first list" pass `gateway check` without a word,
    and its sample of recipients is one that can be taken in, line by line.
    """
    settings, lists = toml_blocks(MAIL)
    (tmp_path / "config.toml").write_text(settings)
    (tmp_path / "list.toml").write_text(lists)
    (tmp_path / "secrets").mkdir()
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    (tmp_path / "secrets/acme.dkim").touch(mode=0o600)
    (tmp_path / "secrets/acme.dkim").write_bytes(key)
    monkeypatch.setattr("os.environ", {})
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "list.toml"]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out == "fine: config.toml, list.toml\n"
    wanted = provisioning.read([Path("list.toml")], {}).wanted
    [mail_list] = [entity for entity in wanted if isinstance(entity, MailList)]
    [sample] = re.findall(r"^ *```csv\n(.*?)^ *```", MAIL.read_text(), re.DOTALL | re.MULTILINE)
    data = re.sub(r"^ +", "", sample, flags=re.MULTILINE).encode()
    layout = examined([data], mail_list.attributes)
    assert layout.states_consent
    now = 1_800_000_000_000_000
    lines = [
        checked_line(row, mail_list, now, states_consent=True) for row in rows_of([data], layout)
    ]
    assert [(line.line, line.fault) for line in lines] == [(2, None), (3, None)]


def test_the_page_of_mail_has_every_reason_of_an_import() -> None:
    """Each refused line's reason has its row, and so has what else is told of a line."""
    text = MAIL.read_text().partition("\n## Import\n")[2].partition("\n## ")[0]
    table = text.partition("\n| reason | the line |\n")[2].partition("\n\n")[0]
    told = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))
    assert set(told) == LINE_FAULTS
    assert {DOUBLED, NOT_CORRECTED} <= set(re.findall(r"`(\w+)`", text))
    assert LINE_HINTS.keys() == LINE_FAULTS


def test_the_page_of_mail_has_its_states_and_lanes() -> None:
    """Each state of a campaign and of a mail has its row, and each lane its pace."""
    text = MAIL.read_text()
    for state in (*campaigns.TRANSITIONS, *get_args(SendState)):
        assert re.search(rf"^\| `{state}` \| ", text, re.MULTILINE), state
    told: dict[str, tuple[str, str]] = {}
    for names, rate, at_once in re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| (no bound|\d+) \| (no bound|\d+) \|$", text, re.MULTILINE
    ):
        told |= dict.fromkeys(re.findall(r"`(\w+)`", names), (rate, at_once))
    assert told == {
        lane: (f"{pace.a_second or 'no bound'}", f"{pace.at_once or 'no bound'}")
        for lane, pace in PACES.items()
    }
