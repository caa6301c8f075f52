"""The values that pass between the parts: plain pydantic models, no I/O.

Notation of the paper (arXiv 2502.06772): problem x, abstraction a(x), trajectory T = (s_1 ... s_n), templates T_rag,
instantiated step s^_i, review delta_i.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema


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
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Of a learned template: where it comes from and what it was shown to do (docs/learning.md); of others empty."""


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

    def cut(self, count: int) -> Plan:
        """Return the plan with its first `count` steps."""
        return self.model_copy(update={"steps": self.steps[:count]})


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

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Usage:
        """Return the usage in a row that has these fields among others."""
        return cls(**{name: row[name] for name in cls.model_fields})

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


class Candidate(Value):
    """One complete solution, whichever way it was made; what voting counts."""

    source: str
    """What made it: `draft`, `program`, or the strategy."""
    attempt: str = ""
    """The draft or attempt that it comes from. Two candidates of one attempt (a reply and its redo) are not independent."""
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


def independent(candidates: Iterable[Candidate]) -> int:
    """Return how many drafts and attempts made these candidates. Records of older versions tell only the source."""
    return len({candidate.attempt or candidate.source for candidate in candidates})


PROOF = "substitution"
"""The check that proves an answer: it is put back into the problem, and holds."""

Status = Literal["answered", "exhausted", "unanswered"]
Certainty = Literal["proven", "agreed", "single", "none"]


class Solution(Value):
    """What a run returns. `str()` of it is what a person reads, and notebooks show it as Markdown."""

    problem: str
    answer: str | None
    """The final answer, as the winning candidate wrote it (LaTeX or plain); None if no candidate held one."""
    text: str
    """The winning candidate's whole text."""
    status: Status
    """`answered`: within its limits; `exhausted`: a limit was hit, this is the best so far; `unanswered`: no answer found."""
    certainty: Certainty = "none"
    """`proven`: a check proves the answer; `agreed`: independent solutions state it; `single`: one does; `none`: no answer."""
    reason: str = ""
    """Why the run ended, in words."""
    strategy: str = "navigator"
    plan: Plan = Plan()
    """The trajectory behind the answer; without steps if no planned attempt states the answer. Where a worked example took its
    place in the solver's prompt, the record says so (`StepDone.planned`)."""
    results: tuple[StepResult, ...] = ()
    reviews: tuple[Review, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    support: int = 0
    """Independent solutions (drafts and attempts) that state the answer."""
    solutions: int = 0
    """Independent solutions that state an answer at all."""
    votes: float = 0.0
    """Share of the total weight that stands behind the answer, 0 to 1."""
    usage: dict[str, Usage] = Field(default_factory=dict)
    """Per node."""
    run: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    """Id of the run, and name of its record. JSON of a Solution leaves it out: the event or state around it has it."""

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_version(cls, given: Any) -> Any:
        """Read a Solution of an older version, which had no certainty: answers with the same text count as equal."""
        if not isinstance(given, dict) or "certainty" in given:
            return given
        given = {**given, "status": "answered" if given.get("status") == "solved" else given.get("status")}
        given["plan"] = given.get("plan") or Plan()
        rows = [Candidate.model_validate(row) for row in given.get("candidates") or ()]
        return given | how_sure(rows, [row for row in rows if row.answer == given.get("answer")])

    @property
    def verdict(self) -> str:
        """How sure the answer is, in words, and which verifiers its text fails."""
        count = f"{self.support} of {self.solutions} solutions"
        said = {
            "proven": f"proven by {PROOF}",
            "agreed": f"agreed: {count}",
            "single": "single: one solution, nothing confirms it"
            if self.solutions < 2
            else f"single: {count}, the others differ",
            "none": "no solution states an answer",
        }[self.certainty]
        checks = next((c.checks for c in self.candidates if (c.text, c.answer) == (self.text, self.answer)), {})
        failed = ", ".join(name for name, passed in checks.items() if not passed) if self.answer is not None else ""
        said += f", though its text fails the check: {failed}" if failed else ""
        return f"{said}; cut short: {self.reason}" if self.status == "exhausted" else said

    def __str__(self) -> str:
        answer = "none found" if self.answer is None else self.answer
        return f"{self.text}\n\nAnswer: {answer} ({self.verdict})".strip()

    def _repr_markdown_(self) -> str:
        answer = "none found" if self.answer is None else self.answer
        if re.search(r"[\\^_]", answer) and "$" not in answer:
            answer = f"${answer}$"
        text = re.sub(r"\\[()]", "$", re.sub(r"\\[\[\]]", "$$", self.text))
        return f"{text}\n\n**Answer:** {answer}\n\n*{self.verdict}*"

    @property
    def total(self) -> Usage:
        """The usage of all nodes together."""
        return sum(self.usage.values(), Usage())

    @property
    def templates(self) -> tuple[str, ...]:
        """Ids of the templates that the trajectory used, in order, each once."""
        return tuple(dict.fromkeys(i for step in self.plan.steps for i in step.templates))


def how_sure(candidates: Sequence[Candidate], agreeing: Sequence[Candidate]) -> dict[str, Any]:
    """Return the fields of a Solution that say how sure it is; the candidates `agreeing` state its answer."""
    agreeing = [candidate for candidate in agreeing if candidate.answer is not None]
    support, certainty = independent(agreeing), "none"
    if agreeing:
        proven = any(candidate.checks.get(PROOF) for candidate in agreeing)
        certainty = "proven" if proven else "agreed" if support > 1 else "single"
    return {"certainty": certainty, "support": support, "solutions": independent(c for c in candidates if c.answer is not None)}
