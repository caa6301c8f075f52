"""Says a program of Python in the dialect of the interpreter that runs it (programs.py)."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable


def split(code: str) -> tuple[str, str]:
    """The program without its last expression, and that expression; nothing in its place if it does not end in one.

    A `return` at its end stands for its value. Raises SyntaxError for one elsewhere outside a function, where the interpreter
    would end the program without a word.
    """
    tree = _parse(code)
    if tree is None:
        return code, ""
    last = tree.body[-1]
    match last:
        case ast.If(ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__")]), body, []):
            last = body[-1]
    inside: list[ast.AST] = list(tree.body)
    while inside:
        node = inside.pop()
        if isinstance(node, ast.Return) and node is not last:
            raise SyntaxError("'return' outside function")
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside += ast.iter_child_nodes(node)
    if not isinstance(last, ast.Expr | ast.Return):
        return code, ""
    shown = last if isinstance(last, ast.Expr) else last.value
    return _edited(code, [(last, "pass")]), (ast.get_source_segment(code, shown) or "") if shown else ""


def _parse(code: str) -> ast.Module | None:
    """The program's tree; None if it is empty, or Python cannot read it: the interpreter will say what is wrong with it."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if tree.body else None


def _edited(code: str, edits: Iterable[tuple[ast.AST, str]]) -> str:
    """The program with texts in the places of some of its nodes, none of which holds another."""
    lines = code.encode().split(b"\n")
    for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):  # type: ignore[attr-defined]
        first, start, end_line, end = node.lineno - 1, node.col_offset, node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
        lines[first:end_line] = [lines[first][:start] + text.encode() + lines[end_line - 1][end:]]
    return b"\n".join(lines).decode()


_MATH = (
    "acos asin atan atan2 ceil comb cos degrees e exp factorial fabs floor gcd hypot inf isqrt lcm log log10 log2 perm pi"
    " prod radians sin sqrt tan"
)


def adapted(code: str) -> str:
    """The program without what the interpreter refuses and can be said otherwise."""
    code = textwrap.dedent(code.replace("\r\n", "\n").replace("\r", "\n"))
    tree = _parse(code)
    nodes: list[ast.AST] = [tree] if tree else []
    edits: list[tuple[ast.AST, str]] = []
    while nodes:
        node = nodes.pop()
        if found := _replaced(node):
            edits.append(found)
        elif not isinstance(node, ast.JoinedStr):  # before Python 3.12 nobody says where its parts stand
            nodes += ast.iter_child_nodes(node)
    return _edited(code, edits)


def _replaced(node: ast.AST) -> tuple[ast.AST, str] | None:
    """What of a node is replaced, and by what."""
    match node:
        case ast.Attribute(ast.Name("sys"), "exit") | ast.Attribute(ast.Name("os"), "_exit"):
            return node, "sys_exit"
        case ast.Call(ast.Name("SystemExit")):
            return node.func, "sys_exit"  # which raises it
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("sys"), "setrecursionlimit" | "set_int_max_str_digits"))):
            return node, "pass"
        case ast.ImportFrom("math", [ast.alias("*")]):
            return node, f"from math import {', '.join(_MATH.split())}"
        case ast.ImportFrom("fractions", [ast.alias("Fraction" | "*")]):
            return node, _bound(node.names[0], "Fraction")
        case ast.Import(names) if any(alias.name == "fractions" for alias in names):
            return node, "; ".join(_bound(a, a.name) if a.name == "fractions" else f"import {ast.unparse(a)}" for a in names)
        case ast.ImportFrom("sys", names) if any(alias.name == "exit" for alias in names):
            return node, "; ".join(
                _bound(a, "sys_exit") if a.name == "exit" else f"from sys import {ast.unparse(a)}" for a in names
            )
    return None


def _bound(alias: ast.alias, name: str) -> str:
    """A statement that gives what we defined as `name` the name under which the program imports it."""
    given = alias.asname or alias.name
    return "pass" if given in (name, "*") else f"{given} = {name}"


_EXIT = """
def exit(code=None):
    raise SystemExit if code is None or isinstance(code, int) else SystemExit(f'{code}')
quit = sys_exit = exit
"""
"""What ends a program, which the interpreter lacks: a text is an error, as for Python; a number is not told, and none."""

