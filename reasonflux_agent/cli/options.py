"""Options that several commands have. Those of a run are made from the fields of `Context`."""

from __future__ import annotations

import sys
import tempfile
from functools import cache, cached_property
from inspect import Parameter, Signature
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args

import typer
import typer.main
from typer.core import TyperCommand

from reasonflux_agent.errors import InputError
from reasonflux_agent.models.local.files import DEFAULT, KNOWN

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from reasonflux_agent.context import Context

MODELS, HOW, LIMITS, OUTPUT = "Models", "How it is solved", "Limits", "Output"
"""Panels of the help."""
OF_LIMITS = {"max_steps", "max_tokens", "token_budget", "deadline"}
"""The fields of `Context` in the panel LIMITS; the others are in HOW."""
SHORT = {"effort": ("-e",)}
NO_OPTION = {"ask_at_reviews", "stream_calls"}
"""Fields of `Context` that no command uses."""


def _checked(spec: str | None) -> str | None:
    """Return the spec of a model. Raises SpecError if it can name no model, before the command does anything else."""
    if spec:
        from reasonflux_agent.models import check_spec

        check_spec(spec, here=True)
    return spec


def folder_to_write(param: typer.CallbackParam, path: Path | None) -> Path | None:
    """Return a folder that a command will write, without making it. Raises InputError if it cannot be written."""
    return path and _writable(param, path, path)


def file_to_write(param: typer.CallbackParam, path: Path | None) -> Path | None:
    """Return a file that a command will write, without making it. Raises InputError if it cannot be written."""
    return path and _writable(param, path, path.parent)


def _writable(param: typer.CallbackParam, path: Path, folder: Path) -> Path:
    try:
        if path != folder and path.exists():
            path.open("r+b").close()
        while not folder.exists():  # it will be made
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            return path
    except OSError as error:
        raise InputError(
            f"{param.opts[0]} {path} cannot be written: {error.strerror} ({folder}). Next: name another."
        ) from None


def _scorer(name: str | None) -> str | None:
    """Return the name of a scorer, which exists; a module of the current folder may hold it. Raises InputError."""
    if name:
        from reasonflux_agent.verify.scoring import load_scorer

        if (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)
        load_scorer(name)
    return name


ScorerName = Annotated[
    str | None,
    typer.Option(
        "--scorer",
        callback=_scorer,
        metavar="NAME",
        help="What decides if an answer is right: a plugin's scorer, or module:function, called with (row, answer).",
        rich_help_panel=HOW,
    ),
]
Strategy = Annotated[
    str, typer.Option(help="navigator, direct, recall, program, original, propose, or a plugin's.", rich_help_panel=HOW)
]
Record = Annotated[Path | None, typer.Option(help="Write the run's record into this directory.", rich_help_panel=OUTPUT)]
WHERE = "Where threads are kept: a SQLite file or a postgresql:// URL; else REASONFLUX_CHECKPOINTS."
Checkpoints = Annotated[str | None, typer.Option(help=WHERE, rich_help_panel=OUTPUT)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.", rich_help_panel=OUTPUT)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="The answer and nothing else.", rich_help_panel=OUTPUT)]
NoProgress = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)]
Concurrency = Annotated[int, typer.Option("--concurrency", "-c", min=1, max=65536, help="Problems at once.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: a free one.")]
KEY = "The key that clients must send. Other users see what is typed here."
ApiKey = Annotated[str | None, typer.Option(envvar="REASONFLUX_API_KEY", help=KEY)]


def _spec(help: str) -> Any:
    return Annotated[str | None, typer.Option(callback=_checked, metavar="SPEC", help=help, rich_help_panel=MODELS)]


_DEFAULT = f"\\[default: REASONFLUX_MODEL, else local:{DEFAULT}, {KNOWN[DEFAULT].size / 1e9:.1f} GB, fetched once]"
Teacher = _spec("Solves examples that the model cannot, so that its work can be shown to the model.")
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        callback=_checked,
        metavar="SPEC",
        help=f"Both roles: local:NAME, vllm:NAME@URL, openai:NAME ... {_DEFAULT}.",
        rich_help_panel=MODELS,
    ),
]
_LIBRARY = "builtin \\[default], a plugin's name, or a path."
OF_A_RUN = {
    "model": Model,
    "navigator": _spec("The model that plans and reviews; else --model."),
    "solver": _spec("The model that carries steps out; else --model."),
    "library": Annotated[str | None, typer.Option("--library", "-L", help=_LIBRARY, rich_help_panel=HOW)],
}
"""Options of a run that are not made from a field of `Context`."""


