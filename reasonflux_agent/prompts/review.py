"""review (navigator): judges the last result and says how to go on (delta_i, paper section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reasonflux_agent.prompts import Message, ParseError, Prompt, brief, user
from reasonflux_agent.prompts.steps import read_mark, read_plan
from reasonflux_agent.schema import Plan, Review, StepResult, Template, Verdict

TASK = """Task: you are the reviewer of {work}. Recompute its decisive calculation yourself, in at most three
short lines. Then end with a line that begins with one word:
ACCEPT if the work is right,
REDO if a calculation is wrong, followed by what is right instead,
REPLACE if this way cannot lead to the answer, followed by numbered lines of a new plan for this problem,
FINISH if the final answer is there and right."""

_LABEL = (
    r"(?:(?:the|my|final|overall)\s)*+(?:verdict|decision|judge?ment|conclusion|assessment|review|result|answer|action)"
    r"(?:\s+is\b)?[^\w\n]*+"
)
_HEAD = re.compile(
    # layout, a number, a label; then the word, in capitals, or in any letters where nothing else stands on the line
    rf"[^\w\n❌✗✘🚫]*+(?:\d{{1,2}}[.):][^\w\n]*+|step\s\d{{1,2}}[^\w\n]*+|(?:therefore|thus|hence"
    rf"|so)[:,]\s[^\w\n]*+)?(?P<label>{_LABEL})?(?:(?:boxed|text\w*)\{{\W*+)*"
    r"(?P<word>ACCEPT|REDO|REPLACE|FINISH)(?:ED|D)?(?![\w-])(?P<end>[*_`\"'}\])]*+(?:\s*+(?:[:.,;!]"
    r"|[-–—]+(?=\s)))?[*_`\"']*+)(?P<rest>.*)",
    re.IGNORECASE,
)
_NONE = re.compile(r"\W*(?:(?:if|when|unless)\b|(?:or\W+)?(?:ACCEPT|REDO|REPLACE|FINISH)\b)")
"""What follows a word that is no verdict: the words of the task itself, or another one to choose from."""
_GOES_ON = re.compile(
    r"\s*(?:(?:because|since|as|for)\b|(?:the|this|it|all|everything)\b(?: \w+){0,4}? (?:is|are|was|were|holds?"
    r"|checks?|looks?)\b|[\d$\\(=])",
    re.IGNORECASE,
)
"""What may follow ACCEPT and FINISH where nothing parts them from the sentence: a reason, or the answer; no order."""
_DENIED = re.compile(
    r"\W*(?:no|not|never|false|nope|wrong|incorrect)\b(?!(?: \w+){0,2} (?:errors?|mistakes?|issues?|problems?)"
    r"|,? it is (?:right|correct))"
    r"|.*\b(?:but|except|however|unless|until|instead|REDO|REPLACE|should (?:be|have)|(?<!not )(?<!nothing )(?<!nothing is )"
    r"(?:wrong|incorrect)|(?:is|are|was|were)(?: not|n[’']t) (?:right|correct|true|complete|done|finished|there))\b",
    re.IGNORECASE,
)
"""What takes ACCEPT or FINISH back on the same line."""
_ORDER = re.compile(r"\s*(?:by|up|off|or|until|only|cannot)\b|\s*(?:\w+\s){0,2}(?:not|never|\w+n[’']t)\b", re.IGNORECASE)
"""What follows REDO and REPLACE that nothing parts from the sentence, where it is no verdict."""

_CLOSING = " \n*_`\"'.})$"


def render(
    problem: str,
    plan: Plan,
    results: Sequence[StepResult],
    templates: Sequence[Template | str] = (),
    whole: bool = False,
) -> list[Message]:
    """The request for a judgement of the last of `results`: a step, or a `whole` solution, which is shown uncut."""
    last = results[-1]
    if whole:
        common = brief(problem, templates=templates, plan=plan)
        return user(common, f"Solution:\n{last.text.strip()}", TASK.format(work="the solution"))
    common = brief(problem, templates=templates, plan=plan, results=results)
    return user(common, TASK.format(work=f"the work on step {last.index + 1}"))


def parse(reply: str) -> Review:
    """The judgement, its `index` 0 (the node knows the step). Raises ParseError if there is no verdict.

    The verdict is the last line that begins with one in capitals; what follows it belongs to it.
    """
    lines = reply.splitlines(keepends=True)
    heads = list(_heads(lines))
    if not heads:
        raise ParseError("no line of it begins with ACCEPT, REDO, REPLACE or FINISH.")
    at, head = next((found for found in reversed(heads) if found[1]["word"].isupper()), heads[-1])
    verdict: Verdict = head["word"].lower()  # type: ignore[assignment]
    rest = "\n".join((head["rest"], "".join(lines[at + 1 :]))).strip()
    rest = rest if rest.strip(_CLOSING) else ""
    if verdict != "replace":
        return Review(index=0, verdict=verdict, feedback=rest[:600])
    first = next(iter(rest.splitlines()), "")
    remark = "" if read_mark(first) or first[:1] in ("{", "[", "`") else first[:600]  # the steps may begin at once
    return Review(index=0, verdict=verdict, feedback=remark, steps=read_plan(rest).steps)


def _heads(lines: Sequence[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """The lines that begin with a verdict; those of a new plan are steps, whatever word they begin with."""
    said: set[str] = set()
    for at, line in enumerate(lines):
        head = _HEAD.match(line.rstrip())
        if not head or _NONE.match(head["rest"]) or ("REPLACE" in said and read_mark(line)):
            continue
        word, alone = head["word"], not head["rest"].strip(_CLOSING)
        parted, good = bool(alone or head["end"].strip(" *_`\"'}])")), word.upper() in ("ACCEPT", "FINISH")
        if good and (_DENIED.match(head["rest"]) or not (parted or _GOES_ON.match(head["rest"]))):
            continue
        if not parted and (said & {"REDO", "REPLACE"} if good else _ORDER.match(head["rest"])):
            continue
        if alone or word.isupper() or head["label"] or (parted and word in ("Redo", "Replace")):
            said.add(word)
            yield at, head


REVIEW: Prompt[Review] = Prompt("review", "navigator", render, parse, max_tokens=250)
