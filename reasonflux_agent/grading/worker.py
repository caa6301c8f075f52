"""The grading worker: a process that compares two LaTeX answers with Math-Verify, one JSON line in, one out.

Run as a script by pool.py, never imported: it does not load the package, and it locks its process down.
A request is `{"left": latex, "right": latex, "seconds": 5.0}`, the reply `true` or `false`; `"ready"` comes first.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from typing import Any

MEMORY = 1024**3
"""Bytes of address space, so that no comparison starves the machine; the imports take about 0.1 GiB of it."""

_REFUSED = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "urllib.", "tempfile.", "webbrowser.")
_PATHS_ONLY = ("os.listdir", "os.scandir")  # what an import looks up


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Second line of defence: if a library did run a text as code after all, this process could not do anything."""
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    code = event == "compile" and str(arguments[1]).startswith(("<", "b'<"))
    if writes or code or (event.startswith(_REFUSED) and event not in _PATHS_ONLY):
        raise PermissionError(event)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows: there the parent's deadline alone bounds us
        return
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a lower limit is set already, or the platform knows none
            resource.setrlimit(limit, (most, most))


def _limit_cpu(seconds: float) -> None:
    """Should the parent die during a comparison that never ends, the kernel ends it."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 2, hard))


def _number(text: str) -> Any:
    """What SymPy may make of a string: a plain number, nothing else."""
    from sympy import Float, Integer, SympifyError

    if len(text) <= 400 and text.isascii() and text.replace(".", "", 1).isdigit():
        return Integer(int(text)) if text.isdigit() else Float(text, max(15, len(text)))
    raise SympifyError(text)


def main() -> None:
    """Serve requests from stdin until it closes."""
    _limit_memory()
    from math_verify import LatexExtractionConfig, parse, verify
    from sympy.core.sympify import converter

    logging.disable()  # Math-Verify warns at each call that its own timeouts are off: the deadline is the parent's
    # SymPy evals strings, and two ways lead there: Math-Verify's plain-expression extraction (so LaTeX only), and the
    # digits that its LaTeX reader hands to `sympy.Number` (so a string becomes a number by our converter, or an error).
    converter[str] = _number
    config = [LatexExtractionConfig()]

    def compare(left: str, right: str) -> bool:
        both = [parse(f"${text}$", config, fallback_mode="no_fallback", parsing_timeout=None) for text in (left, right)]
        return all(both) and any(
            verify(gold, answer, allow_set_relation_comp=True, timeout_seconds=None) for gold, answer in (both, reversed(both))
        )

    compare(r"\frac{1}{2}+\sin x", "0.5+x")  # SymPy imports some of itself late: before the guard
    sys.addaudithook(_guard)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        _limit_cpu(request["seconds"])
        try:
            verdict = compare(request["left"], request["right"])
        except (Exception, RecursionError, MemoryError):  # whatever a hostile text sets off: it is no equal answer
            verdict = False
        print(json.dumps(verdict), flush=True)


if __name__ == "__main__":
    main()
