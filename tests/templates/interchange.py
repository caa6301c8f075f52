"""A library as it is learned, and what the tests of other formats compare."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from reasonflux_agent.learning.mining import Work
from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.templates.cleaning import Counts
from reasonflux_agent.templates.interchange import library_of
from reasonflux_agent.templates.reading import entry_of

RETRIEVAL = {"scores": "wordllama hybrid", "floor": 0.51, "lead": 0.125}
SAID = {"tried": 4, "wins": 3, "losses": 0, "proven": True, "sealed": False, "claim": {"p": 0.01, "note": "a --- b"}}
"""What a learned template says that it was shown to do."""
ORIGIN = {"groups": ["word_sorting"], "rows": ["0a"], "seen": ["0a", "1b"], "arm": "program", "retrieval": RETRIEVAL}
PROGRAM = "Method: Sorting.\n```python\nwords = 'fig apple'.split()\n\nfor word in sorted(words):\n    print(word)\n```"


def learned() -> TemplateLibrary:
    """A program and a text, as `learn` writes them; the program is shown with the text."""
    row = LearningRow(problem="Sort these words: fig apple\nSay nothing else.", answer="apple fig", group="word_sorting")
    program = Work("program", row, (PROGRAM, "```output\napple\nfig\n```")).template("Word sorting")
    text = Work("text", row, ("First apple.", "Then fig.", "So $\\frac{1}{2}$.")).template("Word sorting")
    about: dict[str, Any] = {**ORIGIN, **SAID}
    both = (
        program.model_copy(update={"provenance": {**about, "shown_with": text.id}}),
        text.model_copy(update={"provenance": about}),
    )
    return TemplateLibrary(both, "mine")


def bare(library: TemplateLibrary) -> list[Template]:
    """The templates without what they say of where they come from."""
    return [template.model_copy(update={"provenance": {}}) for template in library]


LINES = (
    *("# Title", "## Steps", "### Problem", "- item", "* item", "12. item", "1) item", "> quoted", ">", "", "   ", "    code"),
    *("```", "```python", "```output", "---", "--- x", "a: b", "x = 1  # y", "\\frac{1}{2}", "\\\\", "€ ß 漢字 🙂", "a\u2028b"),
    *("reasonflux", "[x](y)", '{"a": 1}', "1", "null", "'", '"', "\ttab", "a  b"),
)
TEXTS = st.lists(st.sampled_from(LINES), min_size=1, max_size=5).map("\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
WORKED = st.builds(Example, problem=TEXTS, steps=st.lists(TEXTS, min_size=1, max_size=4).map(tuple), answer=TEXTS)
EXAMPLES = (
    st.none()
    | WORKED
    | st.builds(Example, problem=TEXTS | st.just(""), steps=st.lists(TEXTS).map(tuple), answer=TEXTS | st.just(""))
)
TEMPLATES = st.builds(
    Template,
    id=st.just("") | TEXTS,
    name=TEXTS,
    kind=st.sampled_from(["Method", "Own kind", "1", "a\nb"]),
    tags=st.lists(TEXTS, max_size=2).map(tuple),
    description=TEXTS | st.just(""),
    scenario=st.lists(TEXTS, max_size=3).map(tuple),
    flow=st.lists(TEXTS, min_size=1, max_size=4).map(tuple),
    example=EXAMPLES,
    chapter=TEXTS,
    section=TEXTS | st.just(""),
    provenance=st.dictionaries(TEXTS.filter(lambda key: key not in ("retrieval", "shown_with")), JSON, max_size=3),
)


def normalised(template: Template) -> Template | None:
    """The template as a library's file gives it back; None where a file cannot hold it."""
    entry = entry_of(template)
    if not template.id:
        entry.pop("id", None)
    try:
        return library_of([(template.chapter, template.section, entry)], "a test", "test", Counts()).templates[0]
    except ValueError:  # nothing is left of the name, or of all steps
        return None
