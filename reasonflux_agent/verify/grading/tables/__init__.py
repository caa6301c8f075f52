"""The grader's data: rules that rewrite mathematics (latex.toml), and words of numbers, dates and units (words.toml)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """The content of `<name>.toml` in this folder."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text("utf-8"))


def words(name: str) -> str:
    """The pattern that matches one of the words of a list of words.toml."""
    return f"(?:{'|'.join(table('words')['patterns'][name])})"


@cache
def _rules(name: str) -> list[tuple[re.Pattern[str], str]]:
    """The rules of one list of latex.toml. `<NAME>` in a pattern stands for an entry of its table `names`."""
    names, found = table("latex")["names"], []
    for pattern, plain in table("latex")[name]:
        found.append((re.compile(re.sub("<([A-Z]+)>", lambda match: names[match[1]], pattern)), plain))
    return found


def rewritten(text: str, name: str) -> str:
    """The text after all rules of one list of latex.toml, in their order."""
    for pattern, plain in _rules(name):
        text = pattern.sub(plain, text)
    return text
