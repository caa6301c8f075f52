r"""Trajectory preference (the paper's stage 2): pairs of trajectories, rewarded by what they do for similar problems.

    python training/data/trajectory_dpo.py --problems data/train/math_train.jsonl --out data/trajectory_dpo.json \
        --navigator vllm:my-navigator --solver vllm:my-solver --benchmarks data/benchmarks --limit 500

For each problem x the navigator samples N trajectories T. The M problems of the file most similar to x are found by
embedding. The reward R(T) is the mean graded accuracy of the solver on those M problems. The solver is sent what the graph
would send if the navigator had drawn T for the similar problem: the library is searched for both together, and a template that
stands out goes with T. A worked example takes the place of T, as in the graph: trajectories that find the same one have
the same reward there, and are a tie if they do so on all M problems. With --informed the solver is shown T as well, with
--templates 0 T alone.

The best and the worst trajectory become a pair where their rewards differ by the margin; else the problem is discarded, and
counted. A pair holds whole replies: the thought too, where the navigator thought aloud. FILE.rewards.jsonl keeps every
trajectory with its reward and the answers it was given for.

With --measure nothing is made into pairs, and FILE.rewards.jsonl is all that is written: the rewards of a navigator on
problems that it was not trained on. compare_rewards.py compares two of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asking import Similar, accuracy, ask, solves, to_key
from common import Build, Result, arguments, run
from files import digest
from langchain_core.language_models import BaseChatModel
from plans import PROMPTS, add_prompt
from rows import JSON, preference, thought

from reasonflux_agent.context import EFFORTS, Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.jobs.evaluation.benchmarks import Item, load
from reasonflux_agent.models import describe, load_model
from reasonflux_agent.parts import DEPTH
from reasonflux_agent.prompts import ParseError, plain
from reasonflux_agent.prompts.steps import write_steps
from reasonflux_agent.runs.journal import to_line
from reasonflux_agent.schema import Plan
from reasonflux_agent.strategies.search import document_id, looked_up, standing_out, trajectory_query
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever

SETTINGS = ("prompt", "samples", "similar", "templates", "informed", "temperature", "max_tokens", "library", "embedder", "seed")
"""Options on which the rewards depend."""


def main(argv: Sequence[str] | None = None, models: Mapping[str, BaseChatModel] | None = None) -> None:
    """The command; `models` (navigator, solver) take the place of the specs."""
    parser = arguments(__doc__)
    add = parser.add_argument
    add("--problems", type=Path, required=True, help="*.jsonl with `problem` and `answer`: the training set")
    add("--navigator", default="local:qwen2.5-coder-1.5b", help="spec of the model to be trained (default: %(default)s)")
    add("--solver", help="spec of the solver (default: the navigator's)")
    add_prompt(parser)
    add("--limit", type=int, help="pairs are looked for at the first so many problems (default: all)")
    add("--samples", type=int, default=4, help="trajectories a problem, N (default: %(default)s)")
    add("--similar", type=int, default=3, help="similar problems a trajectory, M (default: %(default)s)")
    add("--margin", type=float, default=0.3, help="least difference of rewards in a pair (default: %(default)s)")
    most = EFFORTS[Context().effort].templates
    add("--measure", action="store_true", help="reward every trajectory, also where a problem has only one; make no pairs")
    add("--templates", type=int, default=most, help="templates that go with a trajectory at most (default: %(default)s)")
    add("--informed", action="store_true", help="show a trajectory beside a worked example, as effort high does")
    add("--temperature", type=float, default=0.9, help="of the navigator's samples (default: %(default)s)")
    add("--max-tokens", type=int, default=1536, help="of one reply of the solver at most (default: %(default)s)")
    add("--library", default="builtin", help="name or path (default: %(default)s)")
    add("--embedder", default="wordllama", help="spec, for similar problems and templates (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--jobs", type=int, default=8, help="problems worked on at once (default: %(default)s)")
    args = parser.parse_args(argv)
    if args.samples < 2 or min(args.similar, args.jobs) < 1 or args.max_tokens < 1 or not 0 < args.margin <= 1:
        raise InputError("--samples is 2 or more; --similar, --jobs and --max-tokens 1 or more; --margin above 0, at most 1.")
    named = models or {"navigator": load_model(args.navigator), "solver": load_model(args.solver or args.navigator)}
    settings = {name: getattr(args, name) for name in SETTINGS} | {role: describe(model) for role, model in named.items()}
    library = None
    if args.templates > 0 and args.prompt == "plan":
        library = TemplateLibrary.load(args.library)
        settings["templates of the library"] = digest([template.model_dump(mode="json") for template in library])
    build = Build(__file__, args, settings, {"problems": [args.problems]})
    # what is similar to a problem depends on the whole training set
    build.settings["training set"] = digest([build.inputs["problems"], build.leaks.sources])
    build.choices = {"margin": args.margin, "limit": args.limit}

    items = load(str(args.problems))
    clean = [item for item in items if not build.leaks.found(item.problem)]
    build.stages.update({"training set": len(items), "training set: in a benchmark": len(items) - len(clean)})
    similar = Similar.of(clean, args.embedder)
    if args.measure:
        build.settings["measure"] = True
    if len(clean) <= args.similar:
        raise InputError(f"{args.problems}: {len(clean)} problems are too few to find {args.similar} similar to each.")
    retriever = TemplateRetriever.from_library(library, args.embedder, k=DEPTH) if library else None
    work = _Work(args, similar, retriever, named["navigator"], named["solver"])
    units = {to_key(item): item for item in clean[: args.limit]}
    results = build.each("problems", units, work.rewarded, args.jobs)
    rows, lines = list[tuple[str, JSON]](), b""
    for item, result in zip(units.values(), results, strict=True):
        if result["outcome"] == "rewarded" and not args.measure:
            result |= _pair(result["trajectories"], args.margin)
        if result["outcome"] == "kept":
            best, worst = (result["trajectories"][result[side]]["reply"] for side in ("chosen", "rejected"))
            rows.append((item.problem, preference(PROMPTS[args.prompt].render(item.problem), best, worst)))
        lines += to_line({"problem": item.problem, "group": item.row.get("group"), **result})
    if args.measure:
        write_atomically(build.beside(".rewards.jsonl"), lines)
        return
    for outcome in ("kept", "tie", "below the margin"):
        build.stages[f"pairs: {outcome}"] = sum(result["outcome"] == outcome for result in results)
    write_atomically(build.beside(".rewards.jsonl"), lines)
    build.write(rows, "preference")


@dataclass(frozen=True)
class _Work:
    """Samples and rewards the trajectories of a problem."""

    args: argparse.Namespace
    similar: Similar
    retriever: TemplateRetriever | None
    navigator: BaseChatModel
    solver: BaseChatModel

    def rewarded(self, item: Item) -> Result:
        """Return the trajectories of a problem with their rewards, R(T)."""
        drawn = self._sampled(item)
        found: Result = {"id": item.id, "unreadable": self.args.samples - sum(t["times"] for t in drawn), "trajectories": drawn}
        if len(drawn) < (1 if self.args.measure else 2):
            return {"outcome": "fewer than two trajectories", **found}
        similar = self.similar.to(item, self.args.similar)
        for trajectory in drawn:
            graded = [self._solved(other, Plan(**trajectory["plan"])) for other in similar]
            templates = dict.fromkeys(id for row in graded for id in row["templates"])
            trajectory |= {"templates": list(templates), "graded": graded, "reward": accuracy(graded)}
        return {"outcome": "rewarded", **found}

    def _sampled(self, item: Item) -> list[dict[str, Any]]:
        """The distinct trajectories among the samples, each as the navigator wrote it and as the graph reads it."""
        drawn: dict[str, dict[str, Any]] = {}
        prompt = PROMPTS[self.args.prompt]
        for seed in range(self.args.seed, self.args.seed + self.args.samples):
            messages = plain(prompt.render(item.problem))
            reply = ask(self.navigator, messages, prompt.max_tokens or 400, self.args.temperature, seed)
            try:
                plan = prompt.parse(reply.text)
            except ParseError:
                continue
            plan = plan.model_copy(update={"steps": plan.steps[: Context().max_steps]})
            if not reply.truncated:
                said = thought(reply.reasoning) + reply.text.strip()
                new = {"reply": said, "plan": plan.model_dump(mode="json"), "times": 0}
                drawn.setdefault(write_steps(plan).lower(), new)["times"] += 1
        return list(drawn.values())

    def _solved(self, item: Item, plan: Plan) -> dict[str, Any]:
        """How the solver answers a problem for which the navigator has drawn this plan, and the ids of the templates found."""
        if self.retriever is None:
            return solves(self.solver, item, self.args.max_tokens, plan=plan) | {"templates": []}
        found = self.retriever.invoke(trajectory_query(item.problem, plan))[: self.args.templates]
        ids = [document_id(document) for document in standing_out(found)]
        given = {"plan": plan, "templates": looked_up(ids, {}, self.retriever.library), "informed": self.args.informed}
        return solves(self.solver, item, self.args.max_tokens, **given) | {"templates": ids}


def _pair(trajectories: Sequence[Mapping[str, Any]], margin: float) -> Result:
    """Which two of a problem's trajectories make a pair, or why none do."""
    rewards = [trajectory["reward"] for trajectory in trajectories]
    best, worst = rewards.index(max(rewards)), rewards.index(min(rewards))
    if rewards[best] == rewards[worst]:
        return {"outcome": "tie"}
    # the rewards are fractions, and 2/3 - 1/3 is a little less than 1/3
    if rewards[best] - rewards[worst] < margin - 1e-9:
        return {"outcome": "below the margin"}
    return {"outcome": "kept", "chosen": best, "rejected": worst}


if __name__ == "__main__":
    sys.exit(run(main))
