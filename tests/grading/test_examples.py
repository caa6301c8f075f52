"""The examples in the docstrings of what people call, and in docs/grading.md."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["grading", "grading.extraction", "programs", "verifiers"])
def test_the_examples_are_true(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"reasonflux_agent.verify.{module}"))
    assert found.attempted
    assert not found.failed


def test_the_room_exports_what_people_call() -> None:
    from reasonflux_agent import verify

    assert {"equivalent", "extract_answer", "grade", "run_program", "run_verifiers", "Verifier"} <= set(dir(verify))
    assert all(getattr(verify, name) for name in dir(verify))


def test_the_examples_of_the_page_are_true() -> None:
    page = Path(__file__).parents[2] / "docs" / "grading.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    test = doctest.DocTestParser().get_doctest(block, {}, page.name, None, None)
    assert test.examples
    assert not doctest.DocTestRunner().run(test).failed
