"""The sources of the documentation site: every page is in the navigation, links lead somewhere, what is generated is fresh.

The site itself is built by `make docs-check`, which needs Zensical.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site() -> Iterator[Any]:
    """The modules of docs/site, which are scripts."""
    sys.path.insert(0, str(DOCS / "site"))
    names = ("build", "reference", "plot")
    try:
        yield {name: __import__(name) for name in names}
    finally:
        sys.path.remove(str(DOCS / "site"))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture
def build(site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The builder, with sources that a test may change."""
    found: ModuleType = site["build"]
    root = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "node_modules")
    shutil.copytree(ROOT, root, ignore=ignored, symlinks=True)
    for name, path in (
        ("ROOT", root),
        ("DOCS", root / "docs"),
        ("STAGE", root / "build" / "docs"),
        ("CONFIG", root / "zensical.toml"),
    ):
        monkeypatch.setattr(found, name, path)
    return found


def test_the_sources_are_staged_with_a_page_for_each_file_that_is_linked(build: Any) -> None:
    build.stage()
    stage = build.STAGE
    assert "reasonflux_agent.api" in (stage / "reference" / "api" / "reasonflux.md").read_text()
    architecture = (stage / "architecture.md").read_text()
    assert "](source/reasonflux_agent/graph.py.md)" in architecture
    assert "create_reasonflux" in (stage / "source" / "reasonflux_agent" / "graph.py.md").read_text()
    assert "exclude: true" in (stage / "source" / "reasonflux_agent" / "graph.py.md").read_text()
    assert "](../benchmarks.md)" in (stage / "records" / "README.md").read_text()
    assert "proven by substitution" in (stage / "source" / "examples" / "look_inside.ipynb.md").read_text()
    assert not (stage / "site").exists()


def test_a_page_that_the_navigation_lacks_is_named_with_the_line_to_add(build: Any) -> None:
    (build.DOCS / "new.md").write_text("# New\n")
    with pytest.raises(build.BuildError, match=r'\{ "TITLE" = "new.md" \}'):
        build.stage()


def test_a_link_to_nothing_is_refused(build: Any) -> None:
    page = build.DOCS / "index.md"
    page.write_text(page.read_text() + "\n[Gone](../reasonflux_agent/gone.py)\n")
    with pytest.raises(build.BuildError, match=r"docs/index.md links to ../reasonflux_agent/gone.py"):
        build.stage()


def headings(page: Path) -> set[str]:
    """What `#...` of a link to a page may name: its headings, as the site writes them, and its ids."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles} | {
        *re.findall(r'<a id="([^"]+)"', text)
    }


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.name)
def test_the_part_of_a_page_that_a_link_names_exists(page: Path) -> None:
    for target, part in re.findall(r"\]\((?!https?:)([^)#\s]*\.md)?#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        assert part in headings(page.parent / target if target else page), f"{target}#{part}"


def test_each_row_for_those_who_come_from_another_tool_leads_somewhere_or_says_why_not() -> None:
    text = (DOCS / "coming-from.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:[^|\\]|\\.)+) \| ((?:[^|\\]|\\.)+) \|$", text, re.MULTILINE)
    rows = [(feature, here) for feature, here in rows if here not in ("here", "---")]
    assert len(rows) == sum(line.startswith("| ") for line in text.splitlines()) - 2 * text.count("| --- |")
    for feature, here in rows:
        is_linked = "](" in here
        assert is_linked or (here.startswith("no") and re.search(r", because |\. ", here)), feature


def test_the_architectures_table_has_every_room_and_its_order_holds() -> None:
    """A room imports only rooms that stand behind it: later in its row, or in a row below."""
    from tests.test_law import arrows

    table = re.findall(r"^\| (`[^|]+) \| [^|]+ \|$", (DOCS / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE)
    rooms = [name.strip("`/ ") for row in table for name in row.split(",")]
    level = {room: number for number, room in enumerate(rooms)}
    plumbing = {"__main__", "builtin", "ending", "lazy", "turns", "reasonflux_agent"}
    for module, names in arrows().items():
        first = module.split(".")[1:2] or ["reasonflux_agent"]
        assert first[0] in {*level, *plumbing}, module
        for name in names:
            target = ([*name.split("."), ""])[1]
            if name.startswith("reasonflux_agent.") and {first[0], target} <= level.keys():
                # its own room is at the same place
                assert level[first[0]] <= level[target], f"{module} imports {name}"


def test_a_page_that_is_gone_is_named(build: Any) -> None:
    (build.DOCS / "command-line.md").unlink()
    (build.DOCS / "index.md").write_text("# Home\n")
    with pytest.raises(build.BuildError, match=r"command-line.md"):
        build.stage()


def test_the_reference_is_fresh(site: Any) -> None:
    for name, text in site["reference"].pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, "Next: python docs/site/reference.py"


def test_the_reference_has_every_verb_and_field(site: Any) -> None:
    from reasonflux_agent.context import Context
    from tests.cli.test_verbs import VERBS

    pages = site["reference"].pages()
    for path in VERBS:
        assert f"\n## reasonflux {' '.join(path)}\n" in pages["reference/cli.md"]
    for name in Context.model_fields:
        assert f"| `{name}` |" in pages["reference/configuration.md"]
    assert "\\[" not in "".join(pages.values())


def test_the_plot_and_the_table_say_what_the_records_say(site: Any) -> None:
    plot = site["plot"]
    assert (DOCS / "benchmarks.svg").read_text() == plot.svg(), "Next: python docs/site/plot.py"
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| (\d+) \| (\d+) \| (\d+) \| (\d+) % .*? \| ([\d,]+) \|$", page, re.MULTILINE)
    assert [row[1] for row in rows] == list(plot.METHODS)
    for words, method, first, second, right, percent, tokens in rows:
        assert words == plot.METHODS[method]
        counted, n, mean = plot.counts()[method]
        assert int(first) + int(second) == int(right) == counted
        assert f"{100 * counted / n:.0f}" == percent
        assert f"{mean:,.0f}" == tokens
