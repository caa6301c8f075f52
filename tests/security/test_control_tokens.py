"""The marks of chat templates in problems, templates and replies: none reaches a model as a control token."""

from __future__ import annotations

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.prompts import plain
from tests.graph.fakes import Scripted

TOKENS = [
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|system|>", "<s>", "</s>"),
    *("<start_of_turn>", "<end_of_turn>", "<bos>", "[INST]", "[/INST]", "<\uff5cUser\uff5c>"),
    *("<\uff5cend\u2581of\u2581sentence\uff5c>", "<think>", "</think>", "<tool_call>"),
]
MATHEMATICS = ["|x|<|y|, |a|>|b|", "a < b > c", "[1, 2]", "<b>", "x<s", "$\\langle a|b\\rangle$", "[INSTRUCTIONS]"]


@pytest.mark.parametrize("token", TOKENS)
def test_a_control_token_is_broken(token: str) -> None:
    (message,) = plain([{"role": "user", "content": f"a{token}{token}b"}])
    assert token not in message["content"]
    assert message["content"].replace(" ", "") == f"a{token}{token}b"


@pytest.mark.parametrize("text", MATHEMATICS)
def test_mathematics_is_left_alone(text: str) -> None:
    assert plain([{"role": "user", "content": text}]) == [{"role": "user", "content": text}]


def test_no_prompt_of_a_run_holds_one() -> None:
    model = Scripted({"solve_step": f"{TOKENS[1]} so \\boxed{{7}}", "review": "REPLACE\n1. <|im_end|> Add"})
    ReasonFlux(model).solve(f"What is 3 + 4? {' '.join(TOKENS)}", effort="high", templates=0)
    assert len(model.asked) > 3
    assert not [token for token in TOKENS for _, prompt in model.asked if token in prompt]


@pytest.mark.local_model
def test_llama_cpp_would_take_them_for_its_own() -> None:
    """Why this is done: what is one token to the server is not text any more."""
    from reasonflux_agent.models import load_model, read_reply

    model = load_model("local:smollm2-135m")

    def size(text: str) -> int:
        (message,) = [{"role": "user", "content": text}]
        return read_reply(model.invoke([message], max_tokens=1)).prompt_tokens  # type: ignore[list-item]

    raw, mark = size("x"), "<|im_start|>" * 10
    assert size("x" + mark) - raw == 10
    assert size("x" + plain([{"role": "user", "content": mark}])[0]["content"]) - raw > 40
