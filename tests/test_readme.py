"""README and docs: Python runs as it stands but for the model, commands have the options that they are shown with, extras and
linked files exist. The blocks of a page of docs/ are run beside what they show; `RUN_BY` says where."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reasonflux_agent.cli import app
from reasonflux_agent.testing import serve_fake
from tests.serving.mcp_server import COMMAND, ENV
from tests.serving.servers import served

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name != "LOG.md")]
RUN_BY = {
    "langchain.md": "tests/tools/test_docs.py",
    "langgraph.md": "tests/embedding/test_docs.py",
    "mcp.md": "tests/serving/test_mcp_docs.py",
    "serving.md": "tests/serving/test_docs.py",
    "studio.md": "tests/graphs/test_studio.py",
    "durability.md": "tests/threads/test_threads.py",
    "record.md": "tests/record/test_document.py",
    "lm-eval.md": "tests/test_readme.py",
    "grading.md": "tests/grading/test_examples.py",
    "retrieval.md": "tests/retrieval/test_docs.py",
    "learning.md": "tests/learning/test_docs.py",
    "feedback.md": "tests/learning/test_records.py",
    "interchange.md": "tests/templates/test_docs.py",
}
"""Page of docs/ with Python in it -> the test that runs it."""
BLOCKS = re.findall(r"^### ([^\n]+)\n(?:(?!^##).)*?```python\n(.*?)```", README, re.DOTALL | re.MULTILINE)
PLAN = """Kind: modular arithmetic
1. Use Fermat's Little Theorem to simplify the problem | find: Fermat's Little Theorem
2. Apply the theorem to 7^2026 | find: remainder using Fermat's Little Theorem"""
SOLUTION = r"""Notice that \(2026 = 4 \times 506 + 2\). [...]

So, the remainder when \(7^{2026}\) is divided by 5 is \(\boxed{4}\)."""
"""What the default model wrote, shortened."""


def recorded(prompt: str) -> str:
    return PLAN if "Do not solve" in prompt.rsplit("Task:", 1)[-1] else SOLUTION


def run(block: str) -> list[str]:
    """The lines that a block prints."""
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_each_section_shows_its_code() -> None:
    assert [title for title, _ in BLOCKS] == ["Python", "LangGraph", "LangChain", "OpenAI clients"]
    assert README.count("```python") == len(BLOCKS)


@pytest.mark.parametrize(("title", "block"), BLOCKS, ids=[title for title, _ in BLOCKS])
def test_a_block_prints_what_it_says(title: str, block: str) -> None:
    said = re.findall(r"^# (.*)", block, re.MULTILINE)
    assert said
    with serve_fake(recorded) as url:
        model = f"vllm:fake@{url}"
        if title == "OpenAI clients":
            with served("--model", model) as server:
                assert run(block.replace("http://127.0.0.1:8400/v1", server.url)) == said
        else:
            assert run(block.replace("local:qwen2.5-coder-1.5b", model)) == said


@pytest.mark.parametrize(
    ("effort", "verdict", "planned"),
    [
        ("", "agreed: 2 of 2 solutions", True),
        (', effort="auto"', "agreed: 3 of 3 solutions", True),
        (", trajectories=0", "single: one solution, nothing confirms it", False),
    ],
)
def test_the_lines_of_python_hold_at_other_efforts(effort: str, verdict: str, planned: bool) -> None:
    """Where no planned attempt was made, `solution.plan.steps` is empty."""
    block = dict(BLOCKS)["Python"]
    with serve_fake(recorded) as url:
        answer, steps = run(block.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}").replace(', effort="low"', effort))
    assert answer == f"4 - {verdict}"
    assert steps.count("7^2026") == planned


def test_the_mcp_block_starts_a_server() -> None:
    pytest.importorskip("mcp.client", reason="the extra mcp is not installed")
    from mcp import Client, StdioServerParameters

    (block,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    (given,) = json.loads(block)["mcpServers"].values()
    assert given["command"] == "reasonflux"

    async def names() -> set[str]:
        command, *before = COMMAND[:-1]  # without `mcp`
        async with Client(StdioServerParameters(command=command, args=[*before, *given["args"]], env=ENV)) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    assert asyncio.run(names()) == {"reason", "search_templates", "check_answer"}


def test_make_studio_is_what_is_tested() -> None:
    """tests/graphs/test_studio.py starts this server with these switches."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shown = subprocess.run(["make", "-n", "studio"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m langgraph_cli dev --no-browser" in shown
    assert {"LANGGRAPH_CLI_NO_ANALYTICS=1", "LANGGRAPH_NO_VERSION_CHECK=true", "LANGSMITH_TRACING=false"} < set(shown.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_a_page_is_run_by_a_test(page: Path) -> None:
    if page.parent.name == "docs" and "```python" in page.read_text(encoding="utf-8"):
        test = ROOT / RUN_BY[page.name]
        assert page.name in test.read_text(encoding="utf-8")


@pytest.mark.harness
def test_the_block_of_lm_eval_runs(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "lm-eval.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "math500.jsonl").write_text(json.dumps({"problem": "What is 3 + 4?", "answer": "7"}) + "\n", encoding="utf-8")
    with serve_fake() as url:
        block = block.replace("http://host:8000/v1", url).replace('"rows"', repr(str(tmp_path)))
        assert "'acc,none': 1.0" in "\n".join(run(block))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_the_options_that_they_are_shown_with(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ").splitlines()
    shown += re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in shown:
        found = re.match(r"(?:.*&& )?(?:[A-Z_]+=\S+ )*reasonflux (.+)", re.sub(r"(\w)\|[\w|]+", r"\1", " ".join(line.split())))
        args = shlex.split(found[1], comments=True) if found else []
        if args and args[0] != "lm-eval":  # those options are the harness's
            done = CliRunner().invoke(app, [*args, "--help"])
            assert done.exit_code == 0, (line, done.output)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_extras_and_linked_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    extras = ",".join(re.findall(r"(?:reasonflux-agent|-e \"?\.)\[([\w,]+)\]", text)).split(",")
    assert set(filter(None, extras)) <= known.keys()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
