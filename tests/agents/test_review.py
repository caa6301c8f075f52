"""A person in the loop: what is asked, and what every answer does to the run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import TypeAdapter

from reasonflux_agent import Context, TemplateLibrary, TemplateRetriever
from reasonflux_agent.agents.review import ACTIONS, Question, create_review
from reasonflux_agent.schema import Solution
from tests.graph.fakes import Line, Scripted, Shelf

PROBLEM = "What is 3 + 4?"
CONFIG: Any = {"configurable": {"thread_id": "one"}}
JSON = dict[str, Any]


class Session:
    """One run on one thread: `asked` is the question that waits for an answer, or None once the run has ended."""

    def __init__(self, script: dict[str, Line] | None = None, retriever: Any = None, **context: Any) -> None:
        self.model, self.shelf = Scripted(script), retriever or Shelf()
        self.context = {"opinions": True, **context}  # so that the navigator reviews what no check finds fault with
        graph = create_review(navigator=self.model, retriever=self.shelf)
        self.graph: Any = graph.compile(checkpointer=InMemorySaver())
        self._run({"problem": PROBLEM})

    def answer(self, decision: Any) -> Session:
        """Resumes the run."""
        self._run(Command(resume=decision))
        return self

    def edit(self, steps: list[JSON]) -> Session:
        """Resumes it with an edited trajectory."""
        return self.answer({"action": "edit", "steps": steps})

    @property
    def steps(self) -> list[JSON]:
        """The trajectory that is shown."""
        return json.loads(json.dumps(self.asked["steps"]))  # type: ignore[index,no-any-return]

    @property
    def solution(self) -> Solution:
        """What the run ended in."""
        assert self.asked is None
        return Solution.model_validate(self.state["solution"])

    def _run(self, given: Any) -> None:
        self.state = self.graph.invoke(given, CONFIG, context=self.context)
        waiting = self.state.get("__interrupt__", ())
        self.schema = waiting[0].response_schema if waiting else None
        self.asked: JSON | None = waiting[0].value if waiting else None


def test_it_asks_once_after_planning_and_goes_on() -> None:
    session = Session()
    question = Question.model_validate(session.asked)
    assert (question.question, question.actions, question.problem) == ("plan", ("approve", "edit", "stop"), PROBLEM)
    assert question.attempt == "attempt 0"
    assert [step.purpose for step in question.steps] == ["Look at it", "Work on it", "End it"]
    assert question.templates
    assert {id for step in question.steps for id in step.templates or ()} == question.templates.keys()
    assert all(text.startswith("Template: ") for text in question.templates.values())
    assert json.loads(json.dumps(session.asked)) == session.asked
    assert session.model.nodes == ["plan"]
    solution = session.answer({"action": "approve"}).solution
    assert (solution.status, solution.answer, solution.strategy) == ("answered", "7", "review")
    assert session.model.nodes == ["plan", "solve_step", "review"]


def test_the_refined_trajectory_is_the_one_that_is_shown() -> None:
    session = Session(refine=True)
    assert [step["purpose"] for step in session.steps] == ["Look better", "Work better", "End better"]


def test_the_schema_of_the_answer_comes_with_the_question() -> None:
    schema = Session().schema
    assert schema is not None
    assert schema["properties"]["action"]["enum"] == ["approve", "edit", "stop"]  # what is possible there
    assert {"purpose", "query", "templates", "work"} == schema["$defs"]["DraftStep"]["properties"].keys()


@pytest.mark.parametrize("answer", ["approve", " approve\n", '{"action": "approve"}'])
def test_words_and_json_text_are_answers_too(answer: str) -> None:
    assert Session().answer(answer).solution.answer == "7"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"action": "aprove"}, "action: Input should be 'approve', 'edit'"),
        ({"action": "redo", "feedback": "no"}, "'redo' is no answer to this question. Possible here: approve, edit, stop."),
        ({"action": "edit"}, "1 to 6 `steps`"),
        ({"action": "edit", "steps": [{"purpose": "a"}] * 7}, "given: 7"),
        ({"action": "edit", "steps": [{"query": "no purpose"}]}, "steps.0.purpose: Field required"),
        ({"action": "edit", "steps": [{"purpose": "a", "tempaltes": []}]}, "steps.0.tempaltes: Extra inputs"),
        ({"action": "edit", "steps": [{"purpose": "a", "templates": ["nowhere"]}]}, "no template 'nowhere'"),
        ('{"action": ', "begins like JSON"),
        ("", "action"),
        (7, "answer"),
        ([], "answer"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_again(answer: Any, says: str) -> None:
    session = Session().answer(answer)
    assert session.asked is not None
    assert says in session.asked["error"]
    assert session.answer({"action": "approve"}).solution.answer == "7"
    assert session.model.nodes == ["plan", "solve_step", "review"]  # asking again costs no call


def test_wrong_template_ids_are_answered_with_close_ones() -> None:
    library = TemplateLibrary.builtin()
    some = library.templates[0].id
    session = Session(retriever=TemplateRetriever.from_library(library, embeddings="hash"))
    session.edit([{"purpose": "a", "templates": [some[:-1]]}])
    assert session.asked is not None
    assert f"Close: {some}" in session.asked["error"]


def test_purposes_order_number_and_queries_are_edited() -> None:
    session = Session(granularity="step")
    searches = len(session.shelf.queries)
    assert session.asked is not None
    shown = session.asked["templates"].values()
    _, second, third = ({**step, "templates": []} for step in session.steps)
    second |= {"purpose": "Add them up"}
    new = {"purpose": "Look elsewhere", "query": "gamma"}
    solution = session.edit([third, new, second]).solution
    assert [step.purpose for step in solution.plan.steps] == ["End it", "Look elsewhere", "Add them up"]
    assert solution.plan.steps[1].templates == ("shelf/gamma",)
    assert session.shelf.queries[searches:] == ["Look elsewhere\ngamma"]  # only what names no templates is looked up
    prompt = session.model.prompts("solve_step")[0]
    assert "1. End it\n2. Look elsewhere\n3. Add them up" in prompt
    assert "Template: gamma" in prompt
    assert not any(text in prompt for text in shown)  # they are of no step any more


def test_a_template_is_swapped() -> None:
    library = TemplateLibrary.builtin()
    session = Session(retriever=TemplateRetriever.from_library(library, embeddings="hash"), effort="low")
    chosen = next(t for t in library if t.example and t.example.steps and t.example.answer)
    steps = session.steps
    for step in steps:
        step["templates"] = []
    steps[1]["templates"] = [chosen.id]
    solution = session.edit(steps).solution
    assert solution.templates == (chosen.id,)
    (prompt,) = session.model.prompts("solve_step")
    assert f"Method: {chosen.name}." in prompt
    assert "Plan:\n1. Look at it" in prompt.split("Problem:\n")[-1]  # a person's trajectory is shown beside the template


def test_a_step_that_the_person_answers_is_not_carried_out() -> None:
    session = Session(effort="low")
    steps = session.steps
    steps[0]["work"] = "I looked: it is a sum."
    solution = session.edit(steps).solution
    assert [r.text for r in solution.results] == ["I looked: it is a sum.", *["So it is \\boxed{7}."] * 2]
    prompts = session.model.prompts("solve_step")
    assert len(prompts) == 2
    assert all("Work on step 1:\nI looked: it is a sum." in prompt for prompt in prompts)
    assert (solution.status, solution.answer) == ("answered", "7")


def test_a_person_who_answers_everything_needs_no_solver() -> None:
    session = Session()
    steps = session.steps
    steps[-1]["work"] = "It is \\boxed{8}."
    solution = session.edit(steps).solution
    assert (solution.status, solution.answer) == ("answered", "8")
    assert session.model.nodes == ["plan"]


@pytest.mark.parametrize("granularity", ["whole", "step"])
def test_a_stop_ends_the_run_without_another_call(granularity: str) -> None:
    session = Session(granularity=granularity)
    solution = session.answer({"action": "stop"}).solution
    assert (solution.status, solution.answer, solution.reason) == ("exhausted", None, "a person stopped the run")
    assert session.model.nodes == ["plan"]


def test_a_stop_at_a_review_keeps_what_there_is() -> None:
    session = Session({"solve_step": "Not done yet."}, granularity="step", ask_at_reviews=True).answer("approve")
    solution = session.answer("stop").solution
    assert (solution.status, [r.text for r in solution.results]) == ("exhausted", ["Not done yet."])
    assert session.model.nodes == ["plan", "solve_step", "review"]


def test_reviews_ask_nobody_unless_told_to() -> None:
    session = Session({"review": ["REDO: 3 + 4 is 7.", "ACCEPT"]}, effort="medium").answer("approve")
    assert [r.verdict for r in session.solution.reviews] == ["redo", "accept"]


# At a review


def reviewed(script: dict[str, Line] | None = None, **context: Any) -> Session:
    """A run that stands at its first review."""
    session = Session(script, ask_at_reviews=True, **context).answer("approve")
    assert session.asked is not None
    assert session.asked["question"] == "review"
    return session


def test_a_review_shows_the_work_and_the_proposed_verdict() -> None:
    session = reviewed({"review": "REDO: add again."}, granularity="step")
    asked = Question.model_validate(session.asked)
    assert asked.review is not None
    assert (asked.review.verdict, asked.review.feedback) == ("redo", "add again.")
    assert [step.work for step in asked.steps] == ["So it is \\boxed{7}.", "", ""]


def test_approving_a_review_does_what_it_says() -> None:
    session = reviewed({"review": ["REDO: add again.", "ACCEPT"]}).answer("approve")
    assert session.asked is not None
    assert "An earlier try was rejected: add again." in session.model.prompts("solve_step")[1]
    assert session.answer("approve").solution.answer == "7"


@pytest.mark.parametrize("verdict", ["REDO: no.", "REPLACE\n1. Another | find: gamma"])
def test_accepting_overrules_a_review(verdict: str) -> None:
    session = reviewed({"review": verdict})
    solution = session.answer("accept").solution
    assert session.model.nodes == ["plan", "solve_step", "review"]
    assert [r.verdict for r in solution.reviews] == ["accept"]
    assert len(solution.plan.steps) == 3


def test_finishing_leaves_the_other_steps_undone() -> None:
    session = reviewed(granularity="step")
    assert session.answer("finish").solution.answer == "7"
    assert session.model.nodes == ["plan", "solve_step", "review"]


def test_a_redo_gives_the_persons_words_to_the_solver() -> None:
    session = reviewed().answer({"action": "redo", "feedback": "You forgot the four."})
    assert "You forgot the four." in session.model.prompts("solve_step")[1]
    assert session.asked is not None


def test_a_redo_without_words_is_asked_for_again() -> None:
    session = reviewed().answer("redo")
    assert session.asked is not None
    assert "A redo says in `feedback` what is wrong" in session.asked["error"]


def test_a_new_remainder_is_planned_and_asked_about() -> None:
    session = reviewed({"review": "REPLACE\n1. Another | find: gamma"}, granularity="step").answer("approve")
    assert session.asked is not None
    assert session.asked["question"] == "plan"
    assert [step["purpose"] for step in session.steps] == ["Another"]
    assert "shelf/gamma" in session.asked["templates"]


@pytest.mark.parametrize("granularity", ["whole", "step"])
def test_the_person_answers_the_step_that_was_reviewed(granularity: str) -> None:
    session = reviewed(granularity=granularity)
    steps = session.steps
    steps[-1]["work"] = "No: it is \\boxed{8}."
    solution = session.edit(steps).solution
    assert solution.answer == "8"  # the person's word, and not one vote among two
    assert session.model.nodes == ["plan", "solve_step", "review"]
    assert [r.feedback for r in solution.reviews] == ["a person edited the trajectory."]


def test_a_step_whose_work_is_cleared_is_carried_out_again() -> None:
    session = reviewed()
    steps = session.steps
    steps[-1]["work"] = ""
    steps[0]["purpose"] = "Look closer"
    session.edit(steps)
    prompts = session.model.prompts("solve_step")
    assert len(prompts) == 2
    assert "1. Look closer" in prompts[1]


def test_later_steps_are_edited_and_the_work_is_kept() -> None:
    session = reviewed(granularity="step", reviews=1)
    steps = session.steps
    session.edit([steps[0], {"purpose": "Just end it"}])
    solution = session.answer("approve").solution
    assert [step.purpose for step in solution.plan.steps] == ["Look at it", "Just end it"]
    assert [r.index for r in solution.results] == [0, 1]
    assert session.model.nodes == ["plan"] + ["solve_step", "review"] * 2


def test_a_limit_that_is_hit_asks_nobody() -> None:
    session = Session(token_budget=260, ask_at_reviews=True)  # the plan takes most of it, and the solution the rest
    solution = session.answer("approve").solution
    assert (solution.status, solution.answer) == ("exhausted", "7")
    assert session.model.nodes == ["plan", "solve_step"]


# Threads, attempts at once, streams


async def test_it_asks_on_the_event_loop_too() -> None:
    graph: Any = create_review(navigator=Scripted(), retriever=Shelf()).compile(checkpointer=InMemorySaver())
    state = await graph.ainvoke({"problem": PROBLEM}, CONFIG)
    assert state["__interrupt__"][0].value["question"] == "plan"
    state = await graph.ainvoke(Command(resume="nonsense"), CONFIG)
    assert "Input should be" in state["__interrupt__"][0].value["error"]
    state = await graph.ainvoke(Command(resume="approve"), CONFIG)
    assert state["solution"]["answer"] == "7"


def test_attempts_that_run_at_once_ask_at_once() -> None:
    model = Scripted({"solve_step": lambda _, count: f"It is \\boxed{{{7 + count}}}."})
    context = Context(trajectories=2, reviews=0)
    graph: Any = create_review(navigator=model, retriever=Shelf(), context=context).compile(checkpointer=InMemorySaver())
    state = graph.invoke({"problem": PROBLEM}, CONFIG)
    first, second = state["__interrupt__"]
    assert {first.value["attempt"], second.value["attempt"]} == {"attempt 0", "attempt 1"}
    state = graph.invoke(Command(resume={first.id: "approve"}), CONFIG)
    assert [i.id for i in state["__interrupt__"]] == [second.id]
    state = graph.invoke(Command(resume={second.id: "approve"}), CONFIG)
    assert len(state["solution"]["candidates"]) == 2
    assert model.nodes.count("plan") == 2


def test_a_run_is_forked_from_an_earlier_question() -> None:
    session = Session(granularity="step")
    (waiting,) = [s for s in session.graph.get_state_history(CONFIG) if s.interrupts]
    # the question stands in the attempt's own graph: its checkpoint is the one to go back to
    earlier = session.graph.get_state(waiting.config, subgraphs=True).tasks[0].state.config
    assert session.answer("approve").solution.answer == "7"
    state = session.graph.invoke(Command(resume="stop"), earlier, context=session.context)
    assert state["solution"]["status"] == "exhausted"
    assert session.model.nodes.count("plan") == 1


def test_decisions_are_events() -> None:
    session = Session()
    parts = session.graph.stream(
        Command(resume={"action": "edit", "steps": [{"purpose": "Add", "query": "gamma"}]}),
        CONFIG,
        context=session.context,
        stream_mode="custom",
        subgraphs=True,
    )
    events = [event for _, event in parts]
    assert [event["type"] for event in events if event["type"] != "call"] == [
        "decision", "templates", "step", "candidate", "review", "solution"
    ]  # fmt: skip
    assert events[0]["decision"]["action"] == "edit"
    assert events[1]["templates"] == ["shelf/gamma"]


def test_the_graph_is_drawn_with_its_questions() -> None:
    drawn = create_review(navigator=Scripted(), retriever=Shelf()).compile().get_graph(xray=True)
    edges = {(e.source.removeprefix("attempt:"), e.target.removeprefix("attempt:")) for e in drawn.edges}
    assert {("retrieve", "approve"), ("refine", "approve"), ("approve", "solve_step"), ("review", "judge")} <= edges
    assert ("review", "answer") not in edges


def test_what_a_person_sees_and_says_is_typed() -> None:
    schema = TypeAdapter(Question).json_schema()
    assert set(schema["properties"]) >= {"question", "actions", "problem", "steps", "templates", "review", "error"}


@pytest.mark.parametrize(("question", "asking"), [("plan", False), ("review", True)])
def test_the_schema_offers_what_is_possible_at_the_question(question: str, asking: bool) -> None:
    context = Context(max_steps=4, ask_at_reviews=asking)  # the default effort
    graph = create_review(navigator=Scripted(), retriever=Shelf(), context=context).compile(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "schema"}}
    state = graph.invoke({"problem": "What is 3 + 4?"}, config)
    if question == "review":
        state = graph.invoke(Command(resume={"action": "approve"}), config)
    (asked,) = state["__interrupt__"]
    assert asked.value["question"] == question
    fields = asked.response_schema["properties"]
    assert fields["action"]["enum"] == asked.value["actions"] == list(ACTIONS[question])
    assert all(action in fields["action"]["description"] for action in asked.value["actions"])
    assert ("redo" in fields["action"]["description"], "feedback" in fields) == (asking, asking)
    assert fields["steps"]["maxItems"] == 4
