"""Spec strings: which model they name, and what is said when they name none."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import InputError, SpecError
from reasonflux_agent.models import describe, load, load_model
from reasonflux_agent.testing import serve_fake
from tests.models.recorder import Recorder, reply, serving


def test_a_model_is_returned_as_it_is() -> None:
    model = GenericFakeChatModel(messages=iter([]))
    assert load_model(model) is model
    assert describe(model) == "GenericFakeChatModel"


def test_one_spec_is_one_object() -> None:
    assert load_model("vllm:a/b@http://h:1/v1") is load_model(" vllm:a/b@http://h:1/v1 ")
    assert load_model("vllm:a/b@http://h:1/v1") is not load_model("vllm:a/c@http://h:1/v1")


def test_the_example_of_the_docstring_runs() -> None:
    tried = doctest.testmod(load)
    assert (tried.failed, tried.attempted) == (0, 3)


def test_vllm_defaults_to_the_local_port() -> None:
    model = load_model("vllm:Qwen/Qwen3-8B")
    assert (model.urls, model.model_name) == (("http://localhost:8000/v1",), "Qwen/Qwen3-8B")  # type: ignore[attr-defined]
    assert describe(model) == "vllm:Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "''"),
        ("qwen2.5-coder-1.5b", "no 'KIND:' in front"),
        ("local:", "nothing after it"),
        ("local:qwen2.5-coder-15b", "did you mean 'local:qwen2.5-coder-1.5b'?"),
        ("local:no/such", "no known or imported model"),
        ("vlm:Qwen3", "did you mean 'vllm:Qwen3'?"),
        ("C:\\models\\m", "no provider 'C'"),
        ("vllm:m@http://", "is not an http(s) URL"),
        ("vllm:@http://h:1/v1", "names no model in front of the '@'"),
    ],
)
def test_a_wrong_spec_says_what_works(spec: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_model(spec)
    assert said in str(caught.value)
    for form in ("local:NAME", "qwen2.5-coder-1.5b", "smollm2-135m", "vllm:NAME@http://", "hf:", "openai:NAME"):
        assert form in str(caught.value)


def test_a_provider_without_its_package_or_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="pip install langchain-groq"):
        load_model("groq:any")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SpecError, match=r"(?s)'openai:gpt-x'.*refused.*Next: set"):
        load_model("openai:gpt-x")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert describe(load_model("openai:gpt-x")) == "ChatOpenAI(gpt-x)"


def test_local_paths_are_checked(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(InputError, match=r"no GGUF file: it begins with b'not '"):
        load_model(f"local:{tmp_path}/text.gguf")
    with pytest.raises(InputError, match="no file on this disk"):
        load_model(f"local:{tmp_path}/absent.gguf")


DOWN = (500, {"error": {"message": "down"}})


def test_each_server_is_asked_at_its_own_url() -> None:
    with serving(Recorder()) as one, serving(Recorder(), base="/two/v1") as two:
        model = load_model(f"vllm:m@{one.url},{two.url}/")
        for _ in range(4):
            model.invoke("hi")
        assert one.paths == ["/v1/chat/completions"] * 2
        assert two.paths == ["/two/v1/chat/completions"] * 2
        for server in (one, two):
            assert server.headers[0]["host"] in server.url
            assert not [name for name in server.headers[0] if "reasonflux" in name]


def test_several_servers_stand_in_for_one_another_in_a_solve() -> None:
    with serving(Recorder(DOWN)) as down, serve_fake() as up:
        flux = ReasonFlux(f"vllm:m@{down.url},{up}", effort="low", templates=0)
        assert [flux.solve("Add 2 and 3.").answer for _ in range(12)] == ["5"] * 12
    assert 0 < len(down.paths) <= 2  # then it is avoided


def test_the_vllm_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Recorder((200, reply("yes")))) as server:
        load_model(f"vllm:without@{server.url}").invoke("hi")
        monkeypatch.setenv("VLLM_API_KEY", "secret")
        load_model(f"vllm:with@{server.url}").invoke("hi")
    assert [headers["authorization"] for headers in server.headers] == ["Bearer EMPTY", "Bearer secret"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_opens_connections_of_its_own() -> None:
    with serving(Recorder()) as server:
        spec = f"vllm:m@{server.url}"
        code = (
            "import os; from reasonflux_agent.models import load_model\n"
            f"parent = load_model({spec!r}); parent.invoke('hi')\n"
            "pid = os.fork()\n"
            f"child = load_model({spec!r})\n"
            "if pid == 0:\n"
            "    os._exit(0 if child is not parent and child.invoke('hi').content == 'yes' else 1)\n"
            "assert child is parent\n"
            "assert os.waitpid(pid, 0)[1] == 0\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        assert len(server.bodies) == 2


def test_importing_the_module_imports_nothing_heavy() -> None:
    code = (
        "import sys, reasonflux_agent.models, reasonflux_agent.models.local.fetch, reasonflux_agent.models.local.server\n"
        "heavy = {'langchain_core', 'langchain_openai', 'openai', 'httpx', 'xllamacpp', 'numpy', 'torch', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"
