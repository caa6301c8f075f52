"""What the builders share that read run records: the work on each record, right candidates, and where these come from."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import Build, Result, arguments
from files import digest_files
from rows import JSON

from reasonflux_agent.errors import InputError
from reasonflux_agent.events import AnyEvent, CallEnded, Reviewed, StepDone
from reasonflux_agent.jobs.evaluation import benchmarks
from reasonflux_agent.jobs.evaluation.benchmarks import Item, load
from reasonflux_agent.runs.record import Record, read_record, reading
from reasonflux_agent.schema import Candidate, Plan, Solution


@dataclass(frozen=True)
class Solved:
    """A finished run of a problem whose answer is known."""

    record: Record
    solution: Solution
    item: Item

    @property
    def right(self) -> list[Candidate]:
        """The candidates whose answer is right and whose text is whole, in the order in which they were made."""
        return [c for c in self.solution.candidates if not c.truncated and is_right(c.answer, self.item)]

    def events_of(self, candidate: Candidate) -> list[AnyEvent]:
        """Return the events of the attempt that a planned candidate comes from.

        A record of version 1 does not name attempts, and an older candidate does not name its attempt. There it is the first
        attempt with this plan, these results and these reviews.
        """
        attempts = self.record.attempts
        if candidate.attempt and self.record.header["version"] > 1:
            return attempts.get(candidate.attempt, [])
        return next((events for events in attempts.values() if _made(events, candidate)), [])


def _made(events: Sequence[AnyEvent], candidate: Candidate) -> bool:
    plans = [purposes(plan) for event in events if isinstance(plan := getattr(event, "plan", None), Plan)]
    results = [event.result for event in events if isinstance(event, StepDone)]
    reviews = tuple(event.review for event in events if isinstance(event, Reviewed))
    told = reviews == candidate.reviews and all(result in results for result in candidate.results)
    return told and purposes(candidate.plan or Plan()) in plans


def purposes(plan: Plan) -> list[str]:
    """Return what the steps of a plan are to achieve."""
    return [step.purpose for step in plan.steps]


def calls_behind(event: AnyEvent, events: Sequence[AnyEvent]) -> list[CallEnded]:
    """Return the answered calls of the pass through a node that told an event, in order; the last one led to the event.

    `events` are those of the attempt. A run that went on past its limit repeats its passes under new names, without a call:
    there the n-th event of a kind follows from the n-th pass with calls.
    """
    passes: dict[str, list[CallEnded]] = {}
    for call in events:
        if isinstance(call, CallEnded) and call.node == event.node and call.reply:
            passes.setdefault(call.unit or call.call, []).append(call)
    if found := passes.get(event.unit or event.call):
        return found
    number = [other for other in events if type(other) is type(event)].index(event)
    return next(iter([*passes.values()][number:]), [])


def record_arguments(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all builders have, and those of the builders that read records."""
    parser = arguments(doc)
    parser.add_argument("records", nargs="+", type=Path, help="run records, or folders of them")
    parser.add_argument(
        "--gold",
        nargs="+",
        default=[],
        metavar="NAME",
        help="*.jsonl with `problem` and `answer`, or benchmarks; without a row there, a record's own mark has the answer",
    )
    return parser


def from_records(
    script: str, args: argparse.Namespace, settings: JSON, work: Callable[[Solved], Result]
) -> tuple[Build, list[Result]]:
    """Return a build with its records worked on, and a result for each record.

    `work` gets the finished runs whose problem is in --gold, or whose mark has the right answer. Its results get `problem` and
    `seconds`, those of the run's model calls. Raises InputError, and RecordError for a damaged record.
    """
    files, items = _record_files(args.records), [item for name in args.gold for item in load(name)]
    gold = {_evened(item.problem): item for item in items}
    build = Build(script, args, settings, {"records": list(files.values())})
    build.inputs["gold"] = {"problems": len(items), "sha256": benchmarks.digest(items)}
    build.settings["gold"] = build.inputs["gold"]["sha256"]

    def result_of(path: Path) -> Result:
        with reading(path):
            record = read_record(path)
            item, solution = gold.get(_evened(record.begin.problem)) or _marked(record), record.solution
            if item is None or solution is None:
                return {"outcome": "unfinished" if item else "no gold answer"}
            found = {"problem": item.problem, "seconds": sum(call.seconds for call in record.calls)}
            return found | work(Solved(record, solution, item))

    return build, build.each("records", files, result_of)


def _marked(record: Record) -> Item | None:
    """The problem that a run solved, with the right answer of its mark, if it has one."""
    mark, solution = record.feedback, record.solution
    return Item(record.begin.run, solution.problem, mark.answer) if mark and mark.answer and solution else None


def one_a_problem(results: Iterable[Result]) -> list[Result]:
    """Return the first result of each problem, in the order of the problems' texts."""
    first: dict[str, Result] = {}
    for result in results:
        first.setdefault(result["problem"], result)
    return [first[problem] for problem in sorted(first)]


def hours(results: Iterable[Result]) -> float:
    """Return the hours of the model calls behind these results."""
    return sum(float(result.get("seconds", 0.0)) for result in results) / 3600


def is_right(answer: str | None, item: Item) -> bool:
    """Return whether an answer is right, by the row's scorer or by the grader."""
    return bool(item.score(answer))


def _record_files(paths: Sequence[Path]) -> dict[str, Path]:
    """All records (*.jsonl) in these files and folders, by a key that changes with their content. Raises InputError."""
    found = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.jsonl")))]
    if not found:
        raise InputError(f"There is no record in {', '.join(map(str, paths))}. Next: name a folder that `--record` wrote.")
    # by content, so that neither the folder's place nor the order of its files matters, and a copy counts once
    return dict(sorted((digest_files([file])["sha256"][:16], file) for file in found))


def _evened(text: str) -> str:
    return " ".join(text.split())
