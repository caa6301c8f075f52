"""One spelling for what LaTeX, Unicode, Python and people spell in many ways: what answers are compared in (answers.py)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

MAX_LENGTH = 2_000
"""Characters of an answer."""

_FRACTION = re.compile(r"(\d{0,9})([¼½¾⅐-⅞])")
_GREEK = """alpha beta gamma delta epsilon theta lambda nu xi rho sigma tau phi psi omega Gamma Delta Theta Lambda Pi Sigma
Phi Psi"""
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑‒﹣－", "-"),
        **dict.fromkeys("“”„″＂", '"'),
        **dict.fromkeys("‘’′＇", "'"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        **dict.fromkeys("º˚∘", "°"),
        "⁄": "/",
        "∕": "/",
        "∶": ":",
        "\u2062": "",
        **{letter: f"\\{name} " for letter, name in zip("αβγδεθλνξρστφψωΓΔΘΛΠΣΦΨ", _GREEK.split(), strict=True)},
        "π": r"\pi ",
        "∛": r"\sqrt[3]",
        "∈": r"\in ",
        "ℝ": r"\mathbb{R}",
        "ℤ": r"\mathbb{Z}",
        **dict.fromkeys("✓✔✅", ""),
        "…": r"\dots ",
        "\u2126": "Ω",
    }
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()")

_ANNOUNCED = re.compile(
    r"[*_\s]*(?:(?:so|thus|hence|therefore),? )?(?:the )?(?:final |correct |right |best )?(?:answer|choice|option)[*_]*"
    r"(?: is[*_]*:?|[*_]*:|[*_]* =)[*_]*\s+(?=\S)|[*_\s]*(?:answer|option|choice) (?=\(?[A-Za-z]\)?\.?$|[A-Z][.:] )"
    r"|(?:final )?answer\s+(?=\\\[|\$)|^(?:= *|\\(?:therefore|Rightarrow|implies)(?![a-z]) *|∴ *|(?:so|thus|hence"
    r"|therefore|it(?: is|'s)),? )(?=[^=\s])"
    r"|(?:the )?(?:solutions?|values?|roots?) (?:are|is):? (?=[-\d$\\])",
    re.IGNORECASE,
)
_WRAPPED = re.compile(
    r"\\begin\{(?:equation|align|gather|displaymath|center)\*?\}(.*)\\end\{\w+\*?\}|<(?:b|strong|i|em|u)>(.*)</\w+>"
    r"|_([^_{}]+)_|\\\[(.*)\\\]|\\\((.*)\\\)|\$\$(.*)\$\$|`+(.*?)`+|\*\*(.*)\*\*"
    r"|\"([^\"]*)\"|'([^']*)'|\\(?:text(?:tt|bf|it|rm)?|emph) ?\{((?:(?!\} ?[_^])[^\\])*)\}|\$([^$]*)\$",
    re.DOTALL,
)
_BOX = re.compile(r"\$*\\(?:boxed|fbox) ?\{((?:(?!\\boxed|\\fbox).)*)\}[.$]*", re.DOTALL)

_TEXT = (
    r"\\(?:text(?:bf|it|rm|tt|sf|up|normal)?|mbox|emph|underline|math(?:rm|bf|it|sf)|operatorname\*?|boldsymbol)(?![a-zA-Z])"
)
_PYTHON = r"(?<![a-zA-Z])(?:np\.|numpy\.|sympy\.)?(?:float\d\d|int\d\d|Decimal|Matrix|ImmutableMatrix|array)"
_NONE = (
    r"(?:there (?:are|is) |the (?:equation|system|inequality) has )?no (?:real )?(?:solutions?|roots?"
    r"|values)(?: exists?)?|(?:the )?empty ?set\(?\)?|\\?\{ ?\\?\}"
)
_ALL = (
    r"(?:[a-z] (?:is|can be) )?(?:(?:the set of )?all real (?:numbers|values)(?: of \w| [a-z])?|all reals|(?:any"
    r"|every) real number)"
)

_REWRITTEN: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (
        re.compile(
            r"(?<!\\)\\\\(?=(?:[dt]?frac|sqrt|left|right|pi|text|cdot|times|infty|pm|boxed|le|ge|[bB]ig+[lr]?)(?![a-z]))"
        ),
        r"\\",
    ),
    (re.compile(r"^([A-Z])\\\)"), r"\1)"),
    (re.compile(r",\s*\n\s*"), ", "),
    (re.compile(r"^\[[\[\]\d\s.;e+-]*\d\.?[ \n;]+[\[\]\d\s.;e+-]*\]$"), lambda match: _rows(match[0])),
    (re.compile(r"\\cr(?![a-z])"), r"\\\\"),
    (re.compile(r"(?<=\S),? (?:because|since) .*$", re.DOTALL), ""),
    (re.compile(r"(?<=\S) ?(?:\\approx(?![a-z])|≈).*$|^(?:\\approx(?![a-z])|≈) ?", re.DOTALL), ""),
    (re.compile(r"\\dots[cbmo]?(?![a-z])|\\[lc]dots(?![a-z])|\.{3,}"), r"\\dots "),
    (re.compile(r"(?<=\d)\\[,;!](?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<=\d)(?:[_'] ?|, ?\\! ?|\\!, ?)(?=\d{3}(?!\d))"), ","),
    (
        re.compile(
            r"\\(?:\$|pounds(?![a-z]))"
            r"|[€£¥₹]"
        ),
        lambda match: rf"\unit{{{match[0][-1] if match[0][-1] != 's' else '£'}}}",
    ),
    (re.compile(r"^US ?(?=\\unit\{\$)"), ""),
    (re.compile(r"(?<!\\)\\(?:[()!]|(?:left|right|displaystyle|limits|[bB]ig+[lr]?)(?![a-zA-Z]))|(?<!\{)\$|`"), ""),
    (
        re.compile(
            r"^\\\[|\\\]$|\\(?:[lL]arge|LARGE|huge|small|bf|rm|it)(?![a-zA-Z])|\\(?:text)?color ?\{\w+\}"
            r"|(?<=\d) ?\(double root\)"
        ),
        "",
    ),
    (re.compile(r"(?<!\\)\\(?:[,;:>]| |q?quad(?![a-zA-Z]))|~|[^\S\n]+"), " "),
    (re.compile(r"(?<=[^\s\\]) ?\\\\ ?(?=\S)(?!.*\\end)|\s*\n\s*"), "\n"),
    (re.compile(r"(?<![\w.,^}])(\d{1,3}) (?=\d{3}(?!\d| ?/))"), r"\1"),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\{([^{}]*)\\choose(?![a-z]) ?([^{}]*)\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\{([^{}]*)\\over(?![a-z]) ?([^{}]*)\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"\^ ?(?:°|\\circ(?![a-z])|\{ ?(?:\\circ|°) ?\})|\\degree(?![a-z])"), "°"),
    (
        re.compile(
            r"(?:°|(?<=\d) ?degrees?) ?(?:\\(?:text|mathrm) ?\{ ?)?(?:(C)(?:elsius)?|(F)(?:ahrenheit)?)(?![a-z])(?: ?\})?"
        ),
        r" \\unit{\1\2}",
    ),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(?<=\d) x (?=\d)"), "*"),
    (re.compile(r"∞|\binfinity\b|(?<=[(\[,-])inf(?=[,)])|(?<=, )inf(?=\))|(?<![a-zA-Z\\])oo(?![a-zA-Z])"), r"\\infty "),
    (re.compile(r"\+ ?(?=\\infty)"), ""),
    (re.compile(r"∪|(?<=[)\]]) ?(?:U|\bunion\b) ?(?=[(\[])"), r"\\cup "),
    (re.compile(r"∅|\\varnothing(?![a-z])"), r"\\emptyset "),
    (re.compile(r"±"), r"\\pm "),
    (re.compile(r"\\R(?![a-zA-Z])|\\mathbb R(?![a-zA-Z])"), r"\\mathbb{R}"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\l(?:angle|paren)(?![a-zA-Z])"), "("),
    (re.compile(r"\\r(?:angle|paren)(?![a-zA-Z])"), ")"),
    (re.compile(r"\\l(?:brace)(?![a-zA-Z])"), r"\\{"),
    (re.compile(r"\\r(?:brace)(?![a-zA-Z])"), r"\\}"),
    (  # a short word at the end of a quantity is a unit, and is marked as one
        re.compile(
            r"(?:(?<=[\d)}])|(?<=\\pi)) ?\\(?:text(?:rm)?|mbox|mathrm) ?\{ ?"
            r"([mgshlLNJWVAK]|(?!(?:pi|[ap]m|th|st|nd|rd|and|or)\b)(?=[A-Z]*[a-z])[a-zA-Z]{2,3})\.? ?\}"
            r"(?=(?: ?\^ ?\{? ?[23] ?\}?)? ?(?:[.,;)\]]|$))"
        ),
        r" \\unit{\1}",
    ),
    (re.compile(r"(?<=_)(?:\\(?:text|mathrm) ?\{([^{}\\]*)\}|\{\\(?:text|mathrm) ?\{([^{}\\]*)\}\})"), r"{\1\2}"),
    (re.compile(r"\\math(?:rm|it) ?\{ ?([iIeR]) ?\}"), r" \1 "),
    (re.compile(r"\\math(?:bf|bb|cal|sf) ?\{ ?R ?\}"), r"\\mathbb{R}"),
    (re.compile(rf"{_TEXT} ?\{{([^{{}}]*)\}}"), r" \1 "),
    (re.compile(r"\\leq?(?:slant|q)?(?![a-z])|≤|⩽|=<|<="), r"\\le "),
    (re.compile(r"\\geq?(?:slant|q)?(?![a-z])|≥|⩾|>="), r"\\ge "),
    (re.compile(r"\\lt(?![a-z])"), "<"),
    (re.compile(r"\\gt(?![a-z])"), ">"),
    (re.compile(r"\\neq?(?![a-z])|≠|!="), r"\\ne "),
    (re.compile(r"(?<![=<>!])==(?!=)"), "="),
    (re.compile(r",? (?:for (?:all|any|every|each) |\\forall ?)\(?[^.;()]*\)?$|,? ?\\forall ?[^.;]*$"), ""),
    (
        re.compile(rf"^[a-z] ?\\in ?\\mathbb\{{R\}}$|\b(?:{_ALL})\b|^\\mathbb\{{R\}}$|^Reals$", re.IGNORECASE),
        r"(-\\infty,\\infty)",
    ),
    (re.compile(rf"^(?:{_NONE})$", re.IGNORECASE), r"\\emptyset "),
    (re.compile(r"(?<!\w)([\"'])((?:(?!\1).)*?)\1(?!\w)"), r"\2"),
    (re.compile(r"^(?:np\.|numpy\.)?array\(\[([^\[\]]*)\]\)$"), r"(\1)"),
    (re.compile(rf"{_PYTHON}\((.*)\)$"), r"\1"),
    (re.compile(r"\\pmod ?(\w+)"), r"\\pmod{\1}"),
    (re.compile(r"^\(([^()]*)\) & \(([^()]*)\)$"), r"\1 and \2"),
    (re.compile(r"^\(([^()]*)\) \| \(([^()]*)\)$"), r"\1 or \2"),
    (re.compile(r"Interval\(([^()]*)\)"), r"[\1]"),
    (re.compile(r"Interval\.open\(([^()]*)\)"), r"(\1)"),
    (re.compile(r"Interval\.Ropen\(([^()]*)\)"), r"[\1)"),
    (re.compile(r"Interval\.Lopen\(([^()]*)\)"), r"(\1]"),
    (re.compile(r"Eq\(([^(),]*), ([^(),]*)\)"), r"\1 = \2"),
    (re.compile(r"^Union\(([^A-Za-z]*[)\]]), ([(\[][^A-Za-z]*)\)$"), r"\1\\cup \2"),
    (re.compile(r"^\[(\{[^{}\[\]]*:[^{}\[\]]*\})\]$"), r"\1"),
    (re.compile(r"FiniteSet\(([^()]*)\)"), r"{\1}"),
    (re.compile(r"(?<=\\infty)( ?)\]"), ")"),
    (re.compile(r"\[(?= ?- ?\\infty)"), "("),
    (re.compile(r"(?<![a-zA-Z])(?:Fraction|Rational)\((-?\d+), (\d+)\)"), r"\1/\2"),
    (re.compile(r"^(\(?[-+\d.eE*/ ]*\d)j(\)?)$"), r"\1i\2"),
    (re.compile(r"^\](-?[\w./\\]+) ?([,;]) ?(-?[\w./\\]+)\[$"), r"(\1\2\3)"),
    (
        re.compile(
            r"(?:(?<=\n)|^)(?:[-*•] |\d{1,2}[.)] )(?=.*\n(?:[-*•] |\d{1,2}[.)] ))|(?<=\n)(?:[-*•] "
            r"|\d{1,2}[.)] )(?=\S)"
        ),
        "",
    ),
    (
        re.compile(
            r"(?<![a-zA-Z])C\((\d+) ?, ?(\d+)\)|\bbinomial\((\d+), (\d+)\)"
            r"|(?<![\w.}])_ ?\{?(\d+)\}? ?C_ ?\{?(\d+)\}?(?!\w)"
        ),
        lambda match: "\\binom" + "".join(f"{{{number}}}" for number in match.groups() if number),
    ),
    (
        re.compile(r"(\d\.\d*)(?:\((\d+)\)(?!\w)|\\dot ?\{?(\d)\}?)"),
        lambda match: rf"{match[1]}\overline{{{match[2] or match[3]}}}",
    ),
    (re.compile(r"\b(hundred|thousand|million) and (?=[a-z]+(?:[ -][a-z]+)?$)"), r"\1 "),
    (re.compile(r"^(?:there are )?infinitely many(?: solutions)?$", re.IGNORECASE), "infinitely many"),
    (re.compile(r"^all integers$", re.IGNORECASE), r"\\mathbb{Z}"),
    (re.compile(r"^DNE$"), "does not exist"),
    (re.compile(r"^(?:nan|zoo)$"), "undefined"),
    (re.compile(r"^(?:minus|negative) ", re.IGNORECASE), "-"),
    (re.compile(r"^either (?=.* or )"), ""),
    (re.compile(r"[^\S\n]+"), " "),
]
"""In order; each is tried at most once a text, and none backtracks further than a line."""


def stated(text: str) -> str:
    """The answer without what announces and wraps it: `**Answer:** $42$.` is `42`; quotes, boxes and backticks go, too."""
    text = text.strip()
    for _ in range(6):
        before = text
        if announced := _ANNOUNCED.match(text):
            text = text[announced.end() :].strip()
        if match := _BOX.fullmatch(text) or _WRAPPED.fullmatch(text.rstrip(".") if text[:1] in "\\$`*\"'" else text):
            text = next(group for group in match.groups() if group is not None).strip()
        if text == before:
            break
    return text


def normal(text: str) -> str:
    """One spelling of an answer. Words keep one space between them, lines one newline; money is marked `\\unit{$}5`.

    A text of more than `MAX_LENGTH` characters is no answer, and is left as it is.
    """
    if len(text) > MAX_LENGTH:
        return text.strip()
    text = _characters(text)
    text = _dollars(re.sub(r"(?<!\.)\.$", "", stated(text)))
    for pattern, plain in _REWRITTEN:
        text = pattern.sub(plain, text)
    text = _ANNOUNCED.sub("", text.strip(), count=1) if _ANNOUNCED.match(text.strip()) else text
    text = text.strip().removesuffix("\\")
    return text.strip().rstrip(".,;:!" if text.strip()[-2:-1].isalpha() else ".,;:").strip()


def _characters(text: str) -> str:
    """The text in plain characters: raised digits as powers, fractions of one character spelled out, full width narrowed."""
    text = text.translate(_CHARACTERS)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ]+", lambda match: f"^{{{match[0].translate(_RAISED)}}}", text)
    text = re.sub("[₀-₎]+", lambda match: f"_{{{match[0].translate(_LOWERED)}}}", text)
    text = _FRACTION.sub(_fraction, text)
    text = re.sub("[μµ](?![a-zA-Z])", r"\\mu ", text)  # before a letter it is a unit's micro
    return unicodedata.normalize("NFKC", text).replace("μ", "µ") if not text.isascii() else text


def _rows(text: str) -> str:
    """A vector or a matrix as NumPy and Octave print it: `[1. 2.]`, `[[1 2]\\n [3 4]]`, `[1 2; 3 4]`."""
    rows = [re.sub(r"\.(?!\d)", "", ", ".join(row.split())) for row in re.findall(r"[^\[\];]*\d[^\[\];]*", text)]
    return f"({rows[0]})" if len(rows) == 1 else "[" + ", ".join(f"[{row}]" for row in rows) + "]"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", match[2]).split("⁄")
    return rf"{match[1]}\frac{{{top}}}{{{bottom}}}"


def _dollars(text: str) -> str:
    """A dollar sign before an amount is marked as a unit; those around mathematics go later."""
    signs = re.findall(r"(?<!\\)\$(-?\.?\d)?", text)
    if signs and all(signs) and not text.endswith("$"):
        return re.sub(r"(?<!\\)\$", r"\\unit{$}", text)
    return text


def latex(text: str) -> str:
    """A normalised answer as LaTeX, for Math-Verify: plain `sqrt(3)` and `2^(n+1)` get their backslash and braces."""
    text = re.sub(r"\\unit\{[$€£¥₹]\}", "", text.replace("°", ""))
    text = re.sub(r"(?<![\\a-z])a(sin|cos|tan)(?![a-z])", r"\\arc\1 ", text)
    text = re.sub(r"(?<![\\a-z])(sqrt|sin|cos|tan|ln|log|pi|exp)(?![a-z])", r"\\\1 ", text)
    return re.sub(r"(\\sqrt|\^) ?\(([^()]*)\)", r"\1{\2}", text).replace(r"\unit{", r"\text{")
