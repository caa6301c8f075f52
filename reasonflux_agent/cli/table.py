"""Rows as people and programs can use them: nothing is cut, and what is to be copied stays in one piece."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal that is wide enough, a block of lines a row on another; tab-separated lines without a head in a
    pipe, for grep and cut."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    plain = [[" ".join(cell.split()) for cell in row] for row in rows]
    if not console.is_terminal:
        for row in plain:
            print(*row, sep="\t")
        return
    widths = [max(map(cell_len, column)) for column in zip(head, *plain, strict=True)]
    if sum(widths) + 2 * len(widths) <= console.width:
        table = Table(*head, box=None, pad_edge=False)
        for row in plain:
            table.add_row(*map(Text, row))
        console.print(table)
        return
    for row in plain:
        for name, cell in zip(head, row, strict=True):
            if cell:
                console.print(Text.assemble((f"{name}: " if name else "", "bold"), cell), soft_wrap=True)
        console.print()
