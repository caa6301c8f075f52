"""`reasonflux models check`: what it finds out about servers that can all, lack something, or are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from reasonflux_agent.errors import SpecError
from reasonflux_agent.jobs.check import CHECKS, Checked, Finding, check_model
from reasonflux_agent.testing import FakeModel, serve_fake
from tests.models.recorder import Recorder, reply, serving

NAMES = [check.name for check in CHECKS]


class Capable(Recorder):
    """A server that can do all that is asked of it, but for what it `lacks`."""

    def __init__(self, *lacks: str) -> None:
        super().__init__()
        self.lacks = lacks
        self.cards = [{"id": "m", "object": "model", "max_model_len": 2048 if "context" in lacks else 8192}]
        self.seen: set[str] = set()

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        prompt = body["messages"][-1]["content"]
        if "serves this model" in self.lacks:
            return 404, {"error": {"message": "The model does not exist."}}
        if body.get("tools") and "tool calls" in self.lacks:
            return 400, {"error": {"message": '"auto" tool choice requires --enable-auto-tool-choice'}}
        if "Count upwards from 5" in prompt and "several at once" in self.lacks:
            return 503, {"error": {"message": "too many"}}
        text, finish = "red green blue 4, 5, 6", "stop"
        if "find:" in str(body["messages"]):
            text = "Well." if "plans in form" in self.lacks else "Kind: sums\n1. Add them | find: sums"
        if "answers" in self.lacks:
            text = ""
        if "100" in prompt and "token limit" not in self.lacks:
            finish = "length"
        if body.get("response_format") and "JSON schema" not in self.lacks:
            text = '{"even": true, "kind": "number"}'
        if body.get("stop") and "stop strings" not in self.lacks:
            text = text.partition("5")[0]
        if "seed" in body:
            self.seen.add(text := f"Felix {len(self.seen) if 'seed' in self.lacks else body['seed']}")
        logprobs = [-0.5] if body.get("logprobs") and "log-probabilities" not in self.lacks else None
        done = reply(text, finish, logprobs)
        if body.get("tools"):
            call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
            done["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
        if "reasoning apart" in self.lacks:
            done["choices"][0]["message"]["content"] = f"<think>hm</think>{text}"
        if "usage counted" in self.lacks or ("streams with usage" in self.lacks and body.get("stream")):
            done["usage"] = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        if "cached tokens" in self.lacks:
            done["usage"] = {**done["usage"], "prompt_tokens_details": None}
        return 200, done


def checked(server: Recorder) -> Checked:
    (one,) = check_model(f"vllm:m@{server.url}", at_once=6, timeout=10)
    assert one.server == server.url
    return one


def failed(one: Checked) -> dict[str, Finding]:
    return {finding.check: finding for finding in one.findings if finding.ok is False}


def test_a_server_that_can_all() -> None:
    with serving(Capable()) as server:
        one = checked(server)
    assert [finding.check for finding in one.findings] == NAMES
    assert not failed(one)
    assert one.ok
    found = {finding.check: finding for finding in one.findings}
    assert found["reasoning apart"].ok is None  # it shows none
    assert found["context"].found == "8192 tokens"
    assert found["cached tokens"].found == "32 of 40 prompt tokens, asked a second time"
    assert not any(finding.fix for finding in one.findings if finding.ok)
    assert len(server.bodies) < 25


ALONG = {"usage counted": {"streams with usage", "cached tokens"}, "answers": set(), "serves this model": set()}
"""What a server lacks too that lacks this."""


@pytest.mark.parametrize("lack", [name for name in NAMES if name != "reachable"])
def test_what_a_server_lacks_is_found_with_what_to_set(lack: str) -> None:
    (check,) = (check for check in CHECKS if check.name == lack)
    with serving(Capable(lack)) as server:
        one = checked(server)
    assert set(failed(one)) - ALONG.get(lack, set()) == {lack}, failed(one)
    assert failed(one)[lack].fix == check.fix
    assert one.ok is not check.needed
    assert (len(one.findings) < len(NAMES)) == (lack in ("answers", "serves this model"))


def test_a_name_that_is_not_served_is_answered_with_those_that_are() -> None:
    with serving(Capable("serves this model")) as server:
        server.cards[0]["id"] = "Qwen/Qwen3-8B"
        found = failed(checked(server))["serves this model"]
    assert found.found == "no 'm'; it serves: 'Qwen/Qwen3-8B'"
    assert "--lora-modules" in found.fix


def test_an_adapter_is_named_with_its_base() -> None:
    with serving(Capable()) as server:
        server.cards.append({"id": "m", "object": "model", "parent": "base"})
        assert checked(server).findings[1].found == "m, an adapter of base"


def test_a_model_that_thinks_first_gets_the_tokens_for_it() -> None:
    class Thinker(Capable):
        def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            status, done = super().answer(body)
            done["choices"][0]["message"]["reasoning"] = "hm"
            return status, done

    with serving(Thinker()) as server:
        one = checked(server)
    assert not failed(one)
    assert next(finding for finding in one.findings if finding.check == "reasoning apart").found == "in a field of its own"
    assert max(body.get("max_tokens", 0) for body in server.bodies) == 1024


def test_each_of_several_servers_is_checked() -> None:
    with serving(Capable()) as one, serving(Capable("seed")) as two:
        both = check_model(f"vllm:m@{one.url},{two.url}")
    assert [list(failed(server)) for server in both] == [[], ["seed"]]


def test_a_model_without_a_server_is_checked_too() -> None:
    (one,) = check_model(FakeModel())
    assert one.server == "FakeModel"
    assert {"token limit", "log-probabilities", "tool calls", "seed"} <= set(failed(one))
    assert {"answers", "usage counted", "plans in form", "streams with usage"}.isdisjoint(failed(one))
    assert not one.ok


def test_a_spec_that_is_none() -> None:
    with pytest.raises(SpecError, match="no 'KIND:' in front"):
        check_model("nothing")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reasonflux_agent.cli", "models", "check", *args]
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, check=False)


def test_the_command_shows_a_line_a_check_and_ends_with_0_or_1() -> None:
    with serving(Capable("cached tokens")) as server:
        good = run(f"vllm:m@{server.url}")
    assert (good.returncode, good.stderr) == (0, "")
    assert f"\n{server.url}\n" in f"\n{good.stdout}"
    lines = good.stdout.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("cached tokens"))
    assert lines[at].split()[2] == "missing"
    assert lines[at + 1] == "  on the server: --enable-prefix-caching --enable-prompt-tokens-details"
    assert "The graph can use it; missing that would help: 1;" in good.stdout

    with serve_fake() as url:  # heeds no token limit
        bad = run(f"vllm:fake@{url}", "--json")
    assert bad.returncode == 1
    told = json.loads(bad.stdout)
    assert told["ok"] is False
    assert told["servers"][0]["server"] == url
    assert {f["check"] for f in told["servers"][0]["findings"] if f["ok"] is False and f["needed"]} == {"token limit"}


def test_a_server_that_is_not_there() -> None:
    gone = run("vllm:m@http://127.0.0.1:9/v1")
    assert gone.returncode == 1
    assert "Traceback" not in gone.stdout + gone.stderr
    assert "FAILS" in gone.stdout
    assert "Connection refused" in gone.stdout
    assert "The graph cannot use it" in gone.stdout
    assert "answers" not in gone.stdout
    assert run("gibberish").returncode == 2


@pytest.mark.local_model
def test_the_embedded_server_can_all_that_the_graph_needs() -> None:
    (one,) = check_model("local:smollm2-135m", at_once=4)
    assert one.ok, failed(one)
    can = {finding.check for finding in one.findings if finding.ok}
    assert {"cached tokens", "log-probabilities", "JSON schema", "stop strings", "seed"} <= can


def test_the_group_answers_to_its_old_name_too() -> None:
    from typer.testing import CliRunner

    from reasonflux_agent.cli import app

    for group in ("models", "model"):
        done = CliRunner().invoke(app, [group, "--help"])
        assert done.exit_code == 0
        assert all(verb in done.output for verb in ("check", "list", "pull", "path"))
