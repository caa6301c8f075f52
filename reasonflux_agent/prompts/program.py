"""program (solver): the solution as a Python program, which is run in an isolated interpreter."""

from __future__ import annotations

from reasonflux_agent.prompts import Message, ParseError, Prompt, brief, user

TASK = """Task: write a Python program that computes the answer to the problem and prints it as its only output.
Import nothing but math and itertools. Reply with one ```python block and nothing else."""


def render(problem: str) -> list[Message]:
    return user(brief(problem), TASK)


def parse(reply: str) -> str:
    """Return the program's text. Raises ParseError if there is none."""
    from reasonflux_agent.verify.programs import extract_program

    code = extract_program(reply)
    if not code:
        raise ParseError("it holds no ```python block.")
    return code


OUTPUT = "```output"
"""A model that goes on after its program writes this, and an output that it imagines: the reply ends before it."""
PROGRAM: Prompt[str] = Prompt("program", "solver", render, parse, max_tokens=600, stop=(OUTPUT,))
