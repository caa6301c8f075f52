"""False alarms and false proofs on gold solutions: a fast part of what measure.py measures."""

from __future__ import annotations

import pytest

from reasonflux_agent.verify.verifiers import VERIFIERS
from tests.verifiers import measure

data = pytest.mark.skipif(not measure.DATA.is_dir(), reason="needs the training rows")


@data
@pytest.mark.parametrize("source", measure.SOURCES)
def test_few_gold_solutions_raise_a_false_alarm(source: str) -> None:
    """Those of the arithmetic are slips of the gold texts, but for very few."""
    counts = measure.alarms(measure.rows(source, 600))
    assert counts["arithmetic"][False] <= counts["arithmetic"][True] / 80
    assert [counts[name][False] for name in ("not_repeating", "range", "substitution")] == [0, 0, 0]


@data
def test_no_wrong_answer_is_proven() -> None:
    read = measure.rows("math_train", 800)
    refused, _, proved = measure.proofs(read)
    assert proved == []
    assert refused > 30
    assert measure.alarms(read)["substitution"][True] > 5


def test_a_rightly_rounded_quotient_is_not_false() -> None:
    assert [text for text in measure.rounded(1_000) if VERIFIERS["arithmetic"]("", text, None) is not True] == []


@data
def test_wrong_equalities_are_found() -> None:
    read = measure.rows("gsm8k_train", 200)
    changed = [(row, text) for row in read for text in measure.miscounted(row["solution"])]
    found = sum(measure.said("arithmetic", row, text=text) is False for row, text in changed)
    assert found > len(changed) / 2
