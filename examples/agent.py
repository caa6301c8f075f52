"""A LangChain agent with the three tools: it solves, checks an answer, and looks up templates.

The agent's model must call tools; the model that solves may be the embedded default. It needs the extra `local` and a key of
the provider: OPENAI_API_KEY=... python examples/agent.py "What is the remainder when 7^2026 is divided by 5?"
"""

from __future__ import annotations

import sys

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model

from reasonflux_agent import ReasonFlux, TemplateRetriever
from reasonflux_agent.templates import template_search_tool
from reasonflux_agent.toolkit import check_answer_tool, reason_tool

flux = ReasonFlux("local:qwen2.5-coder-1.5b", effort="low")
tools = [reason_tool(flux), check_answer_tool(), template_search_tool(TemplateRetriever.from_library())]
agent = create_agent(
    init_chat_model("gpt-5-mini", model_provider="openai"),
    tools,
    system_prompt="Solve mathematical problems with the tool reason. Check an answer that the user gives with check_answer.",
)
state = agent.invoke({"messages": [("human", sys.argv[1])]})
for message in state["messages"]:
    if message.type == "tool" and message.artifact:  # the whole Solution, as a dict
        print(f"[{message.name}: {message.artifact['answer']}, {message.artifact['certainty']}]")
print(state["messages"][-1].text)
