"""Recomputes the worked examples of Ratios, Percentages and Money without the method that the template teaches."""

from fractions import Fraction

from tests.templates.recompute import recompute


def only(values):
    """The one element that a search found."""
    (value,) = set(values)
    return value


@recompute("Successive percent changes as multipliers")
def _():
    price = Fraction(80)
    price += price * 25 / 100
    price -= price * 30 / 100
    return price


@recompute("Original amount before a percent change")
def _():
    return only(full - 102 for full in range(1, 1000) if full - Fraction(15 * full, 100) == 102)


@recompute("Percent change: difference over the base")
def _():
    return only(p for p in range(101) if 300 - Fraction(p * 300, 100) == 240)


@recompute("Percent comparisons with one base")
def _():
    shares = set()
    for c in (7, 20, 360):
        b = c - Fraction(40 * c, 100)
        a = b + 25 * b / 100
        shares.add(100 * a / c)
    return only(shares)


@recompute("Subgroup percentages with a group of 100")
def _():
    # a choir of 400: list the members one by one
    choir = [("girl", k % 4 == 0) for k in range(160)] + [("boy", k % 2 == 0) for k in range(240)]
    players = [who for who, plays in choir if plays]
    return Fraction(100 * players.count("girl"), len(players))


@recompute("Sharing in a given ratio")
def _():
    return only(
        a + b + c
        for a in range(1, 200)
        for b in [Fraction(3 * a, 5)]
        for c in [Fraction(4 * a, 5)]
        if max(a, b, c) - min(a, b, c) == 26
    )


@recompute("Joining two ratios through a common quantity")
def _():
    return only(
        105 - red - blue
        for red in range(1, 105)
        for blue in range(1, 105 - red)
        if 3 * red == 2 * blue and 5 * blue == 4 * (105 - red - blue)
    )


@recompute("Ratio before and after a change")
def _():
    return only(
        red for red in range(10, 300) for blue in range(1, 300) if 2 * red == 5 * blue and 3 * (red - 9) == 4 * (blue + 9)
    )


@recompute("Scale and recipe proportions")
def _():
    # add up the map in squares of half a centimetre; each is 1.25 km by 1.25 km in reality
    squares = [(x, y) for x in range(8) for y in range(12)]
    return len(squares) * Fraction(5, 4) ** 2


@recompute("Profit as revenue minus all costs")
def _():
    balance = Fraction(0)
    for mug in range(60):
        balance -= 4
        balance += 4 + Fraction(75 * 4, 100) if mug < 45 else 3
    return balance


@recompute("Discount, tax and tip in order")
def _():
    # in cents, with one factor for all additions
    return Fraction(6400 * 3 * 123, 4 * 100 * 100)


@recompute("Simple and compound interest")
def _():
    balance = Fraction(2000)
    for _year in range(3):
        balance += balance * 5 / 100
    return balance - (2000 + 3 * 100)


@recompute("Break-even point of two offers")
def _():
    return next(n for n in range(10_000) if 3000 + 10 * n < 1700 + 16 * n)


@recompute("Equal shares when the group changes")
def _():
    return only(rent for rent in range(1, 2000) if Fraction(rent, 4) == Fraction(rent, 6) + 7)


@recompute("Saving towards a goal")
def _():
    money, weeks = Fraction(100), 0
    while money < 1150:
        money += 480 - Fraction(480, 3) - Fraction(480, 4) - 85
        weeks += 1
    return weeks
