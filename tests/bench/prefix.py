"""What share of the prompt tokens a real server takes from its prefix cache, and what a problem costs, by method.

`python -m tests.bench.prefix METHOD`. The server is the embedded one with a small model, one problem after the other. It is the
prompts that are measured, not what the model makes of them: replies are cut at `TOKENS`. Accuracy beside `original` is a matter
of `reasonflux eval`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from reasonflux_agent import ReasonFlux
from reasonflux_agent.schema import Usage
from tests.bench.timing import Row, printed

MODEL, TOKENS, PROBLEMS = "local:qwen2.5-coder-0.5b", 64, 2
FILE = Path(__file__).parents[1] / "measure" / "recurrences.jsonl"
METHODS: dict[str, dict[str, Any]] = {
    "direct, 3 samples": {"strategy": "direct", "trajectories": 3, "reviews": 20},
    "navigator, no drafts": {"effort": "medium", "direct_samples": 0},
    "navigator, step by step": {"effort": "medium", "direct_samples": 0, "granularity": "step"},
    "navigator, auto": {"effort": "auto"},
    "original": {"strategy": "original"},
}


async def measure(repeats: int) -> list[Row]:
    """Means over the problems; `repeats` is not used, since greedy calls repeat themselves.

    Each method in a process of its own: its server has read nothing yet.
    """
    return [{"method": name, **printed("tests.bench.prefix", name)} for name in METHODS]


async def _measure(name: str) -> Row:
    with FILE.open(encoding="utf-8") as lines:
        problems = [json.loads(line)["problem"] for line, _ in zip(lines, range(PROBLEMS), strict=False)]
    flux = ReasonFlux(MODEL, max_tokens=TOKENS, seed=0, **METHODS[name])
    total = sum([(await flux.asolve(problem)).total for problem in problems], Usage())
    return {
        "calls": total.calls / len(problems),
        "prompt_tokens": round(total.prompt_tokens / len(problems)),
        "cached": f"{total.cached_tokens / total.prompt_tokens:.0%}",
        "read_anew": round((total.prompt_tokens - total.cached_tokens) / len(problems)),
        "completion_tokens": round(total.completion_tokens / len(problems)),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(sys.argv[1]))))
