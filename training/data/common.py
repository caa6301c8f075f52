"""What the builders share: a build is units of work, each done once and kept; then rows, free of leaks, and a manifest.

OUT.json            the rows, in LLaMA-Factory's shape
OUT.manifest.json   what they were made of and how: counts per stage, hashes, hours; written last
OUT.work.jsonl      the journal: one line a finished unit, so that the same command goes on where it ended
dataset_info.json   beside them: LLaMA-Factory's register of data sets, in which OUT gets its entry
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from files import digest_files, to_line
from rows import JSON, Kind, Leaks, dataset_entry, texts

from reasonflux_agent import __version__
from reasonflux_agent.cli.exits import INTERRUPTED, code_of, explain
from reasonflux_agent.errors import InputError
from reasonflux_agent.files import write_atomically

T = TypeVar("T")
Result = dict[str, Any]
"""What a unit of work came to: `outcome` (`kept`, or why not) and whatever the builder needs. JSON-plain."""

JOURNAL = 2
"""Version of the journal; raised when a builder makes something else of the same input, so that old and new do not mix."""

PAPER = {"alpaca": 15_000, "sharegpt": 15_000, "preference": 10_000, "library": 500}
"""Rows of the paper's data sets (templates of its library), to which the hours are projected."""


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
        """Options that the units' results do not depend on: they stand in the manifest alone, and may change."""
        self.leaks = Leaks(args.benchmarks)
        self.stages: Counter[str] = Counter()
        """What became of how many, in the order of the work."""
        self.seconds = 0.0
        """Of the clock, summed over the runs that made up this build."""

    def beside(self, ending: str) -> Path:
        """The path of a file that belongs to the result."""
        return self.out.with_suffix(ending)

    def each(self, what: str, units: Mapping[str, T], work: Callable[[T], Result], jobs: int = 1) -> list[Result]:
        """The results of all units, in their order, `jobs` done at once; those in the journal are not done again.

        `what` names the units in the journal, the progress and the stages. A unit's key must change with its content.
        """
        with self._journal() as (file, done):
            lock, kept = threading.Lock(), sum(f"{what}/{key}" in done for key in units)
            progress = Progress(what, len(units), kept)

            def do(key: str) -> None:
                begun = time.monotonic()
                result = work(units[key])
                # its share of the clock, so that the sum over units is what the build took
                unit, seconds = f"{what}/{key}", round((time.monotonic() - begun) / jobs, 3)
                line = {"unit": unit, "seconds": seconds, "result": result}
                with lock:
                    file.write(to_line(line))
                    done[unit] = line
                    progress.step()

            with ThreadPoolExecutor(jobs) as pool:
                futures = [pool.submit(do, key) for key in units if f"{what}/{key}" not in done]
                try:
                    for future in as_completed(futures):
                        future.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
            progress.end()
            lines = [done[f"{what}/{key}"] for key in units]
        self.seconds += sum(line["seconds"] for line in lines)
        self.stages[what] += len(lines)
        results = [line["result"] for line in lines]
        for outcome, count in sorted(Counter(result["outcome"] for result in results).items()):
            self.stages[f"{what}: {outcome}"] += count
        return results

    @contextmanager
    def _journal(self) -> Iterator[tuple[BinaryIO, dict[str, JSON]]]:
        """The journal, held by this process, and its lines by unit."""
        path = self.beside(".work.jsonl")
        header = {"format": "reasonflux-work", "version": JOURNAL, "settings": self.settings}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(f"{path} is in use by another process. Next: wait for it, or give another --out.") from None
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)  # a kill may have cut the last line
            try:
                lines = [json.loads(line) for line in content[: content.rfind(b"\n") + 1].decode().split("\n")[:-1]]
                if lines and lines[0] != header:
                    raise ValueError("it was written under other settings: " + _differences(lines[0], header))
                done = {line["unit"]: line for line in lines[1:]}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{path} cannot be gone on with: {error}. Next: delete it, or give another --out.") from None
            if not lines:
                file.write(to_line(header))
            yield file, done

    def write(self, rows: Iterable[tuple[str, JSON]], kind: Kind, hours: float | None = None) -> None:
        """Writes rows, given with the problem they are about, but for doubles and leaks; then register and manifest.

        `hours`: of the model calls that the rows were made from; None: the build itself made them. Raises InputError,
        having written nothing, where no row is left.
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
            raise InputError(f"No row is left, and nothing was written. What became of the input: {counts(self.stages)}.")
        content = (json.dumps(list(kept.values()), ensure_ascii=False, indent=1) + "\n").encode(errors="backslashreplace")
        write_atomically(self.out, content)
        self._register(list(kept.values()), kind)
        self.manifest(kind, len(kept), hours)

    def manifest(self, kind: str, rows: int, hours: float | None = None, **more: Any) -> None:
        """Writes the manifest of `self.out`, which is there by now, and says where it is."""
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
        write_atomically(self.beside(".manifest.json"), (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())
        print(f"{rows} rows in {self.out} ({counts(self.stages)})", file=sys.stderr)
        if not self.leaks.sources:
            print("No --benchmarks were given: nothing was checked for leaks.", file=sys.stderr)

    def _register(self, rows: list[JSON], kind: Kind) -> None:
        path = self.out.parent / "dataset_info.json"
        try:
            register = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            register[self.out.stem] = dataset_entry(self.out.name, rows, kind)
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} is no register of data sets: {error}. Next: correct or delete it.") from None
        write_atomically(path, (json.dumps(register, ensure_ascii=False, indent=1) + "\n").encode())


class Progress:
    """A line on stderr, rewritten on a terminal and now and then elsewhere: how much is done, and how long the rest takes."""

    def __init__(self, what: str, total: int, done: int) -> None:
        self.what, self.total, self.done, self.new = what, total, done, 0
        self.begun = self.shown = time.monotonic()

    def step(self) -> None:
        """One more is done."""
        self.done, self.new = self.done + 1, self.new + 1
        now = time.monotonic()
        if now - self.shown >= (0.2 if sys.stderr.isatty() else 30.0):
            self.shown = now
            left = (now - self.begun) / self.new * (self.total - self.done) / 60
            self._show(f"{self.what}: {self.done} of {self.total}, about {left:.1f} min left")

    def end(self) -> None:
        """All are done."""
        before = f", {self.done - self.new} of them by an earlier run" if self.done > self.new else ""
        self._show(f"{self.what}: {self.done} of {self.total} in {(time.monotonic() - self.begun) / 60:.1f} min{before}\n")

    def _show(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}" if sys.stderr.isatty() else text.rstrip("\n") + "\n")
        sys.stderr.flush()


def counts(stages: Mapping[str, int]) -> str:
    """Stages and their numbers as a text."""
    return ", ".join(f"{name} {count}" for name, count in stages.items()) or "nothing"


def _differences(old: JSON, new: JSON) -> str:
    a, b = ({"version": header.get("version"), **header.get("settings", {})} for header in (old, new))
    return ", ".join(f"{key} {a.get(key)!r}, now {b.get(key)!r}" for key in sorted({*a, *b}) if a.get(key) != b.get(key))
