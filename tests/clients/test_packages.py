"""Client packages that the development environment does not hold, against a real server: `make test-clients`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.testing import mathematician, serve_fake
from tests.serving.servers import Server, served

PYTHON = os.environ.get("REASONFLUX_TEST_CLIENTS", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="REASONFLUX_TEST_CLIENTS names no Python that has the clients")
HERE = Path(__file__).parent
SUM = "Adding the numbers gives $\\boxed{5}$."
ENVIRONMENT = {"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONUTF8": "1"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    def respond(prompt: str) -> str:
        return '{"value": 5}' if "JSON schema:" in prompt else mathematician(prompt)

    with serve_fake(respond) as upstream, served("--model", f"vllm:fake@{upstream}") as server:
        yield _url(server)


def _url(server: Server) -> str:
    return server.url


def run(*command: str, **env: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=ENVIRONMENT | env)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_litellm(url: str) -> None:
    found: dict[str, Any] = json.loads(run(PYTHON, str(HERE / "with_litellm.py"), url))
    assert [found[name] for name in ("text", "streamed", "asynchronous", "response")] == [SUM] * 4
    assert found["reasoning"].startswith("Trajectory\nKind: addition")
    assert found["streamed reasoning"] == found["reasoning"]
    assert found["tokens"] > 50
    assert json.loads(found["formed"]) == {"value": 5}


def test_openai_agents(url: str) -> None:
    found: dict[str, Any] = json.loads(run(PYTHON, str(HERE / "with_agents.py"), url))
    for name in ("responses", "chat"):
        got = found[name]
        assert "\\boxed{5}" in got["text"]
        assert got["told"] == got["streamed"] == got["text"]
        assert "\\boxed{42}" in got["again"]
        assert got["formed"] == 5
        assert got["tokens"] > 50


def test_llm(url: str, tmp_path: Path) -> None:
    """As its documentation has it: a model in `extra-openai-models.yaml`."""
    about = {"model_id": "rf", "model_name": "reasonflux-low", "api_base": url, "api_key_name": "rf"}
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([about]), encoding="utf-8")
    llm, own = str(Path(PYTHON).parent / "llm"), {"LLM_USER_PATH": str(tmp_path)}
    ask = (llm, "prompt", "-m", "rf", "--key", "unused", "Add 2 and 3.")
    assert run(*ask, "--no-stream", **own).strip() == SUM
    assert run(*ask, "-o", "temperature", "0.5", "-o", "max_tokens", "5", "-s", "Be brief.", **own).strip() == SUM
    assert "\\boxed{42}" in run(llm, "prompt", "-c", "What is 40 + 2?", "--key", "unused", **own)
