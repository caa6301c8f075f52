"""Replies that are kept: shared by methods and evaluations, whole after a kill, never by chance another request's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.jobs.evaluation.cache import opened
from reasonflux_agent.jobs.evaluation.runner import evaluate
from reasonflux_agent.models import Reply
from reasonflux_agent.testing import FakeModel, mathematician, serve_fake
from tests.evaluation.test_runner import rows_of, sums

REPLY = Reply("7", "", False, 1, 0, 1, None)
PLANNED = ["no-templates,direct_samples=0", "no-templates,direct_samples=0,reviews=0"]
METHODS = ["direct", "self-consistency@3", *PLANNED, "drafts"]
OUTCOME = ("answer", "correct", "calls", "prompt_tokens", "completion_tokens", "votes", "candidates")


class Served:
    """A fake server, and the prompts that it was sent."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.spec = ""

    def respond(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return mathematician(prompt)


@pytest.fixture
def served() -> Iterator[Served]:
    server = Served()
    with serve_fake(server.respond, delay=0.05) as url:
        server.spec = f"vllm:fake@{url}"
        yield server


async def run(served: Served, folder: Path, out: str, methods: list[str], **options: Any) -> list[dict[str, Any]]:
    path = await evaluate([sums(folder, 3)], methods, model=served.spec, out=folder / out, cache=folder / "replies", **options)
    return rows_of(path)


async def test_methods_share_the_calls_that_they_have_in_common(served: Served, tmp_path: Path) -> None:
    rows = await run(served, tmp_path, "a", METHODS)
    spent = Counter[str]()
    for row in rows:
        spent[row["method"]] += row["calls"]
    # a problem: 1 + 3, a plan and a solution twice, a text and a program
    assert spent == {"direct": 3, "self-consistency@3": 9, PLANNED[0]: 6, PLANNED[1]: 6, "drafts": 6}
    # made: the direct solution once, two more samples, plan and solution once, the program
    assert len(served.prompts) == 3 * (1 + 2 + 2 + 1)
    assert len(set(served.prompts)) == 3 * 4  # two samples are the same prompt with another seed


async def test_a_slow_problem_keeps_no_other_from_the_next_method(served: Served, tmp_path: Path) -> None:
    planned, waited = Event(), []

    def respond(prompt: str) -> str:
        if "Add 0 and 3." in prompt and not waited:
            waited.append(planned.wait(30))
        elif "Add 1 and 3." in prompt and served.prompts.count(prompt) == 0 and len(served.prompts) >= 2:
            planned.set()
        return served.respond(prompt)

    with serve_fake(respond) as url:
        served.spec = f"vllm:fake@{url}"
        rows = await run(served, tmp_path, "a", ["direct", "no-templates"])
    assert waited == [True]
    assert len(rows) == 6


async def test_a_later_evaluation_makes_no_call_again_and_counts_what_the_first_one_took(
    served: Served, tmp_path: Path
) -> None:
    first = await run(served, tmp_path, "a", ["self-consistency@3", "no-templates"])
    made = len(served.prompts)
    again = await run(served, tmp_path, "b", ["no-templates", "self-consistency@3", "direct"])
    assert len(served.prompts) == made
    by_key = {(row["method"], row["id"]): row for row in again}
    for row in first:
        other = by_key[row["method"], row["id"]]
        assert {name: row[name] for name in OUTCOME} == {name: other[name] for name in OUTCOME}
        assert other["seconds"] > 0.05 * row["calls"]  # as long as the server took, though nothing was asked of it
    await run(served, tmp_path, "c", ["direct"], seed=7)  # a greedy reply does not depend on the seed
    assert len(served.prompts) == made
    await run(served, tmp_path, "d", ["self-consistency@2"], seed=7)
    assert len(served.prompts) == made + 3


async def test_another_request_is_another_call(served: Served, tmp_path: Path) -> None:
    await run(served, tmp_path, "a", ["direct"])
    await run(served, tmp_path, "b", ["direct"], max_tokens=99)
    assert len(served.prompts) == 6
    with serve_fake(served.respond) as url:  # the same name, but who knows what that server has under it
        served.spec = f"vllm:fake@{url}"
        await run(served, tmp_path, "c", ["direct"])
    assert len(served.prompts) == 9


class Named(FakeModel):
    """A model of another provider, which says who it is."""

    model_name: str = "one"
    kind: str = "reasonflux-fake"

    @property
    def _llm_type(self) -> str:
        return self.kind


@pytest.mark.parametrize(("kind", "more"), [("reasonflux-fake", 2), ("anthropic-chat", 0)])
async def test_samples_of_a_model_that_takes_no_seed_are_calls_of_their_own(tmp_path: Path, kind: str, more: int) -> None:
    model, options = Named(kind=kind, calls=[]), dict[str, Any](cache=tmp_path / "replies")
    methods = ["direct", "self-consistency@3"]
    await evaluate([sums(tmp_path, 2)], methods, model=model, out=tmp_path / "a", **options)
    assert len(model.calls) == 2 * 3  # `direct` is the first sample
    await evaluate([sums(tmp_path, 2)], methods, model=model, out=tmp_path / "b", **options)
    assert len(model.calls) == 2 * 3
    await evaluate([sums(tmp_path, 2)], ["direct"], model=model, out=tmp_path / "c", seed=7, **options)
    assert len(model.calls) == 2 * 3 + more  # one that takes no temperature is never greedy


async def test_two_models_of_a_class_share_no_reply(tmp_path: Path) -> None:
    answers = {}
    for name in ("one", "two"):
        model = Named(model_name=name, respond=lambda _, name=name: f"\\boxed{{{name}}}")
        path = await evaluate([sums(tmp_path, 1)], ["direct"], model=model, out=tmp_path / name, cache=tmp_path / "replies")
        (row,) = rows_of(path)
        answers[name] = row["answer"]
    assert answers == {"one": "one", "two": "two"}
    with pytest.raises(InputError, match="class FakeModel says by neither `spec` nor `model_name` which one it is"):
        await evaluate([sums(tmp_path, 1)], ["direct"], model=FakeModel(), out=tmp_path / "c", cache=tmp_path / "replies")


async def test_a_folder_says_that_its_calls_may_be_older(served: Served, tmp_path: Path) -> None:
    await run(served, tmp_path, "a", ["direct"])
    assert json.loads((tmp_path / "a" / "run.json").read_text())["cached"] is True
    path = await evaluate([sums(tmp_path, 3)], ["direct"], model=served.spec, out=tmp_path / "a")  # it is no setting
    assert len(rows_of(path)) == 3


async def test_replies_that_are_kept_do_not_show_that_the_server_is_there(tmp_path: Path) -> None:
    with serve_fake() as url:
        given = dict[str, Any](model=f"vllm:fake@{url}", cache=tmp_path / "replies")
        await evaluate([sums(tmp_path, 2)], ["direct"], out=tmp_path / "a", **given)
    with pytest.raises(ModelError, match="could not be reached"):  # direct is kept and succeeds, after the plans have failed
        await evaluate([sums(tmp_path, 2)], ["no-templates", "direct"], out=tmp_path / "b", concurrency=1, **given)
    assert [(row["method"], row["error"]) for row in rows_of(tmp_path / "b")] == [("direct", None)] * 2


async def test_a_line_that_a_kill_cut_is_made_again(served: Served, tmp_path: Path) -> None:
    await run(served, tmp_path, "a", ["direct"])
    file = tmp_path / "replies"
    file.write_bytes(file.read_bytes()[:-40])
    await run(served, tmp_path, "b", ["direct"])
    assert len(served.prompts) == 4
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 3


async def test_what_is_no_cache_is_refused_before_any_call(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "replies"
    file.write_text('{"key": "a", "reply": {"content": ["not", {"a": "reply"}, 3]}, "seconds": 1}\n')
    with pytest.raises(InputError, match=r"damaged in line 1: .*unexpected keyword argument.* Next: remove that line"):
        await run(served, tmp_path, "a", ["direct"])
    file.unlink()
    with opened(file), pytest.raises(InputError, match=r"Another process is writing .*replies"):
        await run(served, tmp_path, "a", ["direct"])
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match=r"cannot be written: .* Next: name another file"):
        await run(served, tmp_path, "a", ["direct"])
    assert served.prompts == []
