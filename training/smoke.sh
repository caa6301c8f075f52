#!/usr/bin/env bash
# The miniature: every stage of training on a CPU in minutes, by the same scripts, with a model of 0.4 million weights that is
# built on the spot (training/mini). Records by the real graph, SFT, one round of DPO, merge, evaluation before and after, and
# four steps under torchrun and DeepSpeed ZeRO-3, in one process; fails unless the loss falls and the reward margin rises.
#
#   bash training/smoke.sh [DIR]      DIR: default runs/smoke; what an earlier call left in it is replaced
#   --dry-run    prints the commands, runs none (those of the jobs: sft.sh --dry-run, round.sh --dry-run)
#   --help
#
# The first call makes LLaMA-Factory's environment (env.sh: gigabytes); after that nothing is fetched.
# shellcheck source=training/lib.sh
. "$(dirname "$0")/lib.sh"

dir=runs/smoke
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage "$0" && exit ;;
    --dry-run) dry=yes ;;
    -*) fail "there is no option $1. Next: --help lists them." ;;
    *) dir=$1 ;;
  esac
  shift
done
if [ -z "$dry" ] && [ -e "$dir" ]; then
  [ -e "$dir/.smoke" ] || [ -z "$(ls -A "$dir")" ] || fail "$dir is not one that this script made. Next: name another."
  rm -rf "$dir"
fi
environment
# Nothing of the user's settings counts, and nothing is looked up.
for name in $(compgen -e REASONFLUX_); do
  [ "$name" = REASONFLUX_TRAINING_ENV ] || [ "$name" = REASONFLUX_CACHE ] || unset "$name"
done
export HF_HUB_OFFLINE=1 REASONFLUX_EFFORT=low TQDM_DISABLE=1

url=http://127.0.0.1:PORT/v1
if [ -z "$dry" ]; then
  mkdir -p "$dir" && touch "$dir/.smoke"
  python training/mini/world.py "$dir" &
  world=$!
  trap 'kill "$world" 2>/dev/null || true' EXIT
  trap 'exit 143' HUP INT TERM
  until [ -e "$dir/url" ]; do
    kill -0 "$world" 2>/dev/null || fail "training/mini/world.py ended; what it says is above."
    sleep 0.2
  done
  url=$(cat "$dir/url")
else
  printf '+ python training/mini/world.py %q &\n' "$dir"
fi
teacher=vllm:fake@$url
job=(--engine hf --solver "$teacher" --benchmarks "$dir/test" --eval "$dir/test/test.jsonl")

run python training/mini/model.py "$dir/tiny"
run reasonflux eval "$dir/small.jsonl" --methods navigator --model "$teacher" --out "$dir/collect"
run bash training/sft.sh training/mini/sft.yaml "model_name_or_path=$dir/tiny" "dataset_dir=$dir/data" "output_dir=$dir/sft" \
  --gold "$dir/small.jsonl" --records "$dir/collect/records" "${job[@]}"
run bash training/round.sh training/mini/dpo.yaml "model_name_or_path=$dir/sft" "output_dir=$dir/rounds" \
  --gold "$dir/large.jsonl" --problems 12 --before "$dir/sft/eval/after" \
  --held "$dir/test/test.jsonl" --builder '--samples 8 --temperature 0.6 --templates 0' "${job[@]}"
if command -v c++ >/dev/null; then # DeepSpeed compiles its operator for processes on a CPU
  run env FORCE_TORCHRUN=1 NPROC_PER_NODE=1 llamafactory-cli train training/mini/sft.yaml \
    "model_name_or_path=$dir/tiny" "dataset_dir=$dir/data" "output_dir=$dir/zero3" \
    deepspeed=training/deepspeed/zero3.json max_steps=4
else
  say "there is no C++ compiler, so DeepSpeed was not run"
fi
run python training/mini/check.py "$dir"
[ -n "$dry" ] || say "done in $((SECONDS / 60)) min $((SECONDS % 60)) s"
