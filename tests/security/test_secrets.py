"""Keys and passwords: in nothing that is written, printed, logged, streamed, raised or served, whatever fails."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph.checkpoint.memory import InMemorySaver

from reasonflux_agent import Context, ReasonFlux, create_reasonflux
from reasonflux_agent.errors import DownloadError, InputError, ModelError, ReasonFluxError, SpecError, ThreadError, redacted
from reasonflux_agent.models import load_model
from reasonflux_agent.models.local.fetch import ensure
from reasonflux_agent.runs.threads import list_threads, open_checkpointer
from reasonflux_agent.testing import serve_fake
from tests.serving.servers import ENVIRONMENT, served, until

CANARY = "canary-5f2a9c71"
KEYS = {
    name: f"{CANARY}-{name.lower()}"
    for name in ("VLLM_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "LANGSMITH_API_KEY", "PGPASSWORD", "SOME_SERVICE_SECRET")
}
ON: Any = {"configurable": {"thread_id": "one"}}


class Rude(BaseHTTPRequestHandler):
    """Fails as the path says, and tells whoever listens what it was sent, key and all."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        said = f"Invalid key in 'Authorization: {self.headers['Authorization']}', that is {self.headers['Authorization'][7:]}"
        how = self.path.split("/")[1]
        if how == "silent":
            time.sleep(3)
        status = {"refuses": 401, "breaks": 500}.get(how, 200)
        body = json.dumps({"error": {"message": said}}) if status != 200 else f"<html>{said}</html>"
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if how == "html" else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def rude() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rude)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def written(folder: Path) -> str:
    """All bytes of all files."""
    return "\n".join(path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file())


def chain(error: BaseException | None) -> str:
    """An error as any handler could print it, with all that it was raised from."""
    printed = "".join(traceback.format_exception(error)) if error else ""
    while error:
        printed += f"\n{error!s}\n{error!r}"
        error = error.__cause__ or error.__context__
    return printed


FAILURES = [("vllm", how) for how in ("refuses", "breaks", "html", "malformed", "silent", "gone")]
FAILURES += [("openai", how) for how in ("refuses", "breaks")]


@pytest.mark.parametrize(("provider", "how"), FAILURES)
def test_a_run_that_fails(
    rude: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, how: str, provider: str
) -> None:
    caplog.set_level(logging.DEBUG)
    url = "http://127.0.0.1:9/v1" if how == "gone" else f"{rude}/{how}/{provider}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    if provider == "openai":
        from langchain_openai import ChatOpenAI

        model: Any = ChatOpenAI(model="gpt", max_retries=0)
    else:
        model = f"vllm:m@{url}"
    database, events = str(tmp_path / "threads.sqlite"), []
    with open_checkpointer(database) as saver:
        flux = ReasonFlux(
            model, record=tmp_path / "records", checkpointer=saver, templates=0, deadline=1.0 if how == "silent" else None
        )
        try:
            events = list(flux.stream("What is 3 + 4?", config=ON))
            failure = ""
        except ReasonFluxError as error:
            failure = chain(error)
        kept = str([*saver.list(None)])
    assert bool(failure) == (how != "silent")  # which the deadline ends with what there is
    for what in (failure, caplog.text, str(events), kept, written(tmp_path), str(list_threads(database))):
        assert CANARY not in what
    assert '"type": "call"' in written(tmp_path / "records")


