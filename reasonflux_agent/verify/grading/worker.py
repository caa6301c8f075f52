"""The grading worker: a process that compares two LaTeX answers with Math-Verify and SymPy, one JSON line in, one out.

Run as a script by pool.py, never imported: it does not load the package, and it locks its process down.
A request is `{"left": latex, "right": latex, "seconds": 5.0}`; `"ready"` comes first. The reply is `{"verdict": ...}`: `equal`,
`different`, `unreadable` (a text is no LaTeX that Math-Verify reads: it equals nothing), or `failed` with a `why`. Math-Verify
reads; what is equal is decided here, exactly: its own comparison takes values that agree to six digits for equal, and an
equation for its right side.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from contextlib import suppress
from typing import Any

try:
    import resource
except ImportError:  # on Windows the parent's deadline alone bounds us
    resource = None  # type: ignore[assignment]

MEMORY = 1024**3
"""Bytes of address space, so that no comparison starves the machine; the imports take about 0.1 GiB of it."""

_REFUSED = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "urllib.", "tempfile.", "webbrowser.")
_PATHS_ONLY = ("os.listdir", "os.scandir")  # what an import looks up

_MONOMIALS = re.compile(
    r"def monomial_[a-z]+\(A(?:, B)?(?:, k)?\):\n(?:(?:return|if|else|None|[abcrABk]\d*|\d+)(?!\w)|[-+*<>=(),: \n])+"
)
"""The source that SymPy generates to multiply the powers of polynomials; nothing of an answer's text stands in it."""

