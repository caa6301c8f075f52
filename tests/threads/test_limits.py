"""A run that met a limit goes on with a larger one, and makes no finished call again."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import InputError
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.runs.threads import aopen_checkpointer, open_checkpointer
from reasonflux_agent.testing import FakeModel, mathematician, serve_fake
from tests.cli.test_cli import run

PROBLEM = "Add 20 and 22."


def on(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def undisturbed(**context: Any) -> int:
    model = FakeModel()
    ReasonFlux(model, **context).solve(PROBLEM)
    return len(model.calls)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"effort": "low"},
    {"effort": "high"},
    {"effort": "auto"},
    {"granularity": "step", "reviews": 1},
    {"effort": "high", "granularity": "step"},
]


@pytest.mark.parametrize("context", SETTINGS, ids=str)
@pytest.mark.parametrize("limit", [{"deadline": 0.01}, {"token_budget": 40}], ids=str)
def test_a_larger_limit_goes_on_where_the_smaller_one_ended(context: dict[str, Any], limit: dict[str, Any]) -> None:
    model = FakeModel(delay=0.02)
    flux = ReasonFlux(model, checkpointer=InMemorySaver(), templates=0, **context)
    first = flux.solve(PROBLEM, config=on("t"), **limit)
    if first.status != "exhausted":  # `auto` is settled by its drafts, which begin before any limit is met
        assert context == {"effort": "auto"}
        return
    done = len(model.calls)
    assert flux.resume("t") == first
    assert len(model.calls) == done
    solution = flux.resume("t", **dict.fromkeys(limit, 10000))
    assert (solution.status, solution.answer) == ("answered", "42")
    assert solution.certainty == ReasonFlux(FakeModel(), templates=0, **context).solve(PROBLEM).certainty
    if "deadline" in limit:  # a budget cuts replies short, and those are made again
        assert len(model.calls) == undisturbed(templates=0, **context)
    assert solution.total.calls == undisturbed(templates=0, **context)
    assert flux.resume("t", deadline=1e6) == solution
    assert flux.graph.get_state(on("t")).values["run"]


async def test_on_the_event_loop_in_another_process_and_more_than_once(tmp_path: Path) -> None:
    model, url = FakeModel(delay=0.02), str(tmp_path / "t.sqlite")
    for deadline, status in ((0.01, "exhausted"), (0.05, "exhausted"), (60, "answered")):
        async with aopen_checkpointer(url) as saver:
            flux = ReasonFlux(model, checkpointer=saver, granularity="step", reviews=2, templates=0, record=tmp_path / "r")
            if deadline == 0.01:
                found = await flux.asolve(PROBLEM, config=on("t"), deadline=deadline)
            else:
                found = await flux.aresume("t", deadline=deadline)
            assert found.status == status
    assert found.answer == "42"
    assert len(model.calls) == undisturbed(granularity="step", reviews=2, templates=0)
    (path,) = (tmp_path / "r").iterdir()
    assert read_record(path).solution == found
    assert len(read_record(path).calls) == len(model.calls)
    told = Counter(event.type for event in read_record(path).events[1:])
    assert (told["plan"], told["solution"], told["candidate"]) == (
        1,
        1,
        len(found.candidates),
    )  # what was told again counts once


def test_a_run_that_was_killed_after_it_went_on_goes_on_with_the_larger_limit(tmp_path: Path) -> None:
    gone: list[str] = []

    def respond(prompt: str) -> str:
        time.sleep(0.02)
        if "boxed" in mathematician(prompt) and gone:
            raise KeyboardInterrupt
        return mathematician(prompt)

    model = FakeModel(respond=respond)
    with open_checkpointer(str(tmp_path / "t.sqlite")) as saver:
        flux = ReasonFlux(model, checkpointer=saver, effort="low", templates=0)
        assert flux.solve(PROBLEM, config=on("t"), deadline=0.01).status == "exhausted"
        gone.append("")
        with pytest.raises(KeyboardInterrupt):
            flux.resume("t", deadline=60)
        gone.clear()
        asked = len(model.calls)
        solution = flux.resume("t")
    assert (solution.status, solution.answer) == ("answered", "42")
    assert len(model.calls) == asked + 1


def test_what_does_not_fit_is_refused_and_nothing_is_lost() -> None:
    flux = ReasonFlux(FakeModel(delay=0.02), checkpointer=InMemorySaver(), effort="low", templates=0)
    first = flux.solve(PROBLEM, config=on("t"), deadline=0.01)
    with pytest.raises(InputError, match="deadline = -1"):
        flux.resume("t", deadline=-1)
    with pytest.raises(InputError, match="no field 'dead'"):
        flux.resume("t", dead=1)
    assert flux.resume("t") == first


def test_from_the_command_line(tmp_path: Path) -> None:
    asked = Counter[str]()

    def respond(prompt: str) -> str:
        asked[prompt] += 1
        time.sleep(0.3)
        return mathematician(prompt)

    kept = ("--checkpoints", str(tmp_path / "t.sqlite"))
    with serve_fake(respond) as url:
        solve = ("solve", PROBLEM, "-m", f"vllm:fake@{url}", "-e", "low", "--templates", "0", "--thread", "t", *kept)
        first = run(*solve, "--deadline", "0.1")
        assert first.returncode == 3
        assert f"raise the limit and go on: reasonflux resume t {' '.join(kept)} --deadline SECONDS" in first.stderr
        again = run("resume", "t", *kept)
        assert (again.returncode, again.stdout.splitlines()[0]) == (3, first.stdout.splitlines()[0])
        more = run("resume", "t", "--deadline", "60", *kept)
        assert more.returncode == 0, more.stderr
        assert "\nAnswer: 42\n" in more.stdout
        assert max(asked.values()) <= 2  # the call that the deadline cut is made again
        assert "\tfinished\t42\t" in f"\t{run('threads', *kept).stdout}"
        total = sum(asked.values())
        assert run("resume", "t", "--deadline", "90", *kept).returncode == 0
        assert sum(asked.values()) == total
    refused = run("resume", "t", "--deadline", "soon", *kept)
    assert (refused.returncode, "--deadline" in refused.stderr) == (2, True)
