"""Models and a retriever for tests of the graph. They are told by the node that asks, not by the wording of its prompt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, PrivateAttr

Reply = str | AIMessage | Exception
Line = Reply | list[Reply] | Callable[[str, int], Reply]
"""One reply for ever, a list (the last one for ever), or a function of the prompt and how often the node has asked."""

PLAN = "Kind: a test\n1. Look at it | find: alpha\n2. Work on it | find: beta\n3. End it"
GOOD: dict[str, Line] = {
    "plan": PLAN,
    "refine": "1. Look better | find: alpha\n2. Work better\n3. End better",
    "solve_step": "So it is \\boxed{7}.",
    "review": "ACCEPT",
    "answer": "It is \\boxed{7}.",
    "draft": lambda prompt, _: "```python\nprint(7)\n```" if "Python program" in prompt else "Thus \\boxed{7}.",
    "reason": "Thus \\boxed{7}.",
    "abstract": "Kind: a test\nConditions: none\n1. Look\n2. End",
    "analyse": "It is about seven.",
    "lay_out": PLAN,
    "adjust": PLAN,
    "instruct": "Do this.",
    "follow": "Done: \\boxed{7}.",
}
"""A reply for every node that asks: each run with it is solved, and the answer is 7."""


class Scripted(BaseChatModel):
    """Answers by the name of the node that asks; keeps what it was asked."""

    script: Any = None
    """`Line` of each node: those given, and GOOD for the rest."""
    delay: float = 0.0
    """Seconds that a call takes."""
    asked: list[tuple[str, str]] = Field(default_factory=list)
    """(node, prompt) of every call, in order."""
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, script: dict[str, Line] | None = None, **fields: Any) -> None:
        super().__init__(script={**GOOD, **(script or {})}, **fields)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def nodes(self) -> list[str]:
        """The nodes that asked, in order."""
        return [node for node, _ in self.asked]

    def prompts(self, node: str) -> list[str]:
        """What a node asked, in order."""
        return [prompt for name, prompt in self.asked if name == node]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        assert run_manager is not None
        prompt = "\n\n".join(message.text for message in messages)
        node = run_manager.metadata["reasonflux_node"]
        with self._lock:
            count = self.nodes.count(node)
            self.asked.append((node, prompt))
        time.sleep(self.delay)
        line = self.script[node]
        if isinstance(line, list):
            line = line[min(count, len(line) - 1)]
        reply = line(prompt, count) if callable(line) else line
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, str):
            reply = AIMessage(reply)
        read, written = len(prompt.split()), len(reply.text.split())
        usage: Any = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        return ChatResult(generations=[ChatGeneration(message=reply.model_copy(update={"usage_metadata": usage}))])


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


class Shelf(BaseRetriever):
    """Finds the templates whose word the query holds, or else one named after its last word; keeps the queries."""

    words: tuple[str, ...] = ()
    queries: list[str] = Field(default_factory=list)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        self.queries.append(query)
        keys = [word for word in self.words if word in query.split()] or [query.split()[-1]]
        return [Document(id=f"shelf/{key}", page_content=f"Template: {key}\n1. do {key}") for key in keys]
