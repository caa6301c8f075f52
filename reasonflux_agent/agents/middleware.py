"""The middleware of the tutor's agent: it chooses the model of each call, and demands a tool call first.

A model that calls tools badly would solve the student's problem itself and give the answer away. So each message of the
student is answered by a tool call first (`tool_choice="any"`), and a model that calls none is refused.
"""

from __future__ import annotations

from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.models import aload_model, describe, load_model


class ToolFirst(AgentMiddleware[Any, Any]):
    """Gives each call its model: the navigator of the chat's context, else `model`. Raises ModelError if it calls no tool."""

    def __init__(self, model: BaseChatModel | str) -> None:
        self._model = model

    def wrap_model_call(self, request: ModelRequest[Any], handler: Any) -> Any:
        """Make one call of the chat's model."""
        model = load_model(self._spec(request))
        return _called(request, model, handler(_asked(request, model)))

    async def awrap_model_call(self, request: ModelRequest[Any], handler: Any) -> Any:
        """As `wrap_model_call`, on the event loop."""
        model = await aload_model(self._spec(request))
        return _called(request, model, await handler(_asked(request, model)))

    def _spec(self, request: ModelRequest[Any]) -> BaseChatModel | str:
        given = request.runtime.context
        return (given.navigator if isinstance(given, Context) else None) or self._model


def _must_call(request: ModelRequest[Any]) -> bool:
    return isinstance(request.messages[-1], HumanMessage)


def _asked(request: ModelRequest[Any], model: BaseChatModel) -> ModelRequest[Any]:
    if not request.messages:
        raise InputError("There is no message to reply to. Next: give `messages` whose last one is the student's.")
    return request.override(model=model, tool_choice="any" if _must_call(request) else None)


def _called(request: ModelRequest[Any], model: BaseChatModel, response: ModelResponse[Any]) -> ModelResponse[Any]:
    said = response.result[-1]
    if _must_call(request) and not (isinstance(said, AIMessage) and said.tool_calls):
        raise ModelError(
            f"The tutor asked {describe(model)!r} for a tool call, with tool_choice='any', and it called none: "
            f"{said.text[:200]!r}. So it would solve the problem itself, and give the answer away. Next: name a model that "
            "calls tools: a hosted one, or one of vLLM's; the known local: models do not (docs/langchain.md, The tutor)."
        )
    return response
