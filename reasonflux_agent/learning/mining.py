"""Mines templates from rows: the model's own work that was graded right, as a worked turn in text or by a program."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Literal

from reasonflux_agent.learning.outcomes import Asking, Outcome, Outcomes, Share, Way, in_step
from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.prompts.solve import demonstrate
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates.cleaning import Counts
from reasonflux_agent.templates.lexical import words
from reasonflux_agent.templates.reading import entry_of, parse
from reasonflux_agent.verify.grading import verdict
from reasonflux_agent.verify.programs import extract_program

Kind = Literal["text", "program", "solution"]

ENOUGH = 4
"""Works of one kind, text or program, after which no more of it are asked for in a group."""
AT_ONCE = 8
"""Rows of a group that are asked at a time, the shortest problems first."""
SAMPLES = 3
"""Replies in each way that are asked for a row at most; the first is greedy."""
HOPELESS = 16
"""Texts, or corrected programs, of a group after which no more of them are asked for, if there is no work of their kind yet."""
KINDS: dict[str, Kind] = {"program": "program", "direct": "text", "repaired": "program"}
"""Way -> the kind of work that it makes."""
CHAPTER = "Learned"
DIRECT = Way("direct")
PROGRAM_FLOW = (
    "Write a program with the problem's data in it that computes the answer and prints it.",
    "Run the program.",
    "State what it printed as the answer, in the form that the problem asks for.",
)

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z]+")
_SEPARATOR = re.compile(r"(?<=\d)[,_](?=\d{3}\b)")


@dataclass(frozen=True)
class Work:
    """Work that solves a row, step by step."""

    kind: Kind
    """`text` and `program` are the model's own, graded right; `solution` is the row's."""
    row: LearningRow
    steps: tuple[str, ...]
    taught: bool = False
    """Whether it is the teacher's."""

    @property
    def place(self) -> tuple[bool, bool, int, str]:
        """What sorts works as they are tried: the model's own first, the shorter the better."""
        return self.kind == "solution", self.taught, sum(map(len, self.steps)), self.row.id

    def template(self, name: str) -> Template:
        """Return it as a template of this name, in the very form in which the library's file gives it back."""
        group = self.row.group or name
        made = Template(
            id=f"learned/{self.row.id}-{self.kind}",
            name=name,
            description=f"Learned from a solved problem of the kind: {group}.",
            scenario=(" ".join(self.row.problem.split()),),
            flow=PROGRAM_FLOW if self.kind == "program" else self.steps,
            example=Example(problem=self.row.problem, steps=self.steps, answer=self.row.answer),
            chapter=CHAPTER,
            section=group,
        )
        document = json.dumps({CHAPTER: {group: [entry_of(made)]}})
        return parse(document.encode(), "a learned template", Counts())[0]


def mine(groups: Mapping[str, Sequence[LearningRow]], solver: Outcomes, calls: float) -> list[Work]:
    """Return the work on the rows of each group that can be shown, those first that are tried first, for about `calls` calls.

    Raises ModelError.
    """
    jobs = {group: partial(_mine, members, solver) for group, members in groups.items()}
    works = [work for found in in_step(jobs, solver, solver.spent + calls).values() for work in found]
    return sorted((work for work in works if demonstrate(work.template("x"))), key=lambda work: work.place)


def _mine(rows: Sequence[LearningRow], solver: Outcomes, share: Share) -> Asking[list[Work]]:
    """Find the work on the rows of one group.

    Some rows at a time are asked for a program, a text, and a correction of the programs that are wrong: often only the form
    of the answer is. What a program is worth is seen on other rows. It ends with ENOUGH programs; with ENOUGH texts, when
    every row was asked once; else, when every row was asked for SAMPLES replies, and the teacher for one.
    """
    found, asked = dict[tuple[Kind, str], Work](), dict[str, int]()
    rows = sorted(rows, key=lambda row: (len(row.problem), row.id))
    parts = [rows[begin : begin + AT_ONCE] for begin in range(0, len(rows), AT_ONCE)]
    passes = [(sample, False) for sample in range(SAMPLES)] + [(0, True)] * solver.taught
    names = [*KINDS] if solver.programs else ["direct"]
    common = common_of(rows)

    def count(kind: Kind) -> int:
        return sum(of == kind for of, _ in found)

    for sample, taught in passes:
        if count("text") >= ENOUGH and (sample or taught):
            break
        for part in parts:
            if count("program") >= ENOUGH:
                break
            for name in names:
                kind, way = KINDS[name], Way(name, sample=sample, teacher=taught)
                hopeless = name != "program" and not taught and not count(kind) and asked.get(name, 0) >= HOPELESS
                if count(kind) >= ENOUGH or hopeless:
                    continue
                missing = [(way, row) for row in part if (kind, row.id) not in found]
                trials = solver.affordable(missing, share.amount)
                asked[name] = asked.get(name, 0) + len(trials)
                for (_, row), outcome in zip(trials, (yield trials), strict=True):
                    if outcome.sound and (steps := steps_of(kind, row, outcome, common)):
                        found[kind, row.id] = Work(kind, row, steps, taught)
    solved = {row for _, row in found}
    given = [row for row in rows if row.solution.strip() and row.id not in solved]
    return [*found.values(), *(Work("solution", row, _lines(row.solution)) for row in given)]


