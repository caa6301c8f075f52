"""Read and write trajectories. Numbered lines are asked for and shown; models also write `Step 1:`, bullets, and JSON."""

from __future__ import annotations

import json
import re
from itertools import islice, takewhile
from typing import Any, NamedTuple

from reasonflux_agent.prompts import ParseError, with_latex
from reasonflux_agent.schema import Plan, Step

# No pattern may run over line ends or try a run of blanks twice: a reply can be a megabyte of anything.
_LAYOUT = r"[\s>#*+•·_`-]*+"  # a heading, a quotation, a bullet, bold
_BOLD = r"(?:\*\*|__)?"
_NAMED = re.compile(
    rf"{_LAYOUT}(?:step|phase)[\s#(]*+(?P<number>\d{{1,3}})\)?(?: of \d{{1,3}})?(?: \([^()]{{0,80}}\))?{_BOLD}\s*+"
    rf"(?:\Z|(?:[.):：、]|[-–—→]+(?=\s))(?!\d){_BOLD}(?P<text>.*))",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"{_LAYOUT}[(\[]?(?P<number>\d{{1,3}}){_BOLD}(?:\\?[.)\]、．](?!\d)\)?|(?P<weak>:(?!\d)|\s[-–—](?=\s[^\W\d]))){_BOLD}(?P<text>.*)"
)
_BULLET = re.compile(r"(\s*+)(?:[*+•·-]|\\item)\s++(\S.*)")
_FIND = re.compile(r"\|\s*(?:\*\*)?find\s*:?\s*(?:\*\*)?", re.I)
_FIND_LINE = re.compile(r"[\s>*+•·_`|-]*+find[*_`]*\s*+:(.*)", re.I)
_KIND = re.compile(r"^[^\w\n\"'{\[]*(?:kind|abstraction|type)[^\w\n:]*:(.+)$", re.I | re.M)
_FENCE = re.compile(r"^[ \t]*```[\w-]*[ \t]*$", re.M)

_DECODER = json.JSONDecoder(strict=False)
_TRIES = 20
"""Brackets at which JSON may begin that are tried."""
_STEPS = ("step", "flow", "plan", "trajectory")
"""In the name of the field that holds the steps, the surest first; v1's is `reason_flow`."""
_TEXTS = ("purpose", "step", "description", "action", "task", "text", "title")
_QUERIES = ("find", "query")
_KINDS = ("kind", "abstraction", "type", "specific direction")


class Mark(NamedTuple):
    named: bool
    """Whether a word stands before the number: `Step 1`."""
    indent: int
    number: int
    text: str
    """Empty below a heading, `### Step 1`: the step is the next line."""
    weak: bool
    """Whether its sign follows numbers in other texts too (`2 - x`): a list of such lines begins at 0 or 1."""


def write_steps(plan: Plan) -> str:
    """Return the lines of a plan; `read_plan` reads them back."""
    lines = [f"Kind: {plan.abstraction}"] if plan.abstraction else []
    for number, step in enumerate(plan.steps, 1):
        lines.append(f"{number}. {step.purpose}" + (f" | find: {step.query}" if step.query else ""))
    return "\n".join(lines)


def read_plan(reply: str) -> Plan:
    """Return the plan that a reply states as lines or as JSON. Raises ParseError if it has no step."""
    text = _FENCE.sub("", reply).strip("\r\n")
    plan = _from_json(text) or _from_lines(text)
    if not plan.steps:
        raise ParseError("it holds no numbered line: begin each step with its number and a full stop, one step a line.")
    return plan


def read_mark(line: str) -> Mark | None:
    """Return the line as a numbered step, or None."""
    match = _NAMED.match(line) or _BARE.match(line)
    if not match:
        return None
    groups = match.groupdict(default="")
    indent = len(line) - len(line.lstrip())
    return Mark(match.re is _NAMED, indent, int(groups["number"]), groups["text"], bool(groups.get("weak")))


def _from_lines(text: str) -> Plan:
    kind, lines = _KIND.search(text), text.splitlines()
    return Plan(abstraction=kind[1].strip(" *") if kind else "", steps=tuple(_numbered(lines) or _bullets(lines)))


