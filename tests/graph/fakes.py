"""The shipped scripted model with a good reply for every node, and models that call tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from reasonflux_agent.testing import Line as Line
from reasonflux_agent.testing import ScriptedModel
from reasonflux_agent.testing import Shelf as Shelf

PLAN = "Kind: a test\n1. Look at it | find: alpha\n2. Work on it | find: beta\n3. End it"
GOOD: dict[str, Line] = {
    "plan": PLAN,
    "refine": "1. Look better | find: alpha\n2. Work better\n3. End better",
    "solve_step": "So it is \\boxed{7}.",
    "review": "ACCEPT",
    "answer": "It is \\boxed{7}.",
    "draft": lambda prompt, _: "```python\nprint(7)\n```" if "Python program" in prompt else "Thus \\boxed{7}.",
    "reason": lambda prompt, _: "```python\nprint(7)\n```" if "Python program" in prompt else "Thus \\boxed{7}.",
    "abstract": "Kind: a test\nConditions: none\n1. Look\n2. End",
    "analyse": "It is about seven.",
    "lay_out": PLAN,
    "adjust": PLAN,
    "instruct": "Do this.",
    "follow": "Done: \\boxed{7}.",
}
"""A reply for every node that asks: each run with it is solved, and the answer is 7."""


class Scripted(ScriptedModel):
    """Answers by the lines given, and by GOOD for the other nodes."""

    def __init__(self, script: dict[str, Line] | None = None, **fields: Any) -> None:
        super().__init__(script={**GOOD, **(script or {})}, **fields)


class Sampled(Scripted):
    """Is told how to sample, as `hf:` models are; keeps it."""

    drawn: list[tuple[str, float, int | None]] = Field(default_factory=list)
    """(node, temperature, seed) of every call, in order."""

    @property
    def _llm_type(self) -> str:
        return "reasonflux-transformers"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        assert run_manager is not None
        self.drawn.append((run_manager.metadata["reasonflux_node"], kwargs["temperature"], kwargs.get("seed")))
        return super()._generate(messages, stop, run_manager, **kwargs)


class Caller(BaseChatModel):
    """Calls the tools of its script, one after another, then repeats what the first of them answered."""

    script: list[tuple[str, dict[str, str]]]
    bound: list[str] = Field(default_factory=list)
    """The tools that it was given."""

    @property
    def _llm_type(self) -> str:
        return "caller"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        self.bound[:] = [tool.name for tool in tools]
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        answered = [message for message in messages if isinstance(message, ToolMessage)]
        if len(answered) < len(self.script):
            name, args = self.script[len(answered)]
            reply = AIMessage("", tool_calls=[{"name": name, "args": args, "id": str(len(answered))}])
        else:
            reply = AIMessage(answered[0].text)
        return ChatResult(generations=[ChatGeneration(message=reply)])
