"""Recomputes the worked examples of Integer Equations, Digits and Bases without the method that the template teaches."""

from fractions import Fraction
from itertools import count, permutations
from math import isqrt

from tests.templates.recompute import recompute


def is_square(n: int) -> bool:
    return n >= 0 and isqrt(n) ** 2 == n


def digits(n: int, base: int) -> str:
    """The numeral of n in a base up to 10, from the largest power that fits."""
    power = 1
    while power * base <= n:
        power *= base
    text = ""
    while power:
        text += str(n // power)
        n, power = n % power, power // base
    return text


@recompute("Add a constant to factor: xy + ax + by")
def _():
    return sum(1 for x in range(1, 31) for y in range(1, 31) if x * y + 3 * x + 2 * y == 30)


@recompute("Unit fractions 1/x + 1/y = 1/n")
def _():
    # for each x the other reciprocal is the missing part
    rests = (Fraction(1, 12) - Fraction(1, x) for x in range(13, 400))
    return sum(1 for rest in rests if rest.numerator == 1)


@recompute("Difference of squares with parity")
def _():
    return sum(1 for y in range(1, 200) if is_square(y * y + 96))


@recompute("Quadratic expression that is a perfect square")
def _():
    (value,) = [n for n in range(1, 2000) if is_square(n * n + 14 * n + 9)]
    return value


@recompute("Squeezing between neighbouring squares")
def _():
    (value,) = [n for n in range(1, 2000) if is_square(n * n + 3 * n + 9)]
    return value


@recompute("Right triangles with a given integer leg")
def _():
    return sum(1 for b in range(1, 1000) if is_square(b * b + 400))


@recompute("Integer roots of a quadratic by Vieta")
def _():
    return sum(k for k in range(-500, 501) if sum(x * x - k * x + k + 8 == 0 for x in range(-60, 61)) >= 1)


@recompute("Power of two plus constant equal to a square")
def _():
    return {x for x in range(200) if is_square(2**x + 65)}


@recompute("Ordered unknowns: bound the smallest")
def _():
    triples = ((a, b, c) for a in range(1, 41) for b in range(a, 41) for c in range(b, 41))
    return sum(1 for a, b, c in triples if a * b * c == 2 * (a + b + c))


@recompute("Linear equation in positive integers")
def _():
    return sum(1 for x in range(1, 201) for y in range(1, 201) if 7 * x + 11 * y == 200)


@recompute("Largest amount that cannot be formed")
def _():
    payable = {8 * a + 13 * b for a in range(60) for b in range(60)}
    return max(n for n in range(400) if n not in payable)


@recompute("Two equations, three whole numbers")
def _():
    triples = ((x, y, 30 - x - y) for x in range(1, 30) for y in range(1, 30 - x))
    return sum(1 for x, y, z in triples if 7 * x + 3 * y + z == 100)


@recompute("Lattice points counted column by column")
def _():
    return sum(1 for x in range(11) for y in range(11) if x + 2 * y <= 10)


@recompute("Sums of consecutive integers")
def _():
    return sum(1 for first in range(1, 90) for last in range(first + 1, 90) if sum(range(first, last + 1)) == 90)


@recompute("Two-digit number from digit conditions")
def _():
    return max(n for n in range(10, 100) if n == 6 * sum(map(int, str(n))) + 3)


@recompute("Three-digit number minus its reversal")
def _():
    return sum(1 for n in range(100, 1000) if n % 10 and n - int(str(n)[::-1]) == 495)


@recompute("Letter puzzle by columns and carries")
def _():
    fits = [(a, b, c) for a, b, c in permutations(range(10), 3) if a and b and c]
    ((a, b, c),) = [(a, b, c) for a, b, c in fits if (10 * a + b) + (10 * b + a) == 101 * c + 10 * a]
    return int(f"{a}{b}{c}")


@recompute("Moving a digit to the other end")
def _():
    (value,) = [n for n in range(200, 300) if int(str(n)[1:] + "2") == n + 234]
    return value


@recompute("Digits used for page numbers")
def _():
    return len("".join(str(page) for page in range(1, 643)))


@recompute("How often a digit is written")
def _():
    return "".join(str(n) for n in range(1, 501)).count("7")


@recompute("Digit sum of a power of ten minus a number")
def _():
    return sum(map(int, str(10**30 - 47)))


@recompute("Palindromes by their free half")
def _():
    return sum(1 for n in range(10008, 100000, 9) if str(n) == str(n)[::-1])


@recompute("From base b to decimal")
def _():
    return next(n for n in count(1) if digits(n, 5) == "3204")


@recompute("From decimal to base b by division")
def _():
    return int(digits(500, 7))


@recompute("Unknown base from an equation")
def _():
    # the base must exceed the digit 6
    (value,) = [b for b in range(7, 37) if int("25", b) + int("46", b) == int("104", b)]
    return value


@recompute("Calculating directly in base b")
def _():
    return int(oct(0o365 + 0o477)[2:])


@recompute("Grouping digits between bases 2, 4, 8 and 16")
def _():
    return int(digits(0b1101011011, 8))


@recompute("Same number with digits reversed in two bases")
def _():
    (value,) = [n for n in range(7, 49) if digits(n, 7) == digits(n, 9)[::-1] and len(digits(n, 9)) == 2]
    return value


@recompute("Sums of distinct powers through binary")
def _():
    sums = {0}
    for k in range(7):
        sums |= {total + 5**k for total in sums}
    return sorted(sums)[22]


@recompute("Repeating expansion in base b")
def _():
    return float(sum(Fraction(1 + k % 2, 5 ** (k + 1)) for k in range(40)))
