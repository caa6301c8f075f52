"""`langgraph dev`, started as a user starts it and driven with langgraph-sdk: what Studio draws and does.

The models are served by the shipped fake. The server's way out is a proxy that nobody may use.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from reasonflux_agent import Context
from reasonflux_agent.testing import mathematician, serve_fake

pytestmark = pytest.mark.studio
CHECKOUT = Path(__file__).parents[2]
PROBLEM = {"problem": "What is 3 + 4?"}


@dataclass
class Studio:
    """A running `langgraph dev`."""

    url: str
    log: Path
    prompts: list[str]
    """What the models were asked."""
    outside: list[bytes]
    """What the server wanted from the network."""

    @property
    def client(self) -> Any:
        return get_client(url=self.url)


@dataclass
class Proxy:
    """A listener that keeps what it is asked for and answers nothing."""

    socket: socket.socket
    asked: list[bytes] = field(default_factory=list)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.asked.append(connection.recv(4096))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    pytest.importorskip("langgraph_api")
    folder, prompts = tmp_path_factory.mktemp("studio"), list[str]()
    shutil.copytree(CHECKOUT / "graphs", folder / "graphs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "langgraph.json", folder)
    (folder / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "0"\n')  # "." is a dependency of langgraph.json

    def respond(prompt: str) -> str:
        prompts.append(prompt)
        time.sleep(0.05)
        return mathematician(prompt)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serve_fake(respond) as models, socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener)
        threading.Thread(target=proxy.serve, daemon=True).start()
        env = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
        env, count = re.subn(r"(?m)^REASONFLUX_NAVIGATOR=.*$", f"REASONFLUX_NAVIGATOR=vllm:fake@{models}", env)
        assert count == 1
        env += "\nREASONFLUX_MAX_TOKENS=777\nREASONFLUX_DEADLINE=555\n"
        (folder / ".env").write_text(env, encoding="utf-8")
        way_out = f"http://127.0.0.1:{listener.getsockname()[1]}"
        switches = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "HTTP_PROXY": way_out, "HTTPS_PROXY": way_out, "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
        log = folder / "log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [*command, "--n-jobs-per-worker", "8"],
                cwd=folder,
                env={**os.environ, **switches},
                stdout=output,
                stderr=output,
            )
            try:
                _wait(f"http://127.0.0.1:{port}/ok", server, log)
                yield Studio(f"http://127.0.0.1:{port}", log, prompts, proxy.asked)
            finally:
                server.terminate()
                server.wait(30)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError(f"the server did not come up: {log.read_text()[-3000:]}")


async def _assistant(studio: Studio, graph: str) -> str:
    (assistant,) = await studio.client.assistants.search(graph_id=graph)
    return str(assistant["assistant_id"])


def _question(state: Any) -> dict[str, Any]:
    (interrupt,) = state["__interrupt__"]
    return dict(interrupt["value"])


# What Studio draws


@pytest.mark.parametrize("graph", ["solve", "review", "tutor"])
async def test_the_forms_have_titles_choices_and_descriptions(studio: Studio, graph: str) -> None:
    schemas = await studio.client.assistants.get_schemas(await _assistant(studio, graph))
    inputs, context = schemas["input_schema"]["properties"], schemas["context_schema"]["properties"]
    assert inputs["messages"]["type"] == "array"
    assert ("problem" in inputs) == (graph != "tutor")
    assert context.keys() == Context.model_fields.keys()
    assert context["effort"]["enum"] == ["low", "medium", "high", "auto"]
    assert context["granularity"]["enum"] == ["whole", "step"]
    assert all(field["title"] and field["description"] for field in context.values())


@pytest.mark.parametrize(
    ("graph", "nodes"),
    [
        ("solve", {"begin", "restate", "draft", "plan", "retrieve", "refine", "solve_step", "review", "answer", "verify"}),
        ("review", {"approve", "judge", "plan", "solve_step", "verify"}),
        ("tutor", {"model", "tools"}),
    ],
)
async def test_the_graphs_are_drawn_with_their_nodes(studio: Studio, graph: str, nodes: set[str]) -> None:
    drawn = await studio.client.assistants.get_graph(await _assistant(studio, graph), xray=True)
    assert nodes <= {str(node["id"]).rpartition(":")[2] for node in drawn["nodes"]}
    if graph != "tutor":  # LangChain's agent draws that one
        assert all(edge["data"] for edge in drawn["edges"] if edge.get("conditional"))
        assert {"planned attempts", "may refer to earlier turns"} <= {edge.get("data") for edge in drawn["edges"]}


# Runs


async def test_a_run_is_streamed_in_every_mode(studio: Studio) -> None:
    client, context = studio.client, {"direct_samples": 0, "stream_calls": True}
    modes = ["values", "updates", "messages-tuple", "custom", "debug", "tasks", "checkpoints"]
    thread = await client.threads.create()
    seen: dict[str, list[Any]] = {}
    async for part in client.runs.stream(
        thread["thread_id"], "solve", input=PROBLEM, context=context, stream_mode=modes, stream_subgraphs=True
    ):
        seen.setdefault(part.event.partition("|")[0], []).append(part.data)
    assert "error" not in seen
    assert {"values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"} <= seen.keys()
    events = [event["type"] for event in seen["custom"] if event["type"] != "call"]
    assert events == ["begin", "plan", "templates", "step", "candidate", "review", "solution"]
    tokens = [
        (labels["reasonflux_node"], chunk["content"]) for chunk, labels in seen["messages"] if "reasonflux_node" in labels
    ]
    assert "".join(text for node, text in tokens if node == "solve_step") == "Adding the numbers gives $\\boxed{7}$."
    state = await client.threads.get_state(thread["thread_id"])
    assert (state["values"]["solution"]["answer"], state["next"]) == ("7", [])


@pytest.mark.parametrize("effort", ["low", "high", "auto"])
@pytest.mark.parametrize("granularity", ["whole", "step"])
async def test_no_node_blocks_the_servers_loop(studio: Studio, effort: str, granularity: str) -> None:
    context = {"effort": effort, "granularity": granularity}
    state = await studio.client.runs.wait(None, "solve", input=PROBLEM, context=context)
    assert state["solution"]["answer"] == "7"
    assert "locking call" not in studio.log.read_text()


async def test_several_threads_at_once_keep_apart(studio: Studio) -> None:
    async def one(number: int) -> str:
        thread = await studio.client.threads.create()
        given = {"messages": [{"role": "user", "content": f"What is {number} + 100?"}]}
        state = await studio.client.runs.wait(thread["thread_id"], "solve", input=given)
        return str(state["solution"]["answer"])

    assert await asyncio.gather(*map(one, range(8))) == [str(100 + n) for n in range(8)]


async def test_a_context_that_does_not_fit_is_an_error_of_that_run(studio: Studio) -> None:
    state = await studio.client.runs.wait(None, "solve", input=PROBLEM, context={"effort": "huge"}, raise_error=False)
    assert "effort" in str(state["__error__"])


async def _begun(studio: Studio, graph: str, **given: Any) -> dict[str, Any]:
    """The context that a run has, by its first event."""
    async for part in studio.client.runs.stream(
        None, graph, input=PROBLEM, stream_mode="custom", stream_subgraphs=True, **given
    ):
        if part.event.partition("|")[0] == "custom" and part.data["type"] == "begin":
            return dict(part.data["context"])
    raise AssertionError("the run did not begin")


@pytest.mark.parametrize("graph", ["solve", "review"])
async def test_a_run_has_the_settings_of_the_environment_where_its_context_sets_none(studio: Studio, graph: str) -> None:
    """The server gives every run a context, an empty one where the caller gives none."""
    given: list[Any] = [{}, {"context": {}}, {"context": {"effort": "low"}}, {"context": {"max_tokens": 555, "seed": None}}]
    given += [{"config": {"configurable": {"reasonflux": {"effort": "low"}}}}]
    seen = [await _begun(studio, graph, **how) for how in given]
    assert [(c["max_tokens"], c["deadline"], c["effort"]) for c in seen] == [
        (777, 555, "medium"),
        (777, 555, "medium"),
        (777, 555, "low"),
        (555, 555, "medium"),
        (777, 555, "low"),
    ]


GONE = "vllm:m@http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("given", "context", "name", "said"),
    [
        (PROBLEM, {"navigator": GONE, "solver": GONE}, "ModelError", "could not be reached"),
        (PROBLEM, {"solver": "nonsense"}, "SpecError", "'nonsense' names no model"),
        ({"problem": " "}, {}, "InputError", "There is no problem to solve"),
        ({"messages": [{"role": "assistant", "content": "Hello."}]}, {}, "InputError", "There is no problem to solve"),
        (PROBLEM, {"navigator": "hf:nobody/nothing"}, "MissingExtraError", "pip install"),
    ],
)
async def test_an_error_says_what_to_do(studio: Studio, given: Any, context: Any, name: str, said: str) -> None:
    state = await studio.client.runs.wait(None, "solve", input=given, context=context, raise_error=False)
    assert state["__error__"]["error"] == name
    assert said in state["__error__"]["message"]


async def test_a_password_in_a_spec_is_in_no_reply_and_in_no_log(studio: Studio) -> None:
    told = ""
    for spec in ("vllm:m@http://me:hunter2@127.0.0.1:9/v1", "vllm:m@me:hunter2@127.0.0.1:9/v1"):
        for how in ({"context": {"navigator": spec}}, {"config": {"configurable": {"reasonflux": {"solver": spec}}}}):
            given: Any = {"input": PROBLEM, **how}
            state = await studio.client.runs.wait(None, "solve", raise_error=False, **given)
            assert "A spec holds a user, password or token" in state["__error__"]["message"]
            told += str(state)
            async for part in studio.client.runs.stream(None, "solve", stream_mode=["debug", "tasks", "values"], **given):
                told += str(part) if part.event != "metadata" else ""
    assert "hunter2" not in told + studio.log.read_text()


async def test_the_state_is_edited_at_every_checkpoint(studio: Studio) -> None:
    client = studio.client
    for graph in ("solve", "review"):
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, graph, input=PROBLEM)
        history = await client.threads.get_history(thread, limit=100)
        assert len(history) >= 3
        for state in history:
            node = "__start__" if "begin" in state["next"] else "begin"
            await client.threads.update_state(thread, {"exhausted": ""}, as_node=node, checkpoint=state["checkpoint"])
    # and a problem that is put in is solved
    edited = await client.threads.update_state(
        thread, {"problem": "What is 4 + 5?"}, as_node="begin", checkpoint=history[0]["checkpoint"]
    )
    state = await client.runs.wait(thread, "solve", input=None, checkpoint=edited["checkpoint"])
    assert state["solution"]["answer"] == "9"


async def _run(studio: Studio, thread: str, given: Any = None, graph: str = "solve", **how: Any) -> tuple[list[Any], Any]:
    """A run as an agent chat UI makes it: the messages that its stream shows, and the last state."""
    parts = studio.client.runs.stream(
        thread, graph, input=given, stream_mode=["values", "messages-tuple"], stream_subgraphs=True, **how
    )
    messages, values = list[Any](), None
    async for part in parts:
        assert part.event != "error", part.data
        if part.event.partition("|")[0] == "messages":
            messages.append(part.data[0])
        elif part.event == "values":
            values = part.data
    return messages, values


async def test_a_chat_shows_final_messages_alone_and_keeps_its_thread(studio: Studio) -> None:
    thread = (await studio.client.threads.create())["thread_id"]
    for text, answer in (("What is 3 + 4?", "7"), ("now add 10 to that", "17"), ("What is 2 + 2?", "4")):
        said = {"messages": [{"id": f"said {answer}", "type": "human", "content": text}]}
        (shown,), values = await _run(studio, thread, said)
        final = values["messages"][-1]
        assert (shown["id"], shown["content"]) == (final["id"], final["content"])
        assert (final["type"], values["solution"]["answer"]) == ("ai", answer)
        assert values["messages"][-2] | said["messages"][0] == values["messages"][-2]
    assert [message["type"] for message in values["messages"]] == ["human", "ai"] * 3


async def test_a_problem_leaves_a_human_message(studio: Studio) -> None:
    thread = (await studio.client.threads.create())["thread_id"]
    (shown,), values = await _run(studio, thread, PROBLEM)
    assert [(message["type"], message["content"]) for message in values["messages"]] == [
        ("human", PROBLEM["problem"]),
        ("ai", shown["content"]),
    ]


@pytest.mark.parametrize("effort", ["low", "medium"])
async def test_each_checkpoint_is_forked_by_an_update_and_runs_to_its_end(studio: Studio, effort: str) -> None:
    """As Studio's edit button does it, for a first problem and for a follow-up, which is restated again where that is due."""
    client, how = studio.client, {"context": {"effort": effort}}
    thread = (await client.threads.create())["thread_id"]
    await _run(studio, thread, {"messages": [{"role": "user", "content": "What is 3 + 4?"}]}, **how)
    await _run(studio, thread, {"messages": [{"role": "user", "content": "now add 10 to that"}]}, **how)
    forks, by = 0, {"attempt": "begin", "draft": "begin", "restate": "begin", "verify": "attempt", "begin": "__start__"}
    for state in await client.threads.get_history(thread, limit=100):
        due = state["next"][0] if state["next"] else "end"
        edits: list[tuple[Any, set[str]]] = [({"problem": "What is 4 + 5?"}, {"9"}), ({"exhausted": ""}, {"7", "17"})]
        # an ended run has nothing to go on with; a message that is not read yet is a problem itself
        edits = edits[:1] if due == "end" else edits[1:] if due == "begin" else edits
        for edit, answers in edits if due != "__start__" else ():  # that one is gone on from by the input itself
            node = by.get(due, "verify")
            fork = await client.threads.update_state(thread, edit, as_node=node, checkpoint=state["checkpoint"])
            _, values = await _run(studio, thread, None, checkpoint=fork["checkpoint"], **how)
            assert values["solution"]["answer"] in answers, (state["next"], edit)
            forks += 1
    assert forks >= 10


