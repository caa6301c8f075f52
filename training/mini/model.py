r"""The model of the miniature: Qwen2's architecture with a few hundred thousand random weights, and a tokenizer of its own.

    python training/mini/model.py DIR

The tokenizer (byte-pair encoding, 1,024 tokens) is trained on the built-in templates and the prompts of the graph, and has
Qwen2.5's special tokens and chat format. Runs in LLaMA-Factory's environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.templates import TemplateLibrary, render_template

END, START, LAST = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT = """{%- if messages[0].role != 'system' %}<|im_start|>system
You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>
{% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def build(directory: Path) -> int:
    """Writes tokenizer and model; returns the number of weights."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [render_template(template) for template in TemplateLibrary.load("builtin")]
    # often enough that the words of the prompt, which every row holds, are few tokens
    texts += [message["content"] for message in PLAN.render("What is 12 plus 34?")] * len(texts)
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=[END, START, LAST],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    chat = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=LAST, pad_token=END, additional_special_tokens=[START], chat_template=CHAT
    )
    chat.save_pretrained(directory)
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(chat),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=chat.eos_token_id,
            pad_token_id=chat.pad_token_id,
        )
    )
    model.save_pretrained(directory)
    return int(model.num_parameters())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(f"{build(Path(sys.argv[1])):,} weights in {sys.argv[1]}")
