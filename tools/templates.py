"""The tool `search_templates`, bound to the built-in library."""

from reasonflux_agent import TemplateRetriever
from reasonflux_agent.templates import template_search_tool

search_templates = template_search_tool(TemplateRetriever.from_library())
