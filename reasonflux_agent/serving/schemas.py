"""Whether a JSON value follows a JSON schema: the keywords of OpenAI's structured outputs, and no others. No I/O.

A client writes the schema, so nothing in it may cost time without bound or reach out: no reference is fetched, and no regular
expression is run (`pattern` and `format` are left to the model's server).
"""

from __future__ import annotations

from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
DEPTH = 60
"""References and values inside one another at most."""
LIMITS = {"minimum": False, "exclusiveMinimum": False, "maximum": True, "exclusiveMaximum": True}
"""Keyword -> whether it is an upper bound."""


def misfit(value: Any, schema: Any, *, root: Any = None, place: str = "the value", depth: int = 0) -> str:
    """Return what is wrong with `value`, in words for a model; empty if it follows the schema.

    >>> misfit({"n": "7"}, {"type": "object", "properties": {"n": {"type": "integer"}}})
    'the value.n must be of the type integer.'
    """
    root = schema if root is None else root
    if schema is True or schema == {}:
        return ""
    if not isinstance(schema, dict) or depth > DEPTH:
        return f"{place} is not allowed."
    inner = {"root": root, "depth": depth + 1}
    if isinstance(reference := schema.get("$ref"), str):
        return misfit(value, _found(reference, root), place=place, **inner)
    if (kinds := schema.get("type")) is not None and not _is_of(value, kinds if isinstance(kinds, list) else [kinds]):
        return f"{place} must be of the type {' or '.join(map(str, kinds)) if isinstance(kinds, list) else kinds}."
    if "const" in schema and value != schema["const"]:
        return f"{place} must be {schema['const']!r}."
    if isinstance(allowed := schema.get("enum"), list) and value not in allowed:
        return f"{place} must be one of {', '.join(map(repr, allowed))}."
    if isinstance(all_of := schema.get("allOf"), list):
        for one in all_of:
            if wrong := misfit(value, one, place=place, **inner):
                return wrong
    for name in ("anyOf", "oneOf"):
        if isinstance(ways := schema.get(name), list) and ways:
            wrongs = [misfit(value, one, place=place, **inner) for one in ways]
            if all(wrongs):
                return wrongs[0] if len(wrongs) == 1 else f"{place} fits none of the forms that are allowed: {wrongs[0]}"
    if isinstance(value, dict):
        return _object(value, schema, place, inner)
    if isinstance(value, list):
        return _array(value, schema, place, inner)
    return _number(value, schema, place) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _is_of(value: Any, kinds: list[Any]) -> bool:
    classes = tuple(each for kind in kinds for each in TYPES.get(str(kind), ()))
    if isinstance(value, bool):
        return bool in classes
    return isinstance(value, classes) or (int in classes and isinstance(value, float) and value.is_integer())


def _found(reference: str, root: Any) -> Any:
    """What a reference of this document (`#/$defs/Step`) names; False, which nothing fits, if it names nothing."""
    at = root
    for name in reference.removeprefix("#").strip("/").split("/") if reference.strip("#/") else ():
        at = at.get(name.replace("~1", "/").replace("~0", "~"), False) if isinstance(at, dict) else False
    return at if reference.startswith("#") else False


def _object(value: dict[str, Any], schema: dict[str, Any], place: str, inner: dict[str, Any]) -> str:
    known = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
    assert isinstance(known, dict)
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and name not in value:
            return f"{place} lacks the field {name!r}."
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name not in known and others is False:
            return f"{place} has the field {name!r}, which is not allowed."
        if wrong := misfit(item, known.get(name, others), place=f"{place}.{name}", **inner):
            return wrong
    return ""


def _array(value: list[Any], schema: dict[str, Any], place: str, inner: dict[str, Any]) -> str:
    for name, short in (("minItems", True), ("maxItems", False)):
        if isinstance(count := schema.get(name), int) and (len(value) < count if short else len(value) > count):
            return f"{place} must have {'at least' if short else 'at most'} {count} items."
    for number, item in enumerate(value if "items" in schema else ()):
        if wrong := misfit(item, schema["items"], place=f"{place}[{number}]", **inner):
            return wrong
    return ""


def _number(value: float, schema: dict[str, Any], place: str) -> str:
    for name, upper in LIMITS.items():
        limit = schema.get(name)
        if isinstance(limit, int | float) and (value > limit if upper else value < limit):
            return f"{place} must be {'at most' if upper else 'at least'} {limit}."
        if name.startswith("exclusive") and value == limit:
            return f"{place} must not be {limit}."
    return ""
