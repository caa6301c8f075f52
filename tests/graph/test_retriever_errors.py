"""A retriever that fails is a named error: which one, for what, what it said, what to do next."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from reasonflux_agent import ReasonFlux
from reasonflux_agent.cli.exits import MODEL, code_of
from reasonflux_agent.errors import InputError, RetrieverError
from reasonflux_agent.templates import template_search_tool
from tests.graph.fakes import Scripted

FAILURES = (ConnectionError("the store\nis gone."), KeyError("id"), ValueError(), TimeoutError("slow"), AttributeError("x"))


class Broken(BaseRetriever):
    """Raises."""

    error: Any

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        raise self.error


def told(error: pytest.ExceptionInfo[RetrieverError], raised: Exception) -> None:
    text = str(error.value)
    assert "The retriever tests.graph.test_retriever_errors.Broken failed in a search for '" in text
    assert f": {type(raised).__name__}: {' '.join(str(raised).split()).rstrip('.')}. Next: " in text
    assert type(error.value.__cause__) is type(raised)  # asyncio passes a TimeoutError on as a copy
    assert code_of(error.value) == MODEL


GIVEN: tuple[dict[str, Any], ...] = ({}, {"effort": "low"}, {"effort": "high"}, {"strategy": "original"}, {"direct_samples": 0})


@pytest.mark.parametrize(("raised", "given"), [*((e, {}) for e in FAILURES), *((FAILURES[0], g) for g in GIVEN[1:])], ids=str)
async def test_a_search_that_fails_names_the_retriever(raised: Exception, given: dict[str, Any]) -> None:
    flux = ReasonFlux(Scripted(), retriever=Broken(error=raised), **given)
    with pytest.raises(RetrieverError) as error:
        flux.solve("What is 3 + 4?")
    told(error, raised)
    with pytest.raises(RetrieverError) as error:
        await flux.asolve("What is 3 + 4?")
    told(error, raised)


async def test_the_search_tool_names_it_too() -> None:
    tool = template_search_tool(Broken(error=FAILURES[0]))
    with pytest.raises(RetrieverError) as error:
        tool.invoke({"query": "sums"})
    told(error, FAILURES[0])
    with pytest.raises(RetrieverError) as error:
        await tool.ainvoke({"query": "sums"})
    told(error, FAILURES[0])


def test_an_error_of_ours_passes_as_it_is_and_secrets_do_not() -> None:
    with pytest.raises(InputError, match="of no use"):
        ReasonFlux(Scripted(), retriever=Broken(error=InputError("of no use"))).solve("What is 3 + 4?")
    with pytest.raises(RetrieverError) as error:
        ReasonFlux(Scripted(), retriever=Broken(error=OSError("http://me:secret@host"))).solve("What is 3 + 4?")
    assert "secret" not in str(error.value)
