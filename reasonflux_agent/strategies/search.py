"""How templates are found for a trajectory, and chosen: used by the graph, and by the builders of training data. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from reasonflux_agent.schema import Plan, Step, Template
from reasonflux_agent.templates.library import BROUGHT, TemplateLibrary


def trajectory_query(problem: str, plan: Plan, due: int = 0) -> str:
    """Return the query for the steps from `due` on.

    One query of the kind, the problem and the steps finds more than the problem's alone, and more than the fused hits of
    a query each (docs/LOG.md).
    """
    return "\n".join((plan.abstraction, problem, *map(step_query, plan.steps[due:]))).strip()


def step_query(step: Step) -> str:
    return f"{step.purpose}\n{step.query}"


def document_id(document: Document) -> str:
    """Return the template id of a document; for a retriever that gives none, its first words."""
    return str(document.id or document.metadata.get("id") or document.page_content[:80])


def standing_out(documents: Sequence[Document]) -> Sequence[Document]:
    """Return the documents up to the last one that stands out from the next, if the retriever tells its `lead`.

    A worked example that does not fit is worse than none: a small solver follows it all the same.
    """
    leads = [document.metadata.get("lead", 1.0) for document in documents]
    return documents[: max((rank for rank, lead in enumerate(leads, 1) if lead >= 1.0), default=0)]


def foreign(documents: Sequence[Document], library: TemplateLibrary) -> dict[str, Any]:
    """Return what the state keeps of documents that the library does not explain: id -> template as a dict, or else text.

    A document may bring its template, and the one that it is shown with (`StoreRetriever`).
    """
    found: dict[str, Any] = {}
    for document in documents:
        if brought := document.metadata.get(BROUGHT):
            found |= brought
        elif (id := document_id(document)) not in library:
            found[id] = document.page_content
    return found


def looked_up(ids: Sequence[str], texts: Mapping[str, Any], library: TemplateLibrary) -> list[Template | str]:
    """Return the templates of these ids, for prompts: what the retriever brought (`foreign`), else those of the library."""
    return [_brought(texts[id]) if id in texts else library.get(id) for id in ids]


def _brought(kept: str | dict[str, Any]) -> Template | str:
    return kept if isinstance(kept, str) else Template(**kept)
