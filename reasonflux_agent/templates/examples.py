"""Reads a worked example from any of its published shapes."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from reasonflux_agent.schema import Example
from reasonflux_agent.templates.cleaning import Counts, clean, lines_of, text_of, texts_of

_PROBLEM = {"problem", "example_problem", "question", "example_question", "title", "example"}
_ANSWER = {"answer", "answers", "final_answer", "conclusion"}
_STEPS = re.compile(r"solution|solving|steps|process|analysis|explanation|application")
_HEAD = re.compile(
    r"^[\s*【(]*(?:(?:Textbook |Corresponding textbook )?Example(?: (?:problem|question))?|Problem|Question)"
    r"(?: ?\d+)?(?: ?\(\d+\))*[\s*】]*[:：.]?[\s*]*",
    re.IGNORECASE,
)
_MARK = re.compile(
    r"^[\s*#【]*(?:[A-Z][A-Za-z ]*)?"
    r"(?:solution|solving|solve|steps|analysis|process|explanation|proof|verification|template)"
    r"[A-Za-z ]*[\s*】]*(?:[:：]|】|$)[\s*]*",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^\s*(?:\(?\d+[.)、](?!\d)|step \d|[①-⑳]|\d\ufe0f?\u20e3|[-•▶])", re.IGNORECASE)
_FINAL = re.compile(r"^[\s*【]*(?:final )?answers?[\s*】]*[:：】][\s*]*(?P<rest>.*)$", re.IGNORECASE)


def example_of(value: object, tally: Counts) -> Example | None:
    """Return a worked example from any published shape: a text, or an object with keys of many names. None where it is blank.

    Raises TypeError for anything else, and for a part that is neither a text nor a list of texts.
    """
    if value is None or isinstance(value, str):
        return _example_of_text(text_of(value, tally), tally)
    if not isinstance(value, dict):
        raise TypeError
    parts: dict[str, Any] = value
    while parts and all(isinstance(part, dict) for part in parts.values()):  # {"Example 1": {...}, "Example 2": {...}}
        if len(parts) > 1:
            tally["further examples of one template left out"] += len(parts) - 1
        parts = next(iter(parts.values()))
    keys = {key.strip().lower().replace(" ", "_").replace("-", "_"): part for key, part in parts.items()}
    if not keys.keys() <= {"example_problem", "solution_steps", "answer"}:
        tally["examples brought to one shape"] += 1
    problem, steps, answer = "", list[str](), ""
    for key, part in keys.items():
        try:
            lines = texts_of(part, tally)
        except TypeError:
            raise TypeError("holds more than texts and lists of texts") from None
        if key in _PROBLEM and not problem:
            problem = "\n".join(lines)
        elif key in _ANSWER and not answer:
            answer = "; ".join(lines)
        elif _STEPS.search(key):
            steps += lines
        else:
            steps += [f"{key.replace('_', ' ').capitalize()}: {line}" for line in lines]
    if not (problem or steps or answer):
        return None
    return Example(problem=problem, steps=tuple(steps), answer=answer)


def _example_of_text(text: str, tally: Counts) -> Example | None:
    """Split running text into problem, steps and answer, by the headings and numbered lines that it holds."""
    if not text:
        return None
    tally["examples in running text split into problem, steps and answer"] += 1
    problem, steps, answer, in_steps = list[str](), list[str](), "", False
    for line in lines_of(_HEAD.sub("", text, count=1).split("\n"), Counter()):
        final = _FINAL.match(line)
        if final and not answer:
            answer, in_steps = final["rest"], True
        elif problem and not in_steps and _MARK.match(line):
            in_steps = True
            steps.append(_MARK.sub("", line, count=1))
        elif problem and (in_steps or _NUMBERED.match(line)):
            in_steps = True
            steps.append(line)
        else:
            problem.append(line)
    # Clean again part by part: a part may hold no rightly written command though the whole text does.
    again = Counts()
    return Example(problem="\n".join(lines_of(problem, again)), steps=lines_of(steps, again), answer=clean(answer, again))
