r"""Whether the miniature learnt: reads what training/smoke.sh left in DIR, solves a problem with the exported checkpoint,
prints the numbers, and fails for one that is wrong.

    python training/mini/check.py DIR
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reasonflux_agent import ReasonFlux
from reasonflux_agent.runs.record import read_record


def main() -> None:
    """The command."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    here = Path(sys.argv[1])
    job = here / "rounds" / "round-1" / "model"
    rises("SFT's loss", here / "sft" / "trainer_state.json", "loss", by=-1.0)
    rises("DPO's reward margin", job / "trainer_state.json", "rewards/margins", by=0.2)
    pairs = json.loads((job.parent / "data" / "trajectory_dpo.manifest.json").read_text(encoding="utf-8"))
    print(f"{pairs['rows']} pairs of trajectories: {pairs['stages']}")
    for what, folder in (
        ("untrained", here / "sft/eval/before"),
        ("SFT", here / "sft/eval/after"),
        ("DPO", job / "eval/after"),
    ):
        rows = [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]
        expect(len(rows) == 6 and not any(row["error"] for row in rows), f"{folder}: 6 rows without an error; there are {rows}")
        print(f"{what}: {sum(row['correct'] for row in rows)} of {len(rows)} right")
    rewards = json.loads((job / "rewards" / "compared.json").read_text(encoding="utf-8"))["all"]
    expect(
        min(rewards["before"], rewards["after"]) >= 0 and rewards["problems"] > 0, f"rewards of held-out problems: {rewards}"
    )
    print(f"mean reward on {rewards['problems']} held-out problems: {rewards['before']:.2f}, {rewards['after']:.2f} after DPO")
    solution = ReasonFlux(f"hf:{job}/export", record=here / "records", max_tokens=64).solve("What is 120 plus 31?")
    path = max((here / "records").glob("*.jsonl"), key=lambda file: file.stat().st_mtime)
    record = read_record(path)
    expect(bool(record.calls) and record.solution == solution, f"{path} holds the calls and the Solution")
    expect(all(call.reply for call in record.calls), f"every call in {path} has a reply")
    print(f"the exported checkpoint in both roles: {solution.status} in {len(record.calls)} calls, all recorded")
    plots = [here / "sft" / "training_loss.png", job / "training_loss.png", job / "training_rewards_margins.png"]
    for plot in plots:
        expect(plot.is_file() and plot.read_bytes().startswith(b"\x89PNG"), f"{plot} is a plot")
        print(plot)


def rises(what: str, path: Path, key: str, *, by: float) -> None:
    """Prints the means of a metric over the first and the last third of a training; fails unless they differ by `by`."""
    history: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["log_history"]
    values = [float(row[key]) for row in history if key in row]
    expect(len(values) >= 6, f"{path} has {key} for 6 steps or more; it has {len(values)}")
    third = len(values) // 3
    first, last = sum(values[:third]) / third, sum(values[-third:]) / third
    print(f"{what}: {first:.3f} in the first third of the steps, {last:.3f} in the last")
    expect((last - first) / by >= 1, f"{what} changes by {by:+} or more")


def expect(true: bool, what: str) -> None:
    """Ends the process with what was expected, unless it is so."""
    if not true:
        sys.exit(f"The miniature failed. Expected: {what}.")


if __name__ == "__main__":
    main()
