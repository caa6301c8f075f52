"""Variants timed side by side: interleaved, repeated, as median and spread."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

Row = dict[str, Any]


class Timed(NamedTuple):
    """Seconds of one variant over the repeats."""

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> Timed:
        return Timed(*(value * factor for value in self))


async def interleave(variants: Mapping[str, Callable[[], Awaitable[object]]], repeats: int) -> dict[str, Timed]:
    """Seconds of each variant: one untimed round, then rounds of all variants, in turn forwards and backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for round in range(repeats + 1):
        for name in list(variants)[:: -1 if round % 2 else 1]:
            begun = time.perf_counter()
            await variants[name]()
            if round:
                seconds[name].append(time.perf_counter() - begun)
    return {name: Timed(statistics.median(taken), min(taken), max(taken)) for name, taken in seconds.items()}


def printed(*command: str, **environment: str) -> Row:
    """What `python -m COMMAND` prints: for what must be measured in a process of its own."""
    given = os.environ | environment
    ran = subprocess.run([sys.executable, "-m", *command], env=given, capture_output=True, text=True, check=True)
    found: Row = json.loads(ran.stdout)
    return found


def machine() -> Row:
    """Where and under what load this is measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "cores_used": cores,
        "python": platform.python_version(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "nice": os.nice(0),
    }