WARMING = [
    (r"\frac{1}{2}+\sin x", r"\sin x+0.5"),
    ("2x+4y-3=0", r"y=-\frac12x+\frac34"),
    (r"\int_0^1 x dx", r"\frac{1}{2}"),
    (r"\begin{pmatrix}1 & 2\end{pmatrix}", r"\begin{pmatrix}1 & \frac{4}{2}\end{pmatrix}"),
    ("3x+7>1", "x>-2"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    ("z^2+abcdt", "abcdt+z^2"),
]
"""Pairs that are compared before the guard, so that what SymPy loads late is loaded."""


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Second line of defence: if a library did run a text as code after all, this process could not do anything."""
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    code = event == "compile" and str(arguments[1]).startswith(("<", "b'<")) and not _is_monomials(arguments[0])
    if writes or code or (event.startswith(_REFUSED) and event not in _PATHS_ONLY):
        raise PermissionError(event)


def _is_monomials(source: Any) -> bool:
    text = source.decode("utf-8", "replace") if isinstance(source, bytes) else str(source)
    return _MONOMIALS.fullmatch(text) is not None


def _limit_memory() -> None:
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0)) if resource else ():
        with suppress(ValueError, OSError):  # a lower limit is set already, or the platform knows none
            resource.setrlimit(limit, (most, most))


def _limit_cpu(seconds: float) -> None:
    """Should the parent die during a comparison that never ends, the kernel ends it."""
    if resource:
        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 2, hard))


def _number(text: str) -> Any:
    """What SymPy may make of a string: a plain number or fraction, nothing else."""
    from sympy import Float, Integer, SympifyError

    if fraction := re.fullmatch("([0-9]{1,400})/([0-9]{1,400})", text):
        return Integer(int(fraction[1])) / Integer(int(fraction[2]))
    if len(text) <= 400 and text.isascii() and text.replace(".", "", 1).isdigit():
        return Integer(int(text)) if text.isdigit() else Float(text, max(15, len(text)))
    raise SympifyError(text)


def _prepared(found: Any) -> Any:
    """What Math-Verify read, worked out; the letter i is the imaginary unit."""
    from sympy import I
    from sympy.matrices.expressions.matexpr import MatrixExpr

    if units := {symbol: I for symbol in getattr(found, "free_symbols", ()) if symbol.name == "i"}:
        found = found.subs(units)
    found = found.doit() if hasattr(found, "doit") else found
    return found.as_explicit() if isinstance(found, MatrixExpr) else found


def _equal(a: Any, b: Any) -> bool:
    """Whether two SymPy objects are the same: exactly, after simplification, never to some digits."""
    from sympy import Basic, Eq, Expr, FiniteSet, MatrixBase, Set, Tuple
    from sympy.core.relational import Relational

    if a == b:
        return True
    if isinstance(a, MatrixBase) and isinstance(b, MatrixBase):
        return a.shape == b.shape and all(map(_equal, a, b))
    if isinstance(a, Relational) and isinstance(b, Relational):
        return _same_equation(a, b) if isinstance(a, Eq) and isinstance(b, Eq) else _same_inequality(a, b)
    if isinstance(a, Tuple) and isinstance(b, Tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, FiniteSet) and isinstance(b, FiniteSet):
        return len(a) == len(b) and all(any(_equal(x, y) for y in b.args) for x in a.args)
    if isinstance(a, Set) and isinstance(b, Set):
        return bool(a.symmetric_difference(b).is_empty)
    if isinstance(a, Expr) and isinstance(b, Expr) and not isinstance(a, Set) and not isinstance(b, Set):
        return _is_zero(a - b)
    return isinstance(a, Basic) and isinstance(b, Basic) and bool(a.doit() == b.doit())


def _is_zero(difference: Any) -> bool:
    """Raises ArithmeticError where it cannot be told."""
    from sympy import factor_terms, simplify

    difference = difference.doit()
    if difference.is_number and difference.is_finite and abs(digits := difference.evalf(30)) > 0 and digits._prec > 1:
        return False  # SymPy could tell it from zero
    simple = simplify(factor_terms(difference))
    verdict = simple.equals(0) if simple.is_zero is None else simple.is_zero
    if verdict is None:
        raise ArithmeticError(f"SymPy cannot tell whether {simple} is zero")
    return bool(verdict)


def _same_equation(a: Any, b: Any) -> bool:
    """One equation is a multiple of the other, or both have the same solutions for one of their symbols."""
    from sympy import cancel, solve

    left, right = a.lhs - a.rhs, b.lhs - b.rhs
    if left.free_symbols != right.free_symbols or not left.free_symbols:
        return _is_zero(a.lhs - b.lhs) and _is_zero(a.rhs - b.rhs)
    ratio = cancel(left / right)
    if not ratio.free_symbols:
        return bool(ratio.is_finite and not ratio.is_zero)
    symbol = min(left.free_symbols, key=lambda each: (each.name != "y", each.name))
    roots, others = (solve(side, symbol) for side in (left, right))
    return bool(roots) and len(roots) == len(others) and all(any(_is_zero(x - y) for y in others) for x in roots)


def _same_inequality(a: Any, b: Any) -> bool:
    symbols = a.free_symbols | b.free_symbols
    if len(symbols) == 1 and a.free_symbols == b.free_symbols:
        return bool(a.as_set() == b.as_set())
    a, b = (each if "<" in each.rel_op or each.rel_op == "!=" else each.reversed for each in (a, b))
    return a.rel_op == b.rel_op and _is_zero(a.lhs - a.rhs - b.lhs + b.rhs)


def main() -> None:
    """Serve requests from stdin until it closes."""
    _limit_memory()
    # SymPy imports some of itself late, and with strings of its own to convert: before the guard and the converter
    import sympy.physics.units
    import sympy.polys.monomials
    import sympy.solvers.inequalities  # noqa: F401
    from math_verify import LatexExtractionConfig, parse
    from sympy.core.sympify import converter

    logging.disable()  # Math-Verify warns at each call that its own timeouts are off: the deadline is the parent's
    config = [LatexExtractionConfig()]

    def compare(left: str, right: str) -> str:
        both = [parse(f"${text}$", config, fallback_mode="no_fallback", parsing_timeout=None) for text in (left, right)]
        if not all(both):
            return "unreadable"
        return "equal" if _equal(*(_prepared(each[0]) for each in both)) else "different"

    warmed = [compare(*pair) for pair in WARMING]
    # SymPy evals strings, and two ways lead there: Math-Verify's plain-expression extraction (so LaTeX only), and the
    # digits that its LaTeX reader hands to `sympy.Number` (so a string becomes a number by our converter, or an error).
    converter[str] = _number
    sys.addaudithook(_guard)
    print(json.dumps("ready" if set(warmed) == {"equal"} else f"not ready: {warmed}"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        _limit_cpu(request["seconds"])
        try:
            reply = {"verdict": compare(request["left"], request["right"])}
        except (Exception, RecursionError, MemoryError) as error:  # whatever a hostile text sets off
            reply = {"verdict": "failed", "why": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
