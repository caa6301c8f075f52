"""`reasonflux ui` as a real process, and a model for it that writes formulas and programs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.serving.servers import ENVIRONMENT

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
PLAN = """Kind: recurrence relation
1. Find the fixed point | find: linear recurrence
2. Write the shifted sequence as geometric | find: geometric sequence
3. State the general term | find: general term"""


@dataclass
class Mathematician:
    """A `respond` for `serve_fake`: plans in three steps, works with formulas, runs a program, and writes hostile markup."""

    seconds: float = 0.0
    calls: int = 0

    def __call__(self, prompt: str) -> str:
        self.calls += 1
        time.sleep(self.seconds)
        task = prompt.rsplit("Task:", 1)[-1]
        if "Do not solve" in task:
            return PLAN
        if "reviewer" in task:
            return "ACCEPT"
        if "The program printed" in prompt:
            return f"It agrees with \\[ a_n = 8\\cdot 2^{{n-1}} - 5. \\] {EVIL} So $\\boxed{{2^{{n+2}}-5}}$."
        return f"**Shift** by $x=-5$ {EVIL}, $\\text{{<script>x</script>}}$:\n```python\nprint(3 + 8)\n```\n"


@contextmanager
def ui_served(directory: Path, model: str) -> Iterator[str]:
    """The verb on a free port, with the records in `directory`; gives the URL, and is killed at the end."""
    log = directory.with_suffix(".log")
    command = [sys.executable, "-m", "reasonflux_agent.cli", "ui", "--no-browser", "--port", "0"]
    command += ["--record", str(directory), "--model", model]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**ENVIRONMENT, "REASONFLUX_DIRECT_SAMPLES": "0"})
    try:
        for _ in range(1200):
            if found := re.search(r"http://\S+/ui/", log.read_text()):
                yield found[0]
                return
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"the page did not start: {log.read_text()}")
    finally:
        process.kill()
        process.wait()
