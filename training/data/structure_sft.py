r"""Structure SFT (the paper's stage 1): a template's name and tags -> its description, scope and flow.

    python training/data/structure_sft.py --library builtin --out data/structure_sft.json --benchmarks data/benchmarks

One alpaca row a template of the library (a registered name, a JSON file or a folder). Worked examples are left out: what is
learnt is which methods there are, and how each goes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from common import Build, Result, arguments, run
from files import digest
from rows import alpaca
from structure import render_describe, write

from reasonflux_agent.schema import Template
from reasonflux_agent.templates import TemplateLibrary


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("--library", default="builtin", help="name or path (default: %(default)s)")
    args = parser.parse_args(argv)
    library = TemplateLibrary.load(args.library)
    path = Path(args.library)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path] if path.is_file() else []
    build = Build(__file__, args, {"library": library.name}, {"library": files})
    units = {f"{t.id}:{digest(t.model_dump(mode='json'))}": t for t in library}
    results = build.each("templates", units, _row_of)
    build.write([("", result["row"]) for result in results if result["outcome"] == "kept"], "alpaca")


def _row_of(template: Template) -> Result:
    if not (template.description and template.scenario):
        return {"outcome": "without description or scope"}
    return {"outcome": "kept", "row": alpaca(render_describe(template.name, template.tags), write(template))}


if __name__ == "__main__":
    sys.exit(run(main))
