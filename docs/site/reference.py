"""The pages of the reference that are made from the code: commands, configuration, the library format, the Python API.

`python docs/site/reference.py` writes the first three to docs/reference, and a test compares them with the code. Those of the
Python API are made when the site is built, since they are directives for mkdocstrings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import typer.main

from reasonflux_agent.cli import app
from reasonflux_agent.cli.exits import EXITS
from reasonflux_agent.cli.options import NO_OPTION
from reasonflux_agent.context import EFFORTS, Context, Setting
from reasonflux_agent.environment import OTHERS, variable
from reasonflux_agent.files import write_atomically
from reasonflux_agent.templates.reading import FIELDS

API = {
    "reasonflux": ("ReasonFlux", "The one object that solves, streams and resumes.", ["reasonflux_agent.api"]),
    "graph": (
        "The graph",
        "The uncompiled LangGraph graph, what a run may vary, and graphs around it.",
        ["graph", "context", "session", "state", "agents.review", "agents.tutor"],
    ),
    "values": ("Values and errors", "What goes in and out, and what is raised.", ["schema", "errors"]),
    "events": ("Events and records", "What happens in a run, and how its record is read.", ["events", "runs.record"]),
    "models": ("Models", "A chat model from a spec.", ["models.load", "models.specs", "models.options", "models.replies"]),
    "templates": (
        "Templates",
        "Libraries of templates, and how they are found.",
        ["templates.library", "templates.retriever", "templates.embeddings", "templates.rendering"],
    ),
    "verify": (
        "Grading and verifiers",
        "Whether two answers are the same, and what can be checked of a solution.",
        ["verify.grading", "verify.verifiers", "verify.programs"],
    ),
    "learning": ("Learning", "From solved problems to a library.", ["learning.learner"]),
    "evaluation": ("Evaluation", "Methods compared on benchmarks.", ["jobs.evaluation.runner", "jobs.evaluation.report"]),
    "tools": ("Tools for agents", "Tools for LangChain agents and MCP servers.", ["toolkit"]),
    "plugins": ("Plugins", "What a plugin can register.", ["hookspecs", "plugins", "node", "run"]),
    "testing": ("Fakes for tests", "Models and servers that answer without a network.", ["testing"]),
}
"""Page of the Python API -> its title, what it is about, and its modules."""


def pages() -> dict[str, str]:
    """Return path in docs/ -> text of each page that is committed."""
    return {
        "reference/cli.md": commands(),
        "reference/configuration.md": configuration(),
        "reference/library.md": library(),
    }


def api_pages() -> dict[str, str]:
    """Return path in the site's sources -> text of each page of the Python API."""
    made = {}
    for name, (title, about, modules) in API.items():
        full = [module if module.startswith("reasonflux_agent") else f"reasonflux_agent.{module}" for module in modules]
        made[f"reference/api/{name}.md"] = "\n\n".join([f"# {title}", about, *(f"::: {module}" for module in full)]) + "\n"
    return made


def commands() -> str:
    """Return the page of all verbs, with their options as the help shows them."""
    root: Any = typer.main.get_command(app)
    parts = [
        "# Commands",
        "Each verb has `--help`, and `-v` for log messages and tracebacks. The exit codes are [at the end](#exit-codes).",
    ]
    for path, command in _verbs(root):
        parts += list(_verb(root, path, command))
    rows = [(str(code), meaning) for code, meaning in EXITS.items()]
    return "\n\n".join([*parts, "## Exit codes", _table(("code", "meaning"), rows)]) + "\n"


def _verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, sub in getattr(command, "commands", {}).items():
        if not hasattr(sub, "commands") or sub.invoke_without_command:
            yield (*path, name), sub
        yield from _verbs(sub, (*path, name))


def _verb(root: Any, path: tuple[str, ...], command: Any) -> Iterator[str]:
    yield f"## reasonflux {' '.join(path)}"
    text, _, example = (command.help or "").partition("\b\nExample:\n")
    yield _plain(text).strip()
    if example:
        yield "```sh\n" + "\n".join(line.strip() for line in example.strip().splitlines()) + "\n```"
    context = command.context_class(command, info_name=path[-1], parent=root.context_class(root, info_name="reasonflux"))
    shared = {param.name for param in getattr(command, "_added", ())} if path != ("solve",) else set()
    rows: dict[str, list[tuple[str, ...]]] = {}
    for param in command.get_params(context):
        if param.param_type_name == "argument":
            rows.setdefault("argument", []).append((f"`{param.name}`", _plain(getattr(param, "help", "") or "")))
        elif not param.hidden and param.name not in ("help", "verbose", *shared):
            names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
            panel = (getattr(param, "rich_help_panel", None) or "option") if path == ("solve",) else "option"
            rows.setdefault(panel, []).append((names, f"{_plain(param.help or '')}{_default(param)}"))
    for panel, options in rows.items():
        yield _table((panel, "meaning"), options)
    if shared:
        yield "It also has the options of a run: see [reasonflux solve](#reasonflux-solve)."


