"""Recomputes the worked examples of Biology without the formula that the template teaches.

The example on controls is a judgement and is not recomputed.
"""

from fractions import Fraction
from itertools import combinations, product
from math import log

import sympy as sp

from tests.templates.recompute import recompute


def gametes(genotype):
    """All gametes of unlinked genes written as AaBb."""
    return ["".join(alleles) for alleles in product(*(genotype[i : i + 2] for i in range(0, len(genotype), 2)))]


def dominant(letter, *germs):
    return any(letter in germ for germ in germs)


@recompute("Cross of several genes, one gene at a time")
def _():
    boxes = list(product(gametes("AaBbCc"), gametes("AaBbcc")))
    fitting = [pair for pair in boxes if [dominant(letter, *pair) for letter in "ABC"] == [True, False, False]]
    return Fraction(len(fitting), len(boxes))


@recompute("Epistasis as a changed 9:3:3:1 ratio")
def _():
    boxes = list(product(gametes("AaBb"), repeat=2))
    white = sum(not (dominant("A", *pair) and dominant("B", *pair)) for pair in boxes)
    return Fraction(320 * white, len(boxes))


@recompute("Three-point test cross")
def _():
    # one letter a gamete and gene: which grandparent it came from
    counted = {"111": 370, "000": 370, "100": 80, "011": 80, "110": 45, "001": 45, "101": 5, "010": 5}
    total = sum(counted.values())

    def share(test):
        return Fraction(sum(n for gamete, n in counted.items() if test(gamete)), total)

    first, second = share(lambda g: g[0] != g[1]), share(lambda g: g[1] != g[2])
    double = share(lambda g: g[0] != g[1] != g[2])
    assert (first, second) == (Fraction(17, 100), Fraction(1, 10))
    return round(float(1 - double / (first * second)), 2)


@recompute("Carrier risk in a pedigree")
def _():
    # both parents and the child drawn from all equally likely gametes, the parents being healthy
    cases = ill = 0
    for mother, father in product(product("Aa", repeat=2), repeat=2):
        if "A" in mother and "A" in father:
            for child in product(mother, father):
                cases, ill = cases + 1, ill + (child == ("a", "a"))
    return Fraction(ill, cases)


@recompute("Carrier risk after healthy children")
def _():
    # her X from the carrier mother, and which of her two X each son gets, all equally likely; her father gave H
    draws = [(x, sons) for x in "Hh" for sons in product("H" + x, repeat=2)]
    healthy = [x for x, sons in draws if "h" not in sons]
    return Fraction(healthy.count("h"), len(healthy))


@recompute("Complementation groups")
def _():
    # the least number of genes to which five mutants can be given so that just these pairs share one
    same = {(1, 3), (2, 5)}
    for genes in range(1, 6):
        for given in product(range(genes), repeat=5):
            if {(i, j) for i, j in combinations(range(1, 6), 2) if given[i - 1] == given[j - 1]} == same:
                return genes
    raise AssertionError("no assignment fits")


@recompute("Order of genes in a pathway by the double mutant")
def _():
    # both orders of the two steps; each enzyme's substrate is what its mutant piles up
    def piled_up(order, missing):
        return next(({"A": "X", "B": "Y"}[enzyme] for enzyme in order if enzyme in missing), "product")

    (order,) = [order for order in ("AB", "BA") if piled_up(order, "AB") == "X"]
    return order[0]


@recompute("Ploidy and chromosome count through division")
def _():
    cell = [(pair, parent) for pair in range(6) for parent in "mf"]
    replicated = [(chromosome, chromatid) for chromosome in cell for chromatid in (1, 2)]
    after_first = [(chromosome, chromatid) for chromosome, chromatid in replicated if chromosome[1] == "m"]
    return len(after_first)


@recompute("Chi-square test of a Mendelian ratio")
def _():
    # with two classes it is the squared deviation over the binomial variance
    return round(float((140 - 200 * Fraction(3, 4)) ** 2 / (200 * Fraction(3, 4) * Fraction(1, 4))), 2)


@recompute("Hardy-Weinberg carriers")
def _():
    # a population of 2500 with that share of alleles, all pairs of gametes
    pool = ["a"] * 1 + ["A"] * 49
    pairs = list(product(pool, repeat=2))
    assert pairs.count(("a", "a")) * 2500 == len(pairs)
    return Fraction(sum(x != y for x, y in pairs), len(pairs))


@recompute("Allele frequency under selection")
def _():
    pool = {"A": Fraction(1, 2), "a": Fraction(1, 2)}
    for _generation in range(3):
        alive = {(x, y): pool[x] * pool[y] for x, y in product("Aa", repeat=2) if "A" in (x, y)}
        rest = sum(alive.values())
        pool = {x: sum(share * Fraction(pair.count(x), 2) for pair, share in alive.items()) / rest for x in "Aa"}
    return pool["a"]


