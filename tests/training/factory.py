"""Run by the training environment's python: has LLaMA-Factory and DeepSpeed read what we give them, and prints what they read.

python factory.py RECIPES DATA     JSON: recipes by name, data sets by name
"""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

# What torchrun sets for its one process: without it LLaMA-Factory refuses DeepSpeed. Nothing is fetched.
os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": sys.argv[3]}
os.environ |= {"ACCELERATE_USE_CPU": "1", "HF_HUB_OFFLINE": "1"}

import yaml
from deepspeed.runtime.config import DeepSpeedConfig
from llamafactory.data.loader import _load_single_dataset
from llamafactory.data.parser import get_dataset_list
from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import get_train_args

recipes, data = Path(sys.argv[1]), sys.argv[2]


def read_recipe(recipe: dict) -> dict:
    """What LLaMA-Factory makes of a recipe, and DeepSpeed of its file. An unknown key or value is an exception."""
    _, given, training, method, _ = get_train_args({**recipe, "use_cpu": True})
    found = {
        "learning_rate": training.learning_rate,
        "num_train_epochs": training.num_train_epochs,
        "cutoff_len": given.cutoff_len,
        "mask_history": given.mask_history,
        "template": given.template if given.template in TEMPLATES else "unknown",
        "stage": method.stage,
        "finetuning_type": method.finetuning_type,
        "pref_beta": method.pref_beta,
        "zero": None,
    }
    if training.deepspeed:
        config = training.hf_deepspeed_config  # "auto" is filled in as the trainer does it, for a model of this width
        config.trainer_config_finalize(training, SimpleNamespace(config=SimpleNamespace(hidden_size=64)), 100)
        zero = DeepSpeedConfig(config.config)
        device = zero.zero_config.offload_optimizer and zero.zero_config.offload_optimizer.device
        found["zero"] = [zero.zero_optimization_stage, str(getattr(device, "value", device)), zero.train_batch_size]
    return found


answer = {"recipes": {}, "zero": {}, "data": {}}
for path in sorted(recipes.glob("*.yaml")):
    answer["recipes"][path.stem] = read_recipe(yaml.safe_load(path.read_text()))
plain = yaml.safe_load((recipes / "v1-sft.yaml").read_text())
for path in sorted((recipes.parent / "deepspeed").glob("*.json")):
    answer["zero"][path.stem] = read_recipe({**plain, "deepspeed": str(path)})["zero"]
register = json.loads(Path(data, "dataset_info.json").read_text())
for name in register:
    stage = "dpo" if register[name].get("ranking") else "sft"
    method = {"pref_beta": 0.1} if stage == "dpo" else {}
    base = {key: value for key, value in plain.items() if key not in ("deepspeed", "mask_history")}
    told = {**base, **method, "stage": stage, "dataset_dir": data, "dataset": name, "preprocessing_num_workers": 1}
    model, given, training, _, _ = get_train_args({**told, "use_cpu": True, "overwrite_cache": True})
    (attributes,) = get_dataset_list([name], data)
    rows = _load_single_dataset(attributes, model, given, training)
    answer["data"][name] = [{"prompt": row["_prompt"], "response": row["_response"], "system": row["_system"]} for row in rows]
print("READ " + json.dumps(answer))
