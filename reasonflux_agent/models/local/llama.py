"""The process around llama.cpp's server: `python -m reasonflux_agent.models.local.llama`, started by `local.server` alone.

It reads one JSON line of settings, answers one JSON line (`url`, or `error`), and lives until its standard input closes, which
happens when its parent ends, even by a kill.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Serve one model. The settings: path, slots, context (tokens a slot), prompts (MiB), threads, key."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what native code prints must not fill a pipe that nobody reads
    settings = json.loads(sys.stdin.readline())
    try:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = settings["path"]
        params.n_parallel = settings["slots"]
        params.n_ctx = settings["slots"] * settings["context"]
        # Each slot has a cache of its own. One for all lets slots with idle ones between them decode together (1.6 times as
        # fast), but where a call's tokens lie then depends on the others, and with it the last digits: a reply, greedy or
        # seeded, would not come out the same twice (docs/LOG.md).
        params.kv_unified = False
        params.cache_ram_mib = settings["prompts"]
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
        # A loopback port is open to every program of this machine, and to web pages in its browsers.
        params.api_keys = [settings["key"]]
        params.ui = False
        params.endpoint_metrics = True
        params.verbosity = 1  # errors
        server = xllamacpp.Server(params)
        answer = {"url": server.listening_address}
    except Exception as error:
        answer = {"error": str(error)}
    try:
        print(json.dumps(answer), file=answers, flush=True)  # nobody reads it where the parent was killed meanwhile
        sys.stdin.read()
    finally:
        os._exit(0)  # the destructor would wait for the requests under way, and at times for ever


if __name__ == "__main__":
    main()
