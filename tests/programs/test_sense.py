"""Programs mean in the interpreter what they mean in Python, and no name of ours stands in an error."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from reasonflux_agent.verify.programs import run_program

LIKE_PYTHON = [
    "print(1)\nimport sys\nsys.exit()\nprint(2)",
    "import sys\nprint(1)\nsys.exit(0)",
    "from sys import exit\nprint(1)\nexit(0)",
    "from sys import exit as leave, maxsize\nprint(maxsize > 1)\nleave()",
    "import os\nprint(1, flush=True)\nos._exit(0)",
    "print(1)\nexit()\nprint(2)",
    "print(1)\nquit()",
    "print(1)\nraise SystemExit\nprint(2)",
    "print(1)\nraise SystemExit(0)",
    "print(1)\nraise SystemExit()",
    "import sys\ndef main():\n    print(3)\n    return 0\nsys.exit(main())",
    "def main():\n    print(3)\nraise SystemExit(main())",
    "import sys\ndef main():\n    print(3)\n    return 0\nif __name__ == '__main__':\n    sys.exit(main())",
    "def main():\n    print(3)\n\nif __name__ == '__main__': main()",
    "import sys\nfor n in range(9):\n    if n * n > 20:\n        print(n)\n        sys.exit(0)",
    "import sys\ntry:\n    print(1)\n    sys.exit(0)\nexcept Exception:\n    print('caught')",
    "try:\n    exit()\nexcept SystemExit:\n    print('caught')",
    "try:\n    print(1 / 0)\nexcept ZeroDivisionError as error:\n    print(error)\nfinally:\n    print('done')\n    exit()",
    "print('sys.exit(1) and exit() # no call')  # exit()",
    "text = 'from fractions import Fraction'\nprint(text, len('from math import *'))",
    "x = '''\nfrom fractions import Fraction\nsys.setrecursionlimit(9)\n'''\nprint(x)",
    "exit = 5\nprint(exit)",
    "quit = [1]\nprint(quit[0])",
    "str = 3\nlist = [1, 2]\nint = sum(list)\nprint(str, list, int)",
    "list = [3, 1]\nmax = list[0]\nprint(f'{max} of {list}')",
    "from fractions import Fraction\nint = float = abs = str = math = 3\nprint(Fraction(1, 2) + Fraction('1/3') - 1)",
    "def f():\n    from fractions import Fraction\n    return Fraction(1, 2)\nprint(f())",
    "def f():\n    from fractions import Fraction as F\n    return F(1, 2)\nprint(f(), f() == '1/2')",
    "import fractions\nprint(fractions.Fraction(1, 2))",
    "import math, fractions as fr\nprint(fr.Fraction(math.gcd(4, 6), 4))",
    "from fractions import *\nprint(Fraction(3, 6))",
    "from fractions import Fraction\nprint(2 / Fraction(4, 3), 0.5 / Fraction(1, 4), Fraction(1, 4) ** 0.5)",
    "import sys\nsys.setrecursionlimit(10_000); print(4)",
    "import sys\nsys.set_int_max_str_digits(0)\nprint(3)",
    "if True:\n    print('#', '\\\\', \"'\")  # ')",
    "print('é', end='');print('ü')",
    "x = 1; print(x); x",
    "print((1 +\n       # between\n       2))",
    "if (n := 5) > 3: print(n)",
    "def f():\n    return 5\n    return 6\nclass A:\n    def g(self): return 7\nprint(f(), A().g(), (lambda: 8)())",
]


@pytest.mark.parametrize("code", LIKE_PYTHON)
def test_a_program_prints_what_python_prints(code: str) -> None:
    python = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert python.returncode == 0, python.stderr
    result = run_program(code)
    assert (result.output, result.error) == (python.stdout.rstrip(), None)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("return 5", "5"),
        ("x = 20\nreturn x + 1, x", "(21, 20)"),
        ("x = 20\nreturn (\n    x  # twenty\n    + 1\n)", "21"),
        ("return", ""),
        ("print(3)\nreturn 4", "3"),
        ("def f(n):\n    return n\nreturn f(6)", "6"),
        ("(1 +\n # a comment\n 2)", "3"),
        ("(\n    (7)\n)  # end", "7"),
        ("x = [\n  1,\n  2,\n]\nsum(\n    x,  # all\n)", "3"),
        ("x = 1; x + 1", "2"),
        ("x = 1; x + 1;", "2"),
        ("(y := 5)", "5"),
        ("[y := 5, y ** 2]", "[5, 25]"),
        ("1, 2", "(1, 2)"),
        ("*[1, 2], 3", "(1, 2, 3)"),
        ("'#'", "#"),
        ("'a # b'  # c", "a # b"),
        ("'''a\nb'''", "a\nb"),
        ("'a' \\\n'b'", "ab"),
        ("x = 'é'; f'{x}{x}'", "éé"),
        ("lambda_ = 3\nlambda_ if lambda_ else 0", "3"),
        ("str = 1\nprint = 2\nlist = 3\nstr + print + list", "6"),
        ("value = 3\nvalue", "3"),
        ("None", ""),
        ("print()", ""),
        ("x = 5", ""),
        ("def f():\n    return 7\nif __name__ == '__main__':\n    f()", "7"),
        ("if __name__ == '__main__': 7", "7"),
        ("def solve():\n    return 7\nx = 1", "7"),
        ("def main():\n    return 'exit'", "exit"),
        ("class exit:\n    pass\n3", "3"),
        ("    x = 3\n    if x:\n        print(x)\n", "3"),
        ('def f(n: int) -> int:\n    """# doc"""\n    return n  # n\n\n\nf(\n    3\n)', "3"),
        ("x = [n for n in range(3)]\n[y for y in x if y]", "[1, 2]"),
        ("async def main():\n    print(4)\nimport asyncio\nasyncio.run(main())", "4"),
        ("x = 5 if True else 6\n-x", "-5"),
        ("not True", "False"),
        ("assert 1 == 1\n'ok'", "ok"),
        ("# nothing", ""),
        ("", ""),
    ],
)
def test_the_last_expression_is_the_value(code: str, value: str) -> None:
    result = run_program(code)
    assert (result.output, result.error) == (value, None)


