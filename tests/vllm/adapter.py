"""Writes a LoRA adapter of random weights for a checkpoint: small, senseless, and seen in the log-probabilities of a reply.

    python tests/vllm/adapter.py CHECKPOINT DIRECTORY

Needs numpy and safetensors. DIRECTORY appears by a rename, complete or not at all.
"""

import json
import os
import sys
from pathlib import Path

RANK = 4


def write(checkpoint: Path, target: Path) -> None:
    """Weights for the query and value projections of all layers of the (Qwen2) checkpoint; `target` must not exist."""
    import numpy as np
    from safetensors.numpy import save_file

    config = json.loads((checkpoint / "config.json").read_text())
    hidden = config["hidden_size"]
    head = hidden // config["num_attention_heads"]
    sizes = {"q_proj": hidden, "v_proj": head * config["num_key_value_heads"]}
    random = np.random.default_rng(0)
    weights = {}
    for layer in range(config["num_hidden_layers"]):
        for name, size in sizes.items():
            key = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            weights[f"{key}.lora_A.weight"] = random.normal(0, hidden**-0.5, (RANK, hidden)).astype(np.float32)
            weights[f"{key}.lora_B.weight"] = random.normal(0, 0.05, (size, RANK)).astype(np.float32)
    about = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": RANK, "target_modules": sorted(sizes)}
    part = target.with_name(f"{target.name}.part")
    part.mkdir(exist_ok=True)
    save_file(weights, part / "adapter_model.safetensors")
    (part / "adapter_config.json").write_text(json.dumps({**about, "bias": "none", "base_model_name_or_path": str(checkpoint)}))
    os.replace(part, target)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
