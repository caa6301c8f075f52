"""Reading and writing of trajectories: numbered lines, which are what is asked for, and what models write in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.literals import read_literal
from reasonflux_agent.schema import Plan, Step

_WORDS = "step|phase|stage|part|étape|etape|paso|passo|schritt|шаг|krok|步骤|第"
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ROMAN = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_CHINESE = "〇一二三四五六七八九十"
# No pattern may run over line ends or try a run of blanks twice: a reply can be a megabyte of anything.
_MARK = re.compile(
    # layout: a heading, a quotation, a bullet, bold; then the number; a number with a fraction or a time is none
    r"[\s>#*+•·_`-]*+(?:"
    rf"(?P<word>{_WORDS})[\s#_(-]*+(?P<named>\d{{1,3}}|{'|'.join(_NUMBERS)}|[ivx]{{1,4}}|[{_CHINESE}])[步阶段]*\)?(?![^\W_])"
    r"(?:\s*+(?:of|/)\s*+\d{1,3})?(?:\s*+\([^()]{0,80}\))?(?:\*\*|__)?\s*+"
    r"(?:\\?[.):：、|．](?!\d)|(?:[-–—]+|→)(?=\s)|(?=(?:\*\*|__)?\s*+\Z)|(?=(?-i:[A-Z])))"
    r"|(?P<open>[(\[（|]?)\s*+(?P<number>\d{1,3}|[①-⑳]|(?P<letter>[ivx]{1,4}|[a-j]))(?:\*\*|__)?"
    r"(?P<end>\\?\.\)?(?!\d)|[)\]）、．]|/(?=\s)|\ufe0f?\u20e3|:(?!\d)|(?<=[①-⑳])|\s*+\||\s++[.:)](?=\s)(?!\s*+\d)|\s++(?:[-–—]+|→)(?=\s)(?!\s*+[\d-]))"
    r")(?:\*\*|__)?(?P<text>.*)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(\s*+)(?:[*+•·-]|\\item)\s++(?:\[[ xX]\]\s++)?(\S.*)")
_DOTTED = re.compile(r"[\s>#*+•·_`-]*+(\d{1,3})\.(\d{1,3})(?:[.):]|\*\*)*\s++(\S.*)")
_FIND = re.compile(r"\|\s*(?:\*\*)?find\s*:?\s*(?:\*\*)?", re.I)
_FIND_LINE = re.compile(r"[\s>*+•·_`|-]*+(?:find|query|look up|search(?: for)?)[*_`]*\s*+:(.*)", re.I)
_KIND = re.compile(r"^[^\w\n]*(?:kind|abstraction|type)[^\w\n:]*:(.+)$", re.I | re.M)
_WEAK = (":", "-", "–", "—", "→", "|", "/")
"""What stands behind a number in other texts as well: a list that has it begins at its beginning."""
_FENCE = re.compile(r"^[ \t]*```[\w-]*[ \t]*$", re.M)
_TAG = re.compile(r"<(?:/(?:plan|steps?(?:[ _-]?\d+)?)|plan|steps|(step(?:[ _-]?\d+)?(?: [^<>\n]{0,80})?))>", re.I)
_TRIES = 40
"""Brackets at which JSON may begin that are tried."""


class Mark(NamedTuple):
    """A line that begins with a number."""

    form: tuple[str, str]
    """Its kind: the word or bracket before the number, and what stands behind it."""
    indent: int
    number: int
    text: str


def write_steps(plan: Plan) -> str:
    """The lines that `read_plan` reads back."""
    lines = [f"Kind: {plan.abstraction}"] if plan.abstraction else []
    for number, step in enumerate(plan.steps, 1):
        lines.append(f"{number}. {step.purpose}" + (f" | find: {step.query}" if step.query else ""))
    return "\n".join(lines)


def read_plan(reply: str) -> Plan:
    """A plan from numbered lines or JSON. Raises ParseError if there is no step in it."""
    text = _TAG.sub(lambda tag: "\n- " if tag[1] else "", _FENCE.sub("", reply)).strip()
    plan = _from_literal(text) or _from_lines(text)
    if not plan.steps:
        raise ParseError("it holds no numbered line: begin each step with its number and a full stop, one step a line.")
    return plan


def read_mark(line: str) -> Mark | None:
    """The line as a numbered step, if it is one."""
    match = _MARK.match(line)
    if not match:
        return None
    told = (match["named"] or match["number"]).lower()
    form = ("step", "") if match["word"] else (match["open"], "letter" if match["letter"] else match["end"].strip())
    if told.isdecimal():
        number = int(told)
    elif told in _ROMAN:
        number = _ROMAN.index(told)
    elif told in _NUMBERS:
        number = _NUMBERS.index(told)
    elif told in _CHINESE:
        number = _CHINESE.index(told)
    elif "①" <= told <= "⑳":
        number = ord(told) - ord("①") + 1
    elif told in "abcdefghij":
        number, form = ord(told) - ord("a") + 1, (match["open"], "abc")
    else:
        return None
    return Mark(form, len(line) - len(line.lstrip()), number, match["text"])


def _from_lines(text: str) -> Plan:
    kind = _KIND.search(text)
    lines = text.splitlines()
    steps = _numbered(lines) or _dotted(lines) or _bullets(lines)
    return Plan(abstraction=kind[1].strip(" *") if kind else "", steps=tuple(steps))


def _numbered(lines: list[str]) -> list[Step]:
    """The steps of the first list that is numbered; what is numbered inside a step is a detail of it."""
    marks = [read_mark(line) for line in lines]
    if not any(mark and mark.form[1] not in ("letter", "abc") for mark in marks):
        # letters alone begin a list only as one: "A. Newton's law" is no step
        firsts = [mark for mark in marks if mark]
        if [mark.number for mark in firsts[:2]] != [1, 2] or firsts[0].form != firsts[1].form:
            return []
    else:
        marks = [mark if mark and mark.form[1] not in ("letter", "abc") else None for mark in marks]
    steps: list[Step] = []
    inner: set[tuple[tuple[str, str], int]] = set()
    first: Mark | None = None
    before, apart = -1, False
    for index, (line, mark) in enumerate(zip(lines, marks, strict=True)):
        if not mark:
            found = _FIND_LINE.match(line)
            if found and steps and not steps[-1].query:
                steps[-1] = Step(purpose=steps[-1].purpose, query=_trimmed(found[1]))
            apart = apart or bool(line[:1].strip())
            continue
        if not first and mark.number > 1 and mark.form[1] in _WEAK:
            continue  # 3 - x, and 2: 5
        first = first or mark
        alike = mark.form == first.form and mark.indent <= first.indent
        if not alike and ((mark.form, mark.indent) in inner or mark.number != before + 1):
            inner.add((mark.form, mark.indent))
            continue
        if alike and mark.number <= min(before, 1) and (apart or before > 1):
            break  # numbering that starts again is a second list (an alternative, an example): the first one is the plan
        rest = mark.text if mark.text.strip(" \t*_") else _below(lines, marks, index)
        if step := _step(rest, cells=mark.form[0] == "|"):
            steps.append(step)
            before, apart = mark.number, False
    return steps


def _below(lines: list[str], marks: list[Mark | None], index: int) -> str:
    """The text under a heading that is a number alone."""
    at = next((i for i in range(index + 1, min(index + 4, len(lines))) if lines[i].strip()), None)
    if at is None or marks[at]:
        return ""
    bullet = _BULLET.match(lines[at])
    return bullet[2] if bullet else lines[at]


def _dotted(lines: list[str]) -> list[Step]:
    found = [match for line in lines if (match := _DOTTED.match(line))]
    if [match[2] for match in found[:2]] not in (["1", "2"], ["0", "1"]) or found[0][1] != found[1][1]:
        return []  # 3.5 km, and 1.1 m
    return [step for match in found if (step := _step(match[3]))]


def _bullets(lines: list[str]) -> list[Step]:
    found = [match for line in lines if (match := _BULLET.match(line))]
    least = min((len(match[1]) for match in found), default=0)
    found = [match for match in found if len(match[1]) == least]
    steps = [step for match in found if not _KIND.match(match[0]) and (step := _step(match[2]))]
    return steps if len(steps) > 1 else []


def _step(text: str, cells: bool = False) -> Step | None:
    purpose, query = (*_FIND.split(text, maxsplit=1), "")[:2]
    if cells:
        purpose, query = (*text.split("|"), "", "")[:2]
    purpose = re.sub(r"^\*\*([^*]+)\*\*", r"\1", purpose.strip(" \t")).strip(" \t*")
    return Step(purpose=purpose, query=_trimmed(query)) if purpose else None


def _trimmed(query: str) -> str:
    return query.strip(' \t*.`"')


def _from_literal(text: str) -> Plan | None:
    """The plan that JSON, or a Python dict, states in front of any numbered line."""
    end = 0
    for start in _starts(text):
        if start < end:
            continue
        try:
            data, end = read_literal(text, start)
        except ValueError:
            continue
        if steps := _steps_of(data):
            return Plan(abstraction=_kind_of(data), steps=tuple(steps))
    return None


def _starts(text: str) -> Iterator[int]:
    at = tries = 0
    for line in text.splitlines(keepends=True):
        if read_mark(line):
            return
        kind = _KIND.match(line)
        for bracket in re.finditer(r"[{\[]", line):
            if kind and bracket.start() > kind.start(1):
                break  # the words of a kind are no list
            tries += 1
            if tries > _TRIES:
                return
            yield at + bracket.start()
        at += len(line)


_STEPS = ("steps", "step", "flow", "plan", "trajectory", "procedure", "approach", "actions", "tasks", "outline")
"""Words in the name of a field that holds the steps, the surest first; v1's is `reason_flow`."""
_OTHERS = {"tag", "tags", "knowledge", "keywords", "conditions", "given", "methods", "templates", "scenario"}
"""Words in the names of lists that are no steps."""
_TEXTS = ("purpose", "step", "description", "action", "task", "instruction", "content", "text", "title", "name")
_QUERIES = ("find", "query", "search", "lookup", "look up")
_KINDS = ("kind", "abstraction", "type", "specific direction", "general knowledge category")


