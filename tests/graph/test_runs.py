"""Whole runs with models that behave: every way to solve, its calls, its events, its ways in and out."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, get_args

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from typing_extensions import TypedDict

from reasonflux_agent import Context, ReasonFlux, TemplateRetriever, create_reasonflux
from reasonflux_agent.context import EFFORTS, Effort, Granularity
from reasonflux_agent.errors import InputError, SpecError
from reasonflux_agent.graph import STEPS_OF_ATTEMPT
from reasonflux_agent.schema import Solution
from reasonflux_agent.testing import FakeModel
from tests.graph.fakes import Scripted, Shelf

PROBLEM = "What is 3 + 4?"
STRATEGIES = ["navigator", "original", "direct", "propose"]


def solve(model: Scripted, **given: Any) -> Solution:
    strategy = given.pop("strategy", "navigator")
    retriever = given.pop("retriever", None) or Shelf()
    return ReasonFlux(model, strategy=strategy, retriever=retriever, **given).solve(PROBLEM)


@pytest.mark.parametrize("granularity", get_args(Granularity))
@pytest.mark.parametrize("effort", get_args(Effort))
@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_every_way_ends_in_the_same_solution_sync_and_async(strategy: str, effort: str, granularity: str) -> None:
    flux = ReasonFlux(Scripted(), strategy=strategy, retriever=Shelf(), effort=effort, granularity=granularity)
    solution, other = flux.solve(PROBLEM), await flux.asolve(PROBLEM)
    assert (solution.status, solution.answer, solution.votes) == ("answered", "7", 1.0)
    assert (solution.strategy, solution.problem) == (strategy, PROBLEM)
    first, second = ({**s.model_dump(), "usage": {n: u.calls for n, u in s.usage.items()}} for s in (solution, other))
    assert first == second


CALLS = [
    ("navigator", "low", "whole", ["plan", "solve_step"]),
    ("navigator", "low", "step", ["plan", "solve_step", "solve_step", "solve_step"]),
    ("navigator", "medium", "whole", ["draft"] * 2 + ["plan", "solve_step"]),
    ("navigator", "medium", "step", ["draft"] * 2 + ["plan"] + ["solve_step", "review"] * 3),
    ("navigator", "auto", "whole", ["draft", "draft"]),
    ("original", "low", "whole", ["analyse", "lay_out", "adjust"] + ["instruct", "follow"] * 3),
    ("original", "medium", "step", ["analyse", "lay_out", "adjust"] + ["instruct", "follow"] * 3),
    ("direct", "medium", "whole", ["reason"]),
    ("direct", "auto", "whole", ["reason"] * 2),
    ("propose", "medium", "whole", ["abstract", "reason"]),
    ("propose", "low", "whole", ["abstract", "reason"]),
]


@pytest.mark.parametrize(("strategy", "effort", "granularity", "nodes"), CALLS)
def test_the_calls_of_a_run_are_these(strategy: str, effort: str, granularity: str, nodes: list[str]) -> None:
    model = Scripted()
    solution = solve(model, strategy=strategy, effort=effort, granularity=granularity)
    # drafts are made beside the plan
    assert sorted(model.nodes) == sorted(nodes)
    assert [n for n in model.nodes if n != "draft"] == [n for n in nodes if n != "draft"]
    assert {node: usage.calls for node, usage in solution.usage.items()} == {n: nodes.count(n) for n in nodes}
    prompts = sum(len(prompt.split()) for _, prompt in model.asked)
    assert solution.total.prompt_tokens == prompts
    assert solution.total.calls == len(nodes)


def test_high_effort_takes_drafts_and_two_attempts_that_agree() -> None:
    model = Scripted()
    solution = solve(model, effort="high")
    assert sorted(model.nodes) == sorted(["draft"] * 2 + ["plan", "refine", "solve_step", "review"] * 2)
    assert [c.source for c in solution.candidates].count("navigator") == 2
    assert {c.source for c in solution.candidates} == {"draft", "program", "navigator"}


def events(flux: ReasonFlux, *types: str) -> list[dict[str, Any]]:
    return [e for e in flux.stream(PROBLEM) if not types or e.type in types]


def types(flux: ReasonFlux) -> list[str]:
    return [e.type for e in flux.stream(PROBLEM) if e.type not in ("token", "call")]


def test_the_events_come_in_the_order_of_the_diagram() -> None:
    flux = ReasonFlux(Scripted(), retriever=Shelf(), direct_samples=0, refine=True)
    assert types(flux) == ["begin", "plan", "templates", "refined", "step", "candidate", "review", "solution"]


def test_the_events_of_a_stepwise_run() -> None:
    flux = ReasonFlux(Scripted(), retriever=Shelf(), direct_samples=0, granularity="step", refine=True)
    assert types(flux) == ["begin", "plan", "templates", "refined", *["step", "review"] * 3, "candidate", "solution"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("direct", ["begin", "candidate", "solution"]),
        ("program", ["begin", "program", "candidate", "solution"]),
        ("propose", ["begin", "plan", "candidate", "solution"]),
        ("original", ["begin", "plan", "templates", "refined", "step", "step", "step", "candidate", "solution"]),
    ],
)
def test_the_events_of_the_other_strategies(strategy: str, expected: list[str]) -> None:
    assert types(ReasonFlux(Scripted(), strategy=strategy, retriever=Shelf())) == expected


async def test_events_name_their_run_and_carry_the_tokens_and_the_solution() -> None:
    flux = ReasonFlux(FakeModel(), retriever=Shelf(), direct_samples=0)
    seen = [event async for event in flux.astream(PROBLEM)]
    assert {event.run for event in seen} == {seen[0].run}
    solution = seen[-1].solution
    assert solution.answer == "7"
    assert seen[0].problem == PROBLEM
    tokens = [e for e in seen if e.type == "token"]
    assert {e.role for e in tokens} == {"navigator", "solver"}
    assert "".join(e.text for e in tokens if e.node == "solve_step") == solution.text
    assert [e.type for e in seen if e.type not in ("token", "call")] == types(flux)


def test_templates_reach_the_plan_and_the_prompts() -> None:
    model, shelf = Scripted(), Shelf(words=("beta", "4?", "alpha"))
    solution = solve(model, effort="low", templates=2, retriever=shelf)
    # one query of the kind, the problem and the steps; then each step's own, which says where a template is noted
    assert shelf.queries[0] == f"a test\n{PROBLEM}\nLook at it\nalpha\nWork on it\nbeta\nEnd it"
    assert shelf.queries[1:] == ["Look at it\nalpha", "Work on it\nbeta", "End it\n"]
    assert [step.templates for step in solution.plan.steps] == [("shelf/4?",), ("shelf/beta",), ()]
    assert "Template: beta" in model.prompts("solve_step")[0]
    assert "Template: alpha" not in model.prompts("solve_step")[0]


@pytest.mark.parametrize(("leads", "used"), [((2.0, 0.1), 1), ((0.2, 1.0), 2), ((0.9, 0.9), 0), ((None, None), 2)])
def test_a_template_that_does_not_stand_out_is_not_used(leads: tuple[float | None, ...], used: int) -> None:
    class Ranked(Shelf):
        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            shown = [{} if lead is None else {"lead": lead} for lead in leads]
            return [Document(id=f"shelf/{n}", page_content=f"Template: {n}", metadata=m) for n, m in enumerate(shown)]

    solution = solve(Scripted(), effort="low", templates=2, retriever=Ranked())
    assert len(solution.templates) == used


def test_after_a_failure_without_templates_some_are_tried() -> None:
    class Doubtful(Shelf):
        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return [Document(id="shelf/x", page_content="Template: x", metadata={"lead": 0.5})]

    model = Scripted({"solve_step": ["1 + 1 = 3, so \\boxed{8}.", "So it is \\boxed{7}."]})
    solution = solve(model, effort="medium", retriever=Doubtful())
    assert [review.verdict for review in solution.reviews] == ["replace", "accept"]
    assert ["Template: x" in prompt for prompt in model.prompts("solve_step")] == [False, True]


def test_no_templates_means_no_search_and_no_refinement() -> None:
    model, shelf = Scripted(), Shelf()
    solution = solve(model, templates=0, refine=True, retriever=shelf)
    assert shelf.queries == []
    assert "refine" not in model.nodes
    assert solution.status == "answered"


def test_the_original_without_templates_searches_nothing_and_speaks_of_no_method() -> None:
    model, shelf = Scripted(), Shelf()
    solution = solve(model, strategy="original", templates=0, retriever=shelf)
    assert shelf.queries == []
    assert solution.templates == ()
    (prompt,) = model.prompts("adjust")
    assert prompt.endswith("Task: make the plan more precise. Reply with 2 to 4 numbered steps, one line each.")
    solve(model, strategy="original", retriever=shelf)
    assert len(shelf.queries) == 1
    assert "Task: adjust the plan to the method above. Reply" in model.prompts("adjust")[1]


def test_the_built_in_library_with_the_hash_embedder() -> None:
    retriever = TemplateRetriever.from_library("builtin", embeddings="hash")
    model = Scripted({"plan": "1. Solve the recurrence | find: first order linear recurrence"})
    solution = solve(model, effort="low", retriever=retriever)
    assert solution.templates
    assert all(id in retriever.library for id in solution.templates)
    assert retriever.library.get(solution.templates[0]).name in model.prompts("solve_step")[0]


@pytest.mark.parametrize("refine", [False, True])
def test_templates_shown_as_turns_take_the_place_of_a_plan_that_did_not_know_them(refine: bool) -> None:
    retriever = TemplateRetriever.from_library("builtin", embeddings="hash")
    plan = "1. Solve the recurrence | find: first order linear recurrence"
    model = Scripted({"plan": plan, "refine": "1. Use the closed form"})
    solution = solve(model, effort="low", refine=refine, retriever=retriever)
    (prompt,) = model.prompts("solve_step")
    *turns, last = prompt.split("Problem:\n")[1:]
    (template,) = map(retriever.library.get, solution.templates)
    assert template.example is not None
    assert len(turns) == 1
    assert turns[0].startswith(template.example.problem)
    assert template.example.steps[-1] in turns[0]
    assert last.startswith(PROBLEM)
    assert not any(text in last for text in (template.name, *template.flow, *template.example.steps))
    assert ("1. Use the closed form" in last) == refine
    assert ("Plan:" in last) == refine


def test_prompts_of_one_run_share_their_beginning() -> None:
    for granularity in get_args(Granularity):
        model = Scripted({"refine": "1. Other | find: alpha\n2. Plan"})
        solve(model, direct_samples=0, granularity=granularity, refine=True, llm_review=True)
        prompts = [prompt for _, prompt in model.asked]
        # once the plan stands, each prompt begins with all that the one before it had in common with its own past
        shared = [re.split("Task:|Please reason", p)[0].strip() for p in prompts[2:]]
        assert len(shared) >= 2
        assert all(after.startswith(before) for before, after in pairwise(shared))
        assert all(p.startswith(f"Problem:\n{PROBLEM}") for p in prompts[1:])


def test_two_models_take_their_roles() -> None:
    navigator, solver = Scripted(), Scripted()
    ReasonFlux(navigator, solver, retriever=Shelf(), direct_samples=0, refine=True, llm_review=True).solve(PROBLEM)
    assert navigator.nodes == ["plan", "refine", "review"]
    assert solver.nodes == ["solve_step"]


def test_one_model_alone_serves_both_roles() -> None:
    model = Scripted()
    ReasonFlux(solver=model, retriever=Shelf(), direct_samples=0, refine=True, llm_review=True).solve(PROBLEM)
    assert model.nodes == ["plan", "refine", "solve_step", "review"]


# Context


def graph(model: Scripted, **given: Any) -> Any:
    return create_reasonflux(navigator=model, retriever=Shelf(), **given).compile()


@pytest.mark.parametrize("context", [{"effort": "low"}, Context(effort="low")])
def test_a_context_is_given_as_a_dict_or_as_a_context(context: Any) -> None:
    model = Scripted()
    graph(model).invoke({"problem": PROBLEM}, context=context)
    assert model.nodes == ["plan", "solve_step"]


def test_without_one_the_graph_has_its_own_context() -> None:
    model = Scripted()
    graph(model, context=Context(effort="low")).invoke({"problem": PROBLEM})
    assert model.nodes == ["plan", "solve_step"]


def test_a_call_overrides_fields_for_itself() -> None:
    model = Scripted()
    flux = ReasonFlux(model, retriever=Shelf(), effort="low", granularity="step")
    flux.solve(PROBLEM, granularity="whole")
    assert model.nodes == ["plan", "solve_step"]
    flux.solve(PROBLEM)
    assert model.nodes[2:] == ["plan", "solve_step", "solve_step", "solve_step"]


def test_an_effort_is_overridden_field_by_field() -> None:
    model = Scripted()
    solve(model, effort="low", reviews=1, refine=True, llm_review=True)
    assert model.nodes == ["plan", "refine", "solve_step", "review"]
    assert Context(effort="low", direct_samples=1).setting == EFFORTS["low"]._replace(direct_samples=1)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("effort", "huge", "effort = 'huge'"),
        ("max_steps", 0, "max_steps = 0"),
        ("deadline", -1, "deadline = -1"),
        ("token_budget", 0, "token_budget = 0"),
        ("temprature", 1.0, "no field 'temprature'; the fields are ask_at_reviews"),
    ],
)
def test_an_impossible_context_is_refused_before_any_call(field: str, value: Any, says: str) -> None:
    model = FakeModel()
    with pytest.raises(InputError, match=says):
        ReasonFlux(model, **{field: value})
    with pytest.raises(InputError, match=says):
        ReasonFlux(model).solve(PROBLEM, **{field: value})
    with pytest.raises(ValueError, match=field):  # here LangGraph reads the dict: pydantic's error, with the same facts
        create_reasonflux(navigator=model).compile().invoke({"problem": PROBLEM}, context={field: value})
    assert model.calls == []


def test_the_context_of_a_host_graph_is_not_ours() -> None:
    class Host(TypedDict):
        user: str

    model = Scripted()
    outer = StateGraph(MessagesState, context_schema=Host)
    outer.add_node("solve", graph(model, context=Context(effort="low")))
    outer.add_edge(START, "solve")
    state = outer.compile().invoke({"messages": [HumanMessage(PROBLEM)]}, context={"user": "ada"})
    assert state["messages"][-1].text == "So it is \\boxed{7}."
    assert model.nodes == ["plan", "solve_step"]


# Bad input


@pytest.mark.parametrize("problem", ["", "  \n", None, 7, "x" * 30_000])
def test_a_problem_that_cannot_be_solved_is_refused_before_any_call(problem: Any) -> None:
    model = FakeModel()
    with pytest.raises(InputError, match="problem"):
        ReasonFlux(model, retriever=Shelf()).solve(problem)
    with pytest.raises(InputError, match="problem"):
        create_reasonflux(navigator=model, retriever=Shelf()).compile().invoke({"problem": problem})
    assert model.calls == []


@pytest.mark.parametrize("messages", [[], [AIMessage("hello")], [HumanMessage("")]])
def test_messages_without_a_problem_are_refused(messages: Any) -> None:
    model = FakeModel()
    with pytest.raises(InputError, match="no problem to solve"):
        create_reasonflux(navigator=model, retriever=Shelf()).compile().invoke({"messages": messages})
    assert model.calls == []


def test_an_unknown_strategy_names_the_known_ones() -> None:
    with pytest.raises(SpecError, match=r"'navigatr'.*direct, navigator, original, program, propose, recall"):
        create_reasonflux(strategy="navigatr", navigator=FakeModel())


def test_an_unknown_model_is_refused_before_any_call() -> None:
    model = FakeModel()
    with pytest.raises(SpecError, match="local:NAME"):
        ReasonFlux(model, "nonsense", retriever=Shelf()).solve(PROBLEM)
    assert model.calls == []


# Messages, subgraphs, threads


def test_messages_in_messages_out() -> None:
    state = graph(Scripted()).invoke({"messages": [HumanMessage("hi"), AIMessage("hello"), HumanMessage(PROBLEM)]})
    assert [m.type for m in state["messages"]] == ["human", "ai", "human", "ai"]
    assert state["messages"][-1].text == "So it is \\boxed{7}."
    assert Solution.model_validate(state["solution"]).problem == PROBLEM


def test_a_subgraph_of_a_chat_graph() -> None:
    model = Scripted()
    chat = StateGraph(MessagesState)
    chat.add_node("solve", graph(model))
    chat.add_node("thank", lambda state: {"messages": [AIMessage("Thanks.")]})
    chat.add_edge(START, "solve")
    chat.add_edge("solve", "thank")
    chat.add_edge("thank", END)
    state = chat.compile().invoke({"messages": [HumanMessage(PROBLEM)]})
    assert [m.text for m in state["messages"]] == [PROBLEM, "So it is \\boxed{7}.", "Thanks."]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_node_of_a_graph_with_another_state(asynchronous: bool) -> None:
    class Sheet(TypedDict, total=False):
        question: str
        result: str

    inner = graph(Scripted())

    def ask(state: Sheet) -> Sheet:
        return {"result": inner.invoke({"problem": state["question"]})["solution"]["answer"]}

    async def aask(state: Sheet) -> Sheet:
        return {"result": (await inner.ainvoke({"problem": state["question"]}))["solution"]["answer"]}

    outer = StateGraph(Sheet)
    outer.add_node("ask", aask if asynchronous else ask)
    outer.add_edge(START, "ask")
    compiled = outer.compile()
    given: Sheet = {"question": PROBLEM}
    state = await compiled.ainvoke(given) if asynchronous else compiled.invoke(given)
    assert state == {"question": PROBLEM, "result": "7"}


def test_the_next_problem_of_a_thread_starts_afresh() -> None:
    model = FakeModel()
    flux = ReasonFlux(model, retriever=Shelf(), checkpointer=InMemorySaver(), effort="high")
    config: Any = {"configurable": {"thread_id": "one"}}
    first = flux.solve("What is 1 + 2?", config=config)
    second = flux.solve("What is 10 + 20?", config=config)
    assert (first.answer, second.answer) == ("3", "30")
    assert len(second.candidates) == len(first.candidates)
    assert second.total.calls == first.total.calls
    assert second.usage.keys() == first.usage.keys()
    assert not any("1 + 2" in call for call in model.calls[first.total.calls :])


def test_a_conversation_solves_its_newest_problem() -> None:
    compiled = create_reasonflux(navigator=FakeModel(), retriever=Shelf()).compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "chat"}}
    for problem, answer in [("What is 1 + 2?", "3"), ("What is 5 + 6?", "11")]:
        state = compiled.invoke({"messages": [HumanMessage(problem)]}, config)
        assert state["solution"]["answer"] == answer
    assert [m.type for m in state["messages"]] == ["human", "ai", "human", "ai"]


def test_batch_gives_an_exception_in_its_place() -> None:
    flux = ReasonFlux(FakeModel(), retriever=Shelf(), effort="low")
    one, two, three, four = flux.batch(["What is 1 + 2?", "", "x" * 30_000, "What is 3 + 4?"])
    assert isinstance(one, Solution)
    assert one.answer == "3"
    assert isinstance(two, InputError)
    assert isinstance(three, InputError)
    assert isinstance(four, Solution)
    assert four.answer == "7"


def test_reason_is_the_originals_name_for_solve() -> None:
    assert ReasonFlux(Scripted(), retriever=Shelf()).reason(PROBLEM).answer == "7"


def test_langgraphs_recursion_limit_is_above_the_contexts_limits() -> None:
    bounds = {name: field.metadata for name, field in Context.model_fields.items()}
    most = {name: next(m.le for m in bounds[name] if hasattr(m, "le")) for name in ("max_steps", "reviews")}
    per_step = 1 + most["reviews"] * 3  # a review may lead to retrieve and solve_step
    assert 4 + most["max_steps"] * per_step < STEPS_OF_ATTEMPT
