"""`reasonflux models`: the files of the embedded models."""

from typing import Annotated

import typer

from reasonflux_agent.cli.exits import going_on
from reasonflux_agent.models.local.fetch import ensure, path_of
from reasonflux_agent.models.local.files import DEFAULT, KNOWN

app = typer.Typer(help="Fetch, list and find the files of the embedded models (local:NAME).", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A known model, or OWNER/REPO/FILE.gguf on the hub.")]


@app.command("list")
def list_models() -> None:
    """The known models: id, size, licence, and whether the file is here."""
    from reasonflux_agent.cli.table import print_table

    rows = [
        (
            file.id,
            f"{file.size / 1e6:,.0f} MB",
            file.licence,
            "yes" if path_of(file).is_file() else "no",
            "default" if file.id == DEFAULT else "",
        )
        for file in KNOWN.values()
    ]
    print_table(("id", "size", "licence", "here", ""), rows)


@app.command()
def pull(
    name: Name = DEFAULT,
    verify: Annotated[bool, typer.Option("--verify", help="Read the file again, though it was verified.")] = False,
) -> None:
    """Fetch a model file, verify it, and print its path."""
    with going_on(kept="What has arrived is kept"):
        typer.echo(ensure(name, rehash=verify))


@app.command()
def path(name: Name = DEFAULT) -> None:
    """Print where a known model's file lies, or would lie."""
    file = KNOWN.get(name)
    typer.echo(path_of(file) if file else ensure(name))
