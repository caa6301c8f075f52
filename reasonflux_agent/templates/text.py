"""Repairs what libraries in circulation do to their texts, and reads the many shapes of a worked example."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from reasonflux_agent.schema import Example

Tally = Counter[str]
"""What was normalised -> how often; becomes `TemplateLibrary.notes`."""

# A LaTeX command that went through one JSON decoding too many lost its backslash and first letter to a control
# character: \frac -> form feed + rac. Tab and carriage return are ordinary too, so a known command must follow them.
_LOST = {"\x07": r"\a", "\x08": r"\b", "\x0b": r"\v", "\x0c": r"\f"}
_LOST_TAB = re.compile(r"\t(?=(?:an|au|ext|extbf|extrm|frac|heta|herefore|ilde|imes|op|riangle)(?![a-z]))")
_LOST_RETURN = re.compile(r"\r(?=(?:angle|ceil|floor|ho|ight|ightarrow)(?![a-z]))")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Two backslashes right before a word or a brace are one that was escaped twice; before a blank they end a row.
# They are looked for from a run's beginning alone, else a long run takes the square of its length.
_DOUBLED = re.compile(r"(?<!\\)\\{2,}(?=[A-Za-z]{2}|[{}])")
_TRIPLED = re.compile(r"(?<!\\)\\{3,}(?=\s|$)")
# Backslash and n that were meant as a line break, unless they begin one of LaTeX's own commands.
_WRITTEN_BREAK = re.compile(
    r"\\n(?!(?:abla|atural|cong|e|earrow|eg|eq|ewline|exists|geq|gtr|leq|less|mid|olimits|onumber|ot|otin|parallel"
    r"|prec|sim|subseteq|succ|supseteq|u|warrow|[lL]eftarrow|[rR]ightarrow|Leftrightarrow|[vV][dD]ash)(?![a-z]))"
)
_WRITTEN_TAB = re.compile(r"\\t(?![a-z])")
# Outside an environment a row cannot end: there the backslashes before a break, and doubled breaks, are leavings too.
_ESCAPED_BREAK = re.compile(r"(?<!\\)(?:\\+(?=\\n(?![a-z]))|\\{2,} *(?=\n|$))")


_CODE = re.compile(r"^[ \t]*```[^\n]*\n.*?(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^\s*```", re.MULTILINE)


def clean(text: str, tally: Tally) -> str:
    """`text` with lost LaTeX backslashes, doubled backslashes and written-out line breaks repaired; idempotent.

    A fenced block is a program: it keeps its indentation and its backslashes.
    """
    if "\\" not in text and text.isprintable():
        return text.strip()
    if "```" not in text:
        return _clean(text, tally)
    parts, at = list[str](), 0
    for block in _CODE.finditer(text):
        parts += [_clean(text[at : block.start()], tally), _verbatim(block[0])]
        at = block.end()
    parts.append(_clean(text[at:], tally))
    return "\n".join(part for part in parts if part)


def _verbatim(code: str) -> str:
    """A line, or lines, of a program without characters that no program holds."""
    return _CONTROL.sub("", _SURROGATE.sub("\ufffd", code.replace("\r\n", "\n"))).rstrip()


def lines_of(lines: Iterable[str], tally: Tally) -> list[str]:
    """Each text cleaned, without empty ones. What stands between one that opens a fence and one that closes it is a program."""
    cleaned, inside = list[str](), False
    for line in lines:
        odd = len(_FENCE.findall(line)) % 2 == 1
        cleaned.append(_verbatim(line) if inside and not odd else clean(line, tally))
        inside ^= odd
    return [line for line in cleaned if line.strip()]


def _clean(text: str, tally: Tally) -> str:
    before, fixed = text, _repaired(text)
    while fixed != before:  # one repair can lay bare another; each shortens the text or takes a control character
        before, fixed = fixed, _repaired(fixed)
    if fixed != text.strip():
        tally["texts repaired (written-out line breaks, doubled or lost backslashes, control characters)"] += 1
    return fixed


def _repaired(text: str) -> str:
    text = _SURROGATE.sub("\ufffd", text)
    for lost, command in _LOST.items():
        text = text.replace(lost, command)
    text = _LOST_RETURN.sub(r"\\r", _LOST_TAB.sub(r"\\t", text)).replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub("", text).replace("\t", " ")
    text = _TRIPLED.sub(r"\\\\", _DOUBLED.sub(r"\\", text))
    if r"\begin" not in text:
        text = _ESCAPED_BREAK.sub("", text)
    return _WRITTEN_TAB.sub(" ", _WRITTEN_BREAK.sub("\n", text)).strip()


# The first word that matches decides: "Important Formulas and Theorems" is a formula.
_KINDS = (
    ("technique", "Technique"),
    ("method", "Method"),
    ("knowledge", "Knowledge"),
    ("formula", "Formula"),
    ("theorem", "Theorem"),
    ("conclusion", "Result"),
)


def kind_of(text: str, tally: Tally) -> str:
    """The type, brought to Method, Knowledge, Technique, Formula, Theorem or Result where it is a spelling of one."""
    lower = text.lower()
    kind = next((kind for word, kind in _KINDS if word in lower), text)
    if kind != text:
        tally[f"types rewritten to {kind!r}"] += 1
    return kind


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


def example_of(value: dict[str, Any] | str, tally: Tally) -> Example | None:
    """A worked example from any published shape: a text, or an object with keys of many names. None when it is blank.

    Raises TypeError when a part is neither text, list of texts, nor (for the whole) one object inside another.
    """
    if isinstance(value, str):
        return _example_of_text(clean(value, tally), tally)
    keys = {key.strip().lower().replace(" ", "_").replace("-", "_"): part for key, part in value.items()}
    if keys and all(isinstance(part, dict) for part in keys.values()):
        if len(keys) > 1:
            tally["further examples of one template left out"] += len(keys) - 1
        return example_of(next(iter(keys.values())), tally)
    if not keys.keys() <= {"example_problem", "solution_steps", "answer"}:
        tally["examples brought to one shape"] += 1
    problem, steps, answer = "", list[str](), ""
    for key, part in keys.items():
        lines = texts_of(part, tally)
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


def texts_of(value: object, tally: Tally, *, split: bool = False) -> list[str]:
    """A text (`split`: its lines) or a list of texts as a list of cleaned, non-empty texts. Raises TypeError."""
    if value is None:
        return []
    if isinstance(value, str):
        text = clean(value, tally)
        return lines_of(text.split("\n") if split else [text], Counter())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return lines_of(value, tally)


def _example_of_text(text: str, tally: Tally) -> Example | None:
    """Problem, steps and answer from running text, by the headings and numbered lines that it holds."""
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
            if rest := _MARK.sub("", line, count=1):
                steps.append(rest)
        elif problem and (in_steps or _NUMBERED.match(line)):
            in_steps = True
            steps.append(line)
        else:
            problem.append(line)
    # Cleaned again part by part: a part may hold no rightly written command though the whole text does.
    problem, steps = (lines_of(lines, Counter()) for lines in (problem, steps))
    return Example(problem="\n".join(problem), steps=tuple(steps), answer=clean(answer, Counter()))
