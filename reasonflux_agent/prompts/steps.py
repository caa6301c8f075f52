"""Read and write trajectories. Numbered lines are asked for; models also write other lists, and JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.literals import read_literal
from reasonflux_agent.schema import Plan, Step

_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_CHINESE = "〇一二三四五六七八九十"
_VALUES = {
    **{word: value for value, word in enumerate(_NUMBER_WORDS)},
    **{sign: value for value, sign in enumerate(_CHINESE)},
    **{sign: value for value, sign in enumerate("①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳", 1)},
    **{letter: value for value, letter in enumerate("abcdefghij", 1)},
    **{numeral: value for value, numeral in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"), 1)},
}
"""Numbers that are not decimal -> their value; "i" is the Roman one."""
# No pattern may run over line ends or try a run of blanks twice: a reply can be a megabyte of anything.
_LAYOUT = r"[\s>#*+•·_`-]*+"  # a heading, a quotation, a bullet, bold
_BOLD = r"(?:\*\*|__)?"
_AFTER_NAME = (
    r"\\?[.):：、|．](?!\d)",  # Step 1:
    r"(?:[-–—]+|→)(?=\s)",  # Step 1 -
    rf"(?={_BOLD}\s*+\Z)",  # Step 1, and nothing else on the line
    r"(?=(?-i:[A-Z]))",  # Step 1 Add
)
_AFTER_NUMBER = (
    r"\\?\.\)?(?!\d)",  # 1.  1\.  1.)  but not 1.5
    r"[)\]）、．]",  # 1)  1]  1、
    r"/(?=\s)",  # 1/
    r"\ufe0f?\u20e3",  # 1 on a key
    r":(?!\d)",  # 1:  but not 1:30
    r"(?<=[①-⑳])",  # ①
    r"\s*+\|",  # 1 | in a table
    r"\s++[.:)](?=\s)(?!\s*+\d)",  # 1 .  but not 1 : 2
    r"\s++(?:[-–—]+|→)(?=\s)(?!\s*+[\d-])",  # 1 -  but not 3 - 2
)
_NAMED = re.compile(
    rf"{_LAYOUT}(?:step|phase|stage|part|étape|etape|paso|passo|schritt|шаг|krok|步骤|第)[\s#_(-]*+"
    rf"(?P<number>\d{{1,3}}|{'|'.join(_NUMBER_WORDS)}|[ivx]{{1,4}}|[{_CHINESE}])[步阶段]*\)?(?![^\W_])"
    rf"(?:\s*+(?:of|/)\s*+\d{{1,3}})?(?:\s*+\([^()]{{0,80}}\))?{_BOLD}\s*+(?:{'|'.join(_AFTER_NAME)}){_BOLD}(?P<text>.*)",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"{_LAYOUT}(?P<open>[(\[（|]?)\s*+(?P<number>\d{{1,3}}|[①-⑳]|(?P<letter>[ivx]{{1,4}}|[a-j])){_BOLD}"
    rf"(?P<end>{'|'.join(_AFTER_NUMBER)}){_BOLD}(?P<text>.*)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(\s*+)(?:[*+•·-]|\\item)\s++(?:\[[ xX]\]\s++)?(\S.*)")
_DOTTED = re.compile(rf"{_LAYOUT}(\d{{1,3}})\.(\d{{1,3}})(?:[.):]|\*\*)*\s++(\S.*)")
_FIND = re.compile(r"\|\s*(?:\*\*)?find\s*:?\s*(?:\*\*)?", re.I)
_FIND_LINE = re.compile(r"[\s>*+•·_`|-]*+(?:find|query|look up|search(?: for)?)[*_`]*\s*+:(.*)", re.I)
_KIND = re.compile(r"^[^\w\n]*(?:kind|abstraction|type)[^\w\n:]*:(.+)$", re.I | re.M)
_WEAK = (":", "-", "–", "—", "→", "|", "/")
"""Signs that follow a number in other texts too (2: 5, and 3 - x): a list that has one begins at 0 or 1."""
_FENCE = re.compile(r"^[ \t]*```[\w-]*[ \t]*$", re.M)
_TAG = re.compile(r"<(?:/(?:plan|steps?(?:[ _-]?\d+)?)|plan|steps|(step(?:[ _-]?\d+)?(?: [^<>\n]{0,80})?))>", re.I)

_TRIES = 40
"""Brackets at which JSON may begin that are tried."""
_STEPS = ("steps", "step", "flow", "plan", "trajectory", "procedure", "approach", "actions", "tasks", "outline")
"""Words in the name of a field that holds the steps, the surest first; v1's is `reason_flow`."""
_NUMBERED_FIELD = re.compile(rf"(?:(?:{'|'.join(_STEPS)}) )*\d+")
_OTHERS = {"tag", "tags", "knowledge", "keywords", "conditions", "given", "methods", "templates", "scenario"}
"""Words in the names of lists that are no steps."""
_TEXTS = ("purpose", "step", "description", "action", "task", "instruction", "content", "text", "title", "name")
_QUERIES = ("find", "query", "search", "lookup", "look up")
_KINDS = ("kind", "abstraction", "type", "specific direction", "general knowledge category")


