"""Kinds of answers that graders confuse, or fail to know again: the two tables beside this file, and the labelled pairs."""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path

import pytest

from reasonflux_agent.verify import grading
from reasonflux_agent.verify.grading import pool
from tests.grading import against_dev
from tests.grading.reasons import NOISE, POLICY

HERE = Path(__file__).parent
MOST = {"pairs": (0.025, 0.25), "variants": (0.002, 0.05), "nonmath": (0.01, 0.10)}
"""The most false yes and false no of each set. Those of the first must each have a reason."""


def pairs(name: str) -> list[tuple[str, str]]:
    lines = (HERE / name).read_text("utf-8").splitlines()[1:]
    return [(a, b) for a, b in (line.split(" || ") for line in lines)]


@pytest.mark.parametrize(("a", "b"), pairs("different.txt"))
def test_different(a: str, b: str) -> None:
    assert grading.judged(a, b, seconds=30) is False  # None: the worker failed
    assert grading.judged(b, a, seconds=30) is False


@pytest.mark.parametrize(("a", "b"), pairs("same.txt"))
def test_same(a: str, b: str) -> None:
    a, b = (re.sub(r"\\n(?![a-z])", "\n", text) for text in (a, b))
    assert grading.judged(a, b, seconds=30) is True
    assert grading.judged(b, a, seconds=30) is True


@pytest.mark.parametrize("name", against_dev.SETS)
def test_errors_on_labelled_pairs(data: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    labelled = against_dev.rows(data / "grading", name)
    failed = [outcome for outcome in pool.outcomes if outcome.startswith("failed")]
    errors = list(against_dev.wrong(against_dev.ours, labelled))
    with capsys.disabled():
        print(f"\n{name}: {against_dev.counts(errors, labelled)}")
    yes = sum(not row["expected"] for row, _ in errors)
    no = len(errors) - yes
    different = sum(not row["expected"] for row in labelled)
    assert yes <= MOST[name][0] * different
    assert no <= MOST[name][1] * (len(labelled) - different)
    assert [outcome for outcome in pool.outcomes if outcome.startswith("failed")] == failed


def test_every_error_on_other_graders_pairs_has_a_reason(data: Path) -> None:
    labelled = against_dev.rows(data / "grading", "pairs")
    known = {digest for digests in (POLICY | NOISE).values() for digest in digests.split()}
    wrong = [row for row, _ in against_dev.wrong(against_dev.ours, labelled)]
    assert [(against_dev.digest(row), row["gold"], row["pred"]) for row in wrong if against_dev.digest(row) not in known] == []


def squares() -> float:
    """Seconds of work that takes about a millisecond on an idle core: the measure, since cores differ and are shared."""
    started = time.perf_counter()
    sum(number * number for number in range(20_000))
    return time.perf_counter() - started


def test_a_comparison_in_this_process_takes_no_longer_than_twenty_thousand_squares(data: Path) -> None:
    for name in against_dev.SETS:
        measure = statistics.median(squares() for _ in range(50))
        assert against_dev.median(against_dev.rows(data / "grading", name)) < measure
