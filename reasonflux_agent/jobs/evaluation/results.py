"""What a run of the evaluation left in its folder: `run.json` (how) and `results.jsonl` (one row per problem and method)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from reasonflux_agent.errors import RecordError

FORMAT = "reasonflux-eval"
VERSION = 1
ALL = "all together"
"""What stands for the benchmark where rows of all of them are counted."""


class _Lenient(BaseModel):
    """Of rows as they were written, by this version or another: unknown fields are passed over, null means not given."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, row: Any) -> Any:
        return {key: value for key, value in row.items() if value is not None} if isinstance(row, dict) else row


class Vote(_Lenient):
    """One candidate solution of a row."""

    source: str = ""
    answer: str | None = None
    correct: bool = False
    checks: dict[str, bool] = {}
    logprob: float | None = None


class Row(_Lenient):
    """One problem, solved once by one method."""

    benchmark: str
    method: str
    id: str
    repeat: int = 0
    sha: str = ""
    """Of the problem; empty in rows of older versions."""
    subject: str | None = None
    level: str | None = None
    gold: str = ""
    answer: str | None = None
    correct: bool = False
    status: str = ""
    reason: str = ""
    truncated: bool = False
    ungraded: bool = False
    """The grading worker hung, died or failed over the answer, which counts as wrong."""
    error: str | None = None
    calls: int = 0
    prompt_tokens: int = 0
    """Cached ones included."""
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """Of the model's calls, summed."""
    wall: float = 0.0
    """Of the clock."""
    templates: tuple[str, ...] = ()
    votes: float = 0.0
    candidates: tuple[Vote, ...] = ()
    reviews: tuple[str, ...] = ()
    """The verdicts, in order."""
    escalated: bool = False
    run: str = ""

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def same_problem(self, other: Row) -> bool:
        """Whether a row of the same id is on the same problem too, as far as both tell."""
        if self.sha and other.sha:
            return self.sha == other.sha
        return not (self.gold and other.gold) or self.gold == other.gold


@dataclass(frozen=True)
class Run:
    """A run as read back; it need not be finished."""

    path: Path
    config: dict[str, Any]
    """`run.json`: models, methods, benchmarks, seed, repeats ..."""
    rows: list[Row]
    """One per (benchmark, method, repeat, id)."""

    @cached_property
    def groups(self) -> dict[tuple[str, str], list[Row]]:
        """The rows by (benchmark, method): benchmarks and methods in the order of the configuration."""
        benchmarks = _order(self.config.get("benchmarks"), [row.benchmark for row in self.rows])
        methods = _order(self.config.get("methods"), [row.method for row in self.rows])
        groups: dict[tuple[str, str], list[Row]] = {(b, m): [] for b in benchmarks for m in methods}
        for row in self.rows:
            groups[row.benchmark, row.method].append(row)
        return {key: rows for key, rows in groups.items() if rows}

    @cached_property
    def pooled(self) -> dict[tuple[str, str], list[Row]]:
        """The rows of all benchmarks together, by (`ALL`, method), where there are several; each id names its benchmark too."""
        return self.pool(self.benchmarks)

    def pool(self, benchmarks: Collection[str]) -> dict[tuple[str, str], list[Row]]:
        """`pooled`, of these benchmarks alone."""
        if len(benchmarks) < 2:
            return {}
        pooled: dict[tuple[str, str], list[Row]] = {(ALL, method): [] for method in self.methods}
        for (benchmark, method), rows in self.groups.items():
            if benchmark in benchmarks:
                pooled[ALL, method] += [row.model_copy(update={"id": f"{benchmark}: {row.id}"}) for row in rows]
        return {key: rows for key, rows in pooled.items() if rows}

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks that have rows."""
        return list(dict.fromkeys(benchmark for benchmark, _ in self.groups))

    @property
    def methods(self) -> list[str]:
        """The methods that have rows; all others are compared with the first."""
        order = _order(self.config.get("methods"), [row.method for row in self.rows])
        return [method for method in order if any(method == other for _, other in self.groups)]

    @property
    def planned(self) -> int | None:
        """How many rows the finished run has, where the configuration tells."""
        sizes: list[Any] = [entry.get("n") for entry in _entries(self.config).values()]
        methods, repeats = self.config.get("methods"), self.config.get("repeats", 1)
        if not sizes or not isinstance(methods, list) or not all(isinstance(n, int) for n in [*sizes, repeats]):
            return None
        return int(sum(sizes) * len(methods) * repeats)

    @property
    def title(self) -> str:
        """What was evaluated."""
        models = dict.fromkeys(str(self.config[key]) for key in ("model", "navigator", "solver") if self.config.get(key))
        return "Evaluation" + (f" of {', '.join(models)}" if models else "")

    @property
    def settings(self) -> list[tuple[str, str]]:
        """What the configuration says, as text, but for what a report shows anyway."""
        hidden = {"format", "version", "methods", "benchmarks"}
        given = [(k, v) for k, v in self.config.items() if k not in hidden and isinstance(v, str | int | float)]
        given += [(f"problems of {name}", digest) for name in self.benchmarks if (digest := self.problems(name))]
        # of a SHA-256 the beginning tells enough
        return [(key, re.sub(r"\b([0-9a-f]{16})[0-9a-f]{48}\b", r"\1…", str(value))) for key, value in given]

    @property
    def progress(self) -> str:
        """How many rows there are, and whether that is all."""
        done, planned = len(self.rows), self.planned
        if planned is None or done >= planned:
            return f"{done:,}" if done else "none: nothing has been evaluated"
        return f"{done:,} of {planned:,}: the run is unfinished"

    def problems(self, benchmark: str) -> str | None:
        """The SHA-256 of a benchmark's problems, where the configuration has it."""
        return _entries(self.config).get(benchmark, {}).get("sha256")


