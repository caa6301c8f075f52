"""The tutor, bound to the settings of the environment (REASONFLUX_*)."""

from reasonflux_agent import Context
from reasonflux_agent.agents.tutor import create_tutor

graph = create_tutor(context=Context.from_env())
