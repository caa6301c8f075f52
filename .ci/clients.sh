#!/usr/bin/env bash
# Runs the tests of client packages that the development environment does not hold: they have a venv of their own.
#
#   bash .ci/clients.sh PYTHON             PYTHON: an interpreter that has the project with its extra dev installed
#
# REASONFLUX_CI_CACHE keeps the venv (490 MB) for the next run.
set -euo pipefail

python=${1:?"usage: bash .ci/clients.sh PYTHON"}
cd "$(dirname "$0")/.."
wanted=tests/clients/requirements.txt
venv=${REASONFLUX_CI_CACHE:-${TMPDIR:-/tmp}/reasonflux-ci}/clients-$(cksum <"$wanted" | cut -d' ' -f1)

if ! [ -e "$venv/done" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet -r "$wanted"
  touch "$venv/done"
fi
REASONFLUX_TEST_CLIENTS=$venv/bin/python "$python" -m pytest tests/clients
