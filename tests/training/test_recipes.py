"""Recipes against the published commands (published.json), and against LLaMA-Factory's and DeepSpeed's own readers."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rows import dataset_entry

from .conftest import CHECKOUT, GOLDEN, read

RECIPES = CHECKOUT / "training" / "recipes"
PUBLISHED = read(Path(__file__).with_name("published.json"))
"""Flags of the commands that were published; of what was only described, the flags that the description gives."""
MODEL, LORA = "model_name_or_path", {"finetuning_type", "learning_rate"}
DEPARTURES: dict[str, set[str]] = {
    "v1-sft": set(),
    "v1-sft-lora-7b": {MODEL, *LORA, "per_device_train_batch_size", "gradient_accumulation_steps", "deepspeed"},
    "v1-sft-full-0.5b": {MODEL, "deepspeed"},
    "v1-dpo": set(),
    "v1-dpo-lora-7b": {"finetuning_type"},
    "v1-dpo-full-0.5b": set(),
    "v1-dpo-lora-0.5b": {"finetuning_type"},
    "f1-sft": {"template"},
    "f1-sft-lora-1.5b": {MODEL, *LORA, "template", "cutoff_len", "gradient_accumulation_steps", "deepspeed"},
    "f1-sft-full-1.5b": {MODEL, "template", "cutoff_len", "gradient_accumulation_steps"},
    "f1-sft-programs-lora-0.5b": {
        MODEL,
        *LORA,
        "template",
        "cutoff_len",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "num_train_epochs",
        "deepspeed",
    },
    "v2-proposer-sft": set(),
    "v2-proposer-sft-lora-4b": {MODEL, "finetuning_type", "cutoff_len"},
    "v2-proposer-sft-full-0.6b": {MODEL, "cutoff_len"},
    "v2-proposer-dpo": {MODEL},
    "v2-proposer-dpo-lora-4b": {MODEL, *LORA, "cutoff_len"},
    "v2-proposer-dpo-full-0.6b": {MODEL, "learning_rate", "cutoff_len"},
    "v2-reasoner-dpo": set(),
    "v2-reasoner-dpo-lora-4b": {MODEL, *LORA, "cutoff_len"},
    "v2-reasoner-dpo-full-0.6b": {MODEL, "learning_rate", "cutoff_len"},
}
"""Recipe -> the flags in which it may differ from what was published; each is commented in the file."""
LIKE_V1 = {"lr_scheduler_type", "warmup_steps", "max_grad_norm", "optim", "bf16", "plot_loss"}
PLACES = {"dataset_dir", "dataset", "template", "output_dir", "overwrite_output_dir", "logging_steps", "report_to", "seed"}
PLACES |= {"preprocessing_num_workers", "ddp_timeout", "save_strategy", "save_only_model"}
PLACES |= {"use_cpu", "disable_gradient_checkpointing"}
NUMBERS = {"per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "num_train_epochs", "cutoff_len"}
METHOD = {"lora_rank", "lora_alpha", "lora_target", "pref_beta", "pref_ftx", "pref_loss", "mask_history"}
KNOWN = LIKE_V1 | PLACES | NUMBERS | METHOD | {MODEL, "deepspeed"}
"""Flags that a recipe may add to those that were published."""


def published(name: str) -> dict[str, Any]:
    flags: dict[str, Any] = PUBLISHED[next(key for key in PUBLISHED if name.startswith(key))]
    return flags


def comment_above(text: str, flag: str) -> str:
    """The comment right above a flag, or the one that says why the flag is absent."""
    match = re.search(rf"((?:^# .*\n)+){flag}:", text, re.MULTILINE)
    return match[1] if match else next(iter(re.findall(rf"^# departs: no {flag}.*", text, re.MULTILINE)), "")


def test_every_recipe_is_listed() -> None:
    assert sorted(path.stem for path in RECIPES.iterdir()) == sorted(DEPARTURES)


@pytest.mark.parametrize("name", DEPARTURES)
def test_departures_are_those_listed_and_each_is_commented(name: str) -> None:
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    recipe, flags = yaml.safe_load(text), published(name)
    assert {flag for flag in flags if recipe.get(flag) != flags[flag]} == DEPARTURES[name]
    for flag in DEPARTURES[name]:
        assert comment_above(text, flag).startswith("# departs: "), f"{name}: {flag} departs without a word on why"
    assert recipe.keys() - flags.keys() <= KNOWN
    assert all(recipe[flag] == PUBLISHED["v1-sft"][flag] for flag in LIKE_V1)


@pytest.mark.parametrize("name", DEPARTURES)
def test_a_recipe_fits_its_name_and_the_files_around_it(name: str) -> None:
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    recipe = yaml.safe_load(text)
    job = recipe["stage"]
    assert f"bash training/{job}.sh training/recipes/{name}.yaml" in text
    assert recipe["output_dir"] == f"runs/{name}"
    assert recipe["finetuning_type"] == ("lora" if "-lora-" in name else "full")
    if "deepspeed" in recipe:
        assert (CHECKOUT / recipe["deepspeed"]).is_file()
    if recipe[MODEL].startswith("runs/"):  # what another recipe leaves
        assert recipe[MODEL].removeprefix("runs/").removesuffix("/export") in DEPARTURES
        assert recipe[MODEL].endswith("/export") == ("-lora-" in recipe[MODEL])


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What LLaMA-Factory and DeepSpeed read; REASONFLUX_TEST_LLAMAFACTORY is the python that training/env.sh prints."""
    python = os.environ.get("REASONFLUX_TEST_LLAMAFACTORY")
    if not python:
        pytest.skip("REASONFLUX_TEST_LLAMAFACTORY is not set")
    folder = tmp_path_factory.mktemp("factory")
    kinds = {"navigator_sft": "alpaca", "f1_sft": "alpaca", "structure_sft": "alpaca"}
    kinds |= {"trajectory_dpo": "preference", "step_dpo": "preference"}
    register = {name: dataset_entry(f"{name}.json", read(GOLDEN / f"{name}.json"), kind) for name, kind in kinds.items()}  # type: ignore[arg-type]
    for name in kinds:
        (folder / f"{name}.json").write_text((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    (folder / "dataset_info.json").write_text(json.dumps(register))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [python, str(Path(__file__).with_name("factory.py")), str(RECIPES), str(folder), port]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("REASONFLUX_", "PYTHONPATH"))}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, cwd=CHECKOUT, env={**clean, "HF_HOME": str(folder)}
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("READ ")), None)
    assert line is not None, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(line.removeprefix("READ "))
    return answer


