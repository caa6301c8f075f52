r"""Template extraction: solved problems -> a template library whose effect is measured.

    python training/data/extract_templates.py --problems data/train/math_train.jsonl --out data/extracted.json \
        --writer vllm:my-model --solver vllm:my-solver --benchmarks data/benchmarks --limit 200

The problems (rows with `problem`, `answer` and `solution`) are divided at random: a fifth is set aside. The writer reads
the first --limit of the others, and states the method behind each solution as a template. A template that another one (or
one of the library --known) says already, by embedding, is dropped. A template is kept only if the solver, shown it as the
graph shows it, gets more of the most similar problems right than without it. The effect of the kept templates is then
measured on the problems that were set aside: no template was written from these or chosen by them. The result is a library
that `--library` loads.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from asking import Similar, ask, solves, to_key
from common import Build, Result, arguments, run
from files import digest
from langchain_core.language_models import BaseChatModel
from structure import TEMPLATE

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import Item, load
from reasonflux_agent.models import describe, load_model
from reasonflux_agent.prompts import ParseError, correction, plain
from reasonflux_agent.run import PARSE_TRIES
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import TemplateLibrary

ASIDE = 5
"""One problem in so many is set aside to measure the effect."""
EXAMPLE_STEPS = 8
"""Sentences of a solution that a template shows at most; a longer solution is shown as one paragraph."""


def main(argv: Sequence[str] | None = None, models: Mapping[str, BaseChatModel] | None = None) -> None:
    """The command; `models` (writer, solver) take the place of the specs."""
    parser = arguments(__doc__)
    add = parser.add_argument
    add("--problems", type=Path, required=True, help="*.jsonl with `problem`, `answer` and `solution`: the training set")
    add("--writer", default="local:qwen2.5-coder-1.5b", help="spec of the model that writes templates (default: %(default)s)")
    add("--solver", help="spec of the model that they are to help (default: the writer's)")
    add("--known", help="a library (name or path) whose templates are not to be written again")
    add("--limit", type=int, default=200, help="solutions that are read (default: %(default)s)")
    add("--similar", type=int, default=3, help="similar problems a template is tried on (default: %(default)s)")
    add("--effect", type=int, default=5, help="problems set aside that each kept one is measured on (default: %(default)s)")
    add("--double", type=float, default=0.9, help="cosine from which on two templates say the same (default: %(default)s)")
    add("--max-tokens", type=int, default=1536, help="of one reply of the solver at most (default: %(default)s)")
    add("--embedder", default="wordllama", help="spec (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--jobs", type=int, default=8, help="units worked on at once (default: %(default)s)")
    args = parser.parse_args(argv)
    if min(args.limit, args.similar, args.effect, args.jobs, args.max_tokens) < 1 or not 0 < args.double <= 1:
        raise InputError(
            "--limit, --similar, --effect, --jobs and --max-tokens are 1 or more; --double is above 0 and at most 1."
        )
    named = models or {"writer": load_model(args.writer), "solver": load_model(args.solver or args.writer)}
    writer, solver = named["writer"], named["solver"]
    names = ("similar", "effect", "double", "max_tokens", "embedder", "seed", "known")
    settings = {name: getattr(args, name) for name in names} | {role: describe(model) for role, model in named.items()}
    build = Build(__file__, args, settings, {"problems": [args.problems]})
    # what is set aside, and what is similar to a problem, depends on the whole training set
    build.settings["training set"] = digest([build.inputs["problems"], build.leaks.sources])
    build.choices["limit"] = args.limit

    given, solutions = load(str(args.problems)), _solutions(args.problems)
    items = [item for item in given if not build.leaks.found(item.problem, solutions.get(item.id, ""))]
    build.stages.update({"training set": len(given), "training set: in a benchmark": len(given) - len(items)})
    random.Random(args.seed).shuffle(items)
    cut = len(items) // ASIDE
    aside, others = Similar.of(items[:cut], args.embedder), Similar.of(items[cut:], args.embedder)
    read = {to_key(item): item for item in others.items if solutions.get(item.id)}
    read = dict(list(read.items())[: args.limit])

    written = build.each("solutions", read, lambda item: _written(writer, item, solutions[item.id]), args.jobs)
    found = [(item, Template(**r["template"])) for item, r in zip(read.values(), written, strict=True) if "template" in r]
    known = list(TemplateLibrary.load(args.known)) if args.known else []
    fresh = _fresh(found, known, args.embedder, args.double)
    build.stages["solutions: template said before"] = len(found) - len(fresh)
    alone = cache(lambda item: bool(solves(solver, item, args.max_tokens)["correct"]))

    def compared(template: Template, problems: Sequence[Item]) -> dict[str, int]:
        shown = sum(solves(solver, item, args.max_tokens, templates=[template])["correct"] for item in problems)
        return {"problems": len(problems), "with": shown, "without": sum(alone(item) for item in problems)}

    def tried(pair: tuple[Item, Template]) -> Result:
        counts = compared(pair[1], others.to(pair[0], args.similar))
        return {"outcome": "kept" if counts["with"] > counts["without"] else "no help", **counts}

    trials = build.each("templates", {_key(pair): pair for pair in fresh}, tried, args.jobs)
    kept = [pair for pair, trial in zip(fresh, trials, strict=True) if trial["outcome"] == "kept"]
    if not kept:
        raise InputError(f"No template helped, and nothing was written. What became of them: {dict(build.stages)}.")

    whole = Similar.of((*aside.items, *(item for item, _ in kept)), args.embedder)
    used = [item.id for item, _ in kept]

    def measured(pair: tuple[Item, Template]) -> Result:
        return {"outcome": "measured", **compared(pair[1], whole.to(pair[0], args.effect, used))}

    effects = build.each("effect", {_key(pair): pair for pair in kept}, measured, args.jobs)
    TemplateLibrary(tuple(template for _, template in kept), build.out.stem).save(build.out)
    loaded = TemplateLibrary.load(build.out)
    build.manifest("library", len(loaded), effect=_summary(effects), trials=_summary(trials))


def _solutions(path: Path) -> dict[str, str]:
    """Id -> worked solution, for the rows of a file that `load` has read."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n")):
        row = json.loads(line) if line.strip() else {}
        if isinstance(row.get("solution"), str) and row["solution"].strip():
            found[str(row.get("id", f"{path.stem}/{number}")).strip()] = row["solution"].strip()
    if not found:
        raise InputError(f"{path}: no row has a `solution`. Next: name a file of solved problems.")
    return found


