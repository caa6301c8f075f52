#!/usr/bin/env bash
# F1 from end to end, small but real: a model with learned libraries solves fresh problems of five families of reasoning-gym;
# its right programs train a smaller model; other fresh problems show what that gained, without any library.
#
#   bash training/f1.sh [OPTION ...] [KEY=VALUE of the recipe ...] [OPTION of sft.sh ...]
#   bash training/f1.sh --rows 100 --test 50
#
#   --rows N           problems of each family to train on; default 100
#   --test N           problems of each family to test on; default 50
#   --teacher MODEL    a hub id or directory; default Qwen/Qwen2.5-Coder-1.5B-Instruct
#   --student MODEL    default Qwen/Qwen2.5-Coder-0.5B-Instruct
#   --out DIR          default runs/f1
#   --dry-run          prints the commands, runs none
#   --help             (the options of a job: sft.sh --help)
#
# On a processor, let `vllm` on the path be vLLM's CPU build. The same command again goes on where it was.
# shellcheck source=training/lib.sh
. "$(dirname "$0")/lib.sh"

families=(word_sorting letter_counting number_sorting fraction_simplification prime_factorization)
recipe=training/recipes/f1-sft-programs-lora-0.5b.yaml
rows=100 test=50 teacher=Qwen/Qwen2.5-Coder-1.5B-Instruct student=Qwen/Qwen2.5-Coder-0.5B-Instruct out=runs/f1 rest=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage "$0" && exit ;;
    --dry-run) dry=yes ;;
    --rows | --test | --teacher | --student | --out)
      option "$@"
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    *) rest+=("$1") ;;
  esac
  shift
done
[[ $rows =~ ^[1-9][0-9]*$ && $test =~ ^[1-9][0-9]*$ ]] || fail "--rows $rows, --test $test: both are 1 or more."

environment
export REASONFLUX_MAX_TOKENS=${REASONFLUX_MAX_TOKENS:-512} REASONFLUX_VLLM_PORT=${REASONFLUX_VLLM_PORT:-8321}
golds='' tests='' records=''
for family in "${families[@]}"; do
  golds+="gym:$family:4000000-$((4000000 + rows)) "
  tests+="gym:$family:5000000-$((5000000 + test)) "
  records+="$out/teacher/$family/records "
done
collect=$out/teacher/collect.sh # all families with one server
if [ -z "$dry" ]; then mkdir -p "$out/teacher"; fi
for family in "${families[@]}"; do
  printf 'reasonflux eval gym:%s --methods recall --library docs/records/learned/%s.json --model vllm:%s@http://127.0.0.1:%s/v1 --out %q -c 48\n' \
    "$family:4000000-$((4000000 + rows))" "$family" "$teacher" "$REASONFLUX_VLLM_PORT" "$out/teacher/$family"
done | if [ -n "$dry" ]; then sed 's/^/+ /'; else cat >"$collect"; fi
if ! cmp -s "$collect" "$collect.done"; then
  run bash training/serve.sh "$teacher" -- bash -e "$collect"
  [ -n "$dry" ] || cp "$collect" "$collect.done"
fi

cpu=()
! nvidia-smi -L >/dev/null 2>&1 || cpu=(use_cpu=false)
run bash training/sft.sh "$recipe" "model_name_or_path=$student" "dataset_dir=$out/data" "output_dir=$out/student" "${cpu[@]}" \
  --records "${records% }" --gold "${golds% }" --eval "$tests-c 48" "${rest[@]}"
