#!/usr/bin/env bash
# Drives Open WebUI in Chromium against our endpoint: tests/clients/test_open_webui.py. It has a venv of its own.
#
#   bash .ci/open_webui.sh PYTHON          PYTHON: an interpreter that has the project with its extra dev installed
#
# REASONFLUX_CI_CACHE keeps the venv for the next run.
set -euo pipefail

python=${1:?"usage: bash .ci/open_webui.sh PYTHON"}
cd "$(dirname "$0")/.."
# torch first, by the full version of its CPU build: the one that open-webui would bring is the CUDA build, 5 GB of it
wanted=("torch==2.13.0+cpu" "open-webui==0.12.4")
venv=${REASONFLUX_CI_CACHE:-${TMPDIR:-/tmp}/reasonflux-ci}/open-webui-$(printf '%s\n' "${wanted[@]}" | cksum | cut -d' ' -f1)

if ! [ -e "$venv/done" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --no-compile "${wanted[@]}"
  touch "$venv/done"
fi
REASONFLUX_TEST_OPEN_WEBUI=$venv/bin/open-webui "$python" -m pytest -n0 tests/clients/test_open_webui.py
