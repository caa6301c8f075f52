"""program: the solver writes a Python program, and what this prints is the answer; no plan and no template.

In an evaluation it is the control for worked programs: it shows what the interpreter alone gains.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from reasonflux_agent.node import sequence
from reasonflux_agent.parts import Parts
from reasonflux_agent.run import Run
from reasonflux_agent.strategies.candidates import programmed
from reasonflux_agent.strategies.direct import reason as reason_directly


def program(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of one attempt: one call; one more if the program fails."""
    return sequence(parts, reason)


async def reason(state: Any, run: Run) -> dict[str, Any]:
    """Solver: a program whose output is the answer; a text where programs may not run."""
    if not run.context.programs:
        return await reason_directly(state, run)
    # every second direct sample asks the same: another greedy call, or one of their seeds, would repeat them
    run.sample += run.context.setting.direct_samples // 2
    return {"candidates": [await programmed(run, state["problem"], sampled=run.sample > 0)]}
