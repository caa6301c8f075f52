"""The numbers of an evaluation as tables, each a function of the rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from reasonflux_agent.jobs.evaluation.measures import (
    COMPARED,
    NO_DIFFERENCE,
    Prices,
    accuracy,
    by,
    compare_rows,
    cost,
    ended,
    enumerated,
    mean,
    natural,
)
from reasonflux_agent.jobs.evaluation.results import ALL, EvaluationRun, Result
from reasonflux_agent.jobs.evaluation.statistics import maj_at_k, pass_at_k
from reasonflux_agent.verify.grading import MAX_ANSWER
from reasonflux_agent.verify.grading.answers import compare, normal

LISTED = 50
"""Failures that are listed one by one."""
KEY = ["benchmark", "method"]
Columns = dict[str, Callable[[list[Result]], str]]
"""Head of a column -> its cell, from the rows of a benchmark and method."""


class Table(NamedTuple):
    """A table as it is printed: cells are text."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""
    labels: int = 2
    """Leading columns that name the row."""


def tables(run: EvaluationRun, prices: Prices | None = None) -> list[Table]:
    """All tables of the report that have rows."""
    every = [accuracies(run), comparisons(run), costs(run, prices), matches(run), repeats(run), breakdown(run, "level")]
    every += [breakdown(run, "subject"), failures(run)]
    return [table for table in every if table.rows]


def accuracies(run: EvaluationRun) -> Table:
    columns: Columns = {
        "problems": lambda rows: str(len({row.id for row in rows})),
        "right": lambda rows: f"{sum(row.correct for row in rows)}/{len(rows)}",
        "accuracy [95 %]": lambda rows: str(accuracy(rows)),
        "no answer": lambda rows: _share(row.answer is None and not row.error for row in rows),
        "limit hit": lambda rows: _share(row.status == "exhausted" for row in rows),
        "cut off": lambda rows: _share(row.truncated for row in rows),
        "ungraded": lambda rows: str(sum(row.ungraded for row in rows)),
        "failed": lambda rows: str(sum(bool(row.error) for row in rows)),
    }
    note = (
        "Wilson score intervals. Failed and ungraded problems are in the denominator, as wrong. Of several repeats the mean "
        "counts (pass@1); they narrow the interval only as far as problems vary less for it. Limit hit: a limit of the "
        "context ended the run with the best answer so far; cut off: the token limit cut the reply that ends a candidate "
        "(replies for single steps are not looked at); ungraded: the grading worker hung, died or failed over it."
    )
    return _by_columns("Accuracy", run.pooled(run.benchmarks), columns, note)


def comparisons(run: EvaluationRun) -> Table:
    """Every method against the first one."""
    base, *others = run.methods or [""]
    groups = run.pooled(run.benchmarks)
    rows = [
        [benchmark, method, *compare_rows(groups[benchmark, method], groups[benchmark, base]).cells]
        for benchmark in [*run.benchmarks, ALL]
        for method in others
        if (benchmark, method) in groups and (benchmark, base) in groups
    ]
    note = (
        "Paired on the problems, and repeats, that both have done. Tango's score interval of the difference; McNemar's exact "
        "test, two-sided (over problems, where there are repeats), not corrected for the number of comparisons. "
        f"“{NO_DIFFERENCE}”: the interval holds zero, or p is 0.05 or more."
    )
    return Table(f"Against {base}", [*KEY, *COMPARED], rows, note)


def costs(run: EvaluationRun, prices: Prices | None) -> Table:
    """Means per problem of what was spent, over the runs that ended."""
    cached = bool(run.config.get("cached"))
    columns: Columns = {
        "runs": lambda rows: f"{len(ended(rows))} of {len(rows)}",
        "calls": lambda rows: _mean(rows, "calls", ".1f"),
        "prompt tokens": lambda rows: _mean(rows, "prompt_tokens"),
        "cached": lambda rows: _mean(rows, "cached_tokens"),
        "completion": lambda rows: _mean(rows, "completion_tokens"),
        "all tokens": lambda rows: _mean(rows, "tokens"),
        "model s": lambda rows: _mean(rows, "seconds", ".1f"),
        "clock s": lambda rows: "–" if cached else _mean(rows, "wall", ".1f"),
        "escalated": lambda rows: _share(row.escalated for row in ended(rows)),
        "with templates": lambda rows: _share(bool(row.templates) for row in ended(rows)),
    }
    note = (
        "Means over the runs (a problem and repeat) that ended: one that failed does not tell what it spent. Prompt tokens "
        "include the cached ones. Model seconds are summed over calls, so parallel calls add up to more than the clock. "
        "Escalated: drafts did not settle it, and effort auto went on to plan."
    )
    if cached:
        note += " Calls are those of a cache of replies, with what they took when they were made, so the clock tells nothing."
    if prices:

        def spent(rows: list[Result], problems: int) -> str:
            each = [cost(row, prices) for row in ended(rows)]
            return f"{mean(each) * (problems or len(each)):,.4g}" if each else "–"

        columns |= {"cost per 1,000": lambda rows: spent(rows, 1000), "cost in all": lambda rows: spent(rows, 0)}
        note += (
            " Cost in all: of the runs that ended. "
            f"Prices per million tokens: prompt {prices.prompt:g}, cached {prices.cached:g}, completion {prices.completion:g}."
        )
    return _by_columns("Tokens, calls, time", run.groups, columns, note)


