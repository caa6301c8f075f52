"""Worked examples as the demonstrations of a DSPy program, in the JSON that `dspy.ChainOfThought(...).save()` writes."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.schema import Template
from reasonflux_agent.templates.cleaning import Counts
from reasonflux_agent.templates.interchange import library_of, unproven
from reasonflux_agent.templates.library import TemplateLibrary
from reasonflux_agent.templates.reading import FIELDS, entry_of, read_bytes

FORMAT = "dspy"
SIGNATURE = {
    "instructions": "Given the fields `question`, produce the fields `answer`.",
    "fields": [
        {"prefix": f"{name.capitalize()}:", "description": f"${{{name}}}"} for name in ("question", "reasoning", "answer")
    ],
}
"""The state of the signature `question -> answer` of a ChainOfThought."""
OWN = "reasonflux"
"""Field of a demonstration for what else a template holds. DSPy keeps it, and does not show it to the model."""


def export_demos(library: TemplateLibrary, file: str | Path) -> int:
    """Write the worked examples as demonstrations of `dspy.ChainOfThought("question -> answer")`; return their number.

    DSPy shows all of them in every prompt. Templates without a worked example are left out. Raises OSError, and LibraryError
    where the library has no worked example.

    >>> export_demos(TemplateLibrary.load("mine.json"), "mine.dspy.json")  # doctest: +SKIP
    3
    """
    worked = [t for t in library if t.example and t.example.problem and t.example.steps and t.example.answer]
    demos = [_demo(template) for template in worked]
    if not demos:
        raise LibraryError(
            f"Template library {library.name!r}: none of its {len(library)} templates has a worked example with a problem, "
            "steps and an answer, and a demonstration is made of one. Next: learn templates from solved problems."
        )
    predictor = {"traces": [], "train": [], "demos": demos, "signature": SIGNATURE, "lm": None}
    state = {"predict": predictor, "metadata": {"dependency_versions": {}}}
    write_atomically(Path(file), (json.dumps(state, ensure_ascii=False, indent=2) + "\n").encode())
    return len(demos)


def import_demos(file: str | Path) -> TemplateLibrary:
    """Return the demonstrations of a saved DSPy program as a library. It is unproven, whatever the file says.

    Each demonstration with `question`, `reasoning` and `answer` becomes a template with this worked example; the others are
    counted in the notes. A template that was exported comes back as it was. Raises LibraryError.

    >>> import_demos("optimized.json").save("demos.json")  # doctest: +SKIP
    """
    source = f"DSPy program {file}"
    try:
        state = json.loads(read_bytes(Path(file)))
    except (ValueError, RecursionError) as error:
        raise LibraryError(
            f"{source}: it is no JSON ({error}). Next: save the program with `program.save('x.json')`."
        ) from None
    entries, fields, tally = [], set[str](), Counts()
    for name, demo in ((name, demo) for name, demos in _predictors(state) for demo in demos):
        demo = demo if isinstance(demo, dict) else {}
        fields |= demo.keys()
        steps = str(demo["reasoning"]).split("\n") if _is_text(demo.get("reasoning")) else []
        if _is_text(demo.get("question")) and _is_text(demo.get("answer")) and steps:
            entries.append(_entry(name, demo, steps))
        else:
            tally["demonstrations without a question, a reasoning and an answer left out"] += 1
    if not entries:
        raise LibraryError(
            f"{source}: no demonstration in it has `question`, `reasoning` and `answer` as texts; fields that exist: "
            f"{', '.join(sorted(fields)) or 'none'}. Next: save a compiled dspy.ChainOfThought('question -> answer')."
        )
    return library_of(entries, source, Path(file).stem, tally)


def is_program(state: object) -> bool:
    """Return whether a JSON value is the saved state of a DSPy program."""
    return bool(_predictors(state))


def _predictors(state: object) -> list[tuple[str, list[Any]]]:
    """Return the name and the demonstrations of each predictor of a program, and of a program that is one itself."""
    parts = {"predict": state, **state} if isinstance(state, dict) else {}
    return [
        (name, part["demos"])
        for name, part in parts.items()
        if isinstance(part, dict) and isinstance(part.get("demos"), list) and isinstance(part.get("signature"), dict)
    ]


def _demo(template: Template) -> dict[str, Any]:
    example = template.example
    assert example is not None
    lines = [step.count("\n") + 1 for step in example.steps]
    own = {"chapter": template.chapter, "section": template.section, "id": template.id, "lines_of_steps": lines}
    own |= {field: value for field, value in entry_of(template).items() if field != "example_application"}
    reasoning = "\n".join(example.steps)
    return {"augmented": True, "question": example.problem, "reasoning": reasoning, "answer": example.answer, OWN: own}


def _entry(name: str, demo: dict[str, Any], lines: list[str]) -> tuple[str, str, dict[str, Any]]:
    """Return chapter, section and entry of a demonstration of this predictor."""
    question, own = demo["question"], demo.get(OWN)
    steps = [line for line in lines if line.strip()]
    entry: dict[str, Any] = {
        "template_name": " ".join(question.split()[:8]),
        "description": f"A demonstration of the predictor {name!r} of a DSPy program.",
        "application_scenario": [" ".join(question.split())],
        "reason_flow": steps,
    }
    own = own if isinstance(own, dict) else {}
    entry |= {field: value for field, value in own.items() if field in FIELDS}
    counts = own.get("lines_of_steps")
    if isinstance(counts, list) and all(type(count) is int and count > 0 for count in counts) and sum(counts) == len(lines):
        steps = ["\n".join(lines[start:end]) for start, end in pairwise(accumulate(counts, initial=0))]
    entry["example_application"] = {"example_problem": question, "solution_steps": steps, "answer": demo["answer"]}
    kept = entry.get("provenance")
    entry["provenance"] = unproven(kept if isinstance(kept, dict) else {}, imported=FORMAT)
    return str(own.get("chapter", "Demonstrations")), str(own.get("section", name)), entry


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
