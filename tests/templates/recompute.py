"""Registry of independent recomputations of the worked examples in the built-in template library.

Each module under ``tests/templates/answers`` registers, by template name, a function that works out the answer of that
template's example in another way than the template teaches (enumeration, simulation, iteration, direct solving).
"""

from collections.abc import Callable
from typing import TypeVar

Check = TypeVar("Check", bound=Callable[[], object])

CHECKS: dict[str, Callable[[], object]] = {}


def recompute(name: str) -> Callable[[Check], Check]:
    """Register the decorated function as the recomputation for the template called ``name``.

    A name registered twice is refused, and the error names both functions.
    """

    def register(function: Check) -> Check:
        if name in CHECKS:
            first, second = _where(CHECKS[name]), _where(function)
            raise ValueError(f"template {name!r} is recomputed twice: by {first} and by {second}")
        CHECKS[name] = function
        return function

    return register


def _where(function: Callable[[], object]) -> str:
    """Module and line of a function, to point at it in an error (the checks are all named ``_``)."""
    line = function.__code__.co_firstlineno if hasattr(function, "__code__") else "?"
    return f"{function.__module__}:{line}"
