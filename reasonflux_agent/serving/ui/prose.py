"""What models and people write, as HTML: paragraphs, code, and LaTeX as MathML. htpy escapes every text. No I/O.

latex2mathml converts formulas, but its text is not safe: it leaves `<` in a `\\text{}` unescaped and keeps `\\href` and
`\\style`. So its tree is reduced to known elements and attributes here, and written by ElementTree.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import htpy as h
from latex2mathml.converter import convert_to_element
from markupsafe import Markup

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST = 2000
"""The most characters of a formula that is converted; a longer one is shown as it was written."""
MARKED_UP = 100_000
"""The most characters of a text in which formulas are looked for."""
_ELEMENT = re.compile(
    r"math|menclose|mfrac|mi|mn|mo|mover|mpadded|mphantom|mroot|mrow|mspace|msqrt|mstyle|msub|msubsup|msup|mtable|mtd|mtext|mtr"
    r"|munder|munderover"
)
_ATTRIBUTE = re.compile(
    r"accent|columnalign|columnspacing|display|displaystyle|fence|form|linethickness|mathvariant|maxsize|minsize|notation"
    r"|rowspacing|scriptlevel|separator|stretchy|symmetric|width|xmlns"
)
_ALIGNED = re.compile(r"\\(begin|end)\{(?:aligned|alignedat|split|eqnarray|gather|gathered)\*?\}")
_BLOCKS = re.compile(r"^[ \t]*```([^\n`]*)\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
# A formula ends where the next one opens, and its length is bounded: openings that nothing closes would else take time
# quadratic in their number. `\\[` is the end of a row with a distance, and opens nothing.
_DOLLARS = r"\$\$(?P<d1>.{1,4000}?)\$\$"
_BRACKETS = r"(?<!\\)\\\[(?P<d2>(?:(?!(?<!\\)\\\[).){1,4000}?)\\\]"
_DISPLAY = re.compile(f"{_DOLLARS}|{_BRACKETS}", re.DOTALL)
_INLINE = re.compile(
    rf"""(?P<display>{_DOLLARS} | {_BRACKETS})
      | (?P<inline>\$(?P<i1>(?![\s$])[^$\n]{{0,999}}?[^\s$\\])\$(?!\d)
          | (?<!\\)\\\((?P<i2>(?:(?!(?<!\\)\\\().){{1,4000}}?)\\\) | (?P<i3>\\boxed\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}}))
      | `(?P<code>[^`\n]+)` | \*\*(?P<bold>[^*\n]+)\*\* | ^\#{{1,6}}[ ]+(?P<head>[^\n]+)$""",
    re.DOTALL | re.VERBOSE | re.MULTILINE,
)


def render(*nodes: h.Node) -> Markup:
    """Return nodes as markup. Half of a surrogate pair, which JSON can hold, becomes a question mark: it is no text."""
    return Markup(str(h.fragment[nodes]).encode(errors="replace").decode())


def prose(text: str) -> Markup:
    """Return a text with its paragraphs, code blocks, and formulas between $ $, $$ $$, \\( \\) or \\[ \\]."""
    parts: list[h.Node] = []
    end = 0
    for block in _BLOCKS.finditer(text):
        parts += [
            _paragraphs(text[end : block.start()]),
            code(block[2], "Output" if block[1].strip() == "output" else "Program"),
        ]
        end = block.end()
    return render(h.div(".prose")[parts, _paragraphs(text[end:])])


def code(text: str, label: str) -> h.Element:
    """Return a block of code with its caption."""
    block = scrolling(h.pre, label)[h.code[text.rstrip("\n")]]
    return h.figure(class_=f"code {label.lower()}")[h.figcaption[label], block]


def scrolling(element: h.Element, label: str, class_: str | None = None) -> h.Element:
    """Return an element that scrolls by itself where it is wide, also by keyboard; screen readers say its label."""
    return element(class_=class_, tabindex=0, role="group", aria_label=label)


def formula(text: str) -> Markup:
    """Return an answer, which may be a formula without delimiters, or a text with formulas."""
    if re.search(r"[\\^_]", text) and "$" not in text and not re.search(r"[A-Za-z]{3} [A-Za-z]{2}|\\[(\[]", text):
        return render(_math(text, display=False))
    return render(_inline(text))


def inline(text: str) -> Markup:
    """Return one line of text with its formulas."""
    return render(_inline(" ".join(text.split())))


def _paragraphs(text: str) -> h.Node:
    if len(text) > MARKED_UP:
        return h.p[text]
    # a display formula may hold blank lines, which begin no paragraph
    text = _DISPLAY.sub(lambda found: re.sub(r"\n\s*\n", "\n", found[0]), text)
    return [h.p[_inline(part.strip("\n"))] for part in re.split(r"\n\s*\n", text) if part.strip()]


def _inline(text: str) -> h.Node:
    if len(text) > MARKED_UP:
        return text
    parts: list[h.Node] = []
    end = 0
    for found in _INLINE.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found["display"]:
            parts.append(_math(found["d1"] or found["d2"], display=True))
        elif found["inline"]:
            parts.append(_math(found["i1"] or found["i2"] or found["i3"], display=False))
        else:
            parts.append(h.code[found["code"]] if found["code"] else h.strong[found["bold"] or found["head"]])
    return [*parts, text[end:]]


def _math(source: str, *, display: bool) -> h.Node:
    """Return the formula as MathML, or its source if it cannot be converted."""
    made = mathml(source.strip(), display=display)
    if not made:
        return h.code(".formula")[source.strip()]
    return made if display else h.span(".inline")[made]


@lru_cache(maxsize=4096)
def mathml(latex: str, *, display: bool = False) -> Markup:
    """Return the formula as a `<math>` element; empty if it cannot be converted."""
    if not latex or len(latex) > LONGEST:
        return Markup()
    try:
        root = convert_to_element(_ALIGNED.sub(r"\\\1{align*}", latex), display="block" if display else "inline")
        return Markup(ElementTree.tostring(root, encoding="unicode")) if _clean(root) else Markup()
    except Exception:  # a model can write anything: an error of the converter is no error of the page
        return Markup()


def _clean(root: Element) -> bool:
    """Make the tree safe to write. Return whether it holds known elements only, and no command that was not understood."""
    for element in root.iter():
        element.text = unescape(element.text) if element.text else element.text
        if not _ELEMENT.fullmatch(element.tag) or (element.tag != "mtext" and (element.text or "")[:1] == "\\"):
            return False
        for name in [name for name in element.attrib if not _ATTRIBUTE.fullmatch(name)]:
            del element.attrib[name]
    return True
