"""Formulas blurred into shapes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent.templates.lexical import formulas, pieces


def shapes(text: str) -> list[str]:
    return pieces(formulas(text))


def test_numbers_signs_and_names_of_sequences_are_blurred() -> None:
    assert shapes("b_{n+1} = 4 b_n + 9") == shapes("a_{n+1} = 2a_n - 5") != []
    whole = shapes("a_{n+1} = 2a_n - 5")[-1]
    assert formulas("a_{n+1} = 2a_n - 5") == formulas("u_{n + 1} = (1/2) u_n + 3") == [whole]
    assert formulas("a_{n+2} = 2a_n - 5") != [whole]
    assert whole not in shapes("a_{n+1} = a_n + 2n")


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"$x^{2} \cdot y + 3 = 7$", "x^2 * y + 3 = 7"),
        (r"\frac{n(n+1)}{2n + 1}", "(n(n+1))/(2n+1)"),
        (r"x + y \geq 3", "x + y >= 3"),
        (r"x + y \le 3", "x + y ≤ 3"),
        (r"\log_2(x+1) = 5", "log_2(x+1) = 5"),
        (r"2\sin(x) = 1", "2sin(x) = 1"),
        (r"a_{n+1} = 3a_n \quad (n \ge 1)", "a_{n+1} = 3*a_n"),
    ],
)
def test_latex_and_plain_text_have_the_same_shapes(latex: str, plain: str) -> None:
    assert shapes(latex) == shapes(plain) != []


def test_a_formula_is_found_among_words_and_words_are_none() -> None:
    assert shapes("Three hens lay 3 eggs in 3 days.") == []
    assert shapes("Find $x^2 + 5x = 6$ now.") == shapes("x^2+5x=6")


@given(st.text() | st.text(alphabet="\\{}()<>=_^+-*/|$ frac0aglen≥", max_size=400))
def test_any_text_has_shapes(text: str) -> None:
    assert all(shapes(text))


@pytest.mark.parametrize("text", ["(" + ">" * 50_000, "(>" * 25_000, "\\frac{" * 8_000, "1" * 50_000, "(1+" * 15_000])
def test_long_and_odd_texts_take_no_time(text: str) -> None:
    started = time.monotonic()
    shapes(text)
    assert time.monotonic() - started < 1
