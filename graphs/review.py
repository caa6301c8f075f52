"""The solving graph with a person in the loop, bound to the settings of the environment (REASONFLUX_*)."""

from reasonflux_agent import Context
from reasonflux_agent.agents.review import create_review

settings = Context.from_env()
graph = create_review(navigator=settings.navigator, solver=settings.solver, context=settings)
