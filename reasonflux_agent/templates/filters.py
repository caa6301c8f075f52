"""Filters of a search: which documents count, by their metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from langchain_core.documents import Document

from reasonflux_agent.errors import InputError

Filter = Mapping[str, Any] | Callable[[Document], bool]
"""Which documents count: a function of the document, or what the metadata must hold, key by key: a value or a list of
values, one of which it must be. Metadata that are lists (tags) hold each of their entries."""


def predicate(filter: Filter) -> Callable[[Document], bool]:
    """Return the filter as a function of a document. Raises InputError for values that cannot be looked up."""
    if callable(filter):
        return filter
    each = wanted(filter)
    return lambda document: all(not facts.isdisjoint(facts_of(document.metadata)) for facts in each)


def wanted(filter: Mapping[str, Any]) -> list[set[int]]:
    """Return, for each key, the facts of which a document must state at least one. Raises InputError."""
    for key, value in filter.items():
        if not all(map(_plain, _entries(value))):
            raise InputError(
                f"The filter asks of {key!r} what cannot be looked up: {value!r}. Give a text, a number, a truth value, None, "
                "or a list of such; for anything else a function of the document."
            )
    return [set(facts_of({key: value})) for key, value in filter.items()]


def facts_of(metadata: Mapping[str, Any]) -> Iterator[int]:
    """Yield a digest (64 bits, signed) of key and value for each plain value of the metadata, and each entry of a list."""
    return (_fact(str(key), each) for key, value in metadata.items() for each in _entries(value) if _plain(each))


def _entries(value: Any) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else (value,)


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


@lru_cache(maxsize=1 << 12, typed=True)  # chapters and tags come again and again
def _fact(key: str, value: str | float | None) -> int:
    digest = blake2b(json.dumps([key, value]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
