"""Recomputes the worked examples of Divisibility and Primes without the method that the template teaches."""

from functools import reduce
from itertools import count
from math import factorial, gcd, lcm, prod

from tests.templates.recompute import recompute


def divisors(n: int) -> list[int]:
    """All positive divisors, by trying every number."""
    return [d for d in range(1, n + 1) if n % d == 0]


def is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, n))


def largest_prime_factor(n: int) -> int:
    """The last factor found by dividing out 2, 3, 4, ... repeatedly."""
    d = 2
    while n > 1:
        while n % d == 0:
            n //= d
        if n > 1:
            d += 1
    return d


@recompute("Number of divisors from exponents")
def _():
    return len(divisors(1400))


@recompute("Divisors with a condition: restrict exponents")
def _():
    return sum(1 for d in divisors(2160) if d % 12 == 0)


@recompute("Sum of divisors as a product")
def _():
    return sum(divisors(350))


@recompute("Product of all divisors by pairing")
def _():
    return prod(divisors(20))


@recompute("Smallest number with a given divisor count")
def _():
    return next(n for n in count(1) if len(divisors(n)) == 14)


@recompute("Odd divisor count means perfect square")
def _():
    lamps = [False] * 151
    for k in range(1, 151):
        for n in range(k, 151, k):
            lamps[n] = not lamps[n]
    return sum(lamps)


@recompute("Smallest multiplier to a square or cube")
def _():
    squares = {n * n for n in range(1000)}
    return next(k for k in count(1) if 756 * k in squares)


@recompute("Trailing zeros of a factorial")
def _():
    digits = str(factorial(130))
    return len(digits) - len(digits.rstrip("0"))


@recompute("Largest power of a composite number in a factorial")
def _():
    return max(k for k in range(60) if factorial(40) % 12**k == 0)


@recompute("Factor a big number by algebra first")
def _():
    return largest_prime_factor(5**6 - 1)


@recompute("Sum of factorials: take out the smallest")
def _():
    return largest_prime_factor(factorial(9) + factorial(10) + factorial(11))


@recompute("Products of two coprime factors")
def _():
    return sum(1 for d in divisors(1260) if d <= 1260 // d and gcd(d, 1260 // d) == 1)


@recompute("Numbers coprime to n: Euler's count")
def _():
    return sum(1 for k in range(1, 85) if gcd(k, 84) == 1)


@recompute("Primality by trial division to the root")
def _():
    return sum(1 for n in range(90, 111) if is_prime(n))


@recompute("Prime equations by parity")
def _():
    primes = [n for n in range(50) if is_prime(n)]
    (value,) = {p * q for p in primes for q in primes if 3 * p + 5 * q == 49}
    return value


@recompute("Several shifted primes: one is divisible by 3 or 5")
def _():
    (value,) = [p for p in range(400) if is_prime(p) and is_prime(p + 10) and is_prime(p + 14)]
    return value


@recompute("Euclidean algorithm")
def _():
    return max(set(divisors(2773)) & set(divisors(3149)))


@recompute("Gcd of expressions in n")
def _():
    return max(gcd(n * n + 5, n + 2) for n in range(1, 2000))


@recompute("Two numbers from gcd and lcm")
def _():
    return min(a + b for a in range(1, 181) for b in range(a, 181) if gcd(a, b) == 6 and lcm(a, b) == 180)


@recompute("Counting numbers with a given lcm or gcd")
def _():
    return sum(1 for n in range(1, 361) if lcm(n, 40) == 360)


@recompute("Repeating events coincide after the lcm")
def _():
    return next(minute for minute in count(1) if minute % 18 == minute % 24 == minute % 30 == 0)


@recompute("Largest equal pieces: the gcd")
def _():
    side = max(s for s in range(1, 91) if 90 % s == 0 and 126 % s == 0)
    return 90 * 126 // side**2


@recompute("Same remainder: gcd of differences")
def _():
    return max(d for d in range(1, 400) if 127 % d == 205 % d == 361 % d)


@recompute("Unknown digits by divisibility rules")
def _():
    return max(n for n in range(5030, 5940) if n % 36 == 0 and n // 1000 == 5 and n // 10 % 10 == 3)


@recompute("Divisibility by 11 with an unknown digit")
def _():
    (value,) = [x for x in range(10) if (3075 + 100 * x) % 11 == 0]
    return value


@recompute("Integer value of a fraction: split off the polynomial part")
def _():
    return sum(1 for n in range(-1000, 1001) if n != 2 and (3 * n + 14) % (n - 2) == 0)


@recompute("Largest number dividing all values of an expression")
def _():
    return reduce(gcd, (n**3 - n for n in range(3, 1000, 2)))


@recompute("Exponent of a prime in a^n - b^n")
def _():
    return max(k for k in range(30) if (7**18 - 1) % 3**k == 0)


@recompute("Gcd of a^m - 1 and a^n - 1")
def _():
    return gcd(3**12 - 1, 3**18 - 1)
