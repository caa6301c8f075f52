"""`ReasonFlux` as a Python programmer meets it: names, types, what is refused at once, what is freed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from reasonflux_agent import Context, ReasonFlux, __version__, create_reasonflux
from reasonflux_agent.agents.review import create_review
from reasonflux_agent.agents.tutor import create_tutor
from reasonflux_agent.context import RunSettings, Settings
from reasonflux_agent.errors import InputError, SpecError
from reasonflux_agent.models.local import server
from reasonflux_agent.testing import FakeModel
from tests.graph.fakes import Scripted, Shelf

PROBLEM = "What is 3 + 4?"


def test_one_model_plays_both_roles() -> None:
    model = Scripted()
    solution = ReasonFlux(model=model, retriever=Shelf()).solve(PROBLEM)
    assert solution.answer == "7"
    assert {"plan", "solve_step", "draft"} <= set(model.nodes)


@pytest.mark.parametrize("role", ["navigator", "solver", "navigator_path", "inference_path"])
def test_a_model_beside_that_of_a_role_is_refused(role: str) -> None:
    with pytest.raises(InputError, match="`model` plays both roles"):
        ReasonFlux(model="vllm:a", **{role: "vllm:b"})


def test_a_model_is_not_overruled_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_NAVIGATOR", "vllm:other@http://127.0.0.1:9/v1")
    assert ReasonFlux(model=FakeModel(), retriever=Shelf()).solve(PROBLEM).answer == "7"


# Types


def test_the_keyword_arguments_are_the_fields_of_the_context() -> None:
    fields = get_type_hints(Context)
    assert get_type_hints(RunSettings) == {name: fields[name] for name in Context.model_fields}
    assert get_type_hints(RunSettings).keys() - get_type_hints(Settings).keys() == {"navigator", "solver"}


TYPED = """
import asyncio
from reasonflux_agent import ReasonFlux, Solution

with ReasonFlux(model="vllm:a", effort="low", deadline=60) as flux:
    solution: Solution = flux.solve("2 + 2", effort="high", seed=None)
    many: list[Solution | Exception] = asyncio.run(flux.abatch(["2 + 2"], navigator="vllm:b"))
    print([step.purpose for step in solution.plan.steps], solution.certainty)
"""
WRONG = """
from reasonflux_agent import ReasonFlux

