"""Quantities: an amount, a scale (`5 million`, `50 %`), and a unit (`cm^2`, `miles per hour`, `$`) or a noun (`5 apples`)."""

from __future__ import annotations

import math
import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from reasonflux_agent.verify.grading import formulas
from reasonflux_agent.verify.grading.formulas import Formula
from reasonflux_agent.verify.grading.tables import table, words

_WORDS = table("words")
_SCALES = {word: Fraction(value) for word, value in _WORDS["scales"].items()}
_POWERS = {"square": 2, "cubic": 3}


def _units() -> dict[str, tuple[str, Fraction]]:
    """Name or symbol of a unit -> the unit that it is counted in, and how many of these it is."""
    units: dict[str, tuple[str, Fraction]] = {}
    prefixes = [entry.split() for entry in _WORDS["prefixes"].split(",")]
    for entry in _WORDS["si"].split(","):
        name, *symbols = entry.split()
        for word in (name, *symbols):
            units[word] = (name, Fraction(1))
            for long, short, power in prefixes:
                units[(long if word == name else short) + word] = (name, Fraction(10) ** int(power))
    for entry in _WORDS["units"].split(";"):
        name, factor, *spelled = entry.split()
        units |= dict.fromkeys(spelled, (name, Fraction(factor)))
    return units


_UNITS = _units()
_LIKE_VARIABLES = frozenset(unit for unit in _UNITS if len(unit) == 1 and unit.isalpha()) | {"in", "min", "cal", "gal", "mol"}
_TWO_LETTERS = frozenset(_WORDS["two_letters"].split())
_FILLERS = frozenset(_WORDS["fillers"].split())
_NO_NOUN = re.compile(words("no_noun"))
_TOKEN = re.compile(r"\\unit ?\{ ?([^{}]+?)\.? ?\}|(/|per\b)|([A-Za-zµ]+)\.?|([°%$€£¥₹¢Ω])|(\^ ?\{? ?(-?\d) ?\}?)|[ \-·*]+|(.)")
_PREFIXED = re.compile(r"(-?) ?(?:\\unit\{([$€£¥₹])\}|(?:(US)?D?(?<=USD)|Rs\.?) (?=\d)) ?(.*)")
_SPLIT = re.compile(r"(?<=[\d)}!\]]) ?(?=[A-Za-zµ°%\\/Ω$€£¢])| (?=[A-Za-zµ°%\\Ω])|(?<=\\pi) ?(?=\\unit|°)")
_COMPOUND = re.compile(r"(\d+(?:\.\d+)?) ?([a-zA-Z]+)\.?(?:,? (?:and )?|$)")


class Unit(NamedTuple):
    """What an amount is measured in; the empty one is none at all."""

    dimensions: tuple[tuple[str, int], ...] = ()
    """Base units with their powers, sorted."""
    factor: Fraction = Fraction(1)
    """What makes base units of it."""
    scale: Fraction = Fraction(1)
    """`million`, `%`: not a unit, but a factor that may have been left out only with its value."""
    nouns: frozenset[str] = frozenset()
    """What is counted, where that is no unit."""


NONE = Unit()


class Quantity(NamedTuple):
    amount: Formula
    unit: Unit


@lru_cache(maxsize=2_048)
def read(text: str) -> Quantity | None:
    """The quantity that a normalised text states; None if it states none. A bare formula is one without a unit."""
    if len(text) > 300:
        formula = formulas.read_or_none(text)
        return Quantity(formula, NONE) if formula else None
    if (money := _PREFIXED.fullmatch(text)) and (rest := read_amount(money[4], money[2] or ("$" if money[3] else "₹"))):
        return Quantity(rest.amount.times(Fraction(-1)), rest.unit) if money[1] else rest
    if is_compound(text):
        return _compound(text)
    return read_amount(text)


def read_amount(text: str, currency: str = "") -> Quantity | None:
    """An amount and the unit behind it, or before it, where that is a currency."""
    for match in list(_SPLIT.finditer(text))[:12]:
        tail = text[match.end() :]
        spaced = match[0] == " " or tail.startswith("\\")
        unit = _unit(_WORDS["money_scales"].get(tail.strip(), tail) if currency else tail, currency, spaced)
        if unit and not text[: match.start()].isalpha() and (amount := formulas.read_or_none(text[: match.start()])):
            return Quantity(amount, unit)
    formula = formulas.read_or_none(text)
    return Quantity(formula, _unit("", currency, True) or NONE) if formula else None


