"""Mines templates from rows: the model's own work that was graded right, as a worked turn in text or by a program."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.learning.solving import Outcome, Outcomes, Way
from reasonflux_agent.prompts.solve import demonstrate
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates.cleaning import Tally
from reasonflux_agent.templates.lexical import words
from reasonflux_agent.templates.reading import entry_of, parse
from reasonflux_agent.verify.programs import extract_program

TEXTS, PROGRAMS = 3, 2
"""Replies in text, and by program, that are asked for a row at most: the first is greedy, and the first right one is enough."""
CHAPTER = "Learned"
DIRECT = Way("direct")
PROGRAM_FLOW = (
    "Write a program with the problem's data in it that computes the answer and prints it.",
    "Run the program.",
    "State what it printed as the answer.",
)

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SEPARATOR = re.compile(r"(?<=\d)[,_](?=\d{3}\b)")

Kind = Literal["text", "program", "solution"]


@dataclass(frozen=True)
class Work:
    """Work that solves a row, as a template."""

    kind: Kind
    """`text` and `program` are the model's own, graded right; `solution` is the row's."""
    row: LearningRow
    template: Template

    @property
    def length(self) -> tuple[bool, int]:
        """What is tried first: the model's own work, the shorter the better."""
        return self.kind == "solution", sum(map(len, self.template.example.steps if self.template.example else ()))


def mine(rows: Sequence[LearningRow], solver: Outcomes, calls: float) -> list[Work]:
    """Return the work on these rows that can be shown, own and right work first, the shortest first; spend at most `calls`.

    For each row: a text and a program that are right, asked for until one is, greedily first. Where the model is never right,
    the row's own solution, if there is one. Raises ModelError.
    """
    limit, found = solver.spent + calls, dict[tuple[str, str], Work]()
    names = {group: name_of(group, rows) for group in {row.group for row in rows}}
    # a program for every row comes before a second text for some
    asked = [("direct", 0), ("program", 0), *((kind, sample) for sample in range(1, TEXTS) for kind in ("direct", "program"))]
    for kind, sample in asked:
        if kind == "program" and sample >= PROGRAMS:
            continue
        made: Kind = "program" if kind == "program" else "text"
        way = Way(kind, sample=sample)
        missing = [(way, row) for row in rows if (made, row.id) not in found]
        trials = solver.affordable(missing, limit - solver.spent)
        for (_, row), outcome in zip(trials, solver.solve(trials), strict=True):
            if work := _own_work(made, row, names[row.group], outcome):
                found[made, row.id] = work
    solved = {row for _, row in found}
    works = list(found.values())
    for row in rows:
        if row.solution and row.id not in solved:
            works.append(Work("solution", row, template_of(names[row.group], row, _without_boxes(row.solution).split("\n"))))
    return sorted((work for work in works if demonstrate(work.template)), key=lambda work: (work.length, work.row.id))


def _own_work(kind: Kind, row: LearningRow, name: str, outcome: Outcome) -> Work | None:
    if not (outcome.right and outcome.sound):
        return None
    if kind == "text":
        return Work(kind, row, template_of(name, row, _without_boxes(outcome.text).split("\n")))
    code = extract_program(outcome.text)
    if not code or is_hard_coded(code, row):
        return None
    block, _, output = outcome.text.partition("\n```output\n")
    printed = output.rpartition("\n```")[0]
    return Work(kind, row, template_of(name, row, [block, f"```output\n{printed}\n```"], PROGRAM_FLOW))


def is_hard_coded(code: str, row: LearningRow) -> bool:
    """Return whether a program states its answer in place of computing it from the problem's data.

    It does if the answer, where that is a number or more than one word, stands in the program and not in the problem; or if the
    program has less than a quarter of the problem's numbers, and of a problem without numbers less than a quarter of its words.
    This refuses some honest programs. What it lets through still has to solve other rows in the race.
    """
    answer = row.answer.strip().lower()
    telling = bool(re.search(r"\d|\s", answer))
    literal = re.compile(rf"(?<![\w.]){re.escape(answer)}(?![\w]|\.\d)")
    if telling and literal.search(code.lower()) and not literal.search(row.problem.lower()):
        return True
    data = _NUMBER.findall(_SEPARATOR.sub("", row.problem))
    held = _NUMBER.findall(_SEPARATOR.sub("", code))
    if not data:
        data, held = ([word for word in words(text) if len(word) > 3] for text in (row.problem, code))
    return 4 * len(set(data) & set(held)) < len(set(data))


def template_of(name: str, row: LearningRow, steps: Sequence[str], flow: Sequence[str] = ()) -> Template:
    """Return a row's worked solution as a template, in the very form in which the library's file gives it back."""
    steps = [step for step in steps if step.strip()] or [f"The answer is {row.answer}."]
    made = Template(
        id="",
        name=name,
        description=f"Learned from a solved problem of the kind: {row.group or name}.",
        scenario=(" ".join(row.problem.split()),),
        flow=tuple(flow or steps),
        example=Example(problem=row.problem, steps=tuple(steps), answer=row.answer),
        chapter=CHAPTER,
        section=row.group or name,
    )
    entry = {**entry_of(made), "id": f"learned/{row.id}-{'program' if flow else 'text'}"}
    return parse(json.dumps({made.chapter: {made.section: [entry]}}).encode(), "a learned template", Tally())[0]


def name_of(group: str, rows: Sequence[LearningRow]) -> str:
    """Return what the templates of a group are called: the group's name, or the three words that most of its problems have."""
    if group:
        return " ".join(re.split(r"[\W_]+", group)).strip().capitalize() or group
    said = Counter(word for row in rows for word in dict.fromkeys(re.findall(r"[a-z]{4,}", row.problem.lower())))
    return " ".join(word for word, _ in said.most_common(3)).capitalize() or "Problems"


def _without_boxes(text: str) -> str:
    r"""The text with what stands in `\boxed{...}` in the place of the box: a worked turn states the answer once, at its end."""
    while (start := text.find("\\boxed{")) >= 0:
        depth, end = 1, start + 7
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        text = text[:start] + text[start + 7 : end - (depth == 0)] + text[end:]
    return text
