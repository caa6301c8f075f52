"""form (solver): puts a solution into the JSON that a client's schema asks for."""

from __future__ import annotations

import json
import re
from typing import Any

from reasonflux_agent.prompts import Message, ParseError, Prompt, user, with_latex

TASK = """Task: the problem is solved. Write the solution as one JSON value that follows this JSON schema, and nothing else. Use
the field names of the schema. Take every value from the solution or the problem; do not solve the problem anew."""
LONGEST = 12_000
"""Characters of the solution at most; of a longer one, the end is shown."""


def form_prompt(problem: str, solution: str, schema: dict[str, Any]) -> Prompt[Any]:
    """Return the prompt for this schema. Its `parse` returns the JSON value of a reply, unchecked."""

    def render() -> list[Message]:
        shown = json.dumps(schema, ensure_ascii=False)
        return user(f"Problem:\n{problem.strip()}", f"Solution:\n{solution.strip()[-LONGEST:]}", TASK, f"JSON schema:\n{shown}")

    return Prompt("form", "solver", render, parse)


def parse(reply: str) -> Any:
    r"""Return the JSON value in a reply; a fence around it is left out. Raises ParseError.

    >>> parse('{"value": "\\frac{1}{2}"}')
    {'value': '\\frac{1}{2}'}
    """
    found = re.search(r"```(?:json)?\s*\n(.*?)```", reply, re.DOTALL)
    try:
        return json.loads(with_latex(found[1] if found else reply), strict=False)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"it is not JSON: {error}.") from None
