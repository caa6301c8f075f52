#!/usr/bin/env bash
# Runs docs/mcp.md's block for langchain-mcp-adapters against our server: they need mcp 1, so they have a venv of their own.
#
#   bash .ci/mcp_adapters.sh PYTHON        PYTHON: an interpreter that has the project, its extra mcp and pytest installed
#
# REASONFLUX_CI_CACHE keeps the venv (130 MB) for the next run.
set -euo pipefail

python=${1:?"usage: bash .ci/mcp_adapters.sh PYTHON"}
cd "$(dirname "$0")/.."
venv=${REASONFLUX_CI_CACHE:-${TMPDIR:-/tmp}/reasonflux-ci}/mcp-adapters-0.3

if ! [ -e "$venv/done" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet "langchain-mcp-adapters>=0.3.2,<0.4"
  touch "$venv/done"
fi
REASONFLUX_TEST_MCP_ADAPTERS=$venv/bin/python "$python" -m pytest tests/serving/test_mcp_docs.py
