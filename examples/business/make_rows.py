"""Rows of a small business task: invoice totals, unit prices, payment dates. All answers are exact.

python make_rows.py SEED COUNT > rows.jsonl       rows.jsonl has seed 1, sealed.jsonl has seed 2, both 30 rows
"""

from __future__ import annotations

import json
import random
import sys
from datetime import date, timedelta
from fractions import Fraction

CUSTOMERS = ["a bakery", "a dentist", "a hotel", "a school", "a garden centre", "a bookshop", "a law firm", "a bicycle shop"]
GOODS = {"office chairs": (79, 260), "desks": (190, 520), "lamps": (18, 75), "shelves": (45, 160), "monitors": (120, 380)}
GOODS |= {"printers": (95, 340), "tents": (60, 310), "sacks of flour": (14, 38), "boxes of tiles": (16, 64)}
"""What is sold -> the lowest and the highest price of one, in euros."""
BULK = [
    ("coffee", "kilogram", "bags", (0.25, 0.5, 1), (9, 24)),
    ("olive oil", "litre", "bottles", (0.5, 0.75, 1.5), (7, 16)),
    ("floor paint", "litre", "cans", (0.75, 2.5, 5), (8, 21)),
    ("washing powder", "kilogram", "boxes", (1.3, 2.6, 4.5), (2, 6)),
    ("copper cable", "metre", "rolls", (25, 40, 75), (1, 4)),
]
"""What is bought, its unit, its packs, their sizes, and the price of a unit in euros."""
Row = tuple[str, str]


def price(rng: random.Random, low: float, high: float) -> Fraction:
    """A price of a shop: whole cents, the last of which is 0, 5 or 9."""
    return Fraction(rng.randrange(int(low * 10), int(high * 10)), 10) + Fraction(rng.choice([0, 5, 9]), 100)


def rounded(value: Fraction) -> str:
    """The value with two decimals; "" where it is so near to half a cent that rounding could be argued about."""
    cents = value * 100
    return "" if abs(cents % 1 - Fraction(1, 2)) < Fraction(1, 20) else f"{round(cents) / 100:.2f}"


def invoice_total(rng: random.Random) -> Row:
    """Two items, a discount, and VAT on what is left."""
    customer, (first, second) = rng.choice(CUSTOMERS), rng.sample(sorted(GOODS), 2)
    n, m, p, q = rng.randint(3, 48), rng.randint(2, 29), price(rng, *GOODS[first]), price(rng, *GOODS[second])
    off, vat = rng.choice([3, 4, 6, 7, 8, 12]), rng.choice([7, 13, 19, 21])
    items = f"{n} {first} at {float(p):.2f} euros each and {m} {second} at {float(q):.2f} euros each"
    problem = rng.choice(
        [
            f"The invoice to {customer} lists {items}. A discount of {off}% is taken off the sum, and {vat}% VAT is added to "
            "the rest. What is the total to be paid, in euros, rounded to the cent?",
            f"We deliver {items} to {customer}, who always gets {off}% off the net price. VAT of {vat}% comes on top. How many "
            "euros do we charge in all, rounded to the cent?",
            f"An order comes from {customer}: {items}. After a discount of {off}% on the order we add {vat}% VAT. What amount "
            "in euros, rounded to the cent, goes on the invoice?",
        ]
    )
    return problem, rounded((n * p + m * q) * (100 - off) * (100 + vat) / 10000)


def unit_price(rng: random.Random) -> Row:
    """Three offers in packs of different sizes, one of them with a discount; the answer is the lowest price of a unit."""
    what, unit, packs, sizes, (low, high) = rng.choice(BULK)
    offers, off = [], rng.choice([5, 8, 12, 15])
    for size in rng.sample(sizes, 3):
        count, each = rng.choice([6, 8, 12, 20, 24]), rng.uniform(low, low + (high - low) / 2)
        offers.append((count, size, Fraction(round(count * size * each * 20), 20)))
    sums = [
        f"{count} {packs} of {size:g} {unit}{'s' * (size != 1)} for {float(cost):.2f} euros" for count, size, cost in offers
    ]
    problem = rng.choice(
        [
            f"{what.capitalize()} is offered by three suppliers: {sums[0]}, {sums[1]}, or {sums[2]}. The last one gives a "
            f"discount of {off}%. What is the lowest price of one {unit}, in euros, rounded to the cent?",
            f"We compare three offers of {what}. The first is {sums[0]}, the second is {sums[1]}, and the third is {sums[2]}, "
            f"less {off}%. How many euros does a {unit} cost in the cheapest offer, rounded to the cent?",
        ]
    )
    prices = [cost / (count * Fraction(str(size))) for count, size, cost in offers]
    prices[2] *= Fraction(100 - off, 100)
    first, second, _ = sorted(prices)
    return problem, rounded(first) if second - first > Fraction(1, 50) else ""


def payment_date(rng: random.Random) -> Row:
    """Two spans of days from a date, across the end of a month."""
    begin = date(2026, 1, 1) + timedelta(days=rng.randrange(1000))
    first, second = rng.randint(4, 24), rng.choice([14, 21, 30, 45, 60])
    customer = rng.choice(CUSTOMERS)
    problem = rng.choice(
        [
            f"Goods were delivered to {customer} on {begin}. The invoice was written {first} days later, and it must be paid "
            f"within {second} days of its date. What is the last day for the payment? Give it as YYYY-MM-DD.",
            f"An invoice of {begin} gives {customer} {second} days to pay. If no money has come by then, a reminder goes out "
            f"{first} days after the last day for the payment. On which date does it go out? Give it as YYYY-MM-DD.",
        ]
    )
    end = begin + timedelta(days=first + second)
    return problem, str(end) if end.month != begin.month else ""


GROUPS = {"invoice total": invoice_total, "unit price": unit_price, "payment date": payment_date}


def rows(seed: int, count: int) -> list[dict[str, str]]:
    """`count` rows, of each group in turn."""
    rng, made = random.Random(seed), list[dict[str, str]]()
    while len(made) < count:
        group = list(GROUPS)[len(made) % len(GROUPS)]
        problem, answer = GROUPS[group](rng)
        if answer:
            made.append({"problem": problem, "answer": answer, "group": group})
    return made


if __name__ == "__main__":
    for row in rows(*map(int, sys.argv[1:])):
        print(json.dumps(row))
