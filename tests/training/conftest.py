"""The builders are scripts: their folder is put on the path, as Python does when it runs one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.testing import FakeModel, Respond, mathematician

CHECKOUT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden")
sys.path.insert(0, str(CHECKOUT / "training" / "data"))


LIBRARY = {
    "Arithmetic": {
        "Sums": [
            {
                "template_name": "Adding up",
                "template_type": "Method",
                "knowledge_tag": ["addition"],
                "description": "Adding two or more integers.",
                "application_scenario": ["sums of integers"],
                "reason_flow": ["Collect the integers", "Add them one by one"],
                "example_application": {"example_problem": "What is 1 plus 2?", "solution_steps": ["1 + 2 = 3"], "answer": "3"},
            },
            {"template_name": "Bare", "template_type": "Method", "reason_flow": ["Think"]},
        ]
    }
}
GOLD = [
    {"id": "seven", "problem": "What is 3 plus 4?", "answer": "7"},
    {"id": "fifteen", "problem": "What is 10 plus 5?", "answer": "15"},
    {"id": "odd", "problem": "What is 20 plus 1?", "answer": "999"},
]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.json"
    path.write_text(json.dumps(LIBRARY))
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "gold.jsonl", GOLD)


@pytest.fixture
def solve(tmp_path: Path, library: Path) -> Callable[..., Path]:
    """Runs the real graph with a fake model; returns the folder of the records."""

    def run(*problems: str, respond: Respond = mathematician, **context: Any) -> Path:
        flux = ReasonFlux(FakeModel(respond=respond), library=str(library), record=tmp_path / "records", **context)
        for problem in problems:
            flux.solve(problem)
        return tmp_path / "records"

    return run


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def assert_golden(name: str, rows: Any) -> None:
    """Rows are those of the golden file; with UPDATE_GOLDEN=1 they become it, to be read in the diff."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    assert rows == read(path)


def left(folder: Path, *but: str) -> set[str]:
    """Names of the files in a folder."""
    return {path.name for path in folder.iterdir() if path.name not in but} if folder.is_dir() else set()
