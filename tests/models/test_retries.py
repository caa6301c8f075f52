"""How often a call is tried, on which failures, and that docs/models.md says it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from reasonflux_agent.jobs.batch import actors, local, pace
from reasonflux_agent.models import retries
from reasonflux_agent.models.chat import ServerChat
from reasonflux_agent.models.retries import DOWNLOAD_TRIES, LONGEST, TRIES, WAIT, call_with_retries, retry_policy, transient
from reasonflux_agent.run import PARSE_TRIES
from reasonflux_agent.templates.embeddings import load_embeddings

DOCS = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
REQUEST = httpx.Request("POST", "http://127.0.0.1/")


def status(code: int) -> openai.APIStatusError:
    return openai.APIStatusError("no", response=httpx.Response(code, request=REQUEST), body=None)


class Failing:
    """A function that raises the errors in turn, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), list[float]()

    def __call__(self) -> str:
        self.calls.append(time.monotonic())
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WAIT", 0.05)


@pytest.mark.usefixtures("quick")
def test_a_call_is_tried_until_it_succeeds_with_growing_waits() -> None:
    call = Failing(ConnectionError("one"), status(503))
    assert call_with_retries(call) == "done"
    first, second = (after - before for before, after in zip(call.calls, call.calls[1:], strict=False))
    assert first >= 0.05
    assert second >= 0.1


@pytest.mark.usefixtures("quick")
def test_the_last_error_is_raised() -> None:
    call = Failing(*(ConnectionError(str(n)) for n in range(9)))
    with pytest.raises(ConnectionError, match=r"^2$"):
        call_with_retries(call)
    assert len(call.calls) == TRIES
    with pytest.raises(ConnectionError, match=r"^3$"):
        call_with_retries(call, 1)


@pytest.mark.parametrize("error", [status(400), TimeoutError(), ValueError(), openai.APITimeoutError(REQUEST)])
def test_what_would_fail_again_is_raised_at_once(error: Exception) -> None:
    call = Failing(error)
    with pytest.raises(type(error)):
        call_with_retries(call)
    assert len(call.calls) == 1


@pytest.mark.parametrize(("code", "worth"), [(408, True), (409, True), (429, True), (500, True), (529, True), (404, False)])
def test_which_statuses_are_worth_another_try(code: int, worth: bool) -> None:
    assert transient(status(code)) is worth


def documented() -> dict[str, int]:
    rows = re.findall(r"^\| (a[^|]+?) \| (\d+) \|", DOCS, re.MULTILINE)
    return {what: int(tries) for what, tries in rows}


def test_the_table_says_what_the_code_does() -> None:
    model: Any = ServerChat.connect("vllm:m", "m", ["http://127.0.0.1:9/v1"], api_key="none")
    endpoint: Any = load_embeddings("openai:m@http://127.0.0.1:9/v1")
    assert retries.retries_itself(model) is False
    assert documented() == {
        "a model call of the graph, `local:` and `vllm:`": retry_policy().max_attempts,
        "a model call of the graph, other providers": 1,
        "a model call of a builder of training data": TRIES,
        "an embeddings endpoint": endpoint._inner.max_retries + 1,
        "a model's file from the hub": DOWNLOAD_TRIES,
        "a wheel of the package index": 6,
        "a row of a batch, while the server is overloaded or gone": local.TRIES,
        "a row of a batch on Ray, whose process dies": actors.TRIES,
        "a reply that does not parse": PARSE_TRIES,
    }
    assert f"from {WAIT:g} seconds on" in DOCS
    assert f"for {pace.LONGEST:g} seconds at most" in DOCS
    assert pace.LONGEST == LONGEST
    policy = retry_policy()
    assert (policy.initial_interval, policy.backoff_factor, policy.retry_on) == (WAIT, retries.FACTOR, transient)
