"""The tutor: its tools keep the solution from its model until the student asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import Field

from reasonflux_agent import Context
from reasonflux_agent.agents.tutor import PROMPT, TALK, UNKNOWN, create_tutor
from reasonflux_agent.errors import InputError, ModelError, SpecError
from reasonflux_agent.testing import mathematician, serve_fake
from tests.graph.fakes import Shelf

PROBLEM = "What is 30 + 4?"
CONFIG: Any = {"configurable": {"thread_id": "one"}}


class Tutor(BaseChatModel):
    """Calls the tool that the student's message names (`/tool argument=...`), else `talk`, and speaks once it has answered.

    It solves as well: what is no chat with the tutor's prompt is answered by the shipped fake.
    """

    tools: list[str] = Field(default_factory=list)
    choices: list[Any] = Field(default_factory=list)
    """The `tool_choice` of each call."""
    read: list[str] = Field(default_factory=list)
    """All that the tutor has read, call by call."""

    @property
    def _llm_type(self) -> str:
        return "tutor"

    def bind_tools(self, tools: Sequence[Any], **given: Any) -> Any:
        self.tools[:] = [tool.name for tool in tools]
        self.choices.append(given["tool_choice"])
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        if messages[0].text != PROMPT:
            reply = AIMessage(mathematician("\n\n".join(m.text for m in messages)))
        else:
            self.read.append("\n".join(m.text for m in messages))
            reply = self._next(messages[-1])
        return ChatResult(generations=[ChatGeneration(message=reply)])

    def _next(self, last: BaseMessage) -> AIMessage:
        if isinstance(last, ToolMessage):
            return AIMessage("Go on.")
        if not last.text.startswith("/"):
            return AIMessage("", tool_calls=[{"name": "talk", "args": {}, "id": "1"}])
        name, _, argument = last.text[1:].partition(" ")
        key, _, value = argument.partition(" = ")
        given: Any = int(value) if value.isdecimal() else value  # as models write an answer
        return AIMessage("", tool_calls=[{"name": name, "args": {key: given} if key else {}, "id": "1"}])


class Chat:
    """A conversation; `say` returns what the tool that was called answered."""

    def __init__(self, **given: Any) -> None:
        self.model = Tutor()
        self.agent = create_tutor(self.model, retriever=Shelf(), checkpointer=InMemorySaver(), **given)

    async def say(self, text: str, *, asynchronous: bool = False, **context: Any) -> str:
        given: Any = {"messages": [("human", text)]}
        call: Any = {"context": context} if context else {}
        state = await self.agent.ainvoke(given, CONFIG, **call) if asynchronous else self.agent.invoke(given, CONFIG, **call)
        tool = state["messages"][-2]
        return tool.text if isinstance(tool, ToolMessage) else ""


def test_it_has_five_tools_and_a_context_form() -> None:
    chat = Chat()
    chat.agent.invoke({"messages": [("human", "hello")]}, CONFIG)
    assert chat.model.tools == ["reason", "check_answer", "show_solution", "talk", "search_templates"]
    assert chat.agent.get_context_jsonschema() == Context.model_json_schema()


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_answer_is_not_in_the_chat_until_it_is_asked_for(asynchronous: bool) -> None:
    chat = Chat()
    outline = await chat.say(f"/reason problem = {PROBLEM}", asynchronous=asynchronous)
    assert "1. Collect the numbers" in outline
    assert (
        await chat.say("/check_answer answer = 33", asynchronous=asynchronous) == "It does not agree with the solution found."
    )
    assert await chat.say("/check_answer answer = \\frac{68}{2}", asynchronous=asynchronous) == "It is right."
    before = "\n".join(chat.model.read)
    assert "boxed" not in before
    assert "34" not in before
    shown = await chat.say("/show_solution", asynchronous=asynchronous)
    assert "Answer: 34 (agreed: 3 of 3 solutions)" in shown


async def test_the_next_problem_takes_the_place_of_the_last() -> None:
    chat = Chat()
    await chat.say(f"/reason problem = {PROBLEM}")
    await chat.say("/reason problem = What is 1 + 1?")
    assert await chat.say("/check_answer answer = 2") == "It is right."


@pytest.mark.parametrize("tool", ["/show_solution", "/check_answer answer = 2"])
async def test_without_a_problem_the_tools_say_what_comes_first(tool: str) -> None:
    assert await Chat().say(tool) == UNKNOWN


async def test_a_problem_that_cannot_be_taken_is_told_to_the_tutor() -> None:
    assert "at most 20,000" in await Chat().say("/reason problem = " + "x" * 20_001)


async def test_templates_are_found() -> None:
    assert "Template: recurrence" in await Chat().say("/search_templates query = recurrence")


async def test_the_chats_context_reaches_the_solver_and_the_speaker() -> None:
    prompts: list[str] = []

    def respond(prompt: str) -> str:
        prompts.append(prompt)
        return mathematician(prompt)

    with serve_fake(respond) as url:
        chat = Chat()
        await chat.say(f"/reason problem = {PROBLEM}", solver=f"vllm:fake@{url}", effort="low")
        assert len(prompts) == 1  # the solver's one call
        with pytest.raises(ModelError):  # the fake calls no tool
            await chat.say("hello", navigator=f"vllm:fake@{url}")
        assert prompts[-1].startswith(PROMPT)


async def test_a_message_is_answered_by_a_tool_first() -> None:
    chat = Chat()
    assert await chat.say("hello") == TALK
    assert chat.model.choices == ["any", None]  # and then it may speak


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_model_that_calls_no_tool_is_refused(asynchronous: bool) -> None:
    given: Any = {"messages": [("human", PROBLEM)]}
    with serve_fake() as url:
        agent = create_tutor(f"vllm:fake@{url}", retriever=Shelf())
        with pytest.raises(ModelError, match=r"'vllm:fake@.*called none: .*boxed.*Next: name a model"):
            await agent.ainvoke(given) if asynchronous else agent.invoke(given)


@pytest.mark.parametrize("given", [{}, {"messages": []}])
async def test_an_empty_chat_is_refused(given: Any) -> None:
    agent = create_tutor(Tutor(), retriever=Shelf())
    with pytest.raises(InputError, match=r"no message to reply to\. Next: give `messages`"):
        await agent.ainvoke(given)


def test_the_solvers_tokens_stay_out_of_the_chats_stream() -> None:
    chat = Chat()
    given: Any = {"messages": [("human", f"/reason problem = {PROBLEM}")]}
    parts = chat.agent.stream(given, CONFIG, stream_mode="messages")
    texts = [message.text for message, _ in parts if not isinstance(message, ToolMessage)]
    assert "Go on." in texts
    assert not any("boxed" in text for text in texts)


def test_an_unknown_model_is_refused_at_once() -> None:
    with pytest.raises(SpecError, match="names no model"):
        create_tutor("nonsense", retriever=Shelf())
