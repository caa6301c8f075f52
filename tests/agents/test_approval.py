"""The review's question in LangChain's human-in-the-loop form, and what agent chat UIs answer."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware.human_in_the_loop import HITLRequest, HITLResponse
from pydantic import TypeAdapter

from reasonflux_agent.agents.approval import human_request
from tests.agents.test_review import PROBLEM, Session

LINES = "1. Look at it | find: alpha\n2. Work on it | find: beta\n3. End it"


def request(session: Session) -> HITLRequest:
    """The question as an agent chat UI reads it: other fields of the value do not matter to it."""
    assert session.asked is not None
    form: dict[str, Any] = {name: session.asked[name] for name in HITLRequest.__annotations__}
    return TypeAdapter(HITLRequest).validate_python(form, strict=True)


def answer(session: Session, **decision: Any) -> Session:
    TypeAdapter(HITLResponse).validate_python({"decisions": [decision]})
    return session.answer({"decisions": [decision]})


def edit(session: Session, text: str) -> Session:
    (action,) = request(session)["action_requests"]
    return answer(session, type="edit", edited_action={"name": action["name"], "args": {"trajectory": text}})


def test_the_question_is_a_request_of_langchain() -> None:
    session = Session()
    (action,), (config,) = request(session)["action_requests"], request(session)["review_configs"]
    assert config["action_name"] == action["name"] == "carry_out_trajectory"
    assert config["allowed_decisions"] == ["approve", "edit", "reject"]
    assert action["args"] == {"trajectory": LINES}
    assert f"**Problem:** {PROBLEM}" in action["description"]
    assert "reject ends the run" in action["description"]


def test_approve_goes_on_and_reject_ends() -> None:
    assert answer(Session(), type="approve").solution.status == "answered"
    assert answer(Session(), type="reject", message="No.").solution.reason == "a person stopped the run"


def test_an_edit_changes_the_trajectory_and_unchanged_lines_keep_their_templates() -> None:
    session = Session()
    before = session.steps
    solution = edit(session, "2. Work on it | find: beta\n1. Look at it | find: alpha\n3. Say it | find: gamma").solution
    assert [step.purpose for step in solution.plan.steps] == ["Work on it", "Look at it", "Say it"]
    kept = [list(step.templates) for step in solution.plan.steps]
    assert kept[:2] == [before[1]["templates"], before[0]["templates"]]
    assert kept[2] == ["shelf/gamma"]


def test_at_a_review_the_work_is_shown_and_kept() -> None:
    session = answer(Session(ask_at_reviews=True, granularity="step"), type="approve")
    (action,) = request(session)["action_requests"]
    assert action["name"] == "go_on_after_review"
    assert "**Work up to step 1:**\n\nSo it is \\boxed{7}." in action["description"]
    assert "**Proposed:** accept." in action["description"]
    edit(session, "1. Look at it | find: alpha\n2. End it at once")
    assert [bool(step["work"]) for step in session.steps] == [True, True]
    assert session.model.nodes.count("solve_step") == 2  # the first step was not carried out again


@pytest.mark.parametrize(("message", "feedback"), [("Use 4.", "Use 4."), ("", "it is not right.")])
def test_reject_at_a_review_has_the_step_done_again(message: str, feedback: str) -> None:
    session = answer(Session(ask_at_reviews=True), type="approve")
    answer(session, type="reject", message=message)
    assert f"An earlier try was rejected: {feedback}" in session.model.prompts("solve_step")[-1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"decisions": []}, "list of one"),
        ({"decisions": [{"type": "approve"}] * 2}, "list of one"),
        ({"decisions": "approve"}, "list of one"),
        ({"decisions": [{"type": "respond", "message": "7"}]}, "cannot be read"),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "x", "args": {}}}]}, "cannot be read"),
        ({"decisions": [{"type": "edit", "edited_action": {"args": {"trajectory": " 1. "}}}]}, "trajectory cannot be read"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_again(given: Any, says: str) -> None:
    session = Session().answer(given)
    assert session.asked is not None
    assert says in session.asked["error"]
    (action,) = request(session)["action_requests"]
    assert says in action["description"]
    assert answer(session, type="approve").solution.status == "answered"


def test_a_line_break_in_a_purpose_makes_no_step() -> None:
    steps = [{"purpose": "Look\n2. at it", "query": "", "work": ""}, {"purpose": "End it", "query": "", "work": ""}]
    asked = {"question": "plan", "problem": "x", "steps": steps, "review": None, "error": ""}
    (action,) = human_request(asked)["action_requests"]
    assert action["args"]["trajectory"] == "1. Look 2. at it\n2. End it"