def _written(writer: BaseChatModel, item: Item, solution: str) -> Result:
    messages = TEMPLATE.render(item.problem, solution)
    for _ in range(PARSE_TRIES):
        reply = ask(writer, plain(messages), TEMPLATE.max_tokens or 400)
        try:
            template = TEMPLATE.parse(reply.text)
            break
        except ParseError as error:
            messages = TEMPLATE.render(item.problem, solution) + correction(reply.text, error)
    else:
        return {"outcome": "unreadable", "reply": reply.text}
    if reply.truncated or len(template.flow) < 2 or not template.description:
        return {"outcome": "incomplete"}
    steps = tuple(line.strip() for line in solution.replace(". ", ".\n").splitlines() if line.strip())
    shown = steps if len(steps) <= EXAMPLE_STEPS else (solution,)
    example = Example(problem=item.problem, steps=shown, answer=item.answer)
    place = {"chapter": item.subject or "Extracted", "section": "Extracted", "example": example}
    return {"outcome": "written", "template": template.model_copy(update=place).model_dump(mode="json")}


def _fresh(
    found: Sequence[tuple[Item, Template]], known: Sequence[Template], embedder: str, double: float
) -> list[tuple[Item, Template]]:
    """The templates that no earlier one says already, by name or embedding, each with its own id."""
    from reasonflux_agent.templates import template_text
    from reasonflux_agent.templates.embeddings import load_embeddings, unit_rows

    # without the examples, which always differ
    texts = [template_text(t.model_copy(update={"example": None})) for t in (*known, *(t for _, t in found))]
    if not found:
        return []
    rows = unit_rows(load_embeddings(embedder).embed_documents(texts))
    taken, names, fresh = list(range(len(known))), {t.name.lower() for t in known}, list[tuple[Item, Template]]()
    for row, (item, template) in enumerate(found, len(known)):
        if template.name.lower() in names or (taken and float((rows[taken] @ rows[row]).max()) >= double):
            continue
        taken.append(row)
        names.add(template.name.lower())
        fresh.append((item, template.model_copy(update={"id": f"extracted/{digest([template.name, item.problem])}"})))
    return fresh


def _summary(results: Sequence[Result]) -> dict[str, Any]:
    """Totals over templates, each problem counted once for each template that it was near to."""
    total = {name: sum(result[name] for result in results) for name in ("problems", "with", "without")}
    return {"templates": len(results), **total}


def _key(pair: tuple[Item, Template]) -> str:
    return f"{pair[1].id}:{digest(pair[1].model_dump(mode='json'))}"


if __name__ == "__main__":
    sys.exit(run(main))
