"""lm-evaluation-harness, really run: our model and our tasks behind its command line, on rows that the test writes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.prompts.solve import REASON
from reasonflux_agent.schema import Solution
from reasonflux_agent.testing import mathematician, serve_fake
from tests.cli.test_cli import DEAD
from tests.cli.test_cli import run as command

lm_eval = pytest.importorskip("lm_eval", reason="lm-eval is not installed: pip install 'reasonflux-agent[eval]'")

from lm_eval.api.instance import Instance  # noqa: E402

from reasonflux_agent.jobs.evaluation.harness import TASKS, ReasonFluxLM, boxed, rows, run, score  # noqa: E402

pytestmark = pytest.mark.harness

HOSTILE = {
    "code": "\\boxed{__import__('os').system('touch owned')}",
    "power": "\\boxed{9^{9^{9^{9^{9}}}}}",
    "digits": "\\boxed{10^{999999}}",
    "unclosed": "\\boxed{\\frac{1}{",
    "long": "\\boxed{" + "(" * 100_000 + "}",
    "nothing": "I do not know.",
}


class Server:
    """A fake model behind a real server, and what it was asked."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.url = ""
        self.fails_on = ""

    def respond(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if self.fails_on and self.fails_on in prompt:
            raise ConnectionResetError
        if named := re.search(r"Hostile: (\w+)\.", prompt):
            return HOSTILE[named[1]]
        if options := re.findall(r"^([A-J])\. iron$", prompt, re.MULTILINE):
            return f"It conducts. $\\boxed{{{options[-1]}}}$"
        return mathematician(prompt)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with serve_fake(made.respond) as url:
        made.url = url
        yield made


@pytest.fixture(autouse=True)
def _own_arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The harness reads sys.argv, and writes where it stands."""
    monkeypatch.setattr(sys, "argv", ["lm-eval"])
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Local rows: of five additions four can be answered right, and of two questions one."""
    sums = [{"id": f"s{n}", "problem": f"Add {n} and 3.", "answer": str(n + 3 if n else 9)} for n in range(5)]
    metals = [{"problem": f"Which is a metal ({n})?", "answer": a, "distractors": b} for n, a, b in CHOICES]
    hostile = [{"problem": f"Hostile: {name}.", "answer": "1"} for name in HOSTILE]
    for name, found in {"math500": sums, "gpqa_diamond": metals, "gsm8k": hostile}.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return tmp_path


CHOICES = [("first", "iron", ["neon", "argon", "xenon"]), ("second", "lead", ["iron", "argon", "xenon"])]


def accuracies(folder: Path) -> dict[str, float]:
    """Task -> accuracy, of the newest results that the harness wrote."""
    found = json.loads(max(folder.rglob("results_*.json")).read_text())["results"]
    return {task: next(value for name, value in row.items() if name.startswith("acc,")) for task, row in found.items()}


def test_the_command_runs_the_harness_with_our_model_and_tasks(server: Server, folder: Path) -> None:
    out = folder / "out"
    done = command(
        "lm-eval", "--data-dir", str(folder), "--tasks", "reasonflux_math500", "reasonflux_gpqa_diamond", "reasonflux_gsm8k",
        "--model_args", f"model=vllm:fake@{server.url},effort=low,strategy=navigator,templates=0,concurrency=3",
        "--output_path", str(out), "--log_samples",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"\|reasonflux_math500 +\|.*\|acc +\|↑ +\| *0\.8\d*\|", done.stdout)
    assert accuracies(out) == {"reasonflux_math500": 0.8, "reasonflux_gpqa_diamond": 0.5, "reasonflux_gsm8k": 0.0}
    samples = [json.loads(line) for path in out.rglob("samples_reasonflux_math500_*.jsonl") for line in path.open()]
    assert {(row["doc"]["id"], row["acc"]) for row in samples} == {("s0", 0.0), *((f"s{n}", 1.0) for n in range(1, 5))}
    assert all(row["resps"][0][0].endswith("}$") for row in samples)
    assert not (Path.cwd() / "owned").exists()
    # the graph is given the bare problem: the instruction to box the answer stands where its own prompts put it
    asked = [prompt for prompt in server.prompts if "Add 1 and 3." in prompt]
    assert len(asked) == 2  # a plan, a solution
    assert not any("Add 1 and 3.\n\nPlease reason" in prompt for prompt in asked)


def test_the_harness_own_model_classes_run_our_tasks(server: Server, folder: Path) -> None:
    out = folder / "out"
    model = f"model=fake,base_url={server.url}/chat/completions,num_concurrent=2"
    arguments = ["--model", "local-chat-completions", "--model_args", model, "--apply_chat_template", "--limit", "4"]
    run([*arguments, "--tasks", "reasonflux_math500,reasonflux_gsm8k", "--output_path", str(out)], folder)
    assert accuracies(out) == {"reasonflux_math500": 0.75, "reasonflux_gsm8k": 0.0}
    assert sorted(server.prompts)[:4] == [f"Add {n} and 3.\n\n{REASON}" for n in range(4)]
    assert len(server.prompts) == 8


def test_an_evaluation_that_failed_goes_on_from_the_harness_cache(server: Server, folder: Path) -> None:
    model = f"model=vllm:fake@{server.url},strategy=direct,concurrency=1"
    arguments = ["--model_args", model, "--tasks", "reasonflux_math500", "--use_cache", str(folder / "cache")]
    server.fails_on = "Add 4 "
    with pytest.raises(ModelError, match="broke the connection off"):
        run(arguments, folder)
    server.fails_on, server.prompts = "", []
    run([*arguments, "--output_path", str(folder / "out")], folder)
    assert accuracies(folder / "out") == {"reasonflux_math500": 0.8}
    (asked,) = server.prompts
    assert "Add 4 and 3." in asked


def test_options_of_a_file_and_tasks_of_ones_own_are_kept(server: Server, folder: Path) -> None:
    """Here: two samples of one problem, whose mean counts, and an example before it, which the graph is not shown."""
    (folder / "mine").mkdir()
    (folder / "mine" / "twice.yaml").write_text(
        f"include: {TASKS}/reasonflux_math500.yaml\ntask: twice\nrepeats: 2\nnum_fewshot: 1\nfewshot_split: test\n"
        "filter_list: [{name: mean, filter: [{function: take_first_k, k: 2}]}]\n"
    )
    model = {"model": f"vllm:fake@{server.url}", "strategy": "direct"}
    settings = {"tasks": ["twice"], "include_path": str(folder / "mine"), "model": "reasonflux", "model_args": model}
    (folder / "run.yaml").write_text(json.dumps({**settings, "metadata": {"data_dir": str(folder)}, "limit": 2}))
    run(["run", "--config", str(folder / "run.yaml"), "--output_path", str(folder / "out")])
    assert accuracies(folder / "out") == {"twice": 0.5}
    assert sorted(server.prompts) == [f"Add {n} and 3.\n\n{REASON}" for n in (0, 0, 1, 1)]


def test_what_the_harness_refuses_is_said_without_a_traceback(folder: Path) -> None:
    with pytest.raises(InputError, match=r"lm-eval ended with ValueError: .*reasonflux_nonsense"):
        run(["--tasks", "reasonflux_nonsense"], folder)


@pytest.mark.parametrize(("fields", "says"), [({"efort": "low"}, "no field 'efort'"), ({"concurrency": 0}, "concurrency=0")])
def test_a_model_argument_that_does_not_fit_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ReasonFluxLM(DEAD, **fields)


@pytest.mark.local_model
def test_a_real_model_is_evaluated(folder: Path) -> None:
    model = "model=local:smollm2-135m,strategy=direct,max_tokens=48,concurrency=2"
    run(["--model_args", model, "--tasks", "reasonflux_math500", "--limit", "2", "--output_path", str(folder / "out")], folder)
    (found,) = json.loads(next((folder / "out").rglob("results_*.json")).read_text())["n-samples"].values()
    assert found["effective"] == 2
    assert set(accuracies(folder / "out")) == {"reasonflux_math500"}


def requests(*problems: str, **options: Any) -> list[Instance]:
    made = [("generate_until", {"id": n}, (problem, options), n, ("task", n, 1)) for n, problem in enumerate(problems)]
    return [Instance(kind, doc, args, idx, metadata=metadata) for kind, doc, args, idx, metadata in made]


def test_requests_are_solved_in_their_order_and_again(server: Server) -> None:
    model = ReasonFluxLM(f"vllm:fake@{server.url}", strategy="direct", concurrency=2)
    asked = requests("Add 1 and 3.", "Add 2 and 3.", "Add 3 and 3.", until=["\n"], max_gen_toks=64)
    for _ in range(2):  # each time on an event loop of its own
        replies = model.generate_until(asked, disable_tqdm=True)
        assert [reply[-11:] for reply in replies] == [f"$\\boxed{{{n}}}$" for n in (4, 5, 6)]
    with pytest.raises(InputError, match=r"row 1 of the task 'task' has 20,001 characters"):
        model.generate_until(requests("Add 1 and 3.", "x" * 20_001), disable_tqdm=True)
    assert len(server.prompts) == 6
    with pytest.raises(InputError, match="'task' compares likelihoods"):
        model.loglikelihood(requests("x"))


def test_a_server_that_is_gone_ends_the_evaluation() -> None:
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9"):
        ReasonFluxLM(DEAD, strategy="direct").generate_until(requests("Add 1 and 3."), disable_tqdm=True)


def test_the_problem_is_the_last_turn_of_the_user() -> None:
    model = ReasonFluxLM(DEAD)
    turns = [("system", "Be brief."), ("user", "1+1?"), ("assistant", "2"), ("user", "2+2?"), ("assistant", "The answer")]
    assert model.apply_chat_template([{"role": role, "content": text} for role, text in turns]) == "2+2?"


@pytest.mark.parametrize(
    ("answer", "text", "reply"),
    [
        ("5", "It is $\\boxed{5}$", "It is $\\boxed{5}$"),
        ("5", "It is \\boxed{5}.\n", "It is \\boxed{5}.\n\n$\\boxed{5}$"),
        ("$x=9$", "So x = 9.", "So x = 9.\n\n$\\boxed{x=9}$"),
        (None, "I give up.", "I give up."),
    ],
)
def test_a_reply_ends_in_its_box(answer: str | None, text: str, reply: str) -> None:
    solution = Solution(problem="p", answer=answer, text=text, status="answered")
    assert boxed(solution) == reply


def test_a_score_reads_the_box_the_unit_and_what_is_missing() -> None:
    doc = {"answer": "12", "unit": "cm"}
    assert all(score(doc, [reply])["acc"] == 1 for reply in ("\\boxed{12}", "\\boxed{12 cm}"))
    assert all(score(doc, [reply])["acc"] == 0 for reply in ("\\boxed{13}", "12", "", None))
    assert score(doc, [["\\boxed{12}", "\\boxed{13}"]])["acc"] == 0.5


def test_every_task_finds_its_benchmark(folder: Path) -> None:
    names = [path.stem.removeprefix("reasonflux_") for path in Path(TASKS).glob("reasonflux_*.yaml")]
    manager = lm_eval.tasks.TaskManager(include_path=TASKS, include_defaults=False, metadata={"data_dir": str(folder)})
    assert manager.all_subtasks == sorted(f"reasonflux_{name}" for name in names)
    for name in names:
        (folder / f"{name}.jsonl").write_text('{"problem": "[1, 2] = {{x}}?", "answer": "[1, 2]", "unit": "m", "level": 2}\n')
        (task,) = manager.load([f"reasonflux_{name}"])["tasks"].values()
        (doc,) = task.test_docs()
        assert task.doc_to_text(doc).startswith("[1, 2] = {{x}}?\n\nPlease reason")
        assert task.doc_to_target(doc) == "[1, 2]"
        assert doc["id"].startswith(name)


def test_options_are_shuffled_by_the_seed(folder: Path) -> None:
    orders = {rows("gpqa_diamond", str(folder), seed=seed)["test"][0]["problem"] for seed in range(8)}
    assert 1 < len(orders) <= 8
    assert rows("gpqa_diamond", str(folder), seed=3)["test"][0] == rows("gpqa_diamond", str(folder), seed=3)["test"][0]
