"""The numbers of a run as tables, each a function of the rows alone; how they are printed is the report's affair."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
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
from reasonflux_agent.jobs.evaluation.results import ALL, Result, Run
from reasonflux_agent.jobs.evaluation.statistics import maj_at_k, pass_at_k
from reasonflux_agent.verify.grading import MAX_ANSWER
from reasonflux_agent.verify.grading.answers import compare, normal

LISTED = 50
"""Failures that are listed one by one."""


class Table(NamedTuple):
    """A table as it is printed: cells are text."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""
    labels: int = 2
    """Leading columns that name the row."""


def tables(run: Run, prices: Prices | None = None) -> list[Table]:
    """All tables of the report; those that have nothing to tell are left out."""
    every = [
        accuracies(run),
        comparisons(run),
        costs(run, prices),
        matches(run),
        repeats(run),
        breakdown(run, "level"),
        breakdown(run, "subject"),
        reviews(run),
        candidates(run),
        checks(run),
        failures(run),
    ]
    return [table for table in every if table.rows]


def accuracies(run: Run) -> Table:
    """Accuracy per benchmark and method, and how runs ended."""
    head = [
        "benchmark",
        "method",
        "problems",
        "right",
        "accuracy [95 %]",
        "no answer",
        "limit hit",
        "cut off",
        "ungraded",
        "failed",
    ]
    rows = [
        [
            *key,
            str(len({row.id for row in group})),
            f"{sum(row.correct for row in group)}/{len(group)}",
            str(accuracy(group)),
            _share(row.answer is None and not row.error for row in group),
            _share(row.status == "exhausted" for row in group),
            _share(row.truncated for row in group),
            str(sum(row.ungraded for row in group)),
            str(sum(bool(row.error) for row in group)),
        ]
        for key, group in (run.groups | run.pooled).items()
    ]
    note = (
        "Wilson score intervals. Failed and ungraded problems are in the denominator, as wrong. Of several repeats the mean "
        "counts (pass@1); they narrow the interval only as far as problems vary less for it. Limit hit: a limit of the "
        "context ended the run with the best answer so far; cut off: the token limit cut the reply that ends a candidate "
        "(replies for single steps are not looked at); ungraded: the grading worker hung, died or failed over it."
    )
    return Table("Accuracy", head, rows, note)


def comparisons(run: Run) -> Table:
    """Every method against the first one."""
    base, *others = run.methods or [""]
    groups = run.groups | run.pooled
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
    return Table(f"Against {base}", ["benchmark", "method", *COMPARED], rows, note)


def costs(run: Run, prices: Prices | None) -> Table:
    """Means per problem of what was spent, over the runs that ended."""
    head = ["benchmark", "method", "runs", "calls", "prompt tokens", "cached", "completion", "all tokens", "model s", "clock s"]
    head += ["escalated", "with templates", *(["cost per 1,000", "cost in all"] if prices else [])]
    rows, cached = [], bool(run.config.get("cached"))
    for key, every in run.groups.items():
        group = ended(every)
        if not group:
            rows.append([*key, f"0 of {len(every)}", *["–"] * (len(head) - 3)])
            continue
        cells = [
            *key,
            f"{len(group)} of {len(every)}",
            f"{mean(row.calls for row in group):.1f}",
            *(f"{mean(values):,.0f}" for values in zip(*map(_tokens, group), strict=True)),
            f"{mean(row.tokens for row in group):,.0f}",
            f"{mean(row.seconds for row in group):.1f}",
            "–" if cached else f"{mean(row.wall for row in group):.1f}",
            _share(row.escalated for row in group),
            _share(bool(row.templates) for row in group),
        ]
        if prices:
            spent = sum(cost(row, prices) for row in group)
            cells += [f"{spent / len(group) * 1000:,.4g}", f"{spent:,.4g}"]
        rows.append(cells)
    note = (
        "Means over the runs (a problem and repeat) that ended: one that failed does not tell what it spent. Prompt tokens "
        "include the cached ones. Model seconds are summed over calls, so parallel calls add up to more than the clock. "
        "Escalated: drafts did not settle it, and effort auto went on to plan."
    )
    if cached:
        note += " Calls are those of a cache of replies, with what they took when they were made, so the clock tells nothing."
    if prices:
        note += (
            " Cost in all: of the runs that ended. "
            f"Prices per million tokens: prompt {prices.prompt:g}, cached {prices.cached:g}, completion {prices.completion:g}."
        )
    return Table("Tokens, calls, time", head, rows, note)


def matches(run: Run) -> Table:
    """How many samples the methods took that spend as much as another one, by `matched` of the configuration."""
    fields = ("k", "sample_tokens", "target_tokens")
    matched = run.config.get("matched")
    rows = [
        [benchmark, method, *(f"{found.get(field, 0):,.0f}" for field in fields)]
        for method, found_by in (matched.items() if isinstance(matched, dict) else ())
        for benchmark, found in found_by.items()
    ]
    note = "Samples of `direct`, as many as cost about the mean total tokens per problem of the method that is matched."
    return Table("Matched tokens", ["benchmark", "method", "samples", "tokens a sample", "tokens to match"], rows, note)