class Mark(NamedTuple):
    """A line that begins with a number."""

    form: tuple[str, str]
    """What stands before the number and after it; lists of one form belong together."""
    lettered: bool
    indent: int
    number: int
    text: str


def write_steps(plan: Plan) -> str:
    """Return the lines of a plan; `read_plan` reads them back."""
    lines = [f"Kind: {plan.abstraction}"] if plan.abstraction else []
    for number, step in enumerate(plan.steps, 1):
        lines.append(f"{number}. {step.purpose}" + (f" | find: {step.query}" if step.query else ""))
    return "\n".join(lines)


def read_plan(reply: str) -> Plan:
    """Return the plan that a reply states as lines or as JSON. Raises ParseError if it has no step."""
    text = _TAG.sub(lambda tag: "\n- " if tag[1] else "", _FENCE.sub("", reply)).strip()
    plan = _from_literal(text) or _from_lines(text)
    if not plan.steps:
        raise ParseError("it holds no numbered line: begin each step with its number and a full stop, one step a line.")
    return plan


def read_mark(line: str) -> Mark | None:
    """Return the line as a numbered step, or None."""
    match = _NAMED.match(line) or _BARE.match(line)
    if not match:
        return None
    written, indent = match["number"].lower(), len(line) - len(line.lstrip())
    number = int(written) if written.isdecimal() else _VALUES.get(written)
    if number is None:  # "iiii"
        return None
    if match.re is _NAMED:
        return Mark(("step", ""), False, indent, number, match["text"])
    lettered = bool(match["letter"])
    end = ("roman" if set(written) <= set("ivx") else "letter") if lettered else match["end"].strip()
    return Mark((match["open"], end), lettered, indent, number, match["text"])


def _from_lines(text: str) -> Plan:
    kind, lines = _KIND.search(text), text.splitlines()
    steps = _numbered(lines) or _dotted(lines) or _bullets(lines)
    return Plan(abstraction=kind[1].strip(" *") if kind else "", steps=tuple(steps))


def _numbered(lines: list[str]) -> list[Step]:
    """Return the steps of the first numbered list. A list inside a step is a detail of it, and skipped."""
    marks = _counting([read_mark(line) for line in lines])
    steps: list[Step] = []
    details: set[tuple[tuple[str, str], int]] = set()
    first: Mark | None = None
    before, apart = -1, False  # the number of the last step; whether other text, not indented, follows it
    for index, (line, mark) in enumerate(zip(lines, marks, strict=True)):
        if not mark:
            if steps and not steps[-1].query and (found := _FIND_LINE.match(line)):
                steps[-1] = Step(purpose=steps[-1].purpose, query=_unquoted(found[1]))
            apart = apart or bool(line[:1].strip())
            continue
        if not first and mark.number > 1 and mark.form[1] in _WEAK:
            continue
        first = first or mark
        alike = mark.form == first.form and mark.indent <= first.indent
        if not alike and ((mark.form, mark.indent) in details or mark.number != before + 1):
            details.add((mark.form, mark.indent))
            continue
        if alike and mark.number <= min(before, 1) and (apart or before > 1):
            break  # the numbers start again: a second list (an alternative, an example)
        text = mark.text if mark.text.strip(" \t*_") else _below(lines, marks, index)
        if step := _step(text, cells=mark.form[0] == "|"):
            steps.append(step)
            before, apart = mark.number, False
    return steps


def _counting(marks: list[Mark | None]) -> list[Mark | None]:
    """Return the marks that can be steps. Letters count if there are no numbers and they begin with a, b."""
    if any(mark and not mark.lettered for mark in marks):
        return [None if mark and mark.lettered else mark for mark in marks]
    match [mark for mark in marks if mark][:2]:
        case [Mark(form=a, number=1), Mark(form=b, number=2)] if a == b:
            return marks
    return [None] * len(marks)  # "A. Newton's law"


def _below(lines: list[str], marks: list[Mark | None], index: int) -> str:
    """Return the text under a heading that is a number alone."""
    for line, mark in islice(zip(lines, marks, strict=True), index + 1, index + 4):
        if line.strip():
            bullet = _BULLET.match(line)
            return "" if mark else bullet[2] if bullet else line
    return ""


