"""Programs in the isolated interpreter."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from reasonflux_agent.verify import programs
from reasonflux_agent.verify.programs import MAX_CODE, MAX_OUTPUT, extract_program, run_program
from tests.ticking import ticking


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("First\n```python\nprint(1)\n```\nthen\n```python\nprint(2)\n```\nend", "print(2)"),
        ("```py\nprint(1)\n", "print(1)"),
        ("```Python3\nx = '```'\nprint(x)\n```", "x = '```'\nprint(x)"),
        ("```python\r\nprint(1)\r\n```", "print(1)"),
        ("  ```python\n  print(1)\n  ```", "  print(1)"),
        ("```\nprint(1)\n```", None),
        ("```json\n{}\n```", None),
        ("```python\n\n```", None),
        ("print(1)", None),
        ("", None),
    ],
)
def test_the_last_python_block(text: str, program: str | None) -> None:
    assert extract_program(text) == program


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("print(1)\nprint('a', 'b', sep='-')", "1\na-b"),
        ("x = 20\nx * 2 + 2", "42"),
        ("print(1)\n2", "1"),
        ("x = 1", ""),
        ("[\n    1,  # one\n    2,\n]  # all", "[1, 2]"),
        ("x = 'é'; x * 2\n\n# done", "éé"),
        ("x = 1\r\n(x + 1)", "2"),
        ("str = 3\n4, str", "(4, 3)"),
        ("x = '\u2028\u2028'\nlen(x)", "2"),
        ("from fractions import Fraction\nFraction(3, 4)", "3/4"),
        ("def solve():\n    return 7", "7"),
        ("def solution():\n    print(8)", "8"),
        ("def solve():\n    return 7\nprint(solve() + 1)", "8"),
        ("def main():\n    print('ran')\n\nif __name__ == '__main__':\n    main()", "ran"),
        ("import math\nprint(math.comb(10, 3), math.gcd(12, 18), math.isqrt(17))", "120 6 4"),
        ("from math import *\nprint(sqrt(16), gcd(4, 6))", "4.0 2"),
        ("from itertools import permutations\nprint(sum(1 for p in permutations(range(5)) if p[0] < p[-1]))", "60"),
        ("from collections import Counter\nprint(Counter('aab').most_common(1))", "[('a', 2)]"),
        ("from functools import lru_cache\n@lru_cache(None)\ndef f(n): return n if n < 2 else f(n-1) + f(n-2)\nf(90)",
         "2880067194370816120"),
        ("import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nf(3000)", "3000"),
        ("from decimal import Decimal\nprint(Decimal('0.1') + Decimal('0.2'))", "0.3"),
        ("print(f'{1/3:.3f} {1234567:,}')", "0.333 1,234,567"),
        ("print(2**200 % 10**9 + 7)", str(2**200 % 10**9 + 7)),
        ("import time\ntime.sleep(60)\nprint('awake')", "awake"),
    ],
)  # fmt: skip
def test_output(code: str, output: str) -> None:
    result = run_program(code)
    assert (result.output, result.error) == (output, None)


FRACTIONS = [
    "Fraction(1, 2) + Fraction(1, 3) - 1",
    "sum([Fraction(1, k) for k in range(1, 6)])",
    "2 / Fraction(1, 2) * Fraction(3, 7)",
    "Fraction(2, 3) ** -2",
    "1 - abs(-Fraction(1, 3))",
    "[Fraction(6, -4), Fraction('3/4'), Fraction('0.125'), Fraction(0.75)]",
    "Fraction(0.1).limit_denominator()",
    "Fraction(3.14159265358979).limit_denominator(1000)",
    "Fraction(Fraction(1, 2), Fraction(3, 4)).numerator",
    "(Fraction(1, 2) == Fraction(2, 4), Fraction(4, 2) == 2, Fraction(1, 2) != Fraction(1, 3))",
    "{Fraction(1, 2): 'half'}[Fraction(2, 4)]",
    "float(Fraction(1, 8)) + int(Fraction(7, 2)) + Fraction(1, 2) * 0.5",
]


LIKE_PYTHON = [
    *(f"from fractions import Fraction\nprint({expression})" for expression in FRACTIONS),
    "from datetime import datetime\nprint(datetime.strptime('00:33:47', '%H:%M:%S'), datetime.strptime('1 PM', '%I %p').hour)",
    "from datetime import datetime as d\nprint(d.strptime('10:20:30.123', '%H:%M:%S.%f') - d.strptime('9:00', '%H:%M'))",
    "import datetime as dt\nprint(dt.datetime.strptime('March 2024', '%B %Y'), dt.datetime.strptime('3/5', '%m/%d'))",
    "from datetime import datetime\nprint(datetime.strptime('2024-03-01 (Monday)', '%Y-%m-%d (%A)'))",
    "from datetime import datetime\nprint(datetime.strptime('2024-03-01 10:20 UTC+0100', '%Y-%m-%d %H:%M UTC%z'))",
    "from datetime import datetime\nprint(datetime.strptime('Fri 1 Mar 2024, 10:20', '%a %d %b %Y, %H:%M').strftime('%A'))",
    "import calendar\nprint(calendar.isleap(1900), calendar.monthrange(2024, 2), calendar.weekday(2024, 2, 1))",
    "import calendar as c\nprint(c.month_name[2], c.leapdays(1999, 2025), c.monthcalendar(2024, 2), c.day_name[3])",
    "from calendar import monthrange, isleap as leap\nprint(monthrange(2023, 12)[1], leap(2000))",
    "import string\nprint(string.ascii_lowercase.index('c'), string.ascii_letters, string.punctuation, string.digits)",
    "from statistics import mean, median, mode\nprint(mean([1, 2]), median([4, 1]), mode('hello'))",
    "import statistics as s\nprint(round(s.stdev([1, 2, 4]), 9), s.pvariance([1.5, 2]), s.fmean([1, 3]))",
    "import heapq\nh = [3, 1]\nheapq.heapify(h)\nheapq.heappush(h, 0)\nprint(heapq.heappop(h), heapq.nlargest(2, h))",
    "from operator import itemgetter, mul\nprint(sorted([(2, 1)], key=itemgetter(1)), mul(3, 4), itemgetter(0, 1)('ab'))",
    "from collections import OrderedDict, deque\nprint(list(OrderedDict([('a', 1)]).items()), deque([1]))",
    "print(pow(3, -1, 7), pow(3, -2, 7), pow(2, 10), pow(2, 10, 1000))",
    "print(sorted(['b', 'A', 'a'], key=str.lower), ''.join(map(str.upper, 'ab')), list(filter(str.isdigit, 'a1')))",
    "d = {'a': 1, 'b': 3}\nl = [1, 2, 1]\nprint(max(d, key=d.get), max(set(l), key=l.count), list(map(d.get, ['a', 'c'])))",
    "import sys\nsys.stdout.write('a')\nsys.stdout.write('b' + chr(10))",
    "a, d = [1, 2, 3], {'x': 1}\ndel a[0]\ndel d['x']\nprint(a, d)\ndel a",
]


@pytest.mark.parametrize("code", LIKE_PYTHON)
def test_what_the_interpreter_lacks_is_that_of_python(code: str) -> None:
    with redirect_stdout(StringIO()) as printed:
        exec(code, {})  # noqa: S102 - our own text
    result = run_program(code)
    assert (result.output, result.error) == (printed.getvalue().rstrip(), None)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            "from datetime import datetime\ndatetime.strptime('24-13', '%H-%M-%S')",
            "ValueError: time data '24-13' does not match",
        ),
        ("from statistics import *", "NotImplementedError"),
        ("import calendar\ncalendar.monthrange(2024, 13)", "ValueError: bad month number 13"),
        ("pow(2, -1, 4)", "ValueError: base is not invertible"),
        ("1/0", "ZeroDivisionError"),
        ("print(undefined)", "NameError"),
        ("def f(:\n", "SyntaxError"),
        ("x = (", "SyntaxError"),
        ("(" * 5_000 + ")" * 5_000, "SyntaxError"),
        ("import os\nos.system('true')", "AttributeError"),
        ("import os\nprint(os.listdir('/'))", "PermissionError"),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("import socket", "ModuleNotFoundError"),
        ("import subprocess", "ModuleNotFoundError"),
        ("from sympy import symbols", "ModuleNotFoundError"),
        ("__import__('os')", "NameError"),
        ("[0] * 10**10", "MemoryError"),
        ("'a' * 10**10", "MemoryError"),
        ("2**10**9", "MemoryError"),
        ("3**20000", "ValueError"),
        ("def f(): return f()\nf()", "RecursionError"),
        ("def solve(n):\n    return n", "TypeError"),
        ("#" * (MAX_CODE + 1), "ValueError"),
    ],
)
def test_what_goes_wrong_is_one_line(code: str, error: str) -> None:
    result = run_program(code)
    assert result.error is not None
    assert result.error.startswith(error)
    assert "\n" not in result.error
    assert len(result.error) <= 300


def test_what_was_printed_before_the_error_is_kept() -> None:
    result = run_program("print(41)\nprint(1/0)")
    assert (result.output, result.error) == ("41", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    "code", ["while True: pass", "x = 0\nwhile True: x += 1", "10**10**8", "a = [7] * 10\nfor _ in range(20): a = [a] * 10\na"]
)
def test_time_is_bounded(code: str) -> None:
    started = time.monotonic()
    result = run_program(code, seconds=0.5)
    assert time.monotonic() - started < 10
    assert result.error
    assert result.error.split(":")[0] in ("TimeoutError", "MemoryError")


def test_output_is_bounded() -> None:
    result = run_program("while True: print('x' * 100)", seconds=0.5)
    assert result.error
    assert 0 < len(result.output) <= MAX_OUTPUT


async def test_a_small_value_with_much_text_is_written_out_where_it_costs_us_nothing() -> None:
    async with ticking(0.01) as loop:
        result = await asyncio.to_thread(run_program, "x = 3 ** 8000\n[x] * 1000")
        assert (result.output[:5], len(result.output)) == ("[" + str(3**8000)[:4], MAX_OUTPUT)
        result = await asyncio.to_thread(run_program, "a = ['x' * 10**6] * 100\n[a] * 100")
    assert result.error
    assert result.error.startswith("MemoryError")
    assert loop.ticks > 10


def test_a_program_writes_no_file(tmp_path: Path) -> None:
    result = run_program(f"open({str(tmp_path / 'out')!r}, 'w').write('x')")
    assert result.error
    assert list(tmp_path.iterdir()) == []


def test_programs_share_nothing() -> None:
    assert run_program("secret = 5\nsecret").output == "5"
    assert "NameError" in (run_program("secret").error or "")


def test_threads_run_side_by_side() -> None:
    with ThreadPoolExecutor(8) as threads:
        outputs = [result.output for result in threads.map(lambda n: run_program(f"{n} * {n}"), range(40))]
    assert outputs == [str(n * n) for n in range(40)]


async def test_the_event_loop_goes_on() -> None:
    running = asyncio.create_task(asyncio.to_thread(run_program, "while True: pass", seconds=0.5))
    ticks = 0
    while not running.done():
        await asyncio.sleep(0.02)
        ticks += 1
    assert ticks >= 5
    assert (await running).error
    assert (await asyncio.to_thread(run_program, "6 * 7")).output == "42"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_is_told_that_it_cannot_run_programs() -> None:
    script = (
        "import os; from reasonflux_agent.verify.programs import run_program\n"
        "assert run_program('1 + 1').output == '2'\n"
        "if os.fork() == 0:\n"
        "    os._exit('spawn' not in (run_program('1 + 1').error or ''))\n"
        "assert os.wait()[1] == 0\n"
        "assert run_program('2 + 1').output == '3'"
    )
    root = Path(programs.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
