"""What a graph is built from: models, library, retriever, default context; and which model has which role."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langgraph.config import get_config
from langgraph.runtime import get_runtime

from reasonflux_agent import models
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.prompts import Role
from reasonflux_agent.templates import TemplateLibrary

DEFAULT_MODEL = "local:qwen2.5-coder-1.5b"
DEPTH = 8
"""Templates that the default retriever finds for a query: more than are used, so that a replacement finds others."""
Model = TypeVar("Model", bound="BaseChatModel | str")
_BUILDING = threading.Lock()


def resolve_models(navigator: Model | None, solver: Model | None) -> tuple[Model | str, Model | str]:
    """Return (navigator, solver). A missing role uses the other model; if both are missing, DEFAULT_MODEL."""
    first: Model | str = next((model for model in (navigator, solver) if model is not None), DEFAULT_MODEL)
    return first, first if solver is None else solver


@dataclass(frozen=True)
class Parts:
    """What a strategy builds its graph from."""

    navigator: BaseChatModel | str
    solver: BaseChatModel | str
    retriever: BaseRetriever | None = None
    """None: the default retriever of `library`, built at its first use."""
    library: TemplateLibrary = field(default_factory=TemplateLibrary.builtin)
    defaults: Context = field(default_factory=Context)
    search: Literal["hybrid", "hierarchical"] = "hybrid"
    """How the default retriever searches."""
    strategy: str = "navigator"
    """Name of the strategy."""

    def context(self) -> Context:
        """Return the context of the current run: what the run was given, over the graph's defaults. Only nodes have one."""
        # inside a host's graph the context is the host's, so ours has a place of its own in the config
        own = get_config().get("configurable", {}).get("reasonflux")
        if not isinstance(own, Context | dict | None):
            kind = type(own).__name__
            raise InputError(f"The context in configurable['reasonflux'] is a {kind}. Next: give an object of its fields.")
        own = Context.of(**own) if isinstance(own, dict) else own
        return self.defaults.overlaid(own).overlaid(get_runtime(Context).context).of_strategy(self.strategy)

    def spec(self, role: Role, context: Context) -> BaseChatModel | str:
        """Return the model, or the spec of the model, that has a role in a run with this context."""
        spec: BaseChatModel | str = getattr(context, role) or getattr(self, role)
        return spec

    def names(self, context: Context) -> dict[str, str]:
        """Load the run's models, so that an unknown one is refused early; return the names of navigator, solver and library."""
        described = {role: models.describe(models.load_model(self.spec(role, context))) for role in ("navigator", "solver")}
        return {**described, "library": self.library.name}

    @cached_property
    def searcher(self) -> BaseRetriever:
        """The retriever of this graph. Threads that need it at the same time wait for the one that builds it."""
        if self.retriever is not None:
            return self.retriever
        with _BUILDING:
            if "searcher" in vars(self):
                built: BaseRetriever = vars(self)["searcher"]
                return built
            from reasonflux_agent.templates import TemplateRetriever

            return TemplateRetriever.from_library(self.library, k=DEPTH, mode=self.search)
