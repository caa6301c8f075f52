"""The middleware of the tutor: it chooses the model of each call, and requires a tool call in reply to the student.

A model that is free to choose, and not good at calling tools, solves the student's problem itself and gives the answer away.
"""

from __future__ import annotations

from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.models import aload_model, describe, load_model


class TutorMiddleware(AgentMiddleware[Any, Any]):
    """Calls the navigator of the chat's context, else `model`. The first reply to a student's message is a tool call.

    Raises InputError for a chat without messages, and ModelError if the model calls no tool.
    """

    def __init__(self, model: BaseChatModel | str) -> None:
        self._model = model

    def wrap_model_call(self, request: ModelRequest[Any], handler: Any) -> Any:
        """Make one model call."""
        model = load_model(self._spec(request))
        return _checked(request, model, handler(_prepared(request, model)))

    async def awrap_model_call(self, request: ModelRequest[Any], handler: Any) -> Any:
        """Make one model call on the event loop."""
        model = await aload_model(self._spec(request))
        return _checked(request, model, await handler(_prepared(request, model)))

    def _spec(self, request: ModelRequest[Any]) -> BaseChatModel | str:
        context = request.runtime.context
        return (context.navigator if isinstance(context, Context) else None) or self._model


def _must_call(request: ModelRequest[Any]) -> bool:
    return isinstance(request.messages[-1], HumanMessage)


def _prepared(request: ModelRequest[Any], model: BaseChatModel) -> ModelRequest[Any]:
    if not request.messages:
        raise InputError("There is no message to reply to. Next: give `messages` whose last one is the student's.")
    return request.override(model=model, tool_choice="any" if _must_call(request) else None)


def _checked(request: ModelRequest[Any], model: BaseChatModel, response: ModelResponse[Any]) -> ModelResponse[Any]:
    reply = response.result[-1]
    if _must_call(request) and not (isinstance(reply, AIMessage) and reply.tool_calls):
        raise ModelError(
            f"The tutor asked {describe(model)!r} for a tool call, with tool_choice='any', and it called none: "
            f"{reply.text[:200]!r}. So it would solve the problem itself, and give the answer away. Next: name a model that "
            "calls tools: a hosted one, or one of vLLM's; the known local: models do not (docs/langchain.md, The tutor)."
        )
    return response
