"""A run's events as a tree: attempts and drafts, their trajectories, the steps, what was tried at each. No I/O, no HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reasonflux_agent import events
from reasonflux_agent.runs.record import Record
from reasonflux_agent.schema import Plan, StepResult, Usage


@dataclass
class Try:
    """A result of a step, what was run for it, and what was said of it."""

    result: StepResult
    programs: list[events.ProgramRun]
    verdicts: list[events.Reviewed | events.Decided] = field(default_factory=list)


@dataclass
class TrajectoryView:
    """A plan in its last form, and the work on it."""

    plan: Plan
    tries: dict[int, list[Try]] = field(default_factory=dict)
    """Index of a step -> its results; only of step n, if one reply carried out all steps up to it."""
    decisions: list[events.Reviewed | events.Decided] = field(default_factory=list)
    """What a person decided about the plan."""


@dataclass
class Branch:
    """An attempt or a draft."""

    attempt: str
    """Its name in the events: `draft 0`, `attempt 2`."""
    trajectories: list[TrajectoryView] = field(default_factory=list)
    """The last one is in force; those before it were replaced."""
    programs: list[events.ProgramRun] = field(default_factory=list)
    """Those that belong to no step."""
    candidates: list[events.CandidateMade] = field(default_factory=list)
    unparsed: list[events.Unparsed] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its id on the page."""
        return self.attempt.replace(" ", "-") or "attempt"


def branches(record: Record) -> list[Branch]:
    """Return the branches of a run: drafts, then attempts, each in the order of their numbers."""
    found = [_grow(Branch(attempt), told) for attempt, told in record.attempts.items()]
    return sorted(found, key=lambda branch: (not branch.attempt.startswith("draft"), len(branch.attempt), branch.attempt))


def _grow(branch: Branch, told: Iterable[events.AnyEvent]) -> Branch:
    replaced, latest = False, None
    for event in told:
        last = branch.trajectories[-1] if branch.trajectories else None
        match event:
            case events.PlanDrawn(plan=plan) | events.TemplatesFound(plan=plan) | events.PlanRefined(plan=plan):
                if last is None or replaced:
                    branch.trajectories.append(TrajectoryView(plan))
                    latest = None
                else:
                    last.plan = plan
                replaced = False
            case events.ProgramRun():
                branch.programs.append(event)
            case events.StepDone(result=result):
                if last is None:
                    branch.trajectories.append(last := TrajectoryView(Plan()))
                latest = Try(result, branch.programs)
                last.tries.setdefault(result.index, []).append(latest)
                branch.programs = []
            case events.Reviewed() | events.Decided() if last:
                (latest.verdicts if latest else last.decisions).append(event)
                said = event.review.verdict if isinstance(event, events.Reviewed) else event.decision["action"]
                replaced = said in ("replace", "edit")
            case events.CandidateMade():
                branch.candidates.append(event)
            case events.Unparsed():
                branch.unparsed.append(event)
    return branch


def usage(record: Record) -> dict[str, Usage]:
    """Return the sums over the model calls of each node, the failed calls too."""
    nodes: dict[str, Usage] = {}
    for call in record.calls:
        spent = Usage(calls=1, seconds=call.seconds)
        if reply := call.reply:
            spent += Usage(
                prompt_tokens=reply.prompt_tokens,
                cached_tokens=reply.cached_tokens,
                completion_tokens=reply.completion_tokens,
            )
        nodes[call.node] = nodes.get(call.node, Usage()) + spent
    return nodes
