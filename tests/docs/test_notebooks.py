"""The notebooks run in Jupyter from their first cell to their last, with a fake in place of the default model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.testing import serve_fake

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    nbformat: Any = pytest.importorskip("nbformat", reason="the extra docs is not installed")
    nbclient: Any = pytest.importorskip("nbclient", reason="the extra docs is not installed")
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code), "the outputs of a real run are committed"
    with serve_fake() as url:
        for cell in code:
            cell.source = cell.source.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
        client.execute()
    assert "Kind: addition" in str(code)
