"""What models are writing at this moment: a record holds finished calls alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

JSON = dict[str, Any]


class Drafts(BaseCallbackHandler):
    """Follows the model calls of a run while they are under way, in `drafts`: call -> its node and what it wrote so far."""

    run_inline = True

    def __init__(self, drafts: dict[UUID, tuple[str, str]]) -> None:
        self._drafts = drafts

    def on_chat_model_start(
        self, serialized: JSON, messages: list[list[BaseMessage]], *, run_id: UUID, metadata: JSON | None = None, **_: Any
    ) -> None:
        """A call begins."""
        if metadata and "reasonflux_node" in metadata:
            self._drafts[run_id] = metadata["reasonflux_node"], ""

    def on_llm_new_token(self, token: str | list[Any], *, run_id: UUID, **_: Any) -> None:
        """A piece of its reply."""
        if run_id in self._drafts and isinstance(token, str):
            node, text = self._drafts[run_id]
            self._drafts[run_id] = node, text + token

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """It ended."""
        self._drafts.pop(run_id, None)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """It failed."""
        self._drafts.pop(run_id, None)
