"""The hooks that a plugin may implement. Each is handed a `register` callable.

Chat models, embeddings, retrievers and tools need no hook: they plug in as the LangChain classes that they are.
"""

from collections.abc import Callable
from typing import Any

from pluggy import HookimplMarker, HookspecMarker

hookspec = HookspecMarker("reasonflux_agent")
hookimpl = HookimplMarker("reasonflux_agent")

Register = Callable[[str, Any], None]
"""`register(name, value)`; a name that is taken already is an error naming both plugins."""


@hookspec
def register_libraries(register: Register) -> None:
    """`register("name", loader)`: loader() -> TemplateLibrary, called when the library is first asked for."""


@hookspec
def register_strategies(register: Register) -> None:
    """`register("name", builder)`: builder(Parts) -> StateGraph (see strategies/__init__.py)."""


@hookspec
def register_verifiers(register: Register) -> None:
    """`register("name", verify)`: verify(problem, text, answer) -> True, False (or what is wrong), None: does not apply."""


@hookspec
def register_scorers(register: Register) -> None:
    """`register("name", score)`: score(row, answer) -> float, for tasks with many right answers; right only at 1.0."""


@hookspec
def register_benchmarks(register: Register) -> None:
    """`register("name", Benchmark(...))`: a data set of problems with answers (see jobs/evaluation/benchmarks.py)."""
