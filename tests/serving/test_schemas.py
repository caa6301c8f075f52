"""Whether a value follows a schema; the schema is a client's, so it may be anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent.serving.schemas import misfit
from tests.security.texts import json_values

POINT = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"], "additionalProperties": False}
TREE = {
    "$defs": {"node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}},
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"x": 1}, POINT),
        ({"x": 1.5}, POINT),
        (3.0, {"type": "integer"}),
        (None, {"type": ["string", "null"]}),
        ([1, 2], {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2}),
        ({"next": {"next": None}}, TREE),
        ("b", {"enum": ["a", "b"]}),
        ("x", {"type": "string", "pattern": "(a+)+$"}),
        ({"any": "thing"}, {"type": "object"}),
        ({"a": 1}, {"type": "object", "additionalProperties": {"type": "integer"}}),
        (1, True),
        (1, {}),
    ],
)
def test_it_fits(value: Any, schema: Any) -> None:
    assert misfit(value, schema) == ""


@pytest.mark.parametrize(
    ("value", "schema", "says"),
    [
        ({}, POINT, "the value lacks the field 'x'."),
        ({"x": "1"}, POINT, "the value.x must be of the type number."),
        ({"x": True}, POINT, "the value.x must be of the type number."),
        ({"x": 1, "y": 2}, POINT, "the value has the field 'y', which is not allowed."),
        ([], POINT, "the value must be of the type object."),
        (1.5, {"type": "integer"}, "must be of the type integer"),
        ([0], {"items": {"minimum": 1}}, "the value[0] must be at least 1."),
        ([1], {"type": "array", "minItems": 2}, "at least 2 items"),
        (2, {"exclusiveMaximum": 2}, "must not be 2"),
        ("c", {"enum": ["a", "b"]}, "one of 'a', 'b'"),
        ("c", {"const": "a"}, "must be 'a'"),
        ({"next": {"next": 3}}, TREE, "fits none of the forms"),
        (1, {"$ref": "http://127.0.0.1/schema.json"}, "not allowed"),
        (1, {"$ref": "#/$defs/none"}, "not allowed"),
        (1, {"$ref": "#"}, "not allowed"),
        (1, {"allOf": [{"type": "integer"}, {"type": "string"}]}, "type string"),
        (1, False, "not allowed"),
    ],
)
def test_it_does_not_fit(value: Any, schema: Any, says: str) -> None:
    assert says in misfit(value, schema)


KEYWORDS = [
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "anyOf",
    "allOf",
    "$ref",
    "minimum",
    "minItems",
    "additionalProperties",
]
schemas = st.recursive(
    json_values,
    lambda inner: st.dictionaries(st.sampled_from(KEYWORDS), inner | st.lists(inner, max_size=2), max_size=3),
    max_leaves=6,
)


@given(json_values, schemas)
def test_no_schema_makes_it_fail(value: Any, schema: Any) -> None:
    assert isinstance(misfit(value, schema), str)
