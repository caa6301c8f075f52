"""Mining: which work becomes a template, and what is refused as hard-coded."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonflux_agent.learning.mining import Work, common_of, is_hard_coded, is_near, name_of, steps_of
from reasonflux_agent.learning.outcomes import Outcome
from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.prompts.solve import demonstrate
from reasonflux_agent.strategies.recall import prints_answer
from reasonflux_agent.templates import TemplateLibrary

TRAIN = LearningRow(problem="A train goes 60 km/h for 2.5 hours. How far does it go?", answer="150")
SORTING = LearningRow(problem="Sort the following words: List: pear apple fig cherry", answer="apple cherry fig pear")
NUMBERS = LearningRow(
    problem="Sort these numbers in ascending order: -14.22, -97.0, 62.7", answer="['-97.0', '-14.22', '62.7']"
)
FORM = (
    "Your task is to sort words in ascending or descending order using ASCII ordering. Your output should be a list of words "
    "that looks like this: word_1, word_2, word_3. Now sort these words, and return them as a list: {}"
)
NUMBERED = LearningRow(problem=FORM.format("pear, apple, cherry"), answer="apple, cherry, pear")
TRUTH = LearningRow(problem="Fidel tells the truth. Jerry says Fidel lies. Does Jerry tell the truth?", answer="no")


@pytest.mark.parametrize(
    ("row", "code", "hard"),
    [
        (TRAIN, "speed, hours = 60, 2.5\nprint(speed * hours)", False),
        (TRAIN, "print(150)", True),
        (TRAIN, "speed = 60\nprint(150)", True),
        (TRAIN, "print(3 * 50)", True),
        (SORTING, 'words = "pear apple fig cherry".split()\nprint(*sorted(words))', False),
        (SORTING, 'print("apple cherry fig pear")', True),
        (SORTING, "print(['apple', 'cherry', 'fig', 'pear'])", True),
        (NUMBERS, "print([-97.0, -14.22, 62.7])", True),
        (NUMBERS, "numbers = [-14.22, -97.0, 62.7]\nnumbers.sort()\nprint(numbers)", False),
        (TRUTH, "print('no')", True),
        (TRUTH, "fidel = True\njerry_says_fidel_lies = not fidel\nprint('yes' if jerry_says_fidel_lies else 'no')", False),
        (LearningRow(problem="Add 1,000 and 2,500.", answer="3500"), "print(1_000 + 2500)", False),
        (LearningRow(problem="What is 3 + 0?", answer="3"), "print(3 + 0)", False),
    ],
)
def test_a_program_must_use_the_problems_data(row: LearningRow, code: str, hard: bool) -> None:
    assert is_hard_coded(code, row) is hard


def test_what_all_problems_say_is_no_data() -> None:
    others = [LearningRow(problem=FORM.format(text), answer="x") for text in ("tiger, zebra, horse", "river, ocean, creek")]
    common, honest = common_of([NUMBERED, *others]), "words = ['pear', 'apple', 'cherry']\nprint(', '.join(sorted(words)))"
    assert not {"pear", "apple", "cherry"} & common
    assert is_hard_coded(honest, NUMBERED)
    assert not is_hard_coded(honest, NUMBERED, common)
    assert is_hard_coded("print('apple, cherry, pear')", NUMBERED, common)


def test_a_program_is_shown_as_a_turn_and_survives_the_file(tmp_path: Path) -> None:
    code = '```python\nwords = ["b\\n", "a"]\nif words:\n    print(*sorted(words))\n```'
    made = Work("program", SORTING, (code, "```output\na b\n```")).template("Word sorting")
    (_, turn) = demonstrate(made)
    assert turn["content"].startswith(f"Method: Word sorting.\n{code}\n```output\na b\n```\nThe answer is $\\boxed{{apple")
    TemplateLibrary((made,)).save(tmp_path / "one.json")
    assert TemplateLibrary.load(tmp_path / "one.json").templates == (made,)


FACTORS = LearningRow(
    problem="Find the prime factorization of 866. Write the factors separated by × (Example: for 12: 2 × 2 × 3)",
    answer="2 × 433",
)


@pytest.mark.parametrize(
    ("row", "answer", "near"),
    [
        (FACTORS, "[2, 433]", True),
        (FACTORS, "[433, 2]", False),
        (FACTORS, "866", True),  # of this value; the race shows what it is worth
        (FACTORS, None, False),
        (TRAIN, "150.0", True),
        (TRAIN, "15", False),
        (SORTING, "fig", False),
    ],
)
def test_an_answer_of_another_form_is_near(row: LearningRow, answer: str | None, near: bool) -> None:
    assert is_near(answer, row) is near


@pytest.mark.parametrize(("right", "steps"), [(True, 2), (False, 3)])
def test_a_program_that_prints_another_form_is_shown_with_the_form_that_is_asked_for(right: bool, steps: int) -> None:
    text = "```python\nn = 866\nprint(factors(n))\n```\n```output\n[2, 433]\n```\n\\boxed{[2, 433]}"
    made = Outcome(right=right, sound=True, answer="[2, 433]", text=text, templates=(), calls=1, tokens=9)
    found = steps_of("program", FACTORS, made, frozenset())
    assert len(found) == steps
    template = Work("program", FACTORS, found).template("Factors")
    (_, turn) = demonstrate(template)
    assert ("this is 2 × 433\nThe answer is" in turn["content"]) is not right
    # the answer stands behind another step, so that the model is asked to bring the output into the form
    assert not prints_answer(template)
    assert steps_of("program", FACTORS, made.model_copy(update={"answer": "[1, 433]"}), frozenset()) == (found if right else ())


def test_the_name_is_the_groups_or_the_commonest_words() -> None:
    assert name_of("word_sorting", []) == "Word sorting"
    problems = ["Sort the words b a", "Sort these words: d c", "Sort all words e"]
    assert name_of("", [LearningRow(problem=text, answer="x") for text in problems]).startswith("Sort words")
