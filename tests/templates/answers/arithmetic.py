"""Recomputes the worked examples of Arithmetic and Number Sense without the method that the template teaches."""

from fractions import Fraction
from math import prod

from tests.templates.recompute import recompute


@recompute("Order of operations with signs")
def _():
    # Fraction arithmetic by the interpreter's own precedence rules
    return Fraction(18) - Fraction(6) / (2 - 5) * (-2) ** 2 + 3


@recompute("Nested fraction from the inside out")
def _():
    # the convergents p/q of the continued fraction [2; 3, 1, 4] from their recurrence, front to back
    p, q, p_next, q_next = 0, 1, 1, 0
    for term in [2, 3, 1, 4]:
        p, q, p_next, q_next = p_next, q_next, term * p_next + p, term * q_next + q
    return Fraction(p_next, q_next)


@recompute("Computing by factoring instead of multiplying out")
def _():
    return 517 * 517 - 483 * 483 + 66 * 17


@recompute("Telescoping product of fractions")
def _():
    return prod(1 + Fraction(1, k) for k in range(5, 30))


@recompute("Scientific notation and powers of ten")
def _():
    return Fraction(60_000_000) * Fraction("0.004") / Fraction("0.08")


@recompute("Pairing terms of a long alternating sum")
def _():
    total, sign = 0, 1
    for term in range(80, 4, -3):
        total += sign * term
        sign = -sign
    return total


@recompute("Consecutive integers around their middle")
def _():
    found = [a + 16 for a in range(-400, 400, 2) if sum(range(a, a + 17, 2)) == 306]
    assert len(found) == 1
    return found[0]


@recompute("Decimal digit from the repeating block")
def _():
    return 5 * 10**100 // 13 % 10


@recompute("Repeating decimal to fraction")
def _():
    # the only fraction with denominator up to 200 whose first 30 decimals are 2 45 45 45 ...
    wanted = int(("2" + "45" * 15)[:30])
    found = {Fraction(p, q) for q in range(1, 201) for p in range(q) if p * 10**30 // q == wanted}
    assert len(found) == 1
    return found.pop()


@recompute("Multiples in an interval by floor division")
def _():
    return sum(n % 7 == 0 or n % 11 == 0 for n in range(100, 501))


@recompute("Posts and gaps")
def _():
    lamps = [(side, metre) for side in ("left", "right") for metre in range(361) if metre % 24 == 0]
    return len(lamps)


@recompute("Rounding turned into an interval")
def _():
    def nearest(value, unit):
        return (2 * value + unit) // (2 * unit) * unit

    return sum(nearest(n, 10) == 350 and nearest(3 * n, 100) == 1100 for n in range(1000))


@recompute("Newly defined operation")
def _():
    def op(x, y):
        return 2 * x - x * y + 3 * y

    return op(2, op(4, 3))
