"""Recomputes the worked examples of Recurrences and Sums without the method that the template teaches."""

from collections.abc import Callable
from fractions import Fraction
from math import factorial, isqrt

from tests.templates.recompute import recompute

TERMS = 12


def iterate(first: object, step: Callable, count: int = TERMS) -> list:
    """The terms a_1, ..., a_count of a_{n+1} = step(a_n, n)."""
    terms = [first]
    for n in range(1, count):
        terms.append(step(terms[-1], n))
    return terms


def iterate_two(first: int, second: int, step: Callable, count: int = TERMS) -> list:
    """The terms of a_{n+2} = step(a_{n+1}, a_n)."""
    terms = [first, second]
    while len(terms) < count:
        terms.append(step(terms[-1], terms[-2]))
    return terms


def matches(terms: list, formula: Callable) -> bool:
    """Whether formula(n) is the n-th term, for every listed term."""
    return all(term == formula(n) for n, term in enumerate(terms, 1))


@recompute("First-order linear recurrence by a shift")
def _():
    assert matches(iterate(1, lambda a, n: 4 * a + 6), lambda n: 3 * 4 ** (n - 1) - 2)
    return "-2 + 3*4^(n-1)"


@recompute("Recurrence with a linear term in n")
def _():
    assert matches(iterate(2, lambda a, n: 3 * a - 4 * n + 4), lambda n: 3 ** (n - 1) + 2 * n - 1)
    return "3^(n-1) + 2*n - 1"


@recompute("Recurrence with a different exponential term")
def _():
    assert matches(iterate(8, lambda a, n: 4 * a + 5**n), lambda n: 5**n + 3 * 4 ** (n - 1))
    return "5^n + 3*4^(n-1)"


@recompute("Recurrence with an equal exponential term: divide")
def _():
    assert matches(iterate(4, lambda a, n: 2 * a + 3 * 2 ** (n + 1)), lambda n: (3 * n - 1) * 2**n)
    return "(3*n - 1)*2^n"


@recompute("Second-order linear recurrence with two roots")
def _():
    assert matches(iterate_two(1, 13, lambda new, old: new + 6 * old), lambda n: 3**n + (-2) ** n)
    return "3^n + (-2)^n"


@recompute("Second-order linear recurrence with a double root")
def _():
    assert matches(iterate_two(6, 27, lambda new, old: 6 * new - 9 * old), lambda n: (n + 1) * 3**n)
    return "(n + 1)*3^n"


@recompute("Two coupled sequences by sum and difference")
def _():
    a, b = 3, 1
    for _step in range(4):
        a, b = 3 * a + b, a + 3 * b
    return a


@recompute("Accumulation: add up the differences")
def _():
    assert matches(iterate(5, lambda a, n: a + 4 * n), lambda n: 2 * n * n - 2 * n + 5)
    return "2*n^2 - 2*n + 5"


@recompute("Product type: multiply the ratios")
def _():
    assert matches(iterate(Fraction(3), lambda a, n: a * (n + 2) / n), lambda n: Fraction(3 * n * (n + 1), 2))
    return "3*n*(n + 1)/2"


@recompute("Reciprocal recurrence: take 1/a_n")
def _():
    terms = iterate(Fraction(1), lambda a, n: a / (2 * a + 3))
    assert matches(terms, lambda n: Fraction(1, 2 * 3 ** (n - 1) - 1))
    return "1/(2*3^(n-1) - 1)"


@recompute("Fractional linear recurrence by fixed points")
def _():
    terms = iterate(Fraction(5), lambda a, n: (3 * a + 2) / (a + 2))
    assert matches(terms, lambda n: Fraction(2 * 4**n + 2, 4**n - 2))
    return "(2*4^n + 2)/(4^n - 2)"


@recompute("Squared recurrence: complete the square, take logs")
def _():
    assert matches(iterate(2, lambda a, n: a * a + 4 * a + 2, 8), lambda n: 2 ** (2**n) - 2)
    return "2^(2^n) - 2"


@recompute("Sum of neighbouring terms given")
def _():
    return sum(iterate(3, lambda a, n: 6 * n + 2 - a, 20))


