"""The plan of the house, held by machine: who imports whom, and how large a room may grow."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "adapters", "metrics")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))

# For each contract of pyproject.toml an import that it must refuse: a guard that lets one through
# guards nothing.
FORBIDDEN = {
    "floors": ("gateway/errors.py", "gateway.ports"),
    "adapters": ("adapters/http/__init__.py", "adapters.storage"),
    "rooms": ("gateway/domain/values.py", "gateway.domain.routing"),
    "smtp": ("adapters/smtp/composing/mime.py", "adapters.smtp.delivery"),
    "calls": ("gateway/domain/calls/decide.py", "gateway.domain.tenancy"),
    "tenancy": ("gateway/domain/tenancy.py", "gateway.domain.values"),
    "pure": ("gateway/usecases/calls.py", "time"),
    "root": ("gateway/cli/__init__.py", "adapters.http"),
    "settings": ("gateway/logs.py", "gateway.ports"),
}


def contracts() -> dict[str, str]:
    """The names of the contracts by id."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {item["id"]: item["name"] for item in settings["tool"]["importlinter"]["contracts"]}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the packages in ``folder``."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    wide = os.environ | {"COLUMNS": "200"}  # so that no name is wrapped
    return subprocess.run(
        command, cwd=folder, env=wide, check=False, capture_output=True, text=True
    )


def test_imports_keep_to_the_floors() -> None:
    """Every contract of pyproject.toml is kept."""
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_each_contract_refuses_what_it_is_there_for(tmp_path: Path) -> None:
    """In a copy of the house with one forbidden import a contract, every contract is broken."""
    assert FORBIDDEN.keys() == contracts().keys()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=skipped)
    for file, module in FORBIDDEN.values():
        with (tmp_path / file).open("a") as source:
            source.write(f"\nimport {module}\n")
    said = lint_imports(tmp_path).stdout
    kept = [name for name in contracts().values() if f"{name} BROKEN" not in said]
    assert not kept, said


def test_a_room_that_outgrows_its_file_becomes_a_folder() -> None:
    """No source file passes 450 lines."""
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_ports_stay_small() -> None:
    """No protocol asks more than six methods of whoever implements it; the rooms that a
    transaction consists of are none.
    """
    modules = [ast.parse(path.read_text()) for path in (ROOT / "gateway/ports").glob("*.py")]
    sizes = {
        node.name: sum(
            isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and not item.decorator_list
            for item in node.body
        )
        for module in modules
        for node in module.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    }
    assert sizes, "gateway/ports holds no protocol any more"
    assert {name: size for name, size in sizes.items() if size > 6} == {}
