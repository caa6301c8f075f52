"""How a server ends: what clients with a run under way get, what is on standard error, and when the process is gone."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from reasonflux_agent.runs.record import read_record
from reasonflux_agent.testing import mathematician, serve_fake
from tests.serving.mcp_server import ENV
from tests.serving.servers import until

SHORT = "import reasonflux_agent.cli as c; import reasonflux_agent.cli.serve as s; s.DRAIN_SECONDS = 1; c.main()"
"""The command, with a shorter time for runs under way: the tests shall not wait for 20 s each."""
PROBLEM = "Add 2 and 3."


@dataclass
class Slow:
    """A `respond` that answers at once what `quick` matches, and otherwise not before it is let go."""

    quick: str
    asked: int = 0
    go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, prompt: str) -> str:
        if not re.search(self.quick, prompt.rsplit("Problem:", 1)[-1]):
            self.asked += 1
            self.go.wait(120)
        return mathematician(prompt)


@contextmanager
def started(verb: str, upstream: str, *args: str, program: str = SHORT) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """A verb that serves, at its default effort: its address, its process, its log."""
    env = {name: value for name, value in ENV.items() if name != "REASONFLUX_DIRECT_SAMPLES"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-c", program, verb, "--port", "0", "--model", f"vllm:fake@{upstream}", *args]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=folder)
        try:
            address = re.compile(r" on (http://[\d.]+:\d+)/")
            assert until(lambda: bool(address.search(log.read_text())) or process.poll() is not None)
            found = address.search(log.read_text())
            assert found, log.read_text()
            yield found[1], process, log
        finally:
            process.kill()
            process.wait()


def end(process: subprocess.Popen[bytes], log: Path, how: signal.Signals, code: int, seconds: float) -> None:
    """Sends the signal; the process ends with `code` in time, and says nothing of its insides."""
    began = time.monotonic()
    process.send_signal(how)
    assert process.wait(60) == code, log.read_text()
    assert time.monotonic() - began < seconds, log.read_text()
    assert "Traceback" not in log.read_text()
    assert "Exception" not in log.read_text()


def ask(url: str, stream: bool, model: str = "reasonflux-navigator") -> tuple[int, str]:
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": PROBLEM}]}
    reply = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)
    return reply.status_code, reply.text


class Asking(threading.Thread):
    """A client in a thread of its own."""

    def __init__(self, *given: Any) -> None:
        super().__init__(daemon=True)
        self.given, self.reply = given, (0, "")
        self.start()

    def run(self) -> None:
        self.reply = ask(*self.given)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["reasonflux-navigator", "reasonflux-navigator-high", "reasonflux-navigator-auto"])
def test_the_best_answer_so_far_is_what_is_left_when_time_is_up(stream: bool, model: str, tmp_path: Path) -> None:
    slow = Slow(quick=r"Python program")  # the draft by a program; all else hangs
    with serve_fake(slow) as upstream, started("serve", upstream, "--record", str(tmp_path)) as (url, process, log):
        client = Asking(url, stream, model)
        assert until(lambda: slow.asked >= (1 if model.endswith("auto") else 2))
        time.sleep(0.5)
        end(process, log, signal.SIGTERM, 0, 10)
        client.join(10)
        status, text = client.reply
        assert status == 200
        if stream:
            *events, done = [row.removeprefix("data: ") for row in text.split("\n\n") if row.startswith("data: ")]
            assert done == "[DONE]"
            last = json.loads(events[-1])
            content = json.loads(events[-2])["choices"][0]["delta"]["content"]
        else:
            last = json.loads(text)
            content = last["choices"][0]["message"]["content"]
        assert last["choices"][0]["finish_reason"] == "length"
        about = last["reasonflux"]
        assert (about["answer"], about["status"], about["reason"]) == ("5", "exhausted", "the server was told to end")
        assert "5" in content
        assert read_record(tmp_path / f"{about['run']}.jsonl").solution is not None
        slow.go.set()


@pytest.mark.parametrize("stream", [False, True])
def test_without_an_answer_it_is_an_error(stream: bool) -> None:
    slow = Slow(quick="^$")
    with serve_fake(slow) as upstream, started("serve", upstream, "--max-concurrency", "1") as (url, process, log):
        client = Asking(url, stream)
        assert until(lambda: slow.asked >= 3)
        queued = Asking(url, stream)
        time.sleep(0.5)
        end(process, log, signal.SIGTERM, 0, 10)
        for one in (client, queued):
            one.join(10)
            status, text = one.reply
            if stream and one is client:
                assert status == 200
                *_, last, done = text.strip().split("\n\n")
                assert done == "data: [DONE]"
                text = last.removeprefix("data: ")
            else:
                assert status == 503
            error = json.loads(text)["error"]
            assert error["code"] == "server_shutting_down"
            assert "The server was told to end" in error["message"]
        slow.go.set()


def test_ctrl_c_drains_too_and_a_second_one_does_not_wait() -> None:
    slow = Slow(quick="^$")
    with serve_fake(slow) as upstream, started("serve", upstream) as (url, process, log):
        client, whole = Asking(url, True), Asking(url, False)
        assert until(lambda: slow.asked >= 6)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        end(process, log, signal.SIGINT, 130, 5)
        client.join(10)
        *_, last, done = client.reply[1].strip().split("\n\n")
        assert done == "data: [DONE]"
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "server_shutting_down"
        whole.join(10)
        assert (whole.reply[0], json.loads(whole.reply[1])["error"]["code"]) == (503, "server_shutting_down")
        slow.go.set()


def test_the_run_page_ends_though_it_is_open_and_its_run_goes_on_later(tmp_path: Path) -> None:
    slow = Slow(quick="^$")
    with (
        serve_fake(slow) as upstream,
        started("ui", upstream, "--no-browser", "--record", str(tmp_path)) as (url, process, log),
    ):
        place = httpx.post(f"{url}/ui/", data={"problem": PROBLEM}, timeout=60).headers["location"]
        with httpx.stream("GET", f"{url}{place}/events", timeout=60) as events:
            rows = events.iter_lines()
            assert next(rows) == "event: sections"
            assert until(lambda: slow.asked >= 3)
            end(process, log, signal.SIGTERM, 0, 8)
            assert "event: end" not in list(rows)  # whole, and the page asks again until a server is up
        slow.go.set()
    slow.go.set()
    with serve_fake() as upstream, started("ui", upstream, "--no-browser", "--record", str(tmp_path)) as (url, _, _):
        assert httpx.post(f"{url}{place}/resume").status_code == 303
        assert until(lambda: "The run has ended" in httpx.get(f"{url}{place}").text)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_mcp_server_answers_with_the_best_so_far(mode: str) -> None:
    client = pytest.importorskip("mcp.client", reason="the extra mcp is not installed")
    slow = Slow(quick="Python program")
    with serve_fake(slow) as upstream, started("mcp", upstream, "--transport", "http") as (url, process, log):
        async with client.Client(f"{url}/mcp", mode=mode) as met:
            await met.list_tools()  # as clients do first; the SDK's would else do so before it gives the result
            call = asyncio.create_task(met.call_tool("reason", {"problem": PROBLEM}))
            assert await asyncio.to_thread(until, lambda: slow.asked >= 2)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(end, process, log, signal.SIGTERM, 0, 15)
            said = (await call).content[0].text
        assert "Answer: 5 (" in said
        assert "the server was told to end" in said
        slow.go.set()


STUBBORN = """
import threading, time
from typing import Any
from reasonflux_agent.runs.runner import Runner
from reasonflux_agent.serving.app import create_app
from reasonflux_agent.serving.server import listen, run
from reasonflux_agent.testing import FakeModel
runner = Runner(navigator=FakeModel(delay=300))
listener = listen("127.0.0.1", 0)
print(f"Serving on http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)
run(create_app(runner), listener, patience=1, late=lambda: runner.end("the server was told to end"))
"""


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_in_this_process_that_cannot_be_stopped_keeps_no_server_up(stream: bool) -> None:
    with started("", "", program=STUBBORN) as (url, process, log):
        client = Asking(url, stream)
        time.sleep(3)
        end(process, log, signal.SIGTERM, 0, 14)
        client.join(10)
        assert "told to end" in client.reply[1]