@pytest.mark.llamafactory
def test_llama_factory_accepts_every_recipe(factory: dict[str, Any]) -> None:
    assert sorted(factory["recipes"]) == sorted(DEPARTURES)
    for name, found in factory["recipes"].items():
        recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
        zero = found.pop("zero")
        expected = {key: recipe.get(key, {"mask_history": False, "pref_beta": 0.1}.get(key)) for key in found}
        assert found == expected, name
        assert (zero is None) == ("deepspeed" not in recipe)


@pytest.mark.llamafactory
def test_deepspeed_accepts_its_files(factory: dict[str, Any]) -> None:
    rows = 4 * 8
    assert factory["zero"] == {"zero2": [2, "None", rows], "zero3": [3, "None", rows], "zero3-offload": [3, "cpu", rows]}


@pytest.mark.llamafactory
def test_llama_factory_reads_our_rows_as_the_graph_writes_them(factory: dict[str, Any]) -> None:
    from reasonflux_agent.prompts.plan import PLAN

    asked = PLAN.render("What is 10 plus 5?")
    row = factory["data"]["navigator_sft"][0]
    assert row["prompt"] == asked
    assert row["response"] == [{"role": "assistant", "content": read(GOLDEN / "navigator_sft.json")[0]["output"]}]
    pair = factory["data"]["trajectory_dpo"][0]
    assert pair["prompt"] == PLAN.render("What is 1 plus 2?")
    golden = read(GOLDEN / "trajectory_dpo.json")[0]
    assert [said["content"] for said in pair["response"]] == [golden["chosen"]["value"], golden["rejected"]["value"]]
    for name, rows in factory["data"].items():
        assert len(rows) == len(read(GOLDEN / f"{name}.json"))
        assert all(row["prompt"][-1]["role"] == "user" and row["system"] == "" for row in rows)
