"""How often the grader errs on labelled pairs, beside Math-Verify.

    python -m tests.grading.against_dev DATA [--by-kind] [--wrong]

DATA is the folder with `pairs_dev.jsonl`, `variants_dev.jsonl` and `nonmath_dev.jsonl`. A false yes is a pair that is taken for
the same and is not; a false no is the reverse. Each line is a row of the table in docs/grading.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from reasonflux_agent.verify import grading
from reasonflux_agent.verify.grading import pool

SETS = ("pairs", "variants", "nonmath")
Row = dict[str, Any]
Grader = Callable[[str, str], bool | None]


def rows(data: Path, name: str) -> list[Row]:
    """The labelled pairs of one set: `gold`, `pred`, `expected`, and a `kind` or `suite`."""
    return [json.loads(line) for line in (data / f"{name}_dev.jsonl").read_text("utf-8").splitlines()]


def digest(row: Row) -> str:
    """What names a pair without holding it."""
    return hashlib.sha256(f"{row['gold']}\0{row['pred']}".encode()).hexdigest()[:8]


def ours(gold: str, pred: str) -> bool | None:
    """Our verdict; None: the worker failed."""
    return grading.judged(extracted(pred), extracted(gold), seconds=30)


def extracted(text: str) -> str:
    """The answer that a reply states, or the text itself, which is then the answer alone."""
    return grading.extract_answer(text) or text


def stock(gold: str, pred: str) -> bool | None:
    """Math-Verify's verdict as its README has it."""
    from math_verify import parse, verify

    with suppress(Exception):
        return bool(verify(parse(gold), parse(pred)))
    return None


def boxed(gold: str, pred: str) -> bool | None:
    """Math-Verify's verdict on both answers in a box, as reward functions use it."""
    return stock(rf"$\boxed{{{gold.strip('$')}}}$", rf"$\boxed{{{pred.strip('$')}}}$")


GRADERS: dict[str, Grader] = {"ours": ours, "Math-Verify": stock, "Math-Verify, boxed": boxed}


def wrong(grader: Grader, labelled: list[Row]) -> Iterator[tuple[Row, bool | None]]:
    """The rows that a grader gets wrong, with its verdicts."""
    for row in labelled:
        verdict = grader(row["gold"], row["pred"])
        if bool(verdict) is not row["expected"] or verdict is None:
            yield row, verdict


def counts(errors: list[tuple[Row, bool | None]], labelled: list[Row]) -> str:
    """False yes and false no of those that could be either, in words."""
    yes = sum(not row["expected"] and bool(verdict) for row, verdict in errors)
    no = sum(row["expected"] and not verdict for row, verdict in errors)
    different = sum(not row["expected"] for row in labelled)
    same = len(labelled) - different
    return f"{yes} of {different} ({100 * yes / different:.1f} %) | {no} of {same} ({100 * no / same:.1f} %)"


def median(labelled: list[Row]) -> float:
    """Seconds of the median comparison in this process, without those that need the worker."""
    from reasonflux_agent.verify.grading import answers

    spent = []
    for row in labelled:
        started = time.perf_counter()
        if answers.compare(answers.normal(row["gold"]), answers.normal(row["pred"])) is not None:
            spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def main() -> None:
    """Print the table."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", type=Path)
    reader.add_argument("--by-kind", action="store_true", help="add our errors by kind")
    reader.add_argument("--wrong", action="store_true", help="add every pair that we get wrong")
    reader.add_argument("--ours", action="store_true", help="leave Math-Verify out")
    wanted = reader.parse_args()
    logging.disable()
    print("| pairs | grader | false yes | false no | median ms |\n| --- | --- | --- | --- | --- |")
    details = []
    for name in SETS:
        labelled = rows(wanted.data, name)
        for grader, judge in GRADERS.items():
            if wanted.ours and judge is not ours:
                continue
            errors = list(wrong(judge, labelled))
            milliseconds = f"{1000 * median(labelled):.2f}" if judge is ours else ""
            print(f"| {name} ({len(labelled)}) | {grader} | {counts(errors, labelled)} | {milliseconds} |", flush=True)
            if judge is ours:
                details += [(name, row, verdict) for row, verdict in errors]
    for outcome, count in pool.outcomes.most_common():
        print(f"worker: {count} {outcome}")
    if wanted.by_kind:
        kinds = Counter((name, row.get("kind", row["suite"]), bool(verdict)) for name, row, verdict in details)
        for (name, kind, yes), count in kinds.most_common():
            print(f"{name}: {kind}: {count} false {'yes' if yes else 'no'}")
    if wanted.wrong:
        for name, row, verdict in details:
            print(name, row.get("kind", row["suite"]), repr(row["gold"]), repr(row["pred"]), verdict, sep="\t")


if __name__ == "__main__":
    main()
