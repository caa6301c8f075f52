"""lm-evaluation-harness: its model class `reasonflux`, the tasks of `tasks/`, and its own command line with both added.

docs/lm-eval.md shows them in use. The harness finds no model of another package by itself: this module registers it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import InputError, MissingExtraError, ReasonFluxError
from reasonflux_agent.jobs.evaluation.benchmarks import load
from reasonflux_agent.problem import MAX_PROBLEM
from reasonflux_agent.prompts.solve import REASON
from reasonflux_agent.schema import Solution
from reasonflux_agent.verify.grading import extract_answer, grade

try:
    import lm_eval.models  # noqa: F401  # it registers its own models only where none is yet, so they must come before ours
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model
except ImportError:
    raise MissingExtraError("The evaluation harness", "lm-eval", "eval") from None

TASKS = str(Path(__file__).parent / "tasks")
"""Directory of the task definitions, for `TaskManager(include_path=...)` and `lm_eval --include_path`."""

Doc = dict[str, str | None]
_ASKED = f"\n\n{REASON}"
"""What a prompt of our tasks adds to the problem; the graph's own prompts say it themselves."""


@register_model("reasonflux")
class ReasonFluxLM(LM):  # type: ignore[misc]
    """ReasonFlux as a model of the harness: every request is a problem, solved by a run of the graph.

    `model` (or `navigator` and `solver`), `strategy`, `library` and `record` are those of `ReasonFlux`; any field of the
    Context can be given too. `concurrency` problems are solved at once. What the harness passes of `batch_size`,
    `max_batch_size` and `device` is ignored; so are a request's stop sequences and sampling options, which are made for one
    completion and not for a run. Raises InputError and SpecError for what cannot be used.
    """

    tokenizer_name = "reasonflux"
    """The harness files prompts under it."""

    def __init__(
        self,
        model: str | None = None,
        navigator: str | None = None,
        solver: str | None = None,
        strategy: str = "navigator",
        library: str | None = None,
        record: str | None = None,
        concurrency: int = 8,
        batch_size: object = None,
        max_batch_size: object = None,
        device: object = None,
        **context: Any,
    ) -> None:
        super().__init__()
        if not isinstance(concurrency, int) or concurrency < 1:
            raise InputError(f"concurrency={concurrency!r}: it must be a whole number from 1.")
        self.concurrency = concurrency
        self.flux = ReasonFlux(
            navigator or model, solver or model, strategy=strategy, library=library, record=record, **context
        )

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The problem: the last user turn. Examples before it and a system instruction are left out."""
        return next((turn["content"] for turn in reversed(chat_history) if turn["role"] == "user"), "")

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """The solutions' texts, each ending in `$\\boxed{answer}$` where there is an answer.

        A solver's reply is bounded by the smaller of the context's `max_tokens` and the request's `max_gen_toks`.
        Raises InputError before any model is called, and ModelError when a model's server fails; what is finished by then
        is in the harness's cache (`--use_cache`).
        """
        from tqdm import tqdm

        for request in requests:
            if not 0 < len(_problem(request)) <= MAX_PROBLEM:
                raise InputError(
                    f"The prompt of row {request.doc_id} of the task {request.task_name!r} has {len(request.args[0]):,} "
                    f"characters; from 1 to {MAX_PROBLEM:,} can be solved. Next: leave the task out, or this row by --samples."
                )
        with tqdm(total=len(requests), desc="ReasonFlux", disable=disable_tqdm) as bar:
            return asyncio.run(self._solve(requests, bar.update))

    async def _solve(self, requests: list[Any], advance: Callable[[], Any]) -> list[str]:
        places = asyncio.Semaphore(self.concurrency)

        async def one(request: Any) -> str:
            async with places:
                bound = min(self.flux.context.max_tokens, int(request.args[1].get("max_gen_toks", sys.maxsize)))
                reply = boxed(await self.flux.asolve(_problem(request), max_tokens=bound))
            self.cache_hook.add_partial("generate_until", request.args, reply)
            advance()
            return reply

        return await asyncio.gather(*map(one, requests))

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> Any:
        """Raises InputError: a run has no likelihood."""
        raise InputError(
            f"The task {requests[0].task_name!r} compares likelihoods of given texts, and a run of ReasonFlux has none. "
            "Next: name a task that generates (output_type generate_until), such as reasonflux_gpqa_diamond."
        )

    loglikelihood_rolling = loglikelihood


def boxed(solution: Solution) -> str:
    """The solution's text, ending in `$\\boxed{answer}$`: scorers take the last box, or the last number of the text."""
    if solution.answer is None:
        return solution.text
    end = f"$\\boxed{{{solution.answer.strip().strip('$')}}}$"
    text = solution.text.rstrip()
    return text if text.endswith(end) else f"{text}\n\n{end}"


def rows(benchmark: str, data_dir: str | None = None, seed: int = 0, **_: Any) -> dict[str, Any]:
    """The data of a task: a benchmark as `evaluation.benchmarks.load` finds it. The harness calls this with what
    `--model_args` and `--metadata` hold; `data_dir` and `seed` (of shuffled options) are read from there."""
    from datasets import Dataset

    items = [asdict(item) for item in load(benchmark, data_dir, seed=seed)]
    return {"test": Dataset.from_list([{k: None if v is None else str(v) for k, v in item.items()} for item in items])}


def prompt(doc: Doc) -> str:
    """The problem, and the publishers' instruction to reason and to box the answer."""
    return f"{doc['problem']}{_ASKED}"


def score(doc: Doc, results: list[Any]) -> dict[str, float]:
    """`acc`: 1 if the boxed answer means the gold one, else 0; the mean where there are several samples of a problem."""
    replies = results[0] if isinstance(results[0], list) else results
    gold, about = doc["answer"] or "", doc.get("problem") or ""
    right = [grade(extract_answer(reply or ""), gold, doc["unit"], problem=about) for reply in replies]
    return {"acc": sum(right) / len(right)}


def _problem(request: Any) -> str:
    return str(request.args[0]).strip().removesuffix(_ASKED)


def run(arguments: list[str], data_dir: Path | None = None) -> None:
    """The harness's command line, with our tasks beside its own, and our model where none is named.

    Raises InputError where the harness itself fails; it exits (SystemExit) on options that it does not know.
    """
    from lm_eval.__main__ import HarnessCLI, setup_logging  # of which it makes its own command
    from lm_eval.config.evaluate_config import EvaluatorConfig

    sys.argv = ["lm-eval", *arguments]
    setup_logging()
    try:
        cli = HarnessCLI()
        given = cli.parse_args()
        file = EvaluatorConfig.load_yaml_config(given.config) if getattr(given, "config", None) else {}
        theirs = getattr(given, "include_path", None) or file.get("include_path") or []
        given.include_path = [TASKS, *([theirs] if isinstance(theirs, str) else theirs)]
        if given.command == "run":
            given.model = given.model or file.get("model") or "reasonflux"
            if given.model == "reasonflux" and "apply_chat_template" not in {**file, **vars(given)}:
                given.apply_chat_template = True  # as chat, a problem is a turn of its own and not the end of a document
            if data_dir is not None:
                given.metadata = {**file.get("metadata", {}), **(given.metadata or {}), "data_dir": str(data_dir)}
        cli.execute(given)
    except ReasonFluxError:
        raise
    except Exception as error:  # whatever the harness's options, tasks and models raise
        where = "" if os.environ.get("REASONFLUX_DEBUG") else " REASONFLUX_DEBUG=1 shows where."
        raise InputError(f"lm-eval ended with {type(error).__name__}: {' '.join(str(error).split())}.{where}") from error
