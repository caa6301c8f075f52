"""Recomputes the worked examples of Counting Principles without the method that the template teaches."""

from functools import cache
from itertools import combinations, permutations, product

from tests.templates.recompute import recompute


@recompute("Fill the most restricted position first")
def _():
    return sum(len(set(str(n))) == 4 for n in range(1001, 10000, 2))


@recompute("Case split on whether zero is the last digit")
def _():
    return sum(len(set(str(n))) == 4 and set(str(n)) <= set("012345") for n in range(1000, 10000, 2))


@recompute("Block method for items that stay together")
def _():
    # the triplets are 0, 1, 2
    return sum(max(row.index(i) for i in range(3)) - min(row.index(i) for i in range(3)) == 2 for row in permutations(range(7)))


@recompute("Gap method for items that must be separated")
def _():
    # seats of the children first, then every order of the people on the two kinds of seats, counted by a walk
    @cache
    def orders(adults, children, child_before):
        if adults == children == 0:
            return 1
        total = adults * orders(adults - 1, children, False) if adults else 0
        if children and not child_before:
            total += children * orders(adults, children - 1, True)
        return total

    return orders(5, 3, False)


@recompute("Arrangements with repeated letters")
def _():
    return len(set(permutations("PEPPERS")))


@recompute("Round table arrangements")
def _():
    ana, ben = 0, 1
    seatings = set()
    for row in permutations(range(6)):
        places = (row.index(ana) - row.index(ben)) % 6
        if places not in (1, 5):
            start = row.index(ana)
            seatings.add(row[start:] + row[:start])
    return len(seatings)


@recompute("Committee counting by cases")
def _():
    return sum(sum(person >= 5 for person in committee) >= 2 for committee in combinations(range(9), 4))


@recompute("Handshakes, games and diagonals as pairs")
def _():
    shakes, people = 0, 1
    while shakes < 91:
        shakes += people  # the newcomer shakes hands with everyone present
        people += 1
    assert shakes == 91
    return people


@recompute("Dividing people into equal unnamed groups")
def _():
    def splits(people):
        if not people:
            return 1
        rest = people[1:]  # the first person's two companions, then the others
        return sum(splits(tuple(p for p in rest if p not in pair)) for pair in combinations(rest, 2))

    return splits(tuple(range(9)))


@recompute("Numbers with digits in increasing or decreasing order")
def _():
    return sum(a > b > c > d for a, b, c, d in (str(n) for n in range(1000, 10000)))


@recompute("Triangles from points with collinear groups")
def _():
    line = [(x, 0) for x in range(4)]
    free = [(0, 1), (1, 5), (-3, 17), (4, 31), (-9, 58), (13, 83)]

    def area(p, q, r):
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    flat = [t for t in combinations(line + free, 3) if area(*t) == 0]
    assert all(set(t) <= set(line) for t in flat)  # the chosen points do fit the problem
    return sum(area(*t) != 0 for t in combinations(line + free, 3))


@recompute("Count the complement for at least one")
def _():
    return sum("3" in str(n) for n in range(1000, 10000))


@recompute("Multiples of a or b in a range")
def _():
    return sum(n % 4 == 0 or n % 6 == 0 for n in range(100, 501))


@recompute("Coin change by ordered listing")
def _():
    ways = [1] + [0] * 60
    for coin in (5, 10, 20):
        for amount in range(coin, 61):
            ways[amount] += ways[amount - coin]
    return ways[60]


@recompute("Shortest lattice paths through or around a point")
def _():
    count = 0
    for rights in combinations(range(9), 5):
        x, y, visited = 0, 0, False
        for step in range(9):
            x, y = (x + 1, y) if step in rights else (x, y + 1)
            visited = visited or (x, y) == (2, 3)
        count += visited
    return count


@recompute("Rectangles and squares in a grid")
def _():
    corners = product(range(4), range(4), range(6), range(6))
    return sum(top < bottom and left < right and bottom - top != right - left for top, bottom, left, right in corners)


@recompute("Colouring a ring of regions with neighbours different")
def _():
    return sum(a != b and b != c and c != d and d != a for a, b, c, d in product(range(5), repeat=4))
