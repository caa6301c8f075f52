"""Whatever a model writes is read in bounded time, and ends in a value or a ParseError. (Each room fuzzes its own parsers
with random text; here it is the marks that the parsers look for, and text that is long.)"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from langchain_core.messages import AIMessage

from reasonflux_agent.models import read_reply
from reasonflux_agent.prompts import ParseError, Prompt
from reasonflux_agent.prompts.answer import ANSWER
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.prompts.original import ADJUST, ANALYSE, FOLLOW, INSTRUCT, LAY_OUT
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.prompts.program import PROGRAM
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.prompts.refine import REFINE
from reasonflux_agent.prompts.review import REVIEW
from reasonflux_agent.prompts.solve import SOLVE
from reasonflux_agent.serving.ui.prose import formula, prose
from reasonflux_agent.templates.cleaning import Tally, clean
from reasonflux_agent.templates.examples import example_of
from reasonflux_agent.templates.lexical import formulas, pieces
from reasonflux_agent.verify.grading import answers, extract_answer
from reasonflux_agent.verify.programs import extract_program
from reasonflux_agent.verify.verifiers import run_verifiers
from tests.security.texts import MARKS, long, texts

EXCHANGES: tuple[Prompt[Any], ...] = (
    *(PLAN, REFINE, REVIEW, PROPOSE, PROGRAM, SOLVE, ANSWER, DIRECT),
    *(ANALYSE, LAY_OUT, ADJUST, INSTRUCT, FOLLOW),
)
PARSERS: dict[str, Callable[[str], Any]] = {
    **{f"{exchange.name} {exchange.role}": exchange.parse for exchange in EXCHANGES},
    "answer": extract_answer,
    "program": extract_program,
    "thought": lambda text: read_reply(AIMessage(text)),
    "checks": lambda text: run_verifiers("How many? " + text[:2_000], text, extract_answer(text)),
    "normal form": lambda text: answers.normal(text[:2_000]),
    "formulas": lambda text: pieces(formulas(text)),
    "template": lambda text: (clean(text, Tally()), example_of(text, Tally())),
    "page": lambda text: (prose(text), formula(text)),
}
"""All that reads a reply, a template, or a problem."""
SECONDS = 5.0
"""Of one parser with 20,000 characters; it takes some 10 ms on an idle machine."""


@settings(max_examples=150)
@given(texts)
def test_every_reply_is_a_value_or_a_parse_error(reply: str) -> None:
    for parse in PARSERS.values():
        with suppress(ParseError):
            parse(reply)


LONG = {
    **{repr(mark): long(mark) for mark in MARKS},
    **{f"{start!r}, then {mark!r}": start + long(mark) for start in ("\\boxed{", "$") for mark in MARKS if len(mark) <= 2},
    "thoughts": long("<think></think>"),
    "fences": long("```python\nx\n```\n"),
    "nesting": "[" * 10_000 + "]" * 10_000,
}


@pytest.mark.parametrize("name", PARSERS)
def test_long_replies_are_read_in_bounded_time(name: str) -> None:
    for label, text in LONG.items():
        started = time.monotonic()
        with suppress(ParseError):
            PARSERS[name](text)
        assert time.monotonic() - started < SECONDS, label


@given(texts)
def test_a_reply_can_always_be_written_down(text: str) -> None:
    """Half of a surrogate pair is legal in JSON, and no text: neither a file nor a page nor a database takes it."""
    reply = read_reply(AIMessage(text, additional_kwargs={"reasoning_content": text}))
    (reply.text + reply.reasoning).encode()


def test_a_pair_that_came_in_two_pieces_is_one_character() -> None:
    assert read_reply(AIMessage("\ud83d\ude00 and \ud83d")).text == "\U0001f600 and \ufffd"
