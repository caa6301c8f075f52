"""What can be checked of a solution without a model."""

from __future__ import annotations

from collections.abc import Callable

Check = Callable[[str, str, str | None], bool | None]
"""`check(problem, text, answer)` -> passed, failed, or None when it does not apply."""


def answered(problem: str, text: str, answer: str | None) -> bool | None:
    """A final answer is present."""
    return bool(answer and answer.strip())


CHECKS: dict[str, Check] = {"answered": answered}


def run_checks(problem: str, text: str, answer: str | None, *, truncated: bool = False) -> dict[str, bool]:
    """Name of each check that applies -> whether it passed."""
    verdicts = {"complete": not truncated}
    for name, check in CHECKS.items():
        verdict = check(problem, text, answer)
        if verdict is not None:
            verdicts[name] = verdict
    return verdicts
