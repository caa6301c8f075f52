"""Importing the package is light, and what it offers is there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import reasonflux_agent

EXTRAS = {"torch", "faiss", "transformers", "sentence_transformers", "wordllama", "xllamacpp"}
EXTRAS |= {"starlette", "uvicorn", "prometheus_client", "datasets"}
HEAVY = EXTRAS | {"langgraph", "langchain", "langchain_core", "langchain_openai", "openai", "numpy", "pydantic_monty"}
HEAVY |= {"sympy", "math_verify", "typer", "rich"}


def loaded(code: str) -> set[str]:
    """First names of the modules that a new process has loaded after `code`."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import reasonflux_agent") & HEAVY == set()


@pytest.mark.parametrize("name", ["Context", "Solution", "Template", "ReasonFluxError"])
def test_the_plain_values_need_no_framework(name: str) -> None:
    assert loaded(f"from reasonflux_agent import {name}") & HEAVY == set()


def test_solving_needs_no_extra() -> None:
    """What an installation without extras lacks is not imported to build the graph."""
    slow = EXTRAS | {"sympy", "math_verify"}  # the latter two come with every installation, but take seconds to load
    assert loaded("from reasonflux_agent import ReasonFlux, create_reasonflux; create_reasonflux()") & slow == set()


@pytest.mark.parametrize("name", reasonflux_agent.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(reasonflux_agent, name) is not None
    assert name in dir(reasonflux_agent)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'reasonflux_agent' has no attribute 'Nonsense'"):
        _ = reasonflux_agent.Nonsense
