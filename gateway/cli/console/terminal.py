"""The terminal of a person: lines, notes, tables and failures."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from gateway.cli.console.output import CommandFailed, one_line
from gateway.wire.tasks import Page

T = TypeVar("T")

out: Final = Console(highlight=False, soft_wrap=True, markup=False)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

_WIDE: Final = 1_000
"""Columns of a table: it is never cut, because half an id is of no use."""
_GAP: Final = 2
"""Columns between two of a table."""
_LEAST: Final = 12
"""Columns in which a text can be read."""


def note(text: str) -> None:
    """Prints a remark on stderr, beside the result."""
    err.print(text, style="dim")


def print_fields(fields: Mapping[str, str | None]) -> None:
    """Prints a name and a value on each line; those without a value are left out."""
    width = max(map(len, fields)) + 1
    for name, value in fields.items():
        if value:
            out.print(f"{name:<{width}} {one_line(value)}")


def print_table(names: Sequence[str], rows: Iterable[Iterable[str]]) -> None:
    """Prints a table as wide as its longest cells; on a terminal the last column is folded if that
    makes it fit."""
    print_wide(folded(table_of(names, rows), width_of_terminal()))


def folded(table: Table, width: int) -> Table:
    """The table with its last column folded, where that has room beside the others."""
    last = table.columns[-1]
    whole = (
        max(cell_len(str(text)) for text in (one.header, *one.cells)) for one in table.columns[:-1]
    )
    left = width - sum(cells + _GAP for cells in whole)
    if left >= _LEAST:
        last.no_wrap, last.overflow, last.max_width = False, "fold", left
    return table


def table_of(names: Sequence[str], rows: Iterable[Iterable[str]]) -> Table:
    """A table without lines between its cells."""
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*map(one_line, row))
    return table


def width_of_terminal() -> int:
    """Its columns; where stdout is none, enough for everything."""
    return out.width if sys.stdout.isatty() else _WIDE


def print_page(
    page: Page[T], names: tuple[str, ...], row: Callable[[T], tuple[str, ...]], *, empty: str
) -> None:
    """Prints a page of a list as a table, and the option that shows the next one."""
    if not page.data:
        out.print(empty)
        return
    print_table(names, map(row, page.data))
    if page.next_cursor:
        out.print(f"more: --cursor {page.next_cursor}", style="dim")


def print_wide(table: Table) -> None:
    """Prints a table, uncut."""
    Console(highlight=False, width=_WIDE, markup=False).print(table, crop=False)


def print_failure(error: CommandFailed) -> None:
    """Prints the reason and the next step on stderr."""
    err.print("error", style="bold red", end="")
    err.print(f": {error.message}")
    if error.next_step:
        err.print("next", style="bold", end="")
        err.print(f":  {error.next_step}")
