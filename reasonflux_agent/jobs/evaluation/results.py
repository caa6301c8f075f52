"""What a run of the evaluation left in its folder: `run.json` (how) and `results.jsonl` (one row per problem and method)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.runs.journal import read_rows

FORMAT = "reasonflux-eval"
VERSION = 1
ALL = "all together"
"""What stands for the benchmark where rows of all of them are counted."""


class Result(BaseModel):
    """One problem, solved once by one method: a row of `results.jsonl`.

    Another version may have written it: unknown fields are passed over, null means not given.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, row: Any) -> Any:
        return {key: value for key, value in row.items() if value is not None} if isinstance(row, dict) else row

    benchmark: str
    method: str
    id: str
    repeat: int = 0
    sha: str = ""
    """The digest of the problem; empty in rows of older versions."""
    subject: str | None = None
    level: str | None = None
    gold: str = ""
    """The right answer."""
    answer: str | None = None
    correct: bool = False
    status: str = ""
    reason: str = ""
    truncated: bool = False
    """The token limit cut a candidate."""
    ungraded: bool = False
    """The grading worker hung, died or failed over the answer, which counts as wrong."""
    error: str | None = None
    """Why there is no answer."""
    fault: str | None = None
    """Whose the error is: the `server`'s or the `problem`'s."""
    calls: int = 0
    prompt_tokens: int = 0
    """Cached ones included."""
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """The time of the model's calls, summed."""
    wall: float = 0.0
    """Seconds on the clock."""
    templates: tuple[str, ...] = ()
    """Their ids."""
    votes: float = 0.0
    """0 to 1."""
    candidates: tuple[dict[str, Any], ...] = ()
    """`source`, `answer`, `checks` and `logprob` of each `schema.Candidate`, and whether it is `correct`."""
    reviews: tuple[str, ...] = ()
    """The verdicts, in order."""
    escalated: bool = False
    """Effort `auto`: the drafts did not settle it, and attempts followed."""
    run: str = ""
    """The id of its record."""

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def same_problem(self, other: Result) -> bool:
        """Whether a row of the same id is on the same problem too, as far as both tell."""
        if self.sha and other.sha:
            return self.sha == other.sha
        return not (self.gold and other.gold) or self.gold == other.gold


@dataclass(frozen=True)
class EvaluationRun:
    """An evaluation as read back; it need not be finished."""

    path: Path
    config: dict[str, Any]
    """`run.json`: models, methods, benchmarks, seed, repeats ..."""
    rows: list[Result]
    """One per (benchmark, method, repeat, id)."""

    @cached_property
    def groups(self) -> dict[tuple[str, str], list[Result]]:
        """The rows by (benchmark, method): benchmarks and methods in the order of the configuration."""
        groups: dict[tuple[str, str], list[Result]] = {
            (benchmark, method): [] for benchmark in self._names("benchmark") for method in self._names("method")
        }
        for row in self.rows:
            groups[row.benchmark, row.method].append(row)
        return {key: rows for key, rows in groups.items() if rows}

    def pooled(self, benchmarks: Collection[str]) -> dict[tuple[str, str], list[Result]]:
        """`groups`, and the rows of these benchmarks together under `ALL`, where they are several; ids name the benchmark."""
        pooled: dict[tuple[str, str], list[Result]] = {}
        for (benchmark, method), rows in self.groups.items():
            if benchmark in benchmarks and len(benchmarks) > 1:
                named = (row.model_copy(update={"id": f"{benchmark}: {row.id}"}) for row in rows)
                pooled.setdefault((ALL, method), []).extend(named)
        return self.groups | {(ALL, method): pooled[ALL, method] for method in self.methods if (ALL, method) in pooled}

    @property
    def benchmarks(self) -> list[str]:
        return list(dict.fromkeys(benchmark for benchmark, _ in self.groups))

    @property
    def methods(self) -> list[str]:
        """The methods that have rows; all others are compared with the first."""
        seen = {method for _, method in self.groups}
        return [method for method in self._names("method") if method in seen]

    @property
    def title(self) -> str:
        models = dict.fromkeys(str(self.config[key]) for key in ("model", "navigator", "solver") if self.config.get(key))
        return "Evaluation" + (f" of {', '.join(models)}" if models else "")

    @property
    def settings(self) -> list[tuple[str, str]]:
        """The configuration as text, without what a report shows anyway."""
        hidden = {"format", "version", "methods", "benchmarks"}
        given = [(k, v) for k, v in self.config.items() if k not in hidden and isinstance(v, str | int | float)]
        about = self._benchmarks()
        given += [(f"problems of {name}", sha) for name in self.benchmarks if (sha := about.get(name, {}).get("sha256"))]
        # of a SHA-256 the beginning tells enough
        return [(key, re.sub(r"\b([0-9a-f]{16})[0-9a-f]{48}\b", r"\1…", str(value))) for key, value in given]

    @property
    def progress(self) -> str:
        """How many rows there are, and whether that is all."""
        sizes: list[Any] = [about.get("n") for about in self._benchmarks().values()]
        methods, repeats, done = self.config.get("methods"), self.config.get("repeats", 1), len(self.rows)
        if sizes and isinstance(methods, list) and all(isinstance(n, int) for n in [*sizes, repeats]):
            planned = sum(sizes) * len(methods) * repeats
            if done < planned:
                return f"{done:,} of {planned:,}: the run is unfinished"
        return f"{done:,}" if done else "none: nothing has been evaluated"

    def _names(self, kind: str) -> list[str]:
        """The benchmarks or methods (`kind` is the field of a row): those of the configuration, then those of the rows."""
        configured = self.config.get(f"{kind}s")
        first = map(str, configured) if isinstance(configured, list | dict) else ()
        return list(dict.fromkeys([*first, *(getattr(row, kind) for row in self.rows)]))

    def _benchmarks(self) -> dict[str, dict[str, Any]]:
        """The configuration's benchmarks; an empty object where it has no object."""
        found = self.config.get("benchmarks")
        return {k: v if isinstance(v, dict) else {} for k, v in found.items()} if isinstance(found, dict) else {}


def read_run(path: str | Path) -> EvaluationRun:
    """Reads the folder of an evaluation, also of one that was killed or still runs: a last line that is cut is passed over.

    Of a row that was written twice (a failed problem tried again) the later one counts. Raises RecordError for what is
    no such folder, for a version that is not understood and for damaged rows, with file, line and field.
    """
    folder = Path(path)
    config = read_settings(folder)
    try:
        found = [row for _, row in read_rows(folder / "results.jsonl", _result)]
    except FileNotFoundError:  # killed before the first row
        found = []
    except (OSError, InputError) as error:
        raise RecordError(str(error)) from None
    return EvaluationRun(folder, config, list({(row.benchmark, row.method, row.repeat, row.id): row for row in found}.values()))


def read_settings(folder: Path) -> dict[str, Any]:
    """The `run.json` of a folder. Raises RecordError."""
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
    return config


def _result(row: Any) -> Result:
    """Raises ValueError that names the field."""
    try:
        return Result.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}") from None
