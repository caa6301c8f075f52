#!/usr/bin/env bash
# Preference training (DPO) by one of training/recipes: environment, data, evaluation, training, plots, merge, evaluation.
#
#   bash training/dpo.sh RECIPE [KEY=VALUE ...] [OPTION ...]
#   bash training/dpo.sh training/recipes/v1-dpo-lora-7b.yaml --gold data/train/math_train.jsonl --limit 500 \
#       --benchmarks data/benchmarks --eval math500_dev --data-dir data/benchmarks
#
set -euo pipefail
JOB_STAGE=dpo exec bash "$(dirname "$0")/job.sh" "$@"
