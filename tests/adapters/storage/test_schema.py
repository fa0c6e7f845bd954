"""The tables keep the rules that the code leans on."""

from typing import Any, get_args

import msgspec
import pytest
from sqlalchemy import BigInteger, Boolean, Integer, Table, Text

from adapters.storage.schema import WITHOUT_ADVERTISER, metadata
from adapters.storage.schema.calls import calls
from gateway.domain.calls import Call

HOT = ["calls", "call_events", "call_payloads", "provider_keys", "unknown_calls", "callers"]


def columns(table: Table) -> dict[str, Any]:
    """The columns of ``table`` by name."""
    return {column.name: column for column in table.columns}


def test_a_row_of_calls_is_a_call() -> None:
    """The columns are the fields of Call in their order: rows become calls by position."""
    assert list(columns(calls)) == list(Call.__struct_fields__)


def test_only_what_may_be_missing_may_be_null() -> None:
    """A column of calls is nullable exactly where the field may be ``None``."""
    fields = msgspec.structs.fields(Call)
    optional = {field.name for field in fields if type(None) in get_args(field.type)}
    assert {column.name for column in calls.columns if column.nullable} == optional


def test_every_row_carries_its_advertiser() -> None:
    """Each table has a column for it, or stands on the list of exceptions with a reason."""
    without = {
        name for name, table in metadata.tables.items() if "advertiser" not in columns(table)
    }
    assert without == set(WITHOUT_ADVERTISER)
    assert all(WITHOUT_ADVERTISER.values())


@pytest.mark.parametrize("name", HOT)
def test_hot_tables_hold_plain_values(name: str) -> None:
    """Numbers, text and bytes: nothing that costs a conversion at each call."""
    for column in metadata.tables[name].columns:
        assert isinstance(column.type, BigInteger | Integer | Boolean | Text), column.name


def test_instants_have_room() -> None:
    """Microseconds since 1970 do not fit into four bytes."""
    for table in metadata.tables.values():
        for column in table.columns:
            if column.name.endswith(("_at", "_until")):
                assert isinstance(column.type, BigInteger), f"{table.name}.{column.name}"


def test_only_the_key_of_a_carrier_is_unique_at_random() -> None:
    """Among the hot tables no other index takes rows in an order that is not time's."""
    indexed = {
        (table.name, column.name)
        for table in (metadata.tables[name] for name in HOT)
        for index in table.indexes
        for column in index.columns
    }
    assert indexed == {("calls", "due_at")}
    first = {name: metadata.tables[name].primary_key.columns.values()[0].name for name in HOT}
    assert {name for name, column in first.items() if column not in ("id", "call_id")} == {
        "provider_keys",
        "callers",
    }
