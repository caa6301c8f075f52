"""What is right: grading of answers, verifiers of solutions, and programs in isolation.

A verifier of your own is a `Verifier`, registered by the hook `register_verifiers` of a plugin (reasonflux_agent/hookspecs.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasonflux_agent.lazy import lazy_names

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
__getattr__, __dir__ = lazy_names(__name__, _HOME)
