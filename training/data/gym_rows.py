r"""Problems of reasoning-gym's families, at a difficulty of your choice: rows of `problem`, `answer` and `group` to train on.

    python training/data/gym_rows.py --out train.jsonl --seed 40000000 --rows 16 \
        chain_sum:min_terms=2,max_terms=3 simple_equations:max_terms=2,max_value=20

FAMILY:KEY=NUMBER,... are the family's own settings; what is not given has the family's default. Row i of a family is made from
the number SEED + i. Other numbers can make the same text, so name the other set with --without: its problems are left out. The
families take turns in the file. Answers are graded as numbers or formulas. A family's own scorer knows only the default
difficulty; `gym:FAMILY` uses it (docs/evaluation.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from common import run
from rows import JSON

from reasonflux_agent.errors import InputError, MissingExtraError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.runs.journal import to_line

TRIED = 20
"""Numbers that are tried for each row that is asked for, since small difficulties repeat themselves."""


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("families", nargs="+", metavar="FAMILY[:KEY=NUMBER,...]")
    add("--out", type=Path, required=True, metavar="FILE.jsonl")
    add("--rows", type=int, required=True, help="rows of each family")
    add("--seed", type=int, default=0, help="number of the first row (default: %(default)s)")
    add("--without", type=Path, metavar="FILE.jsonl", help="problems that are left out")
    args = parser.parse_args(argv)
    seen = (
        {json.loads(line)["problem"] for line in args.without.read_text(encoding="utf-8").splitlines()}
        if args.without
        else set()
    )
    columns = []
    for given in args.families:
        found = list(islice(_rows(given, args.seed, TRIED * args.rows, seen), args.rows))
        if len(found) < args.rows:
            raise InputError(f"{given} has {len(found)} different problems in {TRIED * args.rows}. Next: ask for fewer --rows.")
        columns.append(found)
    write_atomically(args.out, b"".join(to_line(row) for rows in zip(*columns, strict=True) for row in rows))


def _rows(given: str, seed: int, tried: int, seen: set[str]) -> Iterator[JSON]:
    """Yield the rows of `tried` numbers from `seed` on whose problems are not in `seen`, and add the problems to it."""
    try:
        from reasoning_gym.factory import DATASETS, create_dataset
    except ImportError:
        raise MissingExtraError(given, "reasoning-gym", "gym") from None
    family, _, settings = given.partition(":")
    if family not in DATASETS:
        raise InputError(f"There is no family {family!r}. There are: {', '.join(sorted(DATASETS))}. Next: name one.")
    try:
        numbers = {key: json.loads(number) for key, number in (pair.split("=") for pair in filter(None, settings.split(",")))}
        made = create_dataset(family, seed=seed, size=tried, **numbers)
    except Exception as error:  # whatever a family's settings raise
        raise InputError(f"{given}: {error}. Next: see the settings of {family} in reasoning-gym.") from error
    for number in range(tried):
        entry = made[number]
        problem = entry["question"].strip()
        if problem not in seen:
            seen.add(problem)
            yield {"id": f"{family}/{seed + number}", "problem": problem, "answer": str(entry["answer"]), "group": family}


if __name__ == "__main__":
    sys.exit(run(main))
