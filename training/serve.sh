#!/usr/bin/env bash
# Serves a trained model with vLLM; with a command, only while that command runs.
#
#   bash training/serve.sh MODEL [VLLM OPTION ...]               until it is stopped
#   bash training/serve.sh MODEL [VLLM OPTION ...] -- COMMAND    as in -- reasonflux eval gsm8k --model vllm:MODEL@URL
#   --dry-run    prints the commands, runs none
#   --help
#
# MODEL is a directory (of a merged model, not of an adapter) or an id of the hub. URL is http://127.0.0.1:PORT/v1; PORT is
# REASONFLUX_VLLM_PORT, else 8000. REASONFLUX_VLLM_OPTIONS holds further options, as in "--tensor-parallel-size 8".
# vLLM is the one on the path, else one in an environment of its own, which is made on the first call (gigabytes).
# shellcheck source=training/lib.sh
. "$(dirname "$0")/lib.sh"

port=${REASONFLUX_VLLM_PORT:-8000}
model='' options=() command=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage "$0" && exit ;;
    --dry-run) dry=yes ;;
    --)
      command=("${@:2}")
      break
      ;;
    *) if [ -z "$model" ]; then model=$1; else options+=("$1"); fi ;;
  esac
  shift
done
[ -n "$model" ] || fail "no model is given. Next: serve.sh --help"
if [ -e "$model/adapter_config.json" ]; then
  fail "$model holds an adapter, not a model. Next: serve $model/export, or merge it with \`llamafactory-cli export\`."
elif [[ $model =~ ^(runs|\.|/) ]] && ! [ -e "$model/config.json" ] && [ -z "$dry" ]; then
  fail "there is no model in $model. Next: train it, or name another directory or an id of the hub."
fi

vllm=$(command -v vllm || true)
if [ -z "$vllm" ]; then
  vllm=$cache/vllm/bin/vllm
  if ! [ -e "$cache/vllm/complete" ]; then
    run "${PYTHON:-python3}" -m venv "$cache/vllm"
    run "$cache/vllm/bin/python" -m pip install --quiet 'vllm>=0.30'
    [ -n "$dry" ] || touch "$cache/vllm/complete"
  fi
fi
# shellcheck disable=SC2206  # the options in the variable are words
serve=("$vllm" serve "$model" --served-model-name "$model" --port "$port" ${REASONFLUX_VLLM_OPTIONS:-} "${options[@]}")
if [ ${#command[@]} = 0 ]; then
  run "${serve[@]}"
  exit
fi
if [ -n "$dry" ]; then
  run "${serve[@]}"
  run "${command[@]}"
  exit
fi

healthy() { "${PYTHON:-python3}" -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$port/health', timeout=5)" 2>/dev/null; }
! healthy || fail "another server answers at port $port. Next: stop it, or set REASONFLUX_VLLM_PORT."
log=$(mktemp)
# setsid: the server leads a process group, so that its workers end with it
setsid "${serve[@]}" >"$log" 2>&1 &
server=$!
trap 'kill -- "-$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 143' HUP INT TERM
say "starting ${serve[*]}"
until healthy; do
  kill -0 "$server" 2>/dev/null || { tail -n 40 "$log" >&2 && fail "vLLM ended before it served $model; its last words are above."; }
  sleep 2
done
run "${command[@]}"
