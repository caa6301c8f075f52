"""Quantities: an amount, a scale (`5 million`, `50 %`), and a unit (`cm^2`, `miles per hour`, `$`) or a noun (`5 apples`)."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from reasonflux_agent.verify.grading import formulas
from reasonflux_agent.verify.grading.arithmetic import FormulaError
from reasonflux_agent.verify.grading.formulas import Formula

_SI = """meter m, gram g, liter l L, second s sec, newton N, joule J, watt W, volt V, ampere A amp, ohm Ω, hertz Hz, pascal Pa,
mole mol, byte B"""
_PREFIXES = {"nano n": -9, "micro µ": -6, "milli m": -3, "centi c": -2, "deci d": -1, "kilo k": 3, "mega M": 6, "giga G": 9}
_OTHERS = """
meter 0.0254 inch inches in; meter 0.3048 foot feet ft; meter 0.9144 yard yd; meter 1609.344 mile mi; gram 453.59237 lb lbs;
gram 28.349523125 ounce oz; gram 1000000 ton tonne; pound 1 pound; second 60 minute min; second 3600 hour hr h;
second 86400 day; second 604800 week wk; month 1 month; month 12 year yr; liter 3.785411784 gallon gal;
liter 0.946352946 quart; money 1 dollar usd buck $; money 1/100 cent ¢; euro 1 euro eur €; sterling 1 £ gbp;
yen 1 yen ¥ jpy; rupee 1 rupee ₹ rs inr; degree 1 degree deg °; radian 1 radian rad; kelvin 1 kelvin K;
calorie 1 calorie cal; calorie 1000 kcal; unit 1 unit
"""
_SCALES: dict[str, Fraction] = {
    "%": Fraction(1, 100), "percent": Fraction(1, 100), "percentage": Fraction(1, 100), "pct": Fraction(1, 100),
    "dozen": Fraction(12), "hundred": Fraction(100), "thousand": Fraction(10**3), "million": Fraction(10**6),
    "billion": Fraction(10**9), "trillion": Fraction(10**12),
}  # fmt: skip
_SPELLED = {"mph": "mile/hour", "kph": "km/hour", "kmh": "km/hour", "sq": "square", "cu": "cubic", "pence": "cents"}


def _units() -> dict[str, tuple[str, Fraction]]:
    units: dict[str, tuple[str, Fraction]] = {}
    for entry in _SI.split(","):
        name, *symbols = entry.split()
        for word in (name, *symbols):
            units[word] = (name, Fraction(1))
            for prefix, power in _PREFIXES.items():
                long, short = prefix.split()
                units[(long if word == name else short) + word] = (name, Fraction(10) ** power)
    for entry in _OTHERS.split(";"):
        name, factor, *words = entry.split()
        units |= {word: (name, Fraction(factor)) for word in words}
    return units


_UNITS = _units()
_LIKE_VARIABLES = frozenset(unit for unit in _UNITS if len(unit) == 1 and unit.isalpha()) | {"in", "min", "cal", "gal", "mol"}
_TWO_LETTERS = frozenset(["ft", "yd", "mi", "lb", "oz", "hr", "cm", "km", "mm", "kg", "ml"])
_NO_NOUN = re.compile(
    r"(?:than|plus|minus|over|divided|multiplied|squared|cubed|factorial|if|unless|not|half|halves|thirds|mod|and|or|to|is|are|choose"
    r"|(?:four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths|[a-z]|sqrt|log|ln|exp|pi|arc[a-z]+|a?(?:sin|cos|tan|cot|sec|csc)h?"
    r"|min|max|gcd|lcm|floor|ceil|abs|base|north|south|east|west|up|down|left|right|before|after|ago)"
)
"""Words that do something to the number before them (`5 less than x`, `2 thirds`), or say more of it than what is counted."""
_TOKEN = re.compile(r"\\unit ?\{ ?([^{}]+?)\.? ?\}|(/|per\b)|([A-Za-zµ]+)\.?|([°%$€£¥₹¢Ω])|(\^ ?\{? ?(-?\d) ?\}?)|[ \-·*]+|(.)")
_PREFIXED = re.compile(r"(-?) ?(?:\\unit\{([$€£¥₹])\}|(?:(US)?D?(?<=USD)|Rs\.?) (?=\d)) ?(.*)")
_MONEY_SHORT = {"k": "thousand", "K": "thousand", "M": "million", "B": "billion", "m": "million", "bn": "billion"}
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
    """An amount in a unit."""

    amount: Formula
    unit: Unit


@lru_cache(maxsize=2_048)
def read(text: str) -> Quantity | None:
    """The quantity that a normalised text states; None if it states none. A bare formula is one without a unit."""
    if len(text) > 300:
        formula = _formula(text)
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
        unit = _unit(_MONEY_SHORT.get(tail.strip(), tail) if currency else tail, currency, spaced)
        if unit and not text[: match.start()].isalpha() and (amount := _formula(text[: match.start()])):
            return Quantity(amount, unit)
    formula = _formula(text)
    return Quantity(formula, _unit("", currency, True) or NONE) if formula else None


def _unit(text: str, currency: str, spaced: bool) -> Unit | None:
    """The unit that a text names; None if it names none. Not `spaced` from its number, one letter is a variable."""
    dimensions: dict[str, int] = {}
    factor, scale, sign, power = Fraction(1), Fraction(1), 1, 1
    nouns: set[str] = set()
    last: tuple[str, Fraction, int] | None = None
    for match in _TOKEN.finditer(rf"{text} \unit{{{currency}}}" if currency else text):
        marked, division, plain, symbol, exponent, other = match.group(1, 2, 3, 4, 6, 7)
        if other:
            return None
        if division:
            sign = -1
            continue
        if exponent:
            if last is None:
                return None
            name, size, direction = last
            more = int(exponent) - 1
            dimensions[name] = dimensions.get(name, 0) + direction * more
            factor *= size ** (direction * more)
            last = None
            continue
        word = marked or plain or symbol
        if not word:
            continue
        word = _SPELLED.get(word.lower(), word)
        if word.lower() in ("square", "cubic"):
            power = 2 if word.lower() == "square" else 3
            continue
        for part in word.split("/"):
            found = _known(part, bool(marked or symbol), spaced)
            if found is None:
                base = _singular(part.lower())
                if base in _SCALES and not dimensions:
                    scale *= _SCALES[base]
                elif part.lower() in ("of", "the", "a", "an", "more", "in", "total", "each", "about"):
                    nouns |= {""}
                elif _NO_NOUN.fullmatch(part.lower()):
                    return None
                elif sign < 0 and not symbol:
                    continue  # `per person`
                elif len(base) < 3 or marked:
                    return None
                else:
                    nouns.add(base)
                continue
            name, size = found
            dimensions[name] = dimensions.get(name, 0) + sign * power
            factor *= size ** (sign * power)
            last, power = (name, size, sign), 1
            if "/" in word:
                sign = -1
    kept = tuple(sorted((name, times) for name, times in dimensions.items() if times))
    return Unit(kept, factor, scale, frozenset(nouns - {""}) if not kept else frozenset())


def _known(word: str, marked: bool, spaced: bool) -> tuple[str, Fraction] | None:
    if word in _UNITS and (marked or spaced or word not in _LIKE_VARIABLES):
        return _UNITS[word]
    name = _singular(word.lower())
    if name in _UNITS and (marked or len(name) > 2 or name in _TWO_LETTERS):
        return _UNITS[name] if name not in _LIKE_VARIABLES or spaced else None
    return (word, Fraction(1)) if marked and len(word) <= 3 and word.isalpha() else None


def _singular(word: str) -> str:
    word = {"feet": "foot", "inches": "inch", "men": "man", "women": "woman", "people": "person"}.get(word, word)
    word = re.sub(r"(met|lit)re", r"\1er", word)
    return (
        word[:-1] if (len(word) > 3 or word[:-1] in _TWO_LETTERS) and word.endswith("s") and not word.endswith("ss") else word
    )


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
            return (
                formulas.same(left, right)
                if len({power for unit in (one, other) for _, power in unit.dimensions}) == 1
                else False
            )
        if one.dimensions == other.dimensions:
            return formulas.same(left.times(one.factor), right.times(other.factor))
        if {one.dimensions, other.dimensions} == {(("degree", 1),), (("radian", 1),)}:
            return formulas.same(_radians(left, one), _radians(right, other))
        return False
    if (one.nouns and other.nouns and not (one.nouns <= other.nouns or other.nouns <= one.nouns)) or (
        (one.nouns and other.dimensions) or (other.nouns and one.dimensions)
    ):
        return False
    if "compound" in one.nouns | other.nouns:
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


def _formula(text: str) -> Formula | None:
    try:
        return formulas.read(text)
    except FormulaError:
        return None
