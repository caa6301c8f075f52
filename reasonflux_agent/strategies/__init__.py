"""Ways to solve behind one input and output.

A strategy builds the graph of one *attempt*: it takes a `state.Attempt` (problem, sample number, budget) and hands back
`state.Attempted` (candidates, usage). Drafts, voting, limits and the Solution are the same for all of them (graph.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langgraph.graph import StateGraph

from reasonflux_agent.parts import Parts
from reasonflux_agent.strategies.direct import direct
from reasonflux_agent.strategies.navigator import navigator
from reasonflux_agent.strategies.original import original
from reasonflux_agent.strategies.propose import propose

Builder = Callable[[Parts], StateGraph[Any, Any, Any, Any]]
"""Builds the uncompiled graph of one attempt."""

BUILTIN: dict[str, Builder] = {"navigator": navigator, "original": original, "direct": direct, "propose": propose}