def _words(name: str) -> list[str]:
    """`reasonFlow`, `reason_flow` and `Reason Flow` as words."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _steps_of(data: Any) -> list[Step]:
    if isinstance(data, list):
        return [step for row in data if (step := _row(row))]
    if not isinstance(data, dict):
        return []
    fields = [(words, value) for name, value in data.items() if (words := _words(name))]
    numbered = [value for words, value in fields if words[-1].isdigit() and set(words[:-1]) <= set(_STEPS)]
    if numbered:
        return _steps_of(numbered)
    for word in _STEPS:
        for words, value in fields:
            if word in words and (steps := _from_lines(value).steps if isinstance(value, str) else _steps_of(value)):
                return list(steps)
    rest = [value for words, value in fields if _OTHERS.isdisjoint(words) and isinstance(value, dict | list)]
    return next((steps for value in rest if (steps := _steps_of(value))), [])


def _row(row: Any) -> Step | None:
    if isinstance(row, list):
        row = next((part for part in row if isinstance(part, str)), None)
    if isinstance(row, str):
        if row.strip().isdecimal():
            return None
        mark = read_mark(row)
        return _step(" ".join((mark.text if mark else row).splitlines()))
    if not isinstance(row, dict):
        return None
    texts = {" ".join(_words(name)): value for name, value in row.items() if isinstance(value, str)}
    query = " ".join(next((texts.pop(name) for name in _QUERIES if name in texts), "").splitlines())
    named = [texts[name] for name in _TEXTS if name in texts]
    step = next((step for text in (*named, *texts.values()) if (step := _row(text))), None)
    return step and Step(purpose=step.purpose, query=_trimmed(query) or step.query)


def _kind_of(data: Any) -> str:
    """What the JSON, or the part of it that holds the steps, says of the problem's kind."""
    if not isinstance(data, dict):
        return ""
    texts = {" ".join(_words(name)): value for name, value in data.items()}
    found = next((texts[name] for name in _KINDS if isinstance(texts.get(name), str) and texts[name].strip()), "")
    return " ".join(str(found).splitlines()).strip() or next((kind for value in data.values() if (kind := _kind_of(value))), "")
