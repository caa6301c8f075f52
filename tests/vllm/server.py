"""The real server of the tests in this folder, and its own view of what it did."""

from __future__ import annotations

import os
import re
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from reasonflux_agent.models import CallOptions, Reply, call_kwargs, read_reply
from reasonflux_agent.schema import Usage

URL = os.environ.get("REASONFLUX_TEST_VLLM_URL", "")
NAME = os.environ.get("REASONFLUX_TEST_VLLM_MODEL", "")
SPEC = f"vllm:{NAME}@{URL}"
ADAPTER = os.environ.get("REASONFLUX_TEST_VLLM_ADAPTER", "")
"""Name of a LoRA adapter that the server serves beside the model."""
DEAD = "vllm:gone@http://127.0.0.1:9/v1"

MARKS = [
    pytest.mark.vllm,
    pytest.mark.skipif(not URL, reason="REASONFLUX_TEST_VLLM_URL is unset; .ci/vllm.sh starts a server and sets it"),
]


def ask(model: BaseChatModel, prompt: str, **options: Any) -> Reply:
    given = CallOptions(**{"max_tokens": 64, "temperature": 0.0, **options})
    message = model.invoke(prompt, **call_kwargs(model, given))
    assert isinstance(message, AIMessage)
    return read_reply(message)


def metric(name: str) -> int:
    """One of the server's own counts, summed over its labels."""
    root = urlsplit(URL)
    text = httpx.get(f"{root.scheme}://{root.netloc}/metrics").text
    values = re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.MULTILINE)
    assert values, f"the server's metrics have no {name}"
    return int(sum(map(float, values)))


class Spent:
    """Counts what the server did since this object was made."""

    metrics = {
        "calls": "vllm:request_success_total",
        "prompt_tokens": "vllm:prompt_tokens_total",
        "cached_tokens": "vllm:prefix_cache_hits_total",
        "completion_tokens": "vllm:generation_tokens_total",
    }

    def __init__(self) -> None:
        self.before = {key: metric(name) for key, name in self.metrics.items()}

    def __call__(self) -> dict[str, int]:
        return {key: metric(name) - self.before[key] for key, name in self.metrics.items()}

    def must_be(self, ours: Usage) -> None:
        """Fails unless the server's own counters agree; they may lag a moment behind the reply."""
        expected = ours.model_dump(exclude={"seconds"})
        limit = time.monotonic() + 5
        while (seen := self()) != expected and time.monotonic() < limit:
            time.sleep(0.1)
        assert seen == expected


def usage(reply: Reply) -> Usage:
    return Usage(
        calls=1,
        prompt_tokens=reply.prompt_tokens,
        cached_tokens=reply.cached_tokens,
        completion_tokens=reply.completion_tokens,
    )


def idle(within: float = 10.0) -> None:
    """Fails unless the server has nothing to do any more within so many seconds."""
    limit = time.monotonic() + within
    while (running := metric("vllm:num_requests_running")) and time.monotonic() < limit:
        time.sleep(0.1)
    assert running == 0
