"""`make bench`: speed as ratios in one run; a table on standard output, all numbers as JSON in a file.

`python -m tests.bench [--json FILE] [--repeats N] [PART ...]`, PART being one of `PARTS` or `NAMED`.
`python -m tests.bench million [--folder DIR] [--templates N]`: see million.py; only where it is named.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.bench import busy, first, million, overhead, prefix, saturation, searching, slots, startup
from tests.bench.timing import Row, machine


async def _startup(repeats: int) -> list[Row]:
    return [{"what": name, "median_low_high": values} for name, values in startup.measure(repeats).items()]


async def _checkpoints(repeats: int) -> list[Row]:
    return await overhead.checkpoints()


PARTS: dict[str, Any] = {
    "overhead": overhead.measure,
    "checkpoints": _checkpoints,
    "saturation": saturation.measure,
    "retrieval": searching.measure,
    "startup": _startup,
    "prefix": prefix.measure,
    "slots": slots.measure,
    "busy": busy.measure,
    "first": first.measure,
}


NAMED: dict[str, Any] = {"first-default": first.measure_default}
"""Parts that are measured only where they are named: they take many minutes."""


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table; of a triple: median (lowest to highest)."""

    def cell(value: Any) -> str:
        return f"{value[0]:g} ({value[1]:g} to {value[2]:g})" if isinstance(value, list) else f"{value}"

    lines = [list(rows[0]), ["---"] * len(rows[0]), *([cell(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measures the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, *NAMED, "million", []])
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("million"), help="where `million` keeps what it builds")
    parser.add_argument("--templates", type=int, default=1_000_000, help="how many `million` makes")
    given = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(), "repeats": given.repeats}
    print(f"{found['machine']}; median (lowest to highest) of {given.repeats}\n")
    for name in given.parts or PARTS:
        print(f"measuring {name}", file=sys.stderr)
        if name == "million":
            measured = million.measure(given.folder, given.templates)
        else:
            measured = {name: asyncio.run({**PARTS, **NAMED}[name](given.repeats))}
        for title, rows in measured.items():
            print(f"{title}\n\n{table(rows)}\n", flush=True)
        found |= measured
    found["load_at_end"] = machine()["load"]
    given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