class RunCommand(TyperCommand):
    """A command with the options of a run; its function reads them with `given(context)`.

    They are made when they are needed, and not for `reasonflux --help`, since importing pydantic is slow. An option of the
    function takes the place of one of the same name.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._own = self.__dict__.pop("params")

    @cached_property
    def params(self) -> list[Any]:  # type: ignore[override]
        """All options and arguments."""
        return [*self._own, *self._added]

    @cached_property
    def _added(self) -> list[Any]:
        own = {param.name for param in self._own}
        return [param for param in _of_a_run() if param.name not in own]

    def invoke(self, ctx: Any) -> Any:
        ctx.obj = {param.name: ctx.params.pop(param.name) for param in self._added}
        return super().invoke(ctx)


class Given(NamedTuple):
    """What the options and the environment set for the runs of a command."""

    context: Context
    """Without models."""
    roles: dict[str, Any]
    """Role -> spec of its model."""
    library: str | None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the context that are set, without the models."""
        return self.context.model_dump(exclude_unset=True, exclude={"navigator", "solver"})

    @property
    def parts(self) -> dict[str, Any]:
        """What a graph is built from: `navigator`, `solver`, `library` and `context`."""
        return {**self.roles, "library": self.library, "context": self.context}


def given(context: typer.Context) -> Given:
    """Return what a command of class `RunCommand` was given. Raises InputError for a value that does not fit."""
    from reasonflux_agent.context import Context
    from reasonflux_agent.parts import resolve_models

    fields = {name: value for name, value in context.obj.items() if value is not None}
    library, model = fields.pop("library", None), fields.pop("model", None)
    settings = Context.from_env(**{"navigator": model, "solver": model, **fields})
    navigator, solver = resolve_models(settings.navigator, settings.solver)
    without = settings.model_copy(update={"navigator": None, "solver": None})
    return Given(without, {"navigator": navigator, "solver": solver}, library)


def load_models(roles: dict[str, Any], *, quiet: bool = False) -> None:
    """Load the model of each role, before a live view starts: a download shows its own progress."""
    from reasonflux_agent.models import load_model

    for spec in dict.fromkeys(roles.values()):
        if spec.startswith(("local:", "hf:")) and not quiet:
            typer.echo(f"Loading {spec}", err=True)
        load_model(spec)


@cache
def _of_a_run() -> list[Any]:
    """Return the options of a run, as typer makes them of a signature."""
    from reasonflux_agent.context import RENAMED, Context

    def declared() -> None: ...

    options = dict(OF_A_RUN)
    for name, info in Context.model_fields.items():
        if name not in NO_OPTION:
            options.setdefault(name, _option(name, info))
    for old, new in RENAMED.items():  # they still work, and the help does not show them
        options[old] = _option(old, Context.model_fields[new], hidden=True)
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=of) for name, of in options.items()]
    declared.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(declared)
    return list(typer.main.get_command(app).params)


def _option(name: str, info: FieldInfo, *, hidden: bool = False) -> Any:
    """Return the annotation of a field's option. What is not given stays None, so that the environment can set it."""
    kinds = [kind for kind in get_args(info.annotation) if kind is not NoneType] or [info.annotation]
    choices = [f"{kind} \\[default]" if kind == info.default else kind for kind in kinds if isinstance(kind, str)]
    kind: Any = str if choices else kinds[0]
    help = (info.description or "").rstrip(".").replace("[", "\\[")
    if choices:
        help += f": {', '.join(choices[:-1])} or {choices[-1]}"
    elif info.default is not None:
        help += f" \\[default: {info.default if kind is not bool else 'yes' if info.default else 'no'}]"
    flag = name.replace("_", "-")
    flags = [f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}", *SHORT.get(name, ())]
    panel = LIMITS if name in OF_LIMITS else HOW
    words = [str(kind) for kind in kinds] if choices else []
    given: dict[str, Any] = {"hidden": hidden, "rich_help_panel": panel, "autocompletion": (lambda: words) if words else None}
    return Annotated[kind | None, typer.Option(*flags, help=f"{help}.", **given)]
