"""docs/scale.md: its table says what its formulas and its one-liner give."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
THROUGHPUT = ((2500, 20000), (800, 4500))
"""Completion and prompt tokens a second and GPU: of the 7B model, and of the 32B one."""


def rows() -> list[list[str]]:
    lines = re.findall(r"^\| ((?:direct|medium|auto), .*) \|$", TEXT, re.MULTILINE)
    return [line.split(" | ") for line in lines]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_the_table_follows_from_the_formulas(row: list[str]) -> None:
    completion, prompt, calls = map(float, row[1:4])
    seconds = [completion / written + prompt / read for written, read in THROUGHPUT]
    hours = [1e6 * each / (gpus * 0.85) / 3600 for each in seconds for gpus in (8, 64, 512)]
    rate = 64 * 0.85 / seconds[0]
    found = [*hours, rate, rate * calls * 0.0065]
    assert row[4:] == [f"{value:.{len(cell.partition('.')[2])}f}" for value, cell in zip(found, row[4:], strict=True)]


def test_the_one_liner_gives_a_row_of_the_table() -> None:
    line = re.search(r'^python -c "(.*)"$', TEXT, re.MULTILINE)
    assert line
    said = subprocess.run([sys.executable, "-c", line[1]], capture_output=True, text=True, check=True).stdout
    row = next(row for row in rows() if row[0] == "medium, math500")
    assert said.strip() == f"{row[5]} hours, {row[10]} problems/s, {row[11]} cores"


def test_there_are_six_rows() -> None:
    assert len(rows()) == 6
