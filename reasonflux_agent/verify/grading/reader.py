"""Reads and evaluates formulas as people and models write them, plain (`2^(n+2) - 5`) or LaTeX (`\\frac{3}{4}x^{2}`).

A parser of its own: nothing is ever evaluated as code, and length and depth are bounded. What can be read in two ways
(`1/2x`, `sin(x)^2`) is refused, not guessed; a `log` without a base may be the natural or the decimal one. `f(x)`, `g(2)` and
`f(g(x))` apply a function of which nothing is known, `h(a+b)` is a product.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import neg

from reasonflux_agent.verify.grading import arithmetic
from reasonflux_agent.verify.grading.arithmetic import FormulaError, Number
from reasonflux_agent.verify.grading.tokens import tokens

MAX_LENGTH = 2_000
"""Characters of a formula."""
MAX_DEPTH = 40
"""Brackets, powers and functions inside one another."""
LOG = "\\log"
"""The name of the base of a logarithm that is written without one."""
PRINTED = 12
"""Significant digits from which on a decimal is taken for what a computer printed of a value: rounded."""
_APPLIED = "fgh"
"""Letters that name functions."""

Node = Callable[[Mapping[str, Number]], Number]


@dataclass(frozen=True)
class Formula:
    names: frozenset[str]
    """Its variables: single letters, Greek ones without the backslash, subscripts kept (`x`, `theta`, `a_n+1`)."""
    node: Node
    digits: int = 0
    """Significant digits of its longest decimal, if those are so many that a computer printed a rounded value."""

    def value(self, variables: Mapping[str, Number] | None = None) -> Number:
        """Its value. Raises FormulaError where it has none (division by zero, root of a negative number, too large)."""
        try:
            return self.node(variables or {})
        except KeyError as error:
            raise FormulaError(f"no value was given for {error}") from None
        except (ArithmeticError, ValueError, TypeError) as error:  # TypeError: a complex number where a real one is needed
            raise FormulaError(str(error)) from None

    def value_or_none(self, variables: Mapping[str, Number] | None = None) -> Number | None:
        """Its value, or None where it has none."""
        try:
            return self.value(variables)
        except FormulaError:
            return None

    def times(self, factor: Fraction) -> Formula:
        """The formula multiplied by a number."""
        return Formula(self.names, lambda v: arithmetic.times(self.node(v), factor), self.digits)

    def minus(self, other: Formula) -> Formula:
        """The difference of two formulas."""
        return Formula(self.names | other.names, lambda v: arithmetic.total((self.node(v), -other.node(v))))


def evaluate(text: str, variables: Mapping[str, Number] | None = None) -> Number:
    """The value of a formula. Raises FormulaError."""
    return read(text).value(variables)


@lru_cache(maxsize=2_048)
def read(text: str) -> Formula:
    """Read a formula. Raises FormulaError when it is none, or when it can be read in two ways."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"a formula of {len(text)} characters; at most {MAX_LENGTH} are read")
    return _Reader(text).formula()