def repeats(run: Run) -> Table:
    """pass@k and maj@k, for k in powers of two up to the repeats that every problem has."""
    rows = []
    for key, group in run.groups.items():
        problems = [sorted(rows, key=lambda row: row.repeat) for rows in by(lambda row: row.id, group).values()]
        most = min(map(len, problems))
        if most == 1:
            continue
        answers = [_groups(p) for p in problems]
        right = [[row.correct for row in p] for p in problems]
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
    return Table("Repeats", ["benchmark", "method", "k", "pass@k", "maj@k"], rows, note)


def breakdown(run: Run, field: str) -> Table:
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


def reviews(run: Run) -> Table:
    """How often each verdict was given, and on what share of problems."""
    verdicts = sorted({verdict for row in run.rows for verdict in row.reviews})
    rows = []
    for key, group in run.groups.items():
        counts = Counter(verdict for row in group for verdict in row.reviews)
        if counts:
            share = _share(bool(row.reviews) for row in group)
            rows.append([*key, share, *(str(counts[verdict]) for verdict in verdicts)])
    return Table("Reviews: verdicts", ["benchmark", "method", "reviewed", *verdicts], rows)


def candidates(run: Run) -> Table:
    """What further candidates, and reviews that asked for another try, did to the answers."""
    rows = []
    for key, group in run.groups.items():
        several = [row for row in group if len(row.candidates) > 1]
        asked = [row for row in several if {"redo", "replace"} & set(row.reviews)]
        for kind, part in (("all", several), ("after redo or replace", asked)):
            if part:
                first, last = ([row.candidates[i].correct for row in part] for i in (0, -1))
                moves = Counter(zip(first, (row.correct for row in part), strict=True))
                hit = _share(any(vote.correct for vote in row.candidates) for row in part)
                cells = [_share(first), _share(last), _share(row.correct for row in part), hit]
                rows.append([*key, kind, str(len(part)), *cells, str(moves[False, True]), str(moves[True, False])])
    head = ["benchmark", "method", "runs", "n", "first right", "last right", "chosen right", "any right", "repaired", "spoilt"]
    note = (
        "Runs with more than one candidate. Repaired: the first candidate is wrong and the chosen answer right; spoilt: the "
        "other way round."
    )
    return Table("First, last and chosen candidate", head, rows, note, labels=3)


def checks(run: Run) -> Table:
    """How often each check passed on right and on wrong candidates: a check that helps tells them apart."""
    rows = []
    for key, group in run.groups.items():
        seen: dict[str, tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
        for row in group:
            for vote in row.candidates:
                for name, passed in vote.checks.items():
                    seen[name][vote.correct].append(passed)
        for name, (wrong, right) in sorted(seen.items()):
            rows.append([*key, name, *(f"{sum(side)}/{len(side)}" for side in (right, wrong)), _share(right), _share(wrong)])
    head = ["benchmark", "method", "check", "right passed", "wrong passed", "of right", "of wrong"]
    return Table("Checks on candidates", head, rows, "Candidates to which the check applied.", labels=3)


def failures(run: Run) -> Table:
    """The errors, one a row, equal ones together."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in run.rows:
        if row.error:
            groups[row.benchmark, row.method, " ".join(row.error.split())[:500]].append(row.id)
    rows = [
        [benchmark, method, error, str(len(ids)), enumerated(list(dict.fromkeys(ids)), 10)]
        for (benchmark, method, error), ids in list(groups.items())[:LISTED]
    ]
    note = f"{len(groups) - LISTED} further errors are in results.jsonl." if len(groups) > LISTED else ""
    return Table("Failures", ["benchmark", "method", "error", "times", "problems"], rows, note, labels=3)


def _tokens(row: Result) -> tuple[int, int, int]:
    return row.prompt_tokens, row.cached_tokens, row.completion_tokens


def _share(values: Iterable[bool]) -> str:
    values = list(values)
    return f"{mean(values):.1%}" if values else "–"


def _groups(rows: list[Result]) -> list[str | None]:
    """The answers of a problem's repeats, each wrong one as the first of those that mean the same."""
    seen: list[str] = []
    found: list[str | None] = []
    for row in rows:
        text = row.answer if row.answer is None or len(row.answer) > MAX_ANSWER else normal(row.answer)
        if text is None or row.correct:
            found.append(text)
            continue
        same = next((other for other in seen if _same(other, text)), text)
        seen += [text] if same is text else []
        found.append(same)
    return found


def _same(a: str, b: str) -> bool:
    if a.replace(" ", "").casefold() == b.replace(" ", "").casefold():
        return True
    return bool(a and b) and max(len(a), len(b)) <= MAX_ANSWER and bool(compare(a, b))
