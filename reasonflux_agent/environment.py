"""The REASONFLUX_* variables: those of the Context (REASONFLUX_EFFORT ...), the `OTHERS`, and a warning of unknown ones."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from difflib import get_close_matches

PREFIX = "REASONFLUX_"
OTHERS = {
    "REASONFLUX_MODEL": "the model of both roles, where REASONFLUX_NAVIGATOR or REASONFLUX_SOLVER name no other",
    "REASONFLUX_API_KEY": "the key that clients of `serve` and `mcp` must send",
    "REASONFLUX_CACHE": "the folder of model files, indices and benchmarks",
    "REASONFLUX_CHECKPOINTS": "where threads are kept: a SQLite file or a postgresql:// URL",
    "REASONFLUX_DEBUG": "show the traceback of an error",
    "REASONFLUX_SLOTS": "requests that a local: model decodes at once",
    "REASONFLUX_THREADS": "threads that a local: model computes with",
}
"""The variables that set no field of the Context, and what each sets."""
_ELSEWHERE = re.compile(
    r"REASONFLUX_(?:(?:TEST|CI|VLLM)_\w*|DATA|FUZZ|TRAINING_ENV"  # tests, CI, deployment, training
    r"|(?:\w+_)?SERVICE_(?:HOST|PORT\w*)|(?:\w+_)?PORT(?:_\d+_\w+)?)"  # of a Kubernetes service called reasonflux...
)
_said: set[str] = set()


class SettingWarning(UserWarning):
    """A REASONFLUX_* variable that nothing reads."""


def variable(field: str) -> str:
    """Return the variable that sets a field of the Context."""
    return f"{PREFIX}{field.upper()}"


def warn_of_unknown(fields: Iterable[str]) -> None:
    """Warn of each REASONFLUX_* variable that nothing reads, once in a process, with the closest name.

    `fields` are the names of the Context's fields.
    """
    known = sorted([*OTHERS, *map(variable, fields)])
    for name in os.environ:
        if not name.upper().startswith(PREFIX) or name in known or name in _said or _ELSEWHERE.fullmatch(name):
            continue
        _said.add(name)
        close = get_close_matches(name.upper().removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in known], n=1)
        hint = f"did you mean {PREFIX}{close[0]}?" if close else f"there are {', '.join(known)}."
        warnings.warn(f"The variable {name} is set, and nothing reads it: {hint}", SettingWarning, stacklevel=3)