@pytest.mark.parametrize(
    ("code", "output", "error"),
    [
        ("if True:\n    return 5", "", "SyntaxError: 'return' outside function"),
        ("print(1)\nfor i in range(3):\n    return i\n", "", "SyntaxError: 'return' outside function"),
        ("return 1\nprint(2)", "", "SyntaxError: 'return' outside function"),
        ("class A:\n    return 1", "", "SyntaxError: 'return' outside function"),
        ("x = 1\nif x:\n    return x\nx", "", "SyntaxError: 'return' outside function"),
        ("print(1)\nundefined", "1", "NameError: name 'undefined' is not defined"),
        ("print(1)\nreturn undefined", "1", "NameError: name 'undefined' is not defined"),
        ("_value_", "", "NameError: name '_value_' is not defined"),
        ("value", "", "NameError: name 'value' is not defined"),
        ("sys.maxsize", "", "NameError: name 'sys' is not defined. Did you forget to import 'sys'?"),
        ("print(1)\nexit('no solution')", "1", "SystemExit: no solution"),
        ("raise SystemExit('no solution')", "", "SystemExit: no solution"),
        ("from fractions import Fraction\nmath", "", "NameError: name 'math' is not defined"),
        ("from fractions import Fraction\nFraction(1, 0)", "", "ZeroDivisionError: Fraction(1, 0)"),
        ("from fractions import Fraction\nFraction('a')", "", "ValueError: Invalid literal for Fraction: 'a'"),
        ("from fractions import Fraction\nFraction([1])", "", "TypeError: both arguments should be Rational instances"),
        ("from fractions import Fraction\nFraction(1, 2) + 'a'", "",
         "TypeError: unsupported operand type(s) for +: 'Fraction' and 'str'"),
        ("from fractions import Fraction\nNone - Fraction(1, 2)", "",
         "TypeError: unsupported operand type(s) for -: 'NoneType' and 'Fraction'"),
        ("1 / 0", "", "ZeroDivisionError: division by zero"),
        ("def solve(n):\n    return n", "", "TypeError: solve() missing 1 required positional argument: 'n'"),
        ("x = 3\nx(\n  4)", "", "TypeError: 'int' object is not callable"),
    ],
)  # fmt: skip
def test_an_error_is_the_programs_own(code: str, output: str, error: str) -> None:
    result = run_program(code)
    assert (result.output, result.error) == (output, error)


@pytest.mark.parametrize(
    "last", ["undefined", "1 / 0", "(", "return", "x = (1,\n", "yield 1", "await x", "del y", "f()", "raise", "\ud800"]
)
@pytest.mark.parametrize(
    "first", ["", "import sys\n", "from fractions import Fraction\nF = Fraction(1, 2)\n", "def f(): return f()\n"]
)
def test_no_name_of_ours_is_in_an_error(first: str, last: str) -> None:
    error = run_program(first + last).error or ""
    assert not re.search(r"_value_|_str_|sys_exit|lambda|\bline \d|\bvalue\b", error), error
