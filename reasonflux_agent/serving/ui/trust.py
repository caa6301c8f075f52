"""Why to trust an answer: what a run's record, and the proof of a learned template, say for it and against it. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import htpy as h

from reasonflux_agent.runs.record import Record
from reasonflux_agent.schema import PROOF, Candidate, Solution, Template
from reasonflux_agent.serving.ui.prose import formula

Reason = tuple[str, str, h.Node]
"""`good`, `warn` or `bad`; what is the case, in a few words; what that means."""


def reasons(record: Record, texts: Callable[[str], Template | None]) -> Iterator[Reason]:
    """Yield what speaks for the answer of a run that has ended, and what speaks against it, the weightiest first."""
    solution, mark = record.solution, record.feedback
    if solution is None:
        return
    if mark:
        said = "right" if mark.correct else "wrong"
        yield "good" if mark.correct else "bad", f"Marked as {said}.", "A person, or a program, has checked it."
    yield from _votes(solution)
    yield from _checked(winner(solution))
    for id in solution.templates if solution.answer else ():
        found = texts(id)
        if found and (proven := proof(found.provenance)):
            yield proven[0], f"A learned template was followed: {found.name}.", proven[1]
    if solution.status == "exhausted":
        yield "warn", "The run was cut short.", f"It ended early: {solution.reason}."


def winner(solution: Solution) -> Candidate | None:
    """Return the candidate that the answer is taken from."""
    return next((c for c in solution.candidates if (c.text, c.answer) == (solution.text, solution.answer)), None)


def _votes(solution: Solution) -> Iterator[Reason]:
    agreed, of = solution.support, solution.solutions
    count = f"{agreed} of {of} solutions agree." if agreed > 1 else f"1 of {of} solutions states it."
    if solution.certainty == "proven":
        yield "good", "Proven.", "The answer was put back into the problem, and it holds."
    if solution.certainty == "none":
        yield "bad", "No solution states an answer.", ""
    elif of > 1:
        yield "good" if agreed > 1 else "warn", count, _others(solution)
    elif solution.certainty == "single":
        yield "warn", "There is one solution.", "No second one confirms it."


def _others(solution: Solution) -> h.Node:
    """Return what the solutions say that state another answer."""
    other = dict.fromkeys(c.answer for c in solution.candidates if c.answer and c.answer != solution.answer)
    if solution.support == solution.solutions or not other:
        return "They were made independently of one another."
    shown = [[", " if n else "", formula(text[:60])] for n, text in enumerate([*other][:3])]
    return ["Other answers, or other forms of it: ", shown, "."]


def _checked(best: Candidate | None) -> Iterator[Reason]:
    done = {name.replace("_", " "): passed for name, passed in (best.checks if best else {}).items() if name != PROOF}
    passed, failed = ([name for name, held in done.items() if held is wanted] for wanted in (True, False))
    if passed:
        yield "good", f"Checks passed: {', '.join(passed)}.", "They were computed; no model was asked."
    if failed:
        yield "bad", f"Checks failed: {', '.join(failed)}.", "The text of the solution has a fault."
    if not done and not (best and best.checks):
        yield "warn", "No check applies.", "Nothing in this problem can be computed anew."


def proof(provenance: dict[str, Any]) -> tuple[str, str] | None:
    """Return `good` or `warn`, and what a learned template's provenance says of its library; None if it says nothing."""
    said: Any = provenance.get("claim")
    try:
        before, after, rows = said["right_without"], said["right_with"], said["rows"]
        figures = f"{before} of {rows} problems were right without its library, {after} with it (p = {said['p']:.2g})"
    except (KeyError, TypeError, ValueError):  # not learned, or a file from elsewhere
        return None
    how = "problems that chose nothing" if provenance.get("sealed") else "libraries learned in the same way"
    if provenance.get("proven") is True:
        return "good", f"Proven to help, on {how}: {figures}."
    return "warn", f"Not proven to help. On {how}: {figures}."


def checks(done: dict[str, bool]) -> h.Node:
    """Return checks with their results, in words and signs."""
    if not done:
        return h.span(".soft")["none applied"]
    marks = {True: ("passed", "✓ passed"), False: ("failed", "✗ failed")}
    items = [(name.replace("_", " "), *marks[passed]) for name, passed in done.items()]
    return h.ul(".checks")[[h.li(class_=kind)[f"{name} {mark}"] for name, kind, mark in items]]
