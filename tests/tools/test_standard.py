"""LangChain's standard tests for the three tools, with the shipped fake as the model."""

from __future__ import annotations

from typing import Any

from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from reasonflux_agent import ReasonFlux, TemplateRetriever
from reasonflux_agent.templates import template_search_tool
from reasonflux_agent.testing import FakeModel
from reasonflux_agent.toolkit import check_answer_tool, reason_tool
from tests.graph.fakes import Shelf


class Reason:
    @property
    def tool_constructor(self) -> BaseTool:
        return reason_tool(ReasonFlux(FakeModel(), retriever=Shelf(), effort="low"))

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"problem": "What is 3 + 4?"}


class TestReasonUnit(Reason, ToolsUnitTests):
    pass


class TestReasonIntegration(Reason, ToolsIntegrationTests):
    pass


class CheckAnswer:
    @property
    def tool_constructor(self) -> BaseTool:
        return check_answer_tool()

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"problem": "Solve x + 2 = 5 for x.", "answer": "3"}


class TestCheckAnswerUnit(CheckAnswer, ToolsUnitTests):
    pass


class TestCheckAnswerIntegration(CheckAnswer, ToolsIntegrationTests):
    pass


class SearchTemplates:
    @property
    def tool_constructor(self) -> BaseTool:
        return template_search_tool(TemplateRetriever.from_library(embeddings="hash"))

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "seating around a round table"}


class TestSearchTemplatesUnit(SearchTemplates, ToolsUnitTests):
    """The integration suite is run in tests/retrieval."""
