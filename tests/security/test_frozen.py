"""No text of 5,000 characters keeps a reader busy for a second, and none is read on the event loop.

The texts are made of the marks that our patterns look for: a mark again and again, behind and before other marks. A mark that
is missing here is a pattern that is not tried, so whoever adds a pattern adds its mark.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.hookspecs import Register, hookimpl
from reasonflux_agent.plugins import manager
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.testing import FakeModel
from reasonflux_agent.verify.grading import extract_answer
from reasonflux_agent.verify.verifiers import VERIFIERS
from tests.security.test_replies import PARSERS
from tests.security.texts import MARKS

SIZE = 5_000
SECONDS = 1.0
"""Of the processor, not of the clock: the machine may be busy. An idle one takes a tenth of it at most."""

PATTERN_MARKS = (
    *(
        "a_1 =",
        "a_{n+1} = ",
        "a_n = ",
        "a_1 = 1, ",
        "Find a_n. ",
        "general term ",
        "Solve $x$ ",
        "find the real values of x ",
        "x = ",
    ),
    *(
        "how many more ",
        "what is the remainder when ",
        "is divided by 7. ",
        "find the probability ",
        "1 000 ",
        "1/2 ",
        "/3/4",
        "5% ",
    ),
    *(
        "= 1 ",
        "≈",
        "\\approx ",
        "^15^2",
        "1.000",
        "-3^2",
        "\\boxed ",
        "boxed {",
        "\\boxed{1} or ",
        "<answer>",
        "</answer>",
        "answer\n",
    ),
    *(
        "the answer, ",
        "answer to ",
        "final answer ",
        "**Answer**\n",
        "- ",
        "1) x\n",
        "\\text{",
        "\\left\\{",
        "(x^2-1)/(x-1)",
        "9^9999+",
    ),
    *(
        "1000!+",
        "x^{99}+",
        "\\sqrt{x}+",
        "1/3^{999}+",
        "((((",
        "\\frac{1}{",
        "x+",
        "|x|",
        "\\begin{pmatrix}",
        "cm ",
        "\\pm ",
        ",",
        ". ",
    ),
    *(
        "= \n",
        " \n",
        "\n\n",
        "\t \t",
        "!",
        "?",
        ";",
        ":",
        "_{",
        "1_{",
        "~",
        "\\,",
        "{,}000",
        "0.5 ",
        "[asy]",
        "【",
        "Step 1: ",
        "> ",
    ),
)
ALL = tuple(dict.fromkeys((*MARKS, *PATTERN_MARKS)))
RECURRENCE = "Given $a_1 = 3$ and $a_{n+1} = 2a_n + 5$, find the general term of the sequence."
GIVEN: dict[str, Callable[[str], tuple[str, str, str]]] = {
    "a problem": lambda text: (text, "", "2^n"),
    "a text": lambda text: ("Solve $x^2 = 4$.", text, "2"),
    "an equation": lambda text: (f"Solve for $x$: ${text[:190]} = 1$.", "", "2"),
    "a decimal root": lambda text: (f"Solve for $x$: ${text[:190]} = x$.", "", "0.25"),
    "roots": lambda text: ("Solve $x^2 = 4$ for $x$.", "", text),
    "a term": lambda text: (RECURRENCE, "", text),
}
"""What a check is given."""


def _reader(check: Callable[..., Any], given: Callable[[str], tuple[str, str, str]]) -> Callable[[str], Any]:
    return lambda text: check(*given(text))


READERS: dict[str, Callable[[str], Any]] = {
    **{name: parse for name, parse in PARSERS.items() if name != "checks"},
    **{f"{name} of {what}": _reader(check, given) for name, check in VERIFIERS.items() for what, given in GIVEN.items()},
}


def texts(count: int, seed: int) -> Iterator[str]:
    """Each mark repeated, then mixtures: a beginning, a mark (or two) again and again, an ending."""
    yield from (mark * (SIZE // len(mark)) for mark in ALL)
    draw = random.Random(seed)
    for _ in range(count):
        start, end = (draw.choice((*ALL, "", "How many? ")) for _ in range(2))
        again = "".join(draw.choices(ALL, k=draw.choice((1, 1, 2, 3))))
        yield (start + again * (SIZE // len(again) + 1))[: SIZE - len(end)] + end


KNOWN = ("a_1 =" + " " * 900 + "=", "a_1 =" + " " * 4_990, "Solve x = " + " " * 4_900 + "(", "$" + "1 " * 2_499)
"""What once took seconds."""


@pytest.mark.parametrize("name", READERS)
def test_no_text_keeps_a_reader_busy(name: str) -> None:
    for text in (*KNOWN, *texts(150, seed=len(name))):
        started = time.process_time()
        with suppress(ParseError):
            READERS[name](text)
        assert time.process_time() - started < SECONDS, (name, text[:80], text[-20:])


class Watching:
    """A plugin's check that takes down in which threads the checks run."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    @hookimpl
    def register_verifiers(self, register: Register) -> None:
        register("watching", lambda problem, text, answer: self.threads.append(threading.get_ident()))


@pytest.mark.parametrize("effort", ["low", "medium", "high", "auto"])
async def test_no_check_and_no_parser_runs_on_the_event_loop(effort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, parsed = Watching(), list[int]()

    def extract(text: str) -> str | None:
        parsed.append(threading.get_ident())
        return extract_answer(text)

    monkeypatch.setattr("reasonflux_agent.strategies.candidates.extract_answer", extract)
    manager().register(plugin, name="of-this-test")
    try:
        await ReasonFlux(FakeModel(), effort=effort).asolve("What is 3 + 4?")
    finally:
        manager().unregister(plugin)
    assert plugin.threads
    assert parsed
    assert threading.get_ident() not in {*plugin.threads, *parsed}
