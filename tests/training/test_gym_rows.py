"""Training rows of reasoning-gym's families at other difficulties."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gym_rows
import pytest

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import load

EASY = "chain_sum:min_terms=2,max_terms=2,min_digits=1,max_digits=1"


def made(path: Path, *words: str) -> list[dict[str, Any]]:
    gym_rows.main([*words, "--out", str(path)])
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_families_take_turns_at_the_difficulty_that_was_asked_for(tmp_path: Path) -> None:
    rows = made(tmp_path / "rows.jsonl", EASY, "gcd", "--rows", "4", "--seed", "7000")
    assert [row["group"] for row in rows] == ["chain_sum", "gcd"] * 4
    assert rows[0]["id"] == "chain_sum/7000"
    assert all(abs(int(row["answer"])) <= 18 for row in rows[::2])
    assert all(item.score(f"{item.answer}.0") for item in load(str(tmp_path / "rows.jsonl")))
    assert made(tmp_path / "again.jsonl", EASY, "gcd", "--rows", "4", "--seed", "7000") == rows


def test_a_second_set_has_no_problem_of_the_first(tmp_path: Path) -> None:
    """Two digits leave so few sums that other numbers alone would make the same texts."""
    first = made(tmp_path / "first.jsonl", EASY, "--rows", "60")
    second = made(tmp_path / "second.jsonl", EASY, "--rows", "60", "--seed", "9000", "--without", str(tmp_path / "first.jsonl"))
    texts = [row["problem"] for row in first + second]
    assert len(texts) == len(set(texts)) == 120


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no family 'nothing'.*chain_sum"),
        (["chain_sum:colour=3"], "colour"),
        (["chain_sum:min_terms=two"], "chain_sum:min_terms=two"),
        (["chain_sum:min_terms=5,max_terms=2"], "max_terms"),
        ([EASY, "--rows", "4000"], "different problems"),
    ],
)
def test_what_cannot_be_made_is_said_before_a_file_is_written(tmp_path: Path, words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(tmp_path / "rows.jsonl", "--rows", "3", *words)
    assert not (tmp_path / "rows.jsonl").exists()
