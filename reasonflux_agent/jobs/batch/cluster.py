"""The engine of many machines: processes (actors) of a Ray cluster solve the rows, many at once in each."""

from __future__ import annotations

import gc
import math
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, NamedTuple

from reasonflux_agent import __version__
from reasonflux_agent.errors import InputError, MissingExtraError, ReasonFluxError
from reasonflux_agent.jobs.batch.actors import Health, Processes, line
from reasonflux_agent.jobs.batch.local import Solve, solver
from reasonflux_agent.jobs.batch.rows import Job
from reasonflux_agent.jobs.batch.runner import Engine
from reasonflux_agent.jobs.running import arun_all
from reasonflux_agent.runs.journal import Row

ROWS = 64
"""Rows at once in a process, where the number of processes is not given."""
STORE = 100 << 20
"""Bytes for Ray's object store, where Ray is started for a batch: rows are small, and go past it."""


class Work(NamedTuple):
    """What a process must know to solve rows as this process would. All of it is plain."""

    strategy: str
    library: str | None
    """A name, or a path that every machine has."""
    record: str | None
    """A directory of the machine on which the process runs."""
    context: Row
    """All fields of the Context, `navigator` and `solver` set."""
    serve: str | None = None
    """A command that starts a server for the models without a URL: one beside each process."""


def ray_engine(
    work: Work,
    concurrency: int,
    *,
    workers: int | None = None,
    address: str | None = None,
    gpus: float = 0.0,
    health: Health | None = None,
    patience: float = 900.0,
) -> Engine:
    """Solves `concurrency` rows at once in `workers` processes; yields them in the order in which they end.

    `address` is the cluster's, HOST:PORT; None: Ray is started on this machine and ends with the batch. A process takes one of
    the cluster's CPUs and `gpus` of its GPUs, which only models inside the process, or served beside it, need. While some
    processes work, others wait for room; the first one waits `patience` seconds, in which a cluster may start a machine. Raises
    MissingExtraError, InputError (no such cluster; work that cannot be done), and ModelError when there is room for no process.
    """
    workers = workers or math.ceil(concurrency / ROWS)
    rows = math.ceil(concurrency / workers)

    async def engine(jobs: AsyncIterator[Job]) -> AsyncGenerator[tuple[Job, Row], None]:
        with _connected(address) as ray:
            options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
            actor = ray.remote(Worker).options(max_concurrency=rows + 1, **options)
            pool = Processes(ray, lambda: actor.remote(__version__, work._asdict()), rows, health or Health(), patience)
            async with pool.opened(workers), aclosing(arun_all(jobs, pool.solve, concurrency)) as results:
                async for result in results:
                    yield result

    return engine


class Worker:
    _solve: Solve

    def __init__(self, version: str, work: Row) -> None:
        self._version, self._work = version, work

    async def begin(self) -> str:
        """Loads what rows need; returns what is wrong with it, or an empty text."""
        from reasonflux_agent.api import ReasonFlux
        from reasonflux_agent.jobs.batch.engines import serve
        from reasonflux_agent.models import load_model

        try:
            if self._version != __version__:
                raise InputError(f"It has reasonflux-agent {__version__}, not {self._version}. Next: install the same one.")
            work = Work(**self._work)
            flux = ReasonFlux(strategy=work.strategy, library=work.library, record=work.record)
            context = await serve(work.serve, work.context) if work.serve else work.context
            for role in ("navigator", "solver"):
                load_model(context[role])
        except ReasonFluxError as error:
            return f"{type(error).__name__}: {error}"
        self._solve = solver(flux, **context)
        gc.freeze()  # as the command does in its own process
        return ""

    async def solve(self, problem: str, settings: Row) -> Row:
        return await self._solve(Job(0, "", problem, {"settings": settings}))


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster; disconnected at the end, unless this process had been connected already."""
    try:
        import ray
    except ImportError:
        raise MissingExtraError("The engine 'ray'", "ray", "ray") from None
    if ray.is_initialized():
        yield ray
        return
    if address and "://" in address:
        raise InputError(f"{address} is for Ray's client. Next: run this on a machine of the cluster, and give HOST:PORT.")
    try:
        if address and address != "auto":
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), 10).close()  # which Ray tries for a quarter of an hour
        here: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": STORE}
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **here)
    except Exception as error:  # Ray raises that very class where its processes do not start in time
        raise InputError(
            f"Ray cannot be used at {address or 'this machine'}: {line(error)} Next: ray start --head on one machine, "
            "ray start --address HOST:PORT on the others, and that address here; or none, for Ray on this machine alone."
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()
