"""Writes a GGUF file as an ordinary bf16 checkpoint, tokenizer and chat template included: what vLLM can serve.

    python tests/vllm/convert.py MODEL.gguf DIRECTORY

Needs transformers, torch, gguf and accelerate. DIRECTORY appears by a rename, complete or not at all.
"""

import os
import sys
from pathlib import Path


def convert(gguf: Path, target: Path) -> None:
    """Dequantizes `gguf` and saves it to `target`, which must not exist. Reads local files only."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    if not tokenizer.chat_template:
        raise SystemExit(f"{gguf} holds no chat template; a server could not answer chats with it.")
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    # The weights are plain now, but the model still calls itself quantized and would be saved (and loaded) as such.
    del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False

    part = target.with_name(f"{target.name}.part")
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    os.replace(part, target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
