"""review (navigator): judges the last result and says how to go on (delta_i, paper section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reasonflux_agent.prompts import Message, ParseError, Prompt, brief, user
from reasonflux_agent.prompts.steps import read_mark, read_plan
from reasonflux_agent.schema import Plan, Review, StepResult, Template, Verdict

TASK = """Task: you are the reviewer of {work}. Recompute its decisive calculation yourself, in at most three
short lines. Then end with a line that begins with one word:
ACCEPT if the work is right,
REDO if a calculation is wrong, followed by what is right instead,
REPLACE if this way cannot lead to the answer, followed by numbered lines of a new plan for this problem,
FINISH if the final answer is there and right."""

GOOD, BAD = ("ACCEPT", "FINISH"), ("REDO", "REPLACE")
REMARK = 600
"""Characters of the feedback that are kept."""
_CLOSING = " \n*_`\"'.})$"
_GAP = r"[^\w\n]*+"
_HEAD = re.compile(
    r"[^\w\n❌✗✘🚫]*+"  # layout
    rf"(?:(?:\d{{1,2}}[.):]|step\s\d{{1,2}}|(?:therefore|thus|hence|so)[:,]\s){_GAP})?"
    r"(?P<label>(?:(?:the|my|final|overall)\s)*+(?:(?P<verdict>verdict|decision|judge?ment|conclusion|assessment|review)"
    rf"|result|answer|action)(?:\s+is\b)?{_GAP})?"
    r"(?:(?:boxed|text\w*)\{\W*+)*"
    r"(?P<word>ACCEPT|REDO|REPLACE|FINISH)(?:ED|D)?(?![\w-])"
    r"(?P<end>[*_`\"'}\])]*+(?:\s*+(?:[:.,;!]|[-–—]+(?=\s)))?[*_`\"']*+)"
    r"(?P<rest>.*)",
    re.IGNORECASE,
)
# How a line goes on that names a verdict and states none; see `_states`.
_CHOICE = re.compile(r"\W*(?:(?:if|when|unless)\b|(?:or\W+)?(?:ACCEPT|REDO|REPLACE|FINISH)\b)")  # the task's own words
_DENIAL = re.compile(
    r"\W*(?:no|not|never|false|nope|wrong|incorrect)\b"
    r"(?!(?: \w+){0,2} (?:errors?|mistakes?|issues?|problems?)|,? it is (?:right|correct))"
    r"|.*\b(?:but|except|however|unless|until|instead|REDO|REPLACE|should (?:be|have)"
    r"|(?<!not )(?<!nothing )(?<!nothing is )(?:wrong|incorrect)"
    r"|(?:is|are|was|were)(?: not|n[’']t) (?:right|correct|true|complete|done|finished|there))\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\s*(?:(?:because|since|as|for)\b|[\d$\\(=]"
    r"|(?:the|this|it|all|everything)\b(?: \w+){0,4}? (?:is|are|was|were|holds?|checks?|looks?)\b)",
    re.IGNORECASE,
)
_ORDER = re.compile(r"\s*(?:by|up|off|or|until|only|cannot)\b|\s*(?:\w+\s){0,2}(?:not|never|\w+n[’']t)\b", re.IGNORECASE)
_WITHDRAWAL = re.compile(
    r"\A\s*\?|\b(?:on (?:second|further) (?:thought|look|reading)|on reflection|never ?mind|my mistake|I was wrong"
    r"|not (?:needed|necessary|applicable)|unnecessary|n/a|(?:do|does)(?: not|n[’']t) apply)\b",
    re.IGNORECASE,
)
"""What takes REDO or REPLACE back before another verdict is stated."""


def render(
    problem: str,
    plan: Plan,
    results: Sequence[StepResult],
    templates: Sequence[Template | str] = (),
    whole: bool = False,
) -> list[Message]:
    """Return the request to judge the last of `results`: a step, or a `whole` solution, which is shown uncut."""
    last = results[-1]
    if whole:
        common = brief(problem, templates=templates, plan=plan)
        return user(common, f"Solution:\n{last.text.strip()}", TASK.format(work="the solution"))
    common = brief(problem, templates=templates, plan=plan, results=results)
    return user(common, TASK.format(work=f"the work on step {last.index + 1}"))


def parse(reply: str) -> Review:
    """Return the judgement, with `index` 0 (the node knows the step). Raises ParseError if no line states a verdict.

    The last line that states one counts, and one in capitals before all others; but ACCEPT or FINISH after REDO or REPLACE
    counts only if it is called the verdict ("Final verdict: ACCEPT"), or if the text between them withdraws the rejection
    ("On second thought it is right"). What follows the line that counts is its feedback.
    """
    lines = reply.splitlines(keepends=True)
    stated = [(at, head) for at, line in enumerate(lines) if (head := _HEAD.match(line.rstrip())) and _states(head)]
    if not stated:
        raise ParseError("no line of it begins with ACCEPT, REDO, REPLACE or FINISH.")
    word, rest = _last_word(lines, [found for found in stated if found[1]["word"].isupper()] or stated)
    verdict: Verdict = word.lower()  # type: ignore[assignment]
    if verdict != "replace":
        return Review(index=0, verdict=verdict, feedback=rest[:REMARK])
    first = next(iter(rest.splitlines()), "")
    remark = "" if read_mark(first) or first[:1] in ("{", "[", "`") else first[:REMARK]  # the steps may begin at once
    return Review(index=0, verdict=verdict, feedback=remark, steps=read_plan(rest).steps)


def _states(head: re.Match[str]) -> bool:
    """Return whether a line states the verdict that it names: it is no condition, no order, and no denial."""
    word, rest, alone = head["word"], head["rest"], not head["rest"].strip(_CLOSING)
    parted = alone or bool(head["end"].strip(" *_`\"'}])"))
    if word.upper() in GOOD:
        sentence = bool(_DENIAL.match(rest)) or not (parted or _REASON.match(rest))
    else:
        sentence = not parted and bool(_ORDER.match(rest))
    if sentence or _CHOICE.match(rest):
        return False
    return alone or word.isupper() or bool(head["label"]) or (parted and word in ("Redo", "Replace"))


def _last_word(lines: Sequence[str], stated: Sequence[tuple[int, re.Match[str]]]) -> tuple[str, str]:
    """Return the verdict that counts, in capitals, and the text that follows it (see `parse`)."""
    (at, head), *later = stated
    end = len(lines)
    for then, other in later:
        word, other_word = head["word"].upper(), other["word"].upper()
        if word == "REPLACE" and read_mark(lines[then]):
            continue  # a step of the new plan
        if word in BAD and other_word in GOOD and not (other["verdict"] or _WITHDRAWAL.search(_after(lines, at, head, then))):
            end = min(end, then)
        else:
            at, head, end = then, other, len(lines)
    return head["word"].upper(), _after(lines, at, head, end)


def _after(lines: Sequence[str], at: int, head: re.Match[str], end: int) -> str:
    rest = "\n".join((head["rest"], "".join(lines[at + 1 : end]))).strip()
    return rest if rest.strip(_CLOSING) else ""


REVIEW: Prompt[Review] = Prompt("review", "navigator", render, parse, max_tokens=250)
