"""Which of a model's servers a call goes to.

The calls of a run share the beginning of their prompts, and each server has a prefix cache of its own. So they go to one
server, which the run's name alone decides (rendezvous hashing: every process decides alike, and a lost server moves only its
own runs), unless that server has more than its share under way (consistent hashing with bounded loads, arXiv 1608.01350). A
call of no run goes to the server that has the fewest calls under way. Only the calls of this process are counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import blake2b

from reasonflux_agent.models.retries import causes, transient, unreached

AVOIDED = 5.0
"""Seconds for which a server that could not be reached, or answered 429 or 5xx, is asked only if there is no other."""
SHARE = 1.25
"""How much more than the average a server may have under way before a run's next call goes elsewhere."""


@dataclass(eq=False)
class Server:
    """One server, as this process knows it."""

    url: str
    under_way: int = 0
    """Calls, including streams that are being read."""
    said: str = ""
    """The error of its last call, if the server was at fault; empty once it answers."""
    avoided_until: float = 0.0
    """In time.monotonic()."""


class Balancer:
    """The servers of one model. Threads and event loops may share it."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.servers = [Server(url) for url in urls]
        self._turn = 0
        self._lock = threading.Lock()

    def tries(self, run: str = "") -> Iterator[AbstractContextManager[Server]]:
        """The tries of one call, to be made in turn until one succeeds; `with` gives the server to ask.

        A failure to connect is swallowed while another server is left, since nothing was done. Any other failure is raised: the
        caller knows whether the call may be made twice.
        """
        left = list(self.servers)
        while True:
            yield self._try(left, run)

    @contextmanager
    def _try(self, left: list[Server], run: str) -> Iterator[Server]:
        with self._lock:
            server = self._choose(left, run)
            server.under_way += 1
        left.remove(server)
        try:
            yield server
            server.said, server.avoided_until = "", 0.0
        except Exception as error:
            if unreached(error) or transient(error):
                root = causes(error)[-1]
                server.said = " ".join(str(root).split())[:200] or type(root).__name__
                server.avoided_until = time.monotonic() + AVOIDED
            if not (left and unreached(error)):
                raise
        finally:
            with self._lock:
                server.under_way -= 1

    def _choose(self, servers: list[Server], run: str) -> Server:
        now = time.monotonic()
        up = [server for server in servers if server.avoided_until <= now] or servers
        if run:
            bound = SHARE * (1 + sum(server.under_way for server in up)) / len(up)
            return max((s for s in up if s.under_way < bound), key=lambda s: blake2b(f"{run} {s.url}".encode()).digest())
        fewest = min(server.under_way for server in up)
        idle = [server for server in up if server.under_way == fewest]
        self._turn += 1
        return idle[self._turn % len(idle)]

    def __str__(self) -> str:
        """The URLs; of several servers, each that failed last with what it said."""
        several = len(self.servers) > 1
        return ", ".join(f"{s.url} ({s.said})" if several and s.said else s.url for s in self.servers)
