"""`python -m reasonflux_agent`: the command `reasonflux`."""

from reasonflux_agent.cli import main

if __name__ == "__main__":
    main()
