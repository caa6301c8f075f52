"""What the builders share: a build is units of work, each done once and kept; then rows, free of leaks, and a manifest.

OUT.json            the rows, in LLaMA-Factory's shape
OUT.manifest.json   what they were made of and how: counts per stage, hashes, hours; written last
OUT.work.jsonl      the journal: one line a finished unit, so that the same command goes on where it ended
dataset_info.json   beside them: LLaMA-Factory's register of data sets, in which OUT gets its entry
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from files import digest_files
from rows import JSON, Kind, Leaks, dataset_entry, texts

from reasonflux_agent import __version__
from reasonflux_agent.cli.exits import INTERRUPTED, code_of, explain
from reasonflux_agent.cli.job_progress import JobProgress
from reasonflux_agent.errors import InputError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.jobs.running import run_all
from reasonflux_agent.runs.journal import Journal, Row, to_line

T = TypeVar("T")
Result = dict[str, Any]
"""The result of a unit of work: `outcome` (`kept`, or why not) and whatever the builder needs. JSON-plain."""

JOURNAL = 2
"""Version of the journal; raised when a builder makes something else of the same input, so that old and new do not mix."""

PAPER = {"alpaca": 15_000, "sharegpt": 15_000, "preference": 10_000, "library": 500}
"""Rows of the paper's data sets (templates of its library), to which the manifest projects the hours."""


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all builders have; its help is the builder's own docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="where the result goes")
    parser.add_argument("--benchmarks", type=Path, metavar="DIR", help="a row that shares text with a *.jsonl in it is dropped")
    return parser


def run(main: Callable[[], None]) -> int:
    """Runs a builder; an error is one text and an exit code, never a traceback."""
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted. What is finished is kept: the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        explain(error)
        return code_of(error)
    return 0


class Build:
    """One run of a builder. Raises InputError for files that cannot be used, before any work is done.

    `settings` are what the units' results depend on: a journal that was written under others is refused. `inputs` are the
    files read, by name.
    """

    def __init__(self, script: str, args: argparse.Namespace, settings: JSON, inputs: Mapping[str, Sequence[Path]]) -> None:
        self.out: Path = args.out
        if self.out.suffix != ".json":
            raise InputError(f"--out {self.out}: the name must end in .json.")
        self.inputs = {name: digest_files(paths) for name, paths in inputs.items()}
        self.settings = {"script": Path(script).stem, **settings}
        self.choices: JSON = {}
        """Options that the units' results do not depend on: only the manifest has them, and they may change."""
        self.leaks = Leaks(args.benchmarks)
        self.stages: Counter[str] = Counter()
        """Stage of the work, or outcome -> how many there were."""
        self.seconds = 0.0
        """Seconds on the clock, summed over the runs that made up this build."""

    def _counts(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in self.stages.items()) or "nothing"

    def beside(self, ending: str) -> Path:
        """The path of a file that belongs to the result."""
        return self.out.with_suffix(ending)

    def each(self, what: str, units: Mapping[str, T], work: Callable[[T], Result], jobs: int = 1) -> list[Result]:
        """The results of all units, in their order, `jobs` done at once; those in the journal are not done again.

        `what` names the units in the journal, the progress and the stages. A unit's key must change with its content.
        """

        def do(unit: str, given: T) -> Row:
            begun = time.monotonic()
            result = work(given)
            # its share of the clock, so that the sum over units is what the build took
            return {"unit": unit, "seconds": round((time.monotonic() - begun) / jobs, 3), "result": result}

        header = {"format": "reasonflux-work", "version": JOURNAL, "settings": self.settings}
        named = {f"{what}/{key}": unit for key, unit in units.items()}
        work_file = self.beside(".work.jsonl")
        with Journal(work_file, itemgetter("unit"), header=header) as journal, JobProgress(f"{what}: ") as progress:
            run_all(named, do, journal, progress, jobs)
        lines = [journal.rows[unit] for unit in named]
        self.seconds += sum(line["seconds"] for line in lines)
        self.stages[what] += len(lines)
        results = [line["result"] for line in lines]
        for outcome, count in sorted(Counter(result["outcome"] for result in results).items()):
            self.stages[f"{what}: {outcome}"] += count
        return results

    def write(self, rows: Iterable[tuple[str, JSON]], kind: Kind, hours: float | None = None) -> None:
        """Writes rows, each given with its problem, without doubles and leaks; then register and manifest.

        `hours`: of the model calls that the rows were made from; None: the build itself made them. Raises InputError, and
        writes nothing, if no row is left.
        """
        kept: dict[bytes, JSON] = {}
        for problem, row in rows:
            if self.leaks.found(problem, *texts(row)):
                self.stages["rows: in a benchmark"] += 1
            elif (key := to_line(row)) in kept:
                self.stages["rows: said before"] += 1
            else:
                kept[key] = row
        if not kept:
            raise InputError(f"No row is left, and nothing was written. What became of the input: {self._counts()}.")
        _write(self.out, made := list(kept.values()))
        path = self.out.parent / "dataset_info.json"
        try:
            register = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            register[self.out.stem] = dataset_entry(self.out.name, made, kind)
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} is no register of data sets: {error}. Next: correct or delete it.") from None
        _write(path, register)
        self.manifest(kind, len(made), hours)

    def manifest(self, kind: str, rows: int, hours: float | None = None, **more: Any) -> None:
        """Writes the manifest of `self.out`, which must be there, and says where it is."""
        spent = self.seconds / 3600 if hours is None else hours
        document = {
            "format": "reasonflux-data",
            "version": 1,
            "package": __version__,
            **self.settings,
            **self.choices,
            "inputs": self.inputs,
            "benchmarks": self.leaks.sources or "none given: no row was checked for leaks",
            "stages": dict(self.stages),
            "kind": kind,
            "rows": rows,
            "sha256": hashlib.sha256(self.out.read_bytes()).hexdigest(),
            "hours": {"what": "clock" if hours is None else "model calls of the records, summed", "spent": round(spent, 4)},
            "projection": {"rows": PAPER[kind], "hours": round(spent / rows * PAPER[kind], 2) if rows else None},
            **more,
        }
        _write(self.beside(".manifest.json"), document)
        print(f"{rows} rows in {self.out} ({self._counts()})", file=sys.stderr)
        if not self.leaks.sources:
            print("No --benchmarks were given: nothing was checked for leaks.", file=sys.stderr)


def _write(path: Path, value: object) -> None:
    # a lone surrogate, which a model's reply can hold, becomes its JSON escape
    write_atomically(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode(errors="backslashreplace"))
