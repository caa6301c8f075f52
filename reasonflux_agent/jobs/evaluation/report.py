"""The report of a run: Markdown, one self-contained HTML page, and the comparison of two runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from reasonflux_agent.errors import InputError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.jobs.evaluation.measures import COMPARED, Prices, accuracy, common, compare_rows, ended, enumerated, mean
from reasonflux_agent.jobs.evaluation.page import html
from reasonflux_agent.jobs.evaluation.results import ALL, EvaluationRun, read_run
from reasonflux_agent.jobs.evaluation.tables import Table, tables

__all__ = ["EvaluationRun", "Prices", "compare", "html", "markdown", "read_run", "write_report"]


def write_report(path: str | Path, prices: Prices | None = None) -> tuple[Path, Path]:
    """Writes report.md and report.html into the folder of a run, each by atomic rename, and returns their paths."""
    run = read_run(path)
    written = run.path / "report.md", run.path / "report.html"
    for file, text in zip(written, (markdown(run, prices), html(run, prices)), strict=True):
        # a lone surrogate, which JSON can hold, must not keep the report from being written
        write_atomically(file, text.encode("utf-8", errors="replace"))
    return written


def markdown(run: EvaluationRun, prices: Prices | None = None) -> str:
    """The report's tables in GitHub's Markdown. `prices`: per million tokens, adds the costs."""
    settings = [f"- {plain(name)}: {plain(value)}" for name, value in run.settings]
    parts = [f"# {plain(run.title)}", "\n".join([*settings, f"- rows: {plain(run.progress)}"])]
    parts += [markdown_table(table) for table in tables(run, prices)]
    return "\n\n".join(parts) + "\n"


def compare(run_a: EvaluationRun, run_b: EvaluationRun, method_a: str | None = None, method_b: str | None = None) -> str:
    """Run B against run A in Markdown, paired by problem: every method that both have, or one of A with one of B.

    Raises InputError where a method is missing or the problems are not the same.
    """
    pairs = _methods(run_a, run_b, method_a, method_b)
    benchmarks = [name for name in run_a.benchmarks if name in run_b.benchmarks]
    if not benchmarks:
        raise InputError(
            f"{run_a.path} and {run_b.path} share no benchmark: the one has {_list(run_a.benchmarks)}, "
            f"the other {_list(run_b.benchmarks)}. Next: evaluate both on the same problems."
        )
    _same_problems(run_a, run_b, benchmarks)
    rows, spent, changed = [], [], []
    groups_a, groups_b = (run.pooled(benchmarks) for run in (run_a, run_b))
    for benchmark in [*benchmarks, ALL]:
        for a, b in pairs:
            old, new = groups_a.get((benchmark, a), []), groups_b.get((benchmark, b), [])
            both = common(old, new)
            if not both[0]:
                continue
            name = [benchmark, b if a == b else f"{b} against {a}"]
            result = compare_rows(new, old)
            rows.append([*name, str(accuracy(old)), str(accuracy(new)), *result.cells])
            if benchmark != ALL:
                sides = (("A", result.lost), ("B", result.gained))
                changed += [[*name, kind, enumerated(ids, 100)] for kind, ids in sides if ids]
            done = common(*map(ended, both))
            means = [(mean(r.tokens for r in side), mean(r.seconds for r in side)) for side in done]
            ratios = [f"{y:,.4g} / {x:,.4g} = {y / x:.2f}" if x else "–" for x, y in zip(*means, strict=True)]
            spent.append([*name, f"{len(done[0])} of {len(both[0])}", *ratios])
    if not rows:
        raise InputError(
            f"{run_a.path} and {run_b.path} have no problem in common, by id and repeat, that both have done by these methods. "
            "Next: evaluate both on the same problems."
        )
    before, now = dict(run_a.settings), dict(run_b.settings)
    for a, b in pairs:
        before |= _context(run_a, a, a if a == b else "method")
        now |= _context(run_b, b, a if a == b else "method")
    differs = [[key, before.get(key, "–"), now.get(key, "–")] for key in before | now if before.get(key) != now.get(key)]
    note = (
        "Accuracies over all problems of each run, the difference over those (and repeats of them) that both have. “It” is B, "
        "“the other” A. Intervals and test as in the report of a run."
    )
    spending = "Means over the runs that both have and that ended in both: one that failed does not tell what it spent."
    parts = [
        Table("Accuracy", ["benchmark", "method", "A", "B", *COMPARED], rows, note),
        Table("Spent per problem, B / A", ["benchmark", "method", "runs", "tokens", "model seconds"], spent, spending),
        Table("Problems that only one has right", ["benchmark", "method", "right in", "problems"], changed, labels=4),
        Table("Settings that differ", ["setting", "A", "B"], differs, labels=1),
    ]
    head = f"# Comparison of two runs\n\n- A: {plain(str(run_a.path))}\n- B: {plain(str(run_b.path))}"
    return "\n\n".join([head, *(markdown_table(part) for part in parts if part.rows)]) + "\n"


def _methods(run_a: EvaluationRun, run_b: EvaluationRun, method_a: str | None, method_b: str | None) -> list[tuple[str, str]]:
    if method_a or method_b:
        asked = (method_a or method_b or "", method_b or method_a or "")
        for run, name in zip((run_a, run_b), asked, strict=True):
            if name not in run.methods:
                raise InputError(f"{run.path} has no method {name!r}. It has: {_list(run.methods)}. Next: name one of these.")
        return [asked]
    if pairs := [(name, name) for name in run_a.methods if name in run_b.methods]:
        return pairs
    raise InputError(
        f"{run_a.path} and {run_b.path} share no method: the one has {_list(run_a.methods)}, the other "
        f"{_list(run_b.methods)}. Next: name one of each with --method-a and --method-b."
    )


def _same_problems(run_a: EvaluationRun, run_b: EvaluationRun, benchmarks: Iterable[str]) -> None:
    """Raises InputError if problems with the same id differ."""
    for benchmark in benchmarks:
        mine, theirs = ({row.id: row for row in run.rows if row.benchmark == benchmark} for run in (run_a, run_b))
        if other := [id for id in mine if id in theirs and not mine[id].same_problem(theirs[id])]:
            raise InputError(
                f"{run_a.path} and {run_b.path} have other problems of {benchmark} under the same ids: "
                f"{enumerated(other, 10)}. Next: run both with the same data and seed."
            )


def _context(run: EvaluationRun, method: str, name: str) -> dict[str, str]:
    """What `run.json` says of the limits and options of a method."""
    contexts = run.config.get("contexts")
    context = contexts.get(method) if isinstance(contexts, dict) else None
    return {f"{name}: {key}": str(value) for key, value in context.items()} if isinstance(context, dict) else {}


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def plain(text: str) -> str:
    """Return text as it is in Markdown: nothing of it is markup."""
    text = " ".join(escape(text, quote=False).split())
    return re.sub(r"([\\`*_|~]|(?<=\])[(\[])", r"\\\1", text)


def markdown_table(table: Table) -> str:
    rule = ["---" if column < table.labels else "---:" for column in range(len(table.head))]
    head, *rows = [[plain(cell) for cell in row] for row in (table.head, *table.rows)]
    lines = [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
    return "\n".join([f"## {plain(table.title)}", "", *lines, *(["", plain(table.note)] if table.note else [])])
