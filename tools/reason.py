"""The tool `reason`, bound to the settings of the environment (REASONFLUX_*)."""

from reasonflux_agent import ReasonFlux
from reasonflux_agent.toolkit import reason_tool

reason = reason_tool(ReasonFlux())
