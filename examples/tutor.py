"""A tutor in a LangGraph application with memory.

The checkpointer keeps each chat; the store keeps, for each student, the problems of all chats. The tutor explains the way and
does not state the answer. Its model must call tools; the model that solves may be the embedded default. It needs the extra
`local` and a key of the provider: OPENAI_API_KEY=... python examples/tutor.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore

from reasonflux_agent import Context
from reasonflux_agent.agents.tutor import create_tutor

SPEAKER = init_chat_model("gpt-5-mini", model_provider="openai")
SOLVER = "local:qwen2.5-coder-1.5b"


@dataclass
class Student:
    """Who chats: what the application knows of the caller."""

    name: str


def greet(state: MessagesState, runtime: Runtime[Student]) -> dict[str, Any]:
    """At the first message of a chat, name what the student worked on before."""
    assert runtime.store is not None
    if len(state["messages"]) > 1:
        return {}
    before = [item.value["problem"] for item in runtime.store.search(("students", runtime.context.name))]
    return {"messages": [AIMessage(f"Welcome back. Before, you worked on: {'; '.join(before)}")]} if before else {}


def remember(state: MessagesState, runtime: Runtime[Student]) -> None:
    """Keep the problem that the tutor has worked out, for the student's later chats."""
    assert runtime.store is not None
    for message in state["messages"]:
        for call in getattr(message, "tool_calls", ()):
            if call["name"] == "reason":
                runtime.store.put(("students", runtime.context.name), call["id"], {"problem": call["args"]["problem"]})


def build() -> Any:
    """Return the compiled application. With SqliteSaver and a store on disk it remembers after a restart too."""
    app = StateGraph(MessagesState, context_schema=Student)
    app.add_node("greet", greet)
    tutor = create_tutor(SPEAKER, context=Context(solver=SOLVER, effort="low"))
    app.add_node(
        "tutor", lambda state, config: {"messages": tutor.invoke({"messages": state["messages"][-1:]}, config)["messages"]}
    )
    app.add_node("remember", remember)
    app.add_edge(START, "greet")
    app.add_edge("greet", "tutor")
    app.add_edge("tutor", "remember")
    return app.compile(checkpointer=InMemorySaver(), store=InMemoryStore())


def main() -> None:
    """Two chats of one student."""
    app = build()
    for chat, text in (("monday", "What is the remainder when 7^2026 is divided by 5?"), ("tuesday", "What is 3 + 4?")):
        config = {"configurable": {"thread_id": chat}}
        state = app.invoke({"messages": [("human", text)]}, config, context=Student("ada"))
        print(*(message.text for message in state["messages"] if message.type == "ai" and message.text), sep="\n")


if __name__ == "__main__":
    main()
