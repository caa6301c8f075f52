"""What is told while a run works: the answer is never taken back, and of several attempts one is told at a time."""

from __future__ import annotations

from typing import Any

import pytest

from reasonflux_agent.context import Context
from reasonflux_agent.events import Begin, CallEnded, CandidateMade, PlanDrawn, ProgramRun, Token
from reasonflux_agent.models import Reply
from reasonflux_agent.schema import Plan, Step
from reasonflux_agent.serving.answer import BROKEN, Answer
from reasonflux_agent.serving.telling import Teller, answering_node

PROGRAM = "Let me compute.\n```python\nprint(5)\n```"


def reply(text: str, thought: str = "") -> Reply:
    return Reply(text, thought, False, 1, 0, 1, None)


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("written", "final", "thought"),
    [
        ("It is $\\boxed{5}$.", "It is $\\boxed{5}$.", ""),
        ("\n\n  It is 5.  \n", "It is 5.", ""),
        ("<think>Hm, 5?</think>\n\nIt is 5.", "It is 5.", "Hm, 5?"),
        (" <think>a</think><think>b</think>It is 5.", "It is 5.", "ab"),
        ("<thin> is a tag.", "<thin> is a tag.", ""),
        (f"{PROGRAM}\nIt prints 7, I guess.", f"{PROGRAM}\n```output\n5\n```\nSo it is 5.", ""),
        ("A ```python block without an end", "A ```python block without an end", ""),
        ("", "No solution was found: no candidate states an answer.", ""),
        ("Emoji \ud83d\ude00.", "Emoji \U0001f600.", ""),
    ],
)
def test_what_is_told_is_the_final_text(size: int, written: str, final: str, thought: str) -> None:
    answer = Answer(programs=True)
    told = [answer.token(piece) for piece in pieces(written, size)]
    assert "".join(one for one, _ in told) == thought
    content = "".join(one for _, one in told)
    assert final.startswith(content.replace("\ud83d", ""))
    assert content + answer.end(final) == final


def test_a_program_is_told_with_its_output_as_soon_as_it_has_run() -> None:
    answer = Answer(programs=True)
    assert answer.token(f"{PROGRAM}\nIt prints 7, I guess.") == ("", PROGRAM)
    assert answer.call_ended() == ""
    assert answer.printed("5\n", None) == "\n```output\n5\n\n```"
    assert answer.token("So it ") == ("", "\nSo it")
    assert answer.token("is 5.") == ("", " is 5.")
    assert answer.end(f"{PROGRAM}\n```output\n5\n\n```\nSo it is 5.") == ""


def test_programs_that_are_not_run_are_text() -> None:
    assert Answer(programs=False).token(f"{PROGRAM} and more") == ("", f"{PROGRAM} and more")


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_nothing_behind_a_stop_is_told(size: int) -> None:
    answer = Answer(programs=True, stops=("END", "\n\n"))
    told = "".join(answer.token(piece)[1] for piece in pieces("It is 5. ENEND and more", size))
    assert told + answer.end("It is 5. ENEND and more") == "It is 5. EN"
    open_end = Answer(programs=True, stops=("END",))
    assert open_end.token("It is EN")[1] + open_end.end("It is EN") == "It is EN"


def test_a_reply_that_broke_off_stays_and_the_next_one_follows() -> None:
    answer = Answer(programs=True)
    assert answer.token("It is 4, beca")[1] == "It is 4, beca"
    answer.fail()
    assert answer.token("It is 5.") == ("", "")
    assert answer.end("It is 5.") == f"{BROKEN}It is 5."


def test_a_thought_that_only_its_end_marks_stays_too() -> None:
    answer = Answer(programs=True)
    assert answer.token("Hm.</think>It is 5.")[1] == "Hm.</think>It is 5."
    assert answer.end("It is 5.") == ""


def begin(**context: Any) -> Begin:
    return Begin(run="r", problem="x", context=Context(**context).model_dump(mode="json"), parts={})


def token(attempt: str, text: str, node: str = "plan", **more: Any) -> Token:
    return Token(run="r", attempt=attempt, node=node, call=f"{attempt} {node}", text=text, **more)


