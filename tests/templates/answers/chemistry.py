"""Recomputes the worked examples of Chemistry without the formula that the template teaches.

Four examples are judgements on reactions and spectra (which product, which compound) and are not recomputed.
"""

from fractions import Fraction
from itertools import combinations, permutations, product
from math import cos, exp, log, log10, pi, sqrt

import sympy as sp

from tests.templates.recompute import recompute


def crossing(function, low, high):
    """Zero of a function that rises from negative to positive, by bisection."""
    assert function(low) < 0 < function(high)
    for _step in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


def classes(items, moves):
    """Number of classes of `items` when each move (a function on items) leads to an equal one."""
    left, count = set(items), 0
    while left:
        count += 1
        border = [left.pop()]
        while border:
            reached = {move(border[-1]) for move in moves} & left
            border.pop()
            left -= reached
            border += reached
    return count


@recompute("Limiting reagent and percent yield")
def _():
    nitrogen, hydrogen, ammonia = 500, 900, 0
    while nitrogen >= 1 and hydrogen >= 3:
        nitrogen, hydrogen, ammonia = nitrogen - 1, hydrogen - 3, ammonia + 2
    return 100 * Fraction(450, ammonia)


@recompute("Molecular formula from combustion")
def _():
    # all formulas of molar mass 60, burned: 0.01 mol gives 0.88 g CO2 and 0.36 g H2O
    found = [
        (c, h, o)
        for c, h, o in product(range(1, 6), range(13), range(4))
        if (12 * c + h + 16 * o, 44 * c, 9 * h) == (60, 88, 36)
    ]
    assert found == [(2, 4, 2)]
    return "C2H4O2"


@recompute("Degree of unsaturation")
def _():
    # bonds by valence against the bonds of a tree: C 4, H 1, N 3, O 2
    bonds = Fraction(8 * 4 + 9 + 3 + 2, 2)
    return bonds - (8 + 9 + 1 + 1 - 1)


@recompute("Density from the unit cell")
def _():
    # atoms counted in a block of many cells, in which those on the faces no longer matter
    def atoms(cells):
        return sum((x + y + z) % 2 == 0 for x, y, z in product(range(2 * cells), repeat=3))

    grams = atoms(5) * 27.0 / 6.02214e23
    return round(grams / (5 * 405e-10) ** 3, 2)


@recompute("Freezing point, boiling point and osmosis by particle count")
def _():
    particles = Fraction("11.1") / 111 * (1 + 2)
    return particles * Fraction("1.86") * 1000 / 500


@recompute("Concentration from absorbance")
def _():
    # the light weakens in thin layers by ln(10) * 1500 * c per cm
    def rest(c):
        return (1 - log(10) * 1500 * c * 2 / 10**7) ** (10**7)

    return round(crossing(lambda c: 0.10 - rest(c), 1e-5, 1e-2) * 1e4, 2)


@recompute("pH of a weak acid or base")
def _():
    # without the approximation, with the water's own ions
    def excess(h):
        return h - 1e-14 / h - 0.10 * 1e-5 / (1e-5 + h)

    return round(-log10(crossing(excess, 1e-9, 1.0)), 1)


@recompute("Buffer after adding strong acid or base")
def _():
    # charges balanced: Na+ + H+ = A- + OH- in 90 mL
    def excess(h):
        return 4 / 90 + h - 10 / 90 * 10**-4.76 / (10**-4.76 + h) - 1e-14 / h

    return round(-log10(crossing(excess, 1e-12, 1.0)), 2)


@recompute("Isoelectric point and amphoteric species")
def _():
    def minus_charge(ph):
        acid = 1 / (1 + 10 ** (2.18 - ph))
        return acid - sum(1 / (1 + 10 ** (ph - pk)) for pk in (8.95, 10.53))

    return round(crossing(minus_charge, 0.0, 14.0), 2)


@recompute("Solubility with a common ion")
def _():
    return round(crossing(lambda s: s * (0.010 + 2 * s) ** 2 - 3.2e-11, 0.0, 1e-3) * 1e7, 1)


@recompute("Equilibrium amounts by a change table")
def _():
    # both reactions run (rates 64 and 1) until nothing changes
    hydrogen, iodide = 1.0, 0.0
    for _step in range(20_000):
        net = 1e-3 * (64 * hydrogen * hydrogen - iodide * iodide)
        hydrogen, iodide = hydrogen - net, iodide + 2 * net
    return round(iodide, 8)


