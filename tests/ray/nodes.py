"""Nodes of a Ray cluster on this machine; each can be killed as a machine dies: at once, with all that runs on it."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

COMMAND = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
SMALL = ["--num-cpus=1", "--object-store-memory=78643200", "--include-log-monitor=false"]


class Node:
    """What one `ray start` runs: the processes of a session."""

    def __init__(self, log: Path, *arguments: str) -> None:
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*COMMAND, *SMALL, *arguments], stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + 300
        while "will now block forever" not in log.read_text():
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        found = [line.split("'")[1] for line in log.read_text().splitlines() if "ray start --address='" in line]
        self.address = found[0] if found else ""
        """Of the cluster; only the head knows it."""

    def kill(self) -> None:
        """Kills every process of the node."""
        for process in session(self.process.pid):
            os.kill(process, signal.SIGKILL)
        self.process.wait()


def session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for process in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with suppress(ProcessLookupError):
            if os.getsid(process) == leader:
                found.append(process)
    return found


@contextmanager
def head(home: Path) -> Iterator[Node]:
    """A cluster of one node of one CPU; Ray's files are in `home`, whose path is short (Ray puts sockets there)."""
    ports = [f"--port={free_port()}"]
    if importlib.util.find_spec("grpc"):  # with it, not with the extra alone, Ray's client is served too
        ports.append(f"--ray-client-server-port={free_port()}")
    node = Node(home / "head.log", "--head", "--include-dashboard=false", "--no-monitor", f"--temp-dir={home}", *ports)
    try:
        yield node
    finally:
        node.kill()


def free_port() -> int:
    """A port that nobody listens on; none of the lower ones, which Ray keeps for its workers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port
