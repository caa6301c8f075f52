"""A machine without OpenMP's library, as small container images are: the error says what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonflux_agent.errors import ModelError
from reasonflux_agent.models.local.server import serve


def test_a_missing_library_is_named_with_the_line_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "libgomp.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "xllamacpp.py").write_text(f"raise ImportError({message!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=rf"did not: {message}.*Next: install OpenMP.*apt-get install libgomp1"):
        serve(tmp_path / "model.gguf")
