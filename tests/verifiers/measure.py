"""False alarms and false proofs of the checks, and how often the extraction finds the gold answer.

`python -m tests.verifiers.measure [--rows N] [--show N]` reads math_train.jsonl and gsm8k_train.jsonl (see DATA) and prints
two tables. A gold solution with its gold answer is right, so a check that calls it false raises a false alarm (some alarms are
slips of the gold text). A gold answer that was changed is wrong, so a check that proves it gives a false proof. An equality
whose result was changed is wrong, too: how many of these are found says what the checks are worth.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from reasonflux_agent.verify.grading import answers, equivalent, extract_answer
from reasonflux_agent.verify.verifiers import VERIFIERS

DATA = Path(os.environ.get("REASONFLUX_DATA", Path(__file__).parents[3] / "shared" / "data")) / "train"
SOURCES = ("math_train", "gsm8k_train")
Row = dict[str, Any]


def rows(source: str, count: int) -> list[Row]:
    """The first rows of a source; the text of a GSM8K solution gets the line with its answer back."""
    with (DATA / f"{source}.jsonl").open(encoding="utf-8") as lines:
        read = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    return [row | {"solution": f"{row['solution']}\n#### {row['answer']}"} if source == "gsm8k_train" else row for row in read]


def said(name: str, row: Row, answer: str | None = None, text: str | None = None) -> bool | None:
    """The verdict of a check on a row, or on the row with another answer or text."""
    gold = row["solution"], row["answer"]
    verdict = VERIFIERS[name](row["problem"], gold[0] if text is None else text, gold[1] if answer is None else answer)
    return False if isinstance(verdict, str) else verdict


def wrong(answer: str) -> Iterator[str]:
    """Answers that are near a right one, and wrong."""
    items = answers.listed(answer)
    if len(items) > 1:
        yield from (", ".join(items[:at] + items[at + 1 :]) for at in range(len(items)))
    last = items[-1]
    for changed in (f"{last}+1", f"-({last})", f"2({last})", f"{last}+0.0000001", f"({last})*1.000001", f"{last}/2"):
        yield ", ".join([*items[:-1], changed])


def miscounted(text: str) -> Iterator[str]:
    """The text with the last digit of the number behind an equals sign changed, one sign at a time."""
    for match in re.finditer(r"= ?\$?(?:\d[\d,]*)?\d(?![\d,/^\\*]|\.\d)", text):
        end = match.end()
        yield text[: end - 1] + str((int(text[end - 1]) + 5) % 10) + text[end:]


def rounded(count: int, seed: int = 1) -> Iterator[str]:
    """Quotients with their value, correctly rounded to the places shown."""
    draw = random.Random(seed)
    for _ in range(count):
        a, b, places = draw.randint(1, 99), draw.randint(3, 99), draw.randint(1, 4)
        sign = draw.choice(["=", "=", "≈", r"\approx"])
        percent = draw.random() < 0.2
        value = (Decimal(a) / Decimal(b) * (100 if percent else 1)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        yield f"So we get {a} / {b} {sign} {value}{'%' if percent else ''}."


def alarms(read: list[Row]) -> dict[str, Counter[bool | None]]:
    """Name of a check -> how often it says what on gold solutions with their gold answers."""
    return {name: Counter(said(name, row) for row in read) for name in VERIFIERS}


def proofs(read: list[Row]) -> tuple[int, int, list[tuple[str, str]]]:
    """Wrong answers put to `substitution`: how many it called false, how many it could not tell, and those that it proved."""
    refused, unsure, proved = 0, 0, []
    for row in read:
        for answer in wrong(row["answer"]):
            verdict = said("substitution", row, answer)
            refused, unsure = refused + (verdict is False), unsure + (verdict is None)
            if verdict and not equivalent(answer, row["answer"]):
                proved.append((row["problem"], answer))
    return refused, unsure, proved


def unextracted(read: list[Row]) -> list[Row]:
    """Rows of whose solution another answer than the gold one is extracted."""
    return [row for row in read if not equivalent(extract_answer(row["solution"]) or "", row["answer"])]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of each source")
    parser.add_argument("--show", type=int, default=0, help="false alarms of each check to print")
    options = parser.parse_args()
    print("| source | n | check | true | false (alarms) |\n| --- | ---: | --- | ---: | ---: |")
    every: list[Row] = []
    for source in SOURCES:
        read = rows(source, options.rows)
        every += read
        for name, count in alarms(read).items():
            print(f"| {source} | {len(read)} | {name} | {count[True]} | {count[False]} |")
            for row in [row for row in read if options.show and said(name, row) is False][: options.show]:
                print("   ", VERIFIERS[name](row["problem"], row["solution"], row["answer"]), "|", row["id"])
        print(f"| {source} | {len(read)} | gold extracted | {len(read) - len(unextracted(read))} | {len(unextracted(read))} |")
    refused, unsure, proved = proofs(every)
    quotients = list(rounded(3_000))
    false = sum(isinstance(VERIFIERS["arithmetic"]("", text, None), str) for text in quotients)
    changed = [(row, text) for row in every[::10] for text in miscounted(row["solution"])]
    found = sum(said("arithmetic", row, text=text) is False for row, text in changed)
    print("\n| put in | n | called true | called false |\n| --- | ---: | ---: | ---: |")
    print(f"| wrong answers, to substitution | {refused + unsure + len(proved)} | {len(proved)} | {refused} |")
    print(f"| quotients rounded rightly | {len(quotients)} | | {false} |")
    print(f"| equalities made wrong | {len(changed)} | | {found} |")
    for problem, answer in proved[: options.show]:
        print("    proved:", answer, "|", problem)


if __name__ == "__main__":
    main()
