"""Replies that are kept, so that no method of an evaluation, and no later evaluation, makes a call that was made before.

Methods share calls: `direct` is the first sample of self-consistency. With a cache each is made once, and two methods differ
only where they ask for something else. It is a cache of LangChain, in a file of JSON lines: `key`, `replies` (of a chat model
one: text, thought, usage), `seconds` (what the call took).

LangChain's key does not tell two samples of a model apart that takes no seed, nor two models of a class that does not say which
one it is. So each model has a view of the cache, which adds to the key what is missing.
"""

from __future__ import annotations

import hashlib
import os
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation

from reasonflux_agent.calls import ASKED, TOOK
from reasonflux_agent.errors import InputError
from reasonflux_agent.models import CallOptions, call_kwargs, describe
from reasonflux_agent.runs.journal import Journal, Row


class _AtOnce(BaseCache):
    """A cache that answers from memory, so that its asynchronous methods need no thread."""

    @abstractmethod
    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None: ...

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        return self.lookup(prompt, llm_string)

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        self.update(prompt, llm_string, return_val)


class ReplyCache(_AtOnce):
    """Replies by request: the model, its options, and the messages. A request that is under way twice is made twice."""

    def __init__(self, journal: Journal[str]) -> None:
        self._journal = journal
        self._begun: dict[tuple[str, str], float] = {}
        self.made = 0
        """Replies that were made, and not found."""

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """The reply that is kept, with the seconds that it took when it was made."""
        row = self._journal.rows.get(_key(prompt, llm_string))
        if row is None:
            self._begun[prompt, llm_string] = time.monotonic()
            return None
        return [_generation(reply, row["seconds"]) for reply in row["replies"]]

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keeps a reply."""
        seconds = round(time.monotonic() - self._begun.pop((prompt, llm_string), time.monotonic()), 3)
        self.made += 1
        for key in self._journal.missing([_key(prompt, llm_string)]):
            self._journal.add({"key": key, "replies": list(map(_plain, return_val)), "seconds": seconds})

    def clear(self, **_: Any) -> None:
        """Forgets all, in the file too."""
        os.truncate(self._journal.path, 0)
        self._journal.rows.clear()


class ModelReplies(_AtOnce):
    """The cache as one model sees it: its keys tell which model, and what was asked of it, where LangChain's do not."""

    def __init__(self, replies: ReplyCache, model: BaseChatModel) -> None:
        """Raises InputError for a model that cannot be told from another one of its class."""
        name = describe(model)
        if name == type(model).__name__:
            raise InputError(
                f"A model of the class {name} says by neither `spec` nor `model_name` which one it is, so its replies cannot "
                "be told from those of another. Next: give it one of these, or evaluate without a cache."
            )
        self._replies = replies
        self._name = "" if name in model._get_llm_string() else name
        self._taken = call_kwargs(model, CallOptions(temperature=1.0, seed=0)).keys() & {"temperature", "seed"}

    def _told(self, llm_string: str) -> str:
        about, asked = [self._name] if self._name else [], ASKED.get()
        if asked and len(self._taken) < 2:
            greedy = asked.temperature == 0 and "temperature" in self._taken
            about += ["greedy" if greedy else f"temperature {asked.temperature}, seed {asked.seed}"]
        return "\n".join([*about, llm_string])

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        return self._replies.lookup(prompt, self._told(llm_string))

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        self._replies.update(prompt, self._told(llm_string), return_val)

    def clear(self, **_: Any) -> None:
        self._replies.clear()


@contextmanager
def opened(path: str | Path) -> Iterator[ReplyCache]:
    """The cache in a file, new or as it was left, while no other process uses it. Raises InputError."""
    with Journal(path, _key_of) as journal:
        yield ReplyCache(journal)


def _key(prompt: str, llm_string: str) -> str:
    return hashlib.sha256(f"{llm_string}\n{prompt}".encode("utf-8", "replace")).hexdigest()


def _plain(generation: Generation) -> Row:
    """What `models.read_reply` reads of a message; of log-probabilities the numbers alone: their tokens outweigh the text."""
    if not isinstance(generation, ChatGeneration):
        return {"text": generation.text, "generation_info": generation.generation_info}
    about = generation.message.response_metadata
    kept: Row = {name: about[name] for name in ("finish_reason", "stop_reason", "done_reason") if about.get(name)}
    if tokens := (about.get("logprobs") or {}).get("content"):
        kept["logprobs"] = {"content": [{"logprob": token.get("logprob")} for token in tokens]}
    said = {"content", "additional_kwargs", "usage_metadata"}
    return {**generation.message.model_dump(mode="json", include=said, exclude_none=True), "response_metadata": kept}


def _generation(reply: Row, seconds: float) -> Generation:
    if "text" in reply:
        return Generation(**reply)
    message = AIMessage(**reply)
    message.response_metadata[TOOK] = seconds
    return ChatGeneration(message=message)


def _key_of(row: Row) -> str:
    if not isinstance(row["key"], str) or not isinstance(row["replies"], list):
        raise TypeError("no row of a cache of replies")
    try:
        _ = [_generation(reply, float(row["seconds"])) for reply in row["replies"]]
    except ValueError:
        raise TypeError("its reply is no message, or its seconds are no number") from None
    return row["key"]
