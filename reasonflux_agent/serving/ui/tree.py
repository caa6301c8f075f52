"""A record's lines as a tree: attempts and drafts, their trajectories, the steps, what was tried at each. No I/O, no HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from reasonflux_agent.runs.record import Record

JSON = dict[str, Any]
TOKENS = {"prompt": "prompt_tokens", "cached": "cached_tokens", "output": "completion_tokens"}
"""Kind of tokens -> the field of a call's reply that counts them."""


@dataclass
class Try:
    """A result of a step, what was run for it, and what was said of it."""

    result: JSON
    """A `schema.StepResult` as a dict."""
    programs: list[JSON]
    """`program` events before it: code, output, error."""
    verdicts: list[JSON] = field(default_factory=list)
    """`review` and `decision` events after it."""


@dataclass
class Trajectory:
    """A plan as it stood last, and the work on it."""

    plan: JSON
    """A `schema.Plan` as a dict."""
    tries: dict[int, list[Try]] = field(default_factory=dict)
    """Index of a step -> its results; of step n alone, if one reply carried out all steps up to it."""
    decisions: list[JSON] = field(default_factory=list)
    """What a person decided about the plan."""


@dataclass
class Branch:
    """An attempt or a draft."""

    unit: str
    """The task of the graph that it is, `attempt:ID`; in records of old its kind alone."""
    key: str
    """The same for the same branch, whenever the record is read."""
    name: str
    trajectories: list[Trajectory] = field(default_factory=list)
    """The last one is the one in force; those before it were replaced."""
    programs: list[JSON] = field(default_factory=list)
    """Those that belong to no step."""
    candidates: list[JSON] = field(default_factory=list)
    unparsed: list[JSON] = field(default_factory=list)
    """Replies that could not be read."""


def branches(record: Record) -> list[Branch]:
    """The branches of a run, in the order in which they began."""
    lines: dict[str, list[JSON]] = {}
    for line in record.lines:
        if key := _key(line):
            lines.setdefault(key, []).append(line)
    count: dict[str, int] = {}
    found = []
    for key, own in lines.items():
        kind = "Draft" if key.startswith("draft") else "Attempt"
        count[kind] = count.get(kind, 0) + 1
        found.append(_grow(Branch(key, f"{kind.lower()}-{count[kind]}", f"{kind} {count[kind]}"), own))
    return found


def _key(line: JSON) -> str:
    """The branch that a line belongs to; empty for those of the run itself."""
    unit = next((part for part in line.get("task", "").split("|") if part.startswith(("attempt:", "draft:"))), "")
    if unit or line.get("task"):
        return unit
    # records of old have no tasks
    return "draft" if line.get("node") == "draft" else "attempt" if line["type"] not in ("begin", "solution") else ""


def _grow(branch: Branch, lines: Iterable[JSON]) -> Branch:
    replaced, latest = False, None
    for line in lines:
        last = branch.trajectories[-1] if branch.trajectories else None
        match line["type"]:
            case "plan" | "templates" | "refined":
                if last is None or replaced:
                    branch.trajectories.append(Trajectory(line["plan"]))
                    latest = None
                else:
                    last.plan = line["plan"]
                replaced = False
            case "program":
                branch.programs.append(line)
            case "step":
                if last is None:
                    branch.trajectories.append(last := Trajectory({"abstraction": "", "steps": []}))
                latest = Try(line["result"], branch.programs)
                last.tries.setdefault(latest.result["index"], []).append(latest)
                branch.programs = []
            case "review" | "decision" if last:
                (latest.verdicts if latest else last.decisions).append(line)
                verdict = line.get("review", {}).get("verdict") or line.get("decision", {}).get("action")
                replaced = verdict in ("replace", "edit")
            case "candidate":
                branch.candidates.append(line)
            case "unparsed":
                branch.unparsed.append(line)
    return branch


def usage(record: Record) -> dict[str, JSON]:
    """Node -> sums over its model calls, the failed ones too: calls, tokens (`TOKENS`), seconds."""
    nodes: dict[str, JSON] = {}
    for call in record.calls:
        reply = call.get("reply", {})
        row = nodes.setdefault(call["node"], {"calls": 0, "prompt": 0, "cached": 0, "output": 0, "seconds": 0.0})
        row["calls"] += 1
        row["seconds"] += call["seconds"]
        for name, counted in TOKENS.items():
            row[name] += reply.get(counted) or 0
    return nodes
