"""A library as Agent Skills: what is written, what is read, and that each template comes back as it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import TemplateLibrary, export_skills, import_skills, read_templates
from reasonflux_agent.templates.interchange.markdown import entry_of_skill, skill_of
from tests.templates.interchange import ORIGIN, TEMPLATES, bare, learned, normalised

OTHER = """---
name: sort-words
description: Sorts words. Use it when words are to be sorted.
license: MIT
metadata:
  author: somebody
  version: 1.0
---

# Sorting of words

An overview
in two lines.

## When to use

- words are to be sorted
- names are to be sorted
  by surname

## When NOT to use

- numbers

## Process

### Step 1: Split

```python
# a comment, no heading
words = text.split()
```

### Step 2: Sort

1. Sort the words.
   - case does not count
2. Join them.

## Notes

Nothing.
"""


def write(folder: Path, text: str, name: str = "sort-words") -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "SKILL.md").write_text(text, encoding="utf-8")
    return folder


def front(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((folder / "SKILL.md").read_text("utf-8").split("---")[1])
    return loaded


def test_a_learned_library_comes_back_unproven_and_else_as_it_was(tmp_path: Path) -> None:
    library = learned()
    program, text = export_skills(library, tmp_path / "skills")
    assert (program.name, text.name) == ("word-sorting", "word-sorting-2")
    back = import_skills(tmp_path / "skills")
    assert bare(back) == bare(library)
    assert back.name == "skills"
    for template, original in zip(back, library, strict=True):
        partner = {k: v for k, v in original.provenance.items() if k == "shown_with"}
        assert template.provenance == {**ORIGIN, **partner, "imported": "agent skill", "proven": False}


def test_the_built_in_library_comes_back_as_it_was(tmp_path: Path) -> None:
    folders = export_skills(TemplateLibrary.builtin(), tmp_path)
    assert len({folder.name for folder in folders}) == len(TemplateLibrary.builtin())
    back = {template.id: template for template in bare(import_skills(tmp_path))}
    assert back == {template.id: template for template in TemplateLibrary.builtin()}
    template = import_skills(folders[0])
    assert template.templates[0].provenance == {"imported": "agent skill", "proven": False}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(TEMPLATES)
def test_every_template_comes_back_from_its_text(template: Template) -> None:
    known = normalised(template)
    assume(known is not None)
    assert known is not None
    text, programs = skill_of(known, "a-name")
    chapter, section, entry = entry_of_skill(text, "a test", programs)
    drafted = known.model_copy(update={"chapter": chapter, "section": section})
    assert (chapter, section) == (known.chapter, known.section)
    assert normalised(drafted) == known
    example = entry["example_application"]
    assert (
        entry["template_name"],
        entry["template_type"],
        tuple(entry["knowledge_tag"] or ()),
        entry["description"],
        tuple(entry["application_scenario"]),
        tuple(entry["reason_flow"]),
        example and (example["example_problem"], tuple(example["solution_steps"]), example["answer"]),
        entry["provenance"],
        entry["id"],
    ) == (
        known.name,
        known.kind,
        known.tags,
        known.description,
        known.scenario,
        known.flow,
        known.example and (known.example.problem, known.example.steps, known.example.answer),
        known.provenance,
        known.id,
    )


def test_what_a_skill_holds(tmp_path: Path) -> None:
    program, text = export_skills(learned(), tmp_path)
    assert sorted(str(path.relative_to(program)) for path in program.rglob("*") if path.is_file()) == [
        "SKILL.md",
        "evals/evals.json",
        "scripts/solve.py",
    ]
    said = front(program)
    assert said["name"] == "word-sorting"
    assert said["description"].startswith("Word sorting. Learned from")
    assert "Use it for: Sort these words: fig apple" in said["description"]
    assert said["metadata"]["provenance-wins"] == "3"
    assert all(isinstance(value, str) for value in said["metadata"].values())
    code = (program / "scripts" / "solve.py").read_text("utf-8")
    assert code == "words = 'fig apple'.split()\n\nfor word in sorted(words):\n    print(word)\n"
    body = (program / "SKILL.md").read_text("utf-8")
    assert "1. Method: Sorting.\n   Program: [scripts/solve.py](scripts/solve.py)\n2. ```output\n   apple" in body
    assert "1. Write a program with the problem's data in it" in body
    evals = json.loads((program / "evals" / "evals.json").read_text("utf-8"))
    assert evals["skill_name"] == "word-sorting"
    prompt = "Sort these words: fig apple\nSay nothing else."
    assert evals["evals"] == [{"id": 1, "prompt": prompt, "expected_output": "apple fig", "files": []}]
    assert not (text / "scripts").exists()


def test_an_edited_program_is_read(tmp_path: Path) -> None:
    program, _ = export_skills(learned(), tmp_path)
    (program / "scripts" / "solve.py").write_text("print('apple fig')\n")
    example = import_skills(program).templates[0].example
    assert example is not None
    assert example.steps[0] == "Method: Sorting.\n```python\nprint('apple fig')\n```"


@pytest.mark.parametrize("name", ["Ünï -- cöde: 1/2!", "漢字", "x" * 100, "a" * 63 + " b", "SKILL.md", "../../etc"])
def test_names_and_descriptions_fit_the_specification(tmp_path: Path, name: str) -> None:
    validate = pytest.importorskip("skills_ref", reason="skills-ref is not installed").validate
    described = {"description": "a --- b\n" * 300, "provenance": {"k --- l": "m --- n"}}
    long = Template(id="a", name=name, flow=("Do.",), **described)
    library = TemplateLibrary((long, long.model_copy(update={"id": "b", "tags": ("---",)})), "two")
    first, second = export_skills(library, tmp_path)
    assert first.parent == second.parent == tmp_path
    assert len(front(first)["description"]) <= 1024
    assert [validate(first), validate(second)] == [[], []]


def test_the_reference_validator_accepts_them(tmp_path: Path) -> None:
    validate = pytest.importorskip("skills_ref", reason="skills-ref is not installed").validate
    some = TemplateLibrary(TemplateLibrary.builtin().templates[::15])
    folders = export_skills(some.merge(learned()), tmp_path)
    assert [fault for folder in folders for fault in validate(folder)] == []


def test_a_second_export_replaces_the_first_and_leaves_others_alone(tmp_path: Path) -> None:
    write(tmp_path, OTHER.replace("sort-words", "word-sorting"), "word-sorting")
    before = (tmp_path / "word-sorting" / "SKILL.md").read_text("utf-8")
    first = export_skills(learned(), tmp_path)
    assert [folder.name for folder in first] == ["word-sorting-2", "word-sorting-3"]
    changed = [template.model_copy(update={"flow": ("Changed.",)}) for template in learned()]
    again = export_skills(TemplateLibrary(tuple(reversed(changed)), "other"), tmp_path)
    assert sorted(again) == sorted(first)
    assert (tmp_path / "word-sorting" / "SKILL.md").read_text("utf-8") == before
    assert [t.flow for t in import_skills(first[0])] == [("Changed.",)]
    assert len(import_skills(tmp_path)) == 3


def test_a_skill_from_elsewhere(tmp_path: Path) -> None:
    (template,) = import_skills(write(tmp_path, "\ufeff" + OTHER.replace("\n", "\r\n")))
    assert (template.name, template.chapter, template.section) == ("Sorting of words", "Skills", "sort-words")
    assert template.description == "Sorts words. Use it when words are to be sorted."
    assert template.scenario == ("words are to be sorted", "names are to be sorted\nby surname")
    assert template.flow == (
        "Step 1: Split",
        "```python\n# a comment, no heading\nwords = text.split()\n```",
        "Step 2: Sort",
        "Sort the words.\n- case does not count",
        "Join them.",
    )
    assert template.example is None
    assert template.provenance == {
        "skill": "sort-words",
        "license": "MIT",
        "metadata": {"author": "somebody", "version": "1.0"},
        "imported": "agent skill",
        "proven": False,
    }


def test_a_skill_without_headings_and_one_without_a_body(tmp_path: Path) -> None:
    text = "---\nname: a\ndescription: Adds.\n---\n"
    write(tmp_path, text + "Take the numbers\nand add them.\n\nSay the sum.\n", "a")
    write(tmp_path, text.replace("name: a", "name: b"), "b")
    a, b = import_skills(tmp_path)
    assert (a.name, a.flow) == ("a", ("Take the numbers\nand add them.", "Say the sum."))
    assert (b.name, b.flow) == ("b", ("Adds.",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# No front matter\n", "has no front matter"),
        ("---\n- a\n---\n", "has no front matter"),
        ("---\na: [\n---\n", "no YAML"),
        ("---\nname: a\n---\n", "has no 'description'"),
        ("---\nname: [a]\ndescription: b\n---\n", "has no 'name'"),
        ("---\nname: !!python/object/apply:os.system [ls]\ndescription: b\n---\n", "has no 'name'"),
        (f"---\nname: a\ndescription: b\nx: {'[' * 3000}\n---\n", "no YAML"),
        ("---\nname: a\ndescription: b\nmetadata:\n  reasonflux-id: '[1]'\n---\n# A\n", "field 'id'"),
        ("---\nname: a\ndescription: b\nmetadata:\n  reasonflux-id: x\n---\n# A\n", "'reason_flow' is empty"),
    ],
)
def test_a_broken_skill_is_one_error_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LibraryError, match=said) as caught:
        import_skills(write(tmp_path, text))
    assert str(tmp_path) in str(caught.value)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    program, _ = export_skills(learned(), tmp_path)
    (program / "scripts" / "solve.py").unlink()
    with pytest.raises(LibraryError, match=r"scripts/solve\.py is missing.*Next"):
        import_skills(tmp_path)


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    program, _ = export_skills(learned(), tmp_path / "skills")
    (tmp_path / "secret").write_text("secret")
    (program / "scripts" / "solve.py").unlink()
    os.symlink(tmp_path / "secret", program / "scripts" / "solve.py")
    with pytest.raises(LibraryError, match="no file of this skill's folder"):
        import_skills(tmp_path / "skills")
    large = "---\nname: a\ndescription: b\n---\n" + "x" * 1_000_000
    with pytest.raises(LibraryError, match="more than 1,000,000 bytes"):
        import_skills(write(tmp_path / "large", large))


def test_a_folder_without_skills_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(LibraryError, match=r"no skill is there.*Tried.*Next"):
            import_skills(folder)


def test_the_format_is_recognised(tmp_path: Path) -> None:
    program, _ = export_skills(learned(), tmp_path / "skills")
    assert len(read_templates(tmp_path / "skills")) == 2
    assert len(read_templates(program)) == len(read_templates(program / "SKILL.md")) == 1
    learned().save(tmp_path / "mine.json")
    official = read_templates(tmp_path / "mine.json")
    assert official == learned()
    assert official.templates[0].provenance["proven"] is True
