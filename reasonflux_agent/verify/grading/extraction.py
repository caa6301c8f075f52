"""Finds the final answer that a solution states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise, takewhile

from reasonflux_agent.verify.grading import answers
from reasonflux_agent.verify.grading.tables import words

MAX_ANSWER = 2_000
"""Characters of an answer; longer ones equal nothing but themselves."""
TAIL = 100_000
"""Characters at the end of a solution in which an answer is looked for."""
END = 600
"""Characters at the end of a solution in which "the answer is" announces the final one; "final answer" may stand before."""
MAX_TRIED = 50
"""Marks and statements that are looked at, from the last one on."""

_PROGRAM = re.compile(r"```(?:python|py)\b.*?(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_BOX = re.compile(r"(?:\\(?:boxed|fbox)|(?<![a-zA-Z\\])boxed(?= ?\{)|\x08oxed)\s{0,9}(?:\{|([^\s{}$\\.,;]{1,99}))")
_CLOSERS = re.compile(r"(\\text\w{0,4} ?\{)?((?: ?\\?[\])}>])+ ?)(?(1)\} ?)\}")
"""A box of closing brackets alone: it ends with the last brace."""
_CONTROL = re.compile(r"<(?:\||\uff5c)[^<>\s]{1,40}(?:\||\uff5c)>|</?s>|<end_of_turn>")
_NEXT = re.compile(r"\n\n[*_# ]{0,6}(?:Problem|Question|Exercise|Q)\b[^\n:]{0,9}:")
"""Where a base model goes on with a problem of its own."""
_IS_ANSWER = re.compile(
    r"(?:(?:^|[,:]|\b(?:so|thus|hence|therefore)) |\b(?:option|choice) )(?!(?:this|that|it|which|what|here|there|one|none)\b)"
    r"([*$(\\]*[\w\[-][^\s,;]{0,60}) is (?:the |our |my )?(?:final |correct |right )*(?:answer|option|choice|result)\b"
    r"|\b(?:option|choice) [*$]*(\(?[A-Z]\)?)[*$]* is (?:correct|right)\b",
    re.IGNORECASE | re.MULTILINE,
)
_TAG = re.compile(
    r"(?:<|(\[))(?:final_)?answer[>\]](.{1,2000}?)(?:[<\[]/(?:final_)?answer[>\]]|(?(1)(?!)|\Z))", re.DOTALL | re.IGNORECASE
)
_HASHES = re.compile(r"(?<!#)####(?!#)[ \t]*(\S[^\n]*)")
_PLACEHOLDER = re.compile(
    r"[\s?.…_-]*|\\(?:[lc]?dots|square|Box)|x{2,}"
    r"|(?:(?:insert|your|the|my|final|numerical|correct) )*(?:answer|result)(?: here)?",
    re.IGNORECASE,
)
_GLUE = re.compile(
    r"(?:\\?[$()\[\]]|\\(?:quad|qquad|[,;: ])|\s)*(?:,|;|\band\b|\bor\b|\\text ?\{ ?,? ?(?:and|or) ?\}|(?<=,) ?(?:and|or)\b)"
    r"(?:\\?[$()\[\]]|\\(?:quad|qquad|[,;: ])|\s|\band\b|\bor\b|[a-zA-Z](?:_\{?\w\}?)? ?=)*"
)
"""What may stand between the boxes of a list."""
_NAME = re.compile(r"([a-zA-Z](?:_\{?\w\}?)?) ?= ?\\?\(?\$?$")

_STATED = re.compile(
    r"(?P<final>\bfinal[ _])?\b(?:answers?|ans|(?:correct|right) (?:option|choice)|(?<=final )(?:result"
    r"|value))\b[*_`]{0,4}(?: ?\([^()\n:]{1,40}\))?"
    r"(?:,? ?\(?(?:to|in|for|of|as|rounded|therefore|thus|then|hence|must|should|would|will)\b[^.:=\n]{0,60}?)??"
    r"[*_`\"',) ]{0,4}(?:\b(?:is|are|be|becomes|equals|comes (?:out )?to)\b|[:=：])"
    r"|^[^\w\n]{0,12}(?P<heading>final )?answers?[^\w\n]{0,6}$",
    re.IGNORECASE | re.MULTILINE,
)
_LEAD = re.compile(
    rf"\A(?:[\s:=}}>,]|[*_`]+(?=\S)|[*_`]+\s|\\approx\b|≈|{words('leads')}\b|\\boxed ?\{{(?=[^{{}}]*$))+", re.IGNORECASE
)
"""What stands between "the answer is" and the answer."""
_SUBJECT = re.compile(
    r"\A(?:the|there|this|it|so|thus|hence|therefore|we|our)\b[a-zA-Z', ]{0,60}?\b(?:is|are|equals|get)\b[: ]*", re.IGNORECASE
)
_ITEM = re.compile(r"(?:[-*+•]|\d{1,2}[.)]) +(?=\S)")
_SENTENCE = re.compile(
    r"\$\$|\$|\\\[|\\\(|(?P<end>(?:(?<!\bSt)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bMt)(?<!\.[A-Z])\.|\?"
    r"|!(?! ?[a-z=+*/^-]))[.!?]*(?=[\s*\"'”]|$)|\*\*|\n|\\\]"
    r"|,? (?:because|since|which|where|as (?:we|it|the|required|desired|expected|needed|claimed)|I hope|but)\b"
    r"| \((?:because|since|which|as|i\.e|that is)\b| (?:—|–|--) )"
)
_CLOSING = {"$$": "$$", "$": "$", r"\[": r"\]", r"\(": r"\)"}
_PROSE = re.compile(rf"{words('prose')}\b", re.IGNORECASE)
_NO_VALUE = re.compile(rf"{words('headings')}\b|\d+(?:\.\d+)*[.):] +[A-Z]|.*:$", re.IGNORECASE)


def extract_answer(text: str) -> str | None:
    """The final answer that a solution states, or None; what merely looks like one is not guessed at.

    The last mark wins: `\\boxed{...}`, `<answer>...</answer>`, or `#### 42`, where that is no Markdown heading. Without a mark
    the last statement near the end does: `The answer is 42`, `Answer: 42`, or the heading `Final Answer` with it below. A
    statement of the "final answer" that follows the last mark wins over it where it has a number or a formula.

    Several boxes are a list where only commas, "and", "or" and names stand between them (`$x = \\boxed{2}$, $x = \\boxed{3}$`);
    their names are kept where they differ, and of equal values the last is taken (`\\boxed{2-b}$ or $\\boxed{-b+2}`). Otherwise
    the last box corrects the earlier ones. Boxes that are empty or hold a placeholder (`\\boxed{?}`), and programs, are passed
    over.

    >>> extract_answer(r"So 2x = 6, and $x = \\boxed{3}$."), extract_answer("The answer is 42 apples."), extract_answer("Hm.")
    ('3', '42 apples', None)
    """
    text = _CONTROL.sub("", _PROGRAM.sub("\n", text[-TAIL:]))
    if (first := _STATED.search(text)) and (after := _NEXT.search(text, first.end())):
        text = text[: after.start()]
    end, marked = next(_marks(text), (-1, None))
    for match in islice(reversed(list(_STATED.finditer(text, max(0, end)))), MAX_TRIED):
        final = match["final"] or match["heading"]
        if (marked is None or final) and (final or match.start() >= len(text) - END):
            value = _stated(text[match.end() : match.end() + MAX_ANSWER])
            if value and (marked is None or re.search(r"[\d$\\]", value)):
                return value
    named = list(_IS_ANSWER.finditer(text[-END:])) if marked is None else []
    return _clean(named[-1][1] or named[-1][2]) if named else marked


def _marks(text: str) -> Iterator[tuple[int, str]]:
    """Where each mark ends, and its answer; the last one first."""
    marks: list[tuple[int, int, str | re.Match[str]]] = [*_listed(text, _boxes(text))]
    for pattern in (_TAG, _HASHES):
        marks += [(match.start(), match.end(), match) for match in pattern.finditer(text)]
    for _, end, mark in sorted(marks, key=lambda mark: mark[:2], reverse=True)[:MAX_TRIED]:
        if isinstance(mark, re.Match):
            mark = (_tagged(mark[2]) if mark.re is _TAG else _behind_hashes(mark[1], not text[end:].strip())) or ""
        if mark:
            yield end, mark


def _boxes(text: str) -> list[tuple[int, int, str]]:
    """Start, end and text of the last boxes that are closed and hold an answer, in order."""
    boxes = []
    for match in list(_BOX.finditer(text))[-MAX_TRIED:]:
        closers = None if match[1] else _CLOSERS.match(text, match.end())
        if closers and closers[2].strip() != "}":
            boxes.append((match.start(), closers.end(), closers[2].strip()))
            continue
        inner = match[1] or _braced(text[match.end() : match.end() + MAX_ANSWER])
        if inner is not None and not _BOX.search(inner) and not _is_placeholder(inner):
            end = match.end() if match[1] else match.end() + len(inner) + 1
            boxes.append((match.start(), end, _LEADING_EQUALS.sub("", inner.strip())))
    return boxes


_LEADING_EQUALS = re.compile(r"^= ?(?=\S)")


def _listed(text: str, boxes: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The boxes, those that make a list joined with the ones before."""
    groups: list[list[tuple[int, int, str]]] = [boxes[:1]] if boxes else []
    for before, box in pairwise(boxes):
        between = text[before[1] : box[0]]
        if len(between) <= 99 and _GLUE.fullmatch(between):
            groups[-1].append(box)
        else:
            groups.append([box])
    return [(group[0][0], group[-1][1], _joined(text, group)) for group in groups]


