"""The run record: everything of the run and nothing else, readable at any moment."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from reasonflux_agent import ReasonFlux, create_reasonflux
from reasonflux_agent.errors import InputError, ModelError, RecordError
from reasonflux_agent.events import CallEnded, read_event
from reasonflux_agent.runs.record import FORMAT, VERSION, Record, Recorder, read_record
from reasonflux_agent.testing import FakeModel, mathematician, serve_fake
from reasonflux_agent.wording import describe
from tests.graph.fakes import Scripted, Shelf

PROBLEM = "What is 3 + 4?"


def only(directory: Path) -> Record:
    (path,) = directory.iterdir()
    return read_record(path)


def prompt(call: CallEnded) -> str:
    return "\n\n".join(message["content"] for message in call.messages)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("strategy", ["navigator", "original", "direct", "propose", "recall"])
async def test_every_call_is_in_the_record(tmp_path: Path, strategy: str, asynchronous: bool) -> None:
    model = FakeModel()
    flux = ReasonFlux(model, strategy=strategy, retriever=Shelf(), record=tmp_path, direct_samples=2)
    solution = await flux.asolve(PROBLEM) if asynchronous else flux.solve(PROBLEM)
    record = only(tmp_path)
    assert sorted(prompt(call) for call in record.calls) == sorted(model.calls)
    assert [call.reply.text for call in record.calls] == [mathematician(prompt(call)) for call in record.calls]
    assert {call.node for call in record.calls} == set(solution.usage)
    assert all(call.seconds >= 0 for call in record.calls)
    assert record.solution == solution
    assert record.header["problem"] == PROBLEM
    assert (record.header["format"], record.header["version"]) == (FORMAT, VERSION)
    assert record.header["context"]["direct_samples"] == 2
    assert record.header["parts"]["library"] == "builtin"


def test_the_lines_are_in_order_and_end_in_the_solution(tmp_path: Path) -> None:
    flux = ReasonFlux(Scripted(), retriever=Shelf(), record=tmp_path, direct_samples=0, refine=True, llm_review=True)
    flux.solve(PROBLEM)
    kinds = [event.type for event in only(tmp_path).events[1:]]
    assert kinds == [
        "call", "plan", "templates", "call", "refined", "call", "step", "candidate", "call", "review", "solution"
    ]  # fmt: skip
    times = [event.time for event in only(tmp_path).events[1:]]
    assert times == sorted(times)


def test_what_a_model_got_wrong_is_kept_raw(tmp_path: Path) -> None:
    ReasonFlux(Scripted({"plan": "A poem."}), retriever=Shelf(), record=tmp_path, effort="low").solve(PROBLEM)
    unparsed = [event for event in only(tmp_path).events if event.type == "unparsed"]
    assert [event.reply for event in unparsed] == ["A poem."] * 2


@pytest.mark.parametrize(
    "reply",
    [
        "<think>a secret thought</think>Thus \\boxed{7}.",
        AIMessage("Thus \\boxed{7}.", additional_kwargs={"reasoning_content": "a secret thought"}),
    ],
    ids=["tags", "field"],
)
def test_the_thought_is_in_the_record_apart_from_the_reply(tmp_path: Path, reply: Any) -> None:
    ReasonFlux(Scripted({"reason": reply}), strategy="direct", record=tmp_path).solve(PROBLEM)
    (call,) = only(tmp_path).calls
    assert call.reply.reasoning == "a secret thought"
    assert call.reply.text == "Thus \\boxed{7}."


def test_a_failed_call_is_in_the_record(tmp_path: Path) -> None:
    flux = ReasonFlux(Scripted({"solve_step": RuntimeError("out of order")}), retriever=Shelf(), record=tmp_path)
    with pytest.raises(ModelError):
        flux.solve(PROBLEM)
    record = only(tmp_path)
    assert record.calls[-1].error == "RuntimeError: out of order"
    assert record.solution is None


def test_a_refused_problem_leaves_no_record(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        ReasonFlux(FakeModel(), record=tmp_path).solve("")
    assert list(tmp_path.iterdir()) == []


def test_many_runs_at_once_have_a_record_each(tmp_path: Path) -> None:
    flux = ReasonFlux(FakeModel(), retriever=Shelf(), record=tmp_path, effort="low")
    problems = [f"What is {n} + 1?" for n in range(8)]
    solutions = flux.batch(problems)
    records = [read_record(path) for path in tmp_path.iterdir()]
    assert sorted(r.header["problem"] for r in records) == sorted(problems)
    for record in records:
        assert record.solution in solutions
        assert all(record.header["problem"] in prompt(call) for call in record.calls)
        assert len(record.calls) == 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_inside_another_graph_ours_is_recorded_and_the_hosts_calls_are_not(tmp_path: Path, asynchronous: bool) -> None:
    model, host = FakeModel(), FakeModel(respond=lambda _: "Welcome.")

    def greet(state: MessagesState) -> dict[str, Any]:
        return {"messages": [host.invoke(state["messages"]), HumanMessage(PROBLEM)]}

    outer = StateGraph(MessagesState)
    outer.add_node("greet", greet)
    outer.add_node("solve", create_reasonflux(navigator=model, retriever=Shelf()).compile())
    outer.add_edge(START, "greet")
    outer.add_edge("greet", "solve")
    given: Any = {"messages": [HumanMessage("Good day.")]}
    config: Any = {"callbacks": [Recorder(tmp_path)]}
    compiled = outer.compile()
    state = asyncio.run(compiled.ainvoke(given, config)) if asynchronous else compiled.invoke(given, config)
    record = only(tmp_path)
    assert sorted(prompt(call) for call in record.calls) == sorted(model.calls)  # drafts and plan are asked for at once
    assert len(host.calls) == 1
    assert record.solution is not None
    assert record.solution.text == state["messages"][-1].text


def test_a_killed_run_leaves_a_readable_record(tmp_path: Path) -> None:
    waiting = threading.Event()

    def respond(text: str) -> str:
        if "\\boxed{}" in text:  # the solver's call, the third
            waiting.set()
            threading.Event().wait(60)
        return mathematician(text)

    program = (
        "import sys\nfrom reasonflux_agent import ReasonFlux\nfrom tests.graph.fakes import Shelf\n"
        "ReasonFlux(sys.argv[1], retriever=Shelf(), record=sys.argv[2], direct_samples=0, refine=True).solve('What is 3 + 4?')"
    )
    with serve_fake(respond) as url:
        worker = subprocess.Popen([sys.executable, "-c", program, f"vllm:fake@{url}", str(tmp_path)])
        assert waiting.wait(120)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    record = only(tmp_path)
    assert record.header["problem"] == PROBLEM
    assert [call.node for call in record.calls] == ["plan", "refine"]
    assert record.solution is None


# Files that are no records


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """A good record's lines."""
    directory = tmp_path / "good"
    ReasonFlux(Scripted(), retriever=Shelf(), record=directory, effort="low").solve(PROBLEM)
    (path,) = directory.iterdir()
    return path.read_text(encoding="utf-8").splitlines()


