"""`reasonflux templates`: list, show and search templates; validate a library; convert one from and to other formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonflux_agent.cli.commands import TextCommand
from reasonflux_agent.cli.options import AsJson, file_to_write, folder_to_write
from reasonflux_agent.cli.report import print_json, print_table
from reasonflux_agent.errors import InputError, LibraryError

if TYPE_CHECKING:
    from reasonflux_agent.templates import TemplateLibrary

app = typer.Typer(
    help="Look into a template library, search it, check one, convert one from and to other formats.", no_args_is_help=True
)

Library = Annotated[str, typer.Option("--library", "-L", help="builtin, a plugin's name, a JSON file or a directory.")]
File = Annotated[Path, typer.Argument(help="A JSON file or a directory of JSON files.")]


@app.command("list")
def list_(
    library: Library = "builtin",
    chapter: Annotated[str, typer.Option("--chapter", "-c", help="Only chapters whose title holds this text.")] = "",
    as_json: AsJson = False,
) -> None:
    """List templates: id, kind, name."""
    loaded = _load(library)
    found = [t for t in loaded if chapter.lower() in t.chapter.lower()]
    if not found:
        chapters = ", ".join(dict.fromkeys(t.chapter for t in loaded))
        raise LibraryError(f"No chapter of {library!r} holds {chapter!r} in its title. Its chapters: {chapters}.")
    if as_json:
        print_json([{name: getattr(t, name) for name in ("id", "name", "kind", "chapter", "section")} for t in found])
    else:
        print_table(("id", "kind", "name"), [(t.id, t.kind, t.name) for t in found])


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The template's id, as `list` prints it.")], library: Library = "builtin"
) -> None:
    """Show one template whole, with where it stands."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    from reasonflux_agent.templates import render_template

    t = _load(library).get(id)
    about = [f"{t.kind} | {t.chapter} / {t.section}", f"Tags: {', '.join(t.tags)}", t.description]
    scenario = [f"- {line}" for line in t.scenario]
    body = "\n".join([*filter(None, about), *scenario, "", render_template(t, max_chars=100_000)])
    console = Console()
    if console.is_terminal:
        console.print(Panel(Text(body), title=Text(t.id)))
    else:
        typer.echo(f"{t.id}\n{body}")


@app.command(cls=TextCommand)
def search(
    query: Annotated[str, typer.Argument(help="A problem, or a step to be done.")],
    k: Annotated[int, typer.Option("-k", min=1, help="At most this many templates.")] = 3,
    embedder: Annotated[
        str, typer.Option("--embedder", "-e", help="wordllama, minilm, st:DIR_OR_ID, openai:MODEL@URL, hash.")
    ] = "wordllama",
    library: Library = "builtin",
    as_json: AsJson = False,
) -> None:
    """Find the templates that fit a problem: score, id, name. Below the confidence floor nothing is printed."""
    from reasonflux_agent.templates import TemplateRetriever

    documents = TemplateRetriever.from_library(_load(library), embedder, k=k).invoke(query)
    if as_json:
        print_json([{**document.metadata, "text": document.page_content} for document in documents])
    elif documents:
        rows = [(f"{d.metadata['score']:.3f}", d.metadata["id"], d.metadata["name"]) for d in documents]
        print_table(("score", "id", "name"), rows)
    else:
        typer.echo("No template of the library fits this query.", err=True)


@app.command()
def validate(file: File) -> None:
    """Check a library: print what it holds and what was normalised, or the fault and its place (exit status 2)."""
    _summarize(_load(file))


@app.command("import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(help="A JSON file or a directory of them, a folder of Agent Skills, or the JSON of a DSPy program."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", callback=file_to_write, help="Where the normalised library is written.")],
) -> None:
    """Write a library in the official format, normalised. Skills and demonstrations are unproven, whatever they say."""
    from reasonflux_agent.templates import read_templates

    library = read_templates(source)
    with _writing(out):
        library.save(out)
    _summarize(library)
    typer.echo(f"Written to {out}.")


@app.command()
def export(
    library: Annotated[str, typer.Argument(help="builtin, a plugin's name, a JSON file or a directory.")],
    skills: Annotated[
        Path | None, typer.Option(callback=folder_to_write, help="Write each template as an Agent Skill into this folder.")
    ] = None,
    dspy: Annotated[
        Path | None,
        typer.Option(
            callback=file_to_write, help="Write the worked examples as demonstrations of a DSPy program: a JSON file."
        ),
    ] = None,
) -> None:
    """Write a library in the format of another tool. `import` reads it back."""
    from reasonflux_agent.templates import export_demos, export_skills

    if not (skills or dspy):
        raise InputError("No format was asked for. There are: --skills FOLDER, --dspy FILE. Next: give one of them, or both.")
    loaded = _load(library)
    if skills:
        with _writing(skills):
            typer.echo(f"{len(export_skills(loaded, skills))} skills written to {skills}.")
    if dspy:
        with _writing(dspy):
            number = export_demos(loaded, dspy)
        typer.echo(f"{number} demonstrations written to {dspy}. DSPy shows all of them in every prompt.")


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"The library cannot be written to {out}: {error}. Next: name another place.") from None


def _load(source: str | Path) -> TemplateLibrary:
    from reasonflux_agent.templates import TemplateLibrary

    return TemplateLibrary.load(source)


def _summarize(library: TemplateLibrary) -> None:
    chapters, kinds = {t.chapter for t in library}, Counter(t.kind for t in library)
    sections = {(t.chapter, t.section) for t in library}
    typer.echo(f"{len(library)} templates in {len(chapters)} chapters and {len(sections)} sections.")
    for kind, count in kinds.most_common():
        typer.echo(f"  {kind}: {count}")
    for note in library.notes:
        typer.echo(f"Normalised: {note}")
