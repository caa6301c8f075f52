"""The built-in library's text: its answers are right, it repeats no benchmark, and it keeps its own rules."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import sympy

from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import TemplateLibrary, render_template
from reasonflux_agent.verify.grading import equivalent
from tests.templates import answers
from tests.templates.recompute import CHECKS

for module in pkgutil.iter_modules(answers.__path__):
    importlib.import_module(f"{answers.__name__}.{module.name}")

LIBRARY = TemplateLibrary.builtin()
BY_NAME = {template.name: template for template in LIBRARY}
SHARE = 0.6
"""At least so many examples are recomputed."""


def entries() -> Iterator[dict[str, Any]]:
    """Every template as it stands in the data files."""
    for file in resources.files("reasonflux_agent.templates").joinpath("data").iterdir():
        if file.name.endswith(".json"):
            for sections in json.loads(file.read_text(encoding="utf-8")).values():
                for templates in sections.values():
                    yield from templates


# Every answer, worked out in another way


def plain(value: object) -> str:
    """A recomputed value as an answer would write it."""
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(plain, value))) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(plain, value)) + ")"
    if isinstance(value, Fraction):
        return str(value)
    return str(value).replace("**", "^").replace("I", "i") if isinstance(value, sympy.Expr) else str(value)


def near(value: object, answer: str) -> bool:
    """Whether a float is the number that the answer stands for, to 1e-8 of its size."""
    if not isinstance(value, float | complex):
        return False
    names = {"e": sympy.E, "i": sympy.I}
    exact = complex(sympy.sympify(answer.replace("^", "**"), locals=names))  # our own text, not a model's
    return abs(value - exact) <= 1e-8 * max(1.0, abs(exact))


def same(value: object, answer: str) -> bool:
    return equivalent(plain(value), answer) or near(value, answer)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_answer_of_the_example_is_right(name: str) -> None:
    assert name in BY_NAME, "this recomputation belongs to no template"
    example = BY_NAME[name].example
    assert example is not None
    value = CHECKS[name]()
    assert same(value, example.answer), f"{name}: recomputed {value!r}, the example says {example.answer!r}"


def test_most_examples_are_recomputed(capsys: pytest.CaptureFixture[str]) -> None:
    share = len(CHECKS.keys() & BY_NAME.keys()) / len(LIBRARY)
    with capsys.disabled():
        print(f"\n{share:.0%} of {len(LIBRARY)} examples recomputed")
    assert share >= SHARE


@pytest.mark.parametrize(
    ("value", "answer"),
    [(Fraction(1, 2), "1/3"), (2.5, "5/3"), ({1, 2}, "{1, 3}"), ((1, 2), "(2, 1)"), (0.1, "pi"), (7, "8"), ("n + 1", "n - 1")],
)
def test_a_wrong_answer_would_be_seen(value: object, answer: str) -> None:
    assert not same(value, answer)


# No benchmark problem in it


GRAM = 13
README = "Given a sequence {a_n} satisfying a_1 = 3 and a_{n+1} = 2 a_n + 5 (n >= 1), find the general term formula a_n"


def grams(text: str) -> set[tuple[str, ...]]:
    """Runs of so many words, as they are written and as letters and digits alone."""
    lower = text.lower()
    found: set[tuple[str, ...]] = set()
    for words in (lower.split(), re.findall(r"[a-z0-9]+", lower)):
        found |= {tuple(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1)}
    return found


@pytest.fixture(scope="module")
def library_grams() -> dict[tuple[str, ...], str]:
    texts = {entry["template_name"]: " ".join(_strings(entry)) for entry in entries()}
    return {gram: name for name, text in texts.items() for gram in grams(text)}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


Grams = dict[tuple[str, ...], str]


def test_the_readmes_problem_is_not_in_the_library(library_grams: Grams) -> None:
    assert len(grams(README)) > 10
    assert {library_grams[gram] for gram in grams(README) & library_grams.keys()} == set()


def test_no_benchmark_problem_is_in_the_library_or_in_a_prompt(library_grams: Grams, data: Path) -> None:
    shown = {gram: "prompt" for message in PLAN.render("") for gram in grams(message["content"])}
    ours = library_grams | shown
    read, shared = 0, set()
    for file in sorted((data / "benchmarks").glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            problem = json.loads(line)["problem"]
            read += 1
            shared |= {(f"{file.name}:{number}", ours[g]) for g in grams(problem) & ours.keys()}
    assert read > 100
    assert shared == set()


# Its own rules


def test_it_is_large_and_its_names_are_unique() -> None:
    assert len(LIBRARY) >= 200
    assert len({template.chapter for template in LIBRARY}) >= 20
    assert len(BY_NAME) == len(LIBRARY) == len(list(entries()))
    assert len({name.lower() for name in BY_NAME}) == len(LIBRARY)


def test_nothing_in_it_had_to_be_repaired() -> None:
    assert LIBRARY.notes == ()


@pytest.mark.parametrize("template", LIBRARY, ids=lambda t: t.id)
def test_a_template_is_whole_and_short(template: Template) -> None:
    assert template.tags
    assert template.description
    assert template.scenario
    assert len(template.flow) >= 2
    assert template.example is not None
    assert template.example.problem
    assert template.example.steps
    assert template.example.answer
    rendered = render_template(template)
    assert len(rendered) <= 1000
    assert "\nExample: " in rendered  # it is left out of a prompt where it does not fit
    text = template.model_dump_json()
    assert text.isascii()
    assert "\\\\" not in text  # in JSON, a backslash of the text
