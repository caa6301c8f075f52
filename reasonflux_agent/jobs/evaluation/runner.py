"""Runs methods side by side over the same problems: resumable to the problem, failures in the denominator, all recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, aclosing
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel

from reasonflux_agent import __version__
from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import Item, digest, load, title
from reasonflux_agent.jobs.evaluation.cache import ReplyCache, opened, refuse_unnamed
from reasonflux_agent.jobs.evaluation.folder import Folder, hold, methods_of
from reasonflux_agent.jobs.evaluation.methods import Method, check_methods, matched, parse_method, solver_of
from reasonflux_agent.jobs.evaluation.results import FORMAT, VERSION
from reasonflux_agent.jobs.evaluation.solving import solve
from reasonflux_agent.jobs.running import Filing, Watcher, arun_all
from reasonflux_agent.models import CallOptions, call_kwargs, describe, load_model
from reasonflux_agent.models.failures import fault
from reasonflux_agent.parts import DEFAULT_MODEL
from reasonflux_agent.runs.journal import Row
from reasonflux_agent.runs.record import Recorder
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.verify.scoring import load_scorer

PATIENCE = 60.0
"""Seconds in which a server must show that it is there."""


class Trial(NamedTuple):
    benchmark: str
    item: Item
    method: Method
    repeat: int


async def evaluate(
    benchmarks: Sequence[str],
    methods: Sequence[str],
    *,
    out: str | Path | None = None,
    model: BaseChatModel | str | None = None,
    navigator: BaseChatModel | str | None = None,
    solver: BaseChatModel | str | None = None,
    library: TemplateLibrary | str = "builtin",
    data_dir: str | Path | None = None,
    limit: int | None = None,
    repeats: int = 1,
    seed: int = 0,
    concurrency: int = 8,
    retry_failed: bool = False,
    cache: str | Path | None = None,
    scorer: str | None = None,
    watcher: Watcher | None = None,
    **context: Any,
) -> Path:
    """Solves every problem by every method, `concurrency` at once, and returns the folder with the results.

    `benchmarks` as for `benchmarks.load`, `methods` as for `parse_method`; `context` are fields of the Context that hold for
    all methods where they do not set them. `out` is the folder; None: one in `evaluations/`, named by what is run, so that
    the same call goes on where the last one ended. A problem whose run fails is a row with an `error`, and wrong;
    `retry_failed` does such rows again. `seed` decides options, random templates and the models' samples. With several
    `repeats` every sample is drawn, the first ones too, so that repeats differ by chance alone.
    `cache` is a file of replies (see cache.py): calls that it holds are not made again, with the tokens and seconds that they
    took when they were made. A call is found once it has ended, so a problem is then solved by one method after another.

    `scorer` decides what is right (see verify/scoring.py).

    Raises InputError for what cannot be run (also: a folder of another evaluation, or in use), ModelError when the model's
    server is gone; a later call goes on from there.
    """
    if repeats < 1 or concurrency < 1:
        raise InputError(f"repeats={repeats}, concurrency={concurrency}: both are 1 or more.")
    if scorer:
        load_scorer(scorer)
    asked = check_methods([parse_method(name) for name in methods])
    items: dict[str, list[Item]] = {}
    for name in benchmarks:
        if title(name) in items:
            raise InputError(f"The benchmark {title(name)!r} is given twice. Next: give it once.")
        items[title(name)] = load(name, data_dir, limit, seed)
    if not (asked and items):
        raise InputError("There is nothing to evaluate. Next: give at least one benchmark and one method.")
    library = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
    given = Context.from_env(**context)
    first = navigator or model or given.navigator or solver or given.solver or DEFAULT_MODEL
    roles = {"navigator": first, "solver": solver or model or given.solver or first}
    loaded = [await asyncio.to_thread(load_model, role) for role in roles.values()]
    replies: ReplyCache | None = None
    with ExitStack() as stack:
        if cache:
            refuse_unnamed(loaded)
            replies = stack.enter_context(opened(cache))
        # a folder's earlier methods must mean what they meant, also where they are not named again
        earlier = methods_of(Path(out)) if out else []
        known = {name: parse_method(name) for name in earlier} | {method.name: method for method in asked}
        solvers = {name: solver_of(method, roles, library, seed, context) for name, method in known.items()}
        configuration = {
            "format": FORMAT,
            "version": VERSION,
            "package": __version__,
            **dict(zip(roles, map(describe, loaded), strict=True)),
            "library": library.name,
            "templates": digest(library.templates),
            "benchmarks": {name: {"n": len(rows), "sha256": digest(rows)} for name, rows in items.items()},
            "methods": list(known),
            "contexts": {
                name: _settled(known[name], flux.context) | {"greedy": repeats == 1} for name, flux in solvers.items()
            },
            "seed": seed,
            "repeats": repeats,
        } | ({"scorer": scorer} if scorer else {})
        path = Path(out) if out else Path("evaluations") / f"{'-'.join(items)}-{digest(configuration)[:8]}"
        folder = stack.enter_context(hold(path, configuration))
        if cache and not folder.settings.get("cached"):
            folder.note("cached", True)
        if retry_failed:
            folder.journal.forget(lambda row: bool(row["error"]))
        run = _Run(folder, solvers, loaded, replies, seed, repeats == 1, scorer, watcher or Watcher())
        free, matching = [m for m in asked if not m.match], [m for m in asked if m.match]
        done, due = len(folder.journal.rows), sum(map(run.due, _trials(items, asked, repeats)))
        run.watcher.begin(folder.journal, done, done + due)
        await run.all(_trials(items, free, repeats), concurrency)
        if matching:
            chosen = folder.settings.get("matched", {})
            if new := [method for method in matching if method.name not in chosen]:
                folder.note("matched", chosen | matched(folder.journal.rows.values(), new, items))
            run.tell_matched()
            await run.all(_trials(items, matching, repeats), concurrency)
    return path


def _settled(method: Method, context: Context) -> Row:
    """The context of a method, with what its effort stands for today: a folder must not go on with what it meant before."""
    fields = context.model_dump(mode="json", exclude={"navigator", "solver", "seed", "stream_calls"})
    return fields | context.of_strategy(method.strategy).setting._asdict()


def _trials(items: dict[str, list[Item]], methods: Sequence[Method], repeats: int) -> Iterator[Trial]:
    """Problem by problem, so that a run that is cut short has every method at about the same place."""
    for repeat in range(repeats):
        for line in zip_longest(*items.values()):
            for benchmark, item in zip(items, line, strict=True):
                if item:
                    yield from (Trial(benchmark, item, method, repeat) for method in methods)


class _Run(Filing):
    def __init__(
        self,
        folder: Folder,
        solvers: dict[str, ReasonFlux],
        models: Sequence[BaseChatModel],
        replies: ReplyCache | None,
        seed: int,
        greedy: bool,
        scorer: str | None,
        watcher: Watcher,
    ) -> None:
        super().__init__("evaluation", folder.journal, watcher)
        self.folder, self.solvers, self.models, self.replies = folder, solvers, models, replies
        self.seed, self.greedy, self.scorer, self.made = seed, greedy, scorer, 0
        self.recorder = Recorder(folder.path / "records")
        self.item = lambda row: (row["benchmark"], row["id"])
        self.succeeded = any(not row["error"] for row in folder.journal.rows.values())

    def due(self, trial: Trial) -> bool:
        """Whether a trial has no row yet."""
        return (trial.benchmark, trial.method.name, trial.repeat, trial.item.id) not in self.journal.rows

    async def all(self, trials: Iterable[Trial], concurrency: int) -> None:
        """Makes the trials that have no row. Raises ModelError when nothing succeeds any more.

        With a cache never two of one problem are under way, and a problem waits for its next trial behind the others.
        """
        chains: dict[Any, list[Trial]] = {}
        for trial in filter(self.due, trials):
            chains.setdefault((trial.benchmark, trial.item.id) if self.replies else len(chains), []).append(trial)
        room = asyncio.Semaphore(concurrency)  # first come, first served

        async def each() -> AsyncIterator[list[Trial]]:
            for chain in chains.values():
                yield chain

        async def work(chain: list[Trial]) -> None:
            for trial in chain:
                async with room:
                    self.take(await self.solve(trial))

        async with aclosing(arun_all(each(), work, len(chains) or 1)) as ended:
            async for _ in ended:
                pass
        # nothing follows that would tell a server that is gone from the last problem's own trouble with it
        if self.failed and not (self.succeeded and await self.answers()):
            raise self.gone()
        self.flush()

    def take(self, row: Row) -> None:
        """Files a row, or holds it back. Replies that were kept do not show that the server is there."""
        made = self.replies.made if self.replies else 0
        if suspect := row["fault"] == "server":
            self.made = made
        self.keep(row, suspect=suspect, proof=self.replies is None or made > self.made)

    async def answers(self) -> bool:
        try:
            for model in self.models:
                async with asyncio.timeout(PATIENCE):
                    await model.ainvoke("Say yes.", **call_kwargs(model, CallOptions(max_tokens=1, timeout=PATIENCE)))
        except Exception as error:  # whatever a client raises
            return fault(error) == "problem"  # what refuses a request is there
        return True

    def tell_matched(self) -> None:
        for method, by_benchmark in self.folder.settings["matched"].items():
            for benchmark, row in by_benchmark.items():
                self.watcher.note(
                    f"{method} on {benchmark}: {row['k']} samples, {row['sample_tokens']:,.0f} tokens each by 'direct', "
                    f"to match {row['target_tokens']:,.0f} tokens a problem"
                )

    async def solve(self, trial: Trial) -> Row:
        """The row of a trial; greedy where strategies are, unless there are repeats."""
        # samples count from the seed on, so repeats are further apart than there can be samples
        fields: Row = {"seed": self.seed + 1000 * trial.repeat, "greedy": self.greedy}
        if trial.method.match:
            fields["trajectories"] = self.folder.settings["matched"][trial.method.name][trial.benchmark]["k"]
        flux, rule = self.solvers[trial.method.name], trial.method.select
        row = await solve(flux, trial.item, rule, self.recorder, self.replies, self.scorer, **fields)
        return {"benchmark": trial.benchmark, "method": trial.method.name, "repeat": trial.repeat, **row}
