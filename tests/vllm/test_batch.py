"""`reasonflux batch --serve`: a vLLM engine inside a Ray cluster, without any URL. Needs the extra `ray`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from tests.batch.test_command import begin
from tests.batch.test_runner import rows_of, sums, written
from tests.vllm.server import MARKS, NAME

pytestmark = MARKS
PYTHON = os.environ.get("REASONFLUX_TEST_VLLM_PYTHON", "")
CHECKPOINT = os.environ.get("REASONFLUX_TEST_VLLM_CHECKPOINT", "")
FLAGS = "--max-model-len 4096 --max-num-seqs 8 --enforce-eager --block-size 32 --kv-cache-memory-bytes 512M"


def test_a_batch_brings_its_engine(tmp_path: Path) -> None:
    dtype = "bfloat16" if "avx512" in Path("/proc/cpuinfo").read_text() else "float32"
    served = ["--model", CHECKPOINT, "--served-model-name", NAME, "--dtype", dtype, *FLAGS.split()]
    serve = shlex.join([PYTHON, "-m", "vllm.entrypoints.openai.api_server", *served])
    problems, out = written(tmp_path / "p", sums(8)), tmp_path / "o"
    arguments = (problems, "-o", out, "-m", f"vllm:{NAME}", "--effort", "low", "--max-tokens", 64, "-c", 8)
    with begin(*arguments, "--engine", "ray", "--workers", 1, "--serve", serve) as run:
        _, said = run.communicate(timeout=1500)
    assert run.returncode == 0, said
    rows = rows_of(out)
    assert sorted(row["id"] for row in rows) == [f"s{n}" for n in range(8)]
    assert [row["error"] for row in rows] == [None] * 8
    assert min(row["tokens"] for row in rows) > 100  # a plan and a solution, counted by the engine