def _dotted(lines: list[str]) -> list[Step]:
    """Return the steps of 1.1, 1.2, ...; 3.5 km and 1.1 m are none."""
    found = [match for line in lines if (match := _DOTTED.match(line))]
    if [match[2] for match in found[:2]] not in (["1", "2"], ["0", "1"]) or found[0][1] != found[1][1]:
        return []
    return [step for match in found if (step := _step(match[3]))]


def _bullets(lines: list[str]) -> list[Step]:
    """Return the steps of a list without numbers: its outermost bullets, if there are two at least."""
    found = [match for line in lines if (match := _BULLET.match(line))]
    least = min((len(match[1]) for match in found), default=0)
    outer = [match for match in found if len(match[1]) == least and not _KIND.match(match[0])]
    steps = [step for match in outer if (step := _step(match[2]))]
    return steps if len(steps) > 1 else []


def _step(text: str, cells: bool = False) -> Step | None:
    """Return the step that a line states, `purpose | find: query`, or as `cells` of a table; None if it is empty."""
    purpose, query = (*(text.split("|") if cells else _FIND.split(text, maxsplit=1)), "")[:2]
    purpose = re.sub(r"^\*\*([^*]+)\*\*", r"\1", purpose.strip(" \t")).strip(" \t*")
    return Step(purpose=purpose, query=_unquoted(query)) if purpose else None


def _unquoted(query: str) -> str:
    return query.strip(' \t*.`"')


def _from_literal(text: str) -> Plan | None:
    """Return the plan that JSON, or a Python dict, states before any numbered line."""
    end = 0
    for start in islice(_brackets(text), _TRIES):
        if start < end:
            continue
        try:
            data, end = read_literal(text, start)
        except ValueError:
            continue
        if steps := _steps_of(data):
            return Plan(abstraction=_kind_of(data), steps=tuple(steps))
    return None


def _brackets(text: str) -> Iterator[int]:
    """Yield where JSON may begin. A bracket in the words of a kind is none."""
    at = 0
    for line in text.splitlines(keepends=True):
        if read_mark(line):
            return
        kind = _KIND.match(line)
        yield from (at + bracket.start() for bracket in re.finditer(r"[{\[]", line[: kind.start(1)] if kind else line))
        at += len(line)


def _fields(data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with their names in words: `reasonFlow`, `reason_flow` and `Reason Flow` are "reason flow"."""
    spaced = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() for name in data}
    return {" ".join(re.findall(r"[a-z]+|\d+", spaced[name])) or name: value for name, value in data.items()}


def _steps_of(data: Any) -> list[Step]:
    if isinstance(data, list):
        return [step for row in data if (step := _row(row))]
    if not isinstance(data, dict):
        return []
    fields = _fields(data)
    if numbered := [value for name, value in fields.items() if _NUMBERED_FIELD.fullmatch(name)]:
        return _steps_of(numbered)
    for word in _STEPS:
        for value in (value for name, value in fields.items() if word in name.split()):
            if steps := list(_from_lines(value).steps) if isinstance(value, str) else _steps_of(value):
                return steps
    rest = (value for name, value in fields.items() if _OTHERS.isdisjoint(name.split()) and isinstance(value, dict | list))
    return next((steps for value in rest if (steps := _steps_of(value))), [])


def _row(row: Any) -> Step | None:
    """Return the step that an element of a list states as a text, as a row with its number, or as an object."""
    if isinstance(row, list):
        row = next((part for part in row if isinstance(part, str)), None)
    if isinstance(row, str):
        mark = read_mark(row)
        return None if row.strip().isdecimal() else _step(" ".join((mark.text if mark else row).splitlines()))
    if not isinstance(row, dict):
        return None
    texts = {name: value for name, value in _fields(row).items() if isinstance(value, str)}
    query = next((texts.pop(name) for name in _QUERIES if name in texts), "")
    named = [texts[name] for name in _TEXTS if name in texts]
    step = next((step for text in (*named, *texts.values()) if (step := _row(text))), None)
    return step and Step(purpose=step.purpose, query=_unquoted(" ".join(query.splitlines())) or step.query)


def _kind_of(data: Any) -> str:
    """Return what the JSON, or the part of it that holds the steps, states as the problem's kind."""
    if not isinstance(data, dict):
        return ""
    fields = _fields(data)
    stated = (" ".join(fields[name].splitlines()).strip() for name in _KINDS if isinstance(fields.get(name), str))
    return next(filter(None, (*stated, *map(_kind_of, data.values()))), "")
