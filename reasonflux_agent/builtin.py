"""The built-in plugin: libraries, strategies, verifiers and benchmarks come through the same door as anybody's."""

from __future__ import annotations

from reasonflux_agent.hookspecs import Register, hookimpl


@hookimpl
def register_libraries(register: Register) -> None:
    """`builtin`: the library in our own words."""
    from reasonflux_agent.templates import TemplateLibrary

    register("builtin", TemplateLibrary.builtin)


@hookimpl
def register_strategies(register: Register) -> None:
    """The six ways to solve."""
    from reasonflux_agent import strategies

    for name, build in strategies.BUILTIN.items():
        register(name, build)


@hookimpl
def register_verifiers(register: Register) -> None:
    """What can be verified without a model."""
    from reasonflux_agent.verify.verifiers import VERIFIERS

    for name, verify in VERIFIERS.items():
        register(name, verify)


@hookimpl
def register_scorers(register: Register) -> None:
    """`gym`: the scorers of reasoning-gym's families."""
    from reasonflux_agent.jobs.evaluation import gym

    register(gym.NAME, gym.score)


@hookimpl
def register_benchmarks(register: Register) -> None:
    """Those that the papers report on, and GSM8K."""
    from reasonflux_agent.jobs.evaluation.benchmarks import BENCHMARKS

    for name, benchmark in BENCHMARKS.items():
        register(name, benchmark)