flux = ReasonFlux(efort="low")
flux.solve("2 + 2", efort="low")
flux.asolve("2 + 2", effort="lo")
flux.stream("2 + 2", direct_samples="2")
flux.astream("2 + 2", deadlin=2)
flux.batch(["2 + 2"], efort="low")
flux.abatch(["2 + 2"], efort="low")
"""


def test_mypy_knows_the_fields(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", str(tmp_path / "typed.py"), str(tmp_path / "wrong.py")]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    found = [line for line in run.stdout.splitlines() if "error:" in line and "unused-coroutine" not in line]
    assert [line.split(":")[1] for line in found if "wrong.py" in line] == ["4", "5", "6", "7", "8", "9", "10"], run.stdout
    assert all("wrong.py" in line for line in found), run.stdout


# What is wrong is refused at once


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nonsense", "it has no 'KIND:' in front"),
        ("local:qwen2.5-coder-1.5", "did you mean 'local:qwen2.5-coder-1.5b'"),
        ("vllm:", "nothing after it"),
        ("vllm:m@http://", "is not an http"),
        ("vllm:m@http://host:port/v1", "is not an http"),
        ("vllm:@http://host:8000/v1", "it names no model"),
        ("opneai:gpt-5", "did you mean 'openai:gpt-5'"),
        ("vllm:m@http://me:hunter2@host/v1", "holds a user, password or token"),
    ],
)
def test_a_wrong_spec_is_refused_at_construction(spec: str, said: str) -> None:
    builds: list[Any] = [
        lambda: ReasonFlux(spec),
        lambda: ReasonFlux(model=spec),
        lambda: ReasonFlux(FakeModel(), spec),
        lambda: ReasonFlux(solver=spec),
        lambda: create_reasonflux(navigator=spec),
        lambda: create_review(solver=spec),
        lambda: create_tutor(spec, retriever=Shelf()),
        lambda: create_reasonflux(context=Context.of(navigator=spec)),
    ]
    for build in builds:
        with pytest.raises(InputError, match=said) as refused:
            build()
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "spec", ["vllm:m", "local:/no/such/file.gguf", "hf:nobody/nothing", "openai:gpt-5", "anthropic:claude"]
)
def test_a_spec_of_the_right_form_is_not_looked_for(spec: str) -> None:
    ReasonFlux(spec)


def test_nothing_is_started_at_construction() -> None:
    ReasonFlux()
    assert not server._running


# What is freed


class Process:
    """Stands for a server's process: whether it was stopped is all that matters here; tests/local has real ones."""

    stopped = False

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        self.stopped = True

    def wait(self) -> None:
        pass


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Embedded models whose servers are fakes: spec -> its processes, in order."""
    from reasonflux_agent.models import load as loading

    started: dict[str, list[Process]] = {}

    def load(spec: str, name: str) -> Any:
        path = tmp_path / name.removeprefix("/").replace("again", "one")
        if path not in server._running:
            process = Process()
            server._running[path] = (server.Endpoint("http://127.0.0.1:9", "key"), process)  # type: ignore[assignment]
            started.setdefault(path.name, []).append(process)
        loading._local[spec] = loading._Local(path, server._running[path][0], FakeModel())
        return loading._local[spec].model

    monkeypatch.setattr(loading, "_load_local", load)
    monkeypatch.setattr(loading, "_local", {})
    monkeypatch.setattr(server, "_running", {})
    return started


def flux(name: str, **given: Any) -> ReasonFlux:
    return ReasonFlux(f"local:/{name}.gguf", retriever=Shelf(), **given)


def test_leaving_the_block_frees_the_server(embedded: Any) -> None:
    with flux("one") as one:
        one.solve(PROBLEM)
        assert not embedded["one.gguf"][0].stopped
    assert embedded["one.gguf"][0].stopped
    assert one.solve(PROBLEM).answer == "7"  # a new one
    assert not embedded["one.gguf"][1].stopped
    one.close()
    one.close()
    assert [process.stopped for process in embedded["one.gguf"]] == [True, True]


async def test_leaving_the_asynchronous_block_frees_the_server(embedded: Any) -> None:
    async with flux("one") as one:
        await one.asolve(PROBLEM)
        await one.abatch([PROBLEM], solver="local:/two.gguf")
    assert embedded["one.gguf"][0].stopped
    assert embedded["two.gguf"][0].stopped


def test_a_server_that_another_one_uses_goes_on(embedded: Any) -> None:
    one, again, idle = flux("one"), flux("again"), flux("one")
    one.solve(PROBLEM)
    again.solve(PROBLEM)
    one.close()
    idle.close()
    assert not embedded["one.gguf"][0].stopped
    again.close()
    assert embedded["one.gguf"][0].stopped


def test_one_that_is_gone_holds_nothing(embedded: Any) -> None:
    one, other = flux("one"), flux("one")
    one.solve(PROBLEM)
    other.solve(PROBLEM)
    del other
    one.close()
    assert embedded["one.gguf"][0].stopped


def test_closing_without_an_embedded_model_does_nothing() -> None:
    with ReasonFlux(FakeModel(), retriever=Shelf()) as one:
        one.solve(PROBLEM)


@pytest.mark.local_model
def test_a_real_server_is_freed() -> None:
    with ReasonFlux("local:smollm2-135m", effort="low", max_tokens=16, retriever=Shelf()) as one:
        one.solve(PROBLEM)
        ((_, process),) = server._running.values()
        assert process.poll() is None
    assert process.poll() is not None
    assert not server._running


# The rest


def test_batches_keep_their_order_and_give_failures_in_their_place() -> None:
    one = ReasonFlux(FakeModel(), retriever=Shelf())
    problems = ["What is 1 + 1?", "", *(f"What is {n} + 1?" for n in range(2, 9))]
    for outcomes in (one.batch(problems), asyncio.run(one.abatch(problems, max_concurrency=3)), asyncio.run(one.abatch([]))):
        shown = [type(o).__name__ if isinstance(o, Exception) else o.answer for o in outcomes]
        assert shown in (["2", "InputError", *map(str, range(3, 10))], [])


async def test_abatch_runs_so_many_at_once() -> None:
    one = ReasonFlux(FakeModel(delay=0.2), retriever=Shelf(), effort="low", strategy="direct")
    await one.asolve(PROBLEM)
    begun = time.monotonic()
    await one.abatch([PROBLEM] * 6, max_concurrency=6)
    assert time.monotonic() - begun < 1.0


def test_the_package_is_the_command() -> None:
    for module in ("reasonflux_agent", "reasonflux_agent.cli"):
        shown = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout == f"reasonflux {__version__}\n"


@pytest.mark.parametrize("model", ["", 5, b"vllm:x", ["vllm:x"], FakeModel], ids=repr)
@pytest.mark.parametrize("role", ["model", "navigator", "solver"])
def test_what_is_no_model_is_refused_at_construction(role: str, model: Any) -> None:
    with pytest.raises(SpecError, match=r"names no model|A model is a spec"):
        ReasonFlux(**{role: model})


def test_a_checkpointer_needs_a_thread_and_a_batch_has_none() -> None:
    kept = ReasonFlux(FakeModel(), checkpointer=InMemorySaver())
    with pytest.raises(InputError, match="needs a thread"):
        kept.solve("What is 3 + 4?")
    with pytest.raises(InputError, match="one run a thread"):
        kept.batch(["What is 3 + 4?", "What is 1 + 1?"], config={"configurable": {"thread_id": "t"}})


@pytest.mark.parametrize("given", [{"problems": "What is 3 + 4?"}, {"problems": ["1 + 1"], "max_concurrency": 0}], ids=str)
async def test_a_batch_takes_a_list(given: Any) -> None:
    with pytest.raises(InputError, match="a list of problems"):
        ReasonFlux(FakeModel()).batch(**given)
    with pytest.raises(InputError, match="a list of problems"):
        await ReasonFlux(FakeModel()).abatch(**given)