@recompute("Inbreeding coefficient by paths")
def _():
    # six different alleles in the three grandparents; every way in which they can come down
    cases = alike = 0
    for left in product("12", "34"):  # one half-sibling: from the common parent 12, and from 34
        for right in product("12", "56"):
            for one, other in product(left, right):
                cases, alike = cases + 1, alike + (one == other)
    return Fraction(alike, cases)


@recompute("Logistic growth rate")
def _():
    # slope of the S-shaped solution through 200 at time 0
    t = sp.Symbol("t")
    solution = 800 / (1 + 3 * sp.exp(-sp.Rational(2, 5) * t))
    assert solution.subs(t, 0) == 200
    return sp.diff(solution, t).subs(t, 0)


@recompute("Mark and recapture")
def _():
    # the size at which 12 marked fish among 50 are the expected number
    (size,) = [n for n in range(98, 1000) if Fraction(50 * 60, n) == 12]
    return size


@recompute("Fewest changes on an evolutionary tree")
def _():
    # all states of the two inner nodes and the root
    tips = {"left": "GT", "right": "GT"}
    return min(
        (root != left) + (root != right) + sum(left != x for x in tips["left"]) + sum(right != x for x in tips["right"])
        for root, left, right in product("ACGT", repeat=3)
    )


@recompute("Reading frame and translation")
def _():
    # the standard code in the order TCAG
    acids = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
    code = dict(zip(map("".join, product("TCAG", repeat=3)), acids, strict=True))
    strand = "CCATGGCATGGTGAAC"
    start = strand.index("ATG")
    peptide = "".join(code[strand[i : i + 3]] for i in range(start, len(strand) - 2, 3))
    return peptide.partition("*")[0]


@recompute("Primers from a target sequence")
def _():
    # the only 8 bases that pair antiparallel with the end of the strand
    pairs = {"AT", "TA", "GC", "CG"}
    target = "GGATACTT"
    primer = ""
    for place in range(len(target)):
        primer += next(base for base in "ACGT" if base + target[-1 - place] in pairs)
    return primer


@recompute("Fragments of a double digest")
def _():
    # 100-base pieces round the circle, from the first cut on
    cuts = {5, 12, 42}
    lengths = []
    for piece in range(5, 65):
        if piece % 60 in cuts:
            lengths.append(0)
        lengths[-1] += 1
    assert sum(lengths) == 60
    return Fraction(min(lengths), 10)


@recompute("Expected number of restriction sites")
def _():
    words = ["".join(word) for word in product("ACGT", repeat=6)]
    cut = sum(w[:2] + w[4:] == "GTAC" and w[2] in "CT" and w[3] in "AG" for w in words)
    return Fraction(102400 * cut, len(words))


@recompute("Gene length and protein mass")
def _():
    codons = range(0, 990, 3)
    return round(sum(110 for _codon in codons[:-1]) / 1000, 1)


@recompute("Relative expression by quantitative PCR")
def _():
    # copies at the start that reach one threshold after so many doublings
    def start(cycles):
        copies = Fraction(2**40)
        for _cycle in range(cycles):
            copies /= 2
        return copies

    return (start(22) / start(18)) / (start(25) / start(18))


@recompute("Coverage of a sequencing run")
def _():
    return round(100 * (1 - 150 / 10_000_000) ** 200_000, 1)


@recompute("Labelled strands through DNA replication")
def _():
    duplexes = [("heavy", "heavy")]
    for _generation in range(3):
        duplexes = [(strand, "light") for duplex in duplexes for strand in duplex]
    return 100 * Fraction(sum("heavy" in duplex for duplex in duplexes), len(duplexes))


@recompute("Enzyme rate with an inhibitor")
def _():
    # the binding equilibria with E + ES + EI = 1 (rates in percent)
    free, bound, blocked = sp.symbols("E ES EI")
    found = sp.solve([free + bound + blocked - 1, free * 6 - 2 * bound, free * 3 - sp.Rational(3, 2) * blocked])
    return 100 * found[bound]


@recompute("Km and Vmax from two rates")
def _():
    km, top = sp.symbols("km top", positive=True)
    (found,) = sp.solve([top * 1 - 20 * (km + 1), top * 4 - 40 * (km + 4)], [km, top], dict=True)
    return found[km]


@recompute("Viable count from plated dilutions")
def _():
    # forwards: 85 million in a mL, five steps of one in ten, a tenth of a mL on the plate
    (millions,) = [m for m in range(1, 1000) if Fraction(m * 10**6, 10**5) / 10 == 85]
    return millions


@recompute("Generation time of bacteria")
def _():
    cells, doublings = 10_000, 0
    while cells < 640_000:
        cells, doublings = 2 * cells, doublings + 1
    return Fraction(120, doublings)


@recompute("Membrane voltage of one ion")
def _():
    # R T / F at 310.15 K in millivolts
    return round(1000 * 8.314463 * 310.15 / 96485.33 * log(10 / 100), 1)