def steps_of(kind: Kind, row: LearningRow, outcome: Outcome, common: Set[str]) -> tuple[str, ...]:
    """Return the steps of a reply that solves the row; none if it is wrong, or holds no program that computes the answer.

    A program may print the answer in another form than the one that is asked for. A last step then states this form.
    """
    if kind == "text":
        return _lines(outcome.text) if outcome.right else ()
    code = extract_program(outcome.text)
    if not code or is_hard_coded(code, row, common) or not (outcome.right or is_near(outcome.answer, row)):
        return ()
    block, _, output = outcome.text.partition("\n```output\n")
    printed = output.rpartition("\n```")[0]
    form = () if outcome.right else (f"In the form that is asked for, this is {row.answer}",)
    return block, f"```output\n{printed}\n```", *form


def works_of(row: LearningRow, outcome: Outcome, common: Set[str]) -> list[Work]:
    """Return the work of a right solution that followed a template; none if it is wrong or fails a verifier."""
    if not (outcome.right and outcome.sound):
        return []
    kind: Kind = "program" if extract_program(outcome.text) else "text"
    steps = (re.sub(r"^Method: .*\n?", "", step) for step in steps_of(kind, row, outcome, common))  # the template's name
    work = Work(kind, row, tuple(filter(None, steps)))
    return [work] if work.steps and demonstrate(work.template("x")) else []


def is_near(answer: str | None, row: LearningRow) -> bool:
    """Return whether an answer may be wrong in its form alone: the grader takes it, or it has the same numbers, two or more,
    in the same order."""
    numbers = _NUMBER.findall(row.answer)
    same = len(numbers) > 1 and _NUMBER.findall(answer or "") == numbers
    return same or bool(answer and verdict(answer, row.answer, problem=row.problem))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in _without_boxes(text).split("\n") if line.strip())


def is_hard_coded(code: str, row: LearningRow, common: Set[str] = frozenset()) -> bool:
    """Return whether a program states its answer in place of computing it from the problem's data.

    It does if the answer, where that is a number or more than one word, stands in the program and not in the problem, also as a
    list, with the same numbers or words one after the other. It does too if it has less than a quarter of the problem's numbers
    and of its words. `common` numbers and words, which most problems of the group have, do not count. This refuses some honest
    programs. What it lets through still has to solve other rows.
    """
    answer = row.answer.strip().lower()
    telling = bool(re.search(r"\d|\s", answer))
    literal = re.compile(rf"(?<![\w.]){re.escape(answer)}(?![\w]|\.\d)")
    if telling and literal.search(code.lower()) and not literal.search(row.problem.lower()):
        return True

    for pattern in (_NUMBER, _WORD):
        if _lists(code.lower(), found := pattern.findall(answer), pattern) and not _lists(row.problem.lower(), found, pattern):
            return True

    def has_few(find: Callable[[str], set[str]]) -> bool:
        data = find(row.problem) - common
        return 4 * len(data & find(code)) < len(data) or not data

    return has_few(_numbers) and has_few(_words)


def _lists(text: str, items: Sequence[str], pattern: re.Pattern[str]) -> bool:
    """Return whether a text has these items, two or more, one after the other."""
    found, count = pattern.findall(text), len(items)
    return count > 1 and any(found[at : at + count] == items for at in range(len(found) - count + 1))


def common_of(rows: Sequence[LearningRow]) -> frozenset[str]:
    """Return the numbers and words that more than half of the problems have: they are not data of one problem."""
    counts = Counter(token for row in rows for token in _numbers(row.problem) | _words(row.problem))
    return frozenset(token for token, count in counts.items() if 2 * count > len(rows) > 2)


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(_SEPARATOR.sub("", text)))


def _words(text: str) -> set[str]:
    return {word for word in words(text) if len(word) > 3}


def name_of(group: str, rows: Sequence[LearningRow]) -> str:
    """Return what the templates of a group are called: the group's name, or the three words that most of its problems have."""
    if group:
        return " ".join(re.split(r"[\W_]+", group)).strip().capitalize() or group
    said = Counter(word for row in rows for word in dict.fromkeys(re.findall(r"[a-z]{4,}", row.problem.lower())))
    return " ".join(word for word, _ in said.most_common(3)).capitalize() or "Problems"


def _without_boxes(text: str) -> str:
    r"""The text with each `\boxed{...}` replaced by its content: a worked turn states the answer once, at its end."""
    while (start := text.find("\\boxed{")) >= 0:
        depth, end = 1, start + 7
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        text = text[:start] + text[start + 7 : end - (depth == 0)] + text[end:]
    return text