def test_the_command_with_its_traceback(rude: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reasonflux_agent.cli", "solve", "What is 3 + 4?", "--model", f"vllm:m@{rude}/refuses/v1"]
    command += ["--record", str(tmp_path / "r"), "--thread", "t", "--checkpoints", str(tmp_path / "t.sqlite")]
    environment = {**ENVIRONMENT, **KEYS, "REASONFLUX_DEBUG": "1", "REASONFLUX_TEMPLATES": "0", "OPENAI_LOG": "debug"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 4
    assert "refused the key" in done.stderr
    assert CANARY not in done.stdout + done.stderr + written(tmp_path)


def test_the_server_and_its_page(rude: str, tmp_path: Path) -> None:
    """A client of ours is told why the model failed, and not with which key."""
    ask = {"model": "reasonflux-direct", "messages": [{"role": "user", "content": "What is 3 + 4?"}]}
    model = f"vllm:m@{rude}/refuses/v1"
    with served("--model", model, "--ui", "--record", str(tmp_path), REASONFLUX_TEMPLATES="0", **KEYS) as server:
        failed = httpx.post(f"{server.url}/chat/completions", json=ask, timeout=60)
        assert failed.status_code == 502
        stream = httpx.post(f"{server.url}/chat/completions", json={**ask, "stream": True}, timeout=60)
        begun = httpx.post(f"{server.root}/ui/", data={"problem": "What is 3 + 4?"}, timeout=60)
        place = f"{server.root}{begun.headers['location']}"
        assert until(lambda: 'role="alert"' in httpx.get(place).text, seconds=60)
        shown = [failed, stream, httpx.get(place), httpx.get(f"{place}/events"), httpx.get(f"{server.root}/ui/")]
        shown += [httpx.get(f"{server.root}/metrics"), httpx.get(f"{server.url}/models")]
        log = server.log.read_text()
    assert "refused the key" in failed.text
    for what in [*(f"{reply.headers}{reply.text}" for reply in shown), log, written(tmp_path)]:
        assert CANARY not in what


def test_the_servers_own_key(tmp_path: Path) -> None:
    key = f"{CANARY}-server"
    with (
        serve_fake() as url,
        served("--model", f"vllm:fake@{url}", "--record", str(tmp_path), REASONFLUX_API_KEY=key) as server,
    ):
        wrong = httpx.get(f"{server.url}/models", headers={"Authorization": f"Bearer {CANARY}-guess"})
        assert wrong.status_code == 401
        right = {"Authorization": f"Bearer {key}"}
        ask = {"model": "reasonflux-direct", "messages": [{"role": "user", "content": "What is 3 + 4?"}]}
        done = httpx.post(f"{server.url}/chat/completions", json=ask, headers=right, timeout=60)
        assert done.status_code == 200
        pages = wrong.text + done.text + httpx.get(f"{server.root}/metrics", headers=right).text
        assert CANARY not in pages + server.log.read_text() + written(tmp_path)


SECRET_URL = f"http://user:{CANARY}@127.0.0.1:9/v1"


@pytest.mark.parametrize("spec", [f"vllm:m@{SECRET_URL}", f"vllm:m@http://{CANARY}@127.0.0.1:9/v1"])
def test_a_spec_with_a_password_is_refused_before_it_is_written(tmp_path: Path, spec: str) -> None:
    with open_checkpointer(str(tmp_path / "t.sqlite")) as saver:
        flux = ReasonFlux("vllm:m@http://127.0.0.1:9/v1", record=tmp_path / "records", checkpointer=saver)
        with pytest.raises(InputError, match="A spec holds a user, password or token") as refused:
            flux.solve("What is 3 + 4?", config=ON, navigator=spec)
        assert CANARY not in str(refused.value)
        with pytest.raises(SpecError, match="A spec holds a user") as early:
            load_model(spec)
        assert CANARY not in chain(early.value)
        with pytest.raises(SpecError):
            ReasonFlux(spec, record=tmp_path / "records", checkpointer=saver).solve("What is 3 + 4?", config=ON)
    assert CANARY not in written(tmp_path)


SPECS = [
    f"vllm:m@{SECRET_URL}",
    f"vllm:m@http://{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@http://user:pass/{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@http://user:pass#{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@http://user:pass?{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@http://user:pass {CANARY}@127.0.0.1:9/v1",
    f"vllm:m@http://user:p@{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@HTTP://user:{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@user:{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@http://127.0.0.1:9/v1,http://user:{CANARY}@127.0.0.1:9/v1",
    f"vllm:m@http://127.0.0.1:9/v1?api_key={CANARY}",
    f"openai:gpt@https://user:{CANARY}@127.0.0.1:9/v1",
]
"""Ways to write a secret into a spec."""
GIVEN: Any = {"problem": "What is 3 + 4?"}


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("role", ["navigator", "solver"])
async def test_a_secret_in_a_spec_is_in_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, spec: str, role: str
) -> None:
    """However it is given: pydantic's errors, too, which LangGraph raises for the context of the bare graph."""
    caplog.set_level(logging.DEBUG)
    given: Any = {role: spec}
    url = "vllm:m@http://127.0.0.1:9/v1"
    with open_checkpointer(str(tmp_path / "t.sqlite")) as saver:
        graph = create_reasonflux(navigator=url).compile(saver)
        flux = ReasonFlux(url, record=tmp_path / "records", checkpointer=saver)
        monkeypatch.setenv(f"REASONFLUX_{role.upper()}", spec)
        ways: list[Any] = [
            lambda: Context(**given),
            lambda: Context.of(**given),
            lambda: Context.from_env(),
            lambda: Context.model_validate_json(json.dumps(given)),
            lambda: Context.of(**{role: [spec]}),
            lambda: Context.of(**{role: {"url": spec}}),
            lambda: ReasonFlux(**given),
            lambda: ReasonFlux(model=spec),
            lambda: create_reasonflux(**given),
            lambda: create_reasonflux(context=Context().model_copy(update=given)),
            lambda: graph.invoke(GIVEN, ON, context=given),
            lambda: graph.invoke(GIVEN, ON, context=Context().model_copy(update=given)),
            lambda: graph.invoke(GIVEN, {"configurable": {"thread_id": "one", "reasonflux": given}}),
            lambda: graph.invoke(GIVEN, {"configurable": {"thread_id": "one", "reasonflux": [spec]}}),
            lambda: list(graph.stream(GIVEN, ON, context={**given, "efort": spec})),
            lambda: flux.solve("What is 3 + 4?", config=ON, **given),
            lambda: list(flux.stream("What is 3 + 4?", config=ON, **given)),
        ]
        for number, way in enumerate(ways):
            with pytest.raises((ValueError, RuntimeError)) as refused:
                way()
            assert CANARY not in chain(refused.value), number
        assert CANARY not in str([*saver.list(None)])
    assert CANARY not in caplog.text + written(tmp_path)


def test_streams_of_tasks_do_not_show_the_model() -> None:
    """What `langgraph dev` sends of a task: a model's fields may hold a password, a proxy's for one."""
    from langchain_openai import ChatOpenAI

    with serve_fake() as url:
        base = url.replace("http://", f"http://user:{CANARY}@")
        model = ChatOpenAI(model="fake", base_url=base, default_headers={"X-Key": CANARY})
        graph = create_reasonflux(navigator=model).compile(InMemorySaver())
        modes: Any = ["debug", "tasks", "checkpoints", "values", "updates", "custom"]
        parts = list(graph.stream(GIVEN, ON, stream_mode=modes, subgraphs=True))
    shown = json.dumps(parts, default=lambda value: value.model_dump() if hasattr(value, "model_dump") else repr(value))
    assert '"model_call"' in shown
    assert CANARY not in shown + repr(parts)


@pytest.mark.parametrize("query", [f"user:{CANARY}@127.0.0.1:9/x", f"127.0.0.1:9/x?user=u&password={CANARY}"])
def test_a_database_that_is_not_there(query: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ThreadError, match="cannot be used") as failed:
        list_threads(f"postgresql://{query}")
    assert CANARY not in chain(failed.value)


def test_a_download_from_a_mirror_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", f"http://user:{CANARY}@127.0.0.1:9")
    with pytest.raises(DownloadError, match="could not be reached") as failed:
        ensure("owner/repo/file.gguf")
    assert CANARY not in chain(failed.value)


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{CANARY}@host:1/v1 failed",
        f"http://user:p@{CANARY}@host failed",
        f"http://user:p/{CANARY}@host failed",
        f"postgresql://h/db?password={CANARY}&x=1",
        f"api_key={CANARY} was refused",
        f"'Authorization: Bearer {CANARY}'",
        f"authorization: basic {CANARY}",
        f"the key sk-{CANARY}-0123456789 is wrong",
        f"{KEYS['SOME_SERVICE_SECRET']} came back",
    ],
)
def test_what_is_redacted(text: str) -> None:
    assert CANARY not in redacted(text)
    assert CANARY not in str(ModelError(text))


@pytest.mark.parametrize(
    "text",
    [
        "Basic arithmetic is the bearer of truth",
        "postgresql://USER@HOST/NAME",
        "http://127.0.0.1:8000/v1",
        "a@b",
        "tokens: 5",
        "",
    ],
)
def test_what_is_left_as_it_is(text: str) -> None:
    assert redacted(text) == text


def test_an_empty_variable_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "none", "EMPTY"):
        monkeypatch.setenv("VLLM_API_KEY", value)
        assert redacted("none of the EMPTY sets") == "none of the EMPTY sets"


def test_grading_workers_and_programs_see_no_environment() -> None:
    from reasonflux_agent.verify.grading import pool
    from reasonflux_agent.verify.programs import run_program

    assert not {name for name in pool._ENVIRONMENT if name in KEYS}
    for code in ("import os\nprint(os.environ)", "import os\nprint(os.getenv('VLLM_API_KEY'))", "import sys\nprint(vars(sys))"):
        result = run_program(code)
        assert CANARY not in result.output + (result.error or "")
    assert os.environ["VLLM_API_KEY"].startswith(CANARY)
