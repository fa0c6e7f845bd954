"""A small checker of values against the official descriptions, where they lie beside the tests."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SPECS = Path(__file__).parents[5] / "shared" / "specs" / "line"
"""Beside the checkout, where they are kept for tests; never part of it."""

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


@cache
def spec(name: str) -> Any:
    """The description ``name``, e.g. ``webhook``."""
    return yaml.safe_load((SPECS / f"{name}.yml").read_text())


def problems(root: Any, schema: Any, value: Any, where: str = "$") -> list[str]:
    """Where ``value`` is not what ``schema`` of the description ``root`` says."""
    schema = _resolved(root, schema)
    if value is None and schema.get("nullable"):
        return []
    found = _own_problems(root, schema, value, where)
    for part in schema.get("allOf", ()):
        # The base of a subtype is checked without leading back to the subtype.
        base = {**_resolved(root, part), "discriminator": None}
        found += problems(root, base, value, where)
    chosen = _subtype(root, schema, value)
    return found + (problems(root, chosen, value, where) if chosen else [])


def _resolved(root: Any, schema: Any) -> Any:
    while "$ref" in schema:
        schema = root["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _subtype(root: Any, schema: Any, value: Any) -> Any:
    by = schema.get("discriminator")
    if not by or not isinstance(value, dict):
        return None
    reference = by.get("mapping", {}).get(value.get(by["propertyName"]))
    return _resolved(root, {"$ref": reference}) if reference else None


def _own_problems(root: Any, schema: Any, value: Any, where: str) -> list[str]:
    kind = schema.get("type")
    if kind is not None:
        wrong_bool = isinstance(value, bool) and kind != "boolean"
        if wrong_bool or not isinstance(value, _TYPES[kind]):
            return [f"{where}: {value!r} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    if isinstance(value, str):
        return _text_problems(schema, value, where)
    if isinstance(value, list):
        return _list_problems(root, schema, value, where)
    if isinstance(value, dict):
        return _object_problems(root, schema, value, where)
    return []


def _text_problems(schema: Any, value: str, where: str) -> list[str]:
    if len(value) > schema.get("maxLength", len(value)):
        return [f"{where}: longer than {schema['maxLength']}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{where}: {value!r} is not like {schema['pattern']}"]
    return []


def _list_problems(root: Any, schema: Any, value: list[Any], where: str) -> list[str]:
    found = []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        found.append(f"{where}: {len(value)} items")
    for place, item in enumerate(value):
        found += problems(root, schema.get("items", {}), item, f"{where}[{place}]")
    return found


def _object_problems(root: Any, schema: Any, value: dict[str, Any], where: str) -> list[str]:
    properties = schema.get("properties", {})
    found = [
        f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value
    ]
    for name, inner in value.items():
        if name in properties:
            found += problems(root, properties[name], inner, f"{where}.{name}")
    return found


def known_properties(root: Any, schema: Any, value: dict[str, Any]) -> set[str]:
    """The properties that the description knows of an object such as ``value``."""
    schema = _resolved(root, schema)
    known = set(schema.get("properties", ()))
    for part in schema.get("allOf", ()):
        known |= known_properties(root, {**_resolved(root, part), "discriminator": None}, value)
    chosen = _subtype(root, schema, value)
    return known | (known_properties(root, chosen, value) if chosen else set())
