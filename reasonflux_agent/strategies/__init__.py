"""Strategies: ways to solve behind one input and output; and what an author of one needs.

A strategy builds the graph of one *attempt*: it takes a `state.Attempt` (problem, sample number, budget) and hands back
`state.Attempted` (candidates, usage). Drafts, voting, limits and the Solution are the same for all of them (graph.py).
Register one with the hook `register_strategies` (examples/plugin), or pass the builder as `create_reasonflux(strategy=...)`.

- `sequence(parts, first, second)`: the graph of an attempt whose nodes run one after another;
- a node is `async def first(state, run)` and returns an update of the state, mostly `{"candidates": [...]}`;
- `run.ask(prompt, ...)` asks a model, `solve(run, ...)` asks the solver and runs its programs, `programmed(run, problem)` has a
  program compute the answer, `candidate(run, source, problem, text)` makes a candidate of a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langgraph.graph import StateGraph

from reasonflux_agent.node import Node as Node
from reasonflux_agent.node import add_router as add_router
from reasonflux_agent.node import sequence as sequence
from reasonflux_agent.parts import Parts as Parts
from reasonflux_agent.run import Run as Run
from reasonflux_agent.state import Attempt as Attempt
from reasonflux_agent.state import Attempted as Attempted
from reasonflux_agent.state import Trajectory as Trajectory
from reasonflux_agent.strategies.candidates import candidate as candidate
from reasonflux_agent.strategies.candidates import programmed as programmed
from reasonflux_agent.strategies.candidates import solve as solve
from reasonflux_agent.strategies.direct import direct
from reasonflux_agent.strategies.navigator import navigator
from reasonflux_agent.strategies.original import original
from reasonflux_agent.strategies.program import program
from reasonflux_agent.strategies.propose import propose
from reasonflux_agent.strategies.recall import recall

Builder = Callable[[Parts], StateGraph[Any, Any, Any, Any]]
"""Builds the uncompiled graph of one attempt."""

BUILTIN: dict[str, Builder] = {
    "navigator": navigator,
    "original": original,
    "direct": direct,
    "propose": propose,
    "recall": recall,
    "program": program,
}
