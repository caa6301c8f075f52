"""Rows of LLaMA-Factory's data sets: their shapes, their entry in its register, and what they share with benchmarks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from files import digest_files

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import load
from reasonflux_agent.prompts import Message, plain

JSON = dict[str, Any]
Kind = Literal["alpaca", "sharegpt", "preference"]

GRAM = 13
"""Words in a row that a training row may not share with a benchmark's problem (the length used for GPT-3 and since)."""


def alpaca(messages: Sequence[Message], output: str) -> JSON:
    """Return an SFT row of the v1 shape: the last message asks, earlier turns are history. `messages` hold no system message.

    As in a preference row, the messages are those that the graph sends (`plain`).
    """
    turns = [message["content"] for message in plain(messages)]
    row: JSON = {"instruction": turns[-1], "input": "", "output": output}
    if len(turns) > 1:
        row["history"] = [list(pair) for pair in zip(turns[:-1:2], turns[1::2], strict=True)]
    return row


def thought(text: str) -> str:
    """Return a thought in the form in which it precedes a reply; empty if there is no thought."""
    return f"<think>\n{text.strip()}\n</think>\n\n" if text.strip() else ""


def preference(messages: Sequence[Message], chosen: str, rejected: str) -> JSON:
    """Return a preference row of LLaMA-Factory's sharegpt shape."""
    names = {"user": "human", "assistant": "gpt"}
    said = [{"from": names[message["role"]], "value": message["content"]} for message in plain(messages)]
    return {
        "conversations": said,
        "chosen": {"from": "gpt", "value": chosen},
        "rejected": {"from": "gpt", "value": rejected},
    }


def texts(value: object) -> list[str]:
    """Return all texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in texts(part)]


def dataset_entry(file: str, rows: Sequence[JSON], kind: Kind) -> JSON:
    """Return the entry of a file of such rows in LLaMA-Factory's dataset_info.json."""
    required = {
        "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
        "sharegpt": {"messages": "conversations"},
        "preference": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
    }
    optional = (name for name in ("system", "history") if any(name in row for row in rows))
    columns = {**required[kind], **{name: name for name in optional}}
    entry: JSON = {"file_name": file} if kind == "alpaca" else {"file_name": file, "formatting": "sharegpt"}
    return {**entry, **({"ranking": True} if kind == "preference" else {}), "columns": columns}


class Leaks:
    """Finds text that a benchmark holds too: a run of GRAM words of a problem, or a whole (short) problem."""

    def __init__(self, directory: Path | None) -> None:
        self.sources: JSON = {}
        self._whole: set[tuple[str, ...]] = set()
        self._grams: set[tuple[str, ...]] = set()
        files = sorted(directory.glob("*.jsonl")) if directory else []
        if directory and not files:
            raise InputError(f"--benchmarks {directory}: there is no *.jsonl in it. Next: name the folder of the benchmarks.")
        for file in files:
            items = load(str(file))
            self.sources[file.name] = {"problems": len(items), "sha256": digest_files([file])["sha256"]}
            for item in items:
                words = _words(item.problem)
                self._whole.add(words)
                self._grams.update(_grams(words))

    def found(self, problem: str, *more: str) -> bool:
        """Return whether `problem` is one of a benchmark, or any of the texts shares GRAM words in a row with one."""
        return _words(problem) in self._whole or any(
            not self._grams.isdisjoint(_grams(_words(text))) for text in (problem, *more)
        )


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


def _grams(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words[start : start + GRAM] for start in range(len(words) - GRAM + 1))
