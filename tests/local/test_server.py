"""The embedded server with a real, small model. REASONFLUX_TEST_LOCAL=1 fetches it where it is missing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import openai
import pytest
from langchain_core.language_models import BaseChatModel

from reasonflux_agent.errors import ModelError
from reasonflux_agent.models import CallOptions, Reply, call_kwargs, load_model, model_error, read_reply
from reasonflux_agent.models.local.fetch import ensure
from reasonflux_agent.models.local.server import CONTEXT, serve
from reasonflux_agent.models.loops import loops

pytestmark = pytest.mark.local_model
SPEC = "local:smollm2-135m"
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model() -> BaseChatModel:
    return load_model(SPEC)


def ask(model: BaseChatModel, text: str, options: CallOptions) -> Reply:
    return read_reply(model.invoke(text, **call_kwargs(model, options)))


def test_a_reply_its_usage_and_its_probability(model: BaseChatModel) -> None:
    got = ask(model, "Say hello.", CallOptions(max_tokens=12, temperature=0.0, logprobs=True))
    assert got.text.strip()
    assert got.prompt_tokens > 5
    assert 0 < got.completion_tokens <= 12
    assert got.truncated == (got.completion_tokens == 12)
    assert got.logprob is not None
    assert -10 < got.logprob <= 0


def test_the_common_beginning_of_prompts_is_cached(model: BaseChatModel) -> None:
    shared = "A shop sells apples and pears. " * 20
    ask(model, shared + "One.", CallOptions(max_tokens=1))
    got = ask(model, shared + "Two.", CallOptions(max_tokens=1))
    assert got.cached_tokens > 0.8 * got.prompt_tokens


def test_a_schema_binds_the_reply(model: BaseChatModel) -> None:
    got = ask(model, "What is 17 + 5?", CallOptions(max_tokens=60, temperature=1.0, schema=SCHEMA))
    value = json.loads(got.text)
    assert isinstance(value["answer"], int)
    assert isinstance(value["sure"], bool)


def test_a_stop_string_ends_the_reply(model: BaseChatModel) -> None:
    options = CallOptions(max_tokens=40, temperature=0.0)
    whole = ask(model, "Write a sentence about the sea.", options).text
    word = whole.split()[3]
    cut = ask(model, "Write a sentence about the sea.", CallOptions(max_tokens=40, temperature=0.0, stop=(word,)))
    assert cut.text == whole[: whole.index(word)]
    assert not cut.truncated


def test_a_reply_that_repeats_itself_is_cut_off(model: BaseChatModel) -> None:
    prompt, options = "Write a poem of one hundred lines about a cat and a hat.", CallOptions(max_tokens=700, temperature=0.0)
    through = model.model_copy(update={"cut_loops": False})
    assert ask(through, prompt, options).completion_tokens == 700
    got = ask(model, prompt, options)
    assert loops(got.text)
    assert got.truncated
    assert got.completion_tokens < 500
    assert got.prompt_tokens > 20


def test_what_the_prompt_holds_may_be_copied(model: BaseChatModel) -> None:
    """The sampler does not see the prompt: a passage of more than 40 tokens comes out as it stands there."""
    passage = "one two three four five six seven eight nine ten " * 3
    copied = CallOptions(max_tokens=40, temperature=0.0)
    asked = f"Repeat after me: {passage}\n{passage}\n{passage}"
    assert "one two three four five six seven eight nine ten" in ask(model, asked, copied).text


def test_a_seed_repeats_a_sample(model: BaseChatModel) -> None:
    def sample(seed: int) -> str:
        return ask(model, "Invent a name.", CallOptions(max_tokens=16, temperature=1.5, seed=seed)).text

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(5)}) > 1


def test_several_requests_at_once(model: BaseChatModel) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda n: ask(model, f"Count to {n}.", CallOptions(max_tokens=20)), range(4)))
    assert all(reply.completion_tokens > 0 for reply in replies)


def test_a_prompt_that_does_not_fit_is_said(model: BaseChatModel) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(model, "word " * (CONTEXT + 500), CallOptions(max_tokens=1))
    text = str(model_error(model, caught.value))
    assert SPEC in text
    assert "refused a prompt that its context does not hold" in text
    assert f"{CONTEXT} tokens" in text


def test_a_cancelled_request_frees_its_slot(model: BaseChatModel) -> None:
    server = serve(ensure("smollm2-135m"))

    def busy() -> bool:
        head = {"Authorization": f"Bearer {server.key}"}
        slots = httpx.get(f"{server.url}/slots", headers=head, trust_env=False, timeout=60).json()
        return any(slot["is_processing"] for slot in slots)

    async def cancelled() -> None:
        call = asyncio.create_task(model.ainvoke("Write a long story.", max_tokens=3000, logit_bias={"2": -100}))
        while not await asyncio.to_thread(busy):
            await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancelled())
    since = time.monotonic()
    while busy():
        assert time.monotonic() - since < 30, "the slot is still busy half a minute after its request was cancelled"
        time.sleep(2)  # llama.cpp looks for hung-up clients after a second in which it answered nobody


def test_strangers_are_refused(model: BaseChatModel) -> None:
    server = serve(ensure("smollm2-135m"))
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    assert httpx.post(f"{server.url}/v1/chat/completions", json=body, trust_env=False).status_code == 401
    assert httpx.get(f"{server.url}/metrics", trust_env=False).status_code == 401


def test_a_file_that_does_not_load_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(ensure("smollm2-135m").read_bytes()[:2_000_000])
    with pytest.raises(ModelError, match=r"asked to load .*broken\.gguf and did not: .*Next: check the file"):
        load_model(f"local:{broken}")


def test_a_server_that_died_is_said_and_started_again() -> None:
    code = (
        "from reasonflux_agent.models import load_model, model_error\n"
        "from reasonflux_agent.models.local import server\n"
        f"model = load_model({SPEC!r})\n"
        f"assert load_model({SPEC!r}) is model\n"
        "(_, process), = server._running.values()\n"
        "process.kill(); process.wait()\n"
        "try: model.invoke('hi', max_tokens=1)\n"
        "except Exception as error: print(model_error(model, error))\n"
        f"print(load_model({SPEC!r}).invoke('hi', max_tokens=1).usage_metadata['output_tokens'])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    said, tokens = ran.stdout.splitlines()
    assert "could not be reached" in said
    assert "starts anew" in said
    assert tokens == "1"


def test_the_environment_sets_how_many_requests_are_decoded_at_once() -> None:
    code = (
        "import httpx\n"
        "from reasonflux_agent.errors import InputError\n"
        "from reasonflux_agent.models.local.fetch import ensure\n"
        "from reasonflux_agent.models.local.server import serve\n"
        "try:\n"
        "    at = serve(ensure('smollm2-135m'))\n"
        "    print(httpx.get(f'{at.url}/props', headers={'Authorization': f'Bearer {at.key}'}).json()['total_slots'])\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )

    def said(slots: str, **more: str) -> str:
        there = os.environ | {"REASONFLUX_SLOTS": slots, **more}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=there, capture_output=True, text=True, timeout=120, check=True).stdout

    assert said("3") == "3\n"
    assert said("many") == "REASONFLUX_SLOTS='many': the requests that a local: model decodes at once are 1 to 256.\n"
    threads = "REASONFLUX_THREADS='0': the threads that a local: model computes with are 1 to 256.\n"
    assert said("3", REASONFLUX_THREADS="0") == threads
    assert said("3", REASONFLUX_THREADS="1") == "3\n"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("given", "found"),
    [({}, {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}), ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"})],
)
def test_threads_wait_asleep_unless_the_user_says_otherwise(given: dict[str, str], found: dict[str, str]) -> None:
    code = (
        "from reasonflux_agent.models import load_model\n"
        "from reasonflux_agent.models.local import server\n"
        f"load_model({SPEC!r})\n"
        "(_, process), = server._running.values()\n"
        "print(open(f'/proc/{process.pid}/environ').read().replace(chr(0), chr(10)))\n"
    )
    names = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY")
    there = {name: value for name, value in os.environ.items() if name not in names} | given
    ran = subprocess.run([sys.executable, "-c", code], env=there, capture_output=True, text=True, timeout=120, check=True)
    set_to = dict(line.split("=", 1) for line in ran.stdout.splitlines() if line.startswith(names))
    assert set_to == found


@contextmanager
def llama(**settings: object) -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    """The server's process with its standard input, to which the settings went, and its output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reasonflux_agent.models.local.llama"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"path": str(ensure("smollm2-135m")), "slots": 1, "key": "key", **settings}) + "\n")
        process.stdin.flush()
        yield process, process.stdin, process.stdout
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_for_former_prompts_is_bounded() -> None:
    def grown(prompts: int) -> int:
        """MB by which the server's own memory grows over ten prompts of 500 tokens that have nothing in common."""
        with llama(context=1024, threads=len(os.sched_getaffinity(0)), prompts=prompts) as (process, _, output):
            url = json.loads(output.readline())["url"]
            status, used = Path(f"/proc/{process.pid}/status"), list[int]()
            for number in range(11):
                body = {"prompt": f"{number} " * 250, "n_predict": 1}
                httpx.post(
                    f"{url}/completion", json=body, headers={"Authorization": "Bearer key"}, timeout=60
                ).raise_for_status()
                used.append(int(status.read_text().split("RssAnon:")[1].split()[0]) // 1000)
            return used[-1] - used[0]

    assert grown(32) < 60 < 90 < grown(8192)


@pytest.mark.parametrize("busy", [False, True])
def test_the_server_ends_with_its_process(busy: bool) -> None:
    code = (
        "import threading, time\n"
        "from reasonflux_agent.models import load_model\n"
        "from reasonflux_agent.models.local import server\n"
        f"model = load_model({SPEC!r})\n"
        "(_, process), = server._running.values()\n"
        "print(process.pid, flush=True)\n"
        f"if {busy}:\n"
        "    def call():\n"
        "        try: model.invoke('Write a long story.', max_tokens=3000, logit_bias={'2': -100})\n"
        "        except Exception: pass\n"
        "    threading.Thread(target=call, daemon=True).start()\n"
        "    time.sleep(1)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(ran.stdout), 0)


def test_the_server_ends_when_its_process_is_killed() -> None:
    code = (
        "import os, signal\n"
        "from reasonflux_agent.models import load_model\n"
        "from reasonflux_agent.models.local import server\n"
        f"load_model({SPEC!r})\n"
        "(_, process), = server._running.values()\n"
        "print(process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    for _ in range(100):
        try:
            state = Path(f"/proc/{int(ran.stdout)}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":  # ended, and waiting for whoever adopted it
            return
        time.sleep(0.1)
    pytest.fail("the server outlives its process")


def test_the_server_ends_when_its_process_is_killed_while_the_model_loads() -> None:
    with llama(context=512, threads=1, prompts=0) as (process, given, output):
        given.close()
        output.close()  # both, as the kernel does for a process that was killed
        assert process.wait(60) == 0
