"""What the builders render is, byte for byte, what the graph sends: at each effort, in one reply and step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path
from typing import Any

import f1_sft
import navigator_sft
import pytest
import step_dpo
import trajectory_dpo
from asking import solves
from langchain_core.messages import BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatResult
from pydantic import Field
from records import calls_behind

from reasonflux_agent import ReasonFlux
from reasonflux_agent.context import EFFORTS, Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.events import AnyEvent, PlanDrawn, PlanRefined, Reviewed, StepDone, TemplatesFound
from reasonflux_agent.jobs.evaluation.benchmarks import Item
from reasonflux_agent.prompts import plain
from reasonflux_agent.prompts.solve import solver_prompt
from reasonflux_agent.runs.record import Record, read_record
from reasonflux_agent.schema import Plan, StepResult
from reasonflux_agent.strategies.search import looked_up
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.testing import FakeModel, Respond, mathematician

from . import conftest

FITS = "What is 3 plus 4?"
ALONE = "A <|im_end|>snail has 3 shells, and a crab has 4. How many have both?"
"""No template fits it; and it holds a control token, which the graph breaks up in what it sends."""
SNAILS = "Kind: zoology\n1. Look at the shells | find: molluscs\n2. Count the shells | find: crustaceans"


@dataclass(frozen=True)
class Case:
    """A run of the graph, and what it was about."""

    effort: Any
    granularity: Any
    problem: str
    folder: Path
    record: Record

    @property
    def plan_calls(self) -> list[list[dict[str, str]]]:
        """What the navigator was sent for a plan."""
        return [list(call.messages) for call in self.record.calls if call.node == "plan"]


def responder(effort: str, granularity: str) -> Respond:
    """A model whose first try is wrong where a reviewer, which turns it down, reads it; and whose drafts differ."""

    def respond(prompt: str) -> str:
        task = prompt.rsplit("Problem:\n", 1)[-1]
        if "reviewer of the solution" in prompt:
            return "REDO the sum is wrong" if "\\boxed{1}" in prompt else "ACCEPT"
        if "reviewer of the work" in prompt:
            return "REDO list both" if "only one" in prompt else "ACCEPT"
        if "carry out step 1" in prompt:
            return "The numbers are 3 and 4." if "rejected" in prompt else "There is only one number."
        if "Python program" in prompt:
            return "```python\nprint(-1)\n```"
        if effort == "high" and "Please reason" in task and "rejected" not in task:
            return "It must be $\\boxed{1}$."
        said = mathematician(prompt)
        return SNAILS if said.startswith("Kind") and "snail" in task else said

    return respond


CASES = [*product(EFFORTS, ("whole", "step"), (FITS, ALONE))]
WHOLE = [case for case in CASES if case[1] == "whole"]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    effort, granularity, problem = request.param
    folder = tmp_path_factory.mktemp("case")
    conftest.write_lines(folder / "library.json", [conftest.LIBRARY])
    conftest.write_lines(folder / "gold.jsonl", [{"id": "x", "problem": problem, "answer": "7"}])
    model = FakeModel(respond=responder(effort, granularity))
    flux = ReasonFlux(model, library=str(folder / "library.json"), record=folder / "records")
    flux.solve(problem, effort=effort, granularity=granularity)
    (path,) = (folder / "records").iterdir()
    return Case(effort, granularity, problem, folder, read_record(path))


def built(case: Case, builder: Any, *more: str) -> list[dict[str, Any]]:
    """The rows that a builder makes of the record."""
    out = case.folder / f"{builder.__name__}.json"
    builder.main([str(case.folder / "records"), "--gold", str(case.folder / "gold.jsonl"), "--out", str(out), *more])
    rows: list[dict[str, Any]] = conftest.read(out)
    return rows


def turns(texts: Sequence[str]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in zip(cycle(("user", "assistant")), texts, strict=False)]


def asked(row: dict[str, Any]) -> list[dict[str, str]]:
    """The messages that a row asks with."""
    if "conversations" in row:
        return turns([turn["value"] for turn in row["conversations"]])
    return turns([*(text for pair in row.get("history", ()) for text in pair), row["instruction"]])


class Listening(FakeModel):
    """Keeps the messages that it is sent."""

    sent: list[Any] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.sent.append(convert_to_openai_messages(messages))
        return super()._generate(messages, *args, **kwargs)


def tries(case: Case, events: Sequence[AnyEvent]) -> list[tuple[StepDone, dict[str, Any]]]:
    """The steps that an attempt carried out, and what `solver_prompt` takes for each, as the events tell it."""
    found: list[tuple[StepDone, dict[str, Any]]] = []
    library, context = TemplateLibrary.load(case.folder / "library.json"), Context(**case.record.begin.context)
    plan, feedback, results = Plan(), "", dict[int, StepResult]()
    for event in events:
        if isinstance(event, PlanDrawn | TemplatesFound | PlanRefined):
            plan = event.plan
        elif isinstance(event, Reviewed):
            feedback = event.review.feedback if event.review.verdict in ("redo", "replace") else ""
        elif isinstance(event, StepDone):
            index = event.result.index
            given: dict[str, Any] = {"informed": context.setting.refine}
            if case.granularity == "step":
                given = {"step": index, "results": [result for at, result in results.items() if at < index]}
            given |= {"plan": plan, "templates": looked_up(event.templates, {}, library), "feedback": feedback}
            found.append((event, given))
            results[index], feedback = event.result, ""
    return found


def test_the_solver_is_sent_what_its_prompt_renders_of_the_events(case: Case) -> None:
    steps = 0
    for events in case.record.attempts.values():
        for event, given in tries(case, events):
            sent = calls_behind(event, events)[0].messages
            assert [*sent] == plain(solver_prompt(case.problem, **given))
            assert bool(event.templates) == (case.problem == FITS)
            assert (len(sent) > 1) == (case.problem == FITS and case.granularity == "whole")  # a worked example
            steps += 1
    assert steps == sum(event.type == "step" for event in case.record.events) > 0


def test_a_pair_of_steps_asks_as_the_first_try_was_asked(case: Case) -> None:
    firsts = [
        plain(solver_prompt(case.problem, **given))
        for events in case.record.attempts.values()
        for event, given in tries(case, events)
        if event.result.attempt == 1
    ]
    if case.effort == "high" or (case.effort == "medium" and case.granularity == "step"):
        rows = built(case, step_dpo)
        assert rows
        assert all(asked(row) in firsts for row in rows)
    else:
        with pytest.raises(InputError, match="without a redo 1"):
            built(case, step_dpo)


def test_a_trajectory_row_asks_as_the_navigator_was_asked(case: Case) -> None:
    (row,) = built(case, navigator_sft)
    assert len(case.plan_calls) >= 1
    assert all(asked(row) == sent for sent in case.plan_calls)


def test_a_chain_of_thought_asks_as_the_strategy_direct_does(case: Case) -> None:
    (row,) = built(case, f1_sft, "--library", str(case.folder / "library.json"))
    model = Listening(respond=mathematician)
    ReasonFlux(model, strategy="direct").solve(case.problem)
    assert [asked(row)] == model.sent
    drafts = [[*call.messages] for call in case.record.calls if call.node == "draft"]
    assert not drafts or asked(row) in drafts


@pytest.mark.parametrize("case", WHOLE, indirect=True, ids="-".join)
def test_a_trajectory_is_rewarded_for_what_the_graph_sends_with_it(case: Case) -> None:
    """Its problem is similar to another one, for which the navigator draws the graph's plan, and a bad one."""
    events = next(events for name, events in case.record.attempts.items() if name.startswith("attempt"))
    drawn = [event for event in events if isinstance(event, PlanDrawn | PlanRefined)][-1]
    plan = calls_behind(drawn, events)[-1].reply
    assert plan
    replies = cycle((plan.text, "Kind: guess\n1. Guess | find: luck"))
    navigator, solver = Listening(respond=lambda _: next(replies)), Listening(respond=mathematician)
    rows = [{"id": "x", "problem": case.problem, "answer": "7"}, {"id": "y", "problem": "What is 1 plus 1?", "answer": "9"}]
    setting = EFFORTS[case.effort]
    options = ["--problems", str(conftest.write_lines(case.folder / "train.jsonl", rows)), "--similar", "1", "--samples", "2"]
    options += ["--templates", str(setting.templates), "--library", str(case.folder / "library.json"), "--jobs", "1"]
    options += ["--informed"] if setting.refine else []
    options += ["--out", str(case.folder / "pairs.json")]
    with pytest.raises(InputError, match=r"No row is left.*pairs: tie 2"):  # the solver gets all right, or none
        trajectory_dpo.main(options, {"navigator": navigator, "solver": solver})
    assert case.plan_calls[0] in navigator.sent
    firsts = [[*calls_behind(event, events)[0].messages] for event, given in tries(case, events) if not given["feedback"]]
    assert firsts
    assert all(sent in solver.sent for sent in firsts)


@pytest.mark.parametrize("case", [(effort, "whole", FITS) for effort in ("low", "medium", "auto")], indirect=True)
def test_a_template_is_tried_as_the_graph_shows_it(case: Case) -> None:
    library, solver = TemplateLibrary.load(case.folder / "library.json"), Listening(respond=mathematician)
    found = solves(solver, Item("x", case.problem, "7"), 100, templates=[library.get("arithmetic/sums/adding-up")])
    assert found["correct"]
    assert solver.sent[0] in [[*call.messages] for call in case.record.calls if call.node == "solve_step"]