class _Reader:
    """Recursive descent: each method reads one rank of operators and returns a closure over the names."""

    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.names: set[str] = set()
        self.digits = 0
        self.at = self.depth = self.bars = 0

    def formula(self) -> Formula:
        node = self.sum()
        if self.tokens[self.at][0] != "end":
            raise FormulaError(f"{self.tokens[self.at][1]!r} was not expected")
        return Formula(frozenset(self.names), node, self.digits)

    def next_is(self, *values: str) -> bool:
        kind, value = self.tokens[self.at]
        return kind in ("sign", "command") and value in values

    def take(self, *values: str) -> str:
        """The next sign or command if it is one of these, else the empty string."""
        if not self.next_is(*values):
            return ""
        self.at += 1
        return self.tokens[self.at - 1][1]

    def sum(self) -> Node:
        terms = [self.product()]
        while sign := self.take("+", "-"):
            terms.append(_applied(neg, self.product()) if sign == "-" else self.product())
        return terms[0] if len(terms) == 1 else lambda v: arithmetic.total(term(v) for term in terms)

    def product(self) -> Node:
        factors = [("*", self.unary())]
        while (sign := self.take("*", "/")) or self.starts_factor():
            if not sign and factors[-1][0] == "/":
                raise FormulaError("a division followed by a factor without a sign can be read in two ways")
            factors.append((sign, self.unary()) if sign else ("*", self.power()))
        return factors[0][1] if len(factors) == 1 else _product(factors)

    def starts_factor(self) -> bool:
        kind, value = self.tokens[self.at]
        if kind == "command":
            return value not in ("rfloor", "rceil")
        if kind == "number":  # (2n + 1)2^n is a product, `2 3` is not
            return self.tokens[self.at - 1] == ("sign", ")")
        return kind == "name" or (kind == "sign" and (value in "([" or (value == "|" and not self.bars)))

    def unary(self) -> Node:
        negative = False
        while sign := self.take("+", "-"):
            negative ^= sign == "-"
        return _applied(neg, self.power()) if negative else self.power()

    def power(self) -> Node:
        base = self.atom()
        while self.take("!"):
            if self.next_is("!"):
                raise FormulaError("a double factorial is not understood")
            base = _applied(arithmetic.factorial, base)
        if self.take("°"):
            return _product([("*", base), ("*", _constant(math.pi / 180))])
        if not self.take("^"):
            return base
        self.deeper()
        exponent = self.unary()
        self.depth -= 1
        return _applied(lambda a, b: arithmetic.bounded(arithmetic.power(a, b)), base, exponent)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FormulaError(f"more than {MAX_DEPTH} brackets or powers inside one another")

    def atom(self) -> Node:
        kind, value = self.tokens[self.at]
        self.at += 1
        self.deeper()
        if kind == "number":
            node = _constant(Fraction(value.replace(",", "").rstrip(".")))
            digits = len(re.sub(r"[eE].*|\D", "", value).lstrip("0")) if "." in value else 0
            self.digits = max(self.digits, digits if digits >= PRINTED else 0)
        elif kind == "name":
            node = self.name(value)
        elif kind == "command":
            node = self.command(value)
        elif kind == "sign" and value in "([{":
            node = self.until({"(": ")", "[": "]", "{": "}"}[value])
        elif kind == "sign" and value == "|":
            self.bars += 1
            node = _applied(arithmetic.magnitude, self.until("|"))
            self.bars -= 1
        else:
            raise FormulaError(f"{value!r} was not expected" if value else "the formula ends early")
        self.depth -= 1
        return node

    def until(self, closing: str, opening: str = "") -> Node:
        """What stands between two brackets; without `opening` that one was taken already."""
        if opening and not self.take(opening):
            raise FormulaError(f"{opening!r} is missing")
        node = self.sum()
        if not self.take(closing):
            raise FormulaError(f"{closing!r} is missing")
        return node

    def name(self, letter: str) -> Node:
        if self.take("_"):
            letter += "_" + self.subscript()
        if letter == "e":
            return _constant(math.e)
        letter = "i" if letter == "I" else letter  # as Python's libraries print it
        if letter in _APPLIED and self.is_applied():
            self.names.add(letter + "()")
            draw, argument = random.Random(letter), self.atom()
            first, second, third = (Fraction(draw.randint(2, 99), 7) for _ in range(3))
            return lambda v: (argument(v) * first + second) * argument(v) * argument(v) + third
        self.names.add(letter)
        return lambda v: v[letter]

    def is_applied(self) -> bool:
        """Whether a function's argument follows: one name or number in brackets, or a function of one."""
        ahead = self.tokens[self.at : self.at + 3]
        if len(ahead) < 3 or ahead[0] != ("sign", "("):
            return False
        (kind, value), after = ahead[1:]
        return (kind in ("name", "number") and after == ("sign", ")")) or (value in _APPLIED and after == ("sign", "("))

    def subscript(self) -> str:
        """The text of what follows `_`: one number or letter, or all up to the closing brace."""
        start = self.at
        braced = self.take("{")
        while self.tokens[self.at][0] in ("number", "name", "command") or self.next_is("+", "-", "*", "/"):
            self.at += 1
            if not braced:
                return self.tokens[start][1]
        if not self.take("}"):
            raise FormulaError("a subscript that is not understood")
        return "".join(value for _, value in self.tokens[start + 1 : self.at - 1])

    def command(self, name: str) -> Node:
        if name == "pi":
            return _constant(math.pi)
        if name == "frac":
            return _product([("*", self.until("}", "{")), ("/", self.until("}", "{"))])
        if name == "binom":
            return _applied(arithmetic.binomial, self.until("}", "{"), self.until("}", "{"))
        if name in ("lfloor", "lceil"):
            return _applied(arithmetic.BRACKETED[name[1:]], self.until("r" + name[1:]))
        if name == "sqrt":
            degree = self.until("]") if self.take("[") else _constant(Fraction(2))
            return _applied(arithmetic.root, self.atom(), degree)
        if name == "log":
            if not (based := self.take("_")):
                self.names.add(LOG)
            base = self.atom() if based else lambda v: v[LOG]
            return _product([("*", self.function(math.log)), ("/", _applied(math.log, base))])
        if name in arithmetic.BRACKETED:
            return _applied(arithmetic.BRACKETED[name], self.until(")", "("))
        if name in arithmetic.BARE:
            return self.function(arithmetic.BARE[name])
        raise FormulaError(f"\\{name} is not understood")

    def function(self, apply: Callable[[Number], Number]) -> Node:
        """Exponent and argument of a function that may stand without brackets: `\\sin^2 x`, `\\cos 2x`, `ln(x)`."""
        exponent = self.atom() if self.take("^") else None
        if self.next_is("(", "[", "{"):
            argument = self.atom()
            if self.next_is("^"):
                raise FormulaError("a power behind the brackets of a function can be read in two ways")
        else:
            factors = [("*", self.unary())]
            while self.tokens[self.at][0] == "name" or self.next_is("pi", "frac"):
                factors.append(("*", self.power()))
            argument = _product(factors)
        node = _applied(apply, argument)
        return _applied(_repeated, node, exponent) if exponent else node


def _constant(value: Number) -> Node:
    return lambda v: value


def _applied(function: Callable[..., Number], *nodes: Node) -> Node:
    return lambda v: function(*(node(v) for node in nodes))


def _repeated(value: Number, exponent: Number) -> Number:
    """What `\\sin^2 x` means for the value of sin x."""
    if exponent < 0:
        raise FormulaError("an inverse function is written arcsin, arccos, arctan")
    return arithmetic.power(value, exponent)


def _product(factors: list[tuple[str, Node]]) -> Node:
    def value(v: Mapping[str, Number]) -> Number:
        result: Number = Fraction(1)
        for sign, factor in factors:
            result = arithmetic.times(result, factor(v) if sign == "*" else 1 / factor(v))
        return result

    return value
