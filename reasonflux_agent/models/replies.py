"""A model's reply, read from LangChain's message of any provider."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

_THOUGHT = re.compile(r"<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Reply:
    """What a model answered."""

    text: str
    """The reply without its thought."""
    reasoning: str
    """The server's reasoning field, or the text between <think> and </think>."""
    truncated: bool
    """Whether the token limit cut the reply."""
    prompt_tokens: int
    cached_tokens: int
    """The part of `prompt_tokens` that the server took from its prefix cache."""
    completion_tokens: int
    logprob: float | None
    """Mean log-probability per completion token; None if the server gives none."""


def read_reply(message: AIMessage) -> Reply:
    """Read `message`, whichever provider made it. Counts that are missing or no numbers are 0.

    If a reply is nothing but a thought that ends in a boxed answer, that box is its text.
    """
    text, thought = _split_thought(_paired(str(message.text)))
    reasoning = message.additional_kwargs.get("reasoning_content") or ""
    if not reasoning and not isinstance(message.content, str):
        blocks = (block for block in message.content_blocks if block["type"] == "reasoning")
        reasoning = "\n".join(str(block.get("reasoning", "")) for block in blocks)
    reasoning = "\n".join(part for part in (_paired(str(reasoning)), thought) if part)
    about = message.response_metadata
    ends = {str(about.get(key)).lower() for key in ("finish_reason", "stop_reason", "done_reason")}
    usage: Any = message.usage_metadata or {}
    tokens = (about.get("logprobs") or {}).get("content") or []
    logprobs = [token["logprob"] for token in tokens if token.get("logprob") is not None]
    return Reply(
        text=text if text.strip() else _boxed(reasoning) or text,
        reasoning=reasoning,
        truncated=bool(ends & {"length", "max_tokens"}),
        prompt_tokens=_count(usage.get("input_tokens")),
        cached_tokens=_count(usage.get("input_token_details", {}).get("cache_read")),
        completion_tokens=_count(usage.get("output_tokens")),
        logprob=sum(logprobs) / len(logprobs) if logprobs else None,
    )


def _boxed(thought: str) -> str:
    """The box of a thought's final answer; empty if the answer stands in none."""
    from reasonflux_agent.verify.grading import extract_answer

    answer = extract_answer(thought) if "\\boxed" in thought else None
    stated = answer and re.search(rf"\\boxed\s*\{{\s*{re.escape(answer)}\s*\}}", thought)
    return f"\\boxed{{{answer}}}" if stated else ""


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _split_thought(text: str) -> tuple[str, str]:
    """(reply, thought). A chat template that opens the thought itself leaves only `</think>` in the text (DeepSeek)."""
    rest = text.lstrip()
    if not rest.startswith("<think>"):
        thought, closed, rest = text.partition("</think>")
        return (rest.lstrip(), thought.strip()) if closed and "<think>" not in thought else (text, "")
    thoughts, at = [], 0
    while found := _THOUGHT.match(rest, at):
        thoughts.append(found[1].strip())
        at = found.end()
    return rest[at:], "\n".join(thoughts)


def _paired(text: str) -> str:
    """The text with surrogate pairs joined that came in two pieces, and without single halves, which cannot be encoded."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
