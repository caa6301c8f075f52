"""Programs that attack the isolated interpreter, from a grammar of Python: none reaches a file, a process, the network, the
environment or our own interpreter, and each ends in time. (tests/programs shows the single refusals.)"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonflux_agent.verify.programs import MAX_OUTPUT, run_program

CANARY = "canary-77c1"
MODULES = ("os", "sys", "io", "subprocess", "socket", "ctypes", "pickle", "builtins", "importlib", "asyncio", "pathlib", "math")
NAMES = (
    *("__import__", "__builtins__", "__loader__", "__spec__", "open", "eval", "exec", "compile", "globals", "locals", "vars"),
    *("getattr", "setattr", "delattr", "type", "object", "super", "help", "input", "breakpoint", "memoryview", "classmethod"),
)
ATTRIBUTES = (
    *("__class__", "__mro__", "__base__", "__subclasses__", "__globals__", "__code__", "__dict__", "__init__", "__reduce__"),
    *("__getattribute__", "f_globals", "gi_frame", "tb_frame", "environ", "system", "popen", "read", "write", "modules"),
)
VALUES = ("1", "10**9", "'a'", "'PLACE'", "'VLLM_API_KEY'", "[]", "()", "{}", "f", "lambda x: x", "(i for i in [1])", "None")
OPERATORS = ("+", "*", "**", "%", "<<", "//", "@", "in", "and")
PLAIN = (
    "global x",
    "del x",
    "return 1",
    "yield 1",
    "raise SystemExit",
    "raise KeyboardInterrupt",
    "assert 0",
    "import os.path",
)
atoms = (
    st.sampled_from([*NAMES, *MODULES])
    | st.sampled_from(VALUES)
    | st.sampled_from(["'{0.__class__}'", "b'x'", "1.5", "1j", "..."])
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(ATTRIBUTES)).map(lambda p: f"({p[0]}).{p[1]}"),
        st.tuples(inner, st.lists(inner, max_size=3)).map(lambda p: f"({p[0]})({', '.join(p[1])})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(" ".join).map("({})".format),
        st.tuples(inner, inner).map(lambda p: f"getattr({p[0]}, {p[1]})"),
        inner.map(lambda e: f"[{e} for _ in range(10**6)]"),
        inner.map(lambda e: f"(f'{{{e}}}')" if "'" not in e and "\\" not in e else e),
    ),
    max_leaves=5,
)
statements = st.one_of(
    expressions.map("print({})".format),
    expressions.map("x = {}".format),
    st.tuples(st.sampled_from(MODULES), st.sampled_from(ATTRIBUTES)).map(lambda p: f"from {p[0]} import {p[1]}"),
    st.sampled_from(MODULES).map("import {}".format),
    expressions.map("def f(*a):\n    return {}\nprint(f(1))".format),
    expressions.map("class C:\n    __del__ = __enter__ = __call__ = lambda *a: {}\nC()()".format),
    expressions.map("try:\n    {}\nexcept BaseException as e:\n    print(e, e.__traceback__, e.__class__)".format),
    expressions.map("while True:\n    try:\n        x = {}\n    except BaseException:\n        pass".format),
    expressions.map("with {} as f:\n    f.write('x')".format),
    expressions.map("async def g():\n    await {}\ng().send(None)".format),
    st.sampled_from(PLAIN),
)
programs = st.lists(statements, min_size=1, max_size=4).map("\n".join)


@settings(max_examples=250)
@given(programs)
def test_a_hostile_program_reaches_nothing(tmp_path_factory: pytest.TempPathFactory, code: str) -> None:
    place = tmp_path_factory.getbasetemp() / "written"
    os.environ["VLLM_API_KEY"] = CANARY
    started = time.monotonic()
    try:
        result = run_program(code.replace("PLACE", str(place)), seconds=0.2, memory=64_000_000)
    finally:
        del os.environ["VLLM_API_KEY"]
    assert time.monotonic() - started < 20
    assert not place.exists()
    assert CANARY not in result.output + (result.error or "")
    assert len(result.output) <= MAX_OUTPUT
    assert len(result.error or "") <= 300


def test_the_pool_survives_what_kills_a_worker() -> None:
    """Sixteen bombs at once, and the next program is none the wiser."""
    bombs = ["x = [0]\nwhile True: x = x * 2", "def f(): f()\nf()", "'a' * 10**10", "while True: pass"] * 4
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda code: run_program(code, seconds=0.3, memory=64_000_000), bombs))
    assert all(result.error for result in results)
    assert run_program("6 * 7").output == "42"


READING = ["open({!r}).read()", "from pathlib import Path\nPath({!r}).read_text()", "import os\nos.stat({!r})"]


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/self/mem", "PLACE", "../x", "~/.ssh/id_rsa"])
@pytest.mark.parametrize("how", READING)
def test_no_path_is_read(tmp_path: Path, path: str, how: str) -> None:
    (tmp_path / "x").write_text(CANARY)
    result = run_program(how.format(path.replace("PLACE", str(tmp_path / "x"))))
    assert result.error
    assert CANARY not in result.output