def _numbered(lines: list[str]) -> list[Step]:
    """Return the steps of the first numbered list. A list inside a step is a detail of it, and skipped."""
    steps: list[Step] = []
    first: Mark | None = None
    before, headed = -1, False
    for line in lines:
        mark = read_mark(line)
        if headed and line.strip() and not (mark and mark.named):
            if step := _step(line.strip(" \t>*+•-")):
                steps.append(step)
            headed = False
            continue
        if not mark or (mark.weak and not first and mark.number > 1):
            if steps and not steps[-1].query and (found := _FIND_LINE.match(line)):
                steps[-1] = Step(purpose=steps[-1].purpose, query=_unquoted(found[1]))
            continue
        first = first or mark
        if mark.named != first.named or mark.indent > first.indent:
            continue
        if mark.number <= before and before > 1:
            break  # the numbers start again: a second list (an alternative, an example)
        headed = not mark.text.strip(" *_")
        if step := _step(mark.text):
            steps.append(step)
        if step or headed:
            before = mark.number
    return steps


def _bullets(lines: list[str]) -> list[Step]:
    """Return the steps of a list without numbers: its outermost bullets, if there are two at least."""
    found = [match for line in lines if (match := _BULLET.match(line))]
    least = min((len(match[1]) for match in found), default=0)
    outer = [match for match in found if len(match[1]) == least and not _KIND.match(match[0])]
    steps = [step for match in outer if (step := _step(match[2]))]
    return steps if len(steps) > 1 else []


def _step(text: str) -> Step | None:
    """Return the step that a line states, `purpose | find: query`; None if it is empty."""
    purpose, query = (*_FIND.split(text, maxsplit=1), "")[:2]
    purpose = re.sub(r"^\*\*([^*]+)\*\*", r"\1", purpose.strip(" \t")).strip(" \t*")
    return Step(purpose=purpose, query=_unquoted(query)) if purpose else None


def _unquoted(query: str) -> str:
    return query.strip(' \t*.`"')


def _from_json(text: str) -> Plan | None:
    """Return the plan that JSON states before any numbered line. A bracket in the words of a kind begins none."""
    head = takewhile(lambda line: not read_mark(line), _KIND.sub("", text).splitlines(keepends=True))
    text = with_latex("".join(head))
    end = 0
    for bracket in islice(re.finditer(r"[{\[]", text), _TRIES):
        if bracket.start() < end:
            continue
        try:
            data, end = _DECODER.raw_decode(text, bracket.start())
        except (ValueError, RecursionError):
            continue
        if steps := _steps_of(data):
            return Plan(abstraction=_kind_of(data), steps=tuple(steps))
    return None


def _steps_of(data: Any) -> list[Step]:
    if isinstance(data, list):
        return [step for row in data if (step := _row(row))]
    fields = data.items() if isinstance(data, dict) else ()
    values = [value for word in _STEPS for name, value in fields if word in name.lower()]
    found = (list(_from_lines(value).steps) if isinstance(value, str) else _steps_of(value) for value in values)
    return next(filter(None, found), [])


def _row(row: Any) -> Step | None:
    """Return the step that an element of a list states as a text or as an object."""
    if isinstance(row, str):
        mark = read_mark(row)
        return None if row.strip().isdecimal() else _step(" ".join((mark.text if mark else row).splitlines()))
    if not isinstance(row, dict):
        return None
    texts = {name.lower(): value for name, value in row.items() if isinstance(value, str)}
    query = next((texts[name] for name in _QUERIES if name in texts), "")
    step = next((step for name in _TEXTS if name in texts and (step := _row(texts[name]))), None)
    return step and Step(purpose=step.purpose, query=_unquoted(" ".join(query.splitlines())) or step.query)


def _kind_of(data: Any) -> str:
    """Return what the JSON, or the part of it that holds the steps, states as the problem's kind."""
    fields = {name.lower(): value for name, value in data.items()} if isinstance(data, dict) else {}
    stated = (" ".join(fields[name].split()) for name in _KINDS if isinstance(fields.get(name), str))
    return next(filter(None, (*stated, *map(_kind_of, fields.values()))), "")
