"""Extraction and equivalence of answers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent.verify import grading
from reasonflux_agent.verify.grading import answers
from tests.grading.tables import EQUAL, HOSTILE, UNEQUAL


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{42}.", "42"),
        (r"\boxed{1} and then \boxed{\frac{1}{\sqrt{2}}} done", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{x : x > 0\right.}", r"\left\{x : x > 0\right."),
        (r"\fbox{7}", "7"),
        (r"the answer is $\boxed 5$.", "5"),
        (r"\boxed{3} but cut off \boxed{\frac{1}{2", "3"),
        (r"\boxed{} or #### 9", "9"),
        ("48/2 = 24\n#### 1,024", "1,024"),
        ("The final answer is: $x = 3$.", "$x = 3$"),
        ("**Final Answer:** 12", "12"),
        ("**Answer: 3.5**", "3.5"),
        ("Thus the answer is 7. I hope this helps.", "7"),
        ("The answer is\n\n$\\frac{2}{3}$", r"$\frac{2}{3}$"),
        ("Answer: A", "A"),
        ("So we get 42.", None),
        ("42", None),
        ("", None),
        ("The answer is 5 at first, but " + "we must go on. " * 100, None),
    ],
)
def test_the_answer_that_a_solution_states(text: str, answer: str | None) -> None:
    assert grading.extract_answer(text) == answer


def test_extraction_from_a_megabyte_of_open_boxes_is_quick() -> None:
    started = time.monotonic()
    assert grading.extract_answer(r"\boxed{" * 150_000) is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a: str, b: str) -> None:
    assert grading.equivalent(a, b, seconds=30)
    assert grading.equivalent(b, a, seconds=30)
    assert grading.equivalent(a, a)


@pytest.mark.parametrize(("a", "b"), UNEQUAL)
def test_unequal(a: str, b: str) -> None:
    assert not grading.equivalent(a, b, seconds=30)
    assert not grading.equivalent(b, a, seconds=30)


def test_most_pairs_need_no_worker() -> None:
    verdicts = [answers.compare(answers.normal(a), answers.normal(b)) for a, b in EQUAL + UNEQUAL]
    assert verdicts.count(None) <= 10


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_hostile_answer_is_wrong_and_runs_nothing(hostile: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    started = time.monotonic()
    assert not grading.grade(hostile.replace("{marker}", str(marker)), "x^2+1", seconds=0.5)
    assert time.monotonic() - started < 20  # the deadline and the start of a worker, on a busy machine
    assert not marker.exists()


def test_a_missing_answer_is_wrong() -> None:
    assert not grading.grade(None, "5")
    assert grading.grade("5.0", "5")


@given(st.text(alphabet=r"\{}()[],;|^_$%.:=<>+-*/0123456789abinxyRB frcsqtpm", max_size=60))
def test_comparing_never_raises_and_finds_a_text_equal_to_itself(text: str) -> None:
    normal = answers.normal(text)
    assert answers.compare(normal, normal) is True
    assert answers.compare(normal, "7") in (True, False, None)
    assert answers.compare(normal, r"\{1, (2, x)\}") in (True, False, None)


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6), st.integers(0, 4))
def test_spellings_of_a_fraction(top: int, bottom: int, style: int) -> None:
    spelled = [
        f"{top}/{bottom}",
        rf"\frac{{{top}}}{{{bottom}}}",
        rf"$\dfrac{{{2 * top}}}{{{2 * bottom}}}$",
        f"x = {top}/{bottom}",
        rf"\boxed{{-\frac{{{-top}}}{{{bottom}}}}}" if top <= 0 else rf"\left(\frac{{{top}}}{{{bottom}}}\right)",
    ][style]
    assert grading.equivalent(spelled, f"{top}/{bottom}")
    assert not grading.equivalent(spelled, f"{top + 1}/{bottom}")
