r"""Imports a published data set: alpaca or sharegpt, SFT or preference, as JSON or JSON lines.

    python training/data/import_rows.py published.json --out data/published.json --benchmarks data/benchmarks

The shape is told from the fields of the first row, and every row must have it:

    alpaca      instruction [input] output               preference: chosen and rejected (texts) in the place of output
    sharegpt    conversations (or messages) of turns     preference: chosen and rejected (a turn each) beside them
    pairs       prompt and response                      preference: prompt, chosen and rejected (texts)

A turn is {"from": "human" | "gpt" | "system", "value": text} or {"role": "user" | "assistant" | "system", "content": text}.
Written are sharegpt rows, SFT or preference; `system` and alpaca's `history` are kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import Build, Result, arguments, run
from files import digest
from rows import JSON, Kind

from reasonflux_agent.errors import InputError

ROLES = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt", "system": "system"}


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("file", type=Path, help="*.json (a list of rows) or *.jsonl")
    args = parser.parse_args(argv)
    if args.file.resolve() == args.out.resolve():
        raise InputError(f"--out {args.out} is the file that is read. Next: give another name.")
    rows = _rows(args.file)
    kind: Kind = "preference" if "chosen" in rows[0] else "sharegpt"
    build = Build(__file__, args, {"columns": sorted(rows[0])}, {"file": [args.file]})

    def imported(numbered: tuple[int, Any]) -> Result:
        number, row = numbered
        try:
            return {"outcome": "read", "row": read_row(row, kind)}
        except (ValueError, KeyError, TypeError) as error:
            why = f"the field {error} is missing" if isinstance(error, KeyError) else error
            raise InputError(f"{args.file}, row {number}: {why}. Expected: see --help. Next: correct the row.") from None

    units = {f"{number}:{digest(row)}": (number, row) for number, row in enumerate(rows, 1)}
    results = build.each("rows", units, imported)
    build.write([(_asked(result["row"]), result["row"]) for result in results], kind)


def read_row(row: Any, kind: Kind) -> JSON:
    """A row of any of the shapes as sharegpt. Raises ValueError, KeyError or TypeError for one that is of none."""
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")
    turns = row.get("conversations") or row.get("messages")
    said = _alpaca(row, kind) if turns is None else [_turn(turn) for turn in _list(turns, "conversations")]
    system = row.get("system")
    if said and said[0]["from"] == "system":
        system = said.pop(0)["value"]
    answers = {name: _answer(row[name]) for name in ("chosen", "rejected")} if kind == "preference" else {}
    roles = [turn["from"] for turn in said]
    expected = ["human", "gpt"] * (len(roles) // 2) + (["human"] if kind == "preference" else [])
    if roles != expected or not roles:
        raise ValueError(f"its turns are {', '.join(roles) or 'none'}, not human and gpt by turns")
    return {"conversations": said, **answers, **({"system": _text(system, "system")} if system else {})}


def _alpaca(row: Mapping[str, Any], kind: Kind) -> list[JSON]:
    said = []
    for pair in row.get("history") or ():
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("`history` is not a list of [question, answer]")
        said += [{"from": who, "value": _text(text, "history")} for who, text in zip(("human", "gpt"), pair, strict=True)]
    if "prompt" in row:
        asked, answer = _text(row["prompt"], "prompt"), "response"
    else:
        more = row.get("input") or ""
        asked, answer = "\n".join(filter(None, (_text(row["instruction"], "instruction"), more))), "output"
    said.append({"from": "human", "value": asked})
    return said if kind == "preference" else [*said, {"from": "gpt", "value": _text(row[answer], answer)}]


def _turn(turn: Any) -> JSON:
    if not isinstance(turn, dict):
        raise ValueError("a turn is no JSON object")
    role = turn.get("from", turn.get("role"))
    if role not in ROLES:
        raise ValueError(f"a turn is by {role!r}, and not by one of {', '.join(ROLES)}")
    return {"from": ROLES[role], "value": _text(turn.get("value", turn.get("content")), "value")}


def _answer(value: Any) -> JSON:
    """A chosen or rejected answer: a text, a turn, or the whole conversation, as some sets have it, that ends in one."""
    last = value[-1] if isinstance(value, list) and value else value
    turn = {"from": "gpt", "value": _text(last, "chosen or rejected")} if isinstance(last, str) else _turn(last)
    if turn["from"] != "gpt":
        raise ValueError("a chosen or rejected answer is not the assistant's")
    return turn


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`{field}` is not a text, or empty")
    return value


def _list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"`{field}` is not a list")
    return value


def _asked(row: JSON) -> str:
    return str(next(turn["value"] for turn in row["conversations"] if turn["from"] == "human"))


def _rows(path: Path) -> list[Any]:
    """The rows of a file, the first of them an object. Raises InputError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        # not splitlines: JSON may hold other line ends
        found = [json.loads(line) for line in text.split("\n") if line.strip()] if path.suffix == ".jsonl" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read as JSON: {error}. Next: convert it to a list of rows, or one a line."
        ) from None
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        raise InputError(f"{path} is not a list of rows, each a JSON object. Next: see --help for the shapes.")
    return found


if __name__ == "__main__":
    sys.exit(run(main))
