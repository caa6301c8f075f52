"""What a learned template says of itself: kept in the file, checked when it is read, and used by the retriever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever

QUERY = "Sort these words by the alphabet: pear fig"


def library(**provenance: Any) -> TemplateLibrary:
    problem = "Sort the following words by the alphabet: dog cat"
    return TemplateLibrary((Template(id="a", name="Sorting", scenario=(problem,), flow=("Sort.",), provenance=provenance),))


def test_it_is_kept_in_the_file(tmp_path: Path) -> None:
    made = library(rows=["x"], proven=True, retrieval={"scores": "wordllama hybrid", "floor": 0.5, "lead": 0.0})
    made.save(tmp_path / "one.json")
    assert TemplateLibrary.load(tmp_path / "one.json").templates == made.templates
    library().save(tmp_path / "two.json")
    assert "provenance" not in (tmp_path / "two.json").read_text()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("proven", "'provenance' is a text"),
        ({"retrieval": {"floor": 0.5}}, "`retrieval` that is not made of"),
        ({"retrieval": {"scores": "", "floor": True, "lead": 0}}, "`retrieval` that is not made of"),
        ({"shown_with": ["b"]}, "`shown_with` that is not the id of a template"),
    ],
)
def test_what_the_retriever_could_not_use_is_refused(tmp_path: Path, bad: Any, said: str) -> None:
    entry = {"template_name": "A", "reason_flow": ["Do."], "provenance": bad}
    (tmp_path / "bad.json").write_text(json.dumps({"C": {"S": [entry]}}))
    with pytest.raises(LibraryError, match=rf"'C' / 'S' / entry 1.*{said}.*Expected"):
        TemplateLibrary.load(tmp_path / "bad.json")


def test_a_template_has_its_own_floor_and_lead_for_the_scores_that_these_were_calibrated_on() -> None:
    own = {"scores": "wordllama hybrid", "floor": 0.0, "lead": 100.0}
    (score,) = [d.metadata["score"] for d in TemplateRetriever.from_library(library(), min_score=-9.0).invoke(QUERY)]
    (found,) = TemplateRetriever.from_library(library(retrieval=own)).invoke(QUERY)
    assert found.metadata["lead"] == pytest.approx(score / 100, abs=1e-3)
    assert TemplateRetriever.from_library(library(retrieval={**own, "floor": score + 0.01})).invoke(QUERY) == []
    # a floor that the caller gives counts before it, and a floor for other scores says nothing
    assert TemplateRetriever.from_library(library(retrieval={**own, "floor": 9.0}), min_score=0.0).invoke(QUERY)
    elsewhere = library(retrieval={**own, "floor": 9.0, "scores": "minilm flat"})
    assert TemplateRetriever.from_library(elsewhere).invoke(elsewhere.templates[0].scenario[0])
