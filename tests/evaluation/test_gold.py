"""The grader accepts every gold answer as a model would state it: in a box, and in another common spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonflux_agent.jobs.evaluation.benchmarks import load
from reasonflux_agent.jobs.evaluation.solving import judged
from reasonflux_agent.verify.grading import extract_answer
from tests.evaluation.test_benchmarks import DEV

RESPELLED = [(r"\frac", r"\dfrac"), (r"\left(", "("), (r"\right)", ")"), ("(", r"\left("), (")", r"\right)"), (", ", ",")]


@pytest.mark.parametrize("name", DEV)
async def test_gold_verifies_gold(data: Path, name: str) -> None:
    wrong = []
    for item in load(name, data / "benchmarks"):
        stated = item.answer.strip("$")
        for old, new in RESPELLED:
            stated = stated.replace(old, new)
        replies = [f"Thus the answer is $\\boxed{{{item.answer}}}$.", f"So \\[\\boxed{{{stated}}}\\]"]
        if item.unit:
            replies.append(f"It is $\\boxed{{{item.answer}}}$ {item.unit}.")
        wrong += [(item.id, reply) for reply in replies if not await judged(extract_answer(reply), item)]
    assert wrong == []
