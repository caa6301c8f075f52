r"""LaTeX inside JSON: there `\frac`, `\theta`, `\beta`, `\nabla` and `\rho` are legal escapes that destroy the formula."""

from __future__ import annotations

import re

# A backslash that begins a LaTeX command. Before a letter nobody means a backspace, a form feed or a return; a tab or a
# line break may be meant, so there the command must be known.
_LATEX = re.compile(
    r"\\\\|\\(?=[bfr][A-Za-z]"
    r"|t(?:anh?|au|bar|binom|frac|heta|herefore|hinspace|ilde|imes|op?|riangle\w*|ext[a-z]*)(?![a-z])"
    r"|n(?:abla|atural|e|earrow|eg|eq|exists|geq|gtr|leq|less|mid|ot|otin|parallel|prec|sim|subseteq|succ|u|warrow)(?![a-z])"
    r"|u(?![0-9a-fA-F]{4})|[^\"\\/bfnrtu])"
)


def with_latex(text: str) -> str:
    """Return JSON text in which each backslash of a LaTeX command is escaped, so that reading it keeps the command."""
    return _LATEX.sub(r"\\\\", text)  # a pair of backslashes is matched as well, and stays a pair
