"""`python -m reasonflux_agent.cli`."""

from reasonflux_agent.cli import main

main()
