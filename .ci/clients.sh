#!/usr/bin/env bash
# Runs the tests of client packages that the development environment does not hold. It installs them into two venvs. If there
# is npm, it installs the MCP inspector into a folder.
#
#   bash .ci/clients.sh PYTHON             PYTHON: an interpreter that has the project with its extra dev installed
#
# REASONFLUX_CI_CACHE keeps them (490, 570 and 111 MB) for the next run.
set -euo pipefail

python=${1:?"usage: bash .ci/clients.sh PYTHON"}
cd "$(dirname "$0")/.."

venv() { # venv FILE: a venv with what a file of requirements names; prints its folder
  local folder
  folder=${REASONFLUX_CI_CACHE:-${TMPDIR:-/tmp}/reasonflux-ci}/clients-$(cksum <"$1" | cut -d' ' -f1)
  if ! [ -e "$folder/done" ]; then
    rm -rf "$folder"
    "$python" -m venv "$folder" >&2
    "$folder/bin/python" -m pip install --quiet -r "$1" >&2
    touch "$folder/done"
  fi
  echo "$folder"
}

clients=$(venv tests/clients/requirements.txt)
aider=$(venv tests/clients/aider.txt)
package=@modelcontextprotocol/inspector@2.12.0
inspector=${REASONFLUX_CI_CACHE:-${TMPDIR:-/tmp}/reasonflux-ci}/inspector-${package##*@}
if command -v npm >/dev/null && ! [ -e "$inspector/done" ]; then
  rm -rf "$inspector" && mkdir -p "$inspector"
  npm install --prefix "$inspector" --silent --no-audit --no-fund "$package"
  touch "$inspector/done"
fi
if [ -e "$inspector/done" ]; then export REASONFLUX_TEST_INSPECTOR=$inspector/node_modules/.bin/mcp-inspector; fi
REASONFLUX_TEST_CLIENTS=$clients/bin/python REASONFLUX_TEST_AIDER=$aider/bin/aider "$python" -m pytest tests/clients