# A person


async def test_an_agent_chat_ui_answers_the_question_in_its_own_form(studio: Studio) -> None:
    thread = (await studio.client.threads.create())["thread_id"]
    given = {"messages": [{"id": "1", "type": "human", "content": "What is 3 + 4?"}]}
    shown, values = await _run(studio, thread, given, "review")
    assert shown == []
    (request,), (config,) = (_question(values)[name] for name in ("action_requests", "review_configs"))
    assert request["args"]["trajectory"].splitlines()[0] == "1. Collect the numbers | find: adding integers"
    assert config == {"action_name": request["name"], "allowed_decisions": ["approve", "edit", "reject"]}
    edited = {"name": request["name"], "args": {"trajectory": "1. Add them at once"}}
    decisions = [{"type": "edit", "edited_action": edited}]
    (final,), values = await _run(studio, thread, None, "review", command={"resume": {"decisions": decisions}})
    assert final["id"] == values["messages"][-1]["id"]
    assert [step["purpose"] for step in values["solution"]["plan"]["steps"]] == ["Add them at once"]


async def test_a_trajectory_is_edited_and_the_run_goes_on(studio: Studio) -> None:
    client = studio.client
    thread = (await client.threads.create())["thread_id"]
    asked = _question(await client.runs.wait(thread, "review", input=PROBLEM))
    assert asked["question"] == "plan"
    state = await client.threads.get_state(thread)
    assert state["next"] == ["attempt"]
    assert state["interrupts"][0]["value"] == asked
    again = _question(await client.runs.wait(thread, "review", command={"resume": {"action": "nonsense"}}))
    assert "Input should be 'approve'" in again["error"]
    steps = [*reversed(asked["steps"]), {"purpose": "Say it aloud", "query": "sum of integers"}]
    told = len(studio.prompts)
    state = await client.runs.wait(thread, "review", command={"resume": {"action": "edit", "steps": steps}})
    purposes = [step["purpose"] for step in state["solution"]["plan"]["steps"]]
    assert purposes == ["Add them", "Collect the numbers", "Say it aloud"]
    assert "3. Say it aloud" in studio.prompts[told]