def _default(param: Any) -> str:
    given = param.default
    if given in (None, False, "", ()) or callable(given) or not getattr(param, "show_default", True):
        return ""
    return f" Default: `{getattr(given, 'value', given)}`."


def configuration() -> str:
    """Return the page of the fields of the Context and of the environment variables."""
    rows = []
    for name, info in Context.model_fields.items():
        kinds = [kind for kind in get_args(info.annotation) if kind is not type(None)] or [info.annotation]
        kind = " \\| ".join(f"`{k}`" if isinstance(k, str) else getattr(k, "__name__", str(k)) for k in kinds)
        option = "" if name in NO_OPTION else f"`--{name.replace('_', '-')}`"
        rows.append((f"`{name}`", kind, f"`{info.default}`", option, f"`{variable(name)}`", info.description or ""))
    head = ("field", "type", "default", "option", "variable", "meaning")
    efforts = [(f"`{effort}`", *(str(value) for value in setting)) for effort, setting in EFFORTS.items()]
    parts = [
        "# Configuration",
        "A run is configured by the fields of the [Context](../../reasonflux_agent/context.py). Each can be given in three "
        "places. The first one that sets a field wins:",
        '1. the call: an option of the command, `flux.solve(problem, effort="high")`, or `context={...}` of the graph\n'
        '2. the object: `ReasonFlux(effort="high")` or `create_reasonflux(context=Context(effort="high"))`\n'
        "3. the environment, for commands and for the graphs of LangGraph Studio: `REASONFLUX_EFFORT=high`",
        "## Fields of a run",
        _table(head, rows),
        "## What an effort sets",
        "A field that is set takes the place of what the effort sets.",
        _table(("effort", *Setting._fields), efforts),
        "## Other variables",
        _table(("variable", "sets"), [(f"`{name}`", sets) for name, sets in OTHERS.items()]),
        "You are warned about a variable with this prefix that nothing reads.",
    ]
    return "\n\n".join(parts) + "\n"


def library() -> str:
    """Return the page of the format of template libraries."""
    entry = {
        "template_name": "Sum of the first n odd numbers",
        "template_type": "Method",
        "knowledge_tag": ["series", "odd numbers"],
        "description": "The first n odd numbers add up to n squared.",
        "application_scenario": ["The problem asks for a sum of odd numbers from 1."],
        "reason_flow": ["Count the odd numbers: n.", "The sum is n^2."],
        "example_application": {
            "example_problem": "What is 1 + 3 + 5 + 7?",
            "solution_steps": ["There are n = 4 odd numbers.", "The sum is 4^2 = 16."],
            "answer": "16",
        },
    }
    shown = json.dumps({"Sequences": {"Sums": [entry]}}, indent=2)
    parts = [
        "# The library format",
        "A library is a JSON file, or a folder of such files. It has chapters, these have sections, and a section is a list of "
        "templates. It is the format in which ReasonFlux v1 published its library. `reasonflux templates validate FILE` "
        "checks a file, and says what it had to normalise.",
        f"```json\n{shown}\n```",
        "Only `template_name` is needed. A file of at most 200 MB is read; it is data, and nothing in it is run.",
        _table(("field", "holds"), [(f"`{name}`", holds) for name, holds in FIELDS.items()]),
        "`id` is made from chapter, section and name where it is missing. `provenance` is written by `reasonflux learn`.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in lines)


def _plain(text: str) -> str:
    """Return help without the escapes of the terminal's markup; < and | are kept from Markdown."""
    text = text.replace("\\[", "[").replace("\b", "").replace("|", "\\|")
    return re.sub(r"(?<!`)<([\w ]+)>", r"`<\1>`", text)


if __name__ == "__main__":
    for name, text in pages().items():
        write_atomically(Path(__file__).parents[1] / name, text.encode())
