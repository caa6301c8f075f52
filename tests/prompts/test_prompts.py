"""Prompts and the reading of replies, one exchange at a time, and what all of them have in common."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent.conversation import Conversation, Turn
from reasonflux_agent.prompts import RESULT_CHARS, ParseError, Prompt, brief, correction
from reasonflux_agent.prompts.answer import ANSWER
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.prompts.original import ADJUST, ANALYSE, FOLLOW, INSTRUCT, LAY_OUT
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.prompts.program import PROGRAM
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.prompts.refine import REFINE
from reasonflux_agent.prompts.restate import restate_prompt
from reasonflux_agent.prompts.review import REVIEW
from reasonflux_agent.prompts.solve import SOLVE
from reasonflux_agent.schema import Example, Plan, Step, StepResult, Template

PROBLEM = "What is {x} if $\\frac{x}{2} = 3$?"
TRAJECTORY = Plan(abstraction="linear", steps=(Step(purpose="Isolate {x}"), Step(purpose="State it")))
TEMPLATES = ("Template: isolate\n1. multiply",)
RESULTS = (StepResult(index=0, text="x = 6 {so}"), StepResult(index=1, text="It is 6"))
EXCHANGES: list[Prompt[Any]] = [PLAN, REFINE, SOLVE, REVIEW, ANSWER, DIRECT, PROGRAM, PROPOSE]
EXCHANGES += [ANALYSE, LAY_OUT, ADJUST, INSTRUCT, FOLLOW]
EXCHANGES += [restate_prompt(Conversation((Turn("user", "What is 3 + 4?"), Turn("assistant", "7")), "Add 10 to it.", ""))]
RENDERED: dict[str, Callable[[], list[dict[str, str]]]] = {
    "plan": lambda: PLAN.render(PROBLEM),
    "refine": lambda: REFINE.render(PROBLEM, TEMPLATES, TRAJECTORY),
    "whole": lambda: SOLVE.render(PROBLEM, TRAJECTORY, TEMPLATES, feedback="{no}"),
    "step": lambda: SOLVE.render(PROBLEM, TRAJECTORY, TEMPLATES, step=1, results=RESULTS[:1], feedback="{no}"),
    "review": lambda: REVIEW.render(PROBLEM, TRAJECTORY, RESULTS, TEMPLATES),
    "review whole": lambda: REVIEW.render(PROBLEM, TRAJECTORY, RESULTS[1:], TEMPLATES, whole=True),
    "answer": lambda: ANSWER.render(PROBLEM, TRAJECTORY, RESULTS, TEMPLATES),
    "direct": lambda: DIRECT.render(PROBLEM),
    "program": lambda: PROGRAM.render(PROBLEM),
    "propose": lambda: PROPOSE.render(PROBLEM),
    "analyse": lambda: ANALYSE.render(PROBLEM),
    "lay_out": lambda: LAY_OUT.render(PROBLEM, "it is {linear}"),
    "adjust": lambda: ADJUST.render(PROBLEM, TRAJECTORY, "Template: {t}"),
    "instruct": lambda: INSTRUCT.render(PROBLEM, TRAJECTORY, 1, [("Isolate", RESULTS[0])]),
    "follow": lambda: FOLLOW.render(PROBLEM, "do {it}", [("Isolate", RESULTS[0])], True),
}


@pytest.mark.parametrize("name", RENDERED)
def test_every_prompt_holds_the_problem_as_it_is_and_is_the_same_each_time(name: str) -> None:
    messages = RENDERED[name]()
    assert [message["role"] for message in messages] == (["user", "assistant"] * len(messages))[: len(messages)]
    assert messages[-1]["role"] == "user"
    assert PROBLEM in messages[-1]["content"]
    assert RENDERED[name]() == messages


@pytest.mark.parametrize("name", [n for n in RENDERED if n not in ("direct", "plan")])
def test_every_prompt_begins_with_the_brief_and_ends_with_its_task(name: str) -> None:
    content = RENDERED[name]()[0]["content"]
    assert content.startswith(brief(PROBLEM))
    assert content.index("Please reason step by step" if name == "whole" else "Task:") > content.rindex(PROBLEM)


def test_the_plan_is_asked_for_after_examples_that_are_the_same_for_every_problem() -> None:
    *shown, last = PLAN.render(PROBLEM)
    assert last["content"] == brief(PROBLEM)
    assert shown == PLAN.render("Another problem.")[:-1]
    plans = [PLAN.parse(message["content"]) for message in shown if message["role"] == "assistant"]
    assert all(plan.abstraction and len(plan.steps) >= 2 and all(s.query for s in plan.steps) for plan in plans)


def test_a_template_with_a_worked_example_is_a_turn_of_the_conversation() -> None:
    def template(name: str) -> Template:
        example = Example(problem=f"{name}, asked", steps=(f"{name}, step 1", f"{name}, step 2"), answer=f"{name}-5")
        return Template(id=name, name=name, flow=(f"{name}, flow",), example=example)

    *turns, last = SOLVE.render(PROBLEM, templates=(template("best"), template("second")))
    assert [last] == SOLVE.render(PROBLEM)  # nothing of a template is in the question itself
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2
    for (asked, told), name in zip((turns[:2], turns[2:]), ("second", "best"), strict=True):
        assert asked["content"] == last["content"].replace(PROBLEM, f"{name}, asked")  # asked in the very same form
        lines = told["content"].splitlines()
        assert lines[1:-1] == [f"{name}, step 1", f"{name}, step 2"]
        assert name in lines[0]
        assert f"\\boxed{{{name}-5}}" in lines[-1]
    bare = Template(id="bare", name="bare", flow=("multiply",))
    (text,) = SOLVE.render(PROBLEM, TRAJECTORY, templates=(bare,))
    assert "1. multiply" in text["content"]
    assert "2. State it" in text["content"]
    # a worked example takes the place of a plan that did not know it
    assert SOLVE.render(PROBLEM, TRAJECTORY, templates=(template("best"),)) == SOLVE.render(
        PROBLEM, templates=(template("best"),)
    )
    *_, last = SOLVE.render(PROBLEM, TRAJECTORY, templates=(template("best"),), informed=True)
    assert "2. State it" in last["content"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("refine", ["Template: isolate", "1. Isolate {x}"]),
        ("whole", ["Template: isolate", "2. State it", "\\boxed{}", "{no}"]),
        ("step", ["Template: isolate", "2. State it", "x = 6 {so}", "\\boxed{}", "{no}"]),
        ("review", ["It is 6", "step 2", "ACCEPT", "REDO", "REPLACE", "FINISH"]),
        ("review whole", ["Template: isolate", "Solution:\nIt is 6", "ACCEPT", "REDO", "REPLACE", "FINISH"]),
        ("answer", ["It is 6", "\\boxed{}"]),
        ("program", ["```python"]),
        ("lay_out", ["it is {linear}"]),
        ("adjust", ["Template: {t}"]),
        ("instruct", ["x = 6 {so}", "step 2"]),
        ("follow", ["do {it}", "x = 6 {so}", "\\boxed{}"]),
    ],
)
def test_a_prompt_holds_what_its_task_needs(name: str, parts: list[str]) -> None:
    content = RENDERED[name]()[0]["content"]
    assert [part for part in parts if part not in content] == []


def test_only_the_last_step_is_asked_for_a_boxed_answer() -> None:
    assert "\\boxed" not in SOLVE.render(PROBLEM, TRAJECTORY, step=0)[0]["content"]
    assert "\\boxed" not in FOLLOW.render(PROBLEM, "do it", [], False)[0]["content"]


def test_what_the_calls_of_a_run_share_is_byte_identical() -> None:
    """The prompts in the order of a stepwise run: each begins with all that was known before it."""
    known = [
        (PROGRAM.render(PROBLEM), brief(PROBLEM)),
        (REFINE.render(PROBLEM, TEMPLATES, TRAJECTORY), brief(PROBLEM, templates=TEMPLATES)),
        (SOLVE.render(PROBLEM, TRAJECTORY, TEMPLATES, step=0), brief(PROBLEM, templates=TEMPLATES, plan=TRAJECTORY)),
    ]
    for done in (1, 2):
        so_far = brief(PROBLEM, templates=TEMPLATES, plan=TRAJECTORY, results=RESULTS[:done])
        known.append((REVIEW.render(PROBLEM, TRAJECTORY, RESULTS[:done], TEMPLATES), so_far))
        asked = SOLVE.render(PROBLEM, TRAJECTORY, TEMPLATES, step=1, results=RESULTS[:1]) if done == 1 else None
        known.append((asked or ANSWER.render(PROBLEM, TRAJECTORY, RESULTS, TEMPLATES), so_far))
    texts = [messages[0]["content"] for messages, _ in known]
    for text, (_, shared) in zip(texts, known, strict=True):
        assert text.startswith(shared)
    for (_, before), (_, after) in itertools.pairwise(known):
        assert after.startswith(before)


def test_the_shared_part_does_not_depend_on_feedback_or_role() -> None:
    plain = SOLVE.render(PROBLEM, TRAJECTORY, TEMPLATES)[0]["content"]
    redo = SOLVE.render(PROBLEM, TRAJECTORY, TEMPLATES, feedback="wrong sign")[0]["content"]
    assert redo.startswith(plain)


def test_long_work_keeps_its_end() -> None:
    long = StepResult(index=0, text="a" * 10_000 + "the end")
    text = brief(PROBLEM, plan=TRAJECTORY, results=[long])
    assert text.endswith("the end")
    assert len(text) < RESULT_CHARS + 300


def test_a_correction_shows_the_reply_and_what_was_wrong() -> None:
    said, asked = correction("nonsense", ParseError("it holds no step."))
    assert said == {"role": "assistant", "content": "nonsense"}
    assert "it holds no step." in asked["content"]
    assert correction("", ParseError("it is empty."))[0]["content"]  # servers refuse an empty message


@pytest.mark.parametrize(
    ("reply", "verdict", "feedback"),
    [
        ("ACCEPT", "accept", ""),
        ("**ACCEPTED.** fine", "accept", "fine"),
        ("ACCEPT, all is right", "accept", "all is right"),
        ("REDO: the sign is wrong", "redo", "the sign is wrong"),
        ("I checked it.\n\nREDO: 2 + 2 is 4", "redo", "2 + 2 is 4"),
        ("FINISH", "finish", ""),
        ("Finished", "finish", ""),
    ],
)
def test_verdicts(reply: str, verdict: str, feedback: str) -> None:
    review = REVIEW.parse(reply)
    assert (review.verdict, review.feedback) == (verdict, feedback)


def test_a_replacement_brings_its_steps() -> None:
    review = REVIEW.parse("REPLACE: this leads nowhere\n1. Try small cases | find: small cases\n2. Generalise")
    assert review.verdict == "replace"
    assert review.feedback == "this leads nowhere"
    assert [(s.purpose, s.query) for s in review.steps] == [("Try small cases", "small cases"), ("Generalise", "")]


@pytest.mark.parametrize("reply", ["REPLACE\n1. Try", "REPLACE: 1. Try", "**REPLACE**\n\n**1.** Try", "REPLACE:\n1) Try"])
def test_the_first_step_of_a_replacement_is_no_remark(reply: str) -> None:
    review = REVIEW.parse(f"{reply}\n2. Generalise")
    assert [step.purpose for step in review.steps] == ["Try", "Generalise"]
    assert review.feedback == ""


def test_a_remark_is_short() -> None:
    assert REVIEW.parse(f"REPLACE: {'no ' * 900}\n1. Try").feedback == ("no " * 900)[:600]


@pytest.mark.parametrize("reply", ["", "Looks good to me.", "We acceptably redo nothing.", "REPLACE: but no steps"])
def test_no_verdict_is_a_parse_error(reply: str) -> None:
    with pytest.raises(ParseError):
        REVIEW.parse(reply)


def test_the_request_for_a_proposal_shows_no_step_to_copy() -> None:
    with pytest.raises(ParseError):
        PROPOSE.parse(PROPOSE.render(PROBLEM)[0]["content"])


def test_a_proposal_keeps_its_conditions() -> None:
    plan = PROPOSE.parse("Kind: sums\nConditions: a is 3\n1. add")
    assert plan.abstraction == "sums Conditions: a is 3"


def test_a_program_is_cut_out() -> None:
    assert PROGRAM.parse("Sure:\n```python\nprint(1)\n```\nThis prints 1.") == "print(1)"
    with pytest.raises(ParseError, match="python"):
        PROGRAM.parse("print(1)")


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: f"{e.role}-{e.name}")
def test_an_empty_reply_is_a_parse_error(exchange: Prompt[Any]) -> None:
    for reply in ("", " \n\t "):
        with pytest.raises(ParseError):
            exchange.parse(reply)


JUNK = ["x" * 1_000_000, "\n" * 1_000_000 + "x", "*\n" * 500_000, "```python\n" * 100_000, "<think>" * 100_000, "1. " * 300_000]


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: f"{e.role}-{e.name}")
def test_junk_is_a_value_or_a_parse_error_and_quick(exchange: Prompt[Any]) -> None:
    for reply in JUNK:
        started = time.process_time()
        with contextlib.suppress(ParseError):
            exchange.parse(reply)
        assert time.process_time() - started < 3


@given(st.text(max_size=300))
def test_any_text_is_a_value_or_a_parse_error(reply: str) -> None:
    for exchange in (REVIEW, PROPOSE, PROGRAM, SOLVE):
        try:
            value = exchange.parse(reply)
        except ParseError:
            continue
        assert value
