"""Replies that are kept, so that no method of an evaluation, and no later evaluation, makes a call that was made before.

Methods share calls: `direct` is the first sample of self-consistency. With a cache each is made once, and two methods differ
only where they ask for something else. A run gets the cache by its `calls.Session`. The file has JSON lines: `key` (a digest of
the model, the messages and the options), `reply` (the fields of `models.Reply`), `seconds` (what the call took).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from langchain_core.language_models import BaseChatModel

from reasonflux_agent.errors import InputError
from reasonflux_agent.models import Reply, describe
from reasonflux_agent.runs.journal import Journal, Row


class ReplyCache:
    """Replies by request. A request that is under way twice at the same time is made twice."""

    def __init__(self, journal: Journal[str]) -> None:
        self._journal = journal
        self.made = 0
        """Replies that were made, and not found."""

    def get(self, request: str) -> tuple[Reply, float] | None:
        """Return the reply that is kept for a request, and the seconds that the call took; None if there is none."""
        row = self._journal.rows.get(_digest(request))
        return (Reply(**row["reply"]), row["seconds"]) if row else None

    def keep(self, request: str, reply: Reply, seconds: float) -> None:
        self.made += 1
        for key in self._journal.missing([_digest(request)]):
            self._journal.add({"key": key, "reply": vars(reply), "seconds": round(seconds, 3)})


def refuse_unnamed(models: Iterable[BaseChatModel]) -> None:
    """Raise InputError for a model that cannot be told from another one of its class."""
    for model in models:
        if (name := describe(model)) == type(model).__name__:
            raise InputError(
                f"A model of the class {name} says by neither `spec` nor `model_name` which one it is, so its replies cannot "
                "be told from those of another. Next: give it one of these, or evaluate without a cache."
            )


@contextmanager
def opened(path: str | Path) -> Iterator[ReplyCache]:
    """Open the cache in a file, new or as it was left, while no other process uses it. Raises InputError."""
    with Journal(path, _key_of) as journal:
        yield ReplyCache(journal)


def _digest(request: str) -> str:
    return hashlib.sha256(request.encode("utf-8", "replace")).hexdigest()


def _key_of(row: Row) -> str:
    if not isinstance(row["key"], str) or not float(row["seconds"]) >= 0:
        raise TypeError("no row of a cache of replies")
    Reply(**row["reply"])
    return row["key"]
