"""Rows: what is read, which are copies, and how they are split."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonflux_agent.errors import InputError
from reasonflux_agent.learning.learner import task_of
from reasonflux_agent.learning.rows import FOLDS, SEALED_ABOVE, LearningRow, read_rows, split, without_copies
from tests.learning.tasks import rows, write


def many(count: int, groups: int = 3) -> list[LearningRow]:
    return [LearningRow(problem=f"What is {n} + 1?", answer=str(n + 1), group=str(n % groups)) for n in range(count)]


def test_rows_are_the_same_from_a_file_and_from_mappings(tmp_path: Path) -> None:
    given = rows(10)
    assert read_rows(write(tmp_path / "rows.jsonl", given)) == read_rows(reversed(given))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"problem": "What is 1 + 1?"}, "row 2: 'answer': Field required"),
        ({"problem": " ", "answer": "2"}, "row 2: 'problem': .*empty"),
        ({"problem": "What?", "answer": ["2"]}, "row 2: 'answer'"),
        ({"problem": "What?", "answer": True}, "row 2: 'answer'"),
    ],
)
def test_a_row_of_no_use_is_named(bad: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=rf"{said}.*Next: correct it"):
        read_rows([{"problem": "What is 2 + 2?", "answer": 4}, bad])


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"There are 5 different row\(s\).*Next"):
        task_of([*rows(5), *rows(5)])


def test_copies_are_dropped_and_other_numbers_are_no_copy() -> None:
    text = "A train goes {} km in the first hour, and in the second hour it goes ten km more. How far does it go in all?"
    first = LearningRow(problem=text.format(40), answer="90")
    copy = LearningRow(problem=text.format(40).upper().replace("?", " ?"), answer="90")
    other = LearningRow(problem=text.format(50), answer="110")
    assert without_copies([first, copy, other]) == [first, other]


def test_below_the_limit_every_row_is_tested_once_and_never_learned_from() -> None:
    given = many(40)
    folds = split(given)
    assert len(folds) == FOLDS
    assert sorted(row.id for _, test in folds for row in test) == sorted(row.id for row in given)
    for learning, test in folds:
        assert not {row.id for row in learning} & {row.id for row in test}
        assert len(learning) + len(test) == len(given)
        assert {row.group for row in test} == {"0", "1", "2"}


def test_above_the_limit_half_of_the_rows_are_sealed() -> None:
    given = many(SEALED_ABOVE + 1)
    ((learning, test),) = split(given)
    assert abs(len(learning) - len(test)) <= 1
    assert not {row.id for row in learning} & {row.id for row in test}
    assert {row.group for row in learning} == {row.group for row in test}
