"""The examples in the docstrings of what people call."""

from __future__ import annotations

import doctest
import importlib

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
