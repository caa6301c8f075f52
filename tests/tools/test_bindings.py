"""The bindings in tools/: ready to load, bound to the settings of the environment, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reasonflux_agent.testing import serve_fake

CHECKOUT = Path(__file__).parents[2]


def run(program: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=CHECKOUT,
        env=os.environ | env,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_reason_uses_the_models_and_the_effort_of_the_environment() -> None:
    prompts: list[str] = []

    def respond(prompt: str) -> str:
        prompts.append(prompt)
        return "\\boxed{7}"

    program = "from tools.reason import reason; print(reason.invoke({'problem': 'What is 3 + 4?'}))"
    with serve_fake(respond) as url:
        out = run(
            program,
            REASONFLUX_SOLVER=f"vllm:fake@{url}",
            REASONFLUX_NAVIGATOR=f"vllm:fake@{url}",
            REASONFLUX_DIRECT_SAMPLES="1",
            REASONFLUX_TRAJECTORIES="0",
        )
    assert "Answer: 7 (single" in out
    assert len(prompts) == 1


def test_templates_are_those_of_the_built_in_library() -> None:
    program = "from tools.templates import search_templates as s; print(s.invoke({'query': 'remainder of a large power'}))"
    assert run(program).startswith("Template: ")


def test_check_needs_no_settings() -> None:
    program = "from tools.check import check_answer as c; print(c.invoke({'problem': 'Solve x = 5 for x.', 'answer': '5'}))"
    assert run(program).startswith("yes: ")


@pytest.mark.parametrize("path", sorted((CHECKOUT / "tools").glob("*.py")), ids=lambda path: path.stem)
def test_a_binding_is_no_behaviour(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 40
    assert not any(word in source for word in ("def ", "class "))
