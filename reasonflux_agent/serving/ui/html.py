"""HTML that is safe by construction: every text is escaped unless `tag` made it. Pure functions, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from reasonflux_agent.serving.ui.formulas import mathml

_VOID = frozenset(("br", "input"))


class Html(str):
    """Text that is markup already; nothing but this module makes it."""

    __slots__ = ()


Child = str | None | Iterable["str | None"]
"""Text, markup, nothing, or several of them."""


def tag(element: str, *children: Child, **attributes: Any) -> Html:
    """An element. `class_` means `class`, `aria_label` `aria-label`; True is a bare attribute, None and False none at all."""
    written = ""
    for name, value in attributes.items():
        if value is not None and value is not False:
            name = name.rstrip("_").replace("_", "-")
            written += f" {name}" if value is True else f' {name}="{_escaped(str(value))}"'
    return Html(f"<{element}{written}>" if element in _VOID else f"<{element}{written}>{join(children)}</{element}>")


def join(children: Iterable[Child]) -> Html:
    """All children in order, escaped where they are text."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, str):
            parts.append(child if isinstance(child, Html) else _escaped(child))
        elif child is not None:
            parts.append(join(child))
    return Html("".join(parts))


def _escaped(text: str) -> str:
    return escape(text.encode(errors="replace").decode())  # half of a surrogate pair, which JSON can hold, is no text


_BLOCKS = re.compile(r"^[ \t]*```([^\n`]*)\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
# A formula ends where the next one opens, has a bounded length, and is looked for in texts of a bounded length: openings that
# nothing closes would else take the square of their number. `\\[` is a row's end with a distance, and opens nothing.
_MARKED_UP = 100_000
_BRACKETED = r"(?:(?!(?<!\\)\\\[).){1,4000}?"
_DISPLAY = re.compile(rf"\$\$.{{1,4000}}?\$\$|(?<!\\)\\\[{_BRACKETED}\\\]", re.DOTALL)
_INLINE = re.compile(
    r"""(?P<display>\$\$(?P<d1>.{1,4000}?)\$\$ | (?<!\\)\\\[(?P<d2>"""
    + _BRACKETED
    + r""")\\\])
      | (?P<inline>\$(?P<i1>(?![\s$])[^$\n]{0,999}?[^\s$\\])\$(?!\d) | (?<!\\)\\\((?P<i2>(?:(?!(?<!\\)\\\().){1,4000}?)\\\)
          | (?P<i3>\\boxed\{(?:[^{}]|\{[^{}]*\})*\}))
      | `(?P<code>[^`\n]+)` | \*\*(?P<bold>[^*\n]+)\*\* | ^\#{1,6}[ ]+(?P<head>[^\n]+)$""",
    re.DOTALL | re.VERBOSE | re.MULTILINE,
)


def prose(text: str) -> Html:
    """What a model or a person wrote: paragraphs, code blocks, formulas between $ $, $$ $$, \\( \\) or \\[ \\]."""
    parts: list[Html] = []
    end = 0
    for block in _BLOCKS.finditer(text):
        parts.append(_paragraphs(text[end : block.start()]))
        parts.append(code(block[2], "Output" if block[1].strip() == "output" else "Program"))
        end = block.end()
    return tag("div", *parts, _paragraphs(text[end:]), class_="prose")


def code(text: str, label: str) -> Html:
    """A block of code; one that is wide scrolls by itself, also by keyboard."""
    block = tag("pre", tag("code", text.rstrip("\n")), tabindex=0, role="group", aria_label=label)
    return tag("figure", tag("figcaption", label), block, class_=f"code {label.lower()}")


def formula(text: str) -> Html:
    """An answer, which may be a formula without delimiters, or holds formulas."""
    if re.search(r"[\\^_]", text) and "$" not in text and not re.search(r"[A-Za-z]{3} [A-Za-z]{2}|\\[(\[]", text):
        return _math(text, display=False)
    return _inline(text)


def inline(text: str) -> Html:
    """One line of text with its formulas."""
    return _inline(" ".join(text.split()))


def _paragraphs(text: str) -> Html:
    if len(text) > _MARKED_UP:
        return tag("p", text)
    # a display formula may hold blank lines, which begin no paragraph
    text = _DISPLAY.sub(lambda found: re.sub(r"\n\s*\n", "\n", found[0]), text)
    return join(tag("p", _inline(part.strip("\n"))) for part in re.split(r"\n\s*\n", text) if part.strip())


def _inline(text: str) -> Html:
    if len(text) > _MARKED_UP:
        return join([text])
    parts: list[str] = []
    end = 0
    for found in _INLINE.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found["display"]:
            parts.append(_math(found["d1"] or found["d2"], display=True))
        elif found["inline"]:
            parts.append(_math(found["i1"] or found["i2"] or found["i3"], display=False))
        elif found["code"]:
            parts.append(tag("code", found["code"]))
        else:
            parts.append(tag("strong", found["bold"] or found["head"]))
    return join([*parts, text[end:]])


def _math(source: str, *, display: bool) -> Html:
    """The formula as MathML; its source where it cannot be converted."""
    made = mathml(source.strip(), display=display)
    if not made:
        return tag("code", source.strip(), class_="formula")
    return Html(made) if display else tag("span", Html(made), class_="inline")
