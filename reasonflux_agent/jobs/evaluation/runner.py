"""Runs methods side by side over the same problems: resumable to the problem, failures in the denominator, all recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel

from reasonflux_agent import __version__
from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.jobs.evaluation.benchmarks import Item, digest, load, title
from reasonflux_agent.jobs.evaluation.cache import ModelReplies, ReplyCache, opened
from reasonflux_agent.jobs.evaluation.folder import FORMAT, VERSION, Folder, Row, hold, methods_of
from reasonflux_agent.jobs.evaluation.methods import (
    AllSamples,
    Method,
    RandomTemplates,
    check_methods,
    matched,
    parse_method,
)
from reasonflux_agent.jobs.evaluation.solving import solve
from reasonflux_agent.models import CallOptions, call_kwargs, describe, load_model
from reasonflux_agent.models.failures import fault
from reasonflux_agent.parts import DEFAULT_MODEL, DEPTH
from reasonflux_agent.runs.record import Recorder
from reasonflux_agent.templates import TemplateLibrary

GIVE_UP = 5
"""Problems that fail by the server's doing, one after another, before the run ends: then it is gone, and no problem odd."""
PATIENCE = 60.0
"""Seconds that a server is given to show that it is there."""


class Watcher:
    """Is told how an evaluation goes; here nothing is made of it."""

    def begin(self, folder: Folder, total: int) -> None:
        """The rows that the folder holds are done, of `total`."""

    def row(self, row: Row) -> None:
        """A row was done."""

    def note(self, text: str) -> None:
        """Something to know about the run."""