@recompute("Reaction enthalpy from formation enthalpies")
def _():
    # the wanted equation as a sum of the three formation reactions; rows: CH4, CO2, H2O, C, H2, O2
    methane, dioxide, water = (-1, 0, 0, 1, 2, 0), (0, 1, 0, -1, 0, -1), (0, 0, 2, 0, -2, -1)
    assert tuple(map(sum, zip(methane, dioxide, water, strict=True))) == (-1, 1, 2, 0, 0, -2)
    return Fraction("74.8") + Fraction("-393.5") + 2 * Fraction("-285.8")


@recompute("Gibbs energy decides the direction")
def _():
    return crossing(lambda t: -92_000 + 200 * t, 1.0, 5000.0)


@recompute("Equilibrium or rate constant at two temperatures")
def _():
    def factor(energy):
        return exp(-energy / (8.314 * 310)) / exp(-energy / (8.314 * 300))

    return round(crossing(lambda energy: factor(energy) - 2, 0.0, 1e6) / 1000, 1)


@recompute("Cell voltage with the Nernst equation")
def _():
    # each half-cell by itself, in natural logarithms
    volt = 8.314463 * 298.15 / (2 * 96485.33)
    return round(0.34 + volt * log(0.0010) - (-0.76 + volt * log(0.10)), 2)


@recompute("Mass deposited by a current")
def _():
    # coulombs per atom: two elementary charges of 96500 / N
    return Fraction("3.86") * 2500 * Fraction("63.5") / (2 * 96500)


@recompute("Rate law from initial rates")
def _():
    runs = [("0.1", "0.1", "0.002"), ("0.2", "0.1", "0.004"), ("0.1", "0.2", "0.008")]
    constants = [
        {Fraction(rate) / (Fraction(a) ** m * Fraction(b) ** n) for a, b, rate in runs} for m, n in product(range(4), repeat=2)
    ]
    (constant,) = [found.pop() for found in constants if len(found) == 1]
    return constant


@recompute("Concentration over time by order")
def _():
    a, step = 0.5, 1e-3
    for _step in range(40_000):
        half = a - 0.2 * a * a * step / 2
        a -= 0.2 * half * half * step
    return round(a, 6)


@recompute("Rate law from a mechanism")
def _():
    # the rate when everything is ten times as concentrated
    def rate(nitric, oxygen):
        dimer = Fraction(3, 100) * nitric * nitric
        return 7 * dimer * oxygen

    return round(log10(rate(20, 50) / rate(2, 5)))


@recompute("Number of carbon NMR signals by symmetry")
def _():
    # ring carbons 0..5 with CH3 (6, 7) on 0 and 3; atoms keep telling each other what surrounds them
    bonds = [(i, (i + 1) % 6) for i in range(6)] + [(0, 6), (3, 7)]
    kinds = [0] * 8
    for _round in range(8):
        around = [(kinds[i], sorted(kinds[a + b - i] for a, b in bonds if i in (a, b))) for i in range(8)]
        kinds = [sorted(map(str, around)).index(str(seen)) for seen in around]
    return len(set(kinds))


@recompute("Isotope pattern of a mass spectrum")
def _():
    counts = dict.fromkeys((0, 2, 4), 0)
    for chlorine, bromine in product((35, 35, 35, 37), (79, 81)):
        counts[chlorine + bromine - 114] += 1
    return tuple(counts.values())


@recompute("Point group by a fixed order of questions")
def _():
    # every orthogonal map of the coordinates that leaves allene as it is, among those that keep or flip its axis
    atoms = {(0, 0, 0), (0, 0, 2), (0, 0, -2), (1, 0, 3), (-1, 0, 3), (0, 1, -3), (0, -1, -3)}
    matrices = []
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            matrices.append(sp.Matrix(3, 3, lambda r, c, o=order, s=signs: s[r] if o[r] == c else 0))
    kept = [m for m in matrices if {tuple(m * sp.Matrix(atom)) for atom in atoms} == atoms]
    proper = [m for m in kept if m.det() == 1]
    mirrors = [m for m in kept if m.det() == -1 and m * m == sp.eye(3) and m.trace() == 1]
    # E, three C2 and two mirrors through the axis, with two S4: D2d and no other group of order 8
    assert (len(kept), len(proper), len(mirrors)) == (8, 4, 2)
    assert all(m[2, 2] == 1 for m in mirrors)
    return "D2d"


