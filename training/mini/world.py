r"""The world of the miniature: sums to be found, and a model that plays the teacher and the solver, at a loopback port.

    python training/mini/world.py DIR

Writes DIR/small.jsonl and DIR/large.jsonl (training problems: small and large sums), DIR/test/test.jsonl (large ones, used
for nothing else) and, once it serves, DIR/url; goes on until it is stopped. Asked for a plan, the model names one of two: to
add column by column, or (more often) to guess. Asked for a solution, it gets small sums right in any case, and large ones
along the first plan only. So there is something to learn: from runs with small sums both plans (SFT), from rewards on large
ones the better of the two (DPO).
"""

from __future__ import annotations

import json
import random
import re
import sys
import threading
from pathlib import Path

from reasonflux_agent.files import write_atomically
from reasonflux_agent.testing import mathematician, serve_fake

LARGE = 50
"""The least sum that is missed unless it is added column by column."""
ADD = "Kind: addition\n1. Write the numbers below each other | find: column addition\n2. Add column by column | find: carrying"
GUESS = "Kind: addition\n1. Round the numbers | find: rounding\n2. Guess the sum from their size | find: estimation"


def respond(prompt: str) -> str:
    """The reply to all messages of a call, joined."""
    problem = prompt.split("Problem:\n")[-1].partition("\n\n")[0]
    numbers = [int(n) for n in re.findall(r"\d+", problem)]
    if "Task: write a short plan" in prompt:
        return ADD if sum(numbers) % 5 > 2 else GUESS
    if "column by column" not in prompt and sum(numbers) >= LARGE:
        return f"That is about $\\boxed{{{sum(numbers) + 1}}}$."
    return mathematician(prompt)


def problems(count: int, low: int, high: int, seed: int) -> list[dict[str, str]]:
    """Different sums of two numbers from `low` to `high` - 1, with their answers."""
    rng, found = random.Random(seed), dict[str, str]()
    while len(found) < count:
        a, b = rng.randrange(low, high), rng.randrange(low, high)
        found[f"What is {a} plus {b}?"] = str(a + b)
    return [{"id": f"{seed}-{n}", "problem": p, "answer": a} for n, (p, a) in enumerate(found.items())]


def main() -> None:
    """The command."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = Path(sys.argv[1])
    (directory / "test").mkdir(parents=True, exist_ok=True)
    for name, rows in {
        "small": problems(24, 2, 25, seed=1),
        "large": problems(12, 30, 90, seed=2),
        "test/test": problems(6, 100, 150, seed=3),
    }.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(directory / f"{name}.jsonl", lines.encode())
    with serve_fake(respond) as url:
        write_atomically(directory / "url", url.encode())
        threading.Event().wait()


if __name__ == "__main__":
    main()