def test_a_line_that_a_kill_cut_is_left_out(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "cut.jsonl"
    for keep in (1, len(lines[-1]) // 2, len(lines[-1]) - 1):
        path.write_text("\n".join([*lines[:-1], lines[-1][:keep]]), encoding="utf-8")
        record = read_record(path)
        assert record.solution is None
        assert len(record.events[1:]) == len(lines) - 2


def test_a_cut_inside_a_letter_is_left_out(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes("\n".join(lines[:3]).encode() + b'\n{"type": "call", "x": "\xe2\x82')
    assert len(read_record(path).events[1:]) == 2


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda rows: [], "no run record"),
        (lambda rows: ["not json"], "no run record"),
        (lambda rows: ['{"format": "something-else", "version": 1}'], "no run record"),
        (lambda rows: rows[1:], "no run record"),
        (lambda rows: ["[1, 2]", *rows[1:]], "damaged in line 1"),
        (lambda rows: [rows[0], rows[1][:-9], *rows[2:]], "damaged in line 2"),
        (lambda rows: [rows[0], "[" * 100_000, *rows[1:]], "damaged in line 2"),
        (
            lambda rows: [rows[0].replace('"version": 2', '"version": 99', 1), *rows[1:]],
            "has version 99.*versions 1 and 2",
        ),
    ],
    ids=["empty", "text", "foreign", "no header", "list", "damaged", "deep", "other version"],
)
def test_what_is_no_record_is_refused_with_the_reason(tmp_path: Path, lines: list[str], damage: Any, says: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join(damage(lines)), encoding="utf-8")
    with pytest.raises(RecordError, match=says) as caught:
        read_record(path)
    assert str(path) in str(caught.value)


def test_a_record_that_is_not_there_or_a_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.jsonl", tmp_path):
        with pytest.raises(RecordError, match="cannot be read"):
            read_record(path)


def test_lines_of_no_known_type_are_kept(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text("\n".join([*lines, json.dumps({"type": "remark", "text": "from a later minor version"})]))
    record = read_record(path)
    assert record.events[1:][-1].title == "remark"
    assert record.solution is not None
    assert record.solution.answer == "7"


def test_a_line_without_a_type_is_damage(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join([*lines[:2], "{}", *lines[2:]]))
    with pytest.raises(RecordError, match="line 3"):
        read_record(path)


# Version 1, as the package before 0.1.0 wrote it: tests/record/version1 holds records of fakes that it wrote.

OLD = sorted((Path(__file__).parent / "version1").glob("*.jsonl"))


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_record_of_version_1_is_read_as_one_of_this_version(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    record = read_record(path)
    assert record.header["version"] == 1
    assert [event.type for event in record.events] == ["begin", *(line["type"] for line in lines[1:])]
    assert record.solution is not None
    assert record.solution.answer == "7"
    replies = [line["reply"]["text"] for line in lines if line.get("type") == "call"]
    assert [call.reply.text for call in record.calls if call.reply] == replies
    assert {event.run for event in record.events} == {lines[0]["run"]}
    assert set(record.attempts) == {candidate.attempt for candidate in record.solution.candidates}
    for event in record.events:
        if event.type in ("plan", "step", "program", "unparsed"):
            assert event.call in {call.call for call in record.calls if call.attempt == event.attempt}
    assert all(describe(event) for event in record.events if event.type != "call")


def test_every_event_of_a_run_says_where_it_belongs(tmp_path: Path) -> None:
    flux = ReasonFlux(FakeModel(), retriever=Shelf(), record=tmp_path, effort="high", reviews=1)
    solution = flux.solve(PROBLEM)
    record = only(tmp_path)
    assert record.header["version"] == VERSION
    assert set(record.attempts) == {candidate.attempt for candidate in solution.candidates}
    assert all(event.node and event.unit and event.time and event.run == record.begin.run for event in record.events)
    assert len({call.call for call in record.calls}) == solution.total.calls
    for event in record.events:
        if event.type in ("plan", "refined", "step", "program", "candidate") and event.attempt:
            made = {call.call: call for call in record.calls}[event.call] if event.call else None
            assert made is None or (made.attempt, made.node) == (event.attempt, event.node)
    assert all(read_event(event.to_json()) == event for event in record.events)
