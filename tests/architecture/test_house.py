"""What lies around the code keeps its promises: locks, ignores and tests."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
PYTHON = sorted(
    file
    for folder in ("gateway", "adapters", "metrics", "tests")
    for file in (ROOT / folder).rglob("*.py")
)
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Whoever installs chooses the index; put together here, so that this file does not name one.
INDEX_HOSTS = [
    ".".join(parts)
    for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian"))
]


def name_of(file: Path) -> str:
    """``file`` as seen from the root."""
    return str(file.relative_to(ROOT))


def files_of_the_project() -> list[Path]:
    """What git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.check_output(command, cwd=ROOT, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git clone")
    files = [ROOT / name for name in listed.split("\0") if name]
    return [file for file in files if file.is_file()]


def pinned(lock: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Each package of a lock: its name, its version and its hashes."""
    for entry in re.split(r"\n(?=\S)", lock.read_text()):
        found = re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry)
        if found:
            yield found[1], found[2], re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)


# --- locks ---


@pytest.mark.parametrize("lock", LOCKS, ids=name_of)
def test_every_locked_package_is_known_by_its_hashes(lock: Path) -> None:
    """Each package of a lock has a hash, and no line names a place it came from."""
    packages = list(pinned(lock))
    assert packages
    assert [name for name, _, hashes in packages if not hashes] == []
    lines = [line for line in lock.read_text().splitlines() if line and line[0] not in " #"]
    assert len(lines) == len(packages)
    assert "://" not in lock.read_text()


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", SETTINGS["project"]["dependencies"]),
        ("requirements-dev.lock", SETTINGS["project"]["dependencies"]),
        ("requirements-dev.lock", SETTINGS["project"]["optional-dependencies"]["dev"]),
        ("requirements-build.lock", SETTINGS["build-system"]["requires"]),
        ("requirements-build.lock", SETTINGS["dependency-groups"]["build"]),
        ("requirements-postgres.lock", SETTINGS["dependency-groups"]["postgres"]),
    ],
)
def test_locks_answer_what_pyproject_asks(lock: str, requirements: list[str]) -> None:
    """Every requirement of pyproject.toml is locked in a version that it admits."""
    versions = {name: version for name, version, _ in pinned(ROOT / lock)}
    for requirement in map(Requirement, requirements):
        assert requirement.name in versions, "run `make lock`"
        assert requirement.specifier.contains(versions[requirement.name]), "run `make lock`"


def test_both_locks_agree() -> None:
    """What is tested is what is deployed: the versions of the two locks are the same."""
    tested = {(name, version) for name, version, _ in pinned(ROOT / "requirements-dev.lock")}
    deployed = {(name, version) for name, version, _ in pinned(ROOT / "requirements.lock")}
    assert deployed - tested == set()


def test_no_file_names_a_package_index() -> None:
    """Nothing in the project binds whoever installs it to a package index."""
    naming = [
        f"{name_of(file)}: {host}"
        for file in files_of_the_project()
        for host in INDEX_HOSTS
        if host.encode() in file.read_bytes()
    ]
    assert naming == []


# --- code ---


@pytest.mark.parametrize("file", TESTS, ids=name_of)
def test_every_test_says_what_it_shows(file: Path) -> None:
    """Each test has a docstring of one sentence."""
    tests = [
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    told = {test.name: ast.get_docstring(test) or "" for test in tests}
    assert [name for name, text in told.items() if not text.endswith(".") or "\n\n" in text] == []


def test_every_ignore_has_a_reason() -> None:
    """Whoever silences a check says why; only a test's wrong types speak for themselves."""
    silenced = re.compile(r"# (?P<what>noqa|type: ignore)[]:[A-Za-z0-9, -]*?(?:- |# |$)(?P<why>.*)")
    bare = [
        f"{name_of(file)}:{number}"
        for file in PYTHON
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (found := silenced.search(line)) and not found["why"]
        if found["what"] == "noqa" or file not in TESTS
    ]
    ruff = (ROOT / "pyproject.toml").read_text().partition("ignore = [")[2].partition("max-args")[0]
    bare += re.findall(r'^ +"[A-Z]+[0-9]*",(?! +#).*$', ruff, re.MULTILINE)
    assert bare == []
