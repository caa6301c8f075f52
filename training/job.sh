#!/usr/bin/env bash
# A finished step is not done again: data have a manifest beside them, the others a stamp in output_dir/steps, which holds
# for the same command and the same files, and for the same training of a base that is a job's own result. Training that was
# cut short begins anew.
#
#   RECIPE               a file of training/recipes
#   KEY=VALUE            takes the place of a key of the recipe, as in output_dir=runs/mine
# Data, where the recipe's data set is not in its dataset_dir yet:
#   --gold FILE          training problems: *.jsonl with `problem` and `answer`; or "gym:FAMILY:0-200 ...", with --records
#   --limit N            the first N of them alone
#   --records "DIR ..."  run records of them (default: the model that is to be trained solves them)
#   --benchmarks DIR     a row that shares text with a *.jsonl in it is dropped
#   --builder "TEXT"     further options of the builder in training/data
# Evaluation, before and after:
#   --eval "NAMES"       benchmarks, as `reasonflux eval` takes them (default: none)
#   --data-dir DIR       where they lie
#   --before DIR         an evaluation to compare with, in place of one of the model that is to be trained
#   --held FILE          held-out problems, *.jsonl with `problem` and `answer`. The mean reward of the navigator's trajectories
#                        for them is measured before and after, with the options of --builder. Only for data sets of
#                        trajectories. It needs --solver, so that one solver rewards both.
#   --before-rewards FILE  rewards to compare with, in place of those of the model that is to be trained
# Models:
#   --solver SPEC        solves beside a navigator, plans beside a solver (default: the trained model plays both roles)
#   --engine vllm|hf     what runs checkpoints: a vLLM server (its options: REASONFLUX_VLLM_OPTIONS), or transformers
# Other:
#   --dry-run            prints the commands, runs none
#   --help
#
# Several GPUs are used as they are found. Several machines: the same command on each, with LLaMA-Factory's NNODES, NODE_RANK,
# MASTER_ADDR, MASTER_PORT, on one file system; all but NODE_RANK=0 only train. Ray: USE_RAY=1, and ray_num_workers=N as
# KEY=VALUE.
# shellcheck source=training/lib.sh
. "$(dirname "$0")/lib.sh"

stage=${JOB_STAGE:-}
gold='' limit='' records='' benchmarks='' builder='' evaluate='' data_dir='' before='' held='' before_rewards=''
solver='' engine=vllm
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage "training/${stage:-sft}.sh" training/job.sh && exit ;;
    --dry-run) dry=yes ;;
    --gold | --limit | --records | --benchmarks | --builder | --eval | --data-dir | --before | --held | --before-rewards | \
      --solver | --engine)
      option "$@"
      name=${1#--} && name=${name//-/_} && printf -v "${name/#eval/evaluate}" %s "$2"
      shift
      ;;
    -*) fail "there is no option $1. Next: --help lists them." ;;
    *=*) overrides+=("$1") ;;
    *) [ -z "$recipe" ] || fail "two recipes are given, $recipe and $1. Next: give one." && recipe=$1 ;;
  esac
  shift
done
[ "$engine" = vllm ] || [ "$engine" = hf ] || fail "--engine $engine: there are vllm and hf."
read_recipe stage model_name_or_path finetuning_type dataset_dir dataset template output_dir
[ "$(setting stage)" = "$stage" ] || fail "$recipe is a recipe for stage $(setting stage). Next: training/$(setting stage).sh"
base=$(setting model_name_or_path) data=$(setting dataset_dir) dataset=$(setting dataset) out=$(setting output_dir)

# The data set says who is trained, hence what is measured, and how its records are made.
collected=navigator
case $dataset in
  proposer_*) method=propose collected=propose ;;
  f1_sft) method=direct ;;
  f1_programs) method=program ;;
  *) method=navigator ;;
esac

if [ -n "$held" ]; then
  [[ $dataset == trajectory_dpo || $dataset == proposer_dpo ]] || fail "--held is for data sets of trajectories, not for $dataset. Next: leave it out."
  [ -f "$held" ] || fail "--held $held is no file. Next: name a *.jsonl whose rows have \`problem\` and \`answer\`."
  [ -n "$solver" ] || fail "--held needs --solver, since one solver must reward both navigators. Next: give one."
fi

