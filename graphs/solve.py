"""The solving graph, bound to the settings of the environment (REASONFLUX_*)."""

from reasonflux_agent import Context, create_reasonflux

settings = Context.from_env()
graph = create_reasonflux(navigator=settings.navigator, solver=settings.solver, context=settings)