_FRACTION = """
def Fraction(str, int, float, abs, hash, isinstance):
    import math

    class Fraction:
        def __init__(self, a=0, b=1):
            if isinstance(a, str):
                try:
                    whole, _, below = a.partition('/')
                    whole, _, digits = whole.partition('.')
                    a, b = int(whole + digits), int(below or 1) * 10 ** len(digits)
                except ValueError:
                    raise ValueError(f'Invalid literal for Fraction: {a!r}')
            elif isinstance(a, float):
                while a != int(a):
                    a, b = a * 2, b * 2
                a = int(a)
            elif isinstance(a, Fraction):
                a, b = a.numerator, b * a.denominator
            if isinstance(b, Fraction):
                a, b = a * b.denominator, b.numerator
            if not (isinstance(a, int) and isinstance(b, int)):
                raise TypeError('both arguments should be Rational instances')
            if b == 0:
                raise ZeroDivisionError(f'Fraction({a}, 0)')
            divisor = math.gcd(a, b) if b > 0 else -math.gcd(a, b)
            self.numerator, self.denominator = a // divisor, b // divisor

        def __add__(self, o):
            if isinstance(o, float): return float(self) + o
            if not isinstance(o, (int, Fraction)): return NotImplemented
            o = Fraction(o)
            return Fraction(self.numerator * o.denominator + o.numerator * self.denominator, self.denominator * o.denominator)
        def __mul__(self, o):
            if isinstance(o, float): return float(self) * o
            if not isinstance(o, (int, Fraction)): return NotImplemented
            o = Fraction(o)
            return Fraction(self.numerator * o.numerator, self.denominator * o.denominator)
        def __truediv__(self, o):
            if isinstance(o, float): return float(self) / o
            return Fraction(self, o) if isinstance(o, (int, Fraction)) else NotImplemented
        def __pow__(self, n):
            if not isinstance(n, (int, float, Fraction)): return NotImplemented
            if n != int(n): return float(self) ** float(n)
            a, b = (self.numerator, self.denominator) if n == abs(n) else (self.denominator, self.numerator)
            return Fraction(a ** int(abs(n)), b ** int(abs(n)))
        def __neg__(self): return Fraction(-self.numerator, self.denominator)
        def __sub__(self, o): return self + -o if isinstance(o, (int, float, Fraction)) else NotImplemented
        def __rsub__(self, o): return -self + o if isinstance(o, (int, float)) else NotImplemented
        def __radd__(self, o): return self + o if isinstance(o, (int, float)) else NotImplemented
        def __rmul__(self, o): return self * o if isinstance(o, (int, float)) else NotImplemented
        def __rtruediv__(self, o):
            if isinstance(o, float): return o / float(self)
            return Fraction(o, self) if isinstance(o, int) else NotImplemented
        def __abs__(self): return Fraction(abs(self.numerator), self.denominator)
        def __float__(self): return self.numerator / self.denominator
        def __int__(self): return int(self.numerator / self.denominator)
        def __eq__(self, o):
            if isinstance(o, float): return float(self) == o
            if isinstance(o, int): return self.numerator == o * self.denominator
            return isinstance(o, Fraction) and (self.numerator, self.denominator) == (o.numerator, o.denominator)
        def __hash__(self): return hash((self.numerator, self.denominator))
        def __str__(self): return f'{self.numerator}/{self.denominator}' if self.denominator > 1 else f'{self.numerator}'
        def __repr__(self): return f'Fraction({self.numerator}, {self.denominator})'
        def limit_denominator(self, top=1000000):
            (a, b), (c, d), rest = (0, 1), (1, 0), self
            while True:  # the convergents of its continued fraction, and the last step as far as it may go
                whole = rest.numerator // rest.denominator
                steps = whole if b + whole * d <= top else (top - b) // d
                (a, b), (c, d) = (c, d), (a + steps * c, b + steps * d)
                if steps < whole or rest == whole: break
                rest = 1 / (rest - whole)
            one, two = abs(Fraction(c, d) - self), abs(Fraction(a, b) - self) if b else 1
            return Fraction(c, d) if not b or float(one - two) <= 0 else Fraction(a, b)
    return Fraction

Fraction = Fraction(str, int, float, abs, hash, isinstance)

class fractions:
    Fraction = Fraction
"""
"""`fractions.Fraction`, which the interpreter lacks, without an order (`<`): its classes know none. A program may give `int` or
`math` another meaning without harm to it."""

DEFINED = ((re.compile(r"exit\b|quit\b|SystemExit\b"), _EXIT), (re.compile(r"\b(?:from|import)\b.*\bfractions\b"), _FRACTION))
"""What is put in a program's reach, where it is asked for."""