# A base that one of our jobs trained may be trained anew in the same place; the stamp of that training tells.
base_stamp=${base%/export}/steps/train upstream=()
if [ -f "$base_stamp" ]; then upstream=("$base_stamp"); fi
inputs=("$recipe" "${upstream[@]}") # files on which the next steps depend
step() { # step NAME COMMAND...: runs it unless it was finished before, by these words and with these inputs
  local name=$1 stamp=$out/steps/$1 key
  shift
  if [ -n "$dry" ]; then
    run "$@"
    return
  fi
  key=$({ printf '%s\n' "$@" && cat "${inputs[@]}"; } | sha256sum | cut -d' ' -f1)
  if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
    say "$name was done before"
    return
  fi
  if [ "${NODE_RANK:-0}" = 0 ]; then
    case $name in # what was made of an earlier result
      train) rm -rf "$out/steps/"{plot,export,eval-after,rewards-after} "$out/export" "$out/eval/after" "$out/rewards/after".* ;;
      eval-*) [ ! -e "$stamp" ] || rm -rf "$out/eval/${name#eval-}" ;;
      rewards-*) [ ! -e "$stamp" ] || rm -f "$out/rewards/${name#rewards-}".* ;;
      collect) if [ -e "$stamp" ] && [ "$base_stamp" -nt "$stamp" ]; then rm -rf "$out/collect"; fi ;;
    esac
  fi
  run "$@"
  if [ "${NODE_RANK:-0}" = 0 ]; then mkdir -p "$out/steps" && printf '%s\n' "$key" >"$stamp"; fi
}

spec() { # spec MODEL: by what it is reached while `serving` runs a command
  case $engine in
    hf) printf 'hf:%s\n' "$1" ;;
    vllm) printf 'vllm:%s@http://127.0.0.1:%s/v1\n' "$1" "$REASONFLUX_VLLM_PORT" ;;
  esac
}

serving() { # serving MODEL: sets `server`, the words before a command that needs the model
  server=()
  if [ "$engine" = vllm ]; then server=(bash training/serve.sh "$1" --); fi
}

roles() { # roles MODEL: sets `models`, the options by which the model and --solver share the work
  local model
  model=$(spec "$1")
  case $dataset in
    step_dpo) models=(--navigator "${solver:-$model}" --solver "$model") ;;
    f1_*) models=(--model "$model") ;;
    *) models=(--navigator "$model" --solver "${solver:-$model}") ;;
  esac
}

build() { # build DATASET: its builder
  local words=() folders=() name=$1 source=$gold${limit:+:0-$limit} golds=("$gold") generated=
  if [ -n "$records" ] && [[ $gold == gym:* ]]; then generated=yes && read -ra golds <<<"$gold"; fi
  if [ -e "$data/$name.manifest.json" ]; then
    say "$data/$name.json is there"
    # hours of work: that is for the user to throw away
    [ ! "$base_stamp" -nt "$data/$name.manifest.json" ] ||
      say "it was made before $base was trained last. To have it made anew: delete $data/$name.*"
    return
  fi
  case $name in
    f1_programs) words=(training/data/f1_sft.py --programs) ;;
    structure_sft | navigator_sft | f1_sft | trajectory_dpo | step_dpo) words=("training/data/$name.py") ;;
    proposer_sft) words=(training/data/navigator_sft.py --prompt propose) ;;
    proposer_dpo) words=(training/data/trajectory_dpo.py --prompt propose) ;;
    *) grep -qs "\"$name\":" "$data/dataset_info.json" && return
      fail "no builder is known for the data set $name, and $data/dataset_info.json does not have it. Next: build or import" \
        "it (training/README.md), or append dataset=..." ;;
  esac
  [ "$name" = structure_sft ] || [ -f "$gold" ] || [ -n "$generated" ] || [ -n "${gold:+$dry}" ] ||
    fail "$data/$name.json is not built yet, and --gold ${gold:-is not given}${gold:+ is no file}. Next: name a *.jsonl" \
      "whose rows have \`problem\` and \`answer\`."
  serving "$base"
  roles "$base"
  case $name in
    structure_sft) server=() ;;
    trajectory_dpo | proposer_dpo) words+=(--problems "$gold" ${limit:+--limit "$limit"} "${models[@]}") ;;
    *)
      if [ -z "$records" ]; then
        # a chain of thought, or a program, is made of what a planned run held
        inputs=("$gold" "${upstream[@]}")
        step collect "${server[@]}" reasonflux eval "$source" --methods "$collected" \
          "${models[@]}" --out "$out/collect"
        records=$out/collect/records
      fi
      read -ra folders <<<"$records"
      words+=("${folders[@]}" --gold "${golds[@]}")
      server=()
      ;;
  esac
  # shellcheck disable=SC2206  # the options of --builder are words
  words+=(--out "$data/$name.json" ${benchmarks:+--benchmarks "$benchmarks"} $builder)
  run "${server[@]}" python "${words[@]}"
}

