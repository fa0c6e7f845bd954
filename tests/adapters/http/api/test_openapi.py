"""The description of the API is right, and the API does what it describes."""

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jsonschema_rs
import pytest
from hypothesis import strategies as st

from adapters.http.server import STATUS_OF
from gateway.errors import Refusal
from tests.adapters.http.api.samples import SAMPLES
from tests.adapters.http.api.world import ACME_NUMBER, World

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own, of a library that it uses
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import positive_data_acceptance
    from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

_EXAMPLES = hypothesis.settings().max_examples // 10
"""For each call and each of right and wrong requests: a few, or hundreds in the deep profile."""

# What is right in form may be wrong in sense: a cursor that no page gave, a span too long.
_NOT_HERE = [positive_data_acceptance]


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running API with the calls of all parts, and something in it."""
    made = World(sqlite_template, tmp_path_factory.mktemp("api"), every_part=True)
    made.open()
    made.call(ACME_NUMBER)
    yield made
    made.close()


@pytest.fixture(scope="module")
def document(world: World) -> Any:
    """The description."""
    answer = world.ask("GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return answer.json


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_description_is_one(document: Any) -> None:
    """It keeps to OpenAPI 3.1, and what it says of values to JSON Schema."""
    OPENAPI_31_VALIDATOR.validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_every_reference_leads_somewhere(document: Any) -> None:
    """And nothing is described that no call uses."""

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from references(each)

    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) == schemas


def test_every_call_has_its_own_name_and_a_summary(document: Any) -> None:
    """Programs made of the description call their functions so."""
    ids = Counter(operation["operationId"] for _, operation in operations(document))
    assert ids.most_common(1)[0][1] == 1
    for name, operation in operations(document):
        assert operation["summary"].strip(), name
        assert not operation["summary"].endswith("."), name


def test_every_answer_is_described(document: Any) -> None:
    """Success, and problems: without a token, too large, too slow, and while the store is away."""
    for name, operation in operations(document):
        answers = operation["responses"]
        expected = {"400", "401", "408", "413", "503"}
        if "{" in name:
            expected.add("404")
        if "requestBody" in operation:
            expected |= {"415", "422"}
        assert expected <= answers.keys(), name
        assert any(status.startswith("2") for status in answers), name
        for status, answer in answers.items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], name
                told = set(answer["description"].partition(": ")[2].replace("`", "").split(", "))
                known = {str(r) for r in Refusal if STATUS_OF[r] == int(status)}
                assert status == "503" or told <= known, name


def test_a_filter_that_is_absent_is_not_null(document: Any) -> None:
    """Null is how Python says absent; nobody can send it in a query."""
    for name, operation in operations(document):
        for parameter in operation["parameters"]:
            assert "null" not in str(parameter["schema"]), name
            assert parameter["schema"].get("default", "") is not None, name


@pytest.mark.slow
def test_the_api_does_what_it_describes(world: World, document: Any) -> None:
    """Right and wrong requests made of the description: no 5xx, and no answer that it lacks."""
    open_to_all = {key: value for key, value in document.items() if key != "security"}
    schema = schemathesis.openapi.from_dict(open_to_all)  # the token is ours to send
    schema.config.update(base_url=f"http://127.0.0.1:{world.port}/api/v1")
    # What is too large is told so, before what is wrong with it is looked at.
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # it is one: see the first test
        ask_often(world, operation, GenerationMode.POSITIVE)
        if operation.body or list(operation.iter_parameters()):
            ask_often(world, operation, GenerationMode.NEGATIVE)


def ask_often(world: World, operation: Any, mode: GenerationMode) -> None:
    """Requests of one kind to one call: with ids made up, and with ids that there are."""
    make = SAMPLES.get((operation.method.upper(), operation.path))
    headers = {"Authorization": f"Bearer {world.token('operator')}"}

    @hypothesis.settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(operation.as_strategy(mode), st.booleans())
    def ask(case: Any, is_real: bool) -> None:
        if is_real and make is not None and mode is GenerationMode.POSITIVE:
            case.path_parameters = {**(case.path_parameters or {}), **make(world).parameters}
        case.call_and_validate(headers=headers, excluded_checks=_NOT_HERE)

    ask()
