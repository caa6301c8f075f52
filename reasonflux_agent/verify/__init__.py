"""What is right: grading of answers, verifiers of solutions, and programs in isolation.

A verifier of your own is a `Verifier`, registered by the hook `register_verifiers` of a plugin (reasonflux_agent/hookspecs.py).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasonflux_agent.verify.grading import aequivalent as aequivalent
    from reasonflux_agent.verify.grading import equivalent as equivalent
    from reasonflux_agent.verify.grading import extract_answer as extract_answer
    from reasonflux_agent.verify.grading import grade as grade
    from reasonflux_agent.verify.grading import verdict as verdict
    from reasonflux_agent.verify.programs import ProgramResult as ProgramResult
    from reasonflux_agent.verify.programs import run_program as run_program
    from reasonflux_agent.verify.verifiers import Verifier as Verifier
    from reasonflux_agent.verify.verifiers import run_verifiers as run_verifiers

_HOME = {
    **dict.fromkeys(("aequivalent", "equivalent", "extract_answer", "grade", "verdict"), "grading"),
    **dict.fromkeys(("ProgramResult", "run_program"), "programs"),
    **dict.fromkeys(("Verifier", "run_verifiers"), "verifiers"),
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import reasonflux_agent.verify` stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
