r"""Imports a published data set: alpaca or sharegpt, SFT or preference, as JSON or JSON lines.

    python training/data/import_rows.py published.json --out data/published.json --benchmarks data/benchmarks

The shape is told from the fields of the first row, and every row must have it:

    alpaca      instruction [input] output               preference: chosen and rejected (texts) in the place of output
    sharegpt    conversations (or messages) of turns     preference: chosen and rejected (a turn each) beside them
    pairs       prompt and response                      preference: prompt, chosen and rejected
    whole       -                                        preference: chosen and rejected, each a whole conversation

A turn is {"from": "human" | "gpt" | "system", "value": text} or {"role": "user" | "assistant" | "system", "content": text}; a
conversation is a list of turns, or a text of "Human:" and "Assistant:" paragraphs. In a preference the conversation up to the
last turn is the prompt, and must be the same on both sides; chosen and rejected must differ. A row of another form is refused
by its number. The result has sharegpt rows, SFT or preference; `system` and alpaca's `history` are kept.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import Build, arguments, run
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

    read, wrong = [], []
    for number, row in enumerate(rows, 1):
        try:
            read.append(read_row(row, kind))
        except (ValueError, KeyError, TypeError) as error:
            wrong.append((number, f"the field {error} is missing" if isinstance(error, KeyError) else error))
    if wrong:
        number, why = wrong[0]
        others = ", ".join(str(number) for number, _ in wrong[1:9]) + (" ..." if len(wrong) > 9 else "")
        raise InputError(
            f"{args.file}, row {number}: {why}. {f'{len(wrong) - 1} more rows cannot be read: {others}. ' if others else ''}"
            "Expected: see --help. Next: correct or remove what is wrong."
        )
    units = {f"{number}:{digest(row)}": row for number, row in enumerate(read, 1)}
    results = build.each("rows", units, lambda row: {"outcome": "read", "row": row})
    build.write([(result["row"]["conversations"][0]["value"], result["row"]) for result in results], kind)


def read_row(row: Any, kind: Kind) -> JSON:
    """Return a row of any of the shapes as sharegpt. Raises ValueError, KeyError or TypeError for any other row."""
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")
    turns = next((row[name] for name in ("conversations", "messages") if row.get(name) is not None), None)
    answers: JSON = {}
    if kind == "preference":
        sides = {name: _turns(row[name], name) for name in ("chosen", "rejected")}
        asked = _turns(turns, "conversations") if turns is not None else _alpaca(row, kind) if _ASKING & row.keys() else []
        said = _common(asked, *(side[:-1] for side in sides.values()))
        answers = {name: side[-1] for name, side in sides.items()}
        if any(turn["from"] != "gpt" for turn in answers.values()):
            raise ValueError("a chosen or rejected answer is not the assistant's")
        if answers["chosen"]["value"].strip() == answers["rejected"]["value"].strip():
            raise ValueError("chosen and rejected are the same")
    else:
        said = _alpaca(row, kind) if turns is None else _turns(turns, "conversations")
    systems = {_text(row["system"], "system")} if row.get("system") else set()
    if said and said[0]["from"] == "system":
        systems.add(said.pop(0)["value"])
    if len(systems) > 1:
        raise ValueError("`system` and its system turn differ")
    roles = [turn["from"] for turn in said]
    expected = ["human", "gpt"] * (len(roles) // 2) + (["human"] if kind == "preference" else [])
    if roles != expected or not roles:
        raise ValueError(f"its turns are {', '.join(roles) or 'none'}, not human and gpt by turns")
    return {"conversations": said, **answers, **({"system": systems.pop()} if systems else {})}


_ASKING = {"prompt", "instruction"}


def _common(asked: list[JSON], chosen: list[JSON], rejected: list[JSON]) -> list[JSON]:
    """The conversation before two answers: `asked`, or the longer one that both answers hold, if it includes `asked`."""
    before, other, known = ([(turn["from"], turn["value"].strip()) for turn in turns] for turns in (chosen, rejected, asked))
    if before != other:
        raise ValueError("the conversations of chosen and rejected differ before their last turn")
    if known[max(0, len(known) - len(before)) :] == before:
        return asked
    if not set(known) <= set(before):
        raise ValueError("the conversations of chosen and rejected do not hold what the row asks")
    return chosen


def _alpaca(row: Mapping[str, Any], kind: Kind) -> list[JSON]:
    said = []
    for pair in row.get("history") or ():
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("`history` is not a list of [question, answer]")
        said += [{"from": who, "value": _text(text, "history")} for who, text in zip(("human", "gpt"), pair, strict=True)]
    if "prompt" in row:
        asked, answer = _turns(row["prompt"], "prompt", by="human"), "response"
    else:
        text = "\n".join(filter(None, (_text(row["instruction"], "instruction"), row.get("input") or "")))
        asked, answer = [{"from": "human", "value": text}], "output"
    said += asked
    return said if kind == "preference" else [*said, {"from": "gpt", "value": _text(row[answer], answer)}]


_PARAGRAPH = re.compile(r"(?:\A|\n\n)\s*(Human|Assistant): ?")


def _turns(value: Any, field: str, by: str = "gpt") -> list[JSON]:
    """A conversation: a list of turns, one turn, a text of "Human:" and "Assistant:" paragraphs, or one text, said `by` him."""
    if isinstance(value, list | dict):
        turns = [_turn(turn, field) for turn in (value if isinstance(value, list) else [value])]
        if not turns:
            raise ValueError(f"`{field}` is empty")
        return turns if turns[0]["value"] or turns[0]["from"] != "system" else turns[1:]
    if field == "conversations":
        raise ValueError("`conversations` is not a list")
    text = _text(value, field)
    if not _PARAGRAPH.match(text):
        return [{"from": by, "value": text}]
    names = {"Human": "human", "Assistant": "gpt"}
    parts = _PARAGRAPH.split(text)[1:]
    if field == "prompt" and not parts[-1].strip():
        parts = parts[:-2]  # the prompt ends with the name of the next speaker
    return [
        {"from": names[who], "value": _text(said, field).strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def _turn(turn: Any, field: str) -> JSON:
    if isinstance(turn, str) and field in ("chosen", "rejected"):
        return {"from": "gpt", "value": _text(turn, field)}
    if not isinstance(turn, dict):
        raise ValueError("a turn is no JSON object")
    role = turn.get("from", turn.get("role"))
    if role not in ROLES:
        raise ValueError(f"a turn is by {role!r}, and not by one of {', '.join(ROLES)}")
    value = turn.get("value", turn.get("content"))
    return {"from": ROLES[role], "value": "" if value == "" and role == "system" else _text(value, "value")}


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`{field}` is not a text, or empty")
    return value


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
