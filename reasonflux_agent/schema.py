"""The values that pass between the parts: plain pydantic models, no I/O.

Notation of the paper (arXiv 2502.06772): problem x, abstraction a(x), trajectory T = (s_1 ... s_n), templates T_rag,
instantiated step s^_i, review delta_i.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Value(BaseModel):
    """Base of all values: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Example(Value):
    """A worked example of a template."""

    problem: str
    steps: tuple[str, ...] = ()
    answer: str = ""
    """The final answer alone; empty where a published example does not state it apart."""


class Template(Value):
    """A thought template (paper, section 3.1): T = (name, tags, description, scope, flow, example)."""

    id: str
    """Unique in its library: `chapter/section/name` as slugs."""
    name: str
    kind: str = "Method"
    tags: tuple[str, ...] = ()
    description: str = ""
    scenario: tuple[str, ...] = ()
    flow: tuple[str, ...] = ()
    example: Example | None = None
    chapter: str = ""
    section: str = ""


class Step(Value):
    """One high-level step s_i of a trajectory."""

    purpose: str
    """What the step is to achieve, in one sentence."""
    query: str = ""
    """What to look up in the library for it; empty: nothing."""
    templates: tuple[str, ...] = ()
    """Ids of the templates that were found for it (T_rag), best first."""


class Plan(Value):
    """The trajectory T with the abstraction a(x) that it was drawn from."""

    abstraction: str = ""
    steps: tuple[Step, ...] = ()


class StepResult(Value):
    """A step carried out by the solver (s^_i)."""

    index: int
    text: str
    attempt: int = 1
    """1 for the first try, 2 for the first redo ..."""


Verdict = Literal["accept", "redo", "replace", "finish"]


class Review(Value):
    """The judgement delta_i of a step result: the navigator's, the checks' or a person's."""

    index: int
    """The step that was reviewed."""
    verdict: Verdict
    feedback: str = ""
    """For `redo`: what was wrong. For the others: a remark, or nothing; the solver is told that of a `replace` too."""
    steps: tuple[Step, ...] = ()
    """For `replace`: the new remainder of the trajectory."""


class Usage(Value):
    """What model calls cost: sums over calls."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """The part of `prompt_tokens` that the server took from its prefix cache."""
    completion_tokens: int = 0
    seconds: float = 0.0
    """Summed over calls, so parallel calls add up to more than the clock."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


class Candidate(Value):
    """One complete solution, whichever way it was made; what voting counts."""

    source: str
    """Who made it: `draft`, `program`, `navigator`, `original` ..."""
    text: str
    answer: str | None
    """The extracted final answer; None when the text holds none."""
    checks: dict[str, bool] = Field(default_factory=dict)
    """Name of each check that applied -> whether it passed."""
    logprob: float | None = None
    """Mean log-probability per token, where the server gives it."""
    truncated: bool = False
    plan: Plan | None = None
    results: tuple[StepResult, ...] = ()
    reviews: tuple[Review, ...] = ()


Status = Literal["solved", "exhausted", "unanswered"]


class Solution(Value):
    """What a run returns."""

    problem: str
    answer: str | None
    """The final answer, as the winning candidate wrote it (LaTeX or plain); None if no candidate held one."""
    text: str
    """The winning candidate's whole text."""
    status: Status
    """`solved`: within its limits; `exhausted`: a limit was hit, this is the best so far; `unanswered`: no answer found."""
    reason: str = ""
    """Why the run ended, in words."""
    strategy: str = "navigator"
    plan: Plan | None = None
    results: tuple[StepResult, ...] = ()
    reviews: tuple[Review, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    votes: float = 0.0
    """Share of the total weight that stands behind the answer, 0 to 1."""
    usage: dict[str, Usage] = Field(default_factory=dict)
    """Per node."""

    @property
    def total(self) -> Usage:
        """The usage of all nodes together."""
        return sum(self.usage.values(), Usage())

    @property
    def templates(self) -> tuple[str, ...]:
        """Ids of the templates that the trajectory used, in order, each once."""
        return tuple(dict.fromkeys(i for step in (self.plan.steps if self.plan else ()) for i in step.templates))
