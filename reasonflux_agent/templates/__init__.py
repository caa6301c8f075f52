"""Thought templates: the library, the index over it, and the retriever that finds what fits a problem or a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasonflux_agent.lazy import lazy_names

if TYPE_CHECKING:
    from reasonflux_agent.templates.embeddings import load_embeddings as load_embeddings
    from reasonflux_agent.templates.index import add_templates as add_templates
    from reasonflux_agent.templates.index import index_library as index_library
    from reasonflux_agent.templates.interchange.demos import export_demos as export_demos
    from reasonflux_agent.templates.interchange.demos import import_demos as import_demos
    from reasonflux_agent.templates.interchange.namespaces import StoreRetriever as StoreRetriever
    from reasonflux_agent.templates.interchange.namespaces import get_library as get_library
    from reasonflux_agent.templates.interchange.namespaces import put_library as put_library
    from reasonflux_agent.templates.interchange.recognise import read_templates as read_templates
    from reasonflux_agent.templates.interchange.skills import export_skills as export_skills
    from reasonflux_agent.templates.interchange.skills import import_skills as import_skills
    from reasonflux_agent.templates.large import LargeStore as LargeStore
    from reasonflux_agent.templates.library import TemplateLibrary as TemplateLibrary
    from reasonflux_agent.templates.rendering import render_template as render_template
    from reasonflux_agent.templates.rendering import template_text as template_text
    from reasonflux_agent.templates.retriever import TemplateRetriever as TemplateRetriever
    from reasonflux_agent.templates.retriever import template_search_tool as template_search_tool
    from reasonflux_agent.templates.store import FaissStore as FaissStore

_HOME = {
    "TemplateLibrary": "library",
    "render_template": "rendering",
    "template_text": "rendering",
    "TemplateRetriever": "retriever",
    "template_search_tool": "retriever",
    "load_embeddings": "embeddings",
    "index_library": "index",
    "add_templates": "index",
    "FaissStore": "store",
    "LargeStore": "large",
    "export_skills": "interchange.skills",
    "import_skills": "interchange.skills",
    "export_demos": "interchange.demos",
    "import_demos": "interchange.demos",
    "read_templates": "interchange.recognise",
    "put_library": "interchange.namespaces",
    "get_library": "interchange.namespaces",
    "StoreRetriever": "interchange.namespaces",
}
__all__ = list(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
