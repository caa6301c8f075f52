"""Voting: groups, weights, ties, early stop; as functions, and in runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from reasonflux_agent import ReasonFlux
from reasonflux_agent.calls import drive
from reasonflux_agent.schema import Candidate, Solution
from reasonflux_agent.voting import NO_VOTES, PROVEN, Tally, heaviest, settled, tally, wave, weight
from tests.graph.fakes import Line, Sampled, Scripted, Shelf

PROBLEM = "What is 3 + 4?"


def made(answer: str | None, logprob: float | None = None, **checks: bool) -> Candidate:
    return Candidate(source="test", text="", answer=answer, checks=checks, logprob=logprob)


def equal(a: str, b: str) -> bool:
    return a.lower() == b.lower()


def count(candidates: list[Candidate], same: Callable[[str, str], bool] = equal) -> Tally:
    async def compare(a: str, b: str) -> bool:
        return same(a, b)

    return drive(tally(candidates, compare))


def test_no_candidate_and_no_answer_are_no_votes() -> None:
    assert count([]) == NO_VOTES
    assert count([made(None), made(None)]) == NO_VOTES


def test_equivalent_answers_are_one_group() -> None:
    assert count([made("a"), made("b"), made("B"), made(None)]) == Tally(1, 2.0, 1.0, 3.0, (1, 2))


def test_equal_texts_are_not_compared_again() -> None:
    asked: list[tuple[str, str]] = []

    def same(a: str, b: str) -> bool:
        asked.append((a, b))
        return False

    assert count([made("a"), made("a"), made("b"), made("a")], same).weight == 3
    assert asked == [("a", "b")]


def test_a_failed_check_halves_a_vote() -> None:
    assert weight(made("a", one=True, two=False, three=False)) == 0.25
    assert weight(made(None)) == 0
    assert count([made("a", sound=False), made("a", sound=False), made("b"), made("b")]).leader == 2


def test_one_sound_vote_beats_one_that_failed() -> None:
    assert count([made("a", sound=False), made("b")]) == Tally(1, 1.0, 0.5, 1.5, (1,))


def test_a_check_that_proves_an_answer_outweighs_three_votes() -> None:
    factor = PROVEN["substitution"]
    assert weight(made("a", substitution=True)) == factor == 4
    assert weight(made("a", substitution=True, sound=False)) == factor / 2
    assert weight(made("a", substitution=False)) == 0.5
    assert weight(made("a", sound=True)) == 1  # any other check that passes proves nothing
    assert weight(made(None, substitution=True)) == 0
    others = [made("b")] * 3
    assert count([*others, made("a", substitution=True)]) == Tally(3, 4.0, 3.0, 7.0, (3,))


def test_a_leader_is_safe_only_from_what_the_rest_can_weigh() -> None:
    ahead = [made("a", sound=True), made("a")]
    assert heaviest(ahead) == 1
    assert settled(count(ahead), 1 * heaviest(ahead))
    unproven = [made("a", substitution=False), *ahead]  # the check applies, so the next candidate may pass it
    assert heaviest(unproven) == PROVEN["substitution"]
    assert not settled(count(unproven), 1 * heaviest(unproven))


def test_a_tie_goes_to_the_more_probable_then_to_the_first() -> None:
    assert count([made("a", -0.9), made("b", -0.1)]).leader == 1
    assert count([made("a"), made("b", -0.1)]).leader == 1
    assert count([made("a"), made("b")]).leader == 0
    assert count([made("a", -0.5), made("b", -0.5)]).leader == 0


def test_the_heaviest_speaks_for_its_group() -> None:
    assert count([made("a", sound=False), made("A"), made("b")]).leader == 1


@given(st.lists(st.builds(made, st.sampled_from(["a", "b", "c", None]), st.sampled_from([None, -1.0]), ok=st.booleans())))
def test_the_leader_leads(candidates: list[Candidate]) -> None:
    result = count(candidates)
    weights = {a: sum(weight(c) for c in candidates if c.answer == a) for a in "abc"}
    assert result.total == pytest.approx(sum(weights.values()))
    if result.leader is None:
        assert result.total == 0
    else:
        assert result.weight == max(weights.values()) == weights[candidates[result.leader].answer or ""]
        assert result.runner_up == sorted(weights.values())[-2]


@given(st.floats(0, 8), st.floats(0, 8), st.integers(1, 20))
def test_a_wave_is_the_least_that_can_settle(lead: float, behind: float, left: int) -> None:
    now = Tally(0, lead + behind, behind, lead + 2 * behind)
    size = wave(now, left)
    assert 1 <= size <= left

    def after(n: int) -> bool:
        return settled(now._replace(weight=now.weight + n), left - n)

    assert after(size) or size == left
    assert not any(after(n) for n in range(1, size))


def test_nothing_left_is_no_wave_and_no_answer_is_never_settled() -> None:
    assert wave(NO_VOTES, 0) == 0
    assert not settled(NO_VOTES, 0)
    assert settled(Tally(0, 1.0, 0.0, 1.0), 0)
    assert not settled(Tally(0, 1.0, 0.0, 1.0), 1)


# In runs


def run(script: dict[str, Line], **given: Any) -> tuple[Scripted, Solution]:
    model = Scripted(script)
    return model, ReasonFlux(model, retriever=Shelf(), **given).solve(PROBLEM)


def boxes(*answers: int) -> list[Any]:
    return [f"So \\boxed{{{answer}}}." for answer in answers]


def test_of_three_attempts_that_agree_two_are_made() -> None:
    model, solution = run({}, effort="low", trajectories=3)
    assert model.nodes.count("solve_step") == 2
    assert solution.votes == 1.0
    assert (solution.certainty, solution.verdict) == ("agreed", "agreed: 2 of 2 solutions")


def test_of_three_attempts_that_differ_all_are_made() -> None:
    model, solution = run({"solve_step": boxes(8, 7, 7)}, effort="low", trajectories=3)
    assert model.nodes.count("solve_step") == 3
    assert solution.answer == "7"
    assert solution.votes == pytest.approx(2 / 3)


def test_answers_are_grouped_by_what_they_mean() -> None:
    replies = ["So \\boxed{\\frac{1}{2}}.", "So \\boxed{0.5}.", "So \\boxed{2}."]
    _, solution = run({"reason": replies}, strategy="direct", effort="low", trajectories=3)  # type: ignore[dict-item]
    assert solution.votes == 1.0
    assert len(solution.candidates) == 2


def test_auto_ends_after_drafts_that_agree() -> None:
    model, solution = run({}, effort="auto")
    assert model.nodes == ["draft", "draft"]
    assert [c.source for c in solution.candidates] == ["draft", "program"]
    assert solution.plan.steps == ()


def test_auto_plans_when_text_and_program_differ() -> None:
    def draft(prompt: str, _: int) -> str:
        return "```python\nprint(8)\n```" if "Python program" in prompt else "Thus \\boxed{7}."

    model, solution = run({"draft": draft}, effort="auto")
    assert model.nodes.count("plan") >= 1
    assert solution.answer == "7"
    assert solution.plan.steps  # the trajectory that stands behind the answer, though a draft said it first
    assert {c.answer for c in solution.candidates} == {"7", "8"}


@pytest.mark.parametrize(("sum", "speaks"), [("1 + 1 = 2", "\\frac{1}{2}"), ("1 + 1 = 3", "0.5")])
def test_the_trajectory_shown_is_one_that_spells_the_answer_differently(sum: str, speaks: str) -> None:
    """Of a draft and a planned solution that agree, the planned one speaks, unless it fails a check."""
    script: dict[str, Line] = {"draft": "Thus \\boxed{0.5}.", "solve_step": f"{sum}, so \\boxed{{\\frac{{1}}{{2}}}}."}
    _, solution = run(script, effort="low", direct_samples=1)
    assert (solution.answer, solution.votes) == (speaks, 1.0)
    assert solution.plan.steps
    assert [result.text for result in solution.results] == [f"{sum}, so \\boxed{{\\frac{{1}}{{2}}}}."]


def test_the_trajectory_shown_is_that_of_the_text() -> None:
    cut = AIMessage("It is \\boxed{7}, so", response_metadata={"finish_reason": "length"})
    script: dict[str, Line] = {"solve_step": [cut, "So it is \\boxed{7}."]}
    _, solution = run(script, effort="low", reviews=1)
    assert [c.text for c in solution.candidates] == ["It is \\boxed{7}, so", "So it is \\boxed{7}."]
    assert solution.text == solution.results[0].text == "So it is \\boxed{7}."


def test_without_programs_two_drafts_are_two_samples() -> None:
    model = Sampled()
    ReasonFlux(model, retriever=Shelf(), effort="auto", programs=False, seed=5).solve(PROBLEM)
    assert sorted(model.drawn) == [("draft", 0.0, 5), ("draft", 0.7, 6)]


@pytest.mark.parametrize("drafts", [0, 1, 2])
def test_a_direct_attempt_repeats_no_draft(drafts: int) -> None:
    model = Sampled()
    given: Any = {"effort": "low", "direct_samples": drafts, "trajectories": 2, "programs": False, "seed": 5}
    ReasonFlux(model, strategy="direct", retriever=Shelf(), **given).solve(PROBLEM)
    drawn = [(temperature, seed) for _, temperature, seed in model.drawn]
    assert sorted(drawn) == [(0.7 if n else 0.0, 5 + n) for n in range(drafts + 2)]


def test_auto_plans_when_two_drafts_have_one_root_each() -> None:
    """Neither is a proof: the other root is missing, and a rounded one is none."""

    def draft(prompt: str, _: int) -> str:
        return "```python\nprint(1.414214)\n```" if "Python program" in prompt else "So it is \\boxed{-\\sqrt{2}}."

    model = Scripted({"draft": draft})
    solution = ReasonFlux(model, retriever=Shelf(), effort="auto").solve("Solve the equation $x^2 = 2$.")
    assert ["substitution" in c.checks for c in solution.candidates[:2]] == [False, False]
    assert "plan" in model.nodes


def test_auto_plans_when_a_draft_gave_no_answer() -> None:
    def draft(prompt: str, _: int) -> str:
        return "```python\nprint(1/0)\n```" if "Python program" in prompt else "Thus \\boxed{7}."

    model, _ = run({"draft": draft}, effort="auto")
    assert "plan" in model.nodes


def test_auto_without_attempts_ends_with_its_drafts() -> None:
    model, solution = run({"draft": boxes(1, 2)}, effort="auto", programs=False, trajectories=0)
    assert model.nodes == ["draft", "draft"]
    assert solution.votes == 0.5


def test_without_drafts_and_attempts_there_is_no_answer() -> None:
    model, solution = run({}, direct_samples=0, trajectories=0)
    assert model.nodes == []
    assert (solution.status, solution.text) == ("unanswered", "")


def test_the_mean_logprob_breaks_a_tie() -> None:
    def draft(_: str, number: int) -> AIMessage:
        logprobs = {"content": [{"token": "x", "logprob": (-2.0, -0.1)[number]}]}
        return AIMessage(f"Thus \\boxed{{{number}}}.", response_metadata={"logprobs": logprobs})

    _, solution = run({"draft": draft}, direct_samples=2, trajectories=0, programs=False)
    assert solution.answer == "1"
    assert {c.answer: c.logprob for c in solution.candidates} == {"0": -2.0, "1": -0.1}
