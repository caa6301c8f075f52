"""Solve hard problems by planning with thought templates (ReasonFlux, arXiv 2502.06772), as a LangGraph state machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasonflux_agent.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from reasonflux_agent.api import ReasonFlux as ReasonFlux
    from reasonflux_agent.context import Context as Context
    from reasonflux_agent.errors import ReasonFluxError as ReasonFluxError
    from reasonflux_agent.graph import create_reasonflux as create_reasonflux
    from reasonflux_agent.learning.learner import learn as learn
    from reasonflux_agent.models import load_model as load_model
    from reasonflux_agent.schema import Solution as Solution
    from reasonflux_agent.schema import Template as Template
    from reasonflux_agent.templates import TemplateLibrary as TemplateLibrary
    from reasonflux_agent.templates import TemplateRetriever as TemplateRetriever

_HOME = {
    "ReasonFlux": "api",
    "Context": "context",
    "ReasonFluxError": "errors",
    "create_reasonflux": "graph",
    "learn": "learning.learner",
    "TemplateLibrary": "templates",
    "load_model": "models",
    "TemplateRetriever": "templates",
    "Solution": "schema",
    "Template": "schema",
}
__all__ = ["__version__", *_HOME]
__getattr__, __dir__ = lazy_names(__name__, _HOME)
