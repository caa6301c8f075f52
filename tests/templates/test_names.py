"""What `reasonflux_agent.templates` offers, and the examples in its docstrings."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from reasonflux_agent import templates


@pytest.mark.parametrize("name", templates.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(templates, name) is not None
    assert name in dir(templates)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'reasonflux_agent\.templates' has no attribute 'Nonsense'"):
        _ = templates.Nonsense


def test_a_library_alone_needs_neither_langchain_nor_numpy() -> None:
    code = (
        "import sys\n"
        "from reasonflux_agent.templates import TemplateLibrary, render_template\n"
        "print(len(render_template(TemplateLibrary.load('builtin').templates[0])) > 50)\n"
        "print(*({'langchain_core', 'numpy', 'faiss', 'sqlite3'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]


@pytest.mark.skipif(find_spec("wordllama") is None, reason="wordllama is not installed")
@pytest.mark.parametrize(("module", "examples"), [("library", 2), ("retriever", 5)])
def test_the_examples_of_the_docstrings_run(module: str, examples: int) -> None:
    done = doctest.testmod(import_module(f"reasonflux_agent.templates.{module}"))
    assert done == (0, examples)
