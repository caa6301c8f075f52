"""The checks that need no model."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent.hookspecs import Register, hookimpl
from reasonflux_agent.plugins import manager
from reasonflux_agent.verify.verifiers import (
    VERIFIERS,
    arithmetic,
    equalities,
    failure,
    in_range,
    integral,
    not_repeating,
    run_verifiers,
)
from reasonflux_agent.verify.verifiers.substitution import substitution


class Plugin:
    """A plugin with one verifier that works and one that does not."""

    @hookimpl
    def register_verifiers(self, register: Register) -> None:
        register("short", lambda problem, text, answer: len(text) < 100)
        register("silent", lambda problem, text, answer: None)
        register("broken", lambda problem, text, answer: 1 / 0)


def test_a_plugin_s_checks_run_and_its_failures_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    plugin = Plugin()
    manager().register(plugin, name="of-this-test")
    try:
        verdicts = run_verifiers("What is 1+1?", "2", "2", truncated=True)
    finally:
        manager().unregister(plugin)
    assert verdicts["short"] is True
    assert verdicts["complete"] is False
    assert "silent" not in verdicts
    assert "broken" not in verdicts
    assert "'of-this-test'" in caplog.text
    assert "short" not in run_verifiers("What is 1+1?", "2", "2")


def test_answered() -> None:
    assert VERIFIERS["answered"]("", "", " 5") is True
    assert VERIFIERS["answered"]("", "", " ") is False
    assert VERIFIERS["answered"]("", "", None) is False


def plain(verdict: bool | str | None) -> bool | None:
    """A verdict without its words."""
    return False if isinstance(verdict, str) else verdict


@pytest.mark.parametrize(
    ("name", "problem", "answer", "said"),
    [
        ("arithmetic", "", "9", "It is not true that 3 + 4 = 8."),
        ("substitution", "a_1 = 3, a_{n+1} = 2a_n + 5. Find the general term.", "2^{n+1} - 1", "a_2 is 11, but the answer"),
        ("substitution", "Solve 2x + 3 = 11.", "5", "x = 5 does not satisfy 2x + 3 = 11."),
        ("integral", "How many apples are left?", "2.5", "This does not hold: Where the problem asks how many"),
        ("complete", "", "9", "This does not hold: The text goes on to its end."),
    ],
)  # fmt: skip
def test_a_failure_says_what_is_wrong(name: str, problem: str, answer: str, said: str) -> None:
    text = "Then 3 + 4 = 8 remain."
    assert run_verifiers(problem, text, answer, truncated=True)[name] is False
    assert failure(name, problem, text, answer).startswith(said)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("A short solution.\n\nWith lines.\n", True),
        ("We add 1 to both sides.\n" * 9, False),
        ("So far so good. " + "then x is 3, so " * 12, False),
        ("\n".join(f"Step {n}: add {n} to the sum of the first numbers." for n in range(50)), True),
        ("x" * 3_000, False),
        ("| --- | --- |\n" + "-" * 300, True),
        ("", True),
    ],
)
def test_not_repeating(text: str, verdict: bool) -> None:
    assert not_repeating("", text, None) is verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("She sold 48/2 = 24 clips in May.", True),
        ("She sold 48/2 = 26 clips in May.", False),
        ("In all 48 + 24 = 72 clips, and 72 - 2 = 70 are left.", True),
        ("In all 48 + 24 = 72 clips, and 72 - 2 = 60 are left.", False),
        (r"Then $2 \cdot 3 + 4 = 6 + 4 = 10$.", True),
        (r"Then $2 \cdot 3 + 4 = 6 + 4 = 11$.", False),
        (r"\[\frac{1}{2} + \frac13 = \frac{5}{6} = \boxed{\frac{10}{12}}\]", True),
        (r"\[\frac{1}{2} + \frac13 = \boxed{\frac{2}{5}}\]", False),
        ("\\begin{align*}\n3^2 + 4^2 &= 9 + 16 \\\\\n&= 24\n\\end{align*}", False),
        ("She pays $5 * 3 = $15.", True),
        ("She pays $5 * 3 = $16.", False),
        ("3 x 4 = 12 and 3 × 4 = 12", True),
        ("Average: 10 / 3 = 3.33", True),
        ("Average: 10 / 3 = 3.5", False),
        ("10 / 3 = 3 full boxes", None),
        ("We get 3 + 4 = 8. Also 2^2000 = 3^2000.", False),
        ("We get 3 + 4 = 7. Also 2^2000 = 3^2000.", False),
        ("1,200 + 300 = 1,500", True),
        (r"\sqrt{16} + 1 = 5", True),
        ("f(2) = 3 + 4 = 7", True),
        ("Nothing to see, x = 5.", None),
        ("2x + 3 = 9", None),
        ("x^2 + 1 = 5", None),
        ("20% of 50 = 10", None),
        ("half of 20 + 4 = 12", None),
        (r"15 = 7 + 9 \pmod 1", None),
        ("3 apples + 4 apples = 9", None),
        ("n = 17 = 2 mod 5", None),
        ("12_3 + 1 = 5", None),
        ("150 / 60 = 2 hours 30 minutes", None),
        ("17 / 5 = 3 remainder 2", None),
        ("5 * 3 = 15 thousand", None),
        ("```python\nx = 3 + 4 == 8\nprint(3 + 4 = 8)\n```", None),
        ("a total of 5 + 3 = 9 million", None),
        # rounded to the places shown
        ("So 10/70 = 0.14 of it.", True),
        ("So 10/70 = 0.1 of it.", True),
        ("So 10/70 = 0.15 of it.", False),
        ("So 10/70 = 0.2 of it.", False),
        (r"So $2/3 \approx 0.67$.", True),
        ("So 2/3 ≈ 0.67.", True),
        ("So 19 * 21 ≈ 400.", None),
        ("So 2/3 = 0.66.", None),
        ("So 2/3 = 66.7%.", True),
        ("So 2/3 = 66.7% = 0.667.", True),
        ("So 15/75 * 100 = 20%.", True),
        ("So 15/75 = 20\\%.", True),
        ("So 15/75 = 30%.", False),
        ("So 1.25 + 1.1 = 2.4.", True),
        ("So 2.5 + 2.1 = 4.7.", False),
        ("So 24.5 + 10.2 = 34.8.", False),
        ("So 0.33 * 3 = 1.", None),
        ("So 2.5 * 3 = 8.5.", False),
        # readings
        ("So 60 / 3/4 = 80.", True),
        ("So 28 / 1/5 = 28 * 5.", True),
        ("So 14 / 1 / 4 = 14 * 4.", True),
        ("So 60 / 3/4 = 5.", True),
        ("So 60 / 3/4 = 70.", False),
        ("So 12 / 2*3 = 2.", True),
        ("So 3 * 3 = -3^2.", True),
        ("So 2 * 4 = -3^2.", False),
        (r"So $3^15^2 = 75$.", True),
        ("So 2^12 = 4096.", True),
        ("So 2^12 = 4.", False),
        # thousands
        ("So 10 000 / 4 = 2500.", True),
        ("So 10 000 / 4 = 2 500.", True),
        (r"So $10\,000 / 4 = 2\,500$.", True),
        (r"So $10{,}000 / 4 = 2{,}500$.", True),
        ("So 10\u202f000 / 4 = 2\u00a0500.", True),
        ("So 10 000 / 4 = 2 600.", False),
        ("So 1.000 + 500 = 1.500.", True),
        # units
        ("She gets $2.50 - $2.24 = 26 cents back.", None),
        ("She needs 2 * 60 = 2 hours.", None),
        ("It is 5 * 100 = 5 meters long.", None),
        ("She needs 3 * 24 = 3 days.", None),
        ("She needs 2 * 60 = 3 hours.", False),
        ("She gets $2.50 - $2.24 = 27 cents back.", False),
        # times, mixed numbers, names, chains
        ("It takes 0900-0130 = 0730 hours.", None),
        ("At 9:15 + 45 = 10:00 she leaves.", None),
        ("So 1 1/2 + 2 1/2 = 4.", True),
        (r"So $1\frac12 + 2 = 3\frac12$.", True),
        ("So 12 x 1 and 1/4 = 15.", None),
        ("The remaining 10 = 300/10 each.", None),
        ("So 3 + 4 = 7 = 14 / 2 = 7.0.", True),
        ("So 3 + 4 = 7 = 18 / 2.", False),
        (r"So 250 + 83 = 83.\overline{3} + 250.", None),
        # other arithmetic
        (r"So 7 * 3 = 1, and $21 \equiv 1$.", None),
        ("In base 5 we have 3 + 4 = 12.", None),
        ("The units digit is 7 * 3 = 1.", None),
        ("", None),
        ("So 0.1 + 0.2 = 0.30000000000000004.", True),
    ],
)
def test_arithmetic(text: str, verdict: bool | None) -> None:
    assert plain(arithmetic("", text, None)) is verdict


@given(st.text(alphabet="0123456789+-*/=()^{}$\\.,; \nxacdfrot&", max_size=300))
def test_equalities_raise_nothing(text: str) -> None:
    for found in equalities.equalities(text):
        assert equalities.holds(*found) in (True, False, None)


@pytest.mark.parametrize("text", ["1+" * 40_000 + "=2", "=" * 80_000, "1=1+1=" * 15_000, " " * 90_000 + "=", "$1 + " * 20_000])
def test_equalities_of_a_long_text_are_found_in_good_time(text: str) -> None:
    started = time.monotonic()
    arithmetic("", text, None)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("problem", "answer", "verdict"),
    [
        ("How many students are there?", "12", True),
        ("How many students are there?", "12.5", False),
        ("How many students are there?", r"\frac{1}{2}", False),
        ("How many students are there?", "-3", False),
        ("How many different ways are there?", "1,000", True),
        ("How many euros do we charge in all, rounded to the cent?", "2.5", None),
        ("How many hours does it take?", "2.5", None),
        ("How many miles did he run? How many dogs?", "2.5", None),
        ("How many square units are in the area?", "2.5", None),
        ("How many apples on average?", "2.5", None),
        ("How many students are there?", "x + 1", None),
        ("How many students are there?", None, None),
        ("What is x?", "2.5", None),
    ],
)
def test_integral(problem: str, answer: str | None, verdict: bool | None) -> None:
    assert integral(problem, "", answer) is verdict


@pytest.mark.parametrize(
    ("problem", "answer", "verdict"),
    [
        ("What is the probability that it rains?", r"\frac{3}{4}", True),
        ("What is the probability that it rains?", "1.5", False),
        ("What is the probability that it rains?", "-0.5", False),
        ("What is the probability, in percent, that it rains?", "75", None),
        ("The probability is m/n. Find m + n.", "7", None),
        ("What is the remainder when $7^{100}$ is divided by $5$?", "4", True),
        ("What is the remainder when $7^{100}$ is divided by $5$?", "5", False),
        ("What is the remainder when $7^{100}$ is divided by $5$?", "1.5", False),
        ("Find the remainder when x^3 is divided by x - 1.", "7", None),
        ("What is x?", "7", None),
    ],
)
def test_range(problem: str, answer: str, verdict: bool | None) -> None:
    assert in_range(problem, "", answer) is verdict


LINEAR = "Given that $a_1 = 3$ and $a_{n+1} = 2a_n + 5$ for all $n \\ge 1$, find the general term of $\\{a_n\\}$."
FIBONACCI = r"\frac{1}{\sqrt5}\left(\left(\frac{1+\sqrt5}{2}\right)^n-\left(\frac{1-\sqrt5}{2}\right)^n\right)"


@pytest.mark.parametrize(
    ("problem", "answer", "verdict"),
    [
        (LINEAR, "2^{n+2} - 5", True),
        (LINEAR, "a_n = 8 \\cdot 2^{n-1} - 5", True),
        (LINEAR, "$2^(n+2)-5$", True),
        (LINEAR, "2^{n+1} - 1", False),
        (LINEAR, "2^{n+2} + 5", False),
        (LINEAR, "3 for n = 1, else 11", None),
        (LINEAR, None, None),
        ("a_1 = 3 and a_{n+1} = 2 a_n + 5. Find a formula for a_n.", "2^(n+2) - 5", True),
        (r"In $\left\{a_{n}\right\}$, $a_{1}=1$, $a_{n}=3 a_{n-1}-4(n \geq 2)$. Give the general formula.",
         "2-3^{n-1}", True),
        ("Let u_0 = 1 and u_{n+1} = 3u_n. Find u_n.", "3^n", True),
        ("Let u_0 = 1 and u_{n+1} = 3u_n. Find u_n.", "3^{n-1}", False),
        ("F_1 = 1, F_2 = 1, F_{n+2} = F_{n+1} + F_n. Find a closed form.", FIBONACCI, True),
        ("a_1 = 1, a_{n+1} = a_n + 2n + 1. Find the general term.", "n^2", True),
        ("a_1 = 1, a_{n+1} = a_n + 2n + 1. Find the general term.", "n^2 - n + 1", False),
        (r"$a_1=1$, $a_{n+1}=\frac{n}{n+1}a_n$. Find $a_n$.", r"\frac{1}{n}", True),
        (r"$a_1=1$, $a_{n+1}=\frac{n}{n+1}a_n$. Find $a_n$.", r"\frac{1}{n-1}", False),
        ("a_1 = 1 and a_{n+1} = 2a_n. Find a_5.", "16", None),
        ("a_1 = 1 and a_{n+1} = 2a_n. Find S_n.", "2^n - 1", None),
        ("a_1 = 1 and a_{n+1} = 2a_n. Compute a_1 + a_2 + ... + a_n.", "2^n - 1", None),
        ("a_1 = 1 and a_{n+1} = a_n b_n, b_n = 2. Find a_n.", "2^n", None),
        ("a_{n+1} = 2a_n. Find a_n.", "2^n", None),
        ("Solve 2x + 3 = 11.", "4", True),
        ("Solve 2x + 3 = 11.", "x = 5", False),
        ("Solve for $x$: $x^2 - 5x + 6 = 0$.", "x = 2 or x = 3", True),
        ("Solve for $x$: $x^2 - 5x + 6 = 0$.", "2, 4", False),
        ("Solve for $x$: $x^2 - 5x + 6 = 0$.", "2", None),
        (r"Solve for $x$: $\frac{x^2 - 9}{x - 3} = 6x - 12$.", "3", None),
        ("Solve $2x^2 - 3x + 1 = 0$.", "1", None),
        ("Solve $2x^2 - 3x + 1 = 0$.", "1, 1/2", True),
        ("Solve $x + 2^2000 = 3^2000$.", "1", False),
        (r"Find $x$ if $\sqrt{x+3}=4$.", "13", True),
        (r"Find $x$ if $\sqrt{x+3}=4$.", "1", False),
        (r"Solve the equation $x^2 = 2$.", r"\pm\sqrt{2}", True),
        (r"Solve the equation $x^2 = 2$.", "1.414214", None),
        ("Find the sum of the roots of $x^2-5x+6=0$.", "5", None),
        ("If $3x=12$, what is $x+1$?", "5", None),
        ("If $x+y=12$, find $x$.", "5", None),
        ("Solve $x^2 = -1$.", "i", None),
        # a proof is exact and complete
        ("Find all values of $z$ such that $z^4 - 4z^2 + 3 = 0$.", r"-1, 1, \sqrt{3}", None),
        ("Find all values of $z$ such that $z^4 - 4z^2 + 3 = 0$.", r"-1, 1, \sqrt{3}, -\sqrt{3}", True),
        ("Find all values of $z$ such that $z^4 - 4z^2 + 3 = 0$.", r"-1, 1, \sqrt{3}, -\sqrt{2}", False),
        (r"Find $x$ if $3 \arctan \frac14 + \arctan \frac1{20} + \arctan \frac{1}{x} = \frac{\pi}{4}$.", "1984", None),
        (r"Find $x$ if $3 \arctan \frac14 + \arctan \frac1{20} + \arctan \frac{1}{x} = \frac{\pi}{4}$.", "1900", False),
        ("Solve $x^2 = 2$.", r"\sqrt{2.0000001}, -\sqrt{2}", None),
        ("Solve $x^2 = 2$.", "1.41, -1.41", None),
        ("Solve $x^2 = 2$.", "1.43, -1.43", False),
        ("Solve $x^2 = 2$.", r"\sqrt2, -\sqrt2, \sqrt2", True),
        ("Solve $x^3 = 8$.", "2", None),
        ("Find all real solutions of $x^3 = 8$.", "2", True),
        ("Find the positive solution of $x^2 = 9$.", "3", True),
        ("Find the positive solution of $x^2 = 9$.", "-3", None),
        ("Solve $(x - 1)^2 = 0$.", "1", True),
        ("Find the roots of $(x - 1)^2 = 0$, counting multiplicity.", "1", None),
        ("Solve $x^7 = 128$.", "2", None),
        ("Solve $|x - 10| = 2$.", "8", None),
        ("Solve $|x - 5000| = 2$.", "4998", None),
        (r"Solve $\sqrt{(x - 10)^2} = 2$.", "8", None),
        (r"Solve $\lfloor x \rfloor = 3$.", "3", None),
        (r"Solve $\sin x = \frac12$.", r"\frac{\pi}{6}", None),
        ("Solve $2^x = x^2$.", "2, 4", None),
        ("Solve $2^x = 8$.", "3", True),
        ("Solve $x + 1 = x + 1$.", "3", None),
        (r"Solve $\frac{1}{x - 1} + \frac{1}{x + 1} = \frac{4}{3}$.", "2, -1/2", True),
        (r"Solve $\frac{1}{x - 1} + \frac{1}{x + 1} = \frac{4}{3}$.", "2", None),
        (r"Find $w$ such that $5^65^w = 25$.", "-4", None),
        ("a_1 = 1, a_{n+1} = 2a_n. Find a_n.", "2^{n-1} + 0.0000000001", False),
        (r"a_1 = 1, a_{n+1} = 2a_n. Find a_n.", r"\sqrt{4^{n-1} + 0.0000000001}", None),
        # without marks, a word may be part of the equation, and other words limit the roots
        ("Solve sin x = 0.", "0", None),
        (r"Solve \sin x = 0 for 0 \le x < 2\pi.", "0", None),
        ("Solve for x: the square of x = 9.", "9", None),
        ("Solve x = 3 squared.", "3", None),
        ("Solve for x: 3x - 7 = 2x + 5", "12", True),
        ("Find all x with $x^2 + x = 6$ and $x$ even.", "2, -3", None),
        ("Find $x$ if $3^x = 9$ and x is larger than 5.", "2", None),
        (r"Find the value of $x$ in degrees: $\sin x = 1$", "90", None),
        ("If 2x = 10, what is x + 1?", "6", None),
    ],
)  # fmt: skip
def test_substitution(problem: str, answer: str | None, verdict: bool | None) -> None:
    assert plain(substitution(problem, "", answer)) is verdict


@given(st.text(alphabet="anx_{}+-=123^ ,.$\\Findsolve()", max_size=120), st.text(alphabet="nx^+-12{}= ,", max_size=20))
def test_no_check_raises(problem: str, answer: str) -> None:
    for check in VERIFIERS.values():
        verdict = check(f"{problem} a_1 = 2, a_{{n+1}} = {answer} Find a_n. How many?", problem, answer)
        assert plain(verdict) in (True, False, None)
