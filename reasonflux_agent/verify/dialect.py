"""Says a program of Python in the dialect of the interpreter that runs it (programs.py)."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


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


_OURS = {("sys", "exit"): "sys_exit", ("collections", "OrderedDict"): "dict"}
"""(module, name) that the interpreter lacks -> what stands for it."""


def adapted(code: str) -> str:
    """The program without what the interpreter refuses and can be said otherwise."""
    code = textwrap.dedent(code.replace("\r\n", "\n").replace("\r", "\n"))
    tree = _parse(code)
    nodes: list[ast.AST] = [tree] if tree else []
    edits: list[tuple[ast.AST, str]] = []
    while nodes:
        node = nodes.pop()
        found = _replaced(node)
        edits += [found] if found else []
        if not (found and found[0] is node) and not isinstance(node, ast.JoinedStr):
            # before Python 3.12 nobody says where the parts of a formatted text stand
            nodes += [child for child in ast.iter_child_nodes(node) if not (found and found[0] is child)]
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
        case ast.Delete([ast.Subscript(held, at)]) if not isinstance(at, ast.Slice):
            return node, f"{ast.unparse(held)}.pop({ast.unparse(at)})"
        case ast.Delete(targets) if all(isinstance(target, ast.Name) for target in targets):
            return node, "pass"
        case ast.ImportFrom("math", [ast.alias("*")]):
            return node, f"from math import {', '.join(_MATH.split())}"
        case ast.Attribute(_, "strptime"):
            return node, "_strptime"
        case ast.Attribute(ast.Attribute(ast.Name("sys"), "stdout"), "write"):
            return node, "_write"
        # a method is no value for the interpreter: it can only be called
        case ast.keyword("key", ast.Attribute() as method) | ast.Call(
            ast.Name("map" | "filter"), [ast.Attribute() as method, *_]
        ):
            if isinstance(method.value, ast.Name) and method.value.id == "str":
                return method, f"(lambda text: text.{method.attr}())"
            return method, f"(lambda *given: {ast.unparse(method)}(*given))"
        case ast.ImportFrom(module, names) if module in _modules() and names[0].name != "*":
            return node, "; ".join(f"{alias.asname or alias.name} = {module}.{alias.name}" for alias in names)
        case ast.ImportFrom("fractions", [ast.alias("*")]):
            return node, "pass"
        case ast.Import(names) if any(alias.name in _modules() for alias in names):
            return node, "; ".join(_bound(a, a.name) if a.name in _modules() else f"import {ast.unparse(a)}" for a in names)
        case ast.ImportFrom(str(module), names) if any((module, alias.name) in _OURS for alias in names):
            return node, "; ".join(
                _bound(a, _OURS[module, a.name]) if (module, a.name) in _OURS else f"from {module} import {ast.unparse(a)}"
                for a in names
            )
    return None


def _bound(alias: ast.alias, name: str) -> str:
    """A statement that gives what we defined as `name` the name under which the program imports it."""
    given = alias.asname or alias.name
    return "pass" if given in (name, "*") else f"{given} = {name}"


@cache
def _prelude() -> list[dict[str, str]]:
    """The entries of prelude.toml."""
    found: list[dict[str, str]] = tomllib.loads(Path(__file__).with_name("prelude.toml").read_text("utf-8"))["defined"]
    return found


@cache
def _modules() -> frozenset[str]:
    """The modules that we define, since the interpreter lacks them."""
    return frozenset(each["module"] for each in _prelude() if "module" in each)


@cache
def definitions() -> list[tuple[re.Pattern[str], str]]:
    """What is put in a program's reach, where its pattern, or an import of its module, is found in it."""
    imported = r"\b(?:from|import)\b.*\b{}\b"
    return [
        (re.compile(each["pattern"] if "pattern" in each else imported.format(each["module"])), each["source"])
        for each in _prelude()
    ]
