#!/usr/bin/env bash
# Supervised fine-tuning by one of training/recipes: environment, data, evaluation, training, plots, merge, evaluation.
#
#   bash training/sft.sh RECIPE [KEY=VALUE ...] [OPTION ...]
#   bash training/sft.sh training/recipes/v1-sft-lora-7b.yaml --gold data/train/math_train.jsonl \
#       --benchmarks data/benchmarks --eval math500_dev --data-dir data/benchmarks
#
set -euo pipefail
JOB_STAGE=sft exec bash "$(dirname "$0")/job.sh" "$@"
