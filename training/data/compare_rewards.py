r"""Whether training made a navigator's trajectories better: the mean rewards of two navigators on the same held-out problems.

    python training/data/compare_rewards.py BEFORE.rewards.jsonl AFTER.rewards.jsonl [--out FILE.json]

Each file was written by `trajectory_dpo.py --measure`, with the same solver and the same held-out problems. The reward of a
problem is the mean reward R(T) of the trajectories that were sampled for it; replies that were no plan are left out and
counted. Prints the mean over the problems before and after, with the 95 % interval of the difference over paired problems, for
each group and for all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import run
from rows import JSON

from reasonflux_agent.errors import InputError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.jobs.evaluation.statistics import paired_difference
from reasonflux_agent.runs.journal import to_line


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, metavar="BEFORE.rewards.jsonl")
    parser.add_argument("after", type=Path, metavar="AFTER.rewards.jsonl")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where the figures go as well")
    args = parser.parse_args(argv)
    found = compare(_read(args.before), _read(args.after))
    if args.out:
        write_atomically(args.out, to_line(found))
    for row in [*found["groups"], found["all"]]:
        low, high = (f"{100 * limit:+.1f}" for limit in row["interval"])
        print(
            f"{row['group']}: {row['before']:.3f} -> {row['after']:.3f} over {row['problems']} problems, "
            f"{100 * row['difference']:+.1f} points [{low}, {high}]"
        )
    unreadable = "{} -> {}".format(*found["unreadable"])
    print(f"at least {found['solved']} solutions are behind each mean")
    print(f"replies that were no plan: {unreadable} of {found['replies']}")
    if 2 * found["unreadable"][1] > found["replies"]:
        print(
            f"{args.after}: most replies were no plan, so this mean says little. The training broke the form. Next: train with "
            "pref_ftx=1.0, a smaller learning_rate or fewer epochs.",
            file=sys.stderr,
        )


def compare(before: Sequence[JSON], after: Sequence[JSON]) -> JSON:
    """Return the paired figures of two navigators: `groups` (a list), `all`, `solved`, `unreadable`, `replies`.

    A problem counts if both have a trajectory for it. Raises InputError if the problems differ or none counts.
    """
    if sorted(row["id"] for row in before) != sorted(row["id"] for row in after):
        raise InputError(
            f"The two files hold rewards for other problems ({len(before)} and {len(after)}). "
            "Next: give both navigators the same --problems and --limit."
        )
    others = {row["id"]: row for row in after}
    pairs = [(row, others[row["id"]]) for row in before if row["trajectories"] and others[row["id"]]["trajectories"]]
    if not pairs:
        raise InputError(
            "No problem has a trajectory in both files, so there is nothing to compare. Next: see `unreadable` there."
        )
    kinds: dict[str, list[tuple[JSON, JSON]]] = {}
    for pair in pairs:
        kinds.setdefault(pair[0]["group"] or "no group", []).append(pair)
    return {
        "groups": [_figures(name, kinds[name]) for name in sorted(kinds)] if len(kinds) > 1 else [],
        "all": _figures("all", pairs),
        "solved": _solved(pairs),
        "unreadable": [sum(row["unreadable"] for row in rows) for rows in (before, after)],
        "replies": sum(row["unreadable"] + sum(t["times"] for t in row["trajectories"]) for row in after),
    }


def _figures(group: str, pairs: Sequence[tuple[JSON, JSON]]) -> JSON:
    rewards = [(_reward(after), _reward(before)) for before, after in pairs]
    difference, low, high = paired_difference(rewards, _solved(pairs))
    after, before = (sum(side) / len(rewards) for side in zip(*rewards, strict=True))
    found = {"group": group, "problems": len(rewards), "before": before, "after": after}
    return {**found, "difference": difference, "interval": [low, high]}


def _reward(row: JSON) -> float:
    """The mean reward over the samples: a trajectory that was drawn twice counts twice."""
    drawn = row["trajectories"]
    return float(sum(t["reward"] * t["times"] for t in drawn) / sum(t["times"] for t in drawn))


def _solved(pairs: Sequence[tuple[JSON, JSON]]) -> int:
    """Solutions behind the mean before or after, whichever are fewer."""
    return min(sum(len(t["graded"]) for row in side for t in row["trajectories"]) for side in zip(*pairs, strict=True))


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [{"group": None, **row} for row in rows if isinstance(row["trajectories"], list)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no rewards: {error!r}. Next: make it with trajectory_dpo.py --measure.") from error


if __name__ == "__main__":
    sys.exit(run(main))