async def test_a_review_is_answered_when_the_context_asks_for_it(studio: Studio) -> None:
    client, context = studio.client, {"ask_at_reviews": True}
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "review", input=PROBLEM, context=context)
    asked = _question(await client.runs.wait(thread, "review", command={"resume": "approve"}, context=context))
    assert (asked["question"], asked["review"]["verdict"]) == ("review", "accept")
    steps = asked["steps"]
    steps[-1]["work"] = "By hand: \\boxed{8}."
    state = await client.runs.wait(thread, "review", command={"resume": {"action": "edit", "steps": steps}}, context=context)
    assert state["solution"]["answer"] == "8"


async def test_a_run_is_forked_from_an_earlier_checkpoint(studio: Studio) -> None:
    client = studio.client
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "review", input=PROBLEM)
    state = await client.threads.get_state(thread, subgraphs=True)
    question = state["tasks"][0]["state"]["checkpoint"]
    state = await client.runs.wait(thread, "review", command={"resume": "approve"})
    assert state["solution"]["status"] == "answered"
    state = await client.runs.wait(thread, "review", command={"resume": "stop"}, checkpoint=question)
    assert state["solution"]["status"] == "exhausted"
    assert len(await client.threads.get_history(thread, limit=100)) > 4


async def test_a_checkpoint_before_the_attempt_plans_anew(studio: Studio) -> None:
    client = studio.client
    thread = (await client.threads.create())["thread_id"]
    first = await client.runs.wait(thread, "solve", input=PROBLEM, context={"effort": "low"})
    (before,) = [s for s in await client.threads.get_history(thread, limit=100) if s["next"] == ["attempt"]]
    told = len(studio.prompts)
    again = await client.runs.wait(thread, "solve", input=None, checkpoint=before["checkpoint"], context={"effort": "low"})
    assert again["solution"]["answer"] == first["solution"]["answer"]
    assert len(studio.prompts) == told + 2  # plan and solution, and what came before them is kept


async def test_the_tutor_refuses_a_model_that_calls_no_tool(studio: Studio) -> None:
    given = {"messages": [{"role": "user", "content": "What is 3 + 4?"}]}
    state = await studio.client.runs.wait(None, "tutor", input=given, raise_error=False)
    assert state["__error__"]["error"] == "ModelError"
    assert "called none" in state["__error__"]["message"]


def test_the_block_of_the_docs_runs(studio: Studio) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (CHECKOUT / "docs" / "studio.md").read_text("utf-8"), re.DOTALL)
    assert "http://127.0.0.1:2024" in block
    program = block.replace("http://127.0.0.1:2024", studio.url)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["['Collect the numbers', 'Add them']", "7"]


def test_nothing_leaves_the_machine(studio: Studio) -> None:
    """Last in this file: after all that the tests above did."""
    assert studio.outside == []