@recompute("Separate rules for odd and even n: two steps")
def _():
    return iterate(1, lambda a, n: a + 3 if n % 2 else 2 * a, 10)[-1]


@recompute("Periodic sequence: find the cycle")
def _():
    return iterate(Fraction(3), lambda a, n: (1 + a) / (1 - a), 75)[-1]


@recompute("Table of terms upward from the start")
def _():
    def f(n: int) -> int:
        return n + 1 if n < 3 else f(n - 1) * f(n - 2) - n

    return f(6)


@recompute("Unknown first terms of a Fibonacci-like sequence")
def _():
    starts = [(x, y) for x in range(-100, 101) for y in range(-100, 101)]
    runs = [iterate_two(x, y, lambda new, old: new + old, 7) for x, y in starts]
    (run,) = [run for run in runs if run[3] == 17 and run[6] == 73]
    return run[0]


@recompute("Guess the general term, then induction")
def _():
    terms = iterate(Fraction(1, 3), lambda a, n: 1 / (2 - a), 40)
    assert matches(terms, lambda n: Fraction(2 * n - 1, 2 * n + 1))
    return "(2*n - 1)/(2*n + 1)"


@recompute("Sum recurrence: from S_n to a_n")
def _():
    # 2 (S + a) = 3 a - 4 n, with S the sum of the earlier terms, determines a
    terms: list[int] = []
    for n in range(1, TERMS + 1):
        terms.append(2 * sum(terms) + 4 * n)
    assert all(2 * sum(terms[:n]) == 3 * terms[n - 1] - 4 * n for n in range(1, TERMS + 1))
    assert matches(terms, lambda n: 2 * 3**n - 2)
    return "2*3^n - 2"


@recompute("Term from the sum formula, first term apart")
def _():
    # each term is what is missing from the earlier terms to the prescribed sum
    terms: list[int] = []
    for n in range(1, 11):
        terms.append(n * n + 3 * n + 2 - sum(terms))
    return terms[0] + terms[9]


@recompute("Weighted sum given: subtract the previous one")
def _():
    for n in range(1, 30):
        assert sum(k * (3 * k + 3) for k in range(1, n + 1)) == n * (n + 1) * (n + 2)
    return "3*n + 3"


@recompute("Rule with a_n and products of sums: solve for S_n")
def _():
    # a = -2 (S + a) S with the earlier sum S is linear in a
    total = term = Fraction(1, 2)
    for _n in range(2, 7):
        term = -2 * total * total / (1 + 2 * total)
        assert term == -2 * (total + term) * total
        total += term
    return term


@recompute("Telescoping sum by partial fractions")
def _():
    return sum(Fraction(1, (3 * k - 1) * (3 * k + 2)) for k in range(1, 21))


@recompute("Telescoping with gap two: four survivors")
def _():
    return sum(Fraction(1, k * (k + 2)) for k in range(1, 9))


@recompute("Telescoping sum of square roots")
def _():
    return sum(1 / ((3 * k + 1) ** 0.5 + (3 * k - 2) ** 0.5) for k in range(1, 34))


@recompute("Telescoping sum with factorials")
def _():
    return sum(Fraction(k, factorial(k + 1)) for k in range(1, 6))


@recompute("Arithmetic times geometric: shift and subtract")
def _():
    for n in range(1, 30):
        assert sum((2 * k + 1) * 2**k for k in range(1, n + 1)) == (2 * n - 1) * 2 ** (n + 1) + 2
    return "(2*n - 1)*2^(n+1) + 2"


@recompute("Power sums by standard formulas")
def _():
    return sum(k * (k + 3) for k in range(1, 13))


@recompute("Sum with a periodic factor: group by cycle")
def _():
    quarter_turn, power, total = 1j, 1, 0
    for n in range(1, 43):
        power *= quarter_turn
        total += n * int(power.real)
    return total


@recompute("Bounding a sum between telescoping sums")
def _():
    # each root is rounded to 12 decimals by integer square roots, so the sum is off by less than 1e-9
    scale = 10**12
    total = sum(Fraction(scale, isqrt(k * scale * scale)) for k in range(1, 401))
    return int(total)
