#!/usr/bin/env bash
# Rounds of preference training: the navigator of a round plans for the next problems of the file, its trajectories are
# rewarded by graded accuracy on similar problems (collect, label), make pairs, train it by DPO, and it is evaluated. With
# --held the mean reward of its trajectories for held-out problems is measured too. The next round begins with the result.
# A round is a job of dpo.sh. Rounds can share problems: for each that --benchmarks drops a round takes one further on, where
# the next one begins, and after the last problem comes the first again.
#
#   bash training/round.sh RECIPE --gold FILE [--rounds N] [--problems N] [KEY=VALUE ...] [OPTION of dpo.sh ...]
#   bash training/round.sh training/recipes/v1-dpo-lora-7b.yaml --gold data/train/math_train.jsonl --rounds 3 \
#       --benchmarks data/benchmarks --eval math500_dev --data-dir data/benchmarks
#
#   --gold FILE      training problems: *.jsonl with `problem` and `answer`, best shuffled
#   --rounds N       default 1; the same command with a greater N goes on
#   --problems N     of a round; default 500
#   --dry-run        prints the commands, runs none
#   --help           (the options of a job: dpo.sh --help)
#
# Round K lies in output_dir/round-K: its problems, data (with all rewards), model and evaluation.
# shellcheck source=training/lib.sh
. "$(dirname "$0")/lib.sh"

gold='' before='' held='' before_rewards='' rounds=1 problems=500 rest=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage "$0" && exit ;;
    --dry-run) dry=yes ;;
    --gold | --rounds | --problems | --before | --held | --before-rewards)
      option "$@"
      name=${1#--} && printf -v "${name//-/_}" %s "$2"
      shift
      ;;
    --*)
      option "$@"
      rest+=("$1" "$2")
      shift
      ;;
    *=*) overrides+=("$1") ;;
    *) recipe=$1 ;;
  esac
  shift
done
read_recipe model_name_or_path finetuning_type output_dir
[ -f "$gold" ] || fail "--gold ${gold:-is not given}${gold:+ is no file}. Next: name a *.jsonl whose rows have \`problem\` and \`answer\`."
[[ $rounds =~ ^[1-9][0-9]*$ && $problems =~ ^[1-9][0-9]*$ ]] || fail "--rounds $rounds, --problems $problems: both are 1 or more."
out=$(setting output_dir) model=$(setting model_name_or_path)
# not `wc -l`: the last line may lack its newline
count=$(grep -c '' "$gold") || fail "there is no problem in $gold. Next: name a *.jsonl whose rows have \`problem\` and \`answer\`."

for ((round = 1; round <= rounds; round++)); do
  here=$out/round-$round
  # Its own problems come first; the others stay, to be found as similar ones.
  start=$(((round - 1) * problems % count))
  printf '+ # %s: %s from row %d on, then the rows before it\n' "$here/problems.jsonl" "$gold" $((start + 1))
  if [ -z "$dry" ]; then
    mkdir -p "$here"
    { tail -n "+$((start + 1))" "$gold" | awk 1 && head -n "$start" "$gold"; } >"$here/problems.part" # awk: a last newline
    mv "$here/problems.part" "$here/problems.jsonl"
  fi
  JOB_STAGE=dpo bash training/job.sh "$recipe" "${overrides[@]}" "model_name_or_path=$model" "dataset_dir=$here/data" \
    "output_dir=$here/model" --gold "$here/problems.jsonl" --limit "$problems" ${before:+--before "$before"} \
    ${held:+--held "$held"} ${before_rewards:+--before-rewards "$before_rewards"} \
    "${rest[@]}" ${dry:+--dry-run}
  model=$(trained "$here/model")
  before=$here/model/eval/after
  [ -n "$dry" ] || [ -e "$before" ] || before=
  before_rewards=${held:+$here/model/rewards/after.rewards.jsonl}
done
say "after $rounds rounds the model is in $model"