def _unit(text: str, currency: str, spaced: bool) -> Unit | None:
    """The unit that a text names; None if it names none. Not `spaced` from its number, one letter is a variable."""
    dimensions: Counter[str] = Counter()
    factor, scale, sign, power = Fraction(1), Fraction(1), 1, 1
    nouns: set[str] = set()
    last: tuple[str, Fraction, int] | None = None  # the unit to which an exponent belongs
    for match in _TOKEN.finditer(rf"{text} \unit{{{currency}}}" if currency else text):
        marked, division, plain, symbol, exponent, other = match.group(1, 2, 3, 4, 6, 7)
        if other:
            return None
        if division:
            sign = -1
        if exponent:
            if last is None:
                return None
            name, size, direction = last
            more = direction * (int(exponent) - 1)
            dimensions[name] += more
            factor, last = factor * size**more, None
        word = marked or plain or symbol or ""
        word = _WORDS["spelled"].get(word.lower(), word)
        for part in word.split("/") if word else ():
            base = _singular(part.lower())
            if part.lower() in _POWERS:
                power = _POWERS[part.lower()]
            elif found := _known(part, bool(marked or symbol), spaced):
                name, size = found
                dimensions[name] += sign * power
                factor *= size ** (sign * power)
                last, power, sign = (name, size, sign), 1, -1 if "/" in word else sign
            elif base in _SCALES and not dimensions:
                scale *= _SCALES[base]
            elif _NO_NOUN.fullmatch(part.lower()) and part.lower() not in _FILLERS:
                return None
            elif part.lower() not in _FILLERS and (sign > 0 or symbol):  # the second: `per person`
                if len(base) < 3 or marked:
                    return None
                nouns.add(base)
    kept = tuple(sorted((name, times) for name, times in dimensions.items() if times))
    return Unit(kept, factor, scale, frozenset() if kept else frozenset(nouns))


def _known(word: str, marked: bool, spaced: bool) -> tuple[str, Fraction] | None:
    if word in _UNITS and (marked or spaced or word not in _LIKE_VARIABLES):
        return _UNITS[word]
    name = _singular(word.lower())
    if name in _UNITS and (marked or len(name) > 2 or name in _TWO_LETTERS):
        return _UNITS[name] if name not in _LIKE_VARIABLES or spaced else None
    return (word, Fraction(1)) if marked and len(word) <= 3 and word.isalpha() else None


def _singular(word: str) -> str:
    word = re.sub(r"(met|lit)re", r"\1er", _WORDS["singular"].get(word, word))
    plural = word.endswith("s") and not word.endswith("ss") and (len(word) > 3 or word[:-1] in _TWO_LETTERS)
    return word[:-1] if plural else word


def is_compound(text: str) -> bool:
    """Whether a text is of the form `2 hours 30 minutes`."""
    return bool(re.match(r"\d[\d.]* ?[a-zA-Z]+\.?,? (?:and )?\d", text)) and _compound(text) is not None


def _compound(text: str) -> Quantity | None:
    """`2 hours 30 minutes`, in base units."""
    parts = _COMPOUND.findall(text)
    if len(parts) < 2 or _COMPOUND.sub("", text):
        return None
    units = [_unit(word, "", True) for _, word in parts]
    first = units[0]
    if first is None or not first.dimensions or any(unit is None or unit.dimensions != first.dimensions for unit in units):
        return None
    total = sum((Fraction(amount) * unit.factor for (amount, _), unit in zip(parts, units, strict=True) if unit), Fraction(0))
    amount = formulas.read(f"({total})")
    return Quantity(amount, Unit(first.dimensions, Fraction(1), nouns=frozenset({"compound"})))


def same(a: Quantity, b: Quantity) -> bool | None:
    """Whether two quantities are equal. A unit may be missing on one side, but two units must agree, after conversion."""
    one, other = a.unit, b.unit
    left, right = a.amount.times(one.scale), b.amount.times(other.scale)
    if one.dimensions and other.dimensions:
        one, other = _pounds(one, other), _pounds(other, one)
        if any(len(unit.dimensions) == 1 and unit.dimensions[0][0] == "unit" for unit in (one, other)):
            # `12 square units` are 12 cm^2, but not 12 cubic units
            alike = len({power for unit in (one, other) for _, power in unit.dimensions}) == 1
            return formulas.same(left, right) if alike else False
        if one.dimensions == other.dimensions:
            return formulas.same(left.times(one.factor), right.times(other.factor))
        if {one.dimensions, other.dimensions} == {(("degree", 1),), (("radian", 1),)}:
            return formulas.same(_radians(left, one), _radians(right, other))
        return False
    if one.nouns and other.nouns and not (one.nouns <= other.nouns or other.nouns <= one.nouns):
        return False
    if (one.nouns and other.dimensions) or (other.nouns and one.dimensions) or "compound" in one.nouns | other.nouns:
        return False
    verdicts = [formulas.same(left, right)]
    percent = Fraction(1, 100)
    for (amount, unit), (bare, none) in ((a, b), (b, a)):
        if unit.scale == percent and none == NONE:
            verdicts.append(formulas.same(amount, bare))
        if unit.dimensions == (("degree", 1),) and none == NONE:
            verdicts.append(formulas.same(_radians(amount, unit), bare))
    return True if True in verdicts else verdicts[0]


def _pounds(unit: Unit, other: Unit) -> Unit:
    """A pound is money beside money, else a weight."""
    if unit.dimensions != (("pound", 1),) or unit.dimensions == other.dimensions:
        return unit
    if other.dimensions == (("sterling", 1),):
        return unit._replace(dimensions=other.dimensions)
    return unit._replace(dimensions=(("gram", 1),), factor=_UNITS["lb"][1])


def _radians(amount: Formula, unit: Unit) -> Formula:
    return amount.times(Fraction(math.pi / 180)) if unit.dimensions == (("degree", 1),) else amount
