"""Worked examples as demonstrations of a DSPy program: the format, and that each comes back as it was.

REASONFLUX_TEST_DSPY=PYTHON, a Python with dspy, loads the export there, compiles a program, and reads what that one saved.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import TemplateLibrary, export_demos, import_demos, read_templates
from tests.templates.interchange import ORIGIN, TEMPLATES, WORKED, bare, learned, normalised


def demo(question: str = "1 + 1?", **fields: Any) -> dict[str, Any]:
    return {"augmented": True, "question": question, "reasoning": "One\nand one.", "answer": "2", **fields}


def program(*demos: Any, name: str = "predict") -> dict[str, Any]:
    """The state of a program with one predictor, as DSPy 3.4.1 saves it."""
    signature = {"instructions": "Given the fields `question`, produce the fields `answer`.", "fields": []}
    predictor = {"traces": [], "train": [], "demos": list(demos), "signature": signature, "lm": None}
    return {name: predictor, "metadata": {"dependency_versions": {"python": "3.11", "dspy": "3.4.1"}}}


def write(path: Path, state: Any) -> Path:
    path.write_text(json.dumps(state), encoding="utf-8")
    return path


def test_what_is_written(tmp_path: Path) -> None:
    assert export_demos(learned(), tmp_path / "demos.json") == 2
    state = json.loads((tmp_path / "demos.json").read_text("utf-8"))
    assert state.keys() == {"predict", "metadata"}
    assert state["metadata"] == {"dependency_versions": {}}
    predictor = state["predict"]
    assert predictor.keys() == {"traces", "train", "demos", "signature", "lm"}
    assert predictor["lm"] is None
    assert predictor["signature"] == {
        "instructions": "Given the fields `question`, produce the fields `answer`.",
        "fields": [
            {"prefix": "Question:", "description": "${question}"},
            {"prefix": "Reasoning:", "description": "${reasoning}"},
            {"prefix": "Answer:", "description": "${answer}"},
        ],
    }
    first, second = predictor["demos"]
    assert first["question"] == "Sort these words: fig apple\nSay nothing else."
    assert first["reasoning"].startswith("Method: Sorting.\n```python\nwords =")
    assert first["reasoning"].endswith("```output\napple\nfig\n```")
    assert second["reasoning"] == "First apple.\nThen fig.\nSo $\\frac{1}{2}$."
    assert {first["answer"], second["answer"]} == {"apple fig"}
    assert first["augmented"] is True


def test_a_learned_library_comes_back_unproven_and_else_as_it_was(tmp_path: Path) -> None:
    export_demos(learned(), tmp_path / "demos.json")
    back = import_demos(tmp_path / "demos.json")
    assert bare(back) == bare(learned())
    for template, original in zip(back, learned(), strict=True):
        partner = {k: v for k, v in original.provenance.items() if k == "shown_with"}
        assert template.provenance == {**ORIGIN, **partner, "imported": "dspy", "proven": False}
    assert read_templates(tmp_path / "demos.json") == back


def test_the_worked_examples_of_the_built_in_library_come_back(tmp_path: Path) -> None:
    library = TemplateLibrary.builtin()
    assert export_demos(library, tmp_path / "demos.json") > 400
    for template in bare(import_demos(tmp_path / "demos.json")):
        assert template == library.get(template.id)


@settings(max_examples=100, deadline=None)
@given(TEMPLATES, WORKED)
def test_every_worked_example_comes_back(tmp_path_factory: pytest.TempPathFactory, template: Template, worked: Example) -> None:
    known = normalised(template.model_copy(update={"example": worked}))
    assume(known and known.example and known.example.problem and known.example.steps and known.example.answer)
    assert known is not None
    path = tmp_path_factory.getbasetemp() / "one.json"
    export_demos(TemplateLibrary((known,)), path)
    (back,) = bare(import_demos(path))
    assert back == known.model_copy(update={"provenance": {}})


def test_a_program_from_elsewhere(tmp_path: Path) -> None:
    labelled = {"question": "2 + 2?", "answer": "4"}
    file = write(tmp_path / "other.json", program(demo(), labelled, "no demonstration", name="extract.predict"))
    library = import_demos(file)
    (template,) = library
    assert (template.name, template.chapter, template.section) == ("1 + 1?", "Demonstrations", "extract.predict")
    assert template.flow == ("One", "and one.")
    assert template.example is not None
    assert (template.example.steps, template.example.answer) == (("One", "and one."), "2")
    assert template.provenance == {"imported": "dspy", "proven": False}
    assert library.notes == ("2 demonstrations without a question, a reasoning and an answer left out.",)


def test_a_program_that_is_one_predictor(tmp_path: Path) -> None:
    state = program(demo())
    file = write(tmp_path / "one.json", {**state["predict"], "metadata": state["metadata"]})
    assert len(read_templates(file)) == 1


def test_an_edited_reasoning_is_read_by_its_lines(tmp_path: Path) -> None:
    export_demos(learned(), tmp_path / "demos.json")
    state = json.loads((tmp_path / "demos.json").read_text("utf-8"))
    state["predict"]["demos"] = state["predict"]["demos"][1:]
    state["predict"]["demos"][0]["reasoning"] = "Shorter."
    (template,) = import_demos(write(tmp_path / "demos.json", state))
    assert template.example is not None
    assert template.example.steps == ("Shorter.",)
    assert template.flow == learned().templates[1].flow


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (program(), "fields that exist: none"),
        (program({"text": "a", "label": "b"}), "fields that exist: label, text"),
        (program(demo(answer=2)), "no demonstration"),
        (program(demo(reasonflux={"id": 5})), "field 'id'"),
        (program(demo(reasonflux={"provenance": {"shown_with": 5}})), "`shown_with`"),
        ({"predict": []}, "no demonstration"),
        ([], "no demonstration"),
    ],
)
def test_a_program_without_usable_demonstrations_is_one_error(tmp_path: Path, state: Any, said: str) -> None:
    with pytest.raises(LibraryError, match=said) as caught:
        import_demos(write(tmp_path / "bad.json", state))
    assert "bad.json" in str(caught.value)


def test_what_is_no_program_goes_to_the_official_reader(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    for path in (tmp_path / "bad.json", tmp_path / "gone.json"):
        with pytest.raises(LibraryError, match=r"^Template library"):
            read_templates(path)
        with pytest.raises(LibraryError):
            import_demos(path)
    with pytest.raises(LibraryError, match=r"fields that exist: text\. Next"):
        read_templates(write(tmp_path / "program.json", program({"text": "a"})))


def test_a_library_without_worked_examples_is_refused(tmp_path: Path) -> None:
    library = TemplateLibrary((Template(id="a", name="A", flow=("Do.",)),), "flat")
    with pytest.raises(LibraryError, match=r"none of its 1 templates.*Next"):
        export_demos(library, tmp_path / "demos.json")
    assert not (tmp_path / "demos.json").exists()


DSPY = """
import json, dspy
from dspy.utils import DummyLM
program = dspy.ChainOfThought("question -> answer")
program.load("demos.json")
lm = DummyLM([{"reasoning": "I see.", "answer": "a b"}])
dspy.configure(lm=lm)
assert program(question="Sort: b a").answer == "a b"
shown = [message["content"] for message in lm.history[-1]["messages"]]
assert len(shown) == 6, shown
assert "for word in sorted(words)" in shown[2] and "reasonflux" not in "".join(shown)
program.save("again.json")
rows = [dspy.Example(question=f"{n} + 1?", answer=str(n + 1)).with_inputs("question") for n in range(4)]
dspy.configure(lm=DummyLM([{"reasoning": f"One more than {n}.", "answer": str(n + 1)} for n in range(4)]))
optimizer = dspy.BootstrapFewShot(metric=lambda row, said, trace=None: row.answer == said.answer, max_bootstrapped_demos=2)
optimizer.compile(dspy.ChainOfThought("question -> answer"), trainset=rows).save("compiled.json")
"""


@pytest.mark.skipif(not os.environ.get("REASONFLUX_TEST_DSPY"), reason="REASONFLUX_TEST_DSPY is not set")
def test_real_dspy_reads_and_writes_it(tmp_path: Path) -> None:
    export_demos(learned(), tmp_path / "demos.json")
    done = subprocess.run(
        [os.environ["REASONFLUX_TEST_DSPY"], "-c", DSPY], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert bare(import_demos(tmp_path / "again.json")) == bare(learned())
    compiled = import_demos(tmp_path / "compiled.json")
    assert [template.name for template in compiled] == ["0 + 1?", "1 + 1?"]
    assert "left out" in compiled.notes[0]
