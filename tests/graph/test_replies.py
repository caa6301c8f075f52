"""What the navigator's reviews do to a run, and what bad replies do to it: never an exception, never a loop without end."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from reasonflux_agent import ReasonFlux
from reasonflux_agent.run import PARSE_TRIES
from reasonflux_agent.schema import Solution
from tests.graph.fakes import GOOD, Line, Sampled, Scripted, Shelf

PROBLEM = "What is 3 + 4?"


def run(script: dict[str, Line], **given: Any) -> tuple[Scripted, Solution]:
    model = Scripted(script)
    return model, ReasonFlux(model, **{"retriever": Shelf(), "direct_samples": 0, "llm_review": True, **given}).solve(PROBLEM)


# Reviews


@pytest.mark.parametrize("granularity", ["whole", "step"])
def test_a_redo_takes_the_feedback_to_the_solver_and_is_a_second_try(granularity: str) -> None:
    verdicts: Line = ["REDO: seven is odd", "ACCEPT"]
    model, solution = run({"review": verdicts}, granularity=granularity, reviews=2)
    first, second = model.prompts("solve_step")[:2]
    assert "seven is odd" in second
    assert "seven is odd" not in first
    assert second.startswith(first)
    assert solution.reviews[0].feedback == "seven is odd"
    assert solution.candidates[-1].results[0].attempt == 2
    assert len(solution.candidates) == (2 if granularity == "whole" else 1)
    assert solution.status == "answered"


def test_a_redo_adds_a_candidate_and_removes_none() -> None:
    solver: Line = ["So it is \\boxed{8}.", "So it is \\boxed{7}."]
    _, solution = run({"review": ["REDO: no", "ACCEPT"], "solve_step": solver})
    assert [c.answer for c in solution.candidates] == ["8", "7"]
    assert solution.votes == 0.5


def test_a_replacement_fetches_templates_for_the_new_remainder_only() -> None:
    shelf = Shelf(words=("alpha", "beta", "gamma", "delta"))
    replies: Line = ["ACCEPT", "REPLACE: a dead end\n1. Try this | find: gamma\n2. Then that | find: delta", "ACCEPT"]
    script: dict[str, Line] = {"review": replies}
    model, solution = run(script, granularity="step", templates=5, refine=False, retriever=shelf)
    first, again = (query for query in shelf.queries if PROBLEM in query)
    assert first == f"a test\n{PROBLEM}\nLook at it\nalpha\nWork on it\nbeta\nEnd it"
    assert again == f"a test\n{PROBLEM}\nTry this\ngamma\nThen that\ndelta"
    assert [s.purpose for s in solution.plan.steps] == ["Look at it", "Try this", "Then that"]
    assert [r.index for r in solution.results] == [0, 1, 2]
    prompts = model.prompts("solve_step")
    assert len(prompts) == 4  # the first step, the second, the second again in its new form, the third
    assert "a dead end" in prompts[2]
    assert "Template: gamma" in prompts[2]
    assert "2. Try this" in prompts[2]
    assert "Work on it" not in prompts[2]
    assert solution.plan.steps[1].templates[-1] == "shelf/gamma"


def test_a_whole_replacement_changes_the_whole_plan() -> None:
    replies: Line = ["REPLACE: a dead end\n1. Try this | find: gamma", "ACCEPT"]
    model, solution = run({"review": replies}, refine=True, reviews=2)
    assert [[s.purpose for s in c.plan.steps] for c in solution.candidates if c.plan] == [
        ["Look better", "Work better", "End better"],
        ["Try this"],
    ]
    assert model.nodes == ["plan", "refine", "solve_step", "review", "solve_step", "review"]


def test_finishing_early_skips_the_remaining_steps() -> None:
    model, solution = run({"review": "FINISH"}, granularity="step", refine=True)
    assert model.nodes == ["plan", "refine", "solve_step", "review"]
    assert [r.index for r in solution.results] == [0]
    assert solution.answer == "7"


def test_steps_without_an_answer_are_asked_for_one() -> None:
    model, solution = run({"solve_step": "Then x follows."}, granularity="step", effort="low")
    assert model.nodes == ["plan", *["solve_step"] * 3, "answer"]
    assert solution.answer == "7"
    assert solution.text.count("Then x follows.") == 3


@pytest.mark.parametrize("reviews", [0, 1, 3])
@pytest.mark.parametrize("verdict", ["REDO: again", "REPLACE: anew\n1. One\n2. Two\n3. Three", "Nonsense.", "ACCEPT"])
@pytest.mark.parametrize("granularity", ["whole", "step"])
def test_reviews_are_bounded(granularity: str, verdict: str, reviews: int) -> None:
    model, solution = run({"review": verdict}, granularity=granularity, reviews=reviews)
    # a replacement brings three steps each time, up to max_steps
    steps = 1 if granularity == "whole" else 6 if reviews and verdict.startswith("REPLACE") else 3
    tries = PARSE_TRIES if verdict == "Nonsense." else 1
    assert model.nodes.count("review") <= steps * reviews * tries
    again = reviews if verdict.startswith("RE") else 0
    assert model.nodes.count("solve_step") == steps * (1 + again)
    assert solution.status == "answered"


@pytest.mark.parametrize("reviews", [1, 2, 4])
def test_replacements_of_any_length_are_reviews_of_the_same_trajectory(reviews: int) -> None:
    def replace(_: str, count: int) -> str:
        return "REPLACE: anew\n" + "\n".join(f"{n}. do {n}" for n in range(1, 2 + count))

    model, solution = run({"review": replace}, reviews=reviews)
    assert model.nodes.count("review") == reviews
    assert [c.results[0].attempt for c in solution.candidates] == list(range(1, reviews + 2))


def test_a_replacement_without_a_remark_rejects_nothing() -> None:
    model, solution = run({"review": ["REPLACE\n1. Try this\n2. Then that", "ACCEPT"]}, reviews=2)
    replaced = solution.candidates[-1].plan
    assert replaced is not None
    assert [step.purpose for step in replaced.steps] == ["Try this", "Then that"]
    assert "1. Try this" in model.prompts("solve_step")[1]
    assert "rejected" not in model.prompts("solve_step")[1]


def test_a_whole_solution_is_reviewed_uncut_and_as_no_step() -> None:
    long = "At first. " + "Then more. " * 1000 + "So it is \\boxed{7}."
    model, _ = run({"solve_step": long})
    (prompt,) = model.prompts("review")
    assert f"\n\nSolution:\n{long}\n\nTask: you are the reviewer of the solution." in prompt
    model, _ = run({"solve_step": "So it is \\boxed{7}."}, granularity="step", reviews=1)
    assert "Work on step 1:\nSo it is" in model.prompts("review")[0]
    assert "you are the reviewer of the work on step 1." in model.prompts("review")[0]


def test_checks_come_before_the_navigators_opinion() -> None:
    solver: Line = ["I do not know.", "So it is \\boxed{7}."]
    model, solution = run({"solve_step": solver}, reviews=1)
    assert "review" not in model.nodes  # the check alone asked for the second try
    assert "This does not hold: There is a final answer." in model.prompts("solve_step")[1]
    assert solution.reviews[0].verdict == "redo"
    assert solution.answer == "7"


# Plans


@pytest.mark.parametrize("strategy", ["navigator", "original", "propose"])
def test_a_plan_of_five_hundred_steps_is_cut(strategy: str) -> None:
    long = "\n".join(f"{n}. do {n} | find: thing {n}" for n in range(1, 501))
    script: dict[str, Line] = dict.fromkeys(["plan", "refine", "lay_out", "adjust", "abstract"], long)
    shelf = Shelf()
    given: Any = {"granularity": "step", "max_steps": 4, "refine": True, "reviews": 1}
    _, solution = run(script, strategy=strategy, retriever=shelf, **given)
    assert len(solution.plan.steps) == 4
    assert len(shelf.queries) <= 5
    assert solution.total.calls <= 3 + 2 * 4 + 1
    assert solution.status == "answered"


def test_a_replacement_of_five_hundred_steps_is_cut() -> None:
    long = "REPLACE: more\n" + "\n".join(f"{n}. do {n}" for n in range(1, 501))
    _, solution = run({"review": ["ACCEPT", long, "ACCEPT"]}, granularity="step", max_steps=5, refine=True)
    assert [s.purpose for s in solution.plan.steps] == ["Look better", "do 1", "do 2", "do 3", "do 4"]


@pytest.mark.parametrize("plan", ["", "I cannot plan.", "Kind: only a kind", '{"steps": []}'])
@pytest.mark.parametrize("granularity", ["whole", "step"])
def test_without_a_plan_the_problem_is_solved_all_the_same(plan: str, granularity: str) -> None:
    model, solution = run({"plan": plan}, granularity=granularity, effort="low")
    assert model.nodes == ["plan", "plan", "solve_step"]
    assert (solution.status, solution.answer) == ("answered", "7")


def test_an_unreadable_reply_is_sent_back_once_with_what_was_wrong() -> None:
    model, solution = run({"plan": ["A poem instead.", GOOD["plan"]]}, effort="low")  # type: ignore[list-item]
    first, second = model.prompts("plan")
    assert second.startswith(first)
    assert "A poem instead." in second[len(first) :]
    assert "no numbered line" in second[len(first) :]
    assert len(solution.plan.steps) == 3


@pytest.mark.parametrize("granularity", ["whole", "step"])
@pytest.mark.parametrize("strategy", ["navigator", "propose"])
def test_a_solver_that_says_nothing_is_asked_once_more(strategy: str, granularity: str) -> None:
    node = "solve_step" if strategy == "navigator" else "reason"
    model = Sampled({node: [" \n", "So it is \\boxed{7}."]})
    given: Any = {"strategy": strategy, "retriever": Shelf(), "effort": "low", "granularity": granularity}
    solution = ReasonFlux(model, **given).solve(PROBLEM)
    first, second = model.prompts(node)[:2]
    assert first == second
    assert [temperature for name, temperature, _ in model.drawn if name == node][:2] == [0.0, 0.7]
    assert (solution.status, solution.answer) == ("answered", "7")
    silent, solution = run({node: ""}, strategy=strategy, effort="low")
    assert silent.nodes.count(node) == PARSE_TRIES
    assert solution.status == "unanswered"


# Bad replies of every kind, in every place


TRUNCATED = AIMessage("1. Look at it | find: alp", response_metadata={"finish_reason": "length"})
BAD: dict[str, Line] = {
    "empty": "",
    "blank": "\n \n",
    "garbage": "\x00\ufffd {[<|im_end|>]} \\boxed{ 💥",
    "truncated": TRUNCATED,
    "half a thought": "<think>Let me see",
    "half an answer": "So it is \\boxed{7",
    "half a program": "```python\nprint(7",
    "half a JSON": '{"steps": [{"purpose": "add',
    "a mere refusal": "I'm sorry, I can't help with that.",
    "long": "word " * 20_000,
    "its own prompt": lambda prompt, _: prompt[-3000:],
}
PLACES = [
    ("navigator", "plan", "whole"),
    ("navigator", "refine", "whole"),
    ("navigator", "solve_step", "whole"),
    ("navigator", "solve_step", "step"),
    ("navigator", "review", "step"),
    ("navigator", "answer", "step"),
    ("navigator", "draft", "whole"),
    ("original", "analyse", "whole"),
    ("original", "lay_out", "whole"),
    ("original", "adjust", "whole"),
    ("original", "instruct", "whole"),
    ("original", "follow", "whole"),
    ("direct", "reason", "whole"),
    ("propose", "abstract", "whole"),
    ("propose", "reason", "whole"),
]
ANSWERING = {"solve_step", "follow", "reason", "draft", "answer"}


@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_bad_replies_end_in_a_solution(place: tuple[str, str, str]) -> None:
    strategy, node, granularity = place
    for kind, reply in BAD.items():
        script: dict[str, Line] = {node: reply}
        if node == "answer":
            script["solve_step"] = "Then x follows."
        drafts = 2 if node == "draft" else 0
        given: Any = {"granularity": granularity, "direct_samples": drafts, "refine": True, "reviews": 1}
        model, solution = run(script, strategy=strategy, **given)
        assert node in model.nodes, kind
        # a plan of 3 steps at most, each solved, reviewed and redone; every reply that cannot be read is asked for twice
        assert len(model.nodes) <= PARSE_TRIES * (3 + 2 * 3 * 2 + drafts), kind
        if node in ANSWERING - {"draft"}:
            assert solution.status in ("answered", "unanswered"), kind
            assert (solution.answer is None) == (solution.status == "unanswered"), kind
        else:
            assert (solution.status, solution.answer) == ("answered", "7"), kind


@pytest.mark.parametrize("strategy", ["navigator", "original", "direct", "propose", "recall"])
@pytest.mark.parametrize("kind", ["empty", "garbage", "truncated", "a mere refusal"])
async def test_a_model_that_never_makes_sense_ends_unanswered(strategy: str, kind: str) -> None:
    model = Scripted(dict.fromkeys(GOOD, BAD[kind]))
    flux = ReasonFlux(model, strategy=strategy, retriever=Shelf(), effort="high", granularity="step")
    solution = await flux.asolve(PROBLEM)
    assert (solution.status, solution.answer) == ("unanswered", None)
    assert solution.reason == "no candidate states an answer"
    assert solution.votes == 0.0
    assert solution.total.calls == len(model.nodes) <= 3 * 2 * (3 + 2 * 3 * 2)


def test_a_reply_that_was_cut_loses_half_its_weight() -> None:
    cut = AIMessage("So \\boxed{8}, and then", response_metadata={"finish_reason": "length"})
    _, solution = run({"solve_step": cut, "draft": "Thus \\boxed{7}."}, effort="low", direct_samples=1)
    assert solution.answer == "7"
    assert {c.answer: c.truncated for c in solution.candidates} == {"7": False, "8": True}


# Thoughts


@pytest.mark.parametrize(
    "thoughtful",
    [
        "<think>a secret thought</think>{}",
        "a secret thought</think>{}",
        AIMessage("{}", additional_kwargs={"reasoning_content": "a secret thought"}),
    ],
    ids=["tags", "closing tag", "field"],
)
@pytest.mark.parametrize("granularity", ["whole", "step"])
def test_a_thought_reaches_no_later_prompt(thoughtful: Any, granularity: str) -> None:
    def think(node: str) -> Line:
        if isinstance(thoughtful, str):
            return thoughtful.replace("{}", str(GOOD[node]))
        return thoughtful.model_copy(update={"content": GOOD[node]})  # type: ignore[no-any-return]

    nodes = ("plan", "refine", "solve_step", "review")
    model, solution = run({n: think(n) for n in nodes}, granularity=granularity, refine=True)
    assert set(model.nodes) == set(nodes)
    assert not any("secret" in prompt for _, prompt in model.asked)
    assert "secret" not in solution.model_dump_json()
    assert (solution.status, solution.answer) == ("answered", "7")


@pytest.mark.parametrize(
    "given", [{}, {"direct_samples": 2, "llm_review": False}, {"strategy": "direct"}, {"strategy": "original"}], ids=str
)
def test_an_answer_that_stands_in_the_thought_alone_counts(given: Any) -> None:
    silent = AIMessage("", additional_kwargs={"reasoning_content": "Three and four, so \\boxed{7}."})
    _, solution = run(dict.fromkeys(("solve_step", "draft", "reason", "follow"), silent), **given)
    assert solution.answer == "7"
    assert all(candidate.answer == "7" for candidate in solution.candidates if candidate.source != "program")
