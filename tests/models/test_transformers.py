"""`hf:` models: a checkpoint of a few thousand random weights, made here, run by transformers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from reasonflux_agent.errors import MissingExtraError, SpecError
from reasonflux_agent.models import CallOptions, call_kwargs, describe, load_model, read_reply

installed = all(importlib.util.find_spec(name) for name in ("transformers", "torch"))
needs_extra = pytest.mark.skipif(not installed, reason="the extra 'hf' is not installed")
TEMPLATE = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}assistant "


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GraniteConfig, GraniteForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("checkpoint")
    letters = ["<unk>", "<end>", "Ġ", *"abcdefghijklmnopqrstuvwxyz"]
    base = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, [], unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=base, unk_token="<unk>", eos_token="<end>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = GraniteConfig(
        vocab_size=len(letters),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        eos_token_id=1,
        pad_token_id=1,
    )
    GraniteForCausalLM(config).save_pretrained(folder)
    return folder


def ask(checkpoint: Path, **options: Any) -> Any:
    model = load_model(f"hf:{checkpoint}")
    messages = [SystemMessage("be brief"), HumanMessage("two and two")]
    return read_reply(model.invoke(messages, **call_kwargs(model, CallOptions(**options))))


@needs_extra
def test_a_checkpoint_answers_within_its_limit(checkpoint: Path) -> None:
    got = ask(checkpoint, max_tokens=5, temperature=0.0)
    assert got == ask(checkpoint, max_tokens=5, temperature=0.0)
    assert got.prompt_tokens == len("system be brief user two and two assistant ")
    assert 0 < got.completion_tokens <= 5
    assert got.truncated == (got.completion_tokens == 5)
    assert describe(load_model(f"hf:{checkpoint}")) == f"hf:{checkpoint}"


@needs_extra
def test_a_seed_repeats_a_sample_and_leaves_the_global_generator_alone(checkpoint: Path) -> None:
    import torch

    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    samples = [ask(checkpoint, max_tokens=12, temperature=2.0, seed=seed).text for seed in (1, 1, 2, 3)]
    assert samples[0] == samples[1]
    assert len(set(samples)) > 1
    assert bool((torch.random.get_rng_state() == before).all())


@needs_extra
def test_a_stop_string_ends_the_reply(checkpoint: Path) -> None:
    whole = ask(checkpoint, max_tokens=12, temperature=2.0, seed=1).text
    mark = whole[4:6]
    cut = ask(checkpoint, max_tokens=12, temperature=2.0, seed=1, stop=(mark,))
    assert cut.text == whole[: whole.index(mark)]
    assert not cut.truncated


@needs_extra
def test_a_checkpoint_that_cannot_chat_or_is_not_there(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="does not load it"):
        load_model(f"hf:{tmp_path}/absent")
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(SpecError, match="no chat template"):
        load_model(f"hf:{tmp_path}")


@pytest.mark.skipif(installed, reason="the extra 'hf' is installed")
def test_without_the_extra_its_pip_line_is_said() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'reasonflux-agent\[hf\]'"):
        load_model("hf:any/model")