@recompute("Unpaired electrons of a complex")
def _():
    # with small splitting, the filling of least energy of six electrons in ten spin orbitals
    orbitals = [(level, number, spin) for level, number in [(-0.4, 3), (0.6, 2)] for number in range(number) for spin in "+-"]

    def energy(chosen):
        pairs = len(chosen) - len({(level, number) for level, number, _spin in chosen})
        return sum(level for level, _number, _spin in chosen) + 3 * pairs

    best = min(combinations(orbitals, 6), key=energy)
    unpaired = 2 * len({orbital[:2] for orbital in best}) - 6
    spin = Fraction(unpaired, 2)
    return round(2 * sqrt(spin * (spin + 1)), 2)


@recompute("Eighteen-electron count")
def _():
    # ionic counting: Mn+ has 6, C5H5- brings 6, each CO 2
    (carbonyls,) = [x for x in range(10) if 6 + 6 + 2 * x == 18]
    return carbonyls


@recompute("Huckel rule for aromatic rings")
def _():
    # Hueckel's orbital energies -2 cos(2 pi k / n): a ring is aromatic when its shells are full and well bonded
    def aromatic(ring, electrons):
        levels = sorted(round(-2 * cos(2 * pi * k / ring), 9) for k in range(ring) for _spin in "+-")
        total = sum(levels[:electrons])
        chain = sorted(-2 * cos(pi * k / (ring + 1)) for k in range(1, ring + 1) for _spin in "+-")
        return levels[electrons - 1] < levels[electrons] and total < sum(chain[:electrons])

    return sum(aromatic(*case) for case in [(3, 2), (5, 4), (5, 6), (7, 6)])


@recompute("Stereoisomers with meso forms")
def _():
    # R/S strings; read from the other end of the chain they name the same molecule
    return classes(map("".join, product("RS", repeat=4)), [lambda word: word[::-1]])


@recompute("R or S from a Fischer drawing")
def _():
    # coordinates in space: horizontal groups toward the viewer (z > 0); priorities OH, CHO, CH2OH, H
    oh, cho, ch2oh, h = (1, 0, 1), (0, 1, -1), (0, -1, -1), (-1, 0, 1)
    assert tuple(-sum(axis) for axis in zip(oh, cho, ch2oh, strict=True)) == h
    volume = sp.Matrix([oh, cho, ch2oh]).det()
    # seen from the side opposite to H, anticlockwise groups span a positive volume
    reference = sp.Matrix([(1, 0, 0), (0, 1, 0), (0, 0, 1)]).det()  # anticlockwise from (1, 1, 1), away from H
    return "S" if volume * reference > 0 else "R"


@recompute("Constitutional isomers by skeletons")
def _():
    # all trees of five carbons with Cl on one that has a free valence, up to renumbering
    trees = set()
    for bonds in combinations(list(combinations(range(5), 2)), 4):
        reached = {0}
        for _round in range(5):
            reached |= {b for pair in bonds for b in pair if reached & set(pair)}
        degree = [sum(atom in pair for pair in bonds) for atom in range(5)]
        if len(reached) == 5:
            trees |= {(frozenset(map(frozenset, bonds)), atom) for atom in range(5) if degree[atom] < 4}

    def renumber(p):
        return lambda tree: (frozenset(frozenset(p[i] for i in bond) for bond in tree[0]), p[tree[1]])

    return classes(trees, [renumber((1, 0, 2, 3, 4)), renumber((1, 2, 3, 4, 0))])  # these two generate all


@recompute("Isomers of octahedral complexes")
def _():
    # places +x -x +y -y +z -z under the turns by 90 degrees about x and z
    about_z, about_x = (2, 3, 1, 0, 4, 5), (0, 1, 4, 5, 3, 2)
    turns = [lambda word, t=t: "".join(word[i] for i in t) for t in (about_z, about_x)]
    return classes(set(map("".join, permutations("AABBCC"))), turns)


@recompute("Carbon count through a synthesis")
def _():
    # carbon skeletons: C-C-C=O, then C-C-C(O)-C, then the same with =C for =O
    propanal = [(0, 1), (1, 2)]
    butanone = [*propanal, (2, 3)]
    alkene = [*butanone, (2, 4)]
    return len({atom for bond in alkene for atom in bond})
