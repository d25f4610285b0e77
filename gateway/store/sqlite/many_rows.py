"""Many rows by one execution of a statement.

Each execution gives up the GIL and wins it back, and compares the statement, its parameters and its
cursor anew: for a batch of 64 tasks a third of the time of the writing thread.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from gateway.store.sql.rows import Params

MOST: Final = 64
"""Rows of one execution. Numbers of rows are powers of two: few texts are compiled, and kept."""
_INSERT: Final = re.compile(r"(INSERT .*?\bVALUES )(\(.*?\))(\nON CONFLICT .*)?", re.DOTALL)
_UPDATE: Final = re.compile(r"(UPDATE \w+ SET\s.*)(\sWHERE .*)", re.DOTALL)
_PARAMETER: Final = re.compile(r"\?(\d+)")


def write_rows(
    connection: sqlite3.Connection, statements: Sequence[tuple[str, Sequence[Params]]]
) -> None:
    """Executes each statement for each of its rows."""
    for statement, rows in statements:
        written = 0
        for number in _numbers(rows):
            part = rows[written : written + number]
            text = many_rows(statement, number, len(part[0]))
            connection.execute(text, [*chain.from_iterable(part)])
            written += number
        connection.executemany(statement, rows[written:])


def _numbers(rows: Sequence[Params]) -> Iterator[int]:
    """Numbers of rows to execute a statement for; a last one is left. Parameters by name, which
    only rare statements have, are left to `executemany`."""
    left = 0 if isinstance(rows[0], Mapping) else len(rows)
    while left > 1:
        number = min(MOST, 1 << (left.bit_length() - 1))
        yield number
        left -= number


@lru_cache(1_000)
def many_rows(statement: str, number: int, width: int) -> str:
    """The statement for this number of rows; `width` is the number of parameters of each."""
    insert = _INSERT.fullmatch(statement.strip())
    if insert is not None:
        head, row, tail = insert.groups("")
        return head + _repeated(row, number, width) + tail
    update = _UPDATE.fullmatch(statement.strip())
    if update is None:
        raise ValueError(f"Written row by row alone: {statement}")
    head, where = (_PARAMETER.sub(r"given.column\1", part) for part in update.groups())
    row = ", ".join(f"?{place}" for place in range(1, width + 1))
    return f"{head} FROM (VALUES {_repeated(f'({row})', number, width)}) AS given{where}"


def _repeated(row: str, number: int, width: int) -> str:
    """The row as often as that, each time with the next parameters."""

    def next_ones(times: int) -> str:
        return _PARAMETER.sub(lambda found: f"?{int(found[1]) + times * width}", row)

    return ", ".join(map(next_ones, range(number)))
