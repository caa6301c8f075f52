"""Reading and writing of trajectories."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent.prompts import ParseError, with_latex
from reasonflux_agent.prompts.steps import read_plan, write_steps
from reasonflux_agent.schema import Plan, Step

# One line of plain text: no line breaks of any kind, no pipe, and not wrapped in the marks that a reader takes for layout.
_EDGE = " \t*.`\"'"
_line = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="|"), min_size=1, max_size=60)
line = _line.map(lambda s: s.strip().strip(_EDGE).strip()).filter(lambda s: s == s.strip().strip(_EDGE) and s)
steps = st.builds(Step, purpose=line, query=st.one_of(st.just(""), line))
plans = st.builds(Plan, abstraction=st.one_of(st.just(""), line), steps=st.lists(steps, min_size=1, max_size=12).map(tuple))


@given(plans)
def test_what_is_written_is_read_back(plan: Plan) -> None:
    assert read_plan(write_steps(plan)) == plan


def test_five_hundred_steps_are_read_back() -> None:
    plan = Plan(abstraction="long", steps=tuple(Step(purpose=f"do {n}", query=f"find {n}") for n in range(500)))
    assert read_plan(write_steps(plan)) == plan


@pytest.mark.parametrize(
    "reply",
    [
        "1. add | find: sums\n2. check",
        "```\n1. add | find: sums\n2. check\n```",
        "```text\n1. add | find: sums\n2. check",
        "Here is the plan:\n\n1) add | find: sums\n\n2) check\n\nThat is all.",
        "**1.** add | **find:** sums\n**2.** check",
        "Step 1: add | Find: `sums`\nStep 2: check",
        "  1. **add** | find: sums.\n  2. **check**",
        "1. add | find: sums\n2. check\n1. another list\n2. begins here",
        '{"steps": ["add", "check"]}',
        '```json\n{"steps": [{"purpose": "add", "query": "sums"}, {"purpose": "check"}]}\n```',
        '[{"step": "add", "find": "sums"}, "check"]',
        '{"kind": "", "plan": [{"step": "add"}, {"step": "check"}]} and some words after it',
    ],
)
def test_the_forms_that_models_write(reply: str) -> None:
    plan = read_plan(reply)
    assert [step.purpose for step in plan.steps] == ["add", "check"]
    assert plan.steps[0].query in ("sums", "")
    assert plan.steps[1].query == ""


@pytest.mark.parametrize("reply", ["Kind: sums\n1. add", "**Kind:** sums\n1. add", '{"kind": "sums", "steps": ["add"]}'])
def test_the_kind_is_read(reply: str) -> None:
    assert read_plan(reply).abstraction == "sums"


COMMANDS = r"""
\frac \theta \beta \nabla \rho \neq \right \times \text \binom \tan \to \nu \ne \notin \not \begin \bar \boxed \forall
\rangle \rightarrow \textbf \tfrac \triangle \bmod \bigcup \rfloor \rvert \ngeq \nleq \tbinom \alpha \sqrt \pi
"""


@pytest.mark.parametrize("command", COMMANDS.split())
@pytest.mark.parametrize("tail", ["{1}{2}", " x", "(", "_1", "$"])
def test_latex_survives_json(command: str, tail: str) -> None:
    formula = f"use {command}{tail} here"
    careless = f'{{"steps": ["{formula}"]}}'
    careful = json.dumps({"steps": [formula]})
    for reply in (careless, careful):
        assert read_plan(reply).steps[0].purpose == formula


@pytest.mark.parametrize(
    "text", ["one\ntwo", 'say "so"', "caf\u00e9", "a\\b", "tab\there", "back\\\\slash", "a / b", "x\n\n1. y"]
)
def test_real_escapes_are_kept(text: str) -> None:
    assert json.loads(with_latex(json.dumps([text]))) == [text]


def test_an_escaped_letter_is_kept() -> None:
    assert read_plan('["caf\\u00e9 \\uzip"]').steps[0].purpose == "caf\u00e9 \\uzip"


@given(st.text(max_size=400))
def test_any_text_is_a_plan_or_a_parse_error(reply: str) -> None:
    try:
        plan = read_plan(reply)
    except ParseError:
        return
    assert plan.steps
    assert all(step.purpose for step in plan.steps)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    )
)
def test_any_json_is_a_plan_or_a_parse_error(data: object) -> None:
    try:
        plan = read_plan(json.dumps(data))
    except ParseError:
        return
    assert plan.steps
    assert all(step.purpose for step in plan.steps)


MEGABYTE = 1_000_000
JUNK = {
    "letters": "a" * MEGABYTE,
    "blanks in a line": "x" + " " * MEGABYTE + "x",
    "a number, then blanks": "1." + " " * MEGABYTE + "\nx",
    "a step with blanks": "1. x" + " " * MEGABYTE + "y",
    "line breaks": "x" + "\n" * MEGABYTE + "x",
    "stars in lines": "*\n" * (MEGABYTE // 2) + "x",
    "brackets": "[" * MEGABYTE,
    "braces": '{"a":' * (MEGABYTE // 5),
    "an open string": '["' + "\\" * MEGABYTE,
    "backslashes in JSON": '["' + "\\t" * (MEGABYTE // 2) + '"]',
    "fences": "```\n" * (MEGABYTE // 4),
    "pipes": "1. a" + " | " * (MEGABYTE // 3),
    "a long number": "1" * MEGABYTE + ". x",
    "kinds": "kind\n" * (MEGABYTE // 5),
    "thoughts": "<think>" * (MEGABYTE // 7),
}


@pytest.mark.parametrize("name", JUNK)
def test_a_megabyte_of_junk_is_read_quickly(name: str) -> None:
    started = time.process_time()
    with contextlib.suppress(ParseError):
        read_plan(JUNK[name])
    assert time.process_time() - started < 5


def test_the_parse_error_tells_the_model_the_form_and_shows_no_step_to_copy() -> None:
    with pytest.raises(ParseError, match="begin each step with its number") as caught:
        read_plan("I would rather not.")
    assert '"' not in str(caught.value)
