"""LaTeX formulas as MathML, which browsers draw and screen readers read, without a network.

latex2mathml converts, but what it prints is not safe: it leaves `<` in a `\\text{}` unescaped and passes `\\href` and `\\style`
on. So its tree is taken, not its text, and written here: known elements and attributes alone, everything escaped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from reasonflux_agent.errors import MissingExtraError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST = 2000
"""Characters of a formula at most; a longer one is shown as it was written."""
_ELEMENTS = frozenset(
    (
        *("math", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow", "mspace", "msqrt"),
        *("mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover"),
    )
)
_ATTRIBUTES = frozenset(
    (
        *("accent", "columnalign", "columnspacing", "display", "displaystyle", "fence", "form", "linethickness", "mathvariant"),
        *(
            "maxsize",
            "minsize",
            "notation",
            "rowspacing",
            "scriptlevel",
            "separator",
            "stretchy",
            "symmetric",
            "width",
            "xmlns",
        ),
    )
)
_ALIGNED = re.compile(r"\\(begin|end)\{(?:aligned|alignedat|split|eqnarray|gather|gathered)\*?\}")


def require() -> None:
    """Raises MissingExtraError where the converter is not installed."""
    try:
        import latex2mathml.converter  # noqa: F401
    except ImportError:
        raise MissingExtraError("The run page", "latex2mathml", "ui") from None


@lru_cache(maxsize=4096)
def mathml(latex: str, *, display: bool = False) -> str:
    """The formula as a `<math>` element; empty if it is not one that can be converted."""
    from latex2mathml.converter import convert_to_element

    if not latex or len(latex) > LONGEST:
        return ""
    source = _ALIGNED.sub(r"\\\1{align*}", latex)
    try:
        root = convert_to_element(source, display="block" if display else "inline")
        return ElementTree.tostring(root, encoding="unicode") if _clean(root) else ""
    except Exception:  # whatever a model writes: that the converter stumbles is no failure of the page
        return ""


def _clean(root: Element) -> bool:
    """Makes the tree safe to write; whether it holds known elements alone, and no command that was not understood."""
    for element in root.iter():
        element.text = unescape(element.text) if element.text else element.text
        if element.tag not in _ELEMENTS or (element.tag != "mtext" and (element.text or "")[:1] == "\\"):
            return False
        for name in [name for name in element.attrib if name not in _ATTRIBUTES]:
            del element.attrib[name]
    return True