class Job(NamedTuple):
    """One row that is due."""

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

    Raises InputError for what cannot be run (also: a folder of another evaluation, or in use), ModelError when the model's
    server is gone; a later call goes on from there.
    """
    if repeats < 1 or concurrency < 1:
        raise InputError(f"repeats={repeats}, concurrency={concurrency}: both are 1 or more.")
    ways = check_methods([parse_method(name) for name in methods])
    items: dict[str, list[Item]] = {}
    for name in benchmarks:
        if title(name) in items:
            raise InputError(f"The benchmark {title(name)!r} is given twice. Next: give it once.")
        items[title(name)] = load(name, data_dir, limit, seed)
    if not (ways and items):
        raise InputError("There is nothing to evaluate. Next: give at least one benchmark and one method.")
    library = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
    given = Context.from_env(**context)
    first = navigator or model or given.navigator or solver or given.solver or DEFAULT_MODEL
    roles = {"navigator": first, "solver": solver or model or given.solver or first}
    loaded = [await asyncio.to_thread(load_model, role) for role in roles.values()]
    replies: ReplyCache | None = None
    with ExitStack() as stack:
        if cache:
            replies = stack.enter_context(opened(cache))
            roles = {
                role: one.model_copy(update={"cache": ModelReplies(replies, one)})
                for role, one in zip(roles, loaded, strict=True)
            }
        # a folder's earlier methods must mean what they meant, also where they are not named again
        earlier = methods_of(Path(out)) if out else []
        known = {name: parse_method(name) for name in earlier} | {way.name: way for way in ways}
        solvers = {name: _solver(way, roles, library, seed, context) for name, way in known.items()}
        configuration = {
            "format": FORMAT,
            "version": VERSION,
            "package": __version__,
            **dict(zip(roles, map(describe, loaded), strict=True)),
            "library": library.name,
            "templates": digest(library.templates),
            "benchmarks": {name: {"n": len(rows), "sha256": digest(rows)} for name, rows in items.items()},
            "methods": list(known),
            "contexts": {name: _settled(way, solvers[name].context) | {"greedy": repeats == 1} for name, way in known.items()},
            "seed": seed,
            "repeats": repeats,
        }
        path = Path(out) if out else Path("evaluations") / f"{'-'.join(items)}-{digest(configuration)[:8]}"
        folder = stack.enter_context(hold(path, configuration))
        if cache and not folder.settings.get("cached"):
            folder.note("cached", True)
        if retry_failed:
            folder.forget_failures()
        run = _Run(folder, solvers, loaded, replies, seed, repeats == 1, watcher or Watcher())
        run.watcher.begin(folder, len(folder.rows) + sum(map(run.due, _jobs(items, ways, repeats))))
        free, matching = [way for way in ways if not way.match], [way for way in ways if way.match]
        await run.all(_jobs(items, free, repeats), concurrency, apart=bool(cache))
        if matching:
            chosen = folder.settings.get("matched", {})
            if new := [way for way in matching if way.name not in chosen]:
                folder.note("matched", chosen | matched(folder.rows.values(), new, items))
            run.tell_matched()
            await run.all(_jobs(items, matching, repeats), concurrency, apart=bool(cache))
    return path


def _settled(way: Method, context: Context) -> Row:
    """The context of a method, with what its effort stands for today: a folder must not go on with what it meant before."""
    fields = context.model_dump(mode="json", exclude={"navigator", "solver", "seed"})
    return fields | context.of_strategy(way.strategy).setting._asdict()


def _solver(way: Method, roles: dict[str, Any], library: TemplateLibrary, seed: int, context: dict[str, Any]) -> ReasonFlux:
    retriever = None
    if way.random_templates:
        from reasonflux_agent.templates import TemplateRetriever

        retriever = RandomTemplates(library=library, found_by=TemplateRetriever.from_library(library, k=DEPTH), seed=seed)
    kind = ReasonFlux if way.select == "run" else AllSamples
    return kind(**roles, strategy=way.strategy, library=library, retriever=retriever, **{**context, **way.context})


def _jobs(items: dict[str, list[Item]], methods: Sequence[Method], repeats: int) -> Iterator[Job]:
    """Problem by problem, so that a run that is cut short has every method at about the same place."""
    for repeat in range(repeats):
        for line in zip_longest(*items.values()):
            for benchmark, item in zip(items, line, strict=True):
                if item:
                    yield from (Job(benchmark, item, method, repeat) for method in methods)


class _Run:
    """What the workers of one evaluation share."""

    def __init__(
        self,
        folder: Folder,
        solvers: dict[str, ReasonFlux],
        models: Sequence[BaseChatModel],
        replies: ReplyCache | None,
        seed: int,
        greedy: bool,
        watcher: Watcher,
    ) -> None:
        self.folder, self.solvers, self.models, self.watcher = folder, solvers, models, watcher
        self.replies, self.made = replies, 0
        self.seed, self.greedy = seed, greedy
        self.recorder = Recorder(folder.records)
        self.failed: list[Row] = []
        """Failures by the server since the last success: results if a success follows."""
        self.succeeded = any(not row["error"] for row in folder.rows.values())

    def due(self, job: Job) -> bool:
        """Whether a job has no row yet."""
        return (job.benchmark, job.method.name, job.repeat, job.item.id) not in self.folder.rows

    async def all(self, jobs: Iterable[Job], concurrency: int, *, apart: bool) -> None:
        """Does the jobs whose rows are not there; `apart`: never two of one problem at once, and those that came first again
        last. Raises ModelError when nothing succeeds any more."""
        chains: dict[Any, list[Job]] = {}
        for job in jobs:
            if self.due(job):
                chains.setdefault((job.benchmark, job.item.id) if apart else len(chains), []).append(job)
        room = asyncio.Semaphore(concurrency)  # first come, first served

        async def work(chain: list[Job]) -> None:
            for job in chain:
                async with room:
                    self.keep(await self.solve(job))

        try:
            async with asyncio.TaskGroup() as group:
                for chain in chains.values():
                    group.create_task(work(chain))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        # nothing follows that would tell a server that is gone from the last problem's own trouble with it
        if self.failed and not (self.succeeded and await self.answers()):
            raise self.gone()
        self.flush()

    async def answers(self) -> bool:
        """Whether the models are there."""
        try:
            for model in self.models:
                async with asyncio.timeout(PATIENCE):
                    await model.ainvoke("Say yes.", **call_kwargs(model, CallOptions(max_tokens=1, timeout=PATIENCE)))
        except Exception as error:  # whatever a client raises
            return fault(error) == "problem"  # what refuses a request is there
        return True

    def keep(self, row: Row) -> None:
        """Files a row; one that the server failed only once it is known that it was for the problem's sake."""
        if row["fault"] == "server":
            self.failed.append(row)
            self.made = self.replies.made if self.replies else 0
            if len({(failed["benchmark"], failed["id"]) for failed in self.failed}) >= GIVE_UP:
                raise self.gone()
            return
        if not row["error"]:
            self.succeeded = True
            if self.replies is None or self.replies.made > self.made:  # replies that were kept show no server
                self.flush()
        self.file(row)

    def flush(self) -> None:
        """Files the failures."""
        for row in self.failed:
            self.file(row)
        self.failed = []

    def file(self, row: Row) -> None:
        self.folder.append(row)
        self.watcher.row(row)

    def gone(self) -> ModelError:
        """What the run ends with when only failures follow one another."""
        return ModelError(
            f"The evaluation was stopped: its last {len(self.failed)} run(s) failed one after another, which are not counted. "
            f"The last one: {self.failed[-1]['error']} {len(self.folder.rows)} row(s) are in {self.folder.path}; "
            "the same command goes on from there."
        )

    def tell_matched(self) -> None:
        """Says how many samples were chosen, and by what."""
        for method, by_benchmark in self.folder.settings["matched"].items():
            for benchmark, row in by_benchmark.items():
                self.watcher.note(
                    f"{method} on {benchmark}: {row['k']} samples, {row['sample_tokens']:,.0f} tokens each by 'direct', "
                    f"to match {row['target_tokens']:,.0f} tokens a problem"
                )

    async def solve(self, job: Job) -> Row:
        """The row of one job."""
        flux = self.solvers[job.method.name]
        row = await solve(flux, job.item, job.method.select, self.recorder, **self.fields(job))
        return {"benchmark": job.benchmark, "method": job.method.name, "repeat": job.repeat, **row}

    def fields(self, job: Job) -> dict[str, Any]:
        """What a job sets in its context; greedy where strategies are, unless there are repeats."""
        # samples count from the seed on, so repeats are further apart than there can be samples
        fields = {"seed": self.seed + 1000 * job.repeat, "greedy": self.greedy}
        if job.method.match:
            fields["trajectories"] = self.folder.settings["matched"][job.method.name][job.benchmark]["k"]
        return fields