def matches(run: EvaluationRun) -> Table:
    """How many samples the methods took that spend as much as another one, by `matched` of the configuration."""
    fields = ("k", "sample_tokens", "target_tokens")
    matched = run.config.get("matched")
    rows = [
        [benchmark, method, *(f"{found.get(field, 0):,.0f}" for field in fields)]
        for method, found_by in (matched.items() if isinstance(matched, dict) else ())
        for benchmark, found in found_by.items()
    ]
    note = "Samples of `direct`, as many as cost about the mean total tokens per problem of the method that is matched."
    return Table("Matched tokens", [*KEY, "samples", "tokens a sample", "tokens to match"], rows, note)


def repeats(run: EvaluationRun) -> Table:
    """pass@k and maj@k, for k in powers of two up to the repeats that every problem has."""
    rows = []
    for key, group in run.groups.items():
        problems = [sorted(rows, key=lambda row: row.repeat) for rows in by(lambda row: row.id, group).values()]
        most = min(map(len, problems))
        if most == 1:
            continue
        answers = [_answers(problem) for problem in problems]
        right = [[row.correct for row in problem] for problem in problems]
        for k in sorted({2**i for i in range(most.bit_length())} | {most}):
            passes = mean(pass_at_k(len(r), sum(r), k) for r in right)
            majorities = mean(maj_at_k(a, r, k) for a, r in zip(answers, right, strict=True))
            rows.append([*key, str(k), f"{passes:.1%}", f"{majorities:.1%}"])
    note = (
        "pass@k: the chance that k of the repeats hold a right answer, unbiased (Chen et al. 2021). maj@k: the majority of k, "
        "over disjoint runs of k repeats; ties share, no answer is no vote. Right answers are one; wrong ones are one where "
        "the grader's own comparison, without Math-Verify, finds them the same; what it cannot tell is apart, which favours "
        "the right ones."
    )
    return Table("Repeats", [*KEY, "k", "pass@k", "maj@k"], rows, note)


def breakdown(run: EvaluationRun, field: str) -> Table:
    """Accuracy by `level` or `subject`, a column a method."""
    rows = []
    for benchmark in run.benchmarks:
        columns = [by(lambda row: getattr(row, field) or "", run.groups.get((benchmark, m), [])) for m in run.methods]
        for value in sorted({value for column in columns for value in column if value}, key=natural):
            cells = [column.get(value, []) for column in columns]
            n = len({row.id for cell in cells for row in cell})
            rows.append([benchmark, value, str(n), *(str(accuracy(cell)) if cell else "–" for cell in cells)])
    note = "Wilson score intervals; small groups have wide ones."
    return Table(f"By {field}", ["benchmark", field, "problems", *run.methods], rows, note)


def failures(run: EvaluationRun) -> Table:
    """The errors, one a row, equal ones together."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in run.rows:
        if row.error:
            groups[row.benchmark, row.method, " ".join(row.error.split())[:500]].append(row.id)
    rows = [[*key, str(len(ids)), enumerated(list(dict.fromkeys(ids)), 10)] for key, ids in list(groups.items())[:LISTED]]
    note = f"{len(groups) - LISTED} further errors are in results.jsonl." if len(groups) > LISTED else ""
    return Table("Failures", [*KEY, "error", "times", "problems"], rows, note, labels=3)


def _by_columns(title: str, groups: dict[tuple[str, str], list[Result]], columns: Columns, note: str) -> Table:
    rows = [[*key, *(cell(group) for cell in columns.values())] for key, group in groups.items()]
    return Table(title, [*KEY, *columns], rows, note)


def _mean(rows: list[Result], field: str, form: str = ",.0f") -> str:
    """The mean of a field over the runs that ended."""
    values = [getattr(row, field) for row in ended(rows)]
    return f"{mean(values):{form}}" if values else "–"


def _share(values: Iterable[bool]) -> str:
    values = list(values)
    return f"{mean(values):.1%}" if values else "–"


def _answers(rows: list[Result]) -> list[str | None]:
    """The answers of a problem's repeats, each wrong one as the first of those that mean the same."""
    seen: list[str] = []
    found: list[str | None] = []
    for row in rows:
        text = row.answer if row.answer is None or len(row.answer) > MAX_ANSWER else normal(row.answer)
        if text is not None and not row.correct:
            same = next((other for other in seen if _same(other, text)), None)
            if same is None:
                seen.append(text)
            text = same or text
        found.append(text)
    return found


def _same(a: str, b: str) -> bool:
    if a.replace(" ", "").casefold() == b.replace(" ", "").casefold():
        return True
    return bool(a and b) and max(len(a), len(b)) <= MAX_ANSWER and bool(compare(a, b))
