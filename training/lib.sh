# shellcheck shell=bash
# What the scripts of this folder share. Sourced; needs `$0`, the script that is run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/reasonflux
dry=
recipe='' overrides=() # of a job: its file, and the KEY=VALUE that take the place of its keys

usage() { # the comments at the heads of the files
  local file
  for file in "$@"; do sed -n '2,/^[^#]/{/^# shellcheck/d;s/^# \{0,1\}//p}' "$file"; done
}

say() { printf '== %s: %s\n' "${JOB_STAGE:-$(basename "$0" .sh)}" "$*" >&2; }

fail() { # one readable text, with what to do next
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

run() { # prints the command as it can be typed again, and runs it unless this is a --dry-run
  local word line='+' status=0
  for word in "$@"; do
    if [[ $word =~ ^[[:alnum:]_./:=@,+%-]+$ ]]; then line+=" $word"; else line+=" ${word@Q}"; fi
  done
  printf '%s\n' "$line"
  [ -n "$dry" ] && return
  "$@" || status=$?
  [ "$status" = 0 ] || fail "the command above ended with status $status. Next: read what it says, then give the same" \
    "command again: it goes on with the step that failed."
}

option() { # option NAME [VALUE ...]: fails unless there is a value
  [ $# -ge 2 ] || fail "$1 needs a value. Next: --help says which."
}

environment() { # LLaMA-Factory's environment with this package in it, its commands first on the path
  local home=${REASONFLUX_TRAINING_ENV:-$cache/training} key
  key=$({ pwd && cat pyproject.toml; } | sha256sum | cut -c1-12)
  run bash training/env.sh "$home"
  # Of what LLaMA-Factory has, the package replaces only what its web page uses; vLLM, in an environment of its own, would more.
  # All checkouts share one stamp, since the environment holds the package of the checkout that installed it last.
  if [ -n "$dry" ] || [ "$(cat "$home/package" 2>/dev/null)" != "$key" ]; then
    run "$home/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[gym,local]'
    [ -n "$dry" ] || printf '%s\n' "$key" >"$home/package"
  fi
  # shellcheck disable=SC2016  # PATH is the reader's
  printf '+ export PATH=%q:$PATH\n' "$home/bin"
  export PATH=$home/bin:$PATH
}

setting() { # setting KEY: its value in the overrides, else in the recipe; empty if neither has it
  local word value
  value=$(sed -n "s/^$1: *//p" "$recipe" | sed 's/ *#.*//; s/^"\(.*\)"$/\1/')
  for word in "${overrides[@]}"; do
    [ "${word%%=*}" != "$1" ] || value=${word#*=} # of several the last, as LLaMA-Factory takes them
  done
  printf '%s\n' "$value"
}

read_recipe() { # read_recipe KEY...: refuses a recipe that is absent or lacks one of the keys
  local key
  [ -f "$recipe" ] || fail "there is no recipe ${recipe:-given}. There are: $(cd training/recipes && echo *). Next: name one of them."
  for key in "$@"; do
    [ -n "$(setting "$key")" ] || fail "the recipe $recipe has no $key. Next: add it, or append $key=..."
  done
}

trained() { # trained DIR: where the model itself lies after a job with this output_dir (LoRA's is merged there)
  if [ "$(setting finetuning_type)" = lora ]; then printf '%s/export\n' "$1"; else printf '%s\n' "$1"; fi
}
