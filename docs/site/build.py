"""Builds the documentation site with Zensical: `python docs/site/build.py [serve]`; it needs the extra `docs`.

The pages of docs/ are copied to build/docs, and those of the Python API are made beside them (reference.py). A link that leaves
docs/ is turned into a link to a page that shows the file. Then the site is built in build/site, with warnings as errors.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath

from reference import api_pages

ROOT = Path(__file__).parents[2]
DOCS, STAGE, CONFIG = ROOT / "docs", ROOT / "build" / "docs", ROOT / "zensical.toml"
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)((?:#[^)\s]*)?\))")
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".yaml": "yaml", ".sh": "sh"}
"""Suffix of a file that a page shows -> language of its code block."""


class BuildError(Exception):
    """What is wrong with the sources of the site."""


def main() -> None:
    """Stage the sources and build the site, or serve it."""
    try:
        stage()
    except BuildError as error:
        sys.exit(f"Error: {error}")
    verb = ["serve"] if sys.argv[1:] == ["serve"] else ["build", "--clean", "--strict"]
    done = subprocess.run([sys.executable, "-m", "zensical", *verb, "-f", str(CONFIG)], cwd=ROOT, check=False)
    sys.exit(done.returncode)


def stage() -> None:
    """Write all sources of the site into build/docs. Raises BuildError."""
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(DOCS, STAGE, ignore=shutil.ignore_patterns("site", "__pycache__"))
    for name, text in api_pages().items():
        _write(STAGE / name, text)
    shown: set[str] = set()
    for page in sorted(DOCS.rglob("*.md")):
        path = page.relative_to(ROOT).as_posix()
        _write(
            STAGE / page.relative_to(DOCS), linked(page.read_text(encoding="utf-8"), path, path.removeprefix("docs/"), shown)
        )
    done: set[str] = set()
    while pending := shown - done:  # a page of a file may link to further files
        for path in sorted(pending):
            _write(STAGE / _page_of(path), _show(path, shown))
        done |= pending
    _check_nav()


def linked(text: str, path: str, page: str, shown: set[str]) -> str:
    """Return `text` of the file `path` for its page, with each link that leaves docs/ turned into one to a page of the site.

    `shown` gets the files that need such a page. Raises BuildError for a link to nothing.
    """

    def replace(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[2]))
        if not (ROOT / target).exists():
            raise BuildError(f"{path} links to {found[2]}, which does not exist.")
        if PurePosixPath(target).parts[0] == "docs" and (ROOT / target).is_file():
            there = target.removeprefix("docs/")
        else:
            shown.add(target)
            there = _page_of(target)
        return f"{found[1]}{posixpath.relpath(there, posixpath.dirname(page) or '.')}{found[3]}"

    parts = re.split(r"(^```.*?^```\n?)", text, flags=re.DOTALL | re.MULTILINE)  # code stays as it is
    return "".join(part if part.startswith("```") else LINK.sub(replace, part) for part in parts)


def _page_of(path: str) -> str:
    return f"source/{path}.md"


def _show(path: str, shown: set[str]) -> str:
    """Return the page of a file, or of a folder's list."""
    file = ROOT / path
    if file.is_dir():
        tracked = subprocess.run(["git", "ls-files", path], cwd=ROOT, capture_output=True, text=True, check=False).stdout
        names = [name for name in tracked.splitlines() if (ROOT / name).suffix in (*LANGUAGES, ".md", ".txt")][:100]
        shown.update(names)
        rows = [f"- [{name}]({posixpath.relpath(_page_of(name), posixpath.dirname(_page_of(path)))})" for name in names]
        return "\n".join([_HEAD, f"# {path}", "", *rows, ""])
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        return _notebook(text)
    if file.suffix == ".md":
        return _HEAD + linked(text, path, _page_of(path), shown)
    fence = "`" * max([4, *(len(run) + 1 for run in re.findall(r"`{4,}", text))])
    return f"{_HEAD}\n# {path}\n\n{fence}{LANGUAGES.get(file.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"


def _notebook(text: str) -> str:
    """Return a notebook's cells with their printed outputs as Markdown."""
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"````python\n{source}\n````")
        printed = "".join("".join(output.get("text", "")) for output in cell.get("outputs", ()))
        if printed:
            parts.append(f"````text\n{printed.rstrip()}\n````")
    return "\n\n".join(parts) + "\n"


_HEAD = "---\nsearch:\n  exclude: true\n---\n"
"""The sources are not searched: the reference is."""


def _check_nav() -> None:
    """Raise BuildError unless the navigation has each page once, but for the pages of files."""
    listed = _paths(tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]["nav"])
    found = {path.relative_to(STAGE).as_posix() for path in STAGE.rglob("*.md")}
    found = {path for path in found if not path.startswith("source/")}
    if missing := sorted(found - set(listed)):
        lines = "\n".join(f'    {{ "TITLE" = "{path}" }},' for path in missing)
        raise BuildError(f"The navigation of zensical.toml lacks {len(missing)} page(s). Next: add under `nav`\n{lines}")
    if gone := sorted(set(listed) - found):
        raise BuildError(f"The navigation of zensical.toml names pages that do not exist: {', '.join(gone)}.")
    if len(listed) != len(set(listed)):
        raise BuildError("The navigation of zensical.toml names a page twice.")


def _paths(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []
    return [path for part in parts for path in _paths(part)]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    main()
