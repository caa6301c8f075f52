"""program (solver): a whole solution as a Python program, which runs in an isolated interpreter."""

from __future__ import annotations

from reasonflux_agent.prompts import Message, ParseError, Prompt, brief, user

TASK = """Task: write a Python program that computes the answer to the problem and prints it as its only output.
Import nothing but math and itertools. Reply with one ```python block and nothing else."""


def render(problem: str) -> list[Message]:
    """The request for a program."""
    return user(brief(problem), TASK)


def parse(reply: str) -> str:
    """The program's text. Raises ParseError if there is none."""
    from reasonflux_agent.verify.programs import extract_program

    code = extract_program(reply)
    if not code:
        raise ParseError("it holds no ```python block.")
    return code


OUTPUT = "```output"
"""What a model writes behind its program to go on with an output that it imagines; a reply whose program is run stops there."""
PROGRAM: Prompt[str] = Prompt("program", "solver", render, parse, max_tokens=600, stop=(OUTPUT,))
