"""The tools in an agent, the retriever in a chain, and the templates in stores of LangChain's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from reasonflux_agent import ReasonFlux, Solution, TemplateLibrary, TemplateRetriever
from reasonflux_agent.templates import template_search_tool, template_text
from reasonflux_agent.templates.embeddings import HashEmbeddings
from reasonflux_agent.testing import FakeModel
from reasonflux_agent.toolkit import check_answer_tool, reason_tool
from tests.graph.fakes import Caller, Shelf

PROBLEM = "What is 30 + 4?"
QUERY = "remainder of a large power"


def agent(*script: tuple[str, dict[str, str]]) -> tuple[Any, FakeModel]:
    solver = FakeModel(calls=[])
    tools = [
        reason_tool(ReasonFlux(solver, retriever=Shelf(), effort="low")),
        check_answer_tool(),
        template_search_tool(TemplateRetriever.from_library(embeddings="hash")),
    ]
    return create_agent(Caller(script=list(script)), tools), solver


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_agent_reasons_checks_and_answers(asynchronous: bool) -> None:
    given: Any = {"messages": [HumanMessage(PROBLEM)]}
    made, solver = agent(
        ("reason", {"problem": PROBLEM}),
        ("check_answer", {"problem": "Solve x = 34 for x.", "answer": "34"}),
        ("search_templates", {"query": QUERY}),
    )
    state = await made.ainvoke(given) if asynchronous else made.invoke(given)
    assert state["messages"][-1].text.startswith("Adding the numbers gives $\\boxed{34}$.")
    reasoned, checked, found = (m for m in state["messages"] if isinstance(m, ToolMessage))
    assert Solution.model_validate(reasoned.artifact).answer == "34"
    assert checked.text.startswith("yes: ")
    assert found.text.startswith("Template: ")
    assert len(solver.calls) == 2  # a plan and its solution


def test_an_agent_is_told_of_a_problem_that_cannot_be_taken() -> None:
    made, solver = agent(("reason", {"problem": " "}))
    state = made.invoke({"messages": [HumanMessage(PROBLEM)]})
    assert "non-empty" in state["messages"][-1].text
    assert solver.calls == []


async def test_an_agents_callbacks_see_the_run_inside_the_tool() -> None:
    class Seen(BaseCallbackHandler):
        def __init__(self) -> None:
            self.names: list[str] = []

        def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
            self.names.append(name)

    made, _ = agent(("reason", {"problem": PROBLEM}))
    seen = Seen()
    await made.ainvoke({"messages": [HumanMessage(PROBLEM)]}, {"callbacks": [seen]})
    assert seen.names[0] == "reasonflux_begin"
    assert seen.names[-1] == "reasonflux_solution"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_retriever_is_a_part_of_a_chain(asynchronous: bool) -> None:
    def show(documents: list[Document]) -> str:
        return "\n\n".join(document.page_content for document in documents)

    model = FakeModel(respond=lambda prompt: prompt.split("\n")[0], calls=[])
    chain = (
        {"templates": TemplateRetriever.from_library(embeddings="hash", k=3) | show, "question": RunnablePassthrough()}
        | ChatPromptTemplate.from_template("{templates}\n\n{question}")
        | model
        | StrOutputParser()
    )
    said = await chain.ainvoke(QUERY) if asynchronous else chain.invoke(QUERY)
    assert said.startswith("Template: ")
    assert model.calls[0].count("Template: ") == 3
    assert model.calls[0].endswith(QUERY)


def documents(library: TemplateLibrary) -> list[Document]:
    return [Document(id=t.id, page_content=template_text(t)) for t in library]


def found_by(store: VectorStore, library: TemplateLibrary, text: str) -> str:
    retriever = TemplateRetriever(library=library, store=store, mode="flat", k=1)
    solution = ReasonFlux(FakeModel(calls=[]), retriever=retriever, effort="low").solve(text)
    (document,) = retriever.invoke(text)
    assert solution.templates
    return str(document.id)


def test_the_templates_may_lie_in_a_store_of_langchains() -> None:
    library = TemplateLibrary.builtin()
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents(documents(library))
    wanted = library.templates[100]
    assert found_by(store, library, template_text(wanted)) == wanted.id


def test_the_templates_may_lie_in_the_store_of_langchain_community(tmp_path: Path) -> None:
    """Its FAISS class turns distances into relevance by itself, for vectors of unit length."""
    stores = pytest.importorskip("langchain_community.vectorstores", reason="the extra community is not installed")
    library = TemplateLibrary.builtin()
    store = stores.FAISS.from_documents(documents(library), HashEmbeddings(), normalize_L2=True)
    wanted = library.templates[100]
    assert found_by(store, library, template_text(wanted)) == wanted.id
