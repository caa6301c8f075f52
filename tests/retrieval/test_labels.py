"""The labels that retrieval is measured on: well-formed, and of templates that exist."""

import json
import os
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever
from tests.retrieval.measure import LABELS, cell, labelled, wilson

DATA = Path(os.environ.get("REASONFLUX_DATA", Path(__file__).parents[3] / "shared" / "data")) / "train"


def test_every_label_names_a_problem_once_and_templates_that_exist() -> None:
    library = TemplateLibrary.builtin()
    rows = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    assert len({(row["source"], row["id"]) for row in rows}) == len(rows) >= 150
    assert Counter(row["source"] for row in rows).keys() == {"math_train", "gsm8k_train"}
    for row in rows:
        assert row.keys() == {"source", "id", "sha", "templates"}  # and no text of the problem: it is not ours
        assert re.fullmatch(r"[0-9a-f]{12}", row["sha"])
        assert len(set(row["templates"])) == len(row["templates"]) <= 5
        assert all(id in library for id in row["templates"])


@pytest.mark.skipif(not DATA.exists(), reason=f"the labelled problems are not at {DATA}")
@pytest.mark.skipif(find_spec("wordllama") is None, reason="wordllama is not installed")
def test_the_default_finds_a_fitting_template_as_often_as_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path))
    retriever = TemplateRetriever.from_library(k=5, min_score=0.0)
    fitting = [(problem, wanted) for _, problem, wanted in labelled(DATA) if wanted]
    found = [{document.id for document in retriever.invoke(problem)} for problem, _ in fitting]
    hits = sum(bool(ids & wanted) for ids, (_, wanted) in zip(found, fitting, strict=True))
    assert hits / len(fitting) >= 0.5  # measured: 0.58; a retriever by vectors alone has 0.50, the original's search 0.12


def test_wilson_intervals() -> None:
    low, high = wilson(50, 100)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)
    assert wilson(0, 10)[0] == 0.0
    assert cell(3, 4) == "75 (30–95)"
