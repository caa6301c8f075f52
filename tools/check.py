"""The tool `check_answer`; it needs no settings."""

from reasonflux_agent.toolkit import check_answer_tool

check_answer = check_answer_tool()
