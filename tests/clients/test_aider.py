"""aider against a real server, in a real repository: `make test-clients`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reasonflux_agent.testing import mathematician, serve_fake
from tests.serving.servers import served

COMMAND = os.environ.get("REASONFLUX_TEST_AIDER", "")
pytestmark = pytest.mark.skipif(not COMMAND, reason="REASONFLUX_TEST_AIDER names no aider")
BAD, GOOD = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"
ARGUMENTS = ("--yes-always", "--no-check-update", "--no-show-model-warnings", "--analytics-disable", "--no-gitignore")


def test_aider_edits_commits_and_asks(tmp_path: Path) -> None:
    prompts: list[str] = []

    def respond(prompt: str) -> str:
        prompts.append(prompt)
        if "Git commit messages" in prompt:
            return "fix: add instead of subtracting"
        return f"It must add.\n\nadd.py\n```\n{GOOD}```\n" if "*file listing*" in prompt else mathematician(prompt)

    own = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONUTF8": "1"}
    own |= {"GIT_AUTHOR_NAME": "a", "GIT_COMMITTER_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_EMAIL": "a@b.c"}
    repository = tmp_path / "repository"
    repository.mkdir()

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=280, env=own)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("git", "init", "--quiet")
    (repository / "add.py").write_text(BAD)
    run("git", "add", "add.py")
    run("git", "commit", "--quiet", "--message", "begin")
    with serve_fake(respond) as upstream, served("--model", f"vllm:fake@{upstream}") as server:
        aider = (COMMAND, *ARGUMENTS, "--model", "openai/reasonflux", "--openai-api-base", server.url, "--openai-api-key", "x")
        said = run(*aider, "--message", "The function subtracts; mend it.", "add.py")
        assert "Applied edit to add.py" in said
        assert (repository / "add.py").read_text() == GOOD
        assert run("git", "log", "-1", "--format=%s").strip() == "fix: add instead of subtracting"
        assert len(prompts) == 2  # a plain call each: no plan, no vote over what changes a file
        said = run(*aider, "--chat-mode", "ask", "--message", "Add 2 and 3.")
        assert "Collect the numbers" in said  # a question is a problem, and its reasoning is shown
        assert "\\boxed{5}" in said.split("ANSWER")[-1]
