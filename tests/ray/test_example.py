"""examples/batch_on_ray.py as it stands, on a cluster and without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reasonflux_agent.testing import serve_fake
from tests.batch.test_runner import rows_of, sums, written
from tests.ray.nodes import head

pytestmark = pytest.mark.skipif(not os.environ.get("REASONFLUX_TEST_RAY"), reason="REASONFLUX_TEST_RAY is not set")
PROGRAM = Path(__file__).parents[2] / "examples" / "batch_on_ray.py"


def run(*arguments: str | Path) -> str:
    done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_solves_a_file_and_goes_on(home: Path, tmp_path: Path) -> None:
    rows = sums(12)
    problems, answers = written(tmp_path / "problems.jsonl", rows[:8]), tmp_path / "answers.jsonl"
    with serve_fake() as url:
        model = f"vllm:fake@{url}"
        with head(home) as node:
            assert run(problems, answers, model, node.address).startswith("8 rows, ")
        written(problems, [*rows, {"problem": 7}])
        said = run(problems, answers, model).splitlines()  # Ray on this machine alone
    assert said[0].startswith("13 rows, ")
    assert said[0].endswith(" tokens, 1 failed")
    assert "problem" in said[1]
    assert {row["id"]: row["answer"] for row in rows_of(answers) if row["answer"]} == {f"s{n}": str(n + 3) for n in range(12)}
