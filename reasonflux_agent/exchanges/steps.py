r"""Reading and writing of trajectories as numbered lines, with JSON understood too.

Inside JSON strings `\frac`, `\theta`, `\beta`, `\nabla` and `\rho` are legal escapes that destroy the formula, so lines are
what is asked for, and JSON that comes all the same is repaired before it is read.
"""

from __future__ import annotations

import json
import re
from typing import Any

from reasonflux_agent.exchanges import ParseError
from reasonflux_agent.schema import Plan, Step

# No pattern may run over line ends or try a run of blanks twice: a reply can be a megabyte of anything.
_LINE = re.compile(r"\s*(?:\*\*)?(?:Step\s*)?(\d{1,3})(?:\*\*)?\s*[.):](.*)", re.I)
_FIND = re.compile(r"\|\s*(?:\*\*)?find\s*:?\s*(?:\*\*)?", re.I)
_KIND = re.compile(r"^[^\w\n]*(?:kind|abstraction|type)[^\w\n:]*:(.+)$", re.I | re.M)
_FENCE = re.compile(r"^[ \t]*```[\w-]*[ \t]*$", re.M)
# A backslash that begins a LaTeX command. Before a letter nobody means a backspace, a form feed or a return; a tab or a
# line break may be meant, so there the command must be known.
_LATEX = re.compile(
    r"\\\\|\\(?=[bfr][A-Za-z]"
    r"|t(?:anh?|au|bar|binom|frac|heta|herefore|hinspace|ilde|imes|op?|riangle\w*|ext[a-z]*)(?![a-z])"
    r"|n(?:abla|atural|e|earrow|eg|eq|exists|geq|gtr|leq|less|mid|ot|otin|parallel|prec|sim|subseteq|succ|u|warrow)(?![a-z])"
    r"|u(?![0-9a-fA-F]{4})|[^\"\\/bfnrtu])"
)


def write_steps(plan: Plan) -> str:
    """The lines that `read_plan` reads back."""
    lines = [f"Kind: {plan.abstraction}"] if plan.abstraction else []
    for number, step in enumerate(plan.steps, 1):
        lines.append(f"{number}. {step.purpose}" + (f" | find: {step.query}" if step.query else ""))
    return "\n".join(lines)


def read_plan(reply: str) -> Plan:
    """A plan from numbered lines or JSON. Raises ParseError if there is no step in it."""
    text = _unfence(reply)
    data = _json(text)
    plan = _from_lines(text) if data is None else _from_json(data)
    if not plan.steps:
        raise ParseError("it holds no numbered line: begin each step with its number and a full stop, one step a line.")
    return plan


def is_step(line: str) -> bool:
    """Whether `read_plan` takes the line for a numbered step."""
    return bool(_LINE.match(line))


def repair_json(text: str) -> str:
    """Doubles the backslashes of LaTeX commands inside JSON text, so that they survive `json.loads`."""
    return _LATEX.sub(r"\\\\", text)  # a pair of backslashes is matched as well, and stays a pair


def _unfence(reply: str) -> str:
    return _FENCE.sub("", reply).strip()


def _from_lines(text: str) -> Plan:
    kind = _KIND.search(text)
    steps: list[Step] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        if steps and int(match[1]) == 1:
            break  # numbering that starts again is a second list (an alternative, an example): the first one is the plan
        purpose, query = (*_FIND.split(match[2], maxsplit=1), "")[:2]
        if purpose := purpose.strip(" \t*"):
            steps.append(Step(purpose=purpose, query=query.strip(' *.`"')))
    return Plan(abstraction=kind[1].strip(" *") if kind else "", steps=tuple(steps))


def _json(text: str) -> Any:
    start = min((i for i in (text.find("{"), text.find("[")) if i >= 0), default=-1)
    if start < 0 or text[:start].strip():
        return None
    for source in (repair_json(text[start:]), text[start:]):
        try:
            return json.JSONDecoder(strict=False).raw_decode(source)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _from_json(data: Any) -> Plan:
    if isinstance(data, list):
        data = {"steps": data}
    rows = next((v for v in data.values() if isinstance(v, list)), []) if isinstance(data, dict) else []
    steps = []
    for row in rows:
        if isinstance(row, str) and row.strip():
            steps.append(Step(purpose=row.strip()))
        elif isinstance(row, dict):
            texts = {str(k).lower(): str(v).strip() for k, v in row.items() if isinstance(v, str | int | float)}
            query = texts.pop("find", texts.pop("query", ""))
            purpose = texts.get("purpose") or texts.get("step") or next(iter(texts.values()), "")
            if purpose:
                steps.append(Step(purpose=purpose, query=query))
    kind = data.get("kind") or data.get("abstraction") or "" if isinstance(data, dict) else ""
    return Plan(abstraction=str(kind), steps=tuple(steps))
