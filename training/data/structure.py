"""The structure of a thought template as text: how a model is asked for it, how it is written and read back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reasonflux_agent.prompts import Message, ParseError, Prompt, brief, user
from reasonflux_agent.schema import Example, Template

FORM = """Description: what the method does, in one line
Scope:
- a kind of problem that it fits (one line each)
Flow:
1. the first abstract step, for any such problem (one line each, 2 to 6 steps)"""
DESCRIBE = f"Task: write the structure of this thought template, in this form:\n{FORM}"
EXTRACT = f"""Task: write the method behind this solution as a thought template, so that it helps with similar problems whose
numbers differ. Name no number of this problem. In this form:
Name: what the method is called
Tags: two to four key words, separated by commas
{FORM}"""

SHOWN = Template(
    id="shown",
    name="Work per unit of time",
    tags=("rates", "word problem"),
    description="Several workers share a job; their rates add up.",
    scenario=("pipes that fill a tank together", "machines that finish an order side by side"),
    flow=(
        "Write the rate of each worker as the part of the job done in one unit of time",
        "Add the rates of those who work at once",
        "Divide the job by the joint rate",
    ),
    example=Example(
        problem="One tap fills a tub in 6 minutes, another in 3 minutes. How long do both together take?",
        steps=("The taps fill 1/6 and 1/3 of the tub in a minute.", "Together that is 1/2 of it, so they take 2 minutes."),
        answer="2",
    ),
)
"""Shown as an earlier turn: small models follow what they are shown."""

_FIELD = re.compile(r"^[\s*#]*(Name|Method|Tags|Description|Scope|Flow)[\s*]*:[\s*]*(.*)$", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*•]\s+|\d{1,2}[.)]\s+)")


def render_describe(name: str, tags: Sequence[str]) -> list[Message]:
    """The request for the structure of a template, given its name and tags (the paper's stage 1)."""
    return user(f"Thought template: {name}", f"Tags: {', '.join(tags)}" if tags else "", DESCRIBE)


def render_extract(problem: str, solution: str) -> list[Message]:
    """The request for the template behind a solved problem."""
    example = SHOWN.example
    assert example is not None
    shown = user(brief(example.problem), "Solution:\n" + "\n".join(example.steps), EXTRACT)
    reply: Message = {"role": "assistant", "content": f"Name: {SHOWN.name}\nTags: {', '.join(SHOWN.tags)}\n{write(SHOWN)}"}
    return [*shown, reply, *user(brief(problem), f"Solution:\n{solution.strip()}", EXTRACT)]


def write(template: Template) -> str:
    """Description, scope and flow, in the form that `read` reads."""
    scope = [f"- {_line(text)}" for text in template.scenario]
    flow = [f"{number}. {_line(text)}" for number, text in enumerate(template.flow, 1)]
    return "\n".join([f"Description: {_line(template.description)}", "Scope:", *scope, "Flow:", *flow])


def read(reply: str) -> Template:
    """The template that a reply describes, its `id` and `example` left open. Raises ParseError without name or flow."""
    found: dict[str, list[str]] = {name: [] for name in ("name", "tags", "description", "scope", "flow")}
    current: list[str] = []
    for line in reply.splitlines():
        head = _FIELD.match(line)
        if head:  # asked for a method's name, small models head it "Method"
            current = found["name" if head[1].lower() == "method" else head[1].lower()]
        text = _BULLET.sub("", head[2] if head else line).strip(" *`")
        if text:
            current.append(text)
    if not found["name"] or not found["flow"]:
        raise ParseError("it has no line `Name: ...`, or no numbered line behind `Flow:`.")
    return Template(
        id="open",
        name=found["name"][0],
        tags=tuple(tag.strip() for tag in ",".join(found["tags"]).split(",") if tag.strip()),
        description=" ".join(found["description"]),
        scenario=tuple(found["scope"]),
        flow=tuple(found["flow"]),
    )


def _line(text: str) -> str:
    return _BULLET.sub("", " ".join(text.split()))


TEMPLATE: Prompt[Template] = Prompt("extract", "navigator", render_extract, read, max_tokens=400)
