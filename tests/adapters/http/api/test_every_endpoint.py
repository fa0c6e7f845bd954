"""What holds for every call of the API, those of all parts among them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import pytest

from gateway.domain.access import Role
from tests.adapters.http.api.samples import SAMPLES, Sample
from tests.adapters.http.api.world import ACME_NUMBER, OTHER_NUMBER, Answered, World

ROLES: tuple[Role, ...] = get_args(Role)


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of all parts, and a call of each of two advertisers."""
    made = World(sqlite_template, tmp_path_factory.mktemp("api"), every_part=True)
    made.open()
    made.call(ACME_NUMBER)
    made.call(OTHER_NUMBER)
    yield made
    made.close()


@dataclass(frozen=True)
class Asked:
    """One call of the API, as it describes itself."""

    world: World
    method: str
    path: str
    operation: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> set[str]:
        """The names of its query's parameters."""
        return {p["name"] for p in self.operation["parameters"] if p["in"] == "query"}

    @property
    def documented(self) -> set[int]:
        """The statuses that it may answer with."""
        return {int(status) for status in self.operation["responses"]}

    def sample(self) -> Sample:
        """How to ask it."""
        make = SAMPLES.get((self.method, self.path))
        if make is None:
            assert "{" not in self.path, f"{self} has no sample in samples.py"
            assert self.method == "GET", f"{self} has no sample in samples.py"
            return Sample()
        return make(self.world)

    def ask(
        self, sample: Sample, token: str | None, *, query: str = "", headers: Any = None
    ) -> Answered:
        """Its answer to a sample."""
        path = self.path
        for name, value in sample.parameters.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        asked = "&".join(filter(None, (sample.query, query)))
        path = f"{path}?{asked}" if asked else path
        if headers is None and sample.kind:
            headers = {"Content-Type": sample.kind}
        return self.world.ask(self.method, path, token=token, body=sample.body, headers=headers)

    @property
    def token(self) -> str:
        """A token of ``acme`` that may: the operator's, unless others alone may."""
        roles = self.operation["x-roles"]
        return self.world.token("operator" if "operator" in roles else roles[0], "acme")


def every(world: World) -> Iterator[Asked]:
    """Every call of the API; time goes on from one to the next."""
    for path, operations in world.get("/openapi.json").json["paths"].items():
        for method, operation in operations.items():
            world.now += 1_000_000
            yield Asked(world, method.upper(), path, operation)


def test_every_call_is_answered_to_whose_data_it_is(world: World) -> None:
    """The samples are right: what the other tests refuse is not refused for another reason."""
    wrong: list[tuple[Any, ...]] = []
    for asked in every(world):
        answer = asked.ask(asked.sample(), asked.token)
        if not 200 <= answer.status < 300 or answer.status not in asked.documented:
            wrong.append((str(asked), answer.status, answer.body))
        if answer.headers.get("cache-control") != "no-store":
            wrong.append((str(asked), answer.headers))
    assert wrong == []


def test_no_call_is_answered_without_a_token(world: World) -> None:
    """Whatever else is right or wrong about it."""
    wrong = []
    for asked in every(world):
        for header in ({}, {"Authorization": f"Bearer tsn_{'A' * 43}"}):
            answer = asked.ask(asked.sample(), None, headers=header)
            if answer.status != 401 or "www-authenticate" not in answer.headers:
                wrong.append((str(asked), answer.status))
    assert wrong == []


def test_no_call_shows_or_changes_what_is_another_s(world: World) -> None:
    """What is named in the path is not found; a list has nothing of it; a filter is refused."""
    wrong = []
    other = world.token("operator", "other")
    for asked in every(world):
        sample = asked.sample()
        answer = asked.ask(sample, other)
        if sample.parameters or asked.method != "GET":
            if answer.status not in (403, 404):
                wrong.append((str(asked), answer.status, answer.body))
        elif answer.status != 200 or b"acme" in answer.body:
            wrong.append((str(asked), answer.status, answer.body))
        if "advertiser" in asked.parameters:
            answer = asked.ask(sample, other, query="advertiser=acme")
            if (answer.status, answer.reason) != (403, "out_of_scope"):
                wrong.append((str(asked), answer.status, answer.body))
    assert wrong == []


def test_no_call_is_answered_to_a_role_that_may_not(world: World) -> None:
    """The roles are those that the description tells."""
    wrong = []
    for asked in every(world):
        sample = asked.sample()
        for role in ROLES:
            if role not in asked.operation["x-roles"]:
                answer = asked.ask(sample, world.token(role, "acme"))
                if (answer.status, answer.reason) != (403, "role_not_allowed"):
                    wrong.append((str(asked), role, answer.status))
    assert wrong == []


def test_every_call_refuses_what_it_does_not_know(world: World) -> None:
    """A misspelt parameter is never read as none, nor a form as JSON."""
    wrong = []
    for asked in every(world):
        sample, token = asked.sample(), asked.token
        answer = asked.ask(sample, token, query="misspelt=1")
        if (answer.status, answer.reason) != (400, "unknown_parameter"):
            wrong.append((str(asked), answer.status))
        if "requestBody" in asked.operation:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = asked.ask(sample, token, headers=kind)
            if (answer.status, answer.reason) != (415, "media_type"):
                wrong.append((str(asked), answer.status))
    assert wrong == []


def test_what_is_sent_has_bounds(world: World) -> None:
    """Whole numbers fit into a column, text is not endless: else a stranger chooses our errors."""
    document = world.get("/openapi.json").json
    unbounded = [
        f"{asked} {place}"
        for asked in every(world)
        for place, schema in _sent(document, asked.operation)
        if not _is_bounded(schema)
    ]
    assert unbounded == []


def _sent(document: Any, operation: Any) -> Iterator[tuple[str, Any]]:
    """Every schema of a text or a number in what a call takes, with its place."""
    for parameter in operation["parameters"]:
        yield from _values(document, parameter["name"], parameter["schema"])
    if "requestBody" in operation:
        for content in operation["requestBody"]["content"].values():
            yield from _values(document, "body", content["schema"])


def _values(document: Any, place: str, schema: Any) -> Iterator[tuple[str, Any]]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for name, field in schema.get("properties", {}).items():
        yield from _values(document, f"{place}.{name}", field)
    for choice in schema.get("anyOf", ()):
        yield from _values(document, place, choice)
    if isinstance(schema.get("items"), dict):
        yield from _values(document, f"{place}[]", schema["items"])
    if schema.get("type") in ("string", "integer"):
        yield place, schema


def _is_bounded(schema: Any) -> bool:
    if schema["type"] == "integer":
        return "minimum" in schema and "maximum" in schema
    return any(key in schema for key in ("maxLength", "pattern", "enum", "format", "const"))
