"""The structured content of the MCP server's tools: short, since clients put it into their model's context."""

from __future__ import annotations

from pydantic import BaseModel

from reasonflux_agent.schema import Certainty, Solution, Status


class Reasoned(BaseModel):
    """What `reason` found: the answer and how sure it is. The work is the text."""

    answer: str | None
    certainty: Certainty
    verdict: str
    status: Status
    support: int
    solutions: int
    calls: int
    tokens: int

    @classmethod
    def of(cls, solution: Solution) -> Reasoned:
        """Return what of a Solution is told."""
        spent = {"calls": solution.total.calls, "tokens": solution.total.tokens}
        return cls(**spent, **{name: getattr(solution, name) for name in cls.model_fields.keys() - spent.keys()})


class FoundTemplate(BaseModel):
    """A template, and the resource that holds it."""

    id: str
    name: str
    uri: str


class Found(BaseModel):
    """What `search_templates` found, best first. What the templates say is the text."""

    templates: list[FoundTemplate]


class Checked(BaseModel):
    """What `check_answer` found: whether the answer holds (null: nothing can be said), and verifier -> passed."""

    holds: bool | None
    checks: dict[str, bool]