def ended(attempt: str, text: str, node: str = "plan", **more: Any) -> CallEnded:
    given = {"reply": reply(text), **more}
    return CallEnded(run="r", attempt=attempt, node=node, call=f"{attempt} {node}", role="navigator", **given)


def test_attempts_that_write_at_once_are_told_one_after_the_other() -> None:
    teller = Teller()
    events = [
        begin(effort="high"),
        token("attempt 0", "1. Add"),
        token("attempt 1", "1. Count"),
        token("attempt 0", " them"),
        ended("attempt 1", "1. Count"),
        CandidateMade(run="r", source="draft", answer="5"),
        token("attempt 0", "."),
        ended("attempt 0", "1. Add them."),
        PlanDrawn(run="r", call="attempt 0 plan", plan=Plan(steps=(Step(purpose="Add them."),))),
    ]
    told = [teller.hear(event)[0] for event in events]
    assert told[1] == "Trajectory, attempt 0\n1. Add"
    assert told[2:7] == ["", " them", "", "", "."]
    assert told[7] == "\n\nTrajectory, attempt 1\n1. Count\n\nCandidate by draft: 5\n\n"
    assert told[8] == ""  # its reply was told


def test_a_thought_is_told_as_it_is_thought_and_apart_from_the_reply() -> None:
    teller = Teller()
    events = [
        begin(effort="low"),
        token("", "", thought="Hm"),
        token("", "", thought="."),
        token("", "1. Add"),
        ended("", "1. Add"),
    ]
    assert "".join(teller.hear(event)[0] for event in events) == "Trajectory\nHm.\n\n1. Add\n\n"
    whole = Teller()
    events = [begin(effort="low"), ended("", "", reply=reply("1. Add", "Hm."))]
    assert "".join(whole.hear(event)[0] for event in events) == "Trajectory\nHm.\n\n1. Add\n\n"


@pytest.mark.parametrize("streamed", [False, True])
def test_the_answer_of_one_attempt_is_content_and_its_thought_is_reasoning(streamed: bool) -> None:
    teller = Teller(answering="reason")
    written = [token("", "", "reason", thought="Hm."), token("", "It is", "reason"), token("", " 5.", "reason")]
    end = ended("", "", "reason", reply=reply("It is 5.", "Hm."))
    made = CandidateMade(run="r", node="reason", call=" reason", source="direct", answer="5")
    told = [teller.hear(event) for event in [begin(effort="low"), *(written if streamed else []), end, made]]
    assert "".join(content for _, content in told) + teller.end("It is 5.") == "It is 5."
    assert "".join(thought for thought, _ in told) == "Solution\nHm.\n\n"


def test_what_a_program_printed_is_content_too() -> None:
    teller = Teller(answering="reason")
    ran = ProgramRun(run="r", node="reason", call=" reason", code="print(5)", output="5", error=None)
    told = [
        teller.hear(event)[1]
        for event in [begin(effort="low"), token("", PROGRAM, "reason"), ended("", PROGRAM, "reason"), ran]
    ]
    assert "".join(told) == f"{PROGRAM}\n```output\n5\n```"


@pytest.mark.parametrize(
    ("strategy", "context", "mends", "node"),
    [
        ("direct", {"effort": "low"}, False, "reason"),
        ("direct", {"effort": "medium"}, False, "reason"),
        ("direct", {"effort": "high"}, True, ""),
        ("recall", {"effort": "low"}, True, "reason"),
        ("recall", {"effort": "low"}, False, ""),
        ("recall", {"effort": "low", "programs": False}, False, "reason"),
        ("navigator", {"effort": "low"}, True, "solve_step"),
        ("navigator", {"effort": "low", "granularity": "step"}, True, ""),
        ("navigator", {"effort": "low", "reviews": 1}, True, ""),
        ("navigator", {}, True, ""),
        ("original", {"effort": "low"}, True, ""),
        ("of a plugin", {"effort": "low"}, True, ""),
    ],
)
def test_the_answer_streams_only_where_one_attempt_decides(
    strategy: str, context: dict[str, Any], mends: bool, node: str
) -> None:
    assert answering_node(strategy, Context(**context), mends=mends) == node
