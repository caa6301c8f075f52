"""Loading, validating, merging, saving; and how a template stands in a prompt."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonflux_agent import plugins
from reasonflux_agent.errors import LibraryError
from reasonflux_agent.hookspecs import Register, hookimpl
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import TemplateLibrary, reading, render_template
from reasonflux_agent.templates.cleaning import Counts, clean
from reasonflux_agent.templates.examples import example_of
from reasonflux_agent.templates.reading import kind_of

ENTRY = {"template_name": "Shift", "reason_flow": ["Find the fixed point.", "Subtract it."]}
PUBLISHED = Path(os.environ.get("REASONFLUX_DATA", Path(__file__).parents[3] / "shared" / "data"))
PUBLISHED = PUBLISHED / "reasonflux_v1" / "template_library.json"


def write(path: Path, entry: object = ENTRY, *, chapter: str = "Sequences", section: str = "Recurrences") -> Path:
    path.write_text(json.dumps({chapter: {section: entry if isinstance(entry, list) else [entry]}}), encoding="utf-8")
    return path


def load_text(tmp_path: Path, text: str | bytes) -> TemplateLibrary:
    path = tmp_path / "broken.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TemplateLibrary.load(path)


# What good libraries become


def test_minimal_entry_gets_slug_id_and_defaults(tmp_path: Path) -> None:
    (template,) = TemplateLibrary.load(write(tmp_path / "a.json"))
    assert template == Template(
        id="sequences/recurrences/shift",
        name="Shift",
        kind="Method",
        flow=("Find the fixed point.", "Subtract it."),
        chapter="Sequences",
        section="Recurrences",
    )


def test_repeated_names_are_numbered_and_all_reachable(tmp_path: Path) -> None:
    library = TemplateLibrary.load(write(tmp_path / "a.json", [ENTRY, ENTRY, {**ENTRY, "template_name": "Shift 2"}]))
    assert [t.id for t in library] == [
        "sequences/recurrences/shift",
        "sequences/recurrences/shift-2",
        "sequences/recurrences/shift-2-2",
    ]
    assert all(library.get(t.id) is t for t in library)
    assert any("numbered" in note and note.startswith("2 ") for note in library.notes)


def test_an_explicit_id_wins_over_a_derived_one_that_comes_first(tmp_path: Path) -> None:
    taken = {**ENTRY, "template_name": "Other", "id": "sequences/recurrences/shift"}
    library = TemplateLibrary.load(write(tmp_path / "a.json", [ENTRY, taken]))
    assert library.get("sequences/recurrences/shift").name == "Other"
    assert library.get("sequences/recurrences/shift-2").name == "Shift"


def test_slugs_keep_letters_of_every_script(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {**ENTRY, "template_name": "Größe: 数列 √2"}, chapter="Уравнения", section="???")
    assert [t.id for t in TemplateLibrary.load(path)] == ["уравнения/unnamed/grösse-数列-2"]


def test_texts_or_lists_are_accepted_for_scenario_and_flow(tmp_path: Path) -> None:
    entry = {**ENTRY, "reason_flow": "First.\n\nSecond.", "application_scenario": "When it fits."}
    (template,) = TemplateLibrary.load(write(tmp_path / "a.json", entry))
    assert template.flow == ("First.", "Second.")
    assert template.scenario == ("When it fits.",)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("Problem-solving Method", "Method"),
        ("Solution Methods", "Method"),
        ("Knowledge application", "Knowledge"),
        ("Important Formulas and Theorems", "Formula"),
        ("Theorem of Properties", "Theorem"),
        ("Level 2 Conclusion", "Result"),
        ("Heuristic", "Heuristic"),
    ],
)
def test_kinds(written: str, kind: str) -> None:
    assert kind_of(written, Counts()) == kind


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("\x0crac{1}{2} \times 3, \theta, \x07rccos x", r"\frac{1}{2} \times 3, \theta, \arccos x"),
        (r"Solution:\nStep 1\n1. so", "Solution:\nStep 1\n1. so"),
        (r"so\nx = 2\nthen\nend", "so\nx = 2\nthen\nend"),
        (r"x \neq 1, \nu, \nabla f", r"x \neq 1, \nu, \nabla f"),
        (r"$A \\cup B = \\{1\\}$", r"$A \cup B = \{1\}$"),
        (r"\begin{cases} x \\y \end{cases}", r"\begin{cases} x \\y \end{cases}"),
        ("a\tb\x00c", "a bc"),
        ("half \ud800 pair", "half \ufffd pair"),
    ],
)
def test_stray_escapes_are_repaired(written: str, meant: str) -> None:
    assert clean(written, Counts()) == meant


@given(st.text(alphabet=st.sampled_from(list("\\ntrafcNR{}$&1 \n\t\r\x0c\x08x")), max_size=25))
def test_cleaning_is_idempotent(text: str) -> None:
    once = clean(text, Counts())
    again = Counts()
    assert clean(once, again) == once
    assert not again


SOLVED = Example(problem="Solve x + 1 = 3.", steps=("Subtract 1.", "x = 2."), answer="2")


@pytest.mark.parametrize(
    "shape",
    [
        {"example_problem": "Solve x + 1 = 3.", "solution_steps": ["Subtract 1.", "x = 2."], "answer": "2"},
        {"Problem": "Solve x + 1 = 3.", "Solution Process": ["Subtract 1.", "x = 2."], "Final Answer": "2"},
        {"question": "Solve x + 1 = 3.", "analysis": ["Subtract 1.", "x = 2."], "answers": ["2"]},
        {"title": "Solve x + 1 = 3.", "solving_process": ["Subtract 1.", "x = 2."], "conclusion": ["2"]},
        {"Example 1": {"Problem": "Solve x + 1 = 3.", "Solution": ["Subtract 1.", "x = 2."], "Answer": "2"},
         "Example 2": {"Problem": "Another."}},
        "Example: Solve x + 1 = 3.\\n\\nSolution steps:\\nSubtract 1.\\nx = 2.\\n\\nAnswer: 2",
        "【Example】Solve x + 1 = 3.\n\n【Solution Steps】\nSubtract 1.\nx = 2.\n【Answer】2",
    ],
)  # fmt: skip
def test_every_shape_of_example_becomes_one(shape: dict[str, object] | str) -> None:
    assert example_of(shape, Counts()) == SOLVED


def test_parts_of_an_example_that_have_no_place_become_labelled_steps() -> None:
    example = example_of({"problem": "P", "solution": ["S"], "key_points": ["K"]}, Counts())
    assert example == Example(problem="P", steps=("S", "Key points: K"))


def test_numbered_lines_end_a_problem_that_has_no_heading() -> None:
    example = example_of("Find x.\n1. Do this.\n2. Do that.", Counts())
    assert example == Example(problem="Find x.", steps=("1. Do this.", "2. Do that."))


# Names, directories, the built-in library


def test_the_builtin_library_loads_quietly_and_is_one_object() -> None:
    library = TemplateLibrary.load("builtin")
    assert library is TemplateLibrary.builtin()
    assert len(library) >= 200
    assert library.notes == ()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(LibraryError, match=r"'bultin' is neither a registered name nor a path .* Known names: .*builtin"):
        TemplateLibrary.load("bultin")


class Plugin:
    """What an installed package would hand to the plugin manager."""

    def __init__(self, value: object) -> None:
        self.value = value

    @hookimpl
    def register_libraries(self, register: Register) -> None:
        register("tests-own", lambda: self.value)


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    plugin = Plugin(TemplateLibrary((Template(id="x", name="X", flow=("Do it.",)),), "own"))
    plugins.manager().register(plugin, "tests-plugin")
    yield plugin
    plugins.manager().unregister(plugin)


def test_a_plugin_adds_a_library_under_its_name(plugin: Plugin) -> None:
    assert TemplateLibrary.load("tests-own") is plugin.value
    with pytest.raises(LibraryError, match=r"Known names: builtin, tests-own\."):
        TemplateLibrary.load("tests-other")
    plugin.value = ["no library"]
    with pytest.raises(LibraryError, match=r"'tests-own': the plugin 'tests-plugin' returned a list\. Expected: a Temp"):
        TemplateLibrary.load("tests-own")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"no\.json"):
        TemplateLibrary.load(str(tmp_path / "no.json"))


def test_a_directory_is_the_merge_of_its_json_files(tmp_path: Path) -> None:
    write(tmp_path / "b.json", {**ENTRY, "template_name": "Second"})
    write(tmp_path / "a.json")
    (tmp_path / "readme.txt").write_text("not a library")
    library = TemplateLibrary.load(tmp_path)
    assert [t.name for t in library] == ["Shift", "Second"]
    assert library.name == tmp_path.name


def test_a_directory_without_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"holds no \.json file"):
        TemplateLibrary.load(tmp_path)


def test_one_id_for_two_templates_in_two_files_names_both(tmp_path: Path) -> None:
    write(tmp_path / "a.json")
    write(tmp_path / "b.json", {**ENTRY, "description": "Another one."})
    with pytest.raises(LibraryError, match=r"'sequences/recurrences/shift' .*a\.json.*b\.json"):
        TemplateLibrary.load(tmp_path)


# What broken libraries say


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("  \n ", "is empty"),
        ("{", "not valid JSON"),
        ("[]", "is a list at the top"),
        ("{}", "holds no template"),
        ('{"C": {"S": []}}', "holds no template"),
        ('{"C": []}', "'C': the chapter is a list"),
        ('{"C": {"S": {}}}', "'C' / 'S': the section is an object"),
        ('{"C": {"S": ["x"]}}', "'C' / 'S' / entry 1: the entry is a text"),
        ('{"C": {}, "C": {}}', "the key 'C' stands twice"),
        ('{"C": {"S": [{"template_name": NaN}]}}', "NaN is no JSON value"),
        ('{"C": {"S": [{"template_name": -Infinity}]}}', "-Infinity is no JSON value"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("9" * 10_000, "not valid JSON"),
        (b'{"C\xff": {}}', r"not UTF-8 \(byte 3 is 0xff\)"),
        ('{"C": {}}'.encode("utf-16"), "not UTF-8"),
        (os.urandom(64) * 160_000, "not UTF-8|not valid JSON"),
    ],
    ids=range(17),
)
def test_a_broken_file_is_one_error_naming_it(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(LibraryError, match=message) as caught:
        load_text(tmp_path, text)
    assert "broken.json" in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"template_name": None}, "field 'template_name' is empty"),
        ({"template_name": 7}, "field 'template_name' is a number"),
        ({"reason_flow": []}, "field 'reason_flow' is empty"),
        ({"reason_flow": [{"step": 1}]}, "field 'reason_flow' is not made of texts"),
        ({"knowledge_tag": {"a": 1}}, "field 'knowledge_tag' is not made of texts"),
        ({"description": ["x"]}, "field 'description' is a list"),
        ({"example_application": [1]}, "field 'example_application' is a list"),
        ({"example_application": {"problem": 3}}, "field 'example_application' holds more than texts"),
        ({"knowledge_tags": []}, r"unknown field 'knowledge_tags' \(did you mean 'knowledge_tag'\?\)"),
        ({"id": ""}, "field 'id' is empty"),
    ],
)
def test_a_broken_entry_is_named_with_its_place_and_field(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = write(tmp_path / "lib.json", [{**ENTRY, "template_name": "Fine"}, {**ENTRY, **change}])
    with pytest.raises(LibraryError, match=message) as caught:
        TemplateLibrary.load(path)
    assert "lib.json: 'Sequences' / 'Recurrences' / entry 2" in str(caught.value)
    assert "Expected:" in str(caught.value)


def test_a_missing_field_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="field 'reason_flow' is missing"):
        TemplateLibrary.load(write(tmp_path / "lib.json", {"template_name": "Lonely"}))


def test_two_entries_with_one_explicit_id_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "lib.json", [{**ENTRY, "id": "x"}, {**ENTRY, "id": "x"}])
    with pytest.raises(LibraryError, match=r"entry 2.*id 'x' stands at .*entry 1"):
        TemplateLibrary.load(path)


def test_a_file_that_is_too_large_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(reading.MAX_BYTES + 1)  # sparse: takes no room on disk
    with pytest.raises(LibraryError, match="holds more than 200,000,000 bytes"):
        TemplateLibrary.load(path)


def test_what_is_no_regular_file_is_refused() -> None:
    with pytest.raises(LibraryError, match="is not a file"):
        TemplateLibrary.load(Path("/dev/zero"))


def test_a_byte_order_mark_is_read_over_and_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "lib.json")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    library = TemplateLibrary.load(path)
    assert len(library) == 1
    assert "byte-order mark" in library.notes[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*reading.FIELDS, "problem", "answer", "C"]), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_json_loads_or_raises_a_library_error(data: object) -> None:
    for document in (data, {"C": {"S": [{**ENTRY, "example_application": data}]}}, {"C": {"S": [data]}}):
        try:
            templates = reading.parse(json.dumps(document).encode(), "any", Counts())
        except LibraryError:
            continue
        library = TemplateLibrary(tuple(templates))
        assert len(library) == len(templates)


# Saving, merging, looking up


TEXT = st.text(alphabet=st.sampled_from(list("ab 1.:\\n{}\n\tÄ数")), max_size=12)
PARTS = {
    "template_name": TEXT.filter(lambda s: clean(s, Counts())),
    "template_type": TEXT,
    "knowledge_tag": st.lists(TEXT, max_size=2),
    "description": TEXT,
    "application_scenario": TEXT | st.lists(TEXT, max_size=2),
    "reason_flow": st.lists(TEXT, max_size=3).map(lambda lines: [*lines, "Do it."]),
    "example_application": TEXT
    | st.fixed_dictionaries({"problem": TEXT, "solution": st.lists(TEXT, max_size=2), "answer": TEXT}),
}


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("CD"), st.fixed_dictionaries(PARTS)), min_size=1, max_size=6))
def test_what_was_loaded_is_saved_and_loaded_unchanged(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, dict[str, Any]]]
) -> None:
    document: dict[str, dict[str, list[Any]]] = {}
    for chapter, section, entry in rows:
        document.setdefault(chapter, {}).setdefault(section, []).append(entry)
    folder = tmp_path_factory.mktemp("round")
    (folder / "in.json").write_text(json.dumps(document))
    library = TemplateLibrary.load(folder / "in.json")
    library.save(folder / "out.json")
    again = TemplateLibrary.load(folder / "out.json")
    assert again == library
    assert again.notes == ()


def test_ids_that_differ_from_the_derived_ones_are_saved(tmp_path: Path) -> None:
    library = TemplateLibrary((Template(id="mine", name="Shift", flow=("Do it.",), chapter="C", section="S"),))
    library.save(tmp_path / "out.json")
    assert TemplateLibrary.load(tmp_path / "out.json") == library


def test_saving_leaves_no_temporary_file_and_replaces_whole(tmp_path: Path) -> None:
    library = TemplateLibrary.load(write(tmp_path / "a.json"))
    library.save(tmp_path / "a.json")
    library.save(tmp_path / "new" / "b.json")
    assert {p.name for p in tmp_path.rglob("*")} == {"a.json", "new", "b.json"}


def test_merging_keeps_identical_templates_once_and_refuses_two_meanings(tmp_path: Path) -> None:
    one = TemplateLibrary.load(write(tmp_path / "one.json"))
    two = TemplateLibrary.load(write(tmp_path / "two.json", [ENTRY, {**ENTRY, "template_name": "More"}]))
    assert [t.name for t in one.merge(two)] == ["Shift", "More"]
    other = TemplateLibrary.load(write(tmp_path / "other.json", {**ENTRY, "description": "Else."}))
    with pytest.raises(LibraryError, match="one template in 'one' and another one in 'other'"):
        one.merge(other)


def test_a_library_of_templates_with_one_id_is_refused() -> None:
    template = Template(id="x", name="X", flow=("Do it.",))
    with pytest.raises(LibraryError, match="the id 'x' stands twice"):
        TemplateLibrary((template, template))


def test_get_names_the_closest_ids(tmp_path: Path) -> None:
    library = TemplateLibrary.load(write(tmp_path / "a.json"))
    assert "sequences/recurrences/shift" in library
    with pytest.raises(LibraryError, match=r"no template 'sequences/recurrence/shift'.*Close: sequences/recurrences/shift"):
        library.get("sequences/recurrence/shift")
    with pytest.raises(LibraryError, match="Next: list the ids"):
        library.get("%%%")


# In a prompt


LONG = Template(id="x", name="Long one", flow=tuple(f"Step {n}: " + "word " * 60 for n in range(1, 7)), example=SOLVED)


def test_a_short_template_is_rendered_whole_with_its_own_numbers() -> None:
    template = Template(id="x", name="Shift", flow=("Step 1: Find L.", "2. Subtract  it.", "① Done."), example=SOLVED)
    assert render_template(template) == (
        "Template: Shift\n1. Find L.\n2. Subtract it.\n3. Done.\nExample: Solve x + 1 = 3.\nSubtract 1.\nx = 2.\nAnswer: 2"
    )


@pytest.mark.parametrize("limit", [30, 120, 400, 1000, 2500])
def test_a_long_template_keeps_every_step_and_stays_in_its_limit(limit: int) -> None:
    text = render_template(LONG, max_chars=limit)
    assert len(text) <= limit
    assert text == render_template(LONG, max_chars=limit)
    if limit >= 400:
        assert [line[0] for line in text.split("\n")[1:7]] == list("123456")


def test_the_example_is_whole_or_absent() -> None:
    template = Template(id="x", name="Shift", flow=("Do it.",), example=SOLVED)
    whole = render_template(template)
    assert whole.endswith("Answer: 2")
    assert render_template(template, max_chars=len(whole) - 1) == "Template: Shift\n1. Do it."


def test_every_builtin_template_fits_the_prompt_with_its_example() -> None:
    left_out = [t.id for t in TemplateLibrary.builtin() if t.example and "Example:" not in render_template(t, max_chars=1100)]
    assert left_out == []


# The library that the paper's authors published


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"the published library is not at {PUBLISHED}")
def test_the_published_library_is_wholly_reachable(tmp_path: Path) -> None:
    library = TemplateLibrary.load(PUBLISHED)
    assert len(library) == 420
    assert len({t.id for t in library}) == 420
    assert {t.kind for t in library} == {"Method", "Knowledge", "Formula", "Theorem", "Result"}
    assert all(t.flow and t.scenario and t.tags and t.description and t.example and t.example.problem for t in library)
    assert sum(bool(t.example and t.example.steps) for t in library) > 400
    texts = [s for t in library for s in (*t.flow, *t.scenario, t.description)]
    texts += [s for t in library if t.example for s in (t.example.problem, *t.example.steps)]
    assert not any(c in s for s in texts for c in "\x07\x08\x0c\t\r")
    assert any("8 repeated names" in note for note in library.notes)
    library.save(tmp_path / "out.json")
    assert TemplateLibrary.load(tmp_path / "out.json") == library
    assert all(len(render_template(t)) <= 1000 for t in library)


PROGRAM = 'for x in [1]:\n    if x:\n        print("a\\nb", "\\theta")'
FENCED = f"A program:\n```python\n{PROGRAM}\n```\n```output\na\nb \\theta\n```\nThe end of $\\\\theta$."


@pytest.mark.parametrize("steps", [FENCED, FENCED.split("\n"), ["A program:", FENCED[11:]], [f"```python\n{PROGRAM}"]])
def test_a_program_in_an_example_keeps_its_indentation_and_its_backslashes(steps: str | list[str], tmp_path: Path) -> None:
    entry = {**ENTRY, "example_application": {"example_problem": "Print.", "solution_steps": steps, "answer": "1"}}
    library = TemplateLibrary.load(write(tmp_path / "a.json", entry))
    library.save(tmp_path / "saved.json")
    for example in (library.get("sequences/recurrences/shift").example, TemplateLibrary.load(tmp_path / "saved.json")):
        example = example if isinstance(example, Example) else example.get("sequences/recurrences/shift").example
        assert example is not None
        assert f"```python\n{PROGRAM}" in "\n".join(example.steps)


def test_a_program_in_running_text_keeps_its_indentation() -> None:
    example = example_of(f"Example: What is printed?\nSolution:\n{FENCED}\nAnswer: 1", Counts())
    assert example is not None
    assert f"```python\n{PROGRAM}\n```" in "\n".join(example.steps)
    assert example.steps[-1] == r"The end of $\theta$."