def read_run(path: str | Path) -> Run:
    """Reads the folder of a run, also of one that was killed: a last line that was cut is passed over.

    Of a row that was written twice (a failed problem tried again) the later one counts. Raises RecordError for what is
    no such folder, for a version that is not understood and for damaged rows, with file, line and field.
    """
    folder = Path(path)
    try:
        config = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(
            f"{folder} holds no run of the evaluation: it has no run.json. Next: name the folder that `reasonflux eval` wrote."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{folder / 'run.json'} cannot be read: {error}.") from None
    if not isinstance(config, dict) or config.get("format", FORMAT) != FORMAT:
        raise RecordError(f"{folder / 'run.json'} is not the configuration of an evaluation (format {FORMAT!r}).")
    if (version := config.get("version", VERSION)) != VERSION:
        raise RecordError(
            f"The run {folder} has version {version}; this package reads version {VERSION}. "
            "Next: use the package version that wrote it."
        )
    rows = {(row.benchmark, row.method, row.repeat, row.id): row for row in _rows(folder / "results.jsonl")}
    return Run(folder, config, list(rows.values()))


def _rows(path: Path) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return  # killed before the first row
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error}.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield Row.model_validate_json(line)
        except ValidationError as error:
            if number == len(lines):
                return  # no line feed after it: a kill cut it
            fault = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, fault["loc"])) or "the line"
            raise RecordError(
                f"{path}, line {number} is no result: {field}: {fault['msg']}. "
                "Next: delete the line and run the evaluation again; it does what is missing."
            ) from None


def _order(configured: Any, seen: list[str]) -> list[str]:
    first = [str(name) for name in configured] if isinstance(configured, list | dict) else []
    return list(dict.fromkeys([*first, *seen]))


def _entries(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The configuration's benchmarks, what is not an object as an empty one."""
    benchmarks = config.get("benchmarks")
    return {k: v if isinstance(v, dict) else {} for k, v in benchmarks.items()} if isinstance(benchmarks, dict) else {}