def _joined(text: str, group: list[tuple[int, int, str]]) -> str:
    named = [_NAME.search(text[max(0, start - 20) : start]) for start, _, _ in group]
    names = [match[1] for match in named if match]
    values = [value for _, _, value in group]
    if len(set(names)) == len(values) > 1:
        values = [f"{name} = {value}" for name, value in zip(names, values, strict=True)]
    kept = []
    for at, value in enumerate(values):
        plain = answers.normal(value)
        if not any(answers.compare(plain, answers.normal(v)) or v.startswith(f"{value}_") for v in values[at + 1 :]):
            kept.append(value)
    return ", ".join(kept)


def _braced(text: str) -> str | None:
    """What stands before the brace that closes the one just opened; None if it never closes."""
    depth = 1
    for brace in re.finditer(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[: brace.start()]
    return None


def _is_placeholder(text: str) -> bool:
    plain = re.sub(r"\\(?:text\w{0,4}|mathrm|mbox) ?\{([^{}]*)\}", r"\1", text[:MAX_ANSWER])
    return bool(_PLACEHOLDER.fullmatch(plain.strip(" ${}[]<>\\")))


def _tagged(text: str) -> str | None:
    """The answer between tags, which may be a sentence."""
    for match in reversed(list(_STATED.finditer(text))):
        if value := _stated(text[match.end() :]):
            return value
    return None if _is_placeholder(text) else _clean(text)


def _behind_hashes(line: str, last: bool) -> str | None:
    line = _clean(line)
    if match := _STATED.search(line):
        return _stated(line[match.end() :])
    wordy = line[:1].isalpha() and "=" not in line and len(line.split()) > (6 if last else 2)
    if wordy or _NO_VALUE.match(line) or _PROSE.match(line) or _is_placeholder(line):
        return None
    return line.rstrip("!").strip()


def _stated(text: str) -> str | None:
    """The answer at the beginning of what follows "the answer is"; None where a sentence about something else follows."""
    line = re.match(r"[*_`:：=}> \t]*(?=\n|$)", text)
    if line:  # it stands below: in a list, a block, a formula, or a sentence
        text = text[line.end() :].lstrip()
        items = takewhile(bool, map(_ITEM.match, text.splitlines()))
        if values := [_clean(item.string[item.end() :]) for item in items if item]:
            return ", ".join(values)
        text = re.sub(r"\A```\w*\n", "", text)
    text = _LEAD.sub("", text)
    for opening in (r"\[", "$$"):
        if text.startswith(opening) and (closing := text.find(_CLOSING[opening], 2)) > 0:
            return _clean(text[2:closing]) or None
    value = _sentence(_LEAD.sub("", _SUBJECT.sub("", text)))
    if _PROSE.match(value) or _is_placeholder(value) or len(value.split()) > 30:
        return None
    return value


def _sentence(text: str) -> str:
    """The text up to the end of its sentence, which may stand inside no formula."""
    at = 0
    while match := _SENTENCE.search(text, at):
        if match["end"] == "**" and text[at : match.start()].endswith(" ") and not re.search(r"[\d$\\]", text[: match.start()]):
            return _clean(text[match.end() :].partition("**")[0])  # the words before it lead to what is in bold
        if match["end"]:
            at = match.start() + (match["end"] == "!.")  # a factorial may end the sentence: `5!.`
            return "" if "?" in match["end"] else _clean(text[:at])
        closing = text.find(_CLOSING[match[0]], match.end())
        inner = text[match.end() : closing] if closing > 0 else "\n\n"
        at = match.end() if re.search(r"\n\n|[.!?]\s+[A-Z]", inner) else closing + len(match[0])
    return _clean(text)


def _clean(text: str) -> str:
    """An answer without the marks around it, a leading `=`, and closing punctuation."""
    before, text = "", text.strip()
    while text != before:
        before = text
        text = text.strip(' \n\t:*`"“”').rstrip(".,;").removesuffix("</answer>")
        text = _LEADING_EQUALS.sub("", text.rstrip("_"))
        text = text.removesuffix("}") if text.count("}") > text.count("{") and re.search(r"\w", text) else text
    return text