measure() { # measure WHEN MODEL
  [ -n "$evaluate" ] || return 0
  serving "$2"
  roles "$2"
  # shellcheck disable=SC2086  # the names of --eval are words
  step "eval-$1" "${server[@]}" reasonflux eval $evaluate --methods "$method" "${models[@]}" \
    ${data_dir:+--data-dir "$data_dir"} --out "$out/eval/$1"
}

rewards() { # rewards WHEN MODEL: of its trajectories for the held-out problems
  [ -n "$held" ] || return 0
  local words=(training/data/trajectory_dpo.py --measure --problems "$held")
  serving "$2"
  roles "$2"
  [ "$dataset" = trajectory_dpo ] || words+=(--prompt propose)
  # shellcheck disable=SC2086  # the options of --builder are words
  step "rewards-$1" "${server[@]}" python "${words[@]}" "${models[@]}" --out "$out/rewards/$1.json" $builder
}

environment
if [ "$engine" = vllm ]; then
  export REASONFLUX_VLLM_PORT="${REASONFLUX_VLLM_PORT:-8321}" # vLLM's own, 8000, may be the solver's
  printf '+ export REASONFLUX_VLLM_PORT=%q\n' "$REASONFLUX_VLLM_PORT"
fi
if [ "${NODE_RANK:-0}" = 0 ]; then
  for name in ${dataset//,/ }; do build "$name"; done
  inputs=("$recipe" "${upstream[@]}")
  if [ -z "$before" ]; then
    measure before "$base"
    before=$out/eval/before
  fi
  if [ -z "$before_rewards" ]; then
    rewards before "$base"
    before_rewards=$out/rewards/before.rewards.jsonl
  fi
  if [ -z "$dry" ]; then mkdir -p "$out/steps" && touch "$out/steps/ready"; fi
else
  say "waiting for the machine with NODE_RANK=0"
  until [ -n "$dry" ] || [ -e "$out/steps/ready" ]; do sleep 5; done
fi

# With several GPUs LLaMA-Factory calls torchrun by itself; DeepSpeed needs it with one as well.
launch=()
if [ -n "$(setting deepspeed)" ] || [ "${NNODES:-1}" -gt 1 ]; then launch=(env FORCE_TORCHRUN=1); fi
for name in ${dataset//,/ }; do
  [ ! -e "$data/$name.json" ] || inputs+=("$data/$name.json")
done
step train "${launch[@]}" llamafactory-cli train "$recipe" "${overrides[@]}"
[ "${NODE_RANK:-0}" = 0 ] || exit 0

inputs=("$recipe" "$out/steps/train")
if [ "$stage" = dpo ]; then
  step plot python -c "from llamafactory.extras.ploting import plot_loss; plot_loss('$out', ['rewards/margins'])"
fi
model=$(trained "$out")
if [ "$model" != "$out" ]; then
  step export llamafactory-cli export --model_name_or_path "$base" --adapter_name_or_path "$out" \
    --template "$(setting template)" --finetuning_type lora --export_dir "$model"
fi
measure after "$model"
rewards after "$model"
if [ -n "$evaluate" ]; then run reasonflux eval compare "$before" "$out/eval/after"; fi
if [ -n "$held" ]; then
  run python training/data/compare_rewards.py "$before_rewards" "$out/rewards/after.rewards.jsonl" --out "$out/rewards/compared.json"
fi
[ -n "$dry" ] || find "$out" -maxdepth 1 -name '*.png'
say "the model is in $model. To run it embedded, as local:mine (docs/models.md):"
dry=yes run reasonflux models import "$model" --name mine
say "To serve it: bash training/serve.sh $model, which is"
dry=yes run vllm serve "$model"
